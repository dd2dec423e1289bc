"""Every corner of the takeover, each told as a story in a simulated mesh."""

from collections.abc import Callable

import pytest

from bgpd.mesh.events import (
    Kind,
    MemberRestarting,
    MemberSuspected,
    MeshEvent,
    QuarantineEnded,
    QuarantineStarted,
)
from bgpd.model.member import Member, MeshPolicy, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from tests.mesh.simulation import Node, World


def settled(*, nodes: int = 3, seed: int = 1, loss: float = 0.0) -> World:
    """Return a mesh that has met and is quiet at generation 1."""
    world = World(nodes=nodes, seed=seed, loss=loss)
    world.run(5.0)
    assert world.generations() == {1}
    assert all(len(n.mesh.status(world.now).members) == nodes - 1 for n in world.up())
    return world


def raised(world: World, naming: str) -> set[int]:
    """Return the generations that were raised for the death of *naming*."""
    return {one.generation for one in world.raises if naming in one.members}


SEEDS = pytest.mark.parametrize("seed", range(3))


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


@pytest.mark.parametrize("seed", range(8))
def test_two_that_return_at_one_instant_are_not_raised_against(seed: int) -> None:
    """What a member says of others just after its own silence is old, and proves no deafness."""
    world = settled(nodes=5, seed=seed)
    both = [world.nodes[name].address for name in ("n2", "n3")]
    everybody = [node.address for node in world.nodes.values()]
    world.cut = {pair for a in both for b in everybody if a != b for pair in ((a, b), (b, a))}
    world.run(3.0)
    reached = max(world.generations())
    world.heal()
    world.run(10.0)
    assert world.generations() == {reached}
    assert world.state("n2", by="n1") is world.state("n3", by="n4") is MemberState.ALIVE


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


@pytest.mark.parametrize("way", ["mute", "deaf"])
@SEEDS
def test_one_way_is_one_raise(way: str, seed: int) -> None:
    """A node that is not heard, or hears nothing, loses to the others by one raise of theirs."""
    world = settled(seed=seed)
    (world.mute if way == "mute" else world.deaf).add(world.nodes["n3"].address)
    cut = world.now
    world.run(20.0)
    assert {n.mesh.generation for n in world.up() if n.name != "n3"} == {2}
    assert world.nodes["n3"].mesh.generation == 1, "its own paths must lose"
    assert raised(world, "n3") == {2}
    assert not [one for one in world.raises if one.by == "n3"]
    assert all(when - cut < 0.35 for when, _, _ in world.changes)
    world.heal()
    world.run(2.0)
    assert world.generations() == {2}
    assert world.state("n3", by="n1") is MemberState.ALIVE


@pytest.mark.parametrize("way", ["mute", "deaf"])
@SEEDS
def test_one_way_between_two_ends_with_the_healthy_one_ahead(way: str, seed: int) -> None:
    """In a cluster of two nobody can ask a third: the healthy one ends ahead or level."""
    world = settled(nodes=2, seed=seed)
    (world.mute if way == "mute" else world.deaf).add(world.nodes["n2"].address)
    world.run(20.0)
    healthy, sick = world.nodes["n1"].mesh.generation, world.nodes["n2"].mesh.generation
    if way == "deaf":
        assert healthy > sick
    else:
        assert healthy >= 2, "what the mute one believes cannot leave it"
    assert max(healthy, sick) <= 4
    world.heal()
    world.run(5.0)
    assert len(world.generations()) == 1
    assert world.state("n2", by="n1") is MemberState.ALIVE


def test_one_way_between_two_of_three_raises_nothing() -> None:
    """One broken pair is seen by one node alone, and nobody agrees."""
    world = settled()
    one, two = world.nodes["n1"].address, world.nodes["n2"].address
    world.cut = {(one, two)}
    world.run(10.0)
    world.cut = {(one, two), (two, one)}
    world.run(10.0)
    assert world.raises == []
    assert world.state("n1", by="n3") is MemberState.ALIVE


@SEEDS
def test_a_minority_never_raises(seed: int) -> None:
    """Two of five that hear nobody else raise nothing; three raise, and all meet after."""
    world = settled(nodes=5, seed=seed)
    world.partition(["n1", "n2"])
    world.run(20.0)
    assert not [one for one in world.raises if one.by in {"n1", "n2"}]
    assert {world.nodes[n].mesh.generation for n in ("n1", "n2")} == {1}
    assert {world.nodes[n].mesh.generation for n in ("n3", "n4", "n5")} <= {2, 3}
    world.heal()
    world.run(3.0)
    assert len(world.generations()) == 1
    assert all(
        world.state(a, by=b) is MemberState.ALIVE
        for a in world.nodes
        for b in world.nodes
        if a != b
    )


