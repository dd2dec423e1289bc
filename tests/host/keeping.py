"""Stories about routes to peers and bound elastic IPs, told by the kernel."""

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bgpd.host.inventory import KINDS
from bgpd.host.keeper import Keeper
from bgpd.host.wish import RouteWish, Wanted
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address
from bgpd.model.status import HostState
from tests.host.net import FIRST, PATIENCE, SECOND, Story, powerless, run, told, until

PEERS: Final = (Address("169.254.255.1"), Address("169.254.255.2"), Address("2001:db8:ff::1"))
OURS: Final = (Address("10.0.0.1"), Address("10.0.1.1"), Address("fd00::1"))
ELASTIC: Final = frozenset({Address("203.0.113.7"), Address("2001:db8::7")})


def wish(number: int, gateway: str, source: Address | None = None) -> RouteWish:
    """Return the wish of one of `PEERS`."""
    peer = PeerName(f"peer-{number}")
    return RouteWish(peer=peer, destination=PEERS[number], gateway=gateway, source=source)


ALL: Final = Wanted(
    routes=(wish(0, "default", OURS[0]), wish(1, SECOND[0]), wish(2, FIRST[1], OURS[2])),
    addresses=ELASTIC,
    interface=True,
)


def lines(script: str) -> list[str]:
    """Return what commands of `ip` print, one object a line."""
    shown = run(script).replace("\\", " ")
    return [" ".join(line.split()) for line in shown.splitlines()]


def routes() -> list[str]:
    """Return the routes of protocol 179, IPv4 first."""
    return lines("ip -o -4 route show proto 179; ip -o -6 route show proto 179")


def bound(interface: str = "bgpd0") -> list[str]:
    """Return the elastic IPs on an interface."""
    shown = lines(f"ip -o address show dev {interface} 2>/dev/null || true")
    return sorted(line.split()[3] for line in shown if line.split()[3].endswith(("/32", "/128")))


def everything() -> str:
    """Return all that the host has, counters and times aside."""
    return run(
        "ip -d route show table all; ip -6 -d route show table all; ip rule; ip -6 rule;"
        "ip -o address; ip -o link;"
        "grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null | sort"
    )


async def steady() -> str:
    """Return all that the host has, once it stays as it is: IPv6 takes its time."""
    seen = ["", everything()]
    while seen[-1] != seen[-2] or "tentative" in seen[-1]:
        await asyncio.sleep(0.3)
        seen.append(everything())
    return seen[-1]


@asynccontextmanager
async def keeping(
    wanted: Wanted | None = ALL, kinds: tuple[str, ...] = KINDS
) -> AsyncIterator[tuple[Keeper, list[str]]]:
    """Keep what is *wanted*; also return what was reported."""
    reports: list[str] = []
    keeper = Keeper(reports.extend, kinds=kinds)
    if wanted is not None:
        keeper.want(wanted)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        try:
            yield keeper, reports
        except BaseException:
            print(keeper.status, reports, run("ip route; ip address"), sep="\n", file=sys.stderr)
            raise
        task.cancel()


async def settled(keeper: Keeper, what: str = "all is there") -> None:
    """Wait until all that is wanted is there."""
    await until(lambda: complete(keeper), what)


def complete(keeper: Keeper) -> bool:
    """Return whether all that is wanted is there."""
    status = keeper.status
    states = [*(one.state for one in status.routes), *(one.state for one in status.addresses)]
    return bool(states) and set(states) == {HostState.PRESENT}


async def added() -> object:
    """Add routes and addresses, change them, restart, and have them no more."""
    run(f"ip route add default via {FIRST[0]}")
    before = await steady()
    async with keeping() as (keeper, reports):
        await settled(keeper)
        first = [routes(), bound(), keeper.status.interface_kind]
        run(f"ip route replace default nexthop via {FIRST[0]} nexthop via {SECOND[0]}")
        await until(lambda: "nexthop" in routes()[0], "the default route has two next hops")
        second = routes()[0]
        run(f"ip route replace default via {FIRST[0]}")
        await until(lambda: routes() == first[0], "and one again")
    stayed = [routes(), bound()]
    async with keeping() as (keeper, again):
        await settled(keeper)
        adopted = [routes(), bound()] == stayed and not again
        keeper.want(Wanted(keep=True))
        await asyncio.sleep(0.5)
        kept = [routes(), bound()] == stayed
        keeper.want(Wanted())
        await until(lambda: not routes() and not bound(), "nothing is wanted")
        await until(lambda: everything() == before, "all is as it was")
    return {
        "first": first,
        "several": second,
        "stayed": stayed == first[:2],
        "adopted": adopted,
        "kept": kept,
        "reports": reports,
        "restored": keeper.status.restored,
    }


