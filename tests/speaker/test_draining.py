"""A node that is drained while it stays: asked for, refused, taken back, and met by deaths."""

import random
from dataclasses import replace

import msgspec
import pytest

from bgpd.exabgp.message import Terminating
from bgpd.ipc.message import Delta, Desired, Standing
from bgpd.model.member import DrainTrigger
from bgpd.model.peer import Lever
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import GRACEFUL_SHUTDOWN, RANK_DRAIN
from bgpd.model.status import DrainPhase, DrainStatus
from bgpd.speaker import status
from bgpd.speaker.drain import ASK_SECONDS
from bgpd.speaker.draining import Refused
from bgpd.speaker.request import DrainRequest
from tests.policy.test_lever import PEER
from tests.speaker.test_carriers import carried
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med

ONE, TWO, THREE = (Prefix(f"203.0.113.{number}/32") for number in (1, 2, 3))
CORDONED = Standing(drain="node n1 is cordoned")


@pytest.fixture(name="world")
def running_world() -> World:
    """Return three nodes that carry two prefixes each, in every node's name."""
    world = World()
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    world.run(0.1)
    return world


def ask(world: World, name: str, *, forced: bool = False, patient: bool = False) -> Refused | None:
    """Ask for a drain of *name*."""
    node = world.nodes[name]
    request = DrainRequest(forced=forced, patient=patient)
    refused = node.reflex.draining.ask(request, world.now)
    node.settle(world.now)
    return refused


def take_back(world: World, name: str) -> None:
    """Take the request for *name* back."""
    world.nodes[name].reflex.draining.take_back(world.now)
    world.nodes[name].settle(world.now)


def drain(world: World, name: str) -> DrainStatus:
    """Return the drain of *name* as people see it."""
    return world.nodes[name].reflex.draining.status(world.now)


def marked(world: World, name: str) -> set[Prefix]:
    """Return what *name* advertises with GRACEFUL_SHUTDOWN."""
    routes = world.nodes[name].exabgp.routes[PEER.address]
    return {p for p, said in routes.items() if GRACEFUL_SHUTDOWN in said.communities}


@pytest.mark.parametrize(
    ("first", "second", "after_boot"),
    [
        pytest.param("", "this", True, id="a shutdown shortens no drain that holds over boots"),
        pytest.param("this", "", True, id="a person prolongs one that a boot would end"),
        pytest.param("this", "this", False, id="both end with the boot"),
    ],
)
def test_a_second_request_ends_no_earlier_than_the_first(
    world: World, first: str, second: str, *, after_boot: bool
) -> None:
    """Only `undrain` takes away what was asked for; force that a shutdown used ends with it."""
    node = world.nodes["n1"]
    for boot in (first, second, second):
        request = DrainRequest(boot=boot, forced=bool(boot), since=world.now)
        assert node.reflex.draining.ask(request, world.now) is None
    kept = node.reflex.situation.request
    assert kept is not None
    assert kept.forced, "never less than was asked for"
    lasting = kept.then if kept.boot else kept
    assert (lasting is not None) is after_boot
    if not first:
        assert lasting == DrainRequest(since=world.now), "without force"


def test_a_drain_demotes_waits_and_withdraws_but_stays(world: World) -> None:
    """Sessions and mesh stay up; the log and the timeline tell of it."""
    node = world.nodes["n1"]
    assert ask(world, "n1") is None
    assert node.meds() == {med(1, RANK_DRAIN)}
    assert marked(world, "n1") == {ONE, TWO}
    assert drain(world, "n1").phase is DrainPhase.DEMOTED
    world.run(0.9)
    assert node.prefixes() == {ONE, TWO}, "routers get their time"
    world.run_until(lambda: not node.prefixes(), within=0.5)
    assert drain(world, "n1").phase is DrainPhase.DRAINED
    assert {one.reason for one in node.reflex.offer.rib.withheld} == {Reason.DRAINED}
    world.run(5.0)
    assert not node.exabgp.closed
    assert node.prefixes() == set()
    kinds = [one.kind for one in node.reflex.timeline.failovers]
    assert kinds == ["return", "drain", "withdraw"], "it started, was drained, and its routes went"
    others = [world.nodes[name].meds() for name in ("n2", "n3")]
    assert others == [{med(1)}, {med(1)}], "nothing was raised"


