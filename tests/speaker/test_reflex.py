"""The reflex: what it does about every stimulus, in virtual time, with a real mesh inside."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest

from bgpd.exabgp.command import Command
from bgpd.exabgp.message import Failed, Terminating
from bgpd.ipc.message import Applied, Beat, Delta, Desired, Standing
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import Keys
from bgpd.model.member import Member, NodeName, SpeakerPolicy
from bgpd.model.peer import Lever, Peer
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import GRACEFUL_SHUTDOWN, RANK_DOUBT, RANK_DRAIN, Advertisement
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
            case effect.DropAgent():
                self.told.append(item)
            case effect.KillExabgp():
                self.killed = True
            case effect.Quit():
                self.quit = True
            case effect.Note():
                self.notes.append(item)

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

    def tell(self, name: str, message: Desired | Delta | Standing | Beat) -> None:
        """Let the agent of *name* say *message*."""
        node = self.nodes[name]
        node.reflex.agent_message(message, self.now)
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
                    node.reflex.agent_message(Beat(), self.now)
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


@pytest.fixture(name="world")
def running_world() -> World:
    """Return three nodes that advertise at generation 1."""
    world = World()
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    return world


def test_every_node_advertises_what_its_agent_wants(world: World) -> None:
    """From the agent's word to the wire, and back as a confirmation."""
    for node in world.nodes.values():
        assert node.prefixes() == {"203.0.113.1/32", "203.0.113.2/32"}
        assert any(isinstance(item, Applied) for item in node.told)


def test_a_dead_node_loses_to_the_survivors(world: World) -> None:
    """Silence becomes one raise; both survivors advertise everything one generation better."""
    world.dead.add("n3")
    survivors = (world.nodes["n1"], world.nodes["n2"])
    world.run_until(lambda: all(node.meds() == {med(2)} for node in survivors))
    assert world.nodes["n3"].meds() == {med(1)}
    world.run(3.0)
    assert all(node.meds() == {med(2)} for node in survivors), "one death, one raise"


def test_a_failover_leaves_a_timeline(world: World) -> None:
    """Cause, decision, command, flushed: in this order, on every survivor."""
    world.dead.add("n3")
    world.run(1.0)
    for name in ("n1", "n2"):
        *_, last = world.nodes[name].reflex.timeline.failovers
        assert [step.name for step in last.steps] == ["cause", "decision", "command", "flushed"]
        assert "n3" in last.cause
        times = [step.milliseconds for step in last.steps]
        assert times == sorted(times)


def test_a_node_that_returns_advertises_at_the_current_generation(world: World) -> None:
    """It hears the generation before it advertises, and rejoins as an equal."""
    world.dead.add("n3")
    world.run(1.0)
    world.nodes["n3"] = Node("n3", world.now)
    world.dead.clear()
    world.tell("n3", world.desired("n3"))
    world.run_until(lambda: world.nodes["n3"].prefixes() != set())
    assert world.nodes["n3"].meds() == {med(2)}


def test_a_restarted_reflex_adopts_what_exabgp_announces(world: World) -> None:
    """No route is withdrawn or sent again because this process crashed."""
    exabgp = world.nodes["n1"].exabgp
    exabgp.updates.clear()
    world.nodes["n1"] = Node("n1", world.now, exabgp)
    world.run(0.2)
    assert exabgp.updates == [], "nothing is desired yet, so nothing is done"
    world.tell("n1", world.desired("n1"))
    world.run(1.0)
    assert exabgp.updates == []


def test_a_delta_changes_one_route(world: World) -> None:
    """One endpoint lost is one withdrawal; the other route is not touched."""
    exabgp = world.nodes["n1"].exabgp
    exabgp.updates.clear()
    world.tell("n1", Delta(sequence=2, withdraw=((PEER.name, Prefix("203.0.113.1/32")),)))
    assert world.nodes["n1"].prefixes() == {"203.0.113.2/32"}
    (update,) = exabgp.updates
    assert update.peers[0].advertise == ()


def test_a_gap_between_deltas_makes_the_agent_send_everything(world: World) -> None:
    """A delta that does not follow changes nothing."""
    world.tell("n1", Delta(sequence=7, withdraw=((PEER.name, Prefix("203.0.113.1/32")),)))
    assert len(world.nodes["n1"].prefixes()) == 2
    assert any(isinstance(item, effect.DropAgent) for item in world.nodes["n1"].told)


def test_an_absent_agent_changes_nothing_until_its_grace_is_over(world: World) -> None:
    """What was wanted last stays; after the grace it is worth less than others' routes."""
    world.run(50.0, agents=False)
    assert world.nodes["n1"].meds() == {med(1)}
    world.run(15.0, agents=False)
    assert world.nodes["n1"].meds() == {med(1, RANK_DOUBT)}
    assert len(world.nodes["n1"].prefixes()) == 2


