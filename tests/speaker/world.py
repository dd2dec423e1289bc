"""Nodes in virtual time: each a reflex with a real mesh, beside an ExaBGP and an agent of ours."""

import random
from collections import deque
from collections.abc import Callable

from bgpd.exabgp.command import Command, Update
from bgpd.exabgp.message import Arrived, Done, Message
from bgpd.ipc.message import Beat, Delta, Desired, Standing, Why
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import Keys
from bgpd.model.member import Member, NodeName, SpeakerPolicy
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement
from bgpd.model.timeline import Failover
from bgpd.policy.lever import BASE, STRIDE
from bgpd.speaker import effect
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.request import DrainRequest
from bgpd.speaker.situation import mesh_settings
from bgpd.speaker.state import KeptMesh
from bgpd.speaker.timeline import Timeline
from tests.fakes.exabgp import FakeExabgp
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import POOL, advertisement

KEY = b"0123456789abcdef"
STEP = 0.005


class Node:
    """One reflex with its ExaBGP; the world moves its datagrams and its clock."""

    def __init__(
        self,
        name: str,
        now: float,
        exabgp: FakeExabgp | None = None,
        *,
        kept: KeptMesh | None = None,
        saved: Desired | None = None,
        drain: DrainRequest | None = None,
    ) -> None:
        self.name = NodeName(name)
        self.exabgp = exabgp or FakeExabgp()
        self.address = Address(f"10.0.{name[1:]}.1")
        self.kept = kept or KeptMesh()
        self.notes: list[effect.Note] = []
        self.told: list[object] = []
        self.saved = 0
        self.killed = False
        self.quit = False
        self.deaf = False
        """ExaBGP does not answer any more."""
        self.disk_full = False
        self.disk_hangs = False
        self.request = drain
        self.unwritten = ""
        """What a disk that hangs was given last."""
        self.unheard = False
        """Routers acknowledge nothing."""
        self.timelines: list[tuple[Failover, ...]] = []
        """What was written of failovers, each time as a whole."""
        self.asked: list[Command] = []
        """What was sent while ExaBGP was deaf."""
        self.reflex = Reflex(
            node=self.name,
            command="reflex",
            make_mesh=self.make_mesh,
            timeline=Timeline(),
            now=now,
            wall_offset=1e9,
        )
        configuration = self.exabgp.configuration
        self.reflex.start(configuration=configuration, saved=saved, now=now, drain=drain)

    def make_mesh(self, desired: DesiredState, now: float) -> Mesh:
        """Return the mesh of *desired*, as the driver makes it."""
        return Mesh(
            mesh_settings(self.name, desired),
            keys=Keys(sending=KEY, accepted=(KEY,)),
            incarnation=random.getrandbits(63) | 1,
            now=now,
            random=random.random,
            members=desired.members,
            generation=self.kept.generation,
            resets=self.kept.resets,
        )

    def settle(self, now: float) -> None:
        """Carry out effects until there are none."""
        self.reflex.after_mesh(now)
        pending = deque(self.reflex.effects())
        while pending:
            self._carry_out(pending.popleft(), now)
            pending.extend(self.reflex.effects())

    def _carry_out(self, item: effect.Effect, now: float) -> None:  # noqa: C901, PLR0912 - a line each
        match item:
            case effect.Send(command):
                if self.deaf:
                    self.asked.append(command)
                for message in [] if self.deaf else self.exabgp.answer(command):
                    self.reflex.exabgp(message, now)
                    if isinstance(command, Update) and command.watched and not self.unheard:
                        self._acknowledge(message, now)
            case effect.WriteConfiguration() if self.disk_full:
                self.reflex.configuration_not_written("no space left on device", now)
            case effect.WriteConfiguration(text) if self.disk_hangs:
                self.unwritten = text
            case effect.WriteConfiguration(text):
                self.exabgp.configuration = text
                self.reflex.configuration_written(text, now)
            case effect.Tell(message):
                self.told.append(message)
            case effect.SaveDesired() | effect.SaveMesh():
                self.saved += 1
            case effect.SaveDrain(request):
                self.request = request
            case effect.SaveBFD() | effect.SaveProbed():
                pass
            case effect.SaveTimeline():
                self.timelines.append(self.reflex.timeline.saved())
            case effect.DropAgent():
                self.told.append(item)
            case effect.KillExabgp():
                self.killed = True
            case effect.Quit():
                self.quit = True
            case effect.Note():
                self.notes.append(item)

    def _acknowledge(self, message: Message, now: float) -> None:
        """Let routers acknowledge at once what *message* says has left for them."""
        if isinstance(message, Done):
            for peer in message.flushed:
                arrived = Arrived(id=message.id, peer=peer, flushed_at=now, at=now)
                self.reflex.exabgp(arrived, now)

    def meds(self) -> set[int | None]:
        """Return the MEDs on the wire."""
        return {
            attributes.med
            for routes in self.exabgp.routes.values()
            for attributes in routes.values()
        }

    def prefixes(self) -> set[Prefix]:
        """Return the prefixes on the wire."""
        return {prefix for routes in self.exabgp.routes.values() for prefix in routes}


