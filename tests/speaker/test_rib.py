"""The rib: what peers are offered follows what is desired, through the lever and the gate."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ipc.message import Delta, Desired
from bgpd.model.errors import ProtocolError
from bgpd.model.member import NodeName
from bgpd.model.peer import Lever, Peer, PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from bgpd.policy.lever import Stance
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.rib import Rib
from tests.policy.test_lever import PEER

OTHER = replace(PEER, name=PeerName("other"), address=PEER.local_address)
POOL = Prefix("203.0.113.0/24")


def advertisement(last: int, peer: Peer = PEER, rank: int = 0) -> Advertisement:
    """Return the wish to offer 203.0.113.*last* to *peer*."""
    return Advertisement(peer=peer.name, prefix=Prefix(f"203.0.113.{last}/32"), rank=rank)


def desired(*advertisements: Advertisement, peers: tuple[Peer, ...] = (PEER,)) -> DesiredState:
    """Return a state that wants *advertisements*."""
    return DesiredState.of(
        Desired(
            sequence=1,
            node=NodeName("n1"),
            cluster_uid="c",
            members=(),
            peers=peers,
            pools=(POOL,),
            advertisements=advertisements,
        )
    )


def stances(state: DesiredState, generation: int = 1, floor: int = 0) -> dict[PeerName, Stance]:
    """Return the same stance for every peer of *state*."""
    return {name: Stance(generation=generation, floor=floor) for name in state.peers}


def test_rebuild_offers_everything_once() -> None:
    """The first plan advertises, the second finds nothing to do."""
    rib, state = Rib(), desired(advertisement(1), advertisement(2))
    (plan,) = rib.rebuild(state, stances(state))
    assert len(plan) == 2
    assert len(plan.advertise) == 1, "one attribute set is one group"
    assert rib.rebuild(state, stances(state)) == ()


def test_a_raise_replaces_every_route_and_withdraws_none() -> None:
    """A new generation is a new MED for all, in one group, without a withdrawal."""
    rib, state = Rib(), desired(advertisement(1), advertisement(2))
    rib.rebuild(state, stances(state))
    (plan,) = rib.rebuild(state, stances(state, generation=2))
    assert plan.withdraw == ()
    assert [len(prefixes) for _, prefixes in plan.advertise] == [2]


def test_what_was_adopted_is_not_sent_again() -> None:
    """After a restart of the reflex, ExaBGP's routes are taken over as they are."""
    before, state = Rib(), desired(advertisement(1), advertisement(2))
    before.rebuild(state, stances(state))
    after = Rib()
    after.adopt(before.actual)
    assert after.rebuild(state, stances(state)) == ()


def test_what_was_adopted_and_is_not_desired_is_withdrawn() -> None:
    """A route whose reason went away during the restart goes too."""
    before, state = Rib(), desired(advertisement(1), advertisement(2))
    before.rebuild(state, stances(state))
    after, less = Rib(), desired(advertisement(2))
    after.adopt(before.actual)
    (plan,) = after.rebuild(less, stances(less))
    assert plan.withdraw == ("203.0.113.1/32",)
    assert plan.advertise == ()


def test_a_route_outside_the_pools_is_refused_and_shown() -> None:
    """The last gate stands behind the agent."""
    outside = Advertisement(peer=PEER.name, prefix=Prefix("192.0.2.1/32"))
    rib, state = Rib(), desired(outside, advertisement(1))
    (plan,) = rib.rebuild(state, stances(state))
    assert len(plan) == 1
    assert [(item.prefix, item.reason) for item in rib.withheld] == [
        ("192.0.2.1/32", Reason.OUTSIDE_POOLS)
    ]


def test_the_prefix_limit_of_one_peer_does_not_touch_another() -> None:
    """Limits are the peer's own."""
    limited = replace(PEER, max_prefixes=1)
    wishes = [advertisement(last, peer) for last in (1, 2) for peer in (limited, OTHER)]
    rib, state = Rib(), desired(*wishes, peers=(limited, OTHER))
    plans = {plan.peer: len(plan) for plan in rib.rebuild(state, stances(state))}
    assert plans == {limited.name: 1, OTHER.name: 2}


