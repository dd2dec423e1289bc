"""How long what somebody takes away by hand stays away, and how fast events reach health.

    python -m tests.host.restoring

What is measured is from the start of the command that takes it away to the kernel's message that it
is back; and from the kernel's message of a carrier, a neighbor or a route to the callback in the
agent's loop. One deed a second, since more are a quarrel.
"""

import asyncio
import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from bgpd.host.hostroute import destination_of
from bgpd.host.inventory import decode_address
from bgpd.host.netlink import Events
from bgpd.host.rtnetlink import (
    DELNEIGH,
    DELROUTE,
    NEWADDR,
    NEWLINK,
    NEWNEIGH,
    NEWROUTE,
)
from bgpd.host.watcher import Watcher
from bgpd.host.wire import Message
from bgpd.model.health import Health
from bgpd.model.prefix import Prefix
from tests.host.keeping import ELASTIC, PEERS, keeping, settled
from tests.host.net import FAR, FIRST, PATIENCE, SECOND, Story, play, run, told, until
from tests.host.watching import _DEAF

_TIMES: Final = 5
_DEEDS: Final = {
    "route": f"ip route del {PEERS[0]}",
    "IPv6 route": f"ip -6 route del {PEERS[2]}",
    "address": "ip address del 203.0.113.7/32 dev bgpd0",
    "IPv6 address": "ip address del 2001:db8::7/128 dev bgpd0",
    "interface": "ip link del bgpd0",
}


def back(message: Message) -> bool:
    """Return whether a route or an address of ours is there; an interface alone is not enough."""
    if message.kind == NEWROUTE:
        return _is_route(message)
    return message.kind == NEWADDR and _is_address(message)


def _is_route(message: Message) -> bool:
    ours = {Prefix(f"{one}/128" if ":" in one else f"{one}/32") for one in PEERS}
    return destination_of(message.body) in ours and message.body[4] == 254


def _is_address(message: Message) -> bool:
    found = decode_address(message.body)
    return found is not None and found.address in ELASTIC


def absent(deed: str) -> float:
    """Do *deed*; return the milliseconds until all that it took is back."""
    events = Events((5, 7, 9, 11))
    try:
        last = begun = time.monotonic()
        run(deed)
        deadline = time.monotonic() + 0.6
        while (left := deadline - time.monotonic()) > 0.0:
            select.select([events], [], [], left)
            now = time.monotonic()
            if any(back(message) for message in events.heard() if message is not None):
                last = now
        return (last - begun) * 1000.0
    finally:
        events.close()


async def restoring() -> object:
    """Take away each kind of thing some times."""
    run(f"ip route add default via {FIRST[0]}")
    found: dict[str, list[float]] = {name: [] for name in _DEEDS}
    async with keeping() as (keeper, reports):
        await settled(keeper)
        for _ in range(_TIMES):
            for name, deed in _DEEDS.items():
                before = len(reports)
                found[name].append(await asyncio.to_thread(absent, deed))
                await until(lambda: len(reports) > before, deed)  # noqa: B023
                await asyncio.sleep(1.2)
        assert not keeper.status.quarrel
    return {name: summary(times) for name, times in found.items()}


async def pushing() -> object:
    """Have carriers, neighbors and routes change; measure until the agent's loop hears of it."""
    heard: list[float] = []
    watcher = Watcher(lambda _: heard.append(time.monotonic()))
    run(f"ip route add default via {FIRST[0]}")
    watcher.set_peers([FAR, SECOND[0]])
    found: dict[str, list[float]] = {"route": [], "neighbor": [], "carrier": []}
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        await until(lambda: Health.HEALTHY in watcher.facts.gateways.values(), "an answer")
        run(_DEAF)
        known = f"ip neigh replace {FIRST[0]} dev eth0 lladdr 02:00:00:00:00:01"
        for _ in range(_TIMES):
            for kind, first, deed in (
                ("route", "true", f"ip route replace default via {SECOND[0]}"),
                ("route", "true", f"ip route replace default via {FIRST[0]}"),
                ("neighbor", "true", f"{known} nud reachable"),
                ("neighbor", f"{known} nud probe", f"{known} nud failed"),
                ("carrier", "true", "ip -n router link set eth1 down"),
                ("carrier", "true", "ip -n router link set eth1 up"),
            ):
                await asyncio.sleep(1.3)
                run(first)
                await asyncio.sleep(0.05)
                heard.clear()
                moment = await asyncio.to_thread(told_by_kernel, deed, kind)
                await asyncio.sleep(0.2)
                found[kind] += [max(0.0, (at - moment) * 1000.0) for at in heard[:1]]
        task.cancel()
    return {name: summary(times) for name, times in found.items()}


def told_by_kernel(deed: str, kind: str) -> float:
    """Do *deed*; return when the kernel told of it."""
    kinds = {
        "route": (NEWROUTE, DELROUTE),
        "neighbor": (NEWNEIGH, DELNEIGH),
        "carrier": (NEWLINK,),
    }[kind]
    events = Events()
    process = subprocess.Popen(["sh", "-ec", deed])
    try:
        while True:
            select.select([events], [], [], PATIENCE)
            now = time.monotonic()
            if any(message is not None and message.kind in kinds for message in events.heard()):
                return now
    finally:
        process.wait()
        events.close()


def summary(times: list[float]) -> dict[str, float]:
    """Return the middle and the worst."""
    return {
        "times": len(times),
        "median_milliseconds": round(statistics.median(times), 2),
        "worst_milliseconds": round(max(times), 2),
    }


STORIES: Final[dict[str, Story]] = {one.__name__: one for one in (restoring, pushing)}


def main() -> None:
    """Measure, and print the figures."""
    measure: Callable[[str], object] = lambda story: play(  # noqa: E731
        "tests.host.restoring", story, unproven=story, seconds=200.0
    )
    print(json.dumps({story: measure(story) for story in STORIES}, indent=2))


if __name__ == "__main__":
    if sys.argv[1:]:
        told(STORIES)
    else:
        main()
