"""The small parts of the reflex: presence, watchdog, drain, cadence, stance."""

from dataclasses import replace

import pytest

from bgpd.exabgp.command import Ping
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState, MemberStatus
from bgpd.speaker import stance
from bgpd.speaker.cadence import REPORT_PAUSE, REPORT_SECONDS, Cadence
from bgpd.speaker.effect import Note, SaveDesired, SaveMesh, Send
from bgpd.speaker.ending import FLUSH_SECONDS, Ending, Phase
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.presence import MISSED_SECONDS, AgentPresence
from bgpd.speaker.watchdog import PING_SECONDS, SILENT_SECONDS, Watchdog


def test_an_agent_that_never_came_is_absent_from_the_start() -> None:
    """The grace runs from our start, so a node that never gets an agent ends up in doubt."""
    presence = AgentPresence(now=10.0)
    assert presence.absent_since(11.0) == 10.0
    assert not presence.in_doubt(309.9, grace=300)
    assert presence.in_doubt(310.0, grace=300)


def test_a_connected_agent_that_stops_beating_hangs() -> None:
    """A socket that is open proves nothing about the process behind it."""
    presence = AgentPresence(now=0.0)
    presence.seen(10.0)
    assert presence.absent_since(10.0 + MISSED_SECONDS - 0.1) is None
    assert presence.absent_since(10.0 + MISSED_SECONDS) == 10.0


def test_an_agent_that_returns_ends_the_doubt() -> None:
    """One message is enough."""
    presence = AgentPresence(now=0.0)
    presence.lost()
    assert presence.in_doubt(400.0, grace=300)
    presence.seen(401.0)
    assert not presence.in_doubt(401.5, grace=300)


def test_an_agent_that_comes_again_and_is_not_understood_is_absent() -> None:
    """Its routes are followed by nobody, however often it connects."""
    presence = AgentPresence(now=0.0)
    presence.seen(10.0)
    for _ in range(300):
        presence.lost()
        presence.greeted()
    assert presence.absent_since(10.0 + MISSED_SECONDS) == 10.0
    assert presence.in_doubt(310.0, grace=300)


def tick(watchdog: Watchdog, start: float, seconds: float) -> bool:
    """Return the last verdict of pinging for *seconds* without an answer."""
    verdict = False
    for number in range(1, int(seconds / PING_SECONDS) + 1):
        verdict = watchdog.hangs(start + number * PING_SECONDS)
    return verdict


def test_exabgp_that_does_not_answer_hangs() -> None:
    """Three seconds of pings without an answer are the limit."""
    watchdog = Watchdog(now=0.0)
    watchdog.pong(0.0)
    assert not tick(watchdog, 0.0, SILENT_SECONDS)
    assert watchdog.hangs(SILENT_SECONDS + PING_SECONDS)


def test_exabgp_that_never_answered_is_still_starting() -> None:
    """The first answer arms the watchdog."""
    assert not tick(Watchdog(now=0.0), 0.0, 60.0)


def test_a_pause_of_our_own_proves_nothing() -> None:
    """When the machine slept, ExaBGP slept too: the count starts anew."""
    watchdog = Watchdog(now=0.0)
    watchdog.pong(0.0)
    assert not watchdog.hangs(60.0)
    assert not tick(watchdog, 60.0, SILENT_SECONDS)
    assert watchdog.hangs(60.0 + SILENT_SECONDS + PING_SECONDS)


def test_a_drain_walks_through_every_phase_once() -> None:
    """Demote, withdraw, settle, close, done: and there it stays."""
    drain = Ending()
    drain.begin(0.0, wait=1.0)
    walked = [drain.phase, *(drain.advance(1.0) for _ in range(6))]
    assert walked == [
        Phase.DEMOTED,
        Phase.WITHDRAWING,
        Phase.SETTLING,
        Phase.CLOSING,
        Phase.DONE,
        Phase.DONE,
        Phase.DONE,
    ]


def test_every_phase_of_a_drain_ends_by_itself() -> None:
    """A dead router or a hung ExaBGP delays a shutdown by a bounded time."""
    drain = Ending()
    drain.begin(0.0, wait=1.0)
    assert not drain.due(0.9)
    assert drain.due(1.0)
    now = 1.0
    while drain.advance(now) is not Phase.DONE:
        now += FLUSH_SECONDS
        assert drain.due(now)


