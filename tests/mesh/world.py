"""Whole meshes in virtual time, and what may happen to them: what no machine here can hold.

Faults are methods: cut the power, pause, kill and restart the process, partition, make one-way,
lose. Each test tells what happens as a story of them.
"""

from collections.abc import Iterable

import pytest

from bgpd.model.status import MemberState
from tests.mesh.network import Network, Node

SEEDS = pytest.mark.parametrize("seed", range(3))


class World(Network):
    """A cluster to which things happen."""

    def power_off(self, name: str) -> None:
        """Cut the power: nothing leaves, nothing answers."""
        node = self.nodes[name]
        if node.power:
            self.deaths += 1
            node.power = False
            node.died_at, node.died_with = self.now, node.mesh.generation
            node.backlog.clear()

    def power_on(self, name: str) -> None:
        """Boot: another incarnation, with what the disk holds."""
        node = self.nodes[name]
        if not node.power:
            node.power, node.paused, node.running = True, False, False
            node.died_at = None
            self.start(name)

    def keep(self, name: str, seconds: int) -> None:
        """Let the routers of *name* keep its routes when its process ends."""
        self.nodes[name].mesh.set_local(
            agent_alive=True,
            draining=False,
            kept_seconds=seconds,
            peer_router_ids=(),
            now=self.now,
        )
        self.run(0.1)

    def drain(self, name: str, *, draining: bool) -> None:
        """Let *name* say that it is drained, or that it is no longer."""
        self.nodes[name].mesh.set_local(
            agent_alive=True, draining=draining, peer_router_ids=(), now=self.now
        )
        self._pump(self.nodes[name])

    def part(self, name: str, *, grace: float = 30, kept: bool = False) -> None:
        """End the process in order: it says goodbye."""
        self.parted.add(name)
        self.nodes[name].mesh.say_goodbye(grace, self.now, kept=kept)
        self._pump(self.nodes[name])
        self.run(0.1)
        self.kill(name)

    def kill(self, name: str) -> None:
        """Kill the process: the kernel goes on, and refuses."""
        self.nodes[name].running = False

    def start(self, name: str) -> None:
        """Start the process again."""
        node = self.nodes[name]
        if node.power and not node.running:
            member = next(one for one in self.members if one.name == name)
            node.running, node.paused = True, False
            node.starts += 1
            node.mesh = self._mesh(member, node.disk, self.now)
            node.timer = -1.0
            self._arm(node)

    def pause(self, name: str) -> None:
        """Stop everything on the node but the kernel."""
        self.nodes[name].paused = True

    def wake(self, name: str) -> None:
        """Let it go on: the buffer is drained first, then time is noticed."""
        node = self.nodes[name]
        if not node.paused:
            return
        node.paused = False
        if not node.power or not node.running:
            return
        while node.backlog:
            self._deliver(node, *node.backlog.popleft())
        node.mesh.handle_timer(self.now)
        node.timer = -1.0
        self._pump(node)

    def partition(self, names: Iterable[str]) -> None:
        """Let *names* and the others not hear each other."""
        side = {self.nodes[name].address for name in names}
        rest = set(self._by_address) - side
        self.cut = {pair for a in side for b in rest for pair in ((a, b), (b, a))}

    def heal(self) -> None:
        """Undo everything that was done to the network."""
        self.cut, self.mute, self.deaf = set(), set(), set()

    # What is asked of it.

    def up(self) -> list[Node]:
        """Return the nodes whose process runs."""
        return [n for n in self.nodes.values() if n.power and n.running and not n.paused]

    def generations(self) -> set[int]:
        """Return every generation that a running node is at."""
        return {node.mesh.generation for node in self.up()}

    def state(self, of: str, by: str) -> MemberState:
        """Return what *by* believes of *of*."""
        status = self.nodes[by].mesh.status(self.now)
        return next(one.state for one in status.members if one.name == of)


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
