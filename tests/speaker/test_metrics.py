"""The speaker's numbers: right in each situation, gone with what they are about, never lower."""

from collections.abc import Mapping
from typing import get_args

import pytest

from bgpd.exabgp.command import Command, Exit, Ping, Reload, Update
from bgpd.exabgp.message import Done, Failed, Pong, SessionChanged, Shown, Terminating
from bgpd.model.peer import BFDState, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from bgpd.model.timeline import Failover, Step
from bgpd.speaker import metrics, status
from bgpd.speaker.dialogue import VERBS, Dialogue
from bgpd.speaker.meters import Meters, duration
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.starts import Starts, started
from bgpd.telemetry import speakermetrics
from bgpd.telemetry.catalog import Process, exposed_by
from bgpd.telemetry.exposition import render
from tests.bfd.test_reflex import RouterWorld
from tests.policy.test_lever import PEER
from tests.speaker.scraped import Scrape, lint
from tests.speaker.test_rib import advertisement
from tests.speaker.world import Node, World, med


class Watched:
    """One node of a world, and its meters."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.node = world.nodes[name]
        self.meters = Meters(Starts())
        self.node.reflex.timeline.ended = self.meters.failover

    def scrape(self, events: Mapping[tuple[str, str], int] | None = None) -> Scrape:
        """Return what it exposes now."""
        observed = status.observe(
            self.node.reflex,
            now=self.world.now,
            version="1",
            started=0.0,
            exabgp_pid=None,
            counters={"state_writes": 5, "state_writes_failed": 2},
        )
        found = metrics.families(
            self.node.reflex, observed, self.meters, events=events or {}, backlog=17
        )
        return Scrape.of("".join(render(found)))


@pytest.fixture(name="world")
def _world() -> World:
    """Return three nodes that advertise at generation 1."""
    world = World()
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    return world


@pytest.fixture(name="watched")
def _watched(world: World) -> Watched:
    return Watched(world, "n1")


def test_every_metric_of_the_catalog_is_there_and_no_other(watched: Watched) -> None:
    """What is documented and alerted on is exposed; what is exposed is documented."""
    kernel = {"bgpd_exabgp_resident_memory_bytes", "bgpd_exabgp_cpu_seconds_total"}
    own = [
        one
        for one in exposed_by(Process.SPEAKER)
        if one.processes != tuple(Process) and one.name not in kernel
    ]
    text = watched.scrape().text
    exposed = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert sorted(exposed) == sorted(one.name for one in own)
    assert lint(text) == ""


def test_a_speaker_that_knows_nothing_yet_exposes_what_it_knows() -> None:
    """Before any agent has spoken there is no peer and no mesh, and no made-up number of one."""
    empty = World(0)
    empty.nodes["n1"] = Node("n1", empty.now)
    found = Watched(empty, "n1").scrape()
    assert found.get("bgpd_takeover_armed") == 0
    assert found.get("bgpd_generation") is None
    assert found.get("bgpd_mesh_members", state="Alive") == 0
    assert not [name for name, labels in found.gauges if "peer" in dict(labels)]


def test_a_calm_node_says_so(watched: Watched) -> None:
    """Session up, two prefixes wanted and offered, both members alive, takeover armed."""
    found = watched.scrape()
    assert found.get("bgpd_bgp_session_up", peer=PEER.name) == 1
    assert found.get("bgpd_prefixes_desired", peer=PEER.name, family="ipv4-unicast") == 2
    assert found.get("bgpd_prefixes_advertised", peer=PEER.name, family="ipv4-unicast") == 2
    assert found.get("bgpd_prefixes_advertised", peer=PEER.name, family="ipv6-unicast") == 0
    assert found.get("bgpd_mesh_members", state="Alive") == 2
    assert found.get("bgpd_mesh_quorum_members", part="counted") == 3
    assert found.get("bgpd_mesh_member_up", member="n3") == 1
    assert found.get("bgpd_takeover_armed") == 1
    assert found.get("bgpd_generation") == 1
    assert found.get("bgpd_drain_state", state="NotDraining") == 1
    assert found.get("bgpd_agent_connected") == 1
    assert found.get("bgpd_exabgp_queue_bytes") == 17
    assert found.get("bgpd_state_writes_total", result="written") == 3
    assert found.get("bgpd_state_writes_total", result="failed") == 2


def test_a_death_is_in_every_number_that_tells_of_it(world: World, watched: Watched) -> None:
    """Suspected once, dead, generation 2, and how long it took to the flushed session."""
    before = watched.scrape()
    assert before.get("bgpd_failover_duration_seconds_count", cause="raise") == 0
    world.dead.add("n3")
    survivors = (world.nodes["n1"], world.nodes["n2"])
    world.run_until(lambda: all(node.meds() == {med(2)} for node in survivors))
    world.run(1.0)
    found = watched.scrape({("generation_raised", "warning"): 1, ("generation_of_x", "info"): 9})
    assert found.get("bgpd_generation") == 2
    assert found.get("bgpd_mesh_members", state="Dead") == 1
    assert found.get("bgpd_mesh_member_up", member="n3") == 0
    assert found.get("bgpd_mesh_suspicions_total", member="n3") == 1
    assert found.get("bgpd_mesh_suspicions_total", member="n2") == 0
    assert found.get("bgpd_takeovers_total", cause="raised") == 1
    assert found.get("bgpd_takeovers_total", cause="reset") == 0
    assert not found.went_back(before)
    took = {
        cause: found.get("bgpd_failover_duration_seconds_sum", cause=cause)
        for cause in ("raise", "adopt")
    }
    assert 0.1 < max(seconds or 0.0 for seconds in took.values()) < 1.0


def test_bfd_has_numbers_of_its_own_where_it_is_wanted() -> None:
    """Up, gone when the router falls silent, up again: each state that it came into is counted."""
    world = RouterWorld()
    watched = Watched(world, "n1")
    found = watched.scrape()
    assert found.get("bgpd_bfd_session_up", peer=PEER.name) == 1
    before = found.get("bgpd_bfd_session_transitions_total", peer=PEER.name, to="Up")
    world.silent.add("n1")
    world.run_until(lambda: world.bfd("n1") is BFDState.DOWN)
    assert watched.scrape().get("bgpd_bfd_session_up", peer=PEER.name) == 0
    world.silent.clear()
    world.run_until(lambda: world.bfd("n1") is BFDState.UP)
    found = watched.scrape()
    assert found.get("bgpd_bfd_session_up", peer=PEER.name) == 1
    up = found.get("bgpd_bfd_session_transitions_total", peer=PEER.name, to="Up")
    assert (before, up) == (1, 2)
    assert found.get("bgpd_bfd_session_transitions_total", peer=PEER.name, to="Down") == 1
    world.tell("n1", world.desired("n1", peers=(PEER,)))
    assert watched.scrape().get("bgpd_bfd_session_up", peer=PEER.name) is None


def test_series_go_with_the_peer_and_the_member(world: World, watched: Watched) -> None:
    """Nothing is left of what is configured no more."""
    assert watched.scrape().about("peer", PEER.name)
    gone = watched.world.desired("n1", advertisement(1), peers=())
    world.tell("n1", gone)
    world.run(0.5)
    assert not watched.scrape().about("peer", PEER.name)


def test_the_number_of_series_does_not_follow_the_number_of_routes(world: World) -> None:
    """Two elastic IPs or two hundred: the same series."""
    watched = Watched(world, "n1")
    few = watched.scrape()
    wishes = [advertisement(number) for number in range(1, 201)]
    world.tell("n1", world.desired("n1", *wishes))
    world.run(0.5)
    many = watched.scrape()
    assert many.get("bgpd_prefixes_advertised", peer=PEER.name, family="ipv4-unicast") == 200
    assert many.gauges.keys() == few.gauges.keys()


def test_what_the_last_gate_withholds_is_counted_by_its_reason(world: World) -> None:
    """A prefix outside the pools is refused, and seen."""
    watched = Watched(world, "n1")
    outside = Advertisement(peer=PEER.name, prefix=Prefix("8.8.8.8/32"))
    world.tell("n1", world.desired("n1", advertisement(1), outside))
    world.run(0.5)
    found = watched.scrape()
    assert found.get("bgpd_routes_withheld", reason="OutsidePools") == 1
    assert found.get("bgpd_routes_withheld", reason="PrefixLimit") == 0


def test_the_reasons_of_the_last_gate_are_the_speaker_s() -> None:
    """All others are the agent's to count: a sum over both counts nothing twice."""
    for reason in speakermetrics.AT_THE_LAST_GATE:
        assert reason in Reason
    assert Reason.NO_LOCAL_ENDPOINTS not in speakermetrics.AT_THE_LAST_GATE


