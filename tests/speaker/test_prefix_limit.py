"""A router that takes ten prefixes, and fifteen Services: ten by priority, five explained."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ipc.message import Delta, Desired, decode, encode
from bgpd.model.configuration import BGPAdvertisement
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement
from bgpd.model.selector import Operator, Requirement
from bgpd.model.status import SpeakerStatus
from bgpd.policy.merge import RouteKey, merge
from bgpd.policy.service import decide
from bgpd.speaker import status
from bgpd.speaker.rib import Rib
from tests.policy import build
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import POOL, stances
from tests.speaker.test_rib import desired as state_of
from tests.speaker.world import World

LIMIT, SERVICES = 10, 15
LIMITED = replace(PEER, max_prefixes=LIMIT)
TIERS = {"front": 100, "middle": 50}
"""Values of the label `tier` that a BGPAdvertisement puts first."""


def tier_of(number: int, front: frozenset[int]) -> str:
    """Return the label of a Service: the last five matter more than the first, if not in front."""
    if number in front:
        return "front"
    return "middle" if number > 10 else "rest"


def eip(number: int) -> Prefix:
    """Return the elastic IP of a Service."""
    return Prefix(f"203.0.113.{number}/32")


def wanted(front: frozenset[int]) -> Mapping[RouteKey, Advertisement]:
    """Return what the documents make of fifteen Services, of which those in *front* go first."""
    rules = [BGPAdvertisement(name="all")]
    for tier, priority in TIERS.items():
        selector = (Requirement(key="tier", operator=Operator.IN, values=frozenset({tier})),)
        rules.append(BGPAdvertisement(name=tier, service_selectors=(selector,), priority=priority))
    context = build.Cluster(
        pools=(build.pool("pool", POOL),),
        peers=(build.peer(PEER.name, PEER.address),),
        advertisements=tuple(rules),
    ).context()
    decisions = {}
    for number in range(1, SERVICES + 1):
        labels = {"tier": tier_of(number, front)}
        one = build.service(f"s{number}", f"203.0.113.{number}", labels=labels)
        decisions[one.key] = decide(one, build.slices("n1", name=one.name), context)
    return merge(decisions)


def told(world: World) -> SpeakerStatus:
    """Return what the speaker says of itself."""
    reflex = world.nodes["n1"].reflex
    return status.observe(reflex, now=world.now, version="0", started=0, exabgp_pid=1, counters={})


@pytest.fixture
def world() -> World:
    """Return a node whose agent wants fifteen routes of a router that takes ten."""
    world = World(count=1)
    wishes = tuple(wanted(frozenset({3})).values())
    line = encode(world.desired("n1", *wishes, peers=(LIMITED,)))
    message = decode(line)
    assert isinstance(message, Desired)
    world.tell("n1", message)
    world.run(1.0)
    return world


FIRST = {eip(3), *(eip(number) for number in range(11, 16))}
"""By priority; four more have room, in the order of their addresses."""


def test_ten_go_by_priority_and_five_are_explained(world: World) -> None:
    """The label of a Service decides, and whoever stays out hears how many of how many go."""
    on_wire = world.nodes["n1"].prefixes()
    assert len(on_wire) == LIMIT
    assert on_wire > FIRST
    seen = told(world)
    left = [one for one in seen.withheld if one.reason is Reason.PREFIX_LIMIT]
    assert {one.prefix for one in left} | on_wire == {eip(n) for n in range(1, SERVICES + 1)}
    assert len(left) == SERVICES - LIMIT
    for one in left:
        assert "accepts at most 10 prefixes (BGPPeer spec.maxPrefixes) and 15 are wanted" in (
            one.message
        )
        assert f"{one.prefix}, of priority 0, is not among the first 10" in one.message
        assert "spec.priority" in one.message


def test_the_condition_counts_and_says_what_to_do(world: World) -> None:
    """One condition for the peer, whatever the number of Services."""
    (found,) = [one for one in told(world).conditions if one.type == "PrefixLimit"]
    assert (found.status, found.reason) == (True, "TooManyPrefixes")
    assert "peer tor takes 10 of 15 prefixes" in found.message
    assert "5 of the least priority are withheld" in found.message
    assert "larger spec.priority in its BGPAdvertisement (0..1000)" in found.message
    world.tell("n1", world.desired("n1", peers=(LIMITED,)))
    assert not [one for one in told(world).conditions if one.type == "PrefixLimit"]


def test_a_limit_of_the_provider_is_said_to_be_its() -> None:
    """Who never wrote a limit hears where it comes from."""
    provided = replace(LIMITED, document="packet")
    wishes = wanted(frozenset()).values()
    rib, state = Rib(), state_of(*wishes, peers=(provided,))
    rib.rebuild(state, stances(state))
    assert "the provider's limit, or spec.maxPrefixes, of BGPPeer packet" in (
        rib.withheld[0].message
    )


def test_a_raised_priority_swaps_exactly_one(world: World) -> None:
    """Who goes to the front takes the place of the last, and nobody else moves."""
    before = world.nodes["n1"].prefixes()
    out = min(eip(n) for n in range(1, SERVICES + 1) if eip(n) not in before)
    number = int(out.removesuffix("/32").rpartition(".")[2])
    raised = wanted(frozenset({3, number}))[PEER.name, out]
    assert raised.priority == TIERS["front"]
    message = decode(encode(Delta(sequence=2, advertise=(raised,))))
    assert isinstance(message, Delta)
    world.tell("n1", message)
    after = world.nodes["n1"].prefixes()
    assert after - before == {out}
    (gone,) = before - after
    assert gone not in FIRST
    assert gone == max(before - FIRST), "the last of those without a priority"


def test_the_swap_withdraws_before_it_advertises() -> None:
    """The router never counts an eleventh prefix."""
    rib, state = Rib(), state_of(*wanted(frozenset()).values(), peers=(LIMITED,))
    rib.rebuild(state, stances(state))
    out = rib.withheld[0].prefix
    assert out is not None
    raised = Advertisement(peer=PEER.name, prefix=out, priority=1000)
    changed = state.apply(Delta(sequence=2, advertise=(raised,)))
    (plan,) = rib.touch(changed, state, stances(state))
    assert len(plan.withdraw) == 1
    assert [prefixes for _, prefixes in plan.advertise] == [(out,)]


def test_what_is_there_stays_among_equals() -> None:
    """A new Service of the same priority does not push another one out."""
    wishes = tuple(wanted(frozenset()).values())
    late = next(one for one in wishes if one.prefix == eip(1))
    others = tuple(one for one in wishes if one.prefix != eip(1))
    rib, state = Rib(), state_of(*others, peers=(LIMITED,))
    rib.rebuild(state, stances(state))
    changed = state.apply(Delta(sequence=2, advertise=(late,)))
    assert rib.touch(changed, state, stances(state)) == ()
    assert eip(1) in {one.prefix for one in rib.withheld}


priorities = st.lists(st.integers(0, 3), min_size=1, max_size=SERVICES)


@given(st.lists(priorities, min_size=1, max_size=5), st.integers(1, SERVICES))
def test_nobody_with_less_priority_has_a_place_that_another_wants(
    rounds: list[list[int]], limit: int
) -> None:
    """After any changes the limit is used up, never exceeded, and the larger priority is in."""
    peer = replace(PEER, max_prefixes=limit)
    rib = Rib()
    for given_ in rounds:
        wishes = [
            Advertisement(peer=peer.name, prefix=eip(number), priority=priority)
            for number, priority in enumerate(given_, 1)
        ]
        state = state_of(*wishes, peers=(peer,))
        rib.rebuild(state, stances(state))
        on_wire = rib.actual.get(peer.name, {}).keys()
        assert len(on_wire) == min(limit, len(given_))
        placed = [one.priority for one in wishes if one.prefix in on_wire]
        waiting = [one.priority for one in wishes if one.prefix not in on_wire]
        assert not waiting or min(placed) >= max(waiting)
        assert _prefixes(rib.withheld) == {
            one.prefix for one in wishes if one.prefix not in on_wire
        }


def _prefixes(withheld: tuple[Withheld, ...]) -> set[Prefix | None]:
    return {one.prefix for one in withheld}
