"""The reflex with BFD inside: a router that dies, and a raise that waits for a router's own BFD."""

from dataclasses import replace

import pytest

from bgpd.bfd.packet import ControlPacket, State, decode
from bgpd.bfd.session import Session
from bgpd.model.peer import BFD, BFDState, Peer, Takeover
from bgpd.speaker import status
from tests.bfd.pair import settings
from tests.policy.test_lever import PEER
from tests.speaker.world import Node, World, med

WATCHED = replace(PEER, bfd=BFD(receive_milliseconds=50, transmit_milliseconds=50))


class RouterWorld(World):
    """Three nodes, and the router's BFD session with each of them."""

    def __init__(self, peer: Peer = WATCHED, multiplier: int = 3) -> None:
        self.peer = peer
        self.silent: set[str] = set()
        """Nodes that neither hear the router nor are heard by it, by BFD."""
        self.router: dict[str, Session] = {}
        self._multiplier = multiplier
        super().__init__()
        for name in self.nodes:
            self.tell(name, self.desired(name, peers=(peer,)))
            self.router[name] = self._session()
        self.run_until(lambda: all(one.state is State.UP for one in self.router.values()))
        self.run_until(lambda: all(node.meds() == {med(1)} for node in self.nodes.values()))
        self.run(1.0)

    def _session(self) -> Session:
        return Session(
            settings(mult=self._multiplier), my_discr=9, random=lambda: 0.5, now=self.now
        )

    def _turn(self, node: Node) -> None:
        super()._turn(node)
        router = self.router.get(node.name)
        if router is None:
            return
        endpoint = node.reflex.bfd.endpoint
        endpoint.handle_timer(self.now)
        due = router.deadline()
        if due is not None and due <= self.now:
            router.handle_timer(self.now)
        mute = node.name in self.silent
        for data in router.packets():
            if not mute:
                endpoint.receive(
                    data, source=self.peer.address, ttl=255, multihop=False, at=self.now
                )
        for _, data in node.reflex.bfd.outgoing():
            packet = decode(data)
            assert isinstance(packet, ControlPacket)
            if not mute:
                router.receive(packet, data, self.now)
        node.reflex.after_bfd(self.now)
        node.settle(self.now)

    def bfd(self, name: str) -> BFDState:
        """Return the state of BFD as the status of *name* shows it."""
        found = status.observe(
            self.nodes[name].reflex,
            now=self.now,
            version="",
            started=0.0,
            exabgp_pid=None,
            counters={},
        )
        (session,) = found.sessions
        assert session.bfd is not None
        return session.bfd.state


@pytest.fixture(name="world")
def _world() -> RouterWorld:
    return RouterWorld()


def test_a_router_that_falls_silent_is_held_back_at_exabgp_until_it_is_back(
    world: RouterWorld,
) -> None:
    """One command when it is gone and one when it is back; its routes stay with ExaBGP."""
    node = world.nodes["n1"]
    assert world.bfd("n1") is BFDState.UP
    assert node.exabgp.held == ()
    world.silent.add("n1")
    world.run_until(lambda: node.exabgp.held == (PEER.address,))
    assert world.bfd("n1") is BFDState.DOWN
    assert node.prefixes() == {"203.0.113.1/32", "203.0.113.2/32"}
    assert {note.event for note in node.notes} >= {"bfd_down", "session_held"}
    assert {dict(note.keys)["peer"] for note in node.notes if "peer" in dict(note.keys)} == {"tor"}
    assert [one.kind for one in node.reflex.timeline.failovers] == ["return", "bfd"]
    world.silent.clear()
    world.run_until(lambda: node.exabgp.held == ())
    assert world.bfd("n1") is BFDState.UP


def test_a_reflex_that_starts_again_keeps_holding(world: RouterWorld) -> None:
    """It learns from ExaBGP whom it held back, and lets go when BFD is up."""
    world.silent.add("n1")
    exabgp = world.nodes["n1"].exabgp
    world.run_until(lambda: exabgp.held == (PEER.address,))
    again = world.nodes["n1"] = Node("n1", world.now, exabgp)
    world.tell("n1", world.desired("n1", peers=(WATCHED,)))
    world.run(1.0)
    assert again.exabgp.held == (PEER.address,)
    world.silent.clear()
    world.run_until(lambda: again.exabgp.held == ())


def test_a_raise_waits_for_the_routers_own_bfd(world: RouterWorld) -> None:
    """Takeover Auto: its detection time and 100 ms; then the raise, with its place in time."""
    survivors = (world.nodes["n1"], world.nodes["n2"])
    world.dead.add("n3")
    world.run_until(lambda: all(node.reflex.situation.generation == 2 for node in survivors))
    raised = world.now
    world.run(0.2)
    assert all(node.meds() == {med(1)} for node in survivors)
    world.run_until(lambda: all(node.meds() == {med(2)} for node in survivors))
    assert world.now - raised <= 0.25 + 0.05
    for node in survivors:
        *_, last = node.reflex.timeline.failovers
        steps = ["cause", "decision", "command", "flushed", "sent"]
        assert [step.name for step in last.steps] == steps
        times = {step.name: step.milliseconds for step in last.steps}
        assert times["command"] - times["decision"] >= 240


def test_with_takeover_always_a_raise_waits_for_nobody() -> None:
    """The router may notice the dead node by itself, too; that is all the same."""
    world = RouterWorld(replace(WATCHED, takeover=Takeover.ALWAYS))
    survivors = (world.nodes["n1"], world.nodes["n2"])
    world.dead.add("n3")
    world.run_until(lambda: all(node.reflex.situation.generation == 2 for node in survivors))
    world.run(0.02)
    assert all(node.meds() == {med(2)} for node in survivors)


def test_a_raise_waits_no_longer_when_bfd_goes_down_meanwhile(world: RouterWorld) -> None:
    """We lost the router ourselves: there is nothing left to wait for."""
    node = world.nodes["n1"]
    world.dead.add("n3")
    world.run_until(lambda: node.reflex.situation.generation == 2)
    raised = world.now
    world.silent.add("n1")
    assert node.meds() == {med(1)}
    world.run_until(lambda: node.meds() == {med(2)})
    assert world.bfd("n1") is BFDState.DOWN
    assert world.now - raised < 0.2


def test_while_bfd_is_down_a_raise_waits_for_nobody(world: RouterWorld) -> None:
    """The router cannot notice anything by it."""
    node = world.nodes["n1"]
    world.silent.add("n1")
    world.run_until(lambda: world.bfd("n1") is BFDState.DOWN)
    world.dead.add("n3")
    world.run_until(lambda: node.reflex.situation.generation == 2)
    world.run(0.02)
    assert node.meds() == {med(2)}


def test_where_bfd_was_never_up_a_raise_waits_for_nobody() -> None:
    """The router may not speak it."""
    plain = World()
    peers = (WATCHED,)
    for name in plain.nodes:
        plain.tell(name, plain.desired(name, peers=peers))
    plain.run_until(lambda: all(node.meds() == {med(1)} for node in plain.nodes.values()))
    plain.dead.add("n3")
    node = plain.nodes["n1"]
    plain.run_until(lambda: node.reflex.situation.generation == 2)
    plain.run(0.02)
    assert node.meds() == {med(2)}
    assert node.exabgp.held == ()
