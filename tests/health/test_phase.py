"""Probes are spread over their period, and stay at their place."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.phase import SOON, first_due, looked_at, next_due, place, slotted

_UNIT = st.floats(0, 1, exclude_max=True)
_PERIODS = st.floats(0.05, 3600)


@given(now=st.floats(0, 1e7), period=_PERIODS, where=_UNIT)
def test_the_next_moment_is_ahead_and_within_a_period(
    now: float, period: float, where: float
) -> None:
    """It is after now, and no more than a period (and what floats cannot tell) after it."""
    due = next_due(now, period, where)
    assert now < due <= now + period * (1 + 1e-9) + 1e-6


@given(now=st.floats(0, 1e6), period=_PERIODS, where=_UNIT, steps=st.integers(1, 20))
def test_moments_are_a_period_apart(now: float, period: float, where: float, steps: int) -> None:
    """Whoever asks at each moment keeps the period, without drift."""
    first = due = next_due(now, period, where)
    for _ in range(steps):
        due = next_due(due + period / 1000, period, where)
    assert abs(due - first - steps * period) < 1e-5


@given(now=st.floats(0, 1e7), period=_PERIODS, jitter=_UNIT)
def test_something_new_is_asked_soon(now: float, period: float, jitter: float) -> None:
    """An hour's period does not mean an hour of knowing nothing."""
    assert now <= first_due(now, period, jitter) <= now + min(period, SOON)


@given(salt=_UNIT)
def test_thousands_of_keys_do_not_bunch(salt: float) -> None:
    """Of 2,000 endpoints of one Service, each twentieth of the period gets about its share."""
    places = [place(("default/web", f"10.0.{n // 250}.{n % 250}"), salt) for n in range(2000)]
    assert all(0 <= where < 1 for where in places)
    shares = Counter(int(where * 20) for where in places)
    assert len(shares) == 20
    assert max(shares.values()) < 160


def test_two_nodes_ask_the_same_thing_at_different_moments() -> None:
    """The salt of a process moves all places alike."""
    assert place("web", 0.0) != place("web", 0.5)
    assert abs((place("web", 0.5) - place("web", 0.0)) % 1 - 0.5) < 1e-9


@given(where=_UNIT, period=_PERIODS)
def test_a_slot_begins_before_what_it_holds(where: float, period: float) -> None:
    """It is a tenth of the period at most, and 10 ms where a period has room for that."""
    begin = slotted(where, period)
    assert 0 <= begin < 1
    assert -1e-9 <= where - begin <= 0.1 + 1e-9
    assert (where - begin) * period <= max(0.011, period / 100) + 1e-6


def test_places_of_a_period_are_few() -> None:
    """2,500 things that are asked each 12.8 s wake nobody more often than eight times a second."""
    assert len({slotted(number / 2500, 12.8) for number in range(2500)}) == 100
    assert len({slotted(number / 2500, 0.1) for number in range(2500)}) == 10


@given(deadline=st.floats(0, 1e7), timeout=st.floats(0.01, 60))
def test_a_deadline_is_looked_at_soon_after_it(deadline: float, timeout: float) -> None:
    """Never before it, and within a tenth of the wait and 10 ms of it."""
    assert 0 <= looked_at(deadline, timeout) - deadline <= min(0.01, timeout / 10) + 1e-6
