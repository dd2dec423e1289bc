"""Whole meshes in virtual time: what no machine here can hold, with invariants at each step.

`World` owns the clock, the network and the kernels; each `Node` runs the real `Mesh`. Faults
are methods: cut the power, pause, kill and restart the process, partition, make one-way, lose.
The kernels are modeled as far as the mesh relies on them: echo replies while the kernel runs,
refusals while it runs and the port is closed (a burst of six, then one a second for each
asker), a socket buffer with receive times while the process is paused.

`python -m tests.mesh.simulation --nodes N --loss P --hours H --seed S` prints figures, with
`--scale` for meshes of 16, 100 ... up to N members beside each other.
"""

import argparse
import heapq
import json
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bgpd.mesh import ear
from bgpd.mesh.events import GenerationChanged, Kind, MemberDead, MeshEvent
from bgpd.mesh.machine import Mesh
from bgpd.mesh.packet import decode, member_id
from bgpd.mesh.settings import Keys, MeshSettings
from bgpd.model.member import Member, MeshPolicy, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState

KEY = b"a key that only the tests know.."
KEYS = Keys(sending=KEY, accepted=(KEY,))
BUFFER = 400
"""Datagrams that a paused process's socket holds."""


@dataclass(frozen=True, slots=True)
class Raise:
    """One decision to raise, by one node."""

    at: float
    by: str
    generation: int
    members: tuple[str, ...]
    cause_at: float


@dataclass(slots=True)
class Node:
    """One machine: a kernel, and a process with a mesh in it."""

    name: NodeName
    address: Address
    mesh: Mesh
    disk: dict[str, int]
    power: bool = True
    running: bool = True
    paused: bool = False
    timer: float = 0.0
    sent: int = 0
    backlog: deque[tuple[str, Address, bytes, float]] = field(default_factory=deque)
    refusals: dict[Address, tuple[float, float]] = field(default_factory=dict)
    generation: tuple[int, int] = (0, 0)
    died_at: float | None = None
    died_with: int = 0
    starts: int = 0