def test_halves_raise_to_the_same_number_and_meet() -> None:
    """Half is enough: both halves of four stay level, and no session was at stake."""
    world = settled(nodes=4)
    world.partition(["n1", "n2"])
    world.run(10.0)
    assert min(world.generations()) >= 2
    world.heal()
    world.run(3.0)
    assert len(world.generations()) == 1


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


@SEEDS
def test_thirty_restarts_in_a_minute_raise_nothing(seed: int) -> None:
    """A dead process with a live kernel is restarting, also when refusals are rationed."""
    seen: list[MeshEvent] = []
    world = settled(seed=seed)
    world.on_event = lambda _node, event, _now: seen.append(event)
    for _ in range(30):
        world.kill("n3")
        world.run(0.3 + world.random.random() * 1.2)
        world.start("n3")
        world.run(0.5)
    world.run(2.0)
    assert world.raises == []
    assert any(isinstance(event, MemberRestarting) for event in seen)
    assert world.state("n3", by="n1") is MemberState.ALIVE


@SEEDS
def test_a_kernel_that_dies_while_restarting_is_dead(seed: int) -> None:
    """Neither a refusal nor a goodbye excuses a kernel that went silent."""
    world = settled(seed=seed)
    world.part("n3")
    world.run(1.0)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.RESTARTING
    world.power_off("n3")
    world.run(1.0)
    assert world.generations() == {2}


def test_a_goodbye_raises_nothing() -> None:
    """A planned restart within its grace is nobody's death, and the member returns."""
    world = settled()
    world.part("n3")
    world.run(20.0)
    world.start("n3")
    world.run(2.0)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.ALIVE


def test_a_member_that_said_goodbye_has_left_after_a_minute() -> None:
    """Its routes were withdrawn: it does not count, and what becomes of its kernel is all one."""
    world = settled()
    world.part("n3")
    world.run(75.0)
    assert world.state("n3", by="n1") is MemberState.DEAD
    assert world.nodes["n1"].mesh.status(world.now).counted == 2
    world.power_off("n3")
    world.run(2.0)
    assert world.raises == []


@pytest.mark.parametrize("away", [2.0, 75.0, 200.0])
def test_a_killed_process_is_watched_for_as_long_as_it_is_away(away: float) -> None:
    """A refusal is no goodbye: while the kernel lives nothing is raised, and when it dies, once."""
    world = settled()
    world.kill("n3")
    world.run(away)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.RESTARTING
    assert world.nodes["n1"].mesh.status(world.now).counted == 2
    world.power_off("n3")
    died = world.now
    world.run(10.0)
    assert world.generations() == {2}
    assert raised(world, "n3") == {2}
    assert world.raises[0].at - died < 0.4
    assert world.state("n3", by="n1") is MemberState.DEAD
    world.power_on("n3")
    world.run(3.0)
    assert world.generations() == {2}
    assert world.nodes["n1"].mesh.status(world.now).counted == 3


@pytest.mark.parametrize("together", [True, False])
@SEEDS
def test_a_process_long_away_disarms_nobody(seed: int, together: bool) -> None:
    """Whoever was away does not count, not even when its kernel dies with another member."""
    world = settled(seed=seed)
    world.kill("n3")
    world.run(75.0)
    status = world.nodes["n1"].mesh.status(world.now)
    assert (status.armed, status.reachable, status.counted) == (True, 2, 2)
    if together:
        world.power_off("n3")
    world.power_off("n2")
    world.run(1.0)
    assert "n2" in {name for one in world.raises for name in one.members}


def test_an_unlisted_process_that_is_gone_is_forgotten() -> None:
    """A node that lost its place in the list and its process needs no watching for ever."""
    world = settled()
    for name in ("n1", "n2"):
        world.configure(name, members=world.members[:2])
    world.kill("n3")
    world.run(80.0)
    assert world.raises == []
    assert [one.name for one in world.nodes["n1"].mesh.status(world.now).members] == ["n2"]


def test_a_hung_process_is_suspected_though_pings_answer() -> None:
    """A live kernel alone is no proof: the routes of a hung node lose."""
    world = settled()
    world.pause("n3")
    world.run(0.3)
    assert {world.nodes[n].mesh.generation for n in ("n1", "n2")} == {2}


@SEEDS
def test_the_returning_node_learns_before_it_may_advertise(seed: int) -> None:
    """It comes back at the current generation, or not at all, and counts again."""
    world = settled(seed=seed)
    world.power_off("n3")
    world.run(5.0)
    world.nodes["n3"].disk = {"generation": 1}
    world.power_on("n3")
    node = world.nodes["n3"]
    early = []
    for _ in range(2000):
        world.run(0.001)
        if node.mesh.may_advertise(world.now):
            early.append(node.mesh.generation)
    assert early
    assert set(early) == {2}
    assert len(early) > 1800, "it learned within 200 ms"
    assert world.nodes["n1"].mesh.status(world.now).counted == 3