# Sessions


def test_what_was_only_shown_is_no_transition() -> None:
    """A reflex that starts beside a running ExaBGP saw nobody come up."""
    sessions = Sessions()
    router = Address("10.0.0.1")
    up = SessionChanged(peer=router, state=PeerState.ESTABLISHED)
    sessions.changed(up, 1.0, shown=True)
    assert sessions.entered(router).get(PeerState.ESTABLISHED, 0) == 0
    sessions.changed(SessionChanged(peer=router, state=PeerState.IDLE), 2.0)
    sessions.changed(up, 3.0)
    sessions.changed(up, 4.0)
    assert dict(sessions.entered(router)) == {
        PeerState.ESTABLISHED: 1,
        PeerState.IDLE: 1,
    }
    assert not sessions.entered(Address("10.0.0.2"))


# The talk with ExaBGP


def test_each_command_is_counted_with_its_answer() -> None:
    """Sent, then done or failed; what has no answer waits in the queue."""
    talk = Dialogue()
    talk.sent(Update(id=1, peers=()), 10.0, 0)
    talk.sent(Reload(id=2), 10.0, 0)
    talk.sent(Ping(id=3), 10.0, 0)
    assert (talk.waiting, talk.heard_at) == (3, None)
    talk.heard(Done(id=1), 10.1)
    talk.heard(Failed(id=2, error="no"), 10.2)
    talk.heard(Pong(id=3), 10.25)
    assert talk.counts == {
        ("update", "sent"): 1,
        ("update", "done"): 1,
        ("reload", "sent"): 1,
        ("reload", "failed"): 1,
        ("ping", "sent"): 1,
        ("ping", "done"): 1,
    }
    assert (talk.waiting, talk.heard_at) == (0, 10.25)
    assert (talk.pings.count, talk.pings.sum) == (1, 0.25)


