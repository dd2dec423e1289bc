"""A router that lacks a family that we offer: its routes are withheld, with a reason."""

from dataclasses import replace

import msgspec
import pytest

from bgpd.exabgp.message import SessionChanged
from bgpd.ipc.message import Delta
from bgpd.model.peer import Peer, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from bgpd.speaker.sessions import Sessions
from tests.policy.test_lever import PEER
from tests.speaker.world import World

FOUR, SIX = Prefix("203.0.113.1/32"), Prefix("2001:db8::1/128")
LATER = Prefix("2001:db8::2/128")
BOTH = replace(PEER, families=(Family.IPV4, Family.IPV6), next_hop_v6=Address("2001:db8:ffff::1"))
OVER_SIX = replace(
    BOTH,
    address=Address("2001:db8:ffff::9"),
    local_address=Address("2001:db8:ffff::1"),
    next_hop_v4=None,
)


def world_of(peer: Peer) -> World:
    """Return a node that offers a prefix of each family to *peer*."""
    world = World(1)
    wishes = tuple(Advertisement(peer=peer.name, prefix=prefix) for prefix in (FOUR, SIX))
    state = world.desired("n1", *wishes, peers=(peer,))
    pools = (*state.pools, Prefix("2001:db8::/64"))
    world.tell("n1", msgspec.structs.replace(state, pools=pools))
    world.run_until(lambda: world.nodes["n1"].prefixes() == {FOUR, SIX})
    return world


def agreed(world: World, peer: Peer, *families: Family, extended: bool = False) -> None:
    """Let a session with *peer* come up in which both ends speak *families*."""
    for state in (PeerState.IDLE, PeerState.ESTABLISHED):
        message = SessionChanged(
            peer=peer.address,
            state=state,
            hold_time=90 if state is PeerState.ESTABLISHED else None,
            families=families,
            extended_next_hop=extended,
        )
        world.nodes["n1"].reflex.exabgp(message, world.now)
        world.run(0.1)


def unheard(world: World) -> set[Prefix | None]:
    """Return what is withheld because the router did not agree to its family."""
    withheld = world.nodes["n1"].reflex.offer.rib.withheld
    return {one.prefix for one in withheld if one.reason is Reason.FAMILY_NOT_NEGOTIATED}


def test_a_family_that_the_router_lacks_is_withheld_until_it_has_it() -> None:
    """What the status says is what the router can have; it heals with the next session."""
    world = world_of(BOTH)
    node = world.nodes["n1"]
    agreed(world, BOTH, Family.IPV4)
    assert node.prefixes() == {FOUR}
    assert unheard(world) == {SIX}
    later = Advertisement(peer=BOTH.name, prefix=LATER)
    world.tell("n1", Delta(sequence=2, advertise=(later,)))
    world.run(0.1)
    assert node.prefixes() == {FOUR}
    assert unheard(world) == {SIX, LATER}
    agreed(world, BOTH, Family.IPV4, Family.IPV6)
    assert node.prefixes() == {FOUR, SIX, LATER}
    assert unheard(world) == set()


def test_a_session_without_a_family_in_common_carries_nothing_and_says_so() -> None:
    """Some routers take such a session; without this it would look well."""
    world = world_of(BOTH)
    agreed(world, BOTH)
    assert world.nodes["n1"].prefixes() == set()
    assert unheard(world) == {FOUR, SIX}


def test_ipv4_over_ipv6_needs_the_routers_consent() -> None:
    """RFC 8950: without it the routes would end the session, so they are not offered."""
    world = world_of(OVER_SIX)
    agreed(world, OVER_SIX, Family.IPV4, Family.IPV6)
    assert unheard(world) == {FOUR}
    agreed(world, OVER_SIX, Family.IPV4, Family.IPV6, extended=True)
    assert unheard(world) == set()
    assert world.nodes["n1"].prefixes() == {FOUR, SIX}


def test_a_family_that_is_not_heard_takes_no_room_at_a_limit() -> None:
    """A peer that takes one prefix gets one."""
    peer = replace(BOTH, max_prefixes=1, families=(Family.IPV6, Family.IPV4))
    world = World(1)
    wishes = tuple(Advertisement(peer=peer.name, prefix=prefix) for prefix in (SIX, FOUR))
    state = world.desired("n1", *wishes, peers=(peer,))
    pools = (*state.pools, Prefix("2001:db8::/64"))
    world.tell("n1", msgspec.structs.replace(state, pools=pools))
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 1)
    agreed(world, peer, Family.IPV6)
    assert world.nodes["n1"].prefixes() == {SIX}
    agreed(world, peer, Family.IPV4)
    assert world.nodes["n1"].prefixes() == {FOUR}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(None, id="there was no session yet"),
        pytest.param(
            SessionChanged(peer=BOTH.address, state=PeerState.ESTABLISHED),
            id="an ExaBGP that does not say",
        ),
        pytest.param(
            SessionChanged(peer=BOTH.address, state=PeerState.ACTIVE, error="refused"),
            id="a session that did not come about",
        ),
    ],
)
def test_unknown_is_not_empty(message: SessionChanged | None) -> None:
    """Until a session says otherwise, a peer speaks what is configured."""
    sessions = Sessions()
    if message is not None:
        sessions.changed(message, 1.0)
    assert sessions.spoken(BOTH) == BOTH.families
