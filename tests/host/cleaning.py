"""Stories about taking everything back, told by the kernel."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.errors import BgpdError
from tests.agent.test_planner import Document, endpoints, node, ours, service
from tests.agent.test_start import command, write
from tests.host.keeping import bound, everything, keeping, routes, settled, steady
from tests.host.leaving import routes as defaults
from tests.host.net import FIRST, INSIDE, PATIENCE, SECOND, Story, run, told, until

_DEFAULTS: Final = f"""
ip route add default nexthop via {FIRST[0]} weight 3 nexthop via {SECOND[0]}
ip route add default nexthop via {FIRST[1]} nexthop via {SECOND[1]}
"""


async def bgp(
    program: str, *words: str, within: tuple[str, ...] = ()
) -> tuple[int | None, str, str]:
    """Run one of our command lines *within* another; return its status, output and errors."""
    module = {"bgpd": "bgpd.ctl.daemon", "bgpctl": "bgpd.ctl"}[program]
    process = await asyncio.create_subprocess_exec(
        *(*within, sys.executable, "-W", "error", "-m", module, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def commands() -> object:
    """Have routes, addresses and a default route changed, all workers dead, and clean up."""
    run(_DEFAULTS)
    before = await steady()
    with tempfile.TemporaryDirectory() as state:
        places = (f"--state-dir={state}", f"--run-dir={state}")
        async with keeping() as (keeper, _):
            await settled(keeper)
        await _leave_moved(Path(state))
        middle = await steady()
        shown = await bgp("bgpctl", "get", "host", f"--run-dir={state}")
        listed = json.loads(
            (await bgp("bgpctl", "get", "host", "-o", "json", f"--run-dir={state}"))[1]
        )
        dry = await bgp("bgpd", "host", "cleanup", "--dry-run", *places)
        untouched = await steady() == middle
        wet = await bgp("bgpd", "host", "cleanup", *places)
        await until(lambda: everything() == before, "all is as it was")
        again = await bgp("bgpd", "host", "cleanup", *places)
    return {
        "shown": shown,
        "listed": [listed["from"], listed["interface"], len(listed["routes"])],
        "dry": dry,
        "untouched": untouched,
        "wet": wet,
        "again": again,
    }


async def forgotten() -> object:
    """Lose the file that says what a default route was."""
    run(_DEFAULTS)
    with tempfile.TemporaryDirectory() as state:
        await _leave_moved(Path(state))
        moved = defaults()
        (Path(state) / "egress.json").unlink()
        dry = await bgp(
            *("bgpd", "host", "cleanup", "--dry-run", f"--state-dir={state}", f"--run-dir={state}")
        )
        wet = await bgp("bgpd", "host", "cleanup", f"--state-dir={state}", f"--run-dir={state}")
        return {"dry": dry[0], "wet": wet, "left": defaults() == moved}


async def _leave_moved(directory: Path) -> None:
    """Move the default routes, and die."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.host.leaving", "stuck"),
        env={**os.environ, INSIDE: str(directory)},
    )
    try:
        await until(lambda: sum("proto 179" in one for one in defaults()) == 2, "both are moved")
        await asyncio.sleep(0.3)
    finally:
        process.kill()
        await process.wait()


def documents(*, bind: bool = True) -> list[Document]:
    """Return what a node with a static gateway and services on the host has."""
    return [
        node("n1", address="10.0.0.1"),
        ours("IPAddressPool", "ntp", addresses=["203.0.113.0/28"], bindOnHost=bind),
        ours("IPAddressPool", "web", addresses=["198.51.100.0/28"]),
        ours("BGPAdvertisement", "all"),
        ours(
            "BGPPeer",
            "tor",
            myASN=65000,
            peerASN=65530,
            peerAddress="169.254.255.1",
            gateway="default",
        ),
        service("ntp", "203.0.113.7"),
        endpoints("ntp", "n1"),
        service("away", "203.0.113.8"),
        service("web", "198.51.100.1"),
        endpoints("web", "n1"),
    ]


async def agent() -> object:
    """Have a real agent decide, die, start again, and change its mind."""
    run(f"ip route add default via {FIRST[0]}")
    before = await steady()
    seen: list[object] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory / "documents", *documents())
        first = await _started(directory)
        await until(lambda: routes() and bound(), "the first agent", seconds=20.0)
        seen.append([routes(), bound()])
        refused = await bgp(
            *("bgpd", "host", "cleanup", f"--state-dir={name}", f"--run-dir={name}")
        )
        first.kill()
        await first.wait()
        seen.append([routes(), bound()])
        second = await _started(directory)
        run("ip route del 169.254.255.1")
        await until(routes, "the second agent")
        await until(lambda: _host(directory)["restored"] == {"routes": 1}, "it is counted")
        shown = await bgp("bgpctl", "get", "host", f"--run-dir={name}")
        write(directory / "documents", *documents(bind=False))
        await until(lambda: not bound(), "nothing is bound any more")
        second.terminate()
        await second.wait()
        seen.append([routes(), bound()])
        wet = await bgp("bgpd", "host", "cleanup", f"--state-dir={name}", f"--run-dir={name}")
        await until(lambda: everything() == before, "all is as it was")
    return {"seen": seen, "refused": refused, "shown": shown[1], "wet": wet}


async def _started(directory: Path) -> asyncio.subprocess.Process:
    """Start an agent; return when its route is there, by its own word."""
    process = await asyncio.create_subprocess_exec(
        *command(directory, state=True), stderr=asyncio.subprocess.DEVNULL
    )
    await until(lambda: "tor" in str(_host(directory).get("routes")), "the agent's word")
    return process


def _host(directory: Path) -> dict[str, object]:
    try:
        content = ask(directory / "agent.sock", Ask(question="status"), timeout=5).content
    except BgpdError:
        return {}
    assert isinstance(content, dict)
    found = content["host"]
    assert isinstance(found, dict)
    return found


async def bare() -> object:
    """Clean up where there was never an address, so that the kernel has no table of routes."""
    with tempfile.TemporaryDirectory() as directory:
        places = (f"--state-dir={directory}", f"--run-dir={directory}")
        return await bgp("bgpd", "host", "cleanup", *places, within=("unshare", "--net"))


_ALL: Final = (commands, forgotten, agent, bare)
STORIES: Final[dict[str, Story]] = {story.__name__: story for story in _ALL}

if __name__ == "__main__":
    told(STORIES)
