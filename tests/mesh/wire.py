"""Stories that need a network of their own; each prints what happened as JSON.

    here ── 10.0.1.0/24, fd00:1::/64 ── router ── 10.0.2.0/24, fd00:2::/64 ── there

`play` starts this file again inside namespaces that die with it, so that a story may cut links
and set rules without a thought for the host.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bgpd.mesh.route import route_source
from bgpd.mesh.transport import Transport
from bgpd.model.errors import BgpdError, TransientError
from bgpd.model.prefix import Address
from tests.lacking import lacking
from tests.powerless import POWERLESS

PORT: Final = 7179
CLOSED_PORT: Final = 7180
HERE: Final = (Address("10.0.1.1"), Address("fd00:1::1"))
THERE: Final = (Address("10.0.2.2"), Address("fd00:2::2"))
NOWHERE: Final = (Address("198.51.100.1"), Address("2001:db8::1"))

_WORLD: Final = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
)
_PATIENCE: Final = 50.0
_USER: Final = ("--user", "--map-root-user")
_PREPARE: Final = "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up"
_NETWORK: Final = """
ip netns add router
ip netns add there
ip link add eth0 type veth peer name eth0 netns router
ip -n router link add eth1 type veth peer name eth0 netns there
ip -n router link set lo up
ip -n there link set lo up
ip link set eth0 up
ip -n router link set eth0 up
ip -n router link set eth1 up
ip -n there link set eth0 up
ip address add 10.0.1.1/24 dev eth0
ip address add fd00:1::1/64 dev eth0 nodad
ip -n router address add 10.0.1.254/24 dev eth0
ip -n router address add fd00:1::fe/64 dev eth0 nodad
ip -n router address add 10.0.2.254/24 dev eth1
ip -n router address add fd00:2::fe/64 dev eth1 nodad
ip -n there address add 10.0.2.2/24 dev eth0
ip -n there address add fd00:2::2/64 dev eth0 nodad
ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip route add 10.0.2.0/24 via 10.0.1.254
ip route add fd00:2::/64 via fd00:1::fe
ip -n there route add default via 10.0.2.254
ip -n there route add default via fd00:2::fe
"""


class Diary:
    """A receiver that keeps what it is told."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, Address, float]] = []
        self.refusals: list[tuple[Address, float]] = []
        self.replies: list[tuple[Address, float]] = []

    def datagram(self, data: bytes, source: Address, at: float) -> None:
        """Keep the datagram."""
        self.datagrams.append((data, source, at))

    def refused(self, address: Address, at: float) -> None:
        """Keep the refusal."""
        self.refusals.append((address, at))

    def echo_reply(self, address: Address, at: float) -> None:
        """Keep the reply."""
        self.replies.append((address, at))


def play(story: str) -> Mapping[str, Any]:
    """Return what *story* reports; skip, or fail in CI, where namespaces are not to be had."""
    words = [sys.executable, "-W", "error", "-m", "tests.mesh.wire", story]
    tools = [tool for tool in ("setpriv", "unshare", "ip", "nft") if shutil.which(tool) is None]
    for extra in ((), _USER):
        world = [*_WORLD, *extra, "sh", "-c", f'{_PREPARE} && exec "$@"', "sh"]
        if tools or subprocess.run([*world, "true"], capture_output=True, check=False).returncode:
            continue
        done = subprocess.run(
            [*world, *words], capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))
    return lacking(
        f"no {', '.join(tools) or 'root and no user namespaces'}",
        unproven=f"the mesh on a network of its own, {story}",
    )


async def settle(transport: Transport, fact: Callable[[], object], patience: float = 10.0) -> bool:
    """Return whether *fact* becomes true within *patience* seconds."""
    deadline = time.monotonic() + patience
    while not fact():
        if time.monotonic() > deadline:
            return False
        transport.drain()
        await asyncio.sleep(0.01)
    return True


async def refusal_from_the_member_itself() -> dict[str, object]:
    """Send to a closed port of a living kernel."""

    async def refused(here: Address, there: Address) -> list[Address]:
        diary, transport = opened(here)
        transport.send(there, CLOSED_PORT, b"heartbeat")
        await settle(transport, lambda: diary.refusals)
        transport.close()
        return [address for address, _ in diary.refusals]

    return {there: await refused(here, there) for here, there in zip(HERE, THERE, strict=True)}


async def refusal_from_a_router() -> dict[str, object]:
    """Send to a node for which a router answers that its port is unreachable."""
    rules = (
        "add table inet t; add chain inet t f { type filter hook forward priority 0; };"
        f"add rule inet t f ip daddr {THERE[0]} reject with icmp type port-unreachable;"
        f"add rule inet t f ip6 daddr {THERE[1]} reject with icmpv6 type port-unreachable"
    )
    run(f"ip netns exec router nft '{rules}'")

    async def refused(here: Address, there: Address) -> list[int]:
        diary, transport = opened(here)
        transport.send(there, PORT, b"heartbeat")
        await settle(transport, lambda: transport.counters["refused_by_other"])
        transport.close()
        return [len(diary.refusals), transport.counters["refused_by_other"]]

    return {there: await refused(here, there) for here, there in zip(HERE, THERE, strict=True)}


