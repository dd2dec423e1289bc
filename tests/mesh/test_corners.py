"""Deaths and what is none, one raise for each, every corner told as a story."""

from collections.abc import Callable

import pytest

from bgpd.mesh.events import Kind, MemberSuspected, MeshEvent
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from tests.mesh.network import Node
from tests.mesh.world import SEEDS, World, raised, settled


@SEEDS
def test_one_death_is_one_raise(seed: int) -> None:
    """Power loss is noticed by every survivor within 200 ms, and raised for once."""
    world = settled(seed=seed)
    world.power_off("n3")
    died = world.now
    world.run(30.0)
    assert world.generations() == {2}
    assert raised(world, "n3") == {2}
    assert all(when - died < 0.2 for when, _, _ in world.changes)
    assert world.state("n3", by="n1") is MemberState.DEAD


@SEEDS
def test_two_of_five_at_one_instant(seed: int) -> None:
    """Two deaths at one instant are both covered, by one raise or two."""
    world = settled(nodes=5, seed=seed)
    world.power_off("n4")
    world.power_off("n5")
    world.run(1.0)
    assert world.generations() <= {2, 3}
    assert len(world.generations()) == 1
    assert world.state("n4", by="n1") is world.state("n5", by="n2") is MemberState.DEAD


def test_paused_woken_and_powered_off_is_two_raises() -> None:
    """The record of the first death ends when the member is heard at that generation."""
    world = settled()
    world.pause("n3")
    world.run(1.0)
    assert world.generations() == {2}
    assert world.nodes["n3"].mesh.generation == 1
    world.wake("n3")
    world.run(1.0)
    assert world.generations() == {2}
    world.power_off("n3")
    world.run(1.0)
    assert world.generations() == {3}
    assert raised(world, "n3") == {2, 3}


@SEEDS
def test_the_sleeper_raises_nothing(seed: int) -> None:
    """Whoever slept does not take the others' silence in its own sleep for death."""
    world = settled(seed=seed)
    world.pause("n1")
    world.run(3.0)
    world.wake("n1")
    world.run(2.0)
    assert not [one for one in world.raises if one.by == "n1"]
    assert world.generations() == {2}


@SEEDS
def test_the_last_two_of_three(seed: int) -> None:
    """A covered death leaves the denominator: of the two that remain, one is enough."""
    world = settled(seed=seed)
    world.power_off("n3")
    world.run(2.0)
    assert world.nodes["n1"].mesh.status(world.now).counted == 2
    world.power_off("n2")
    world.run(2.0)
    assert world.nodes["n1"].mesh.generation == 3
    assert not world.nodes["n1"].mesh.status(world.now).armed


def test_more_than_half_at_one_instant_is_the_routers() -> None:
    """Two of three dead at one instant: the hold timer rules, and status says so."""
    world = settled()
    world.power_off("n2")
    world.power_off("n3")
    world.run(5.0)
    assert world.generations() == {1}
    status = world.nodes["n1"].mesh.status(world.now)
    assert (status.armed, status.reachable, status.counted) == (False, 1, 3)


def test_a_hung_process_is_suspected_though_pings_answer() -> None:
    """A live kernel alone is no proof: the routes of a hung node lose."""
    world = settled()
    world.pause("n3")
    world.run(0.3)
    assert {world.nodes[n].mesh.generation for n in ("n1", "n2")} == {2}


def test_a_reset_reaches_everybody_and_lowers() -> None:
    """Only a person lowers the generation, and all follow."""
    world = settled()
    world.power_off("n3")
    world.run(1.0)
    mesh = world.nodes["n1"].mesh
    mesh.reset_generation(1, world.now)
    world._pump(world.nodes["n1"])
    world.run(0.5)
    assert world.generations() == {1}
    assert {change.kind for _, _, change in world.changes[-2:]} == {Kind.RESET}


def test_a_generation_too_far_ahead_is_reported_and_ignored() -> None:
    """A jump of more than a thousand is a mistake, not a takeover."""
    world = settled()
    world.nodes["n3"].disk = {"generation": 5000}
    world.kill("n3")
    world.run(0.2)
    world.start("n3")
    world.run(3.0)
    assert {world.nodes[n].mesh.generation for n in ("n1", "n2")} == {1}
    status = world.nodes["n1"].mesh.status(world.now)
    assert status.counters["generation_jump"] > 0
    assert [c.status for c in status.conditions if c.type == "GenerationJump"] == [True]


@SEEDS
def test_unlisted_members_go_only_when_silent(seed: int) -> None:
    """A list without a member that beats removes nothing; its death is still raised for."""
    world = settled(seed=seed)
    shorter = world.members[:2]
    for name in ("n1", "n2"):
        world.configure(name, members=shorter)
    world.run(2.0)
    assert world.state("n3", by="n1") is MemberState.ALIVE
    world.power_off("n3")
    world.run(1.0)
    assert world.generations() == {2}
    world.run(12.0)
    assert [m.name for m in world.nodes["n1"].mesh.status(world.now).members] == ["n2"]


def test_a_member_that_joins_counts_from_its_first_heartbeat() -> None:
    """A listed member that was never heard is no part of the quorum."""
    world = settled()
    ghost = Member(name=NodeName("ghost"), address=Address("10.9.9.9"))
    world._by_address[ghost.address] = Node(ghost.name, ghost.address, None, {}, power=False)  # type: ignore[arg-type]
    for node in world.up():
        node.mesh.configure(members=[*world.members, ghost], now=world.now)
    world.run(2.0)
    assert world.nodes["n1"].mesh.status(world.now).counted == 3
    assert world.state("ghost", by="n1") is MemberState.UNHEARD
    world.power_off("n3")
    world.run(1.0)
    assert world.generations() == {2}


def _late(world: World, seconds: float) -> None:
    world.pause("n1")
    world.run(seconds)
    world.wake("n1")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(lambda w: _late(w, 0.08), 0, id="a stall of 80 ms is nobody's death"),
        pytest.param(lambda w: _late(w, 0.1), 0, id="a stall of two intervals is nobody's death"),
    ],
)
@SEEDS
def test_short_stalls(fault: Callable[[World], None], expected: int, seed: int) -> None:
    """A stall below three intervals is not suspected by the others, nor by whoever stalled."""
    world = settled(seed=seed)
    seen: list[MeshEvent] = []
    world.on_event = lambda _node, event, _now: seen.append(event)
    for _ in range(10):
        fault(world)
        world.run(0.5)
    assert len(world.raises) == expected
    assert not [e for e in seen if isinstance(e, MemberSuspected) and e.member != "n1"]