def test_a_second_signal_does_not_restart_the_drain() -> None:
    """The wait is measured from the first."""
    drain = Ending()
    drain.begin(0.0, wait=1.0)
    drain.begin(0.9, wait=1.0)
    assert drain.due(1.0)


def test_a_burst_of_changes_is_one_report() -> None:
    """The first change of a burst sets the time; later ones do not push it away."""
    cadence = Cadence(now=0.0)
    assert cadence.report_due(0.0)
    assert cadence.deadline == REPORT_SECONDS
    for moment in (1.0, 1.05, 1.09):
        cadence.report_soon(moment)
    assert not cadence.report_due(1.09)
    assert cadence.report_due(1.1)
    assert not cadence.report_due(1.2)


def test_the_pace_of_reports_follows_their_cost() -> None:
    """With ten thousand routes a report a tenth of a second would take the whole core."""
    cadence = Cadence(0.0)
    assert cadence.report_due(0.0)
    cadence.reported(0.05, 0.0)
    cadence.report_soon(0.1)
    assert not cadence.report_due(0.9)
    assert cadence.report_due(1.0), "a twentieth of the time"
    cadence.reported(0.0001, 1.0)
    cadence.report_soon(1.0)
    assert cadence.report_due(1.0 + REPORT_PAUSE), "a small one as soon as ever"
    cadence.reported(1.0, 2.0)
    assert not cadence.report_due(2.0 + REPORT_SECONDS), "and the regular one waits as well"


def member(name: str, state: MemberState = MemberState.ALIVE, **facts: bool) -> MemberStatus:
    """Return a member in *state*."""
    return MemberStatus(
        name=name,
        address=Address("10.0.0.1"),
        state=state,
        agent_alive=facts.get("agent_alive", True),
        draining=facts.get("draining", False),
        doubtful=facts.get("doubtful", False),
        partial=facts.get("partial", False),
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param((), set(), id="nobody else is known"),
        pytest.param((member("n1"),), set(), id="only ourselves"),
        pytest.param((member("n2"), member("n3")), {"n2", "n3"}, id="others live"),
        pytest.param((member("n2", draining=True),), set(), id="the other drains too"),
        pytest.param((member("n2", MemberState.DEAD),), set(), id="the other is dead"),
        pytest.param((member("n2", partial=True),), set(), id="the other has just started"),
        pytest.param((member("n2", doubtful=True),), {"n2"}, id="the other is in doubt, but there"),
    ],
)
def test_who_stays(members: tuple[MemberStatus, ...], expected: set[str]) -> None:
    """GRACEFUL_SHUTDOWN with nobody else there would only hurt."""
    assert stance.staying(members, NodeName("n1")) == expected


def test_a_member_without_a_session_carries_nothing() -> None:
    """It says which routers it has; where we have one ourselves, one without is cut off."""
    cut_off = member("n2")
    there = replace(member("n3"), router_ids=(Address("10.9.0.1"),))
    assert stance.staying((cut_off, there), NodeName("n1"), connected=True) == {"n3"}
    assert stance.staying((cut_off, there), NodeName("n1"), connected=False) == {"n2", "n3"}


@pytest.mark.parametrize(
    ("members", "we_are", "expected"),
    [
        pytest.param((member("n2"), member("n3")), True, False, id="one of three"),
        pytest.param((member("n2", agent_alive=False), member("n3")), True, True, id="two of 3"),
        pytest.param((member("n2", doubtful=True), member("n3")), True, True, id="an ill one"),
        pytest.param((member("n2", doubtful=True), member("n3")), False, False, id="one ill of 3"),
        pytest.param((member("n2"),), True, True, id="one of two"),
        pytest.param((member("n2"), member("n3")), False, False, id="none"),
    ],
)
def test_half_are_in_doubt(members: tuple[MemberStatus, ...], we_are: bool, expected: bool) -> None:
    """When half of them are, doubt says nothing about this node in particular."""
    assert stance.half_are_in_doubt(members, we_are=we_are) is expected


def test_nothing_waits_for_the_disk_or_the_log() -> None:
    """Commands keep their order and go first: writing two files takes longer than a raise."""
    outbox = Outbox()
    outbox.note("warning", "generation_raised")
    outbox.put(SaveMesh())
    outbox.send(Ping(id=1))
    outbox.put(SaveDesired())
    outbox.send(Ping(id=2))
    kinds = [type(item) for item in outbox.empty()]
    assert kinds == [Send, Send, Note, SaveMesh, SaveDesired]
    assert outbox.empty() == []