async def many() -> object:
    """Bind more than is done at once, and have a route taken meanwhile."""
    run(f"ip route add default via {FIRST[0]}")
    eips = [Address(f"203.0.{number >> 8}.{number & 255}") for number in range(1000)]
    async with keeping(Wanted(routes=(wish(0, "default"),))) as (keeper, reports):
        await settled(keeper)
        keeper.want(Wanted(routes=(wish(0, "default"),), addresses=frozenset(eips), interface=True))
        await until(bound, "the first are bound")
        run(f"ip route del {PEERS[0]}")
        await until(lambda: reports and len(bound()) == len(eips), "all are bound")
        counts = [len(bound()), list(reports)]
        keeper.want(Wanted(addresses=frozenset(eips[:10]), interface=True))
        await until(lambda: len(bound()) == 10, "most are not wanted any more")
        return counts


async def ways() -> object:
    """Follow default routes of every shape."""
    seen: list[list[str]] = []
    wanted = Wanted(routes=(wish(0, "default"), wish(2, "default")))
    async with keeping(wanted) as (keeper, _):
        for shape in (
            "via 10.9.9.9 dev eth0 onlink",
            f"nexthop via 10.9.9.9 dev eth0 onlink weight 3 nexthop via {SECOND[0]}",
            f"via inet6 {FIRST[1]} dev eth0",
            f"nexthop via {SECOND[0]} nexthop via inet6 {FIRST[1]} dev eth0",
            "dev eth0",
        ):
            run(f"ip -4 route replace default {shape}")
            await settled_on(keeper, seen)
        for shape in (
            "via fe80::1 dev eth0",
            f"nexthop via {FIRST[1]} weight 2 nexthop via fe80::2 dev eth1",
            "dev eth1",
        ):
            run(f"ip -6 route replace default {shape}")
            await settled_on(keeper, seen)
    return seen


async def settled_on(keeper: Keeper, seen: list[list[str]]) -> None:
    """Wait for routes that differ from those that were seen last, and note them."""
    before = seen[-1] if seen else []
    await until(lambda: routes() not in ([], before) and not _failed(keeper), "another way")
    seen.append(routes())


def _failed(keeper: Keeper) -> bool:
    return any("default route" not in one for one in keeper.status.problems)


async def restored() -> object:
    """Take away by hand what was added."""
    run(f"ip route add default via {FIRST[0]}")
    seen = []
    async with keeping() as (keeper, reports):
        await settled(keeper)
        whole = [routes(), bound()]
        for count, deed in enumerate(
            (
                f"ip route del {PEERS[0]}",
                f"ip -6 route del {PEERS[2]}",
                "ip address del 203.0.113.7/32 dev bgpd0",
                "ip address del 2001:db8::7/128 dev bgpd0",
                "ip link del bgpd0",
                "ip link set bgpd0 down",
                f"ip route replace {PEERS[1]} proto 179 metric 179 via {FIRST[0]}",
            )
        ):
            run(deed)
            await until(lambda: len(reports) > count, deed)  # noqa: B023
            await until(lambda: [routes(), bound()] == whole, deed)
        seen = sorted(reports)
        counted = keeper.status.restored
    return {"reports": seen, "restored": counted}