class World:
    """A cluster, its network, and its time."""

    def __init__(
        self,
        *,
        nodes: int,
        seed: int = 0,
        loss: float = 0.0,
        delay: float = 0.0002,
        jitter: float = 0.0003,
        policy: MeshPolicy | None = None,
        stagger: float = 0.05,
        on_event: Callable[[Node, MeshEvent, float], None] | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.loss = loss
        self.delay = delay
        self.jitter = jitter
        self.policy = policy or MeshPolicy(interval_milliseconds=50)
        self.on_event = on_event
        self.raises: list[Raise] = []
        self.changes: list[tuple[float, str, GenerationChanged]] = []
        self.deaths = 0
        self.datagrams = 0
        self.bytes = 0
        """Of datagrams, without the headers of UDP and IP."""
        self.parted: set[str] = set()
        """Who ever said goodbye, or was taken off a list."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.members = [
            Member(
                name=NodeName(f"n{i}"), address=Address(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
            )
            for i in range(1, nodes + 1)
        ]
        self.pings = True
        """Whether echo requests are allowed out and answered."""
        self.tap: Callable[[Address, Address, bytes], None] | None = None
        """Hears every datagram that is sent: source, target, payload."""
        self.mute: set[Address] = set()
        self.deaf: set[Address] = set()
        self.cut: set[tuple[Address, Address]] = set()
        self.nodes: dict[str, Node] = {}
        self._by_address: dict[Address, Node] = {}
        for member in self.members:
            node = Node(member.name, member.address, self._mesh(member, {}, 0.0), {})
            self.nodes[member.name] = node
            self._by_address[member.address] = node
            node.timer = -1.0
            self.at(self.random.random() * stagger, lambda node=node: self._arm(node))  # type: ignore[misc]

    def configure(self, name: str, **changes: Any) -> None:
        """Give one node another list, other keys or other settings."""
        node = self.nodes[name]
        if changes.get("members") is not None:
            self.parted |= {one.name for one in self.members} - {m.name for m in changes["members"]}
        node.mesh.configure(now=self.now, **changes)
        self._pump(node)

    def _mesh(self, member: Member, disk: dict[str, int], now: float) -> Mesh:
        return Mesh(
            MeshSettings(node=member.name, cluster_uid="simulated", policy=self.policy),
            keys=KEYS,
            incarnation=self.random.getrandbits(63) + 1,
            generation=disk.get("generation", 1),
            resets=disk.get("resets", 0),
            now=now,
            random=self.random.random,
            members=self.members,
        )

    # Time.

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do *act* at *when*."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, act))

    def run(self, seconds: float) -> None:
        """Let *seconds* pass."""
        end = self.now + seconds
        queue = self._queue
        while queue and queue[0][0] <= end:
            self.now, _, act = heapq.heappop(queue)
            act()
        self.now = end

    # The driver of each node.

    def _arm(self, node: Node) -> None:
        due = node.mesh.deadline()
        if not node.power or not node.running or node.paused:
            return
        if node.timer <= self.now or due < node.timer:
            node.timer = due
            late = self.random.expovariate(1 / self.jitter) if self.jitter else 0.0
            self.at(max(due, self.now) + late, lambda: self._tick(node, node.mesh, due))

    def _tick(self, node: Node, mesh: Mesh, due: float) -> None:
        if node.mesh is not mesh or node.timer != due:
            return
        if not node.power or not node.running or node.paused:
            return
        node.timer = -1.0
        mesh.handle_timer(self.now)
        self._pump(node)

    def _pump(self, node: Node) -> None:
        mesh = node.mesh
        for event in mesh.events():
            self._note(node, event)
        self._check(node)
        for datagram in mesh.datagrams_to_send():
            node.sent += 1
            self._send(node, datagram.address, datagram.payload)
        for address in mesh.probes_to_send():
            self._ping(node, address)
        self._arm(node)

    def _note(self, node: Node, event: MeshEvent) -> None:
        if isinstance(event, GenerationChanged):
            self.changes.append((self.now, node.name, event))
            if event.kind is Kind.RAISED:
                self.raises.append(
                    Raise(self.now, node.name, event.new, event.members, event.cause_at)
                )
        if isinstance(event, MemberDead) and event.member not in self.parted:
            self._check_covered(node, event.member)
        if self.on_event:
            self.on_event(node, event, self.now)

    def _check_covered(self, node: Node, member: str) -> None:
        """Nobody is given up without a raise, unless by its own word or the list's."""
        state = next(one for one in node.mesh.status(self.now).members if one.name == member).state
        covered = member_id(member) in node.mesh._docket
        assert covered or state is not MemberState.DEAD, (node.name, member, self.now)

    def _check(self, node: Node) -> None:
        """Nothing is ever lowered, on any node, across restarts."""
        present = (node.mesh.resets, node.mesh.generation)
        assert present >= node.generation, (node.name, present, node.generation)
        node.generation = present
        node.disk = node.mesh.persistent()

    # The network and the kernels.

    def _passes(self, source: Address, target: Address) -> bool:
        if source in self.mute or target in self.deaf or (source, target) in self.cut:
            return False
        loss = self.loss
        return not loss or (self.random.random() >= loss and self.random.random() >= loss)

    def _later(self) -> float:
        return self.now + self.delay * (0.5 + self.random.random())

    def _send(self, node: Node, target: Address, payload: bytes) -> None:
        self.datagrams += 1
        self.bytes += len(payload)
        if self.tap:
            self.tap(node.address, target, payload)
        if self._passes(node.address, target):
            self.at(self._later(), lambda: self._arrive(node.address, target, payload))

    def _arrive(self, source: Address, target: Address, payload: bytes) -> None:
        node = self._by_address[target]
        if not node.power:
            return
        if not node.running:
            self._refuse(node, source)
        elif node.paused:
            if len(node.backlog) < BUFFER:
                node.backlog.append(("datagram", source, payload, self.now))
        else:
            node.mesh.receive_datagram(payload, source, self.now)
            self._pump(node)

    def _refuse(self, node: Node, asker: Address) -> None:
        # Linux, icmp_ratelimit 1000 ms: a bucket of six for each destination.
        tokens, last = node.refusals.get(asker, (6.0, self.now))
        tokens = min(6.0, tokens + self.now - last)
        node.refusals[asker] = (max(tokens - 1, 0.0) if tokens >= 1 else tokens, self.now)
        if tokens >= 1 and self._passes(node.address, asker):
            self.at(self._later(), lambda: self._hear(asker, "refused", node.address))

    def _ping(self, node: Node, target: Address) -> None:
        there = self._by_address[target]
        if self.pings and self._passes(node.address, target) and self._passes(target, node.address):
            self.at(
                self._later() + self.delay,
                lambda: self._hear(node.address, "pong", target) if there.power else None,
            )

    def _hear(self, target: Address, what: str, source: Address) -> None:
        node = self._by_address[target]
        if not node.power or not node.running:
            return
        if node.paused:
            node.backlog.append((what, source, b"", self.now))
            return
        self._deliver(node, what, source, b"", self.now)
        self._pump(node)

    @staticmethod
    def _deliver(node: Node, what: str, source: Address, payload: bytes, at: float) -> None:
        if what == "datagram":
            node.mesh.receive_datagram(payload, source, at)
        elif what == "refused":
            node.mesh.refused(source, at)
        else:
            node.mesh.echo_reply(source, at)

    # Faults.

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

    def part(self, name: str) -> None:
        """End the process in order: it says goodbye."""
        self.parted.add(name)
        self.nodes[name].mesh.say_goodbye(30, self.now)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run measured, milliseconds from the cut to the last survivor's new generation."""

    deaths: int
    missed: int
    p50: float
    p99: float
    worst: float
    spread: float
    """Worst time between the first and the last survivor."""


def measure_detection(
    *, nodes: int, loss: float, deaths: int, seed: int, policy: MeshPolicy | None = None
) -> Figures:
    """Return how long deaths take to be noticed by every survivor."""
    world = World(nodes=nodes, seed=seed, loss=loss, policy=policy)
    world.run(20.0)
    times, spreads, missed = [], [], 0
    for turn in range(deaths):
        # In turn, and slowly: no member dies three times in ten minutes, which is another story.
        victim = f"n{1 + turn % nodes}"
        world.run(2.0 + world.random.random())
        before, at = max(world.generations()), world.now
        mark = len(world.changes)
        world.power_off(victim)
        world.run(3.0)
        firsts: dict[str, float] = {}
        for when, name, change in world.changes[mark:]:
            if change.new > before and name != victim:
                firsts.setdefault(name, when)
        if len(firsts) < nodes - 1:
            missed += 1
        else:
            times.append((max(firsts.values()) - at) * 1000)
            spreads.append((max(firsts.values()) - min(firsts.values())) * 1000)
        world.power_on(victim)
        world.run(max(20.0, 650.0 / nodes))
    times = times or [float("nan")]
    return Figures(
        deaths=deaths,
        missed=missed,
        p50=statistics.median(times),
        p99=sorted(times)[min(len(times) - 1, int(len(times) * 0.99))],
        worst=max(times),
        spread=max(spreads, default=float("nan")),
    )


def measure_false_raises(
    *, nodes: int, loss: float, hours: float, seed: int, policy: MeshPolicy | None = None
) -> dict[str, float]:
    """Return how often random loss alone raises the generation, and what the mesh sends."""
    world = World(nodes=nodes, seed=seed, loss=loss, policy=policy)
    world.run(10.0)
    world.datagrams = 0
    start = max(world.generations())
    suspicions = [0]
    world.on_event = lambda _node, event, _now: suspicions.__setitem__(
        0, suspicions[0] + (type(event).__name__ == "MemberSuspected")
    )
    world.run(hours * 3600)
    seconds = hours * 3600
    return {
        "raises": max(world.generations()) - start,
        "raises_per_hour": (max(world.generations()) - start) / hours,
        "suspicions_per_hour": suspicions[0] / hours,
        "datagrams_per_second_and_node": world.datagrams / seconds / nodes,
    }


def measure_scale(*, nodes: int, seed: int, policy: MeshPolicy) -> dict[str, float]:
    """Return what one death and one second of quiet look like in a mesh of *nodes*."""
    world = World(nodes=nodes, seed=seed, policy=policy)
    world.run(2.5)
    datagrams, size = world.datagrams, world.bytes
    world.run(1.0)
    datagrams, size = world.datagrams - datagrams, world.bytes - size
    died, mark = world.now, len(world.changes)
    world.power_off("n7")
    world.run(0.4)
    told = {name: at for at, name, change in reversed(world.changes[mark:]) if change.new == 2}
    return {
        "nodes": nodes,
        "detection_milliseconds": round((max(told.values()) - died) * 1000, 1),
        "survivors_told": len(told),
        "datagrams_per_second_and_node": round(datagrams / nodes, 1),
        "bytes_per_second_and_node": round(size / nodes),
    }


def main() -> None:
    """Print the figures of one mesh."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--loss", type=float, default=0.0, help="on each link, two to a path")
    parser.add_argument("--hours", type=float, default=0.0, help="of false-raise watching")
    parser.add_argument("--deaths", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--interval", type=int, default=MeshPolicy().interval_milliseconds, help="milliseconds"
    )
    parser.add_argument("--scale", action="store_true", help="one death at 16, 100, 300 ... N")
    args = parser.parse_args()
    policy = MeshPolicy(interval_milliseconds=args.interval)
    # One heartbeat of sixteen members has fifteen hearers: read it once.
    setattr(ear, "decode", lru_cache(maxsize=1024)(decode))  # noqa: B010
    begun = time.monotonic()
    if args.scale:
        for nodes in (16, 17, 100, 300, 1000):
            if nodes <= args.nodes:
                print(json.dumps(measure_scale(nodes=nodes, seed=args.seed, policy=policy)))
        return
    out: dict[str, Any] = {"nodes": args.nodes, "loss_per_link": args.loss, "seed": args.seed}
    out["interval_milliseconds"] = args.interval
    if args.hours:
        out |= measure_false_raises(
            nodes=args.nodes, loss=args.loss, hours=args.hours, seed=args.seed, policy=policy
        )
    if args.deaths:
        figures = measure_detection(
            nodes=args.nodes,
            loss=args.loss,
            deaths=args.deaths,
            seed=args.seed,
            policy=policy,
        )
        out |= {name: round(getattr(figures, name), 1) for name in Figures.__slots__}
    out["took_seconds"] = round(time.monotonic() - begun, 1)
    json.dump(out, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
