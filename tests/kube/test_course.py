"""Every way for a request to end has a next request, a pause and a sentence."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.backoff import LONGEST, MOST_TOLD, UNREACHABLE
from bgpd.kube.course import (
    HEAD_WITHIN,
    SYNC_IDLE,
    WATCH_SECONDS,
    Backwards,
    Broken,
    Course,
    Ended,
    Outcome,
    Past,
    Phase,
    Reason,
    Refused,
    Untrusted,
    reason_of,
)
from bgpd.kube.watchline import Status

ALMOST = 0.999


def refused(code: int, *, within: bool = False, retry_after: float = 0.0) -> Refused:
    """Return a refusal with that code."""
    return Refused(Status(code=code, reason="R", message="m", retry_after=retry_after), within)


def course(phase: Phase, *, ours: bool = False) -> Course:
    """Return a course in *phase*, at version 7 where it watches."""
    found = Course(ours=ours)
    if phase is Phase.LIST:
        found.after(refused(400), healthy=99, chance=0)
    elif phase is Phase.WATCH:
        found.completed("7")
    return found


ROWS: Sequence[tuple[str, Phase, Outcome, Phase, bool]] = (
    ("a watch that ends is watched again at once", Phase.WATCH, Ended(), Phase.WATCH, True),
    ("a stream that ends too early is asked again", Phase.STREAM, Ended(), Phase.STREAM, False),
    ("a version that is gone asks for the state", Phase.WATCH, refused(410), Phase.STREAM, True),
    (
        "the same within the stream",
        Phase.WATCH,
        refused(410, within=True),
        Phase.STREAM,
        True,
    ),
    ("a page that is gone begins the list anew", Phase.LIST, refused(410), Phase.STREAM, True),
    ("a server without streams is asked for pages", Phase.STREAM, refused(422), Phase.LIST, True),
    ("an older word for the same", Phase.STREAM, refused(400), Phase.LIST, True),
    ("a selector that is not known is left out", Phase.LIST, refused(400), Phase.STREAM, True),
    ("a broken watch goes on where it was", Phase.WATCH, Broken("b"), Phase.WATCH, False),
    ("a broken list begins anew", Phase.LIST, Broken("b"), Phase.STREAM, False),
    ("an error within a watch asks for the state", Phase.WATCH, refused(500, within=True),
     Phase.STREAM, False),
    ("a busy server is asked the same later", Phase.WATCH, refused(429), Phase.WATCH, False),
    ("an answer from the past asks again", Phase.WATCH, Past("3"), Phase.STREAM, False),
    ("a watch that goes back asks for the state", Phase.WATCH, Backwards(), Phase.STREAM, True),
    ("a token that ended is read anew at once", Phase.WATCH, refused(401), Phase.WATCH, True),
    ("no right to watch waits", Phase.WATCH, refused(403), Phase.WATCH, False),
    ("an impostor is asked again", Phase.WATCH, Untrusted("u"), Phase.WATCH, False),
)  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "outcome", "then", "at_once"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_follows_the_first(phase: Phase, outcome: Outcome, then: Phase, at_once: bool) -> None:
    """Each row is one way to end, from a phase, after a healthy time."""
    one = course(phase)
    step = one.after(outcome, healthy=60.0, chance=ALMOST)
    assert one.phase is then
    assert (step.delay == 0.0) is at_once
    if then is Phase.WATCH:
        assert one.parameters(0.0)["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("outcome", "reason", "first"),
    [
        pytest.param(Broken("b", reached=False), Reason.UNREACHABLE, False, id="unreachable"),
        pytest.param(Untrusted("u"), Reason.UNTRUSTED, True, id="an impostor, at once"),
        pytest.param(refused(401), Reason.UNAUTHORIZED, False, id="the new token is no better"),
        pytest.param(refused(503), Reason.REFUSED, False, id="busy"),
        pytest.param(Past("3"), Reason.PAST, True, id="the past, at once"),
    ],
)
def test_what_a_person_hears(outcome: Outcome, reason: Reason, first: bool) -> None:
    """What a restart of the server explains is worth a word the second time only."""
    one = course(Phase.WATCH, ours=True)
    step = one.after(outcome, healthy=60.0, chance=ALMOST)
    assert (step.trouble is not None) is first
    step = one.after(outcome, healthy=0.0, chance=ALMOST)
    assert step.trouble is not None
    assert step.trouble.reason is reason


@pytest.mark.parametrize(("code", "reason"), [(403, Reason.FORBIDDEN), (404, Reason.MISSING)])
def test_a_server_that_starts_refuses_for_a_while(code: int, reason: Reason) -> None:
    """It forbids and misses everything until it has read its roles; what never worked is news."""
    new = Course(ours=True).after(refused(code), healthy=0.0, chance=ALMOST)
    assert new.trouble is not None
    assert not new.wakeable
    one = course(Phase.WATCH, ours=True)
    steps = [one.after(refused(code), healthy=0.0, chance=ALMOST) for _ in range(3)]
    assert [step.trouble and step.trouble.reason for step in steps] == [None, None, reason]
    assert all(step.wakeable for step in steps)
    assert sum(step.delay for step in steps) < 1.5, "sooner than a removal of configuration counts"


def test_a_token_that_is_refused_for_long_is_read_anew_every_few_seconds() -> None:
    """Its replacement may come at any moment, and must not wait for half a minute."""
    one = course(Phase.WATCH)
    steps = [one.after(refused(401), healthy=0.0, chance=ALMOST) for _ in range(20)]
    assert steps[0].delay == 0.0
    assert all(step.renew and step.delay <= UNREACHABLE for step in steps)


def test_the_long_pauses_of_an_outage_end_with_it() -> None:
    """The first refusal of a server that is back is a first failure."""
    one = course(Phase.WATCH)
    for _ in range(20):
        one.after(Broken("b", reached=False), healthy=0.0, chance=ALMOST)
    for code in (403, 503):
        assert one.after(refused(code), healthy=0.0, chance=ALMOST).delay < 1.0


def test_kinds_that_most_clusters_never_have_are_looked_for_rarely() -> None:
    """A thousand agents ask for MetalLB's; a CRD of ours may be installed any second."""
    longest = {}
    for foreign in (False, True):
        one = Course(ours=True, foreign=foreign)
        steps = [one.after(refused(404), healthy=0.0, chance=ALMOST) for _ in range(20)]
        assert sum(step.delay for step in steps[:5]) < 10, "it may just be starting"
        longest[foreign] = max(step.delay for step in steps)
    assert longest[False] <= 10
    assert longest[True] > 300


