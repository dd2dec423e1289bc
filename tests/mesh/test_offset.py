"""How another member's clock stands to ours: bounds that are never wrong, and soon narrow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.offset import DRIFT, EVERY, OLD_AFTER, Offset
from tests.mesh.world import World

milliseconds = st.floats(min_value=0.0, max_value=0.2)


def exchange(
    offset: Offset, *, at: float, truth: float, there: float, back: float, held: float
) -> None:
    """Let one echo go *there* and come *back* by *at*; the member *held* it so long."""
    arrived = at - back
    offset.heard(
        clock=arrived + truth,
        at=at,
        sent=arrived - held - there,
        age=int(held * 1000) / 1000,
    )


@given(
    truth=st.floats(min_value=-1e6, max_value=1e6),
    delays=st.lists(st.tuples(milliseconds, milliseconds, milliseconds), min_size=1, max_size=40),
)
def test_the_truth_is_never_outside(truth: float, delays: list[tuple[float, float, float]]) -> None:
    """However long datagrams take each way, the offset is within what the estimate says."""
    offset = Offset()
    at = 1000.0
    for there, back, held in delays:
        at += EVERY
        exchange(offset, at=at, truth=truth, there=there, back=back, held=held)
    found = offset.estimate(at)
    assert found is not None
    assert abs(found.offset - truth) <= found.uncertainty + 1e-6


def test_clocks_that_drift_stay_within() -> None:
    """Two clocks as far apart as crystals go are bracketed all the same."""
    offset = Offset()
    for second in range(1, 60):
        truth = 5.0 + second * DRIFT
        exchange(offset, at=float(second), truth=truth, there=0.0002, back=0.0001, held=0.0207)
        found = offset.estimate(float(second))
        assert found is not None
        assert abs(found.offset - truth) <= found.uncertainty + 1e-9


def test_several_seconds_say_more_than_one() -> None:
    """The age of an echo has whole milliseconds; its fractions differ, so the bounds close in."""
    dice = random.Random(7)
    offset = Offset()
    for second in range(1, 20):
        held = dice.uniform(0.0, 0.04)
        exchange(offset, at=float(second), truth=-3.0, there=1e-4, back=1e-4, held=held)
    found = offset.estimate(19.0)
    assert found is not None
    assert found.uncertainty < 0.0005


def test_a_clock_that_jumped_is_learned_anew() -> None:
    """What contradicts the newest interval is older than the jump, and counts no more."""
    offset = Offset()
    exchange(offset, at=1.0, truth=0.0, there=1e-4, back=1e-4, held=0.01)
    exchange(offset, at=2.0, truth=9.0, there=1e-4, back=1e-4, held=0.01)
    found = offset.estimate(2.0)
    assert found is not None
    assert found.offset == pytest.approx(9.0, abs=found.uncertainty)


def test_nobody_knows_the_clock_of_who_is_silent() -> None:
    """A member that said nothing for a while may have booted meanwhile."""
    offset = Offset()
    assert offset.estimate(1.0) is None
    exchange(offset, at=1.0, truth=0.0, there=1e-4, back=1e-4, held=0.01)
    assert offset.estimate(1.0 + OLD_AFTER) is not None
    assert offset.estimate(1.1 + OLD_AFTER) is None


def test_members_know_each_others_clocks_within_seconds() -> None:
    """In a mesh whose members share a clock every pair finds an offset of nothing."""
    world = World(nodes=3)
    world.run(5.0)
    for name, node in world.nodes.items():
        found = node.mesh.clocks(world.now)
        assert [one.member for one in found] == sorted(world.nodes.keys() - {name})
        for one in found:
            assert abs(one.milliseconds) <= one.uncertainty_milliseconds < 2.0
