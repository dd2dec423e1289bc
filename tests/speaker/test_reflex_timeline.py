"""The reflex leaves a record of whatever moves traffic, and of nothing else."""

import pytest

from bgpd.ipc.message import Delta, Standing, Why
from bgpd.mesh.events import QuarantineEnded, QuarantineStarted
from bgpd.model.member import NodeName
from bgpd.model.timeline import Cause, Failover
from tests.policy.test_lever import PEER
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med


def kinds(node: Node) -> list[str]:
    """Return the kinds of all records of *node*."""
    return [one.kind for one in node.reflex.timeline.failovers]


def last(node: Node) -> Failover:
    """Return the newest record of *node*."""
    return node.reflex.timeline.failovers[-1]


def lose(world: World, sequence: int, *gone: int, kind: str = "withdraw") -> None:
    """Let the agent take back *gone*, and say 20 ms later why, if because of a *kind* of thing."""
    withdraw = tuple((PEER.name, advertisement(number).prefix) for number in gone)
    at = world.now
    world.tell("n1", Delta(sequence=sequence, withdraw=withdraw))
    world.run(0.02)
    if kind:
        sentence = "default/web: no ready endpoint"
        cause = Cause(kind=kind, sentence=sentence, at=at - 0.001, decided_at=at)
        world.tell("n1", Why(causes=((sequence, cause),)))


def test_an_endpoint_that_goes_leaves_a_record(world: World) -> None:
    """It begins when the agent read the event, and ends with the routers' acknowledgement."""
    node = world.nodes["n1"]
    lose(world, 2, 1)
    record = last(node)
    assert (record.kind, record.routes) == ("withdraw", 1)
    assert record.cause == "default/web: no ready endpoint"
    assert [step.name for step in record.steps] == [
        "cause",
        "decision",
        "command",
        "flushed",
        "sent",
    ]
    assert record.steps[1].milliseconds == pytest.approx(1.0)


def test_configuration_leaves_no_record(world: World) -> None:
    """A new Service, or one that a person deleted, is no failover."""
    node = world.nodes["n1"]
    before = kinds(node)
    lose(world, 2, 1, kind="")
    world.tell("n1", Delta(sequence=3, advertise=(advertisement(3),)))
    assert kinds(node) == before


def test_a_node_that_starts_leaves_a_return(world: World) -> None:
    """From the start of the process to the routes at the router."""
    for node in world.nodes.values():
        assert kinds(node) == ["return"]
        assert last(node).steps[-1].name == "sent"


def test_doubt_and_its_end_leave_records(world: World) -> None:
    """Rank 250 moves traffic, and so does its end."""
    node = world.nodes["n1"]
    world.tell("n1", Standing(doubt=("carrier: eth0 has none",)))
    assert (last(node).kind, last(node).cause) == ("doubt", "carrier: eth0 has none")
    assert last(node).steps[-1].name == "sent"
    world.tell("n1", Standing())
    assert (last(node).kind, last(node).routes) == ("return", 2)


def test_an_agent_that_stays_away_leaves_a_record(world: World) -> None:
    """Its grace is over: the node ranks behind all others, until an agent comes."""
    node = world.nodes["n1"]
    node.reflex.orders.lost("killed", world.now)
    world.run(62.0, agents=False)
    assert node.meds() == {med(1, 250)}
    assert (last(node).kind, last(node).cause) == ("doubt", "the agent is away")


def test_the_disk_hears_of_a_failover_within_seconds(world: World) -> None:
    """Once it is over, and not with each step."""
    world.run(2.0)
    node = world.nodes["n1"]
    node.timelines.clear()
    world.dead.add("n3")
    world.run(3.0)
    assert [len(one) for one in node.timelines] == [2], "the return and the takeover, once"


def test_survivors_tell_how_their_clocks_stand(world: World) -> None:
    """Each names the other, not the dead, with a bound."""
    world.run(3.0)
    world.dead.add("n3")
    world.run(1.0)
    for name, other in (("n1", "n2"), ("n2", "n1")):
        record = last(world.nodes[name])
        assert record.members == ("n3",)
        pair = {one.member: one for one in record.clocks}
        assert abs(pair[other].milliseconds) <= pair[other].uncertainty_milliseconds


def test_quarantine_leaves_records(world: World) -> None:
    """The others' verdict ranks us behind them: that moves traffic like any doubt of ours."""
    node = world.nodes["n1"]
    began, ended = (
        kind(member=node.name, at=world.now) for kind in (QuarantineStarted, QuarantineEnded)
    )
    for event in (began, ended):
        node.reflex._news.take(event, world.now)
    of_another = QuarantineStarted(member=NodeName("n2"), at=world.now)
    node.reflex._news.take(of_another, world.now)
    assert kinds(node) == ["return", "doubt", "return"]