def phases(world: World, name: str) -> list[object]:
    """Return what the log of *name* says of the phases of its drain."""
    notes = world.nodes[name].notes
    return [value for note in notes if note.event == "drain_phase" for _, value in note.keys]


@pytest.mark.parametrize("offset", [0.0, 0.1, 0.2, 0.3, 0.4, 0.45])
def test_the_log_has_every_phase_of_a_drain(world: World, offset: float) -> None:
    """Also where the half-second tick is the first to see that routers have had their time."""
    world.run(offset)
    ask(world, "n1")
    world.run(1.5)
    take_back(world, "n1")
    assert phases(world, "n1") == ["Demoted", "Drained", "NotDraining"]


def test_a_phase_that_the_tick_begins_is_told(world: World) -> None:
    """A tick that falls on the very moment reviews the drain before the drain's own timer."""
    ask(world, "n1")
    node = world.nodes["n1"]
    deadline = node.reflex.situation.drain.deadline
    assert deadline is not None
    world.run(deadline - world.now - 0.02)
    node.reflex.offer.tick(deadline)
    node.reflex.handle_timer(deadline)
    node.settle(deadline)
    assert phases(world, "n1") == ["Demoted", "Drained"]


def test_undrain_restores_at_once(world: World) -> None:
    """Routes are back as they were, wherever the drain was."""
    ask(world, "n1")
    take_back(world, "n1")
    assert world.nodes["n1"].meds() == {med(1)}
    assert marked(world, "n1") == set()
    ask(world, "n1")
    world.run(1.5)
    take_back(world, "n1")
    assert world.nodes["n1"].meds() == {med(1)}
    assert drain(world, "n1") == DrainStatus()
    assert world.nodes["n1"].request is None


def test_the_last_carrier_is_refused_unless_forced() -> None:
    """The sentence names what would be gone, and nothing has begun."""
    world = World()
    world.tell("n1", world.desired("n1", carried(1, "n1"), carried(2, "n1", "n2")))
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 2)
    refused = ask(world, "n1")
    assert refused == Refused((ONE,))
    assert ONE in refused.sentence
    assert TWO not in refused.sentence
    assert world.nodes["n1"].meds() == {med(1)}
    assert world.nodes["n1"].request is None
    assert ask(world, "n1", forced=True) is None
    world.run(1.2)
    assert world.nodes["n1"].prefixes() == set()


def test_a_patient_drain_keeps_what_nobody_else_carries() -> None:
    """It stays behind all others, without a mark that nobody would heed, until somebody comes."""
    world = World()
    world.tell("n1", world.desired("n1", carried(1, "n1"), carried(2, "n1", "n2")))
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 2)
    assert ask(world, "n1", patient=True) is None
    world.run(1.2)
    assert world.nodes["n1"].prefixes() == {ONE}
    assert marked(world, "n1") == set()
    assert drain(world, "n1").phase is DrainPhase.WAITING
    assert drain(world, "n1").alone == (ONE,)
    world.tell("n1", Delta(sequence=2, advertise=(carried(1, "n1", "n3"),)))
    assert marked(world, "n1") == {ONE}
    world.run_until(lambda: not world.nodes["n1"].prefixes(), within=1.5)


def test_the_death_of_the_last_other_carrier_brings_routes_back(world: World) -> None:
    """At rank 255 and in the new generation, as soon as the mesh knows."""
    for name in ("n1", "n2"):
        assert ask(world, name, patient=True) is None
    world.run(1.5)
    assert world.nodes["n1"].prefixes() == world.nodes["n2"].prefixes() == set()
    world.dead.add("n3")
    world.run_until(lambda: all(world.nodes[n].prefixes() for n in ("n1", "n2")), within=0.4)
    world.run_until(lambda: world.nodes["n1"].meds() == {med(2, RANK_DRAIN)}, within=0.5)
    assert marked(world, "n1") == set()