def test_a_kind_of_kubernetes_itself_is_never_not_installed() -> None:
    """A 404 for Services is a server that is not one; nothing is known from it."""
    one = course(Phase.WATCH)
    one.after(refused(404), healthy=0.0, chance=0.0)
    step = one.after(refused(404), healthy=0.0, chance=0.0)
    assert step.trouble is not None
    assert step.trouble.reason is Reason.REFUSED


def test_the_second_end_in_a_row_waits() -> None:
    """A server that ends every watch at once must not be asked five thousand times a second."""
    one = course(Phase.WATCH)
    assert one.after(Ended(), healthy=0.1, chance=ALMOST).delay == 0.0
    assert one.after(Ended(), healthy=0.1, chance=ALMOST).delay > 0.1
    assert one.after(Ended(), healthy=60.0, chance=ALMOST).delay == 0.0


def test_what_cannot_be_reached_is_tried_every_few_seconds_and_at_once_when_another_is() -> None:
    """An outage must end within seconds of its cause."""
    one = course(Phase.WATCH)
    steps = [one.after(Broken("b", reached=False), healthy=0, chance=ALMOST) for _ in range(50)]
    assert all(step.wakeable for step in steps)
    assert max(step.delay for step in steps) < 4.0
    assert one.head_within == HEAD_WITHIN[-1]


@pytest.mark.parametrize("healthy", [0.0, SYNC_IDLE, 360.0], ids="after {} s".format)
def test_a_stream_that_never_completes_becomes_a_list(healthy: float) -> None:
    """Something in between may swallow streams, after a good head and for as long as it likes."""
    one = course(Phase.STREAM)
    phases = []
    for _ in range(4):
        one.after(Broken("it answered nothing"), healthy=healthy, chance=0.0)
        phases.append(one.phase)
    assert phases == [Phase.STREAM, Phase.LIST, Phase.STREAM, Phase.LIST]


