"""A process that tells Prometheus what cannot be is found out, by whichever rule it breaks."""

import shutil
from collections.abc import Iterable

import pytest

from tests.lab.agreement import YOUNG, At
from tests.lab.plan import Plan
from tests.lab.truth import PROMTOOL, Told, Truth
from tests.lacking import lacking

HERE: At = ("n1", 1, 4)
AT = 1000.0
GOOD = {"up": 1, "raises": 3, "start": AT - YOUNG - 60}


def told(at: float = AT, *, process: str = "speaker", **numbers: float | None) -> Told:
    """Return an answer: whether the session is up, a counter, and since when the process runs."""
    known = GOOD | numbers
    lines = [
        "# HELP bgpd_bgp_session_up Whether it is.\n# TYPE bgpd_bgp_session_up gauge",
        f'bgpd_bgp_session_up{{peer="router-n1-v4"}} {known["up"]}',
        "# HELP bgpd_raises_total Raises.\n# TYPE bgpd_raises_total counter",
        f"bgpd_raises_total {known['raises']}",
        "# HELP process_start_time_seconds When.\n# TYPE process_start_time_seconds gauge",
        f"process_start_time_seconds {known['start']}",
    ]
    text = "".join(f"{line}\n" for line in lines if not line.endswith(" None"))
    return Told("n1", process, at, text=text)


def problems(*every: Told, router: bool = True) -> list[str]:
    """Return what is wrong after a round of each of *every*, at the times at which it was told."""
    truth = Truth(Plan())
    for one in every:
        looks = {HERE: router}
        truth.hold(one.at, [one], looks, looks, lambda _: False)
    return truth.findings.problems


def test_what_is_true_is_no_problem() -> None:
    """Counters grow, and the gauge says what the router says."""
    assert problems(told(), told(AT + 5, raises=4), told(AT + 9, raises=4)) == []


def test_a_counter_that_went_back_is_found() -> None:
    """Also where the series was away in between: Prometheus would count it all once more."""
    gone = told(AT + 5, raises=None)
    for rounds in ([told(), told(AT + 5, raises=2)], [told(), gone, told(AT + 9, raises=2)]):
        assert problems(*rounds) == ["n1's speaker: bgpd_raises_total went from 3 back to 2"]


def test_another_process_counts_from_zero() -> None:
    """Its start says that it is another one; and an agent is no speaker."""
    assert problems(told(), told(AT + 5, raises=0, start=AT - YOUNG)) == []
    assert problems(told(), told(AT + 5, process="agent", raises=0)) == []


@pytest.mark.parametrize(
    ("said", "router"),
    [
        pytest.param(1, False, id="up, and the router has no session"),
        pytest.param(0, True, id="down, and the router has one"),
        pytest.param(None, True, id="silent about a session that the router has"),
    ],
)
def test_a_gauge_that_the_router_contradicts_is_found(said: float | None, router: bool) -> None:
    """Once it does so for longer than a moment."""
    rounds = [told(AT + after, up=said) for after in (0, 0.5, 1, 1.5)]
    (problem,) = problems(*rounds, router=router)
    assert "the router says" in problem


def test_a_speaker_that_has_just_started_may_not_know_yet() -> None:
    """It has to hear of its peers first."""
    young = [told(AT + after, up=0, start=AT) for after in (0.5, 2, YOUNG - 0.1)]
    assert problems(*young) == []


def test_an_answer_that_cannot_be_read_is_found() -> None:
    """With the process that gave it; none at all is none."""
    broken = Told("n2", "agent", AT, text="up 1")
    assert problems(broken) == ["n2's agent: the last line has no end: it was cut off"]
    assert problems(Told("n2", "agent", AT, error="refused")) == []


def linted(texts: Iterable[str]) -> list[str]:
    """Return what promtool says of answers."""
    truth = Truth(Plan())
    for text in texts:
        truth.hold(AT, [Told("n1", "agent", AT, text=text)], {}, {}, lambda _: False)
    truth.lint(set())
    assert not truth.findings.unlinted
    return truth.findings.problems


def test_a_badly_named_metric_is_found() -> None:
    """Wherever in a recording it was."""
    if shutil.which(PROMTOOL) is None:
        lacking(f"{PROMTOOL} is not installed", unproven="badly named metrics are found")
    good = "# HELP bgpd_x_total X.\n# TYPE bgpd_x_total counter\nbgpd_x_total 1\n"
    bad = "# HELP bgpd_y Y.\n# TYPE bgpd_y counter\nbgpd_y 1\n"
    assert linted([good]) == []
    (problem,) = linted([good, bad, good])
    assert "bgpd_y" in problem
    assert "_total" in problem
