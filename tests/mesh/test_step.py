"""Step: members beat together, and nobody beats faster for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.step import in_step
from tests.mesh.world import World

INTERVAL = 0.05


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(0.05, 0.05, id="who has just beaten waits its full interval"),
        pytest.param(0.025, 0.0225, id="half way: a little sooner"),
        pytest.param(0.005, 0.0005, id="nearly due: nearly at once"),
        pytest.param(0.004, 0.0, id="due in a moment: at once"),
        pytest.param(-0.01, -0.01, id="overdue: stays overdue"),
    ],
)
def test_hearing_a_beat_hastens_ours(left: float, expected: float) -> None:
    """The nearer our own beat is, the more it is hastened."""
    assert in_step(10 + left, now=10, interval=INTERVAL) - 10 == pytest.approx(expected, abs=1e-9)


@given(st.floats(-1, 1), st.floats(0.01, 1))
def test_a_beat_is_never_delayed_nor_moved_into_the_past(left: float, interval: float) -> None:
    """Whatever was due when, it is due then or sooner, and not before now."""
    due = in_step(100 + left, now=100, interval=interval)
    assert due <= 100 + left
    assert due >= min(100, 100 + left)


@pytest.mark.parametrize("nodes", [2, 3, 5, 10, 16])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_mesh_falls_into_step_at_its_own_rate(nodes: int, seed: int) -> None:
    """After two seconds beats come within a fifth of an interval, at the rate configured."""
    world = World(nodes=nodes, seed=seed)
    world.run(2.0)
    sent = world.datagrams
    world.run(2.0)
    beats = sorted(node.mesh.deadline() or 0.0 for node in world.up())
    around = [*(beat % INTERVAL for beat in beats)]
    around.sort()
    gaps = [b - a for a, b in zip(around, [*around[1:], around[0] + INTERVAL], strict=True)]
    assert INTERVAL - max(gaps) < INTERVAL / 5
    rate = (world.datagrams - sent) / 2.0 / nodes / (nodes - 1)
    assert rate == pytest.approx(1 / INTERVAL, rel=0.1)