def test_the_drain_of_the_last_other_carrier_brings_routes_back_at_once(world: World) -> None:
    """It keeps its own, too: nobody takes back what the other took back."""
    for name in ("n1", "n2"):
        ask(world, name)
    world.run(1.5)
    refused = ask(world, "n3")
    assert refused == Refused((ONE, TWO))
    assert ask(world, "n3", patient=True) is None
    world.run_until(lambda: world.nodes["n1"].prefixes() == {ONE, TWO}, within=0.1)
    world.run(3.0)
    for name in world.nodes:
        assert world.nodes[name].meds() == {med(1, RANK_DRAIN)}
        assert marked(world, name) == set()


def test_nodes_that_are_drained_at_one_moment_keep_what_only_they_carry() -> None:
    """Each hears of the other before its routes are due to go, however short the drain."""
    world = World()
    for name in world.nodes:
        wish = world.desired(name, carried(1, "n1", "n2"), advertisement(2))
        quick = replace(wish.policy, drain_milliseconds=0)
        world.tell(name, msgspec.structs.replace(wish, policy=quick))
    world.run_until(lambda: all(len(node.prefixes()) == 2 for node in world.nodes.values()))
    for name in ("n1", "n2"):
        assert ask(world, name) is None
    for _ in range(300):
        world.run(0.01)
        assert any(ONE in world.nodes[name].prefixes() for name in ("n1", "n2"))
    assert TWO not in world.nodes["n1"].prefixes(), "n3 carries that"


def test_a_drained_node_that_is_stopped_does_not_return_first(world: World) -> None:
    """What was led away stays away, and nobody is waited for."""
    node = world.nodes["n1"]
    ask(world, "n1")
    world.run(1.5)
    node.exabgp.updates.clear()
    node.reflex.exabgp(Terminating(), world.now)
    world.run_until(lambda: node.exabgp.exited, within=0.5)
    assert node.exabgp.updates == []
    assert node.exabgp.closed == [2]


def test_a_node_that_ends_is_followed_by_one_that_was_drained(world: World) -> None:
    """The last undrained node says that it leaves, and waits for the others to come back."""
    for name in ("n1", "n2"):
        ask(world, name)
    world.run(1.5)
    last = world.nodes["n3"]
    last.reflex.exabgp(Terminating(), world.now)
    last.settle(world.now)
    world.run_until(lambda: world.nodes["n1"].prefixes() == {ONE, TWO}, within=0.1)
    assert last.prefixes() == {ONE, TWO}
    world.run_until(lambda: last.exabgp.exited, within=2.0)
    world.run(1.0)
    assert world.nodes["n1"].prefixes() == {ONE, TWO}


def test_a_cordoned_node_waits_for_others_and_is_never_refused() -> None:
    """The agent's word begins a drain and ends it; the cause is shown."""
    world = World()
    world.tell("n1", world.desired("n1", carried(1, "n1"), carried(2, "n1", "n2")))
    world.run_until(lambda: len(world.nodes["n1"].prefixes()) == 2)
    world.tell("n1", CORDONED)
    assert drain(world, "n1").cause == "node n1 is cordoned"
    world.run(1.2)
    assert world.nodes["n1"].prefixes() == {ONE}
    world.tell("n1", Standing())
    assert world.nodes["n1"].meds() == {med(1)}
    assert len(world.nodes["n1"].prefixes()) == 2


def test_a_prefix_with_open_connections_stays_as_it_is(world: World) -> None:
    """Until they are closed; the others go meanwhile."""
    node = world.nodes["n1"]
    patient_for(world, milliseconds=20_000)
    world.tell("n1", replace_busy(ONE))
    routes = node.exabgp.routes[PEER.address]
    assert {prefix: said.med for prefix, said in routes.items()} == {
        ONE: med(1),
        TWO: med(1, RANK_DRAIN),
    }
    assert marked(world, "n1") == {TWO}
    world.run(5.0)
    assert node.prefixes() == {ONE}
    assert drain(world, "n1").busy == (ONE,)
    world.tell("n1", CORDONED)
    assert marked(world, "n1") == {ONE}
    world.run_until(lambda: not node.prefixes(), within=1.5)


