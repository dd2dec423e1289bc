"""A cluster in virtual time: clock, network and kernels, and a real `Mesh` on each node.

The kernels are modeled as far as the mesh relies on them: echo replies while the kernel runs,
refusals while it runs and the port is closed (a burst of six, then one a second for each
asker), a socket buffer with receive times while the process is paused. Two invariants hold at
each step: no node's generation is ever lowered, and nobody is given up without a raise.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bgpd.mesh.events import GenerationChanged, Kind, MemberDead, MeshEvent
from bgpd.mesh.machine import Mesh
from bgpd.mesh.packet import member_id
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


class Network:
    """The nodes of a cluster, what lies between them, and their time."""

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
            if event.kind in {Kind.RAISED, Kind.PLANNED}:
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
