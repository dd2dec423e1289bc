"""The reflex: what it does about every stimulus, in virtual time, with a real mesh inside."""

from dataclasses import replace

from bgpd.exabgp.message import Failed, Terminating
from bgpd.ipc.message import Applied, Delta
from bgpd.model.peer import Lever, Peer
from bgpd.model.prefix import Prefix
from bgpd.model.route import GRACEFUL_SHUTDOWN, RANK_DOUBT, RANK_DRAIN
from bgpd.speaker import effect
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med


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
    """Cause, decision, command, flushed, acknowledged: in this order, on every survivor."""
    world.dead.add("n3")
    world.run(1.0)
    for name in ("n1", "n2"):
        *_, last = world.nodes[name].reflex.timeline.failovers
        steps = ["cause", "decision", "command", "flushed", "sent"]
        assert [step.name for step in last.steps] == steps
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


def test_patience_that_ends_while_nothing_may_be_sent_is_no_reason_to_wake(world: World) -> None:
    """ExaBGP's answer is: until then a timer that is always due would only keep it from running."""
    node = world.nodes["n1"]
    node.reflex.offer.wording.patience = lambda _peer, _now: 0.5
    world.dead.add("n3")
    world.run_until(lambda: node.reflex.offer.patient_until is not None)
    assert node.reflex.deadline(world.now) <= world.now + 0.5
    node.deaf = True
    node.reflex.offer.ask(world.now)
    world.run(1.0)
    assert node.meds() == {med(1)}
    assert node.reflex.deadline(world.now) > world.now
    node.deaf = False
    world.run_until(lambda: node.meds() == {med(2)}, within=6.0)
