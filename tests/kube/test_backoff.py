"""Pauses grow, are random, and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube.backoff import LONGEST, MOST_TOLD, UNREACHABLE, pause, retry_after


@pytest.mark.parametrize(
    ("failures", "limit"), [(0, 0.1), (1, 0.2), (2, 0.4), (5, 3.2), (8, 25.6), (9, 30.0)]
)
def test_the_limit_doubles_up_to_the_longest(failures: int, limit: float) -> None:
    """From a tenth of a second to half a minute; the pause is any part of it."""
    assert pause(failures, 0.5) == pytest.approx(limit / 2)
    assert pause(failures, 0.0) == 0.0


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True), st.floats(0, 1e9))
def test_no_pause_is_longer_than_what_was_promised(
    failures: int, chance: float, told: float
) -> None:
    """However often it failed, and whatever the server asks for."""
    assert 0 <= pause(failures, chance) < LONGEST
    assert pause(failures, chance, most=UNREACHABLE) < UNREACHABLE
    assert min(told, MOST_TOLD) <= pause(failures, chance, told=told) <= MOST_TOLD


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-1", 0.0), ("9" * 99, 60.0)],
)
def test_retry_after_is_believed_within_reason(text: str, seconds: float) -> None:
    """A date depends on two clocks, and nonsense must not stop a watch for a year."""
    assert retry_after(text) == seconds
