"""A speaker that is stopped while routers keep its routes: no drain, no word, and it is missed."""

from dataclasses import replace

import msgspec
import pytest

from bgpd.exabgp.command import EndOfRib, Update
from bgpd.exabgp.message import SessionChanged, Terminating
from bgpd.ipc.message import Standing
from bgpd.mesh.packet import Flag
from bgpd.model.peer import Peer, PeerName, PeerState
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState
from bgpd.speaker import status
from bgpd.speaker.request import DrainRequest
from tests.fakes.exabgp import FakeExabgp
from tests.policy.test_lever import PEER
from tests.speaker.world import Node, World, med

KEEPS = replace(PEER, graceful_restart=120)
QUICK = replace(PEER, name=PeerName("quick"), address=Address("10.0.0.9"), graceful_restart=20)
FORGETS = replace(QUICK, graceful_restart=None)


def running(*peers: Peer, keeping: tuple[Peer, ...]) -> World:
    """Return three nodes whose sessions with *peers* are up; *keeping* negotiated to keep."""
    world = World()
    for name, node in world.nodes.items():
        node.exabgp.keeps = {peer.address for peer in keeping}
        world.tell(name, world.desired(name, peers=peers))
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    for node in world.nodes.values():
        for peer in peers:
            node.reflex.exabgp(
                SessionChanged(
                    peer=peer.address,
                    state=PeerState.ESTABLISHED,
                    graceful_restart=peer in keeping,
                ),
                world.now,
            )
        node.settle(world.now)
    world.run(0.2)
    return world


def stop(world: World, name: str = "n1") -> Node:
    """Tell *name* to terminate."""
    node = world.nodes[name]
    node.exabgp.updates.clear()
    node.reflex.exabgp(Terminating(), world.now)
    node.settle(world.now)
    return node


def test_where_every_router_keeps_the_routes_they_stay() -> None:
    """Nothing is demoted or withdrawn; the sessions close without a word, at once."""
    world = running(KEEPS, keeping=(KEEPS,))
    node = stop(world)
    assert node.exabgp.updates == []
    assert (node.exabgp.closed, node.exabgp.final) == ([2], [False])
    assert node.exabgp.exited
    assert node.quit
    seen = world.nodes["n2"].reflex.situation.mesh_status(world.now).members
    assert not any(one.draining for one in seen)


@pytest.mark.parametrize(
    ("peers", "keeping"),
    [
        pytest.param((KEEPS, FORGETS), (KEEPS,), id="one router forgets"),
        pytest.param((KEEPS, QUICK), (KEEPS,), id="one router did not agree"),
        pytest.param((KEEPS,), (), id="none agreed"),
    ],
)
def test_where_one_router_would_drop_them_all_are_led_away(
    peers: tuple[Peer, ...], keeping: tuple[Peer, ...]
) -> None:
    """Only one kind per exit; and then also those that could keep are told that it is over."""
    world = running(*peers, keeping=keeping)
    node = stop(world)
    assert node.exabgp.closed == []
    world.run_until(lambda: node.exabgp.exited, within=3.0)
    assert node.exabgp.updates
    assert node.exabgp.final == [True]


@pytest.mark.parametrize("cause", ["request", "standing"])
def test_a_node_that_is_drained_leaves_nothing_behind(cause: str) -> None:
    """A person's wish, or a node that shuts down, is no restart."""
    world = running(KEEPS, keeping=(KEEPS,))
    if cause == "request":
        world.nodes["n1"].reflex.draining.ask(DrainRequest(), world.now)
    else:
        world.tell("n1", Standing(drain="node n1 shuts down"))
    node = stop(world)
    world.run_until(lambda: node.exabgp.exited, within=3.0)
    assert node.prefixes() == set()
    assert node.exabgp.final == [True]


def restarting(world: World, peers: tuple[Peer, ...]) -> Node:
    """Stop n1 and leave nobody in its place: its kernel refuses."""
    node = stop(world)
    world.run(0.1)
    gone = Node("n1", world.now, FakeExabgp())
    gone.exabgp.keeps = {peer.address for peer in peers}
    world.nodes["n1"] = gone
    return node


def state(world: World) -> MemberState:
    """Return what n2 believes of n1."""
    members = world.nodes["n2"].reflex.situation.mesh_status(world.now).members
    return next(one.state for one in members if one.name == "n1")