def test_alone_waits_half_a_second_from_the_moment_the_list_is_known() -> None:
    """With nobody in reach a speaker advertises after 500 ms; alone in the list, at once."""
    world = settled()
    for name in ("n1", "n2"):
        world.power_off(name)
    world.power_off("n3")
    world.run(1.0)
    world.power_on("n3")
    mesh = world.nodes["n3"].mesh
    world.run(0.45)
    assert not mesh.may_advertise(world.now)
    world.run(0.1)
    assert mesh.may_advertise(world.now)
    alone = World(nodes=1)
    assert alone.nodes["n1"].mesh.may_advertise(0.0)


def test_the_fourth_death_in_ten_minutes_is_quarantined() -> None:
    """Three raises for one member, then rank 250; the others' deaths are still raised for."""
    seen: list[tuple[str, MeshEvent]] = []
    # At a slow pace: ten minutes take their time in a simulation, too.
    world = World(nodes=4, policy=MeshPolicy(interval_milliseconds=200))
    world.run(5.0)
    world.on_event = lambda node, event, _now: seen.append((node.name, event))
    for _ in range(3):
        world.power_off("n4")
        world.run(2.0)
        world.power_on("n4")
        world.run(5.0)
    assert world.generations() == {4}
    assert world.nodes["n4"].mesh.quarantined
    assert ("n4", "n4") in {(by, e.member) for by, e in seen if isinstance(e, QuarantineStarted)}
    assert world.state("n4", by="n1") is MemberState.QUARANTINED
    world.power_off("n4")
    world.run(5.0)
    assert world.generations() == {4}
    world.power_off("n3")
    world.run(1.0)
    assert world.generations() == {5}
    world.power_on("n4")
    world.run(610.0)
    assert world.state("n4", by="n1") is MemberState.ALIVE
    assert not world.nodes["n4"].mesh.quarantined
    assert ("n4", "n4") in {(by, e.member) for by, e in seen if isinstance(e, QuarantineEnded)}


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
    assert not world.nodes["n1"].mesh.all_listed_heard
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


def test_goodbye_before_power_off_of_the_whole_rack_does_not_disarm() -> None:
    """Members that restart leave the quorum, so a death among the others is still noticed."""
    world = settled(nodes=4)
    for name in ("n3", "n4"):
        world.kill(name)
    world.run(1.0)
    world.power_off("n2")
    world.run(1.0)
    assert world.nodes["n1"].mesh.generation == 2


def _flap(world: World, *names: str) -> None:
    for _ in range(3):
        for name in names:
            world.power_off(name)
            world.run(2.0)
            world.power_on(name)
            world.run(5.0)


def test_most_in_quarantine_are_none_in_quarantine() -> None:
    """Two of three that flap rank like the third, or one node would carry all; they still lose."""
    world = World(nodes=3, policy=MeshPolicy(interval_milliseconds=200))
    world.run(5.0)
    _flap(world, "n2")
    assert [node.mesh.quarantined for node in world.nodes.values()] == [False, True, False]
    _flap(world, "n3")
    assert [node.mesh.quarantined for node in world.nodes.values()] == [False, False, False]
    for by, of in (("n1", "n2"), ("n1", "n3"), ("n2", "n3"), ("n3", "n2")):
        assert world.state(of, by=by) is MemberState.ALIVE
    before = max(world.generations())
    world.power_off("n2")
    world.run(2.0)
    assert world.generations() == {before + 1}
    assert world.nodes["n3"].mesh.quarantined, "one of the two that live"
    world.power_on("n2")
    world.run(5.0)
    assert not world.nodes["n3"].mesh.quarantined


def test_half_of_the_members_may_be_in_quarantine() -> None:
    """Two of four leave two that carry the traffic."""
    world = World(nodes=4, policy=MeshPolicy(interval_milliseconds=200))
    world.run(5.0)
    _flap(world, "n3", "n4")
    assert [node.mesh.quarantined for node in world.nodes.values()] == [False, False, True, True]
    before = max(world.generations())
    world.power_off("n2")
    world.run(2.0)
    assert world.generations() == {before + 1}


def test_a_quarantined_member_that_is_silent_disarms_nobody() -> None:
    """It needs no raise, so it must not stand in the way of one either."""
    world = World(nodes=3, policy=MeshPolicy(interval_milliseconds=200))
    world.run(5.0)
    _flap(world, "n3")
    before = max(world.generations())
    world.power_off("n3")
    world.run(2.0)
    assert world.generations() == {before}
    assert world.nodes["n1"].mesh.status(world.now).counted == 2
    world.power_off("n2")
    world.run(2.0)
    assert world.nodes["n1"].mesh.generation == before + 1