def test_what_is_no_answer_of_ours_changes_no_count() -> None:
    """An answer to the reflex before us, a line too broken to have a number, news of a session."""
    talk = Dialogue()
    for message in (
        Shown(id=9),
        Failed(error="too broken"),
        SessionChanged(peer=Address("10.0.0.1"), state=PeerState.IDLE),
        Terminating(),
    ):
        talk.heard(message, 1.0)
    assert not talk.counts
    assert talk.waiting == 0


def test_what_a_full_pipe_dropped_is_not_sent() -> None:
    """And waits for no answer."""
    talk = Dialogue()
    talk.sent(Ping(id=1), 1.0, 0)
    talk.sent(Ping(id=2), 2.0, 1)
    talk.sent(Ping(id=3), 3.0, 2)
    assert talk.counts == {("ping", "sent"): 1, ("ping", "dropped"): 2}
    assert talk.waiting == 1


def test_the_last_command_waits_for_no_answer() -> None:
    """ExaBGP ends with it."""
    talk = Dialogue()
    talk.sent(Exit(id=1), 1.0, 0)
    assert talk.waiting == 0


def test_every_command_has_a_verb_of_the_catalog() -> None:
    """A new command without one would be counted under a name that nobody looks for."""
    assert set(VERBS) == set(get_args(Command))
    assert set(VERBS.values()) == set(speakermetrics.COMMANDS.values["verb"])


# Starts


@pytest.mark.parametrize(
    ("before", "exabgp", "restarts"),
    [
        pytest.param(None, "a", (0, 0), id="the first start ever is no restart"),
        pytest.param(Starts(exabgp="a"), "a", (0, 1), id="the reflex crashed"),
        pytest.param(Starts(exabgp="a"), "b", (1, 0), id="ExaBGP was started again"),
        pytest.param(
            Starts(exabgp="b", exabgp_restarts=3, reflex_restarts=2),
            "c",
            (4, 2),
            id="and again: neither count is ever lower",
        ),
    ],
)
def test_starts_are_told_apart(
    before: Starts | None, exabgp: str, restarts: tuple[int, int]
) -> None:
    """By whose child we are."""
    found = started(before, exabgp=exabgp)
    assert (found.exabgp_restarts, found.reflex_restarts) == restarts
    assert found.exabgp == exabgp


# Failovers


def _failover(*steps: tuple[str, float], slowest: float | None = None) -> Failover:
    return Failover(
        kind="raise",
        at=0.0,
        cause="x",
        generation=2,
        routes=1,
        steps=tuple(Step(name=name, milliseconds=at) for name, at in steps),
        slowest_milliseconds=slowest,
    )


@pytest.mark.parametrize(
    ("failover", "seconds"),
    [
        pytest.param(_failover(("cause", 0), ("decision", 9)), None, id="no session heard of it"),
        pytest.param(
            _failover(("cause", 0), ("command", 150), ("flushed", 151), ("flushed", 158)),
            0.158,
            id="the last session that heard counts",
        ),
        pytest.param(
            _failover(("flushed", 20), ("sent", 900)), 0.02, id="the router's own time does not"
        ),
        pytest.param(
            _failover(("flushed", 20), ("last", 4000), slowest=35.0),
            0.035,
            id="of several causes the slowest, not the whole time",
        ),
    ],
)
def test_a_failover_took_as_long_as_to_its_last_session(
    failover: Failover, seconds: float | None
) -> None:
    """What the histogram counts."""
    assert duration(failover) == seconds


def test_lateness_is_that_of_the_timer() -> None:
    """Woken before the time by something else is no lateness."""
    meters = Meters(Starts())
    for late in (-0.02, 0.0004, 0.03):
        meters.woken(late)
    assert (meters.lag.count, meters.lag.sum) == (2, 0.0304)
