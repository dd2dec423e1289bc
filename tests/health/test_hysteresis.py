"""How many answers change a mind: tables, then properties."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.hysteresis import Hysteresis
from bgpd.model.health import Health, Rhythm

_H, _U, _N = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
_ANSWERS = {"+": True, "-": False, "?": None}


def believed(answers: Sequence[bool | None], *, failures: int, successes: int) -> list[Health]:
    """Return what is believed after each of *answers*."""
    rhythm = Rhythm(failure_threshold=failures, success_threshold=successes)
    hysteresis = Hysteresis(rhythm)
    return [hysteresis.observe(answer, float(at)) for at, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "failures", "successes", "expected"),
    [
        pytest.param("+", 3, 1, [_H], id="one success is enough where one is asked for"),
        pytest.param("+++", 3, 3, [_N, _N, _H], id="nothing is known before the third success"),
        pytest.param("--", 3, 1, [_N, _N], id="two failures of three change nothing"),
        pytest.param("---", 3, 1, [_N, _N, _U], id="three failures of three are Unhealthy"),
        pytest.param("+--+--", 3, 1, [_H] * 6, id="a success between failures begins anew"),
        pytest.param("--++-++", 2, 3, [_N, *[_U] * 6], id="a failure between successes does, too"),
        pytest.param("+---+", 3, 1, [_H, _H, _H, _U, _H], id="it comes back"),
        pytest.param("+??", 3, 1, [_H] * 3, id="not being able to ask changes nothing at first"),
        pytest.param("+???", 3, 1, [_H, _H, _H, _N], id="what was known long ago is Unknown"),
        pytest.param("+--?-", 3, 1, [_H] * 5, id="failures that are not in a row do not count"),
    ],
)
def test_answers(answers: str, failures: int, successes: int, expected: list[Health]) -> None:
    """So many equal answers in a row change what is believed, and nothing else does."""
    given_answers = [_ANSWERS[answer] for answer in answers]
    assert believed(given_answers, failures=failures, successes=successes) == expected


def test_since_is_the_moment_of_the_last_change() -> None:
    """`since` says when the belief changed, not when it was confirmed."""
    hysteresis = Hysteresis(Rhythm(failure_threshold=2))
    assert hysteresis.since is None
    for at, answer in enumerate((True, True, False, False, False)):
        hysteresis.observe(answer, float(at))
    assert hysteresis.since == 3.0


def test_another_rhythm_begins_with_what_was_believed() -> None:
    """A health that was given at the beginning stays until answers speak against it."""
    hysteresis = Hysteresis(Rhythm(failure_threshold=2), Health.HEALTHY)
    assert hysteresis.observe(False, 0.0) is Health.HEALTHY
    assert hysteresis.observe(False, 1.0) is Health.UNHEALTHY


_COUNTS = st.integers(1, 5)
_LISTS = st.lists(st.sampled_from([True, False, None]), max_size=60)


@given(answers=_LISTS, failures=_COUNTS, successes=_COUNTS)
def test_never_flips_within_a_threshold(
    answers: list[bool | None], failures: int, successes: int
) -> None:
    """Each change is preceded by a whole threshold of the answers that it stands for."""
    before = Health.UNKNOWN
    meaning = {_H: (True, successes), _U: (False, failures), _N: (None, failures)}
    states = believed(answers, failures=failures, successes=successes)
    for at, health in enumerate(states):
        if health is not before:
            answer, threshold = meaning[health]
            assert answers[max(at + 1 - threshold, 0) : at + 1] == [answer] * threshold
        before = health


@given(answers=_LISTS, failures=_COUNTS, successes=_COUNTS)
def test_enough_equal_answers_always_convince(
    answers: list[bool | None], failures: int, successes: int
) -> None:
    """Whatever came before, a threshold of equal answers decides."""
    for answer, threshold, expected in ((True, successes, _H), (False, failures, _U)):
        states = believed([*answers, *[answer] * threshold], failures=failures, successes=successes)
        assert states[-1] is expected
