"""Stories about a host with two uplinks; each prints what happened as JSON.

    here ── eth0 10.0.0.0/24, fd00:0::/64 ── router
         ── eth1 10.0.1.0/24, fd00:1::/64 ──

`play` starts a file of stories inside namespaces that die with it, so that a story may cut links
and change routes without a thought for the host.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from bgpd.host.facts import HostFacts
from bgpd.host.watcher import Watcher
from bgpd.model.prefix import Address
from tests.lacking import lacking
from tests.powerless import POWERLESS

Story = Callable[[], Awaitable[object]]

FIRST: Final = (Address("10.0.0.2"), Address("fd00::2"))
SECOND: Final = (Address("10.0.1.2"), Address("fd00:1::2"))
FAR: Final = Address("192.0.2.9")
PATIENCE: Final = 40.0
"""The kernel takes three seconds to give a neighbor up, and longer for a link that comes up while
fifty others go."""

_WORLD: Final = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
)
_USER: Final = ("--user", "--map-root-user")
_PREPARE: Final = "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up"
_NETWORK: Final = """
ip netns add router
ip -n router link set lo up
for i in 0 1; do
    ip link add eth$i type veth peer name eth$i netns router
    ip link set eth$i up
    ip -n router link set eth$i up
    ip address add 10.0.$i.1/24 dev eth$i
    ip address add fd00:$i::1/64 dev eth$i nodad
    ip -n router address add 10.0.$i.2/24 dev eth$i
    ip -n router address add fd00:$i::2/64 dev eth$i nodad
done
"""
_STORY_SECONDS: Final = 50.0
INSIDE: Final = "BGPD_TEST_INSIDE"
"""Set for what a story starts in its own world, which has its network already."""


def play(
    module: str,
    story: str,
    *,
    unproven: str,
    seconds: float = _STORY_SECONDS,
    **environment: str,
) -> Any:
    """Return what *story* reports; skip, or fail in CI, where namespaces are not to be had."""
    words = [sys.executable, "-W", "error", "-m", module, story]
    tools = [tool for tool in ("setpriv", "unshare", "ip", "nft") if shutil.which(tool) is None]
    for extra in ((), _USER):
        world = [*_WORLD, *extra, "sh", "-c", f'{_PREPARE} && exec "$@"', "sh"]
        if tools or subprocess.run([*world, "true"], capture_output=True, check=False).returncode:
            continue
        done = subprocess.run(
            [*world, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])
    return lacking(f"no {', '.join(tools) or 'root and no user namespaces'}", unproven=unproven)


def told(stories: Mapping[str, Story]) -> None:
    """Tell the story that the command line names, and print what came of it."""

    async def tell() -> object:
        return await stories[sys.argv[1]]()

    if INSIDE not in os.environ:
        run(_NETWORK)
    print(json.dumps(asyncio.run(tell())))


async def powerless(module: str, story: str, inside: str = "1") -> str:
    """Return what *story* of *module* says in this world, without any capability."""
    process = await asyncio.create_subprocess_exec(
        *(*POWERLESS, sys.executable, "-W", "error", "-m", module, story),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, INSIDE: inside},
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


def run(script: str) -> str:
    """Run shell commands, each of which has to succeed; return what they print."""
    done = subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True)
    return done.stdout


async def until(fact: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return when *fact* has become true."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(*peers: Address) -> AsyncIterator[tuple[Watcher, list[HostFacts]]]:
    """Watch the way to *peers*, keeping all that is said."""
    heard: list[HostFacts] = []
    watcher = Watcher(heard.append)
    watcher.set_peers(peers)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        try:
            yield watcher, heard
        except BaseException:
            print("heard:", *heard, run("ip -s link; ip route; ip neigh"), sep="\n")
            raise
        task.cancel()
