"""A process that ends or begins is no death while its kernel lives, each told as a story."""

import pytest

from bgpd.mesh.events import Kind, MemberRestarting, MeshEvent
from bgpd.model.status import MemberState
from tests.mesh.world import SEEDS, World, raised, settled


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


@pytest.mark.parametrize(
    ("keeps", "said", "kind"),
    [
        pytest.param(0, True, Kind.PLANNED, id="a reboot: it took its routes with it"),
        pytest.param(60, True, Kind.RAISED, id="a death in a restart through which routes stay"),
        pytest.param(0, False, Kind.RAISED, id="a death after a crash"),
    ],
)
def test_only_a_death_that_nobody_announced_is_told_as_one(
    keeps: int, said: bool, kind: Kind
) -> None:
    """The raise is the same; whoever rebooted a node in good order is not told of a failure."""
    world = settled()
    world.keep("n3", keeps)
    if said:
        world.part("n3", grace=60, kept=bool(keeps))
    else:
        world.kill("n3")
    world.run(3.0)
    world.power_off("n3")
    world.run(1.0)
    ours = [change for _, _, change in world.changes if change.kind is not Kind.ADOPTED]
    assert world.generations() == {2}
    assert {change.kind for change in ours} == {kind}
    assert all(one.cause.endswith("after its goodbye") is (kind is Kind.PLANNED) for one in ours)


def test_one_real_death_among_departures_is_told_as_a_death() -> None:
    """Who dies at one instant with a member that had left was not announced."""
    world = settled(nodes=5)
    world.part("n5")
    world.run(3.0)
    world.power_off("n5")
    world.power_off("n4")
    world.run(1.0)
    kinds = {change.kind for _, _, change in world.changes if "n4" in change.members}
    assert Kind.RAISED in kinds
    assert Kind.PLANNED not in kinds


def test_a_goodbye_raises_nothing() -> None:
    """A planned restart within its grace is nobody's death, and the member returns."""
    world = settled()
    world.part("n3")
    world.run(20.0)
    world.start("n3")
    world.run(2.0)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.ALIVE


@SEEDS
@pytest.mark.parametrize("said", [True, False], ids=["a goodbye", "a crash"])
def test_routes_that_routers_keep_are_raised_for_when_nobody_returns_to_them(
    seed: int, said: bool
) -> None:
    """Within the grace nothing happens; after it, one raise, and the return is a return."""
    world = settled(seed=seed)
    world.keep("n3", 20)
    if said:
        world.part("n3", grace=20, kept=True)
    else:
        world.kill("n3")
    world.run(19.0)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.RESTARTING
    world.run(2.0)
    assert world.generations() == {2}
    assert raised(world, "n3") == {2}
    world.run(120.0)
    assert world.generations() == {2}, "one absence, one raise"
    world.start("n3")
    world.run(3.0)
    assert world.generations() == {2}
    assert world.state("n3", by="n1") is MemberState.ALIVE


@SEEDS
@pytest.mark.parametrize("said", [True, False], ids=["a goodbye", "a crash"])
def test_a_kernel_that_dies_while_routers_keep_its_routes_is_raised_for_at_once(
    seed: int, said: bool
) -> None:
    """The grace is for a node that forwards; a dead one has none."""
    world = settled(seed=seed)
    world.keep("n3", 60)
    if said:
        world.part("n3", grace=60, kept=True)
    else:
        world.kill("n3")
    world.run(3.0)
    assert world.raises == []
    world.power_off("n3")
    died = world.now
    world.run(1.0)
    assert world.generations() == {2}
    assert world.raises[0].at - died < 0.4


@SEEDS
def test_a_restart_within_the_grace_raises_nothing(seed: int) -> None:
    """Node after node, as in an upgrade."""
    world = settled(seed=seed)
    for name in ("n1", "n2", "n3"):
        world.keep(name, 60)
        world.part(name, grace=60, kept=True)
        world.run(5.0)
        world.start(name)
        world.run(2.0)
    assert world.raises == []
    assert world.nodes["n1"].mesh.status(world.now).counted == 3


def test_what_was_withdrawn_before_a_goodbye_is_nobody_s_concern() -> None:
    """A member that kept routes until it was drained leaves like any other."""
    world = settled()
    world.keep("n3", 20)
    world.part("n3", grace=30, kept=False)
    world.run(75.0)
    assert world.raises == []
    assert world.state("n3", by="n1") is MemberState.DEAD


def test_an_unlisted_member_whose_routes_are_kept_is_raised_for_all_the_same() -> None:
    """A node that was removed while it restarted must not attract traffic for its restart time."""
    world = settled()
    world.keep("n3", 10)
    for name in ("n1", "n2"):
        world.configure(name, members=world.members[:2])
    world.part("n3", grace=10, kept=True)
    world.run(15.0)
    assert raised(world, "n3") == {2}


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


def test_goodbye_before_power_off_of_the_whole_rack_does_not_disarm() -> None:
    """Members that restart leave the quorum, so a death among the others is still noticed."""
    world = settled(nodes=4)
    for name in ("n3", "n4"):
        world.kill(name)
    world.run(1.0)
    world.power_off("n2")
    world.run(1.0)
    assert world.nodes["n1"].mesh.generation == 2


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
