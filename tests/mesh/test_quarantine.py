"""A member that dies again and again loses its rank; the others keep theirs."""

from bgpd.mesh.events import MeshEvent, QuarantineEnded, QuarantineStarted
from bgpd.model.member import MeshPolicy
from bgpd.model.status import MemberState
from tests.mesh.world import World


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
    assert world.nodes["n4"].mesh.status(world.now).quarantined
    assert not world.nodes["n1"].mesh.status(world.now).quarantined
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