def test_a_returning_agent_ends_the_doubt(world: World) -> None:
    """One word of the agent restores the rank."""
    world.run(65.0, agents=False)
    world.run(1.0)
    assert world.nodes["n1"].meds() == {med(1)}


def test_leaving_demotes_then_withdraws_then_closes(world: World) -> None:
    """SIGTERM: rank 255 and GRACEFUL_SHUTDOWN first, the routes next, the sessions last."""
    node = world.nodes["n1"]
    node.reflex.exabgp(Terminating(), world.now)
    node.settle(world.now)
    assert node.meds() == {med(1, RANK_DRAIN)}
    routes = node.exabgp.routes[PEER.address]
    assert all(GRACEFUL_SHUTDOWN in attributes.communities for attributes in routes.values())
    world.run(0.9)
    assert len(node.prefixes()) == 2, "the routers get their time"
    assert node.exabgp.closed == []
    world.run_until(lambda: node.exabgp.exited)
    assert node.exabgp.closed == [2], "Cease / Administrative Shutdown"
    assert node.quit


def test_leaving_raises_nothing(world: World) -> None:
    """A goodbye is no death, as long as the kernel answers."""
    node = world.nodes["n1"]
    node.reflex.exabgp(Terminating(), world.now)
    world.run_until(lambda: node.exabgp.exited)
    world.dead.add("n1")
    for other in ("n2", "n3"):
        mesh = world.nodes[other].reflex.mesh
        assert mesh is not None
        mesh.refused(node.address, world.now)
        mesh.echo_reply(node.address, world.now)
    world.run(0.1)
    assert world.nodes["n2"].meds() == {med(1)}


def test_the_last_node_leaves_without_waiting() -> None:
    """With nobody to take over, a drain would only keep people waiting."""
    world = World(count=1)
    world.run_until(lambda: world.nodes["n1"].meds() == {med(1)})
    world.nodes["n1"].reflex.exabgp(Terminating(), world.now)
    world.run_until(lambda: world.nodes["n1"].exabgp.exited, within=0.5)


def test_an_exabgp_that_hangs_is_killed(world: World) -> None:
    """Its sessions would keep withdrawals from the routers for up to the hold time."""
    world.nodes["n1"].deaf = True
    world.run_until(lambda: world.nodes["n1"].killed, within=6.0)


def test_a_refused_command_makes_us_ask_what_is_there(world: World) -> None:
    """After a failure the actual routes are unknown, so the next plan starts from ExaBGP's word."""
    node = world.nodes["n1"]
    del node.exabgp.routes[PEER.address][Prefix("203.0.113.1/32")]
    world.run(1.5)
    node.reflex.exabgp(Failed(id=99, error="scripted"), world.now)
    world.run(0.1)
    assert node.prefixes() == {"203.0.113.1/32", "203.0.113.2/32"}


def test_the_prefix_limit_holds_through_a_raise() -> None:
    """The last gate stands whatever the generation."""
    world = World(count=3)
    limited = Peer(
        name=PEER.name,
        address=PEER.address,
        peer_asn=PEER.peer_asn,
        local_asn=PEER.local_asn,
        local_address=PEER.local_address,
        router_id=PEER.router_id,
        max_prefixes=1,
    )
    world.tell("n1", world.desired("n1", peers=(limited,)))
    world.run_until(lambda: world.nodes["n1"].prefixes() == {"203.0.113.1/32"})
    world.dead.add("n3")
    world.run_until(lambda: world.nodes["n1"].meds() == {med(2)})
    assert world.nodes["n1"].prefixes() == {"203.0.113.1/32"}


def test_a_delta_that_ends_the_doubt_restores_every_route(world: World) -> None:
    """The first word of an agent that was away may be a delta; what it leaves out counts, too."""
    world.run(65.0, agents=False)
    assert world.nodes["n1"].meds() == {med(1, RANK_DOUBT)}
    world.tell("n1", Delta(sequence=2, advertise=(advertisement(3),)))
    assert world.nodes["n1"].meds() == {med(1)}
    assert len(world.nodes["n1"].prefixes()) == 3


def test_a_lever_with_three_steps_catches_up_when_everybody_is_heard_again() -> None:
    """A wrap that waited for a member happens when it is back, or the next raise moves nothing."""
    world = World(count=3)
    origin = replace(PEER, lever=Lever.ORIGIN)
    for name in world.nodes:
        world.tell(name, world.desired(name, peers=(origin,)))
    world.run(1.0)

    def origins() -> set[int]:
        routes = world.nodes["n1"].exabgp.routes[PEER.address]
        return {int(attributes.origin) for attributes in routes.values()}

    for generation, expected in ((2, 0), (3, 0)):
        world.dead.add("n3")
        world.run(1.0)
        assert origins() == {expected}, f"generation {generation} is the best of its cycle"
        world.dead.clear()
        world.nodes["n3"] = Node("n3", world.now)
        world.tell("n3", world.desired("n3", peers=(origin,)))
        world.run(2.0)
    assert origins() == {2}, "generation 3 begins the next cycle"