async def no_route() -> dict[str, object]:
    """Send where there is no route, and where a rule forbids it."""
    diary, transport = opened(HERE[0])
    transport.send(NOWHERE[0], PORT, b"heartbeat")
    transport.probe(NOWHERE[0])
    run(
        "nft 'add table ip t; add chain ip t o { type filter hook output priority 0; };"
        "add rule ip t o udp dport 7179 drop'"
    )
    transport.send(THERE[0], PORT, b"heartbeat")
    transport.close()
    transport.send(THERE[0], PORT, b"heartbeat")
    try:
        route: str = str(route_source(NOWHERE[0]))
    except TransientError as error:
        route = str(error)
    assert not diary.datagrams
    return {"counters": transport.counters, "route": route}


async def echoes() -> dict[str, object]:
    """Ask a living kernel and then one without power, in each way that there is."""
    result: dict[str, object] = {}
    # A new network namespace lets nobody use ping sockets; then group 0, which is ours.
    for mode in ("raw", "ping"):
        if mode == "ping":
            run("sysctl -qw 'net.ipv4.ping_group_range=0 0'")
        for here, there in zip(HERE, THERE, strict=True):
            run("ip -n there link set eth0 up")
            restore_there()
            result[f"{mode} {there}"] = await echo(here, there)
    return result


async def echo(here: Address, there: Address) -> dict[str, object]:
    """Return what comes back from a kernel that lives, then from one that is cut off."""
    diary, transport = opened(here)
    stranger = opened(here, port=PORT + 5)
    transport.probe(there)
    answered = await settle(transport, lambda: diary.replies)
    stranger[1].drain()
    sources = [address for address, _ in diary.replies]
    run("ip -n there link set eth0 down")
    transport.probe(there)
    silent = not await settle(transport, lambda: len(diary.replies) > 1, patience=0.5)
    mode = transport.probe_mode
    transport.close()
    stranger[1].close()
    return {
        "mode": mode,
        "answered": answered and sources == [there],
        "silent": silent,
        "overheard": len(stranger[0].replies),
    }


def restore_there() -> None:
    """Give back what a link that goes down takes with it."""
    run("ip -n there address replace fd00:2::2/64 dev eth0 nodad")
    run("ip -n there route replace default via 10.0.2.254")
    run("ip -n there route replace default via fd00:2::fe")


async def no_privilege() -> dict[str, object]:
    """Open a transport without any right to send echoes."""
    words = (
        "from tests.mesh.wire import *; import asyncio\n"
        "async def main():\n"
        "    diary, transport = opened(HERE[0])\n"
        "    transport.probe(THERE[0])\n"
        "    transport.send(THERE[0], CLOSED_PORT, b'x')\n"
        "    await settle(transport, lambda: diary.refusals)\n"
        "    print(json.dumps([transport.probe_mode, len(diary.refusals)]))\n"
        "    transport.close()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *POWERLESS, sys.executable, "-W", "error", "-c", words, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return {"result": json.loads(output)}


async def marks() -> dict[str, object]:
    """Look at the bytes that leave the interface."""
    seen: dict[str, object] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(3)) as tap:
        tap.bind(("eth0", 3))
        tap.settimeout(10)
        for here, there in zip(HERE, THERE, strict=True):
            _, transport = opened(here)
            transport.send(there, PORT, b"heartbeat")
            seen[there] = mark(tap, b"heartbeat")
            echo_socket = transport._echo
            assert echo_socket is not None
            transport.probe(there)
            seen[f"echo {there}"] = mark(tap, echo_socket._token)
            transport.close()
    return seen


def mark(tap: socket.socket, ending: bytes) -> int:
    """Return the traffic class of the next packet on the wire with that *ending*."""
    while True:
        packet = tap.recv(2048)
        if not packet.endswith(ending):
            continue
        if packet[0] >> 4 == 4:
            return packet[1]
        return (packet[0] & 0x0F) << 4 | packet[1] >> 4


async def routes() -> dict[str, object]:
    """Ask which way packets go."""
    run("ip address add 10.0.1.77/24 dev eth0")
    before = [list(route_source(there)) for there in THERE]
    run("ip route replace 10.0.2.0/24 via 10.0.1.254 src 10.0.1.77")
    return {"before": before, "after": list(route_source(THERE[0]))}


async def address_comes_later() -> dict[str, object]:
    """Open on an address that the host gets only afterwards."""
    transport = Transport(Diary())
    try:
        transport.open(Address("10.0.1.50"), PORT)
    except BgpdError as error:
        first = f"{type(error).__name__}: {error}"
    else:
        first = "opened"
    run("ip address add 10.0.1.50/24 dev eth0")
    transport.open(Address("10.0.1.50"), PORT)
    transport.close()
    return {"first": first}


def opened(address: Address, port: int = PORT) -> tuple[Diary, Transport]:
    """Return an open transport and its diary."""
    diary = Diary()
    transport = Transport(diary)
    transport.open(address, port)
    return diary, transport


def run(script: str) -> None:
    """Run shell commands; each has to succeed."""
    subprocess.run(["sh", "-ec", script], check=True, cwd=Path(__file__).parent)


STORIES: Final[Mapping[str, Callable[[], Awaitable[dict[str, object]]]]] = {
    story.__name__: story
    for story in (
        refusal_from_the_member_itself,
        refusal_from_a_router,
        no_route,
        echoes,
        no_privilege,
        marks,
        routes,
        address_comes_later,
    )
}


async def tell(story: str) -> None:
    """Build the network, play *story*, print its result."""
    run(_NETWORK)
    print(json.dumps(await STORIES[story]()))


if __name__ == "__main__":
    asyncio.run(tell(sys.argv[1]))
