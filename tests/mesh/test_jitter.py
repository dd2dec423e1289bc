"""Jitter: no more patience than the pair's own lateness asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.jitter import KNOWN_AFTER, LATE_SHARE, LEAST_SHARE, Jitter

INTERVAL = 0.05


def beaten(late: float = 0.0, beats: int = 100) -> Jitter:
    """Return what is known after *beats*, one of them *late*."""
    jitter = Jitter()
    for beat in range(1, beats + 1):
        lateness = late if beat == beats - 2 else 0.0
        jitter.arrived(beat, at=beat * INTERVAL + lateness, interval=INTERVAL)
    return jitter


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        pytest.param(Jitter(), LATE_SHARE * INTERVAL, id="nothing is known"),
        pytest.param(beaten(beats=KNOWN_AFTER - 1), LATE_SHARE * INTERVAL, id="not enough is"),
        pytest.param(beaten(), LEAST_SHARE * INTERVAL, id="always punctual"),
        pytest.param(beaten(late=0.004), 0.008, id="twice the worst lateness"),
        pytest.param(beaten(late=0.04), LATE_SHARE * INTERVAL, id="never more than the most"),
    ],
)
def test_patience(jitter: Jitter, expected: float) -> None:
    """Patience follows what was seen, within its bounds."""
    assert jitter.patience(INTERVAL) == pytest.approx(expected, rel=0.05)


def test_a_lost_heartbeat_is_not_a_late_one() -> None:
    """A gap of two intervals between beats 5 and 7 is punctual."""
    jitter = Jitter()
    for beat in (*range(1, 50), *range(51, 100)):
        jitter.arrived(beat, at=beat * INTERVAL, interval=INTERVAL)
    assert jitter.patience(INTERVAL) == pytest.approx(LEAST_SHARE * INTERVAL)


def test_lateness_is_forgotten() -> None:
    """Half a minute of punctuality ends the caution."""
    jitter = beaten(late=0.01)
    for beat in range(101, 700):
        jitter.arrived(beat, at=beat * INTERVAL, interval=INTERVAL)
    assert jitter.patience(INTERVAL) == pytest.approx(LEAST_SHARE * INTERVAL)


arrivals = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 1e6)), max_size=60)


@given(arrivals, st.floats(0.01, 1.0))
def test_patience_is_always_within_its_bounds(
    beats: list[tuple[int, float]], interval: float
) -> None:
    """Whatever arrives in whatever order, patience stays between its least and its most."""
    jitter = Jitter()
    for beat, at in beats:
        jitter.arrived(beat, at=at, interval=interval)
    patience = jitter.patience(interval)
    assert LEAST_SHARE * interval <= patience + 1e-12
    assert patience <= LATE_SHARE * interval + 1e-12