def test_requests_say_what_the_phase_asks_for() -> None:
    """A list is read without a version: with one, the server ignores the limit."""
    assert course(Phase.LIST).parameters(0.0) == {"limit": "500"}
    one = course(Phase.LIST)
    one.turned("token")
    assert one.parameters(0.0)["continue"] == "token"
    stream = course(Phase.STREAM).parameters(ALMOST)
    assert stream["sendInitialEvents"] == "true"
    assert "resourceVersion" not in stream
    least, most = WATCH_SECONDS
    assert least <= int(stream["timeoutSeconds"]) < most


OUTCOMES = st.one_of(
    st.sampled_from([Ended(), Past("1"), Backwards(), Untrusted("u")]),
    st.builds(Broken, st.just("b"), st.booleans()),
    st.builds(refused, st.integers(200, 599), within=st.booleans(), retry_after=st.floats(0, 1e6)),
)


@given(st.lists(st.tuples(OUTCOMES, st.floats(0, 100), st.floats(0, ALMOST)), max_size=30))
def test_no_story_stops_a_watch_or_runs_hot(
    story: list[tuple[Outcome, float, float]],
) -> None:
    """Pauses are bounded, and of four unhealthy rounds in a row at least one waits."""
    one = Course(ours=True)
    at_once = 0
    for outcome, healthy, chance in story:
        step = one.after(outcome, healthy=healthy, chance=max(chance, 0.01))
        assert 0 <= step.delay <= max(LONGEST, MOST_TOLD)
        at_once = 0 if step.delay or healthy >= 10 else at_once + 1
        assert at_once <= 4
        assert one.parameters(chance)


def test_a_guess_that_fails_makes_no_pause_longer() -> None:
    """A server that starts wakes a watch with each answer to another one: seven within a moment."""
    one = course(Phase.WATCH)
    step = one.after(refused(429, retry_after=1.0), healthy=0, chance=ALMOST)
    for _ in range(20):
        one.woken()
        step = one.after(refused(429, retry_after=1.0), healthy=0, chance=ALMOST)
    assert step.delay == 1.0
    assert one.after(refused(500), healthy=0, chance=ALMOST).delay < 1.0


def test_a_wake_leaves_a_second_of_what_the_server_asks_for() -> None:
    """Guesses within milliseconds would be in vain, and a server that starts asks for too much."""
    one = course(Phase.WATCH)
    step = one.after(refused(503, retry_after=5.0), healthy=60, chance=0.0)
    assert step.wakeable
    assert (step.least, step.delay) == (1.0, 5.0)


def test_a_server_that_is_killed_every_few_seconds_is_found_again_within_seconds() -> None:
    """Old failures fade before they are forgotten: else a crash loop ends in pauses of 30 s."""
    one = course(Phase.WATCH)
    for _ in range(20):
        broken = one.after(Broken("b"), healthy=5.0, chance=ALMOST)
        starting = one.after(refused(503), healthy=0.0, chance=ALMOST)
        expired = one.after(refused(410, within=True), healthy=0.0, chance=ALMOST)
        assert max(broken.delay, starting.delay, expired.delay) < UNREACHABLE
        one.completed("8")


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        pytest.param(Broken("b"), Reason.UNREACHABLE, id="no answer, or half of one"),
        pytest.param(Untrusted("u"), Reason.UNTRUSTED, id="somebody else answers"),
        pytest.param(refused(401), Reason.UNAUTHORIZED, id="an expired token"),
        pytest.param(refused(403), Reason.FORBIDDEN, id="a missing role"),
        pytest.param(refused(404), Reason.MISSING, id="a CRD that is not installed"),
        pytest.param(refused(410), Reason.REFUSED, id="a version that is gone"),
        pytest.param(refused(500, within=True), Reason.REFUSED, id="an error in the stream"),
        pytest.param(Past("3"), Reason.PAST, id="an answer from the past"),
        pytest.param(Backwards(), Reason.PAST, id="a watch that goes back"),
    ],
)
def test_every_failure_is_counted_by_the_word_of_its_condition(
    failed: Refused | Broken | Untrusted | Past | Backwards, reason: Reason
) -> None:
    """Also one that is not worth a condition yet."""
    assert reason_of(failed) is reason