async def lookalikes() -> object:
    """Have others' routes, addresses and interfaces about that look much like ours."""
    run(
        f"ip route add default via {FIRST[0]};"
        f"ip route add {PEERS[0]} via {SECOND[0]};"
        f"ip route add {PEERS[0]} via {SECOND[0]} proto 179 metric 100;"
        f"ip route add 192.0.2.1 via {FIRST[0]} metric 179;"
        f"ip route add 192.0.2.2 via {FIRST[0]} proto 179;"
        f"ip route add 192.0.2.3 via {FIRST[0]} proto 179 metric 179 table 100;"
        f"ip route add 192.0.2.0/24 via {FIRST[0]} proto 179 metric 179;"
        f"ip route add blackhole 192.0.2.4 proto 179 metric 179;"
        f"ip -6 route add 2001:db8:1::1 via {FIRST[1]} proto 179 metric 1024;"
        f"{_IMPOSTOR}; ip link add bgpd1 type bridge; ip link set bgpd1 group 179;"
        "ip address add 203.0.113.8/32 dev lo; ip address add 2001:db8::7/128 dev eth1 nodad"
    )
    before = await steady()
    async with keeping() as (keeper, _):
        await until(lambda: len(routes()) > 0 and keeper.status.problems, "it is said")
        await until(lambda: PEERS[2] in " ".join(routes()), "what can be is done")
        middle = keeper.status
        run("ip link del bgpd0")
        await until(lambda: bound() == ["203.0.113.7/32"], "now there is room")
        run("ip link del bgpd0")
        await until(lambda: bound() == ["203.0.113.7/32"], "it is back")
        keeper.want(Wanted())
        await until(lambda: not bound(), "nothing is wanted")
    run(
        "ip link add bgpd0 type bridge; ip link set bgpd0 up; ip address add 192.0.2.9/32 dev bgpd0"
    )
    return {
        "problems": middle.problems,
        "states": [f"{one.destination} {one.state.value}" for one in middle.routes],
        "addresses": [f"{one.address} {one.state.value}" for one in middle.addresses],
        "untouched": _without_bgpd0(everything()) == _without_bgpd0(before),
    }


_IMPOSTOR: Final = (
    "ip link add bgpd0 type bridge; ip link set bgpd0 up; ip address add 192.0.2.9/32 dev bgpd0"
)


def _without_bgpd0(text: str) -> list[str]:
    return [line for line in text.splitlines() if "bgpd0" not in line]


async def loopback() -> object:
    """Find neither dummy nor bridge in the kernel."""
    run("ip address add 203.0.113.9/32 dev lo; ip address add 2001:db8::9/128 dev lo")
    before = await steady()
    async with keeping(Wanted(addresses=ELASTIC, interface=True), kinds=("dummy",)) as (keeper, r):
        await settled(keeper)
        found = [bound("lo"), keeper.status.interface, keeper.status.interface_kind]
        run("ip address del 203.0.113.7/32 dev lo; ip address del 2001:db8::7/128 dev lo")
        await until(lambda: len(r) > 1, "both are back")
    async with keeping(Wanted(), kinds=("dummy",)) as (keeper, _):
        await until(lambda: everything() == before, "all is as it was")
    return found


async def impossible() -> object:
    """Wish for what cannot be, then make it possible."""
    wanted = Wanted(
        routes=(wish(0, "default"), wish(1, "10.7.7.7"), wish(2, "fe80::1")), watch=True
    )
    async with keeping(wanted) as (keeper, _):
        await until(lambda: len(keeper.status.problems) == 3, "three problems")
        said = keeper.status.problems
        run(
            f"ip route add default via {FIRST[0]}; ip address add 10.7.7.1/24 dev eth1;"
            "ip -6 route add default via fe80::1 dev eth0"
        )
        await settled(keeper)
        return [said, keeper.status.problems, routes(), sorted(keeper.addresses or ())]


async def quarrel() -> object:
    """Remove a route whenever it is there, for some seconds."""
    run(f"ip route add default via {FIRST[0]}")
    tries = 0
    async with keeping() as (keeper, reports):
        await settled(keeper)
        deadline = time.monotonic() + 6.0
        while time.monotonic() < deadline or (
            not keeper.conditions and time.monotonic() < deadline + PATIENCE / 2
        ):
            run(f"ip route del {PEERS[0]} 2>/dev/null || true")
            tries += 1
            await asyncio.sleep(0.01)
        kinds = sorted({one.type for one in keeper.conditions})
        corrections = len(reports)
        run("ip address del 203.0.113.7/32 dev bgpd0")
        await until(lambda: not keeper.conditions, "the quarrel is over")
        return {
            "condition": kinds,
            "removals": tries,
            "corrections": corrections,
            "over": list(keeper.conditions),
            "there": complete(keeper),
        }