def test_open_connections_do_not_hold_a_node_for_ever(world: World) -> None:
    """The drain's time is the most they get."""
    node = world.nodes["n1"]
    patient_for(world, milliseconds=4000)
    world.tell("n1", replace_busy(ONE, TWO))
    world.run(3.9)
    assert node.meds() == {med(1)}
    world.run_until(lambda: not node.prefixes(), within=1.5)


def test_a_person_s_drain_waits_until_the_agent_has_counted(world: World) -> None:
    """It hears of the drain from us; until it has answered everything stays."""
    node = world.nodes["n1"]
    patient_for(world, milliseconds=20_000)
    world.run(0.1)
    ask(world, "n1")
    world.run(0.5)
    assert node.meds() == {med(1)}
    world.tell("n1", Standing(busy=(ONE,)))
    assert marked(world, "n1") == {TWO}
    take_back(world, "n1")
    world.run(0.1)
    ask(world, "n1")
    world.run_until(lambda: marked(world, "n1") == {TWO}, within=ASK_SECONDS + 0.5)


def replace_busy(*prefixes: Prefix) -> Standing:
    """Return a standing that drains n1 while *prefixes* have open connections."""
    return msgspec.structs.replace(CORDONED, busy=prefixes)


def test_a_speaker_that_starts_again_is_still_drained(world: World) -> None:
    """A restart brings nothing back that others carry."""
    ask(world, "n1")
    world.run(1.5)
    before = world.nodes["n1"]
    assert before.request is not None
    node = Node("n1", world.now, before.exabgp, saved=world.desired("n1"), drain=before.request)
    world.nodes["n1"] = node
    node.exabgp.updates.clear()
    node.settle(world.now)
    world.tell("n1", world.desired("n1"))
    world.run(3.0)
    assert [u for u in node.exabgp.updates if any(one.advertise for one in u.peers)] == []
    assert drain(world, "n1").phase is DrainPhase.DRAINED


def test_a_lever_without_ranks_leads_traffic_away_before_the_route_goes() -> None:
    """It carries the mark for as long as a ranked one would be demoted; a standby stays silent."""
    world = World()
    unranked = replace(PEER, lever=Lever.AS_PATH)
    standby = replace(advertisement(2), rank=1, ahead=("n2",))
    world.tell("n1", world.desired("n1", advertisement(1), standby, peers=(unranked,)))
    for name in ("n2", "n3"):
        world.tell(name, world.desired(name, peers=(unranked,)))
    world.run(1.0)
    assert world.nodes["n1"].prefixes() == {ONE}
    ask(world, "n1")
    assert marked(world, "n1") == {ONE}
    world.run(0.8)
    assert world.nodes["n1"].prefixes() == {ONE}
    world.run_until(lambda: not world.nodes["n1"].prefixes(), within=0.5)


def test_a_speaker_that_ends_leads_busy_traffic_away_while_there_is_time(world: World) -> None:
    """Open connections are worth waiting for, but routers need their second before the end."""
    node = world.nodes["n1"]
    patient_for(world, milliseconds=600_000)
    world.tell("n1", replace_busy(ONE, TWO))
    node.reflex.exabgp(Terminating(seconds=15.0), world.now)
    node.settle(world.now)
    began = world.now
    world.run_until(lambda: marked(world, "n1") == {ONE, TWO}, within=12.0)
    assert world.now - began > 8.0, "as long as there is time"
    assert node.prefixes() == {ONE, TWO}
    world.run_until(lambda: not node.prefixes(), within=1.5)
    world.run_until(lambda: node.exabgp.exited, within=1.0)


def test_a_speaker_that_ends_does_not_wait_for_what_is_over(world: World) -> None:
    """The last connection ends early, and so does the process."""
    node = world.nodes["n1"]
    patient_for(world, milliseconds=20_000)
    world.tell("n1", replace_busy(ONE, TWO))
    node.reflex.exabgp(Terminating(seconds=30.0), world.now)
    node.settle(world.now)
    world.run(2.0)
    assert node.prefixes() == {ONE, TWO}
    world.tell("n1", CORDONED)
    world.run_until(lambda: node.exabgp.exited, within=3.0)