def test_a_restart_within_its_time_moves_nothing() -> None:
    """The mesh waits, and the routes come back at the generation that they had, then the marker."""
    world = running(KEEPS, keeping=(KEEPS,))
    restarting(world, (KEEPS,))
    world.run(10.0)
    assert state(world) is MemberState.RESTARTING
    assert world.nodes["n2"].meds() == {med(1)}
    world.tell("n1", world.desired("n1", peers=(KEEPS,)))
    node = world.nodes["n1"]
    node.reflex.exabgp(
        SessionChanged(peer=KEEPS.address, state=PeerState.ESTABLISHED, graceful_restart=True),
        world.now,
    )
    world.run_until(lambda: node.meds() == {med(1)}, within=3.0)
    kinds = [type(one) for one in node.exabgp.commands if isinstance(one, (Update, EndOfRib))]
    assert kinds == [Update, EndOfRib]
    world.run_until(lambda: state(world) is MemberState.ALIVE)
    assert world.nodes["n2"].meds() == {med(1)}


def test_a_node_that_does_not_return_loses_when_the_quickest_router_would_give_up() -> None:
    """Its stale routes are tended by nobody: one raise, and both survivors are better."""
    world = running(KEEPS, QUICK, keeping=(KEEPS, QUICK))
    restarting(world, (KEEPS, QUICK))
    world.run(19.0)
    assert world.nodes["n2"].meds() == {med(1)}
    world.run_until(lambda: world.nodes["n2"].meds() == {med(2)}, within=2.0)
    world.run_until(lambda: world.nodes["n3"].meds() == {med(2)}, within=0.2)


def test_power_loss_during_the_restart_is_raised_for_at_once() -> None:
    """Routers would keep the routes of a dead node for two minutes."""
    world = running(KEEPS, keeping=(KEEPS,))
    restarting(world, (KEEPS,))
    world.run(2.0)
    assert world.nodes["n2"].meds() == {med(1)}
    world.dead.add("n1")
    world.run_until(lambda: world.nodes["n2"].meds() == {med(2)}, within=0.4)


def test_a_crash_says_whether_routes_are_kept() -> None:
    """ExaBGP is gone without a word of ours: the mesh knows from the heartbeats before."""
    short = replace(KEEPS, graceful_restart=20)
    world = running(short, keeping=(short,))
    world.nodes["n1"] = Node("n1", world.now, FakeExabgp())
    world.run(19.0)
    assert world.nodes["n2"].meds() == {med(1)}
    world.run_until(lambda: world.nodes["n2"].meds() == {med(2)}, within=3.0)


def test_a_crash_without_kept_routes_raises_nothing() -> None:
    """The kernel closed the sessions, and routers dropped the routes by themselves."""
    world = running(PEER, keeping=())
    world.nodes["n1"] = Node("n1", world.now, FakeExabgp())
    world.run(40.0)
    assert world.nodes["n2"].meds() == {med(1)}


def test_status_says_whether_both_ends_keep() -> None:
    """Offered is not negotiated."""
    world = running(KEEPS, QUICK, keeping=(KEEPS,))
    seen = status.observe(
        world.nodes["n1"].reflex, now=world.now, version="0", started=0, exabgp_pid=1, counters={}
    )
    assert {one.peer: one.graceful_restart for one in seen.sessions} == {
        KEEPS.name: True,
        QUICK.name: False,
    }


def test_a_speaker_that_never_had_a_session_has_nothing_that_is_kept() -> None:
    """It leaves as ever, at once where nobody carries anything."""
    world = World(1)
    world.tell("n1", msgspec.structs.replace(world.desired("n1"), peers=(KEEPS,)))
    node = world.nodes["n1"]
    for peer in (KEEPS,):
        down = SessionChanged(peer=peer.address, state=PeerState.ACTIVE)
        node.reflex.exabgp(down, world.now)
    stop(world)
    world.run_until(lambda: node.exabgp.exited, within=1.0)
    assert node.exabgp.final == [True]


def test_the_last_goodbye_says_what_the_first_one_said() -> None:
    """It is repeated when ExaBGP has ended: by then our sessions are closed, and keep nothing."""
    world = running(KEEPS, keeping=(KEEPS,))
    node = stop(world)
    node.reflex.exabgp(SessionChanged(peer=KEEPS.address, state=PeerState.IDLE), world.now)
    node.reflex.say_goodbye(world.now)
    assert node.reflex.mesh is not None
    assert node.reflex.mesh._sender.flags & Flag.KEEPS
