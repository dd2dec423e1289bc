"""Facts about routine heartbeats: they wake nobody, and nothing that matters waits for them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bgpd.mesh.packet import FLAGS_OFFSET, Flag
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from tests.mesh.network import Node
from tests.mesh.world import World

BEATS = 20
"""Heartbeats a second of a simulated member."""


class Queued(World):
    """A world whose kernels keep routine heartbeats until their process wakes for itself."""

    def __init__(self, *, nodes: int, seed: int = 0, loss: float = 0.0) -> None:
        super().__init__(nodes=nodes, seed=seed, loss=loss)
        self.waiting: dict[NodeName, list[tuple[Address, bytes, float]]] = {}
        self.wakes = 0

    def _arrive(self, source: Address, target: Address, payload: bytes) -> None:
        node = self._by_address[target]
        ready = node.power and node.running and not node.paused
        if ready and payload[FLAGS_OFFSET] & Flag.ROUTINE:
            self.waiting.setdefault(node.name, []).append((source, payload, self.now))
            return
        self._catch_up(node)
        self.wakes += ready
        super()._arrive(source, target, payload)

    def _hear(self, target: Address, what: str, source: Address) -> None:
        self._catch_up(self._by_address[target])
        super()._hear(target, what, source)

    def _pump(self, node: Node) -> None:
        self._catch_up(node)
        super()._pump(node)

    def _catch_up(self, node: Node) -> None:
        for source, payload, at in self.waiting.pop(node.name, []):
            if node.power and node.running:
                node.mesh.receive_datagram(payload, source, at)

    def _tick(self, node: Node, mesh: object, due: float) -> None:
        if node.mesh is mesh and not node.paused:
            self._catch_up(node)
        super()._tick(node, node.mesh if node.mesh is mesh else None, due)  # type: ignore[arg-type]


@contextmanager
def wakes(world: Queued) -> Iterator[list[int]]:
    """Count the wake-ups by datagrams while the body runs."""
    before, counted = world.wakes, [0]
    yield counted
    counted[0] = world.wakes - before


@pytest.mark.parametrize("nodes", [2, 3, 20])
def test_a_mesh_that_is_well_wakes_for_nobody(nodes: int) -> None:
    """When nothing is new, members only wake for their own heartbeats."""
    world = Queued(nodes=nodes)
    world.run(10.0)
    with wakes(world) as counted:
        world.run(5.0)
    assert counted == [0]
    assert {world.state(of="n1", by="n2")} == {MemberState.ALIVE}


def test_a_mesh_with_a_dead_member_is_as_calm() -> None:
    """A death is news for a second, not for as long as the node is gone."""
    world = Queued(nodes=3)
    world.run(10.0)
    world.power_off("n3")
    world.run(10.0)
    with wakes(world) as counted:
        world.run(5.0)
    assert counted == [0]
    assert world.generations() == {2}


@pytest.mark.parametrize("nodes", [2, 3, 20])
@pytest.mark.parametrize("loss", [0.0, 0.05], ids=["clean", "lossy"])
def test_a_death_is_told_at_once(nodes: int, loss: float) -> None:
    """Suspicions and raises wake the others: all survivors follow within milliseconds."""
    world = Queued(nodes=nodes, loss=loss, seed=3)
    world.run(15.0)
    at, mark = world.now, len(world.changes)
    world.power_off("n2")
    world.run(1.0)
    changes = world.changes[mark:]
    heard = {name: when for when, name, change in reversed(changes) if change.new == 2}
    assert len(heard) == nodes - 1
    assert max(heard.values()) - at < 0.4
    assert max(heard.values()) - min(heard.values()) < (0.005 if nodes > 2 and not loss else 0.05)
    assert world.generations() == {2}


def test_loss_alone_raises_nothing() -> None:
    """A heartbeat that waits is not a heartbeat lost."""
    world = Queued(nodes=3, loss=0.03)
    world.run(120.0)
    assert world.raises == []


def test_who_returns_is_heard_at_once() -> None:
    """A member that starts again is alive for everybody before its second heartbeat."""
    world = Queued(nodes=3)
    world.run(10.0)
    world.kill("n3")
    world.run(5.0)
    world.start("n3")
    world.run(1.5 / BEATS)
    assert world.state(of="n3", by="n1") is MemberState.ALIVE
    assert world.state(of="n3", by="n2") is MemberState.ALIVE
    assert world.raises == []


def test_a_goodbye_is_never_routine() -> None:
    """Whoever leaves says so to members that listen."""
    world = Queued(nodes=3)
    world.run(10.0)
    world.nodes["n1"].mesh.say_goodbye(30.0, world.now)
    world._pump(world.nodes["n1"])
    world.run(0.001)
    assert world.state(of="n1", by="n2") is MemberState.RESTARTING
    assert world.state(of="n1", by="n3") is MemberState.RESTARTING


def test_a_reset_is_followed_at_once() -> None:
    """A person's word does not wait for anybody's next heartbeat."""
    world = Queued(nodes=3)
    world.run(10.0)
    world.nodes["n1"].mesh.reset_generation(7, world.now)
    world._pump(world.nodes["n1"])
    world.run(0.01)
    assert world.generations() == {7}


def test_a_one_way_node_is_dead_in_time() -> None:
    """A node that nobody hears is raised for once, and does not follow."""
    world = Queued(nodes=3)
    world.run(10.0)
    world.mute.add(world.nodes["n2"].address)
    world.run(0.4)
    # Both survivors may decide it in the same moment: that is one raise.
    assert {(one.generation, one.members) for one in world.raises} == {(2, ("n2",))}
    assert world.nodes["n1"].mesh.generation == world.nodes["n3"].mesh.generation == 2
    assert world.nodes["n2"].mesh.generation == 1