def test_status_shows_the_rank_that_a_route_has(world: World) -> None:
    """Not the one that the agent wants."""
    world.tell("n1", replace_busy(ONE))
    seen = status.observe(
        world.nodes["n1"].reflex, now=world.now, version="0", started=0, exabgp_pid=1, counters={}
    )
    assert {route.prefix: route.rank for route in seen.routes} == {ONE: 0, TWO: RANK_DRAIN}
    assert seen.draining
    assert seen.drain.phase is DrainPhase.WAITING


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_somebody_carries_what_somebody_can(seed: int) -> None:
    """Drains, their ends, deaths and returns of three nodes at random, with real heartbeats.

    A prefix is missing only after a death, and only until the mesh knows.
    """
    chance = random.Random(seed)
    world = World()
    for name in world.nodes:
        world.tell(name, hasty(world, name))
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    died = -1.0
    for _ in range(14):
        name = chance.choice(sorted(world.nodes))
        live = [one for one in world.nodes if one not in world.dead]
        act = chance.choice(["drain", "drain", "all", "undrain", "undrain", "die", "return"])
        if act == "drain" and name in live:
            ask(world, name, patient=True)
        elif act == "all":
            for one in live:
                ask(world, one, patient=True)
        elif act == "undrain" and name in live:
            take_back(world, name)
        elif act == "die" and name in live and len(live) == 3:
            world.dead.add(name)
            died = world.now
        elif act == "return" and name in world.dead:
            request = world.nodes[name].request
            world.nodes[name] = Node(name, world.now, drain=request)
            world.dead.discard(name)
            world.tell(name, hasty(world, name))
        for _ in range(chance.choice([1, 5, 30, 150])):
            world.run(0.01)
            there = {
                prefix
                for one, node in world.nodes.items()
                if one not in world.dead
                for prefix in node.prefixes()
            }
            assert there == {ONE, TWO} or world.now - died < 0.5


def hasty(world: World, name: str) -> Desired:
    """Return what *name* wants where a drain has no time at all."""
    wish = world.desired(name)
    return msgspec.structs.replace(wish, policy=replace(wish.policy, drain_milliseconds=0))


def patient_for(world: World, *, milliseconds: int) -> None:
    """Let n1 wait for connections for so long."""
    wish = world.desired("n1")
    trigger = DrainTrigger.WAIT_FOR_CONNECTIONS
    policy = replace(wish.policy, drain=trigger, drain_milliseconds=milliseconds)
    world.tell("n1", msgspec.structs.replace(wish, policy=policy))


def test_nothing_is_left_to_a_node_that_has_just_started() -> None:
    """It lives, but what it will carry is not on any router yet."""
    world = World(2)
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    world.nodes["n2"] = Node("n2", world.now)
    wish = world.desired("n2")
    world.tell("n2", msgspec.structs.replace(wish, standing=Standing(partial=True)))
    world.run(1.5)
    assert ask(world, "n1") == Refused((ONE, TWO))
    assert ask(world, "n1", patient=True) is None
    world.run(2.0)
    assert world.nodes["n1"].prefixes() == {ONE, TWO}
    world.tell("n2", Standing())
    world.run_until(lambda: marked(world, "n1") == {ONE, TWO}, within=0.1)
    world.run_until(lambda: not world.nodes["n1"].prefixes(), within=1.5)


def test_what_was_withdrawn_returns_when_the_other_node_withholds_something() -> None:
    """A HealthCheck that fails there later may be about the very prefix that was left to it."""
    world = World(2)
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    world.run(1.5)
    assert ask(world, "n1") is None
    world.run_until(lambda: not world.nodes["n1"].prefixes(), within=2.0)
    world.tell("n2", Standing(partial=True))
    world.run_until(lambda: world.nodes["n1"].prefixes() == {ONE, TWO}, within=0.1)
    assert world.nodes["n1"].meds() == {med(1, RANK_DRAIN)}
    assert marked(world, "n1") == set(), "it may be the only one that works"
