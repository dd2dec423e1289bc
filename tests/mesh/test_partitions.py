"""Who hears whom decides: one-way links, minorities and halves, each told as a story."""

import pytest

from bgpd.model.status import MemberState
from tests.mesh.world import SEEDS, raised, settled


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


def test_a_mute_node_knows_that_it_would_raise_for_nobody() -> None:
    """It hears the others at their slow pace: what it says of itself does not flip with that."""
    world = settled()
    world.mute.add(world.nodes["n3"].address)
    world.run(3.0)
    mesh = world.nodes["n3"].mesh
    for _ in range(100):
        world.run(0.1)
        status = mesh.status(world.now)
        assert not status.armed, "nobody who hears us could agree"
        assert [one.type for one in status.conditions if one.status] == ["NotHeard"]
    assert world.nodes["n1"].mesh.status(world.now).armed, "two of two are left"
    world.heal()
    world.run(3.0)
    status = mesh.status(world.now)
    assert status.armed
    assert not [one.type for one in status.conditions if one.status]


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
