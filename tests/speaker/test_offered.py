"""What a peer is to hear and what ExaBGP was told, in pages, for whoever compares."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bgpd.ipc.message import Ask, Delta
from bgpd.model.grounds import SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.speaker.offered import MOST, Offered
from bgpd.speaker.status import observe, offered_by
from tests.speaker.test_door import House
from tests.speaker.test_rib import advertisement
from tests.speaker.world import World


def made(offered: Offered) -> SpeakerRoutes:
    """Return all rows of *offered*, after as many pieces as it asks for."""
    while not offered.complete:
        offered.go_on(1)
    return offered.found


def asked(world: World, node: str = "n1", **arguments: str) -> SpeakerRoutes:
    """Return what the speaker of *node* says of what *arguments* name."""
    found = made(offered_by(world.nodes[node].reflex, arguments))
    # It crosses a socket.
    return msgspec.convert(msgspec.to_builtins(found), SpeakerRoutes)


def test_a_route_on_the_wire_is_told_with_what_was_wanted_and_said() -> None:
    """Rank and carriers as the agent wants them, MED and next hop as ExaBGP has them."""
    world = World(3)
    world.run(1.0)
    found = asked(world)
    assert found.routes
    assert found.settled
    for one in found.routes:
        assert one.wanted is not None
        assert one.told is not None
        assert one.told.med is not None
        assert one.withheld is None


def test_what_is_asked_for_is_told_and_nothing_else() -> None:
    """A peer, a prefix, both; of what nobody knows there is nothing to tell."""
    world = World(3)
    world.run(1.0)
    every = asked(world).routes
    first = every[0]
    assert asked(world, peer=first.peer).routes == tuple(
        one for one in every if one.peer == first.peer
    )
    assert asked(world, peer=first.peer, prefix=first.prefix).routes == (first,)
    assert asked(world, prefix="198.51.100.1/32").routes == ()
    assert asked(world, peer="nobody").routes == ()


def test_a_route_that_the_gate_stops_is_told_with_its_reason() -> None:
    """OutsidePools: wanted, never told."""
    world = World(1)
    world.run(1.0)
    reflex = world.nodes["n1"].reflex
    assert reflex.desired is not None
    wrong = replace(advertisement(1), prefix=Prefix("192.0.2.1/32"))
    delta = Delta(sequence=reflex.desired.sequence + 1, advertise=(wrong,))
    reflex.orders.take(delta, world.now)
    (one,) = asked(world, prefix="192.0.2.1/32").routes
    assert one.told is None
    assert one.withheld is not None
    assert one.withheld.reason is Reason.OUTSIDE_POOLS


def test_a_peer_that_nobody_configured_is_refused_and_shown() -> None:
    """UnknownPeer: the gate trusts no agent, so what it asks of a stranger is told to people."""
    world = World(1)
    world.run(1.0)
    reflex = world.nodes["n1"].reflex
    assert reflex.desired is not None
    stray = replace(advertisement(7), peer=PeerName("stranger"))
    reflex.orders.take(Delta(sequence=reflex.desired.sequence + 1, advertise=(stray,)), world.now)
    status = observe(reflex, now=world.now, version="0", started=0.0, exabgp_pid=None, counters={})
    (found,) = (one for one in status.withheld if one.reason is Reason.UNKNOWN_PEER)
    assert (found.peer, found.prefix) == ("stranger", "203.0.113.7/32")
    (one,) = asked(world, peer="stranger").routes
    assert one.withheld == found
    assert one.told is None


def test_many_routes_come_in_pages_that_miss_none(tmp_path: Path) -> None:
    """Twenty thousand rows in one answer would hold up heartbeats, so there is a most."""
    count = 2 * MOST + 7

    async def page(house: House, arguments: Mapping[str, str]) -> Any:
        asker = await house.guest("ctl")
        asker.say(Ask(question="routes", arguments=dict(arguments)))
        answer = await asker.hear("answer")
        return msgspec.convert(answer["content"], SpeakerRoutes)

    async def story(house: House) -> None:
        house.fill(count)
        seen: list[Prefix] = []
        after: dict[str, str] = {}
        while True:
            found = await page(house, after)
            assert len(found.routes) <= MOST
            seen += [one.prefix for one in found.routes]
            if not found.more:
                break
            last = found.routes[-1]
            after = {"after": f"{last.peer} {last.prefix}"}
        assert len(seen) == len(set(seen)), "no row comes twice"
        assert set(house.reflex.offer.rib.actual[PeerName("tor")]) <= set(seen)
        assert len(seen) >= count

    async def live() -> None:
        await House(tmp_path).run(story)

    asyncio.run(live())
