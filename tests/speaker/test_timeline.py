"""The record of failovers: steps in order, bounded in number and rate, whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.timeline import Cause, Failover, PairClock
from bgpd.speaker.timeline import (
    JOIN_SECONDS,
    KEPT,
    MOST_OPEN,
    MOST_PEERS,
    OLDEST_SECONDS,
    RESTLESS_SECONDS,
    SENT_SECONDS,
    Timeline,
)
from bgpd.speaker.traces import MOST, WATCH_PAUSE


def begin(timeline: Timeline, cause: str = "member n3 silent for 152 ms") -> None:
    """Open one failover whose cause was at 100.0 and whose decision at 100.15."""
    timeline.begin(kind="raise", cause=cause, cause_at=100.0, decided_at=100.15, generation=7)


def endpoint_lost(timeline: Timeline, update: int, now: float, kind: str = "withdraw") -> None:
    """Let an endpoint go a millisecond before *now*, and ExaBGP be told and answer at once."""
    cause = Cause(kind=kind, sentence=f"web-{update}", at=now - 0.001, decided_at=now - 0.0005)
    sent(timeline, update, now)
    timeline.done(update, flushed={"tor": now + 0.001}, now=now + 0.002)
    timeline.why(update, cause, generation=7, now=now + 0.0025)
    timeline.arrived(update, peer="tor", flushed_at=now + 0.001, at=now + 0.003, now=now + 0.003)


def sent(timeline: Timeline, update: int, now: float) -> bool:
    """Let message *update* of the agent lead to an update of that number; return if watched."""
    timeline.traces.begin(update, now)
    watched = timeline.expects(now)
    timeline.commanded(update, routes=1, now=now)
    timeline.traces.end()
    return watched


def steps(failover: Failover) -> list[tuple[str, float, str]]:
    """Return the steps as rows."""
    return [(step.name, step.milliseconds, step.detail) for step in failover.steps[1:]]


def test_a_timeline_runs_from_cause_to_acknowledgement() -> None:
    """Every step is counted in milliseconds from the last sign of life, peer by peer."""
    timeline = Timeline(node="n1", boot="b1")
    timeline.wall_offset = 5e8
    timeline.clocks = lambda _: (
        PairClock(member="n2", milliseconds=12.5, uncertainty_milliseconds=0.2),
    )
    begin(timeline)
    timeline.commanded(3, routes=12, now=100.151)
    timeline.done(3, flushed={"tor-b": 100.154, "tor-a": 100.153}, now=100.155)
    timeline.arrived(3, peer="tor-a", flushed_at=100.153, at=100.1535, now=100.16)
    timeline.arrived(3, peer="tor-b", flushed_at=100.154, at=100.19, now=100.19)
    (failover,) = timeline.failovers
    assert steps(failover) == [
        ("decision", 150.0, ""),
        ("command", 151.0, ""),
        ("flushed", 153.0, "tor-a"),
        ("sent", 153.5, "tor-a"),
        ("flushed", 154.0, "tor-b"),
        ("sent", 190.0, "tor-b"),
    ]
    assert (failover.routes, failover.node, failover.boot) == (12, "n1", "b1")
    assert failover.clock == 100.0
    assert failover.at == pytest.approx(5e8 + 100.0)
    assert [one.member for one in failover.clocks] == ["n2"]


@pytest.mark.parametrize(
    ("flushed", "shown"),
    [
        pytest.param(((), ("tor-b", "tor-a")), {"tor-a", "tor-b"}, id="one update reached nobody"),
        pytest.param(((), ()), set(), id="no session is up"),
    ],
)
def test_flushed_is_said_of_those_alone_who_heard(
    flushed: tuple[tuple[str, ...], ...], shown: set[str]
) -> None:
    """ExaBGP carries an update out for a session that is down, too; no router knows of it yet."""
    timeline = Timeline()
    begin(timeline)
    for number, _ in enumerate(flushed):
        timeline.commanded(number, routes=1, now=100.151)
    for number, peers in enumerate(flushed):
        timeline.done(number, flushed=dict.fromkeys(peers, 100.153), now=100.153)
    (failover,) = timeline.failovers
    assert {detail for name, _, detail in steps(failover) if name == "flushed"} == shown


def test_a_session_that_comes_up_later_is_told_of() -> None:
    """Its routes leave with it: flushed and acknowledged then, not with the others."""
    timeline = Timeline()
    begin(timeline)
    timeline.commanded(1, routes=1, now=100.2)
    timeline.done(1, flushed={}, owed=["tor"], now=100.2)
    timeline.arrived(1, peer="tor", flushed_at=103.0, at=103.001, now=103.01)
    (failover,) = timeline.failovers
    assert steps(failover)[2:] == [("flushed", 3000.0, "tor"), ("sent", 3001.0, "tor")]
    assert timeline.unsaved, "it is over"


def test_nobody_waits_for_ever_for_a_router() -> None:
    """One that reads nothing leaves no step, and the record is closed without it."""
    timeline = Timeline()
    begin(timeline)
    timeline.commanded(1, routes=1, now=100.2)
    timeline.done(1, flushed={"tor": 100.201}, now=100.201)
    timeline.tick(100.0 + SENT_SECONDS)
    assert not timeline.unsaved
    timeline.tick(100.2 + SENT_SECONDS)
    assert timeline.unsaved
    assert [name for name, _, _ in steps(timeline.failovers[0])] == [
        "decision",
        "command",
        "flushed",
    ]


def test_a_takeover_without_routes_is_kept_without_commands() -> None:
    """A raise on a node that advertises nothing still happened."""
    timeline = Timeline()
    begin(timeline)
    timeline.settle()
    assert [step.name for step in timeline.failovers[0].steps] == ["cause", "decision"]


def test_a_return_of_which_no_router_hears_is_none() -> None:
    """Nor is a withdrawal of what was not advertised."""
    timeline = Timeline()
    timeline.begin(kind="return", cause="a test", cause_at=1.0, decided_at=1.0, generation=1)
    timeline.settle()
    timeline.traces.begin(1, 1.0)
    timeline.traces.end()
    cause = Cause(kind="withdraw", sentence="a test", at=1.0, decided_at=1.0)
    timeline.why(1, cause, generation=1, now=1.0)
    timeline.why(2, cause, generation=1, now=1.0)
    assert timeline.failovers == ()


def test_endpoints_that_go_together_are_one_record() -> None:
    """Ten thousand of them are one, with the steps of the first and the time of the slowest."""
    timeline = Timeline()
    for number in range(10_000):
        endpoint_lost(timeline, number, 100.0 + number * 0.5 * JOIN_SECONDS / 10_000)
    (failover,) = timeline.failovers
    assert (failover.kind, failover.changes, failover.routes) == ("withdraw", 10_000, 10_000)
    assert failover.cause == "web-0"
    assert failover.slowest_milliseconds == pytest.approx(2.0)
    assert steps(failover)[:4] == [
        ("decision", 0.5, ""),
        ("command", 1.0, ""),
        ("flushed", 2.0, "tor"),
        ("sent", 4.0, "tor"),
    ]
    name, at, _ = steps(failover)[4]
    assert (name, round(at)) == ("last", 502)


def test_endpoints_that_come_and_go_all_day_leave_a_record_in_ten_seconds() -> None:
    """At ten changes a second, for ten minutes: the rate of records is bounded."""
    timeline = Timeline()
    seconds = 600
    written = 0
    for number in range(seconds * 10):
        now = 100.0 + number / 10
        endpoint_lost(timeline, number, now)
        if number % 10 == 0:
            timeline.tick(now)
            written += timeline.unsaved
            timeline.saved()
    assert written <= seconds / RESTLESS_SECONDS + 2
    assert len(timeline.failovers) <= KEPT + 1


def test_what_passes_pushes_no_takeover_out() -> None:
    """A restless Service fills its own ring; both are bounded."""
    timeline = Timeline()
    for number in range(KEPT + 5):
        begin(timeline, cause=f"takeover {number}")
        timeline.settle()
    for number in range(KEPT + 5):
        now = 1000.0 + number * 100
        endpoint_lost(timeline, number, now)
        timeline.tick(now + JOIN_SECONDS)
    causes = [item.cause for item in timeline.failovers]
    assert causes == [
        *(f"takeover {n}" for n in range(5, KEPT + 5)),
        *(f"web-{n}" for n in range(5, KEPT + 5)),
    ]


def test_a_record_is_bounded_in_size() -> None:
    """A hundred routers and a long sentence do not fill the disk."""
    timeline = Timeline()
    begin(timeline, cause="x" * 10_000)
    timeline.commanded(1, routes=1, now=100.2)
    peers = {f"tor-{n:03d}": 100.2 + n / 1000 for n in range(100)}
    timeline.done(1, flushed=peers, now=101.0)
    (failover,) = timeline.failovers
    flushed = [detail for name, _, detail in steps(failover) if name == "flushed"]
    assert len(flushed) == MOST_PEERS
    assert (flushed[0], flushed[-1]) == ("tor-000", "tor-099"), "the first and the last"
    assert len(failover.cause) < 400


def test_of_a_storm_few_updates_are_watched() -> None:
    """Looking after each would cost ExaBGP its time; the first of a record is enough."""
    timeline = Timeline()
    watched = [sent(timeline, number, 100.0 + number / 1000) for number in range(1000)]
    assert 0 < sum(watched) <= 1.0 / WATCH_PAUSE + 1
    assert watched[0]


def test_messages_of_which_nobody_says_why_are_forgotten() -> None:
    """Configuration, however much of it; of the newest the reason may still come."""
    timeline = Timeline()
    for number in range(MOST + 10):
        sent(timeline, number, 100.0)
        timeline.done(number, flushed={"tor": 100.001}, now=100.001)
    cause = Cause(kind="withdraw", sentence="x", at=100.0, decided_at=100.0)
    timeline.why(5, cause, generation=1, now=100.1)
    assert timeline.failovers == ()
    timeline.why(MOST + 9, cause, generation=1, now=100.1)
    assert len(timeline.failovers) == 1


def test_few_failovers_wait_at_one_time() -> None:
    """A router that reads nothing does not collect them without end."""
    timeline = Timeline()
    for number in range(MOST_OPEN + 3):
        begin(timeline, cause=str(number))
        timeline.commanded(number, routes=1, now=100.2 + number)
    assert timeline.unsaved
    assert len(timeline.failovers) == MOST_OPEN + 3


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(99.99, 100.0 - 99.99, id="a moment ago"),
        pytest.param(150.0, 0.0, id="in the future"),
        pytest.param(100.0 - OLDEST_SECONDS - 1, 0.0, id="too long ago"),
    ],
)
def test_a_time_that_cannot_be_is_not_believed(at: float, expected: float) -> None:
    """The agent's clock is the kernel's, as ours; whoever says otherwise errs."""
    timeline = Timeline()
    sent(timeline, 1, 100.0)
    cause = Cause(kind="withdraw", sentence="a test", at=at, decided_at=at)
    timeline.why(1, cause, generation=7, now=100.02)
    (failover,) = timeline.failovers
    command = next(step for step in failover.steps if step.name == "command")
    assert command.milliseconds == pytest.approx(expected * 1000)


def test_what_was_kept_stays_in_order_after_a_restart() -> None:
    """The ring goes on over restarts; records of another boot keep that boot's ID."""
    timeline = Timeline(node="n1", boot="before")
    begin(timeline, "the first")
    timeline.settle()
    again = Timeline(timeline.saved(), node="n1", boot="after")
    begin(again, "the second")
    again.settle()
    assert [(one.cause, one.boot) for one in again.failovers] == [
        ("the first", "before"),
        ("the second", "after"),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "lost", "back", "done", "arrived", "failed", "tick"]),
            st.integers(0, 5),
        ),
        max_size=60,
    )
)
def test_no_order_of_events_breaks_the_record(story: list[tuple[str, int]]) -> None:
    """Answers may come late, twice or for nothing; steps stay in the order of time."""
    timeline = Timeline()
    now = 100.0
    for word, number in story:
        now += 0.3
        _happen(timeline, word, number, now)
    for failover in timeline.failovers:
        times = [step.milliseconds for step in failover.steps if step.name != "last"]
        assert times == sorted(times)
        assert failover.changes >= 1


def _happen(timeline: Timeline, word: str, number: int, now: float) -> None:
    match word:
        case "begin":
            timeline.begin(
                kind="raise", cause="x", cause_at=now - 0.1, decided_at=now, generation=number
            )
            timeline.commanded(number, routes=1, now=now)
        case "lost" | "back":
            kind = "withdraw" if word == "lost" else "return"
            sent(timeline, number, now)
            if number % 2:
                timeline.done(number, flushed={"tor": now}, now=now)
            cause = Cause(kind=kind, sentence="x", at=now - 0.1, decided_at=now)
            timeline.why(number, cause, generation=1, now=now + 0.02)
        case "done":
            timeline.done(number, flushed={"tor": now}, owed=["other"], now=now)
        case "arrived":
            timeline.arrived(number, peer="tor", flushed_at=now - 0.01, at=now, now=now)
        case "failed":
            timeline.failed(number, now)
        case _:
            timeline.tick(now)
