"""What depends on who else carries a prefix: GRACEFUL_SHUTDOWN, and whether a raise is compared."""

from dataclasses import replace

import msgspec
import pytest

from bgpd.exabgp.message import Terminating
from bgpd.ipc.message import Delta
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import GRACEFUL_SHUTDOWN, RANK_DRAIN, Advertisement
from bgpd.model.status import MemberState, MemberStatus
from bgpd.speaker import comparable
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.ending import AFTERMATH_SECONDS
from tests.policy.test_lever import PEER
from tests.speaker.test_parts import member
from tests.speaker.test_rib import advertisement
from tests.speaker.world import World, med

ONE, TWO, THREE = (Prefix(f"203.0.113.{number}/32") for number in (1, 2, 3))


def carried(number: int, *carriers: str) -> Advertisement:
    """Return the advertisement of 203.0.113.*number* that *carriers* have."""
    return replace(advertisement(number), carriers=carriers)


@pytest.fixture(name="world")
def running_world() -> World:
    """Return three nodes; n1 has a prefix of its own, one with n2, and one with everybody."""
    world = World()
    wishes = (carried(1, "n1"), carried(2, "n1", "n2"), advertisement(3))
    world.tell("n1", world.desired("n1", *wishes))
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    return world


def demoted(world: World) -> set[Prefix]:
    """Return what n1 advertises with GRACEFUL_SHUTDOWN."""
    routes = world.nodes["n1"].exabgp.routes[PEER.address]
    return {
        prefix
        for prefix, attributes in routes.items()
        if GRACEFUL_SHUTDOWN in attributes.communities
    }


def leave(world: World) -> None:
    """Tell n1 to terminate."""
    node = world.nodes["n1"]
    node.reflex.exabgp(Terminating(), world.now)
    node.settle(world.now)


def test_graceful_shutdown_goes_only_where_another_carries_the_prefix(world: World) -> None:
    """A prefix that only we carry keeps its place among the routes: there is no other path."""
    leave(world)
    assert demoted(world) == {TWO, THREE}
    assert world.nodes["n1"].meds() == {med(1, RANK_DRAIN)}


def test_graceful_shutdown_is_taken_back_when_the_other_carrier_dies(world: World) -> None:
    """The survivor of a drain that met a death must not be the path that nobody wants."""
    policy = replace(world.desired("n1").policy, drain_milliseconds=5000)
    wishes = (carried(1, "n1"), carried(2, "n1", "n2"), advertisement(3))
    desired = world.desired("n1", *wishes)
    world.tell("n1", msgspec.structs.replace(desired, policy=policy))
    leave(world)
    assert demoted(world) == {TWO, THREE}
    world.dead.add("n2")
    world.run_until(lambda: demoted(world) == {THREE}, within=2.0)


def test_a_drain_that_is_longer_than_exabgp_waits_ends_in_order_before_that(world: World) -> None:
    """Otherwise it closes the sessions over our heads, with routes and traffic still on them."""
    node = world.nodes["n1"]
    policy = replace(world.desired("n1").policy, drain_milliseconds=600_000)
    everything = [advertisement(number) for number in (1, 2, 3)]
    desired = world.desired("n1", *everything)
    world.tell("n1", msgspec.structs.replace(desired, policy=policy))
    began = world.now
    node.reflex.exabgp(Terminating(seconds=10.0), world.now)
    node.settle(world.now)
    world.run_until(lambda: node.exabgp.exited, within=10.0)
    assert world.now - began > 10.0 - AFTERMATH_SECONDS - 0.1, "as long as there is time"
    (note,) = [note for note in node.notes if note.event == "drain_cut_short"]
    assert dict(note.keys)["wished"] == 600.0


def test_a_node_that_alone_carries_everything_leaves_without_waiting(world: World) -> None:
    """Routers have nowhere to move the traffic, however many other members there are."""
    only = (carried(1, "n1"), carried(2, "n1"), carried(3, "n1"))
    world.tell("n1", world.desired("n1", *only))
    leave(world)
    world.run_until(lambda: world.nodes["n1"].exabgp.exited, within=0.5)


def test_an_endpoint_that_moves_elsewhere_changes_nothing_on_the_wire(world: World) -> None:
    """Who else carries a prefix is known, but not said."""
    exabgp = world.nodes["n1"].exabgp
    exabgp.updates.clear()
    world.tell("n1", Delta(sequence=2, advertise=(carried(2, "n1", "n3"),)))
    assert exabgp.updates == []
    leave(world)
    assert demoted(world) == {TWO, THREE}


def stranger(name: str, *routers: str, state: MemberState = MemberState.ALIVE) -> MemberStatus:
    """Return a member that has sessions with *routers*."""
    return replace(member(name, state), router_ids=tuple(Address(one) for one in routers))


OURS = frozenset({Address("10.9.0.1")})


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param((stranger("n2", "10.9.0.1"), stranger("n3", "10.9.0.1")), set(), id="one ToR"),
        pytest.param((stranger("n2", "10.9.0.2"),), {ONE, TWO}, id="n2 is in another rack"),
        pytest.param((stranger("n3", "10.9.0.3"),), {TWO}, id="so is who may carry only the last"),
        pytest.param((stranger("n2"),), set(), id="a member that says nothing of its routers"),
        pytest.param((stranger("n1", "10.9.0.2"),), set(), id="we ourselves"),
        pytest.param(
            (stranger("n2", "10.9.0.2", state=MemberState.DEAD),), set(), id="a dead member"
        ),
    ],
)
def test_a_raise_is_not_compared_where_the_carriers_share_no_router(
    members: tuple[MemberStatus, ...], expected: set[Prefix]
) -> None:
    """The condition is about prefixes: a member elsewhere that carries none of ours is no matter.

    203.0.113.1 is carried by n1 and n2, 203.0.113.2 by any member, 203.0.113.3 by n1 alone.
    """
    wishes = (carried(1, "n1", "n2"), advertisement(2), carried(3, "n1"))
    desired = DesiredState.of(World().desired("n1", *wishes))
    found = comparable.condition(desired, members, ours=OURS, node=NodeName("n1"))
    assert found.status is bool(expected)
    assert {one for one in (ONE, TWO, THREE) if one in found.message} == expected