async def settings() -> object:
    """Have strict filters, answers to ARP, and traffic by another interface than the default's."""
    run(
        f"ip route add default via {FIRST[0]};"
        "echo 1 > /proc/sys/net/ipv4/conf/eth1/rp_filter;"
        "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter"
    )
    before = await steady()
    wanted = Wanted(
        routes=(wish(0, FIRST[0]), wish(1, SECOND[0])),
        addresses=frozenset({Address("10.0.1.77"), Address("203.0.113.7")}),
        interface=True,
    )
    async with keeping(wanted) as (keeper, _):
        await until(lambda: len(keeper.status.problems) == 2, "both are said")
        said = keeper.status.problems
        run(
            "cd /proc/sys/net/ipv4/conf/eth1;"
            "echo 2 > rp_filter; echo 1 > arp_ignore; echo 2 > arp_announce"
        )
        await until(lambda: not keeper.status.problems, "nothing to be said any more")
        later = keeper.status.problems
        run(
            "cd /proc/sys/net/ipv4/conf/eth1;"
            "echo 1 > rp_filter; echo 0 > arp_ignore; echo 0 > arp_announce"
        )
        keeper.want(Wanted())
        await until(lambda: everything() == before, "all is as it was")
    return {"problems": said, "later": later, "unchanged": True}


async def no_room() -> object:
    """Let there be no socket to ask the kernel with, in the middle of it."""
    run(f"ip route add default via {FIRST[0]}")
    async with keeping() as (keeper, reports):
        await settled(keeper)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        run(f"ip route del {PEERS[0]}")
        await until(lambda: reports, "as ever")
        keeper.want(Wanted())
        await until(lambda: not routes() and not bound(), "nothing is wanted")
        first, second = os.pipe()
        os.close(first)
        os.close(second)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first, hard))
        keeper.want(ALL)
        await until(lambda: keeper.conditions, "it is said")
        said = [(one.type, one.message) for one in keeper.conditions]
        unknown = keeper.addresses is None
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await settled(keeper)
        return [said, unknown, list(keeper.conditions)]


async def reached() -> object:
    """Serve at the elastic IPs, and ask from the router as from far away."""
    run(
        f"ip -n router route add 203.0.113.7 via {OURS[0]};"
        f"ip -n router -6 route add 2001:db8::7 via {OURS[2]};"
        "ip -n router address add 198.51.100.9/32 dev lo;"
        "ip -n router address add 2001:db8:9::9/128 dev lo;"
        f"ip route add default via {FIRST[0]}; ip -6 route add default via {FIRST[1]}"
    )
    seen = []
    async with keeping() as (keeper, _):
        await settled(keeper)
        for family, address, client in (
            (socket.AF_INET, "203.0.113.7", "198.51.100.9"),
            (socket.AF_INET6, "2001:db8::7", "2001:db8:9::9"),
        ):
            with socket.socket(family, socket.SOCK_DGRAM) as server:
                server.bind((address, 12300))
                server.settimeout(PATIENCE)
                process = await asyncio.create_subprocess_exec(
                    *("ip", "netns", "exec", "router", sys.executable, "-c", _CLIENT),
                    *(client, address),
                    stdout=asyncio.subprocess.PIPE,
                )
                question, sender = await asyncio.to_thread(server.recvfrom, 100)
                server.sendto(question, sender)
                output, _ = await process.communicate()
                seen.append([sender[0], output.decode().strip()])
    return seen


_CLIENT: Final = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as client:
    client.bind((sys.argv[1], 0))
    client.settimeout(40)
    client.sendto(b"what time is it", (sys.argv[2], 12300))
    print(client.recvfrom(100)[1][0])
"""


async def unprivileged() -> object:
    """Add things without any capability."""
    run(f"ip route add default via {FIRST[0]}")
    return await powerless(__spec__.name, "no_right")


async def no_right() -> object:
    """Try to."""
    async with keeping() as (keeper, _):
        await until(lambda: keeper.status.problems, "it is said")
        return keeper.status.problems


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        *(
            added,
            many,
            ways,
            restored,
            lookalikes,
            loopback,
            impossible,
            quarrel,
            settings,
            reached,
            no_room,
        ),
        *(unprivileged, no_right),
    )
}

if __name__ == "__main__":
    told(STORIES)
