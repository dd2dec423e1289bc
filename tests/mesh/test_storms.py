"""Random faults in meshes of 2 to 200 members: what must hold whatever happens."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.mesh.events import QuarantineStarted
from bgpd.model.status import MemberState
from tests.mesh.world import World

UP = {MemberState.ALIVE, MemberState.QUARANTINED}


def fault(world: World, dice: random.Random) -> None:
    """Do something bad, or take something bad back."""
    name = dice.choice(sorted(world.nodes))
    address = world.nodes[name].address
    match dice.randrange(11):
        case 0 | 1:
            world.power_off(name)
        case 2 | 3:
            world.power_on(name)
        case 4:
            world.kill(name)
        case 5:
            world.start(name)
        case 6:
            world.pause(name)
        case 7:
            world.wake(name)
        case 8:
            dice.choice((world.mute, world.deaf)).add(address)
        case 9:
            size = dice.randrange(1, len(world.nodes))
            world.partition(dice.sample(sorted(world.nodes), size))
        case _:
            world.heal()


def mend(world: World) -> None:
    """Take every fault back."""
    world.heal()
    world.loss = 0.0
    for name in world.nodes:
        world.power_on(name)
        world.wake(name)
        world.start(name)


def expect_harmony(world: World) -> None:
    """All are up, at one generation, and everybody knows it of those that it beats to."""
    assert len(world.up()) == len(world.nodes)
    assert len(world.generations()) == 1, world.generations()
    for node in world.up():
        assert node.mesh.may_advertise(world.now)
        status = node.mesh.status(world.now)
        if len(world.nodes) <= 16:
            assert status.reachable == status.counted
            assert {one.state for one in status.members} <= UP, status.members
        else:
            # One or two watchers of a list that was ours a moment ago may have turned away.
            assert status.reachable > 5
            assert status.counted - status.reachable <= 2


def storm(*, nodes: int, seed: int, faults: int, loss: float = 0.0) -> World:
    """Run a mesh through *faults* random ones and mend it; generations are checked throughout."""
    world = World(nodes=nodes, seed=seed, loss=loss)
    dice = random.Random(seed)
    world.run(2.0)
    for _ in range(faults):
        fault(world, dice)
        world.run(dice.choice((0.01, 0.1, 0.3, 0.8)))
    mend(world)
    world.run(4.0)
    return world


STORMS = [
    (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1), (5, 1), (5, 2),
    (6, 1), (7, 1), (8, 1), (10, 1), (13, 1), (16, 1), (17, 1), (20, 1),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "seed"), STORMS)
def test_after_any_storm_all_are_level(nodes: int, seed: int) -> None:
    """No generation is ever lowered, and once the network heals all live nodes agree."""
    world = storm(nodes=nodes, seed=seed, faults=10)
    expect_harmony(world)
    regular = min(nodes - 1, 15) * 20
    assert world.datagrams / world.now / nodes < 1.5 * regular + 20, "a storm of answers"


@pytest.mark.parametrize(("nodes", "loss"), [(3, 0.05), (5, 0.1), (9, 0.05)])
def test_after_a_storm_on_a_lossy_network_all_are_level(nodes: int, loss: float) -> None:
    """Loss of heartbeats, challenges and raises delays agreement, it does not prevent it."""
    expect_harmony(storm(nodes=nodes, seed=nodes, faults=10, loss=loss))


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("nodes", "faults"), [(50, 8), (200, 4)])
def test_a_large_mesh_weathers_a_storm(nodes: int, faults: int) -> None:
    """Random faults among up to two hundred members end level, too."""
    expect_harmony(storm(nodes=nodes, seed=1, faults=faults))


def test_two_hundred_members() -> None:
    """A death among two hundred reaches all of them, and the member returns as an equal."""
    world = World(nodes=200, seed=4)
    world.run(0.8)
    world.power_off("n7")
    world.run(0.3)
    assert world.generations() == {2}
    world.power_on("n7")
    world.run(0.8)
    assert world.generations() == {2}
    assert world.nodes["n7"].mesh.may_advertise(world.now)
    assert max(node.sent for node in world.nodes.values()) < world.now * 400 + 2 * 199


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(3, 6),
    deaths=st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 0.6)), min_size=1, max_size=6),
)
def test_no_more_raises_than_deaths(seed: int, nodes: int, deaths: list[tuple[int, float]]) -> None:
    """One death is at most one raise; the dead do not count, a minority raises nothing."""
    world = World(nodes=nodes, seed=seed)
    world.run(2.0)
    dead: list[str] = []
    for index, pause in deaths:
        name = f"n{1 + index % nodes}"
        if name not in dead and 2 * (len(dead) + 1) < nodes:
            world.power_off(name)
            dead.append(name)
        elif dead:
            world.power_on(dead.pop(0))
        world.run(pause)
    world.run(3.0)
    assert len(world.generations()) == 1
    assert max(world.generations()) - 1 <= world.deaths
    for node in world.up():
        status = node.mesh.status(world.now)
        assert status.counted == status.reachable == nodes - len(dead)
        for one in status.members:
            if one.name in dead:
                assert one.state not in {MemberState.ALIVE, MemberState.SUSPECT}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(3, 7),
    cuts=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=3),
)
def test_a_minority_never_raises(seed: int, nodes: int, cuts: list[float]) -> None:
    """Whatever the moment of the cut, and however often: less than half decides nothing."""
    world = World(nodes=nodes, seed=seed)
    world.run(2.0)
    minority = {f"n{i}" for i in range(1, (nodes + 1) // 2)}
    for cut in cuts:
        world.partition(minority)
        mark = len(world.raises)
        world.run(cut)
        assert not [one for one in world.raises[mark:] if one.by in minority]
        world.heal()
        world.run(1.0)
    assert len(world.generations()) == 1


@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_random_loss_alone_raises_nothing(nodes: int) -> None:
    """Minutes at 5 % on every link, two links to a path: nobody is declared dead."""
    world = World(nodes=nodes, seed=nodes, loss=0.05)
    world.run(300.0 / nodes)
    assert world.generations() == {1}


def starve(world: World, *, stop: float, every: float) -> None:
    """Let each process stop now and then, on average *every* so many seconds for *stop*."""

    def stall(name: str) -> None:
        world.pause(name)
        world.at(world.now + dice.expovariate(1 / stop), lambda: go_on(name))

    def go_on(name: str) -> None:
        world.wake(name)
        world.at(world.now + dice.expovariate(1 / every), lambda: stall(name))

    dice = random.Random(1)
    for name in world.nodes:
        world.at(world.now + dice.expovariate(1 / every), lambda name=name: stall(name))  # type: ignore[misc]


def test_starved_machines_leave_most_members_their_rank() -> None:
    """Where all flap for want of CPU none ranks behind: one node would carry everything."""
    world = World(nodes=3)
    world.run(2.0)
    accused: set[str] = set()
    world.on_event = lambda _node, event, _now: (
        accused.add(event.member) if isinstance(event, QuarantineStarted) else None
    )
    starve(world, stop=0.1, every=1.0)
    world.run(60.0)
    assert accused == set(world.nodes)
    world._queue.clear()
    for node in world.nodes.values():
        world.wake(node.name)
        node.timer = -1.0
        world._arm(node)
    world.run(2.0)
    assert not [node.name for node in world.nodes.values() if node.mesh.quarantined]
    assert len(world.generations()) == 1
