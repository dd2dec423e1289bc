"""Stories about the watcher, told by the kernel."""

import asyncio
import os
import resource
from typing import Final

from bgpd.host.facts import CARRIER, GATEWAY, HostFacts, judge
from bgpd.host.netlink import Events
from bgpd.host.watcher import Watcher
from bgpd.model.health import Health
from tests.host.net import (
    FAR,
    FIRST,
    SECOND,
    Story,
    powerless,
    run,
    told,
    until,
    watching,
)

_DEAF: Final = """
ip netns exec router nft 'add table arp deaf;
add chain arp deaf in { type filter hook input priority 0; };
add rule arp deaf in drop;
add table ip6 deaf; add chain ip6 deaf in { type filter hook input priority 0; };
add rule ip6 deaf in icmpv6 type nd-neighbor-solicit drop'
"""
_HEARING: Final = "ip netns exec router nft 'delete table arp deaf; delete table ip6 deaf'"


def says(watcher: Watcher, evidence: str, health: Health) -> bool:
    """Return whether the facts amount to that."""
    return judge(watcher.facts)[evidence][0] is health


def course(heard: list[HostFacts], evidence: str) -> list[tuple[str, str]]:
    """Return what was made of all the facts, one after the other."""
    said = [judge(facts)[evidence] for facts in heard]
    return [one for one, before in zip(said, [None, *said], strict=False) if one != before]


async def carriers() -> object:
    """Cut one uplink, then the other, and plug both in again."""
    async with watching(FIRST[0], SECOND[0]) as (watcher, heard):
        await until(lambda: says(watcher, CARRIER, Health.HEALTHY), "two uplinks")
        run("ip -n router link set eth1 down")
        await until(lambda: watcher.facts.uplinks["eth1"] is False, "one lost")
        run("ip -n router link set eth0 down")
        await until(lambda: says(watcher, CARRIER, Health.UNHEALTHY), "both lost")
        run("ip -n router link set eth1 up")
        await until(lambda: says(watcher, CARRIER, Health.HEALTHY), "one found")
        return course(heard, CARRIER)


async def set_down() -> object:
    """Set the uplink down, which takes its routes with it, then remove it."""
    run(f"ip route add default via {FIRST[0]}")
    async with watching(FAR, FIRST[1]) as (watcher, heard):
        await until(lambda: says(watcher, CARRIER, Health.HEALTHY), "an uplink")
        run("ip link set eth0 down")
        await until(lambda: says(watcher, CARRIER, Health.UNHEALTHY), "lost")
        unreachable = sorted(watcher.facts.unreachable)
        run("ip link delete eth0; ip link delete eth1")
        await asyncio.sleep(1.5)  # time for another look
        return {"course": course(heard, CARRIER), "unreachable": unreachable}


async def routes_move() -> object:
    """Have the way to a peer change, without telling the watcher."""
    seen = []
    run(f"ip route add default via {FIRST[0]}")
    async with watching(FAR) as (watcher, _):
        for change, uplinks in (
            ("true", {"eth0"}),
            (f"ip route replace default via {SECOND[0]}", {"eth1"}),
            (
                f"ip route replace default nexthop via {FIRST[0]} nexthop via {SECOND[0]}",
                {"eth0", "eth1"},
            ),
            (f"ip route add {FAR} via inet6 {FIRST[1]} dev eth0", {"eth0"}),
        ):
            run(change)
            await until(lambda: watcher.facts.uplinks.keys() == uplinks, change)  # noqa: B023
            seen.append(sorted(watcher.facts.gateways))
        watcher.set_peers([])
        await until(lambda: not watcher.facts.uplinks, "no peers")
    return seen


async def silent_gateway() -> object:
    """Have the router answer nobody who asks for its hardware address, of either family."""
    found = {}
    for peer in FIRST:
        async with watching(peer) as (watcher, heard):
            await until(lambda: says(watcher, GATEWAY, Health.HEALTHY), "it answers")
            run(_DEAF)
            await until(lambda: says(watcher, GATEWAY, Health.UNHEALTHY), "it is silent")
            await asyncio.sleep(4.5)  # the kernel asks again, in vain
            run(_HEARING)
            await until(lambda: says(watcher, GATEWAY, Health.HEALTHY), "it is back")
            found[peer] = [health for health, _ in course(heard, GATEWAY)]
    return found


async def flushed() -> object:
    """Empty the neighbor table over and over, as a person or a lack of room does."""
    async with watching(FIRST[0], FIRST[1]) as (watcher, heard):
        await until(lambda: says(watcher, GATEWAY, Health.HEALTHY), "it answers")
        for _ in range(20):
            run("ip neigh flush all")
            await asyncio.sleep(0.05)
        await until(lambda: set(watcher.facts.gateways.values()) == {Health.HEALTHY}, "both")
        return sorted({health for facts in heard for health in facts.gateways.values()})


async def flood() -> object:
    """Change five thousand routes so fast that the kernel loses some of what it has to tell."""
    run("ip link add name pods type bridge && ip link set pods up")
    batch = "".join(f"route add 10.9.{n >> 8}.{n & 255} dev pods\n" for n in range(5000))
    deaf = Events()
    async with watching(FIRST[0]) as (watcher, _):
        await until(lambda: says(watcher, CARRIER, Health.HEALTHY), "an uplink")
        process = await asyncio.create_subprocess_exec(
            "ip", "-batch", "-", stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(batch.encode())
        run("ip -n router link set eth0 down")
        await until(lambda: says(watcher, CARRIER, Health.UNHEALTHY), "lost")
    lost = any(message is None for message in deaf.heard())
    deaf.close()
    return {"lost": lost}


async def no_room() -> object:
    """Let the watcher have no socket at first."""
    first, second = os.pipe()
    os.close(first)
    os.close(second)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (second + 1, hard))
    async with watching(FIRST[0]) as (watcher, heard):
        await until(lambda: heard, "something is said")
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: says(watcher, CARRIER, Health.HEALTHY), "an uplink")
        return course(heard, CARRIER)


async def unprivileged() -> object:
    """Watch without any capability."""
    return await powerless(__spec__.name, "plain")


async def plain() -> object:
    """Watch, and wait for a next hop that nobody else asks for."""
    async with watching(FIRST[0], FIRST[1]) as (watcher, _):
        await until(lambda: set(watcher.facts.gateways.values()) == {Health.HEALTHY}, "both")
        return judge(watcher.facts)


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        *(carriers, set_down, routes_move, silent_gateway, flushed, flood, no_room),
        *(unprivileged, plain),
    )
}

if __name__ == "__main__":
    told(STORIES)