class Unread(dict[Prefix, Advertisement]):
    """Routes of which each may be asked for, and nobody may look at all."""

    def __iter__(self) -> Iterator[Prefix]:
        """Refuse."""
        raise AssertionError("all routes were looked at")


def test_a_limit_that_leaves_room_costs_no_look_at_all_routes() -> None:
    """Ten thousand routes and a limit of twenty thousand: an endpoint's way stays short."""
    peer = replace(PEER, max_prefixes=3)
    state = desired(advertisement(1), advertisement(2), peers=(peer,))
    rib = Rib()
    rib.rebuild(state, stances(state))
    state.advertisements[peer.name] = Unread(state.advertisements[peer.name])
    gone = Prefix("203.0.113.1/32")
    back = state.advertisements[peer.name].pop(gone)
    (plan,) = rib.touch([(peer.name, gone)], state, stances(state))
    assert plan.withdraw == (gone,)
    state.advertisements[peer.name][gone] = back
    (plan,) = rib.touch([(peer.name, gone)], state, stances(state))
    assert len(plan) == 1


def test_who_found_no_room_gets_it_when_there_is_some() -> None:
    """The last route beyond the limit is advertised when another one goes."""
    peer = replace(PEER, max_prefixes=2)
    state = desired(*map(advertisement, (1, 2, 3)), peers=(peer,))
    rib = Rib()
    rib.rebuild(state, stances(state))
    gone = Prefix("203.0.113.1/32")
    del state.advertisements[peer.name][gone]
    (plan,) = rib.touch([(peer.name, gone)], state, stances(state))
    assert plan.withdraw == (gone,)
    assert [prefixes for _, prefixes in plan.advertise] == [(Prefix("203.0.113.3/32"),)]
    assert rib.withheld == ()


def test_a_lever_without_ranks_withdraws_in_doubt() -> None:
    """Where "worse" cannot be said, the routes go: other nodes carry them."""
    origin = replace(PEER, lever=Lever.ORIGIN)
    rib, state = Rib(), desired(advertisement(1), peers=(origin,))
    rib.rebuild(state, stances(state))
    (plan,) = rib.rebuild(state, stances(state, floor=250))
    assert plan.withdraw == ("203.0.113.1/32",)
    assert rib.withheld[0].reason is Reason.STANDBY


def test_a_delta_that_does_not_follow_is_refused() -> None:
    """A missed delta must not be papered over: the whole state is asked for."""
    state = desired(advertisement(1))
    with pytest.raises(ProtocolError, match="3 does not follow 1"):
        state.apply(Delta(sequence=3))


wishes = st.lists(
    st.builds(
        advertisement,
        st.integers(1, 8),
        st.sampled_from([PEER, OTHER]),
        st.sampled_from([0, 0, 5, 250]),
    ),
    max_size=10,
)
limits = st.sampled_from([None, 2, 4, 6, 8])


@given(st.lists(st.tuples(wishes, wishes), max_size=5), limits)
def test_touching_step_by_step_equals_rebuilding(
    steps: list[tuple[list[Advertisement], list[Advertisement]]], limit: int | None
) -> None:
    """Deltas leave the same routes and refusals as the whole state would (without a limit)."""
    peers = (replace(PEER, max_prefixes=limit), OTHER)
    state, rib = desired(peers=peers), Rib()
    rib.rebuild(state, stances(state))
    for sequence, (gained, lost) in enumerate(steps, start=2):
        delta = Delta(
            sequence=sequence,
            advertise=tuple({(item.peer, item.prefix): item for item in gained}.values()),
            withdraw=tuple({(item.peer, item.prefix) for item in lost}),
        )
        rib.touch(state.apply(delta), state, stances(state))
    whole = Rib()
    whole.adopt(rib.actual)
    assert whole.rebuild(state, stances(state)) == ()
    assert whole.withheld == rib.withheld