class World:
    """Nodes n1..nN and the time between them; datagrams arrive one step later."""

    def __init__(self, count: int = 3) -> None:
        self.now = 1000.0
        self.nodes = {f"n{number}": Node(f"n{number}", self.now) for number in range(1, count + 1)}
        self.dead: set[str] = set()
        for node in self.nodes.values():
            self.tell(node.name, self.desired(node.name))

    @property
    def members(self) -> tuple[Member, ...]:
        """Return the member list that every node has."""
        return tuple(Member(name=node.name, address=node.address) for node in self.nodes.values())

    def desired(
        self, name: str, *wishes: Advertisement, peers: tuple[Peer, ...] = (PEER,)
    ) -> Desired:
        """Return a whole state for *name*, by default with two elastic IPs."""
        return Desired(
            sequence=1,
            node=NodeName(name),
            cluster_uid="c",
            members=self.members,
            peers=peers,
            pools=(POOL,),
            advertisements=wishes or (advertisement(1), advertisement(2)),
            policy=SpeakerPolicy(agent_grace_seconds=60),
        )

    def tell(self, name: str, message: Desired | Delta | Standing | Why | Beat) -> None:
        """Let the agent of *name* say *message*."""
        node = self.nodes[name]
        node.reflex.orders.take(message, self.now)
        node.settle(self.now)

    def run(self, seconds: float, *, agents: bool = True) -> None:
        """Let *seconds* pass."""
        end = self.now + seconds
        beat_due = self.now
        while self.now < end:
            self.now += STEP
            beat = agents and self.now >= beat_due
            beat_due = self.now + 1.0 if beat else beat_due
            for name, node in self.nodes.items():
                if name in self.dead:
                    continue
                if beat:
                    node.reflex.orders.take(Beat(), self.now)
                self._turn(node)

    def run_until(self, fact: Callable[[], bool], within: float = 5.0) -> None:
        """Let time pass until *fact* holds, or fail."""
        end = self.now + within
        while not fact():
            assert self.now < end, "it did not happen"
            self.run(STEP)

    def _turn(self, node: Node) -> None:
        mesh = node.reflex.mesh
        if mesh is not None and (mesh.deadline() or 0) <= self.now:
            mesh.handle_timer(self.now)
        if node.reflex.deadline(self.now) <= self.now:
            node.reflex.handle_timer(self.now)
            node.reflex.report_due(self.now)
        node.settle(self.now)
        if mesh is not None:
            for datagram in mesh.datagrams_to_send():
                self._deliver(node, datagram.address, datagram.payload)
            for address in mesh.probes_to_send():
                if any(one.address == address for one in self._living_kernels()):
                    mesh.echo_reply(address, self.now)

    def _living_kernels(self) -> list[Node]:
        return [node for name, node in self.nodes.items() if name not in self.dead]

    def _deliver(self, sender: Node, address: Address, payload: bytes) -> None:
        """Deliver to a mesh that listens; a living kernel without one refuses."""
        for name, node in self.nodes.items():
            if node.address != address or name in self.dead:
                continue
            if node.reflex.mesh is not None:
                node.reflex.mesh.receive_datagram(payload, sender.address, self.now)
            elif sender.reflex.mesh is not None:
                sender.reflex.mesh.refused(address, self.now)


def med(generation: int, rank: int = 0) -> int:
    """Return the MED of *generation* and *rank*."""
    return BASE - STRIDE * generation + rank
