"""The figures: what a gap is, which flows count, what is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.figures import Flow, measure, percentile, summarize

TICK = 0.004


def flow(*, silent: tuple[float, float] | None = None, node: str = "n1", after: str = "n2") -> Flow:
    """Return two seconds of a flow that hears nothing in *silent*, then another node."""
    sent = tuple(i * TICK for i in range(500))
    start, end = silent or (9.0, 9.0)
    answers = tuple(
        (i, at + 0.0002, node if at < start else after)
        for i, at in enumerate(sent)
        if not start <= at < end
    )
    return Flow(sent=sent, answers=answers)


def record(*flows: Flow, late: list[tuple[float, float]] | None = None) -> dict[str, Any]:
    """Return what the client would have written."""
    return {
        "udp": [{"sent": list(f.sent), "answers": list(f.answers)} for f in flows],
        "tcp": [{"breaks": [(1.2, "n1", "ConnectionResetError"), (1.3, "n3", "closed")]}],
        "late": late or [],
    }


def test_the_gap_is_the_longest_time_without_an_arrival() -> None:
    """A flow that hears nothing from 1.0 to 1.15 s has a gap of about 150 ms."""
    gap, start, end = flow(silent=(1.0, 1.15)).worst_gap(1.0, 1.9)
    assert 0.145 <= gap <= 0.16
    assert start <= 1.0
    assert end >= 1.15


def test_silence_until_the_end_is_a_gap_too() -> None:
    """A flow that never recovers has a gap up to the end of what was watched."""
    gap, _, end = flow(silent=(1.0, 9.0)).worst_gap(1.0, 1.9)
    assert gap >= 0.9
    assert end == 1.9


def test_silence_that_began_before_the_fault_counts_from_its_own_beginning() -> None:
    """The last answer before the fault is where silence starts, not the fault itself."""
    gap, start, _ = flow(silent=(0.9, 1.2)).worst_gap(1.0, 1.9)
    assert start < 0.9
    assert gap > 0.29


def test_an_answer_that_comes_late_is_no_comfort() -> None:
    """All packets are answered at once after a second: nothing is lost, and the gap is a second."""
    sent = tuple(i * TICK for i in range(500))
    late = Flow(
        sent=sent,
        answers=tuple((i, at if at < 0.5 else max(at, 1.5), "n1") for i, at in enumerate(sent)),
    )
    assert late.lost(0.0, 2.0) == 0
    assert late.worst_gap(0.5, 1.9)[0] > 0.99


def test_only_flows_of_the_affected_node_say_something_about_the_fault() -> None:
    """The other flows are measured apart."""
    figures = measure(
        record(flow(silent=(1.0, 1.15)), flow(node="n3", after="n3")), affected=("n1",), begin=1.0
    )
    assert figures.affected_flows == 1
    assert figures.worst_flow_gap_ms is not None
    assert figures.worst_flow_gap_ms > 140
    assert figures.other_flows_gap_ms is not None
    assert figures.other_flows_gap_ms < 10
    assert figures.lost == figures.lost_affected > 30
    assert figures.lost_other == 0


def test_no_flow_on_the_affected_node_is_null_and_never_zero() -> None:
    """A run that measured nothing says so."""
    figures = measure(record(flow(node="n3", after="n3")), affected=("n1",), begin=1.0)
    assert figures.affected_flows == 0
    assert figures.worst_flow_gap_ms is None


def test_resets_on_healthy_nodes_are_counted_apart() -> None:
    """The router's hash moves connections of healthy nodes: that is not the dead node's doing."""
    figures = measure(record(flow()), affected=("n1",), begin=1.0)
    assert (figures.tcp_resets_affected, figures.tcp_resets_healthy) == (1, 1)


def test_the_client_says_how_late_it_was_itself() -> None:
    """Only lateness while the fault was watched counts."""
    figures = measure(record(flow(), late=[(0.1, 300.0), (1.5, 42.0)]), affected=("n1",), begin=1.0)
    assert figures.client_late_ms == 42.0


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)], ids=str
)
def test_percentiles_are_values_that_occurred(share: float, expected: int) -> None:
    """Nearest rank: no interpolation between runs."""
    assert percentile(list(range(1, 101)), share) == expected


def test_a_summary_leaves_out_what_was_not_measured() -> None:
    """Null is not zero, and a series of nulls has no summary."""
    assert summarize([None, 3.0, 1.0]) == {"p50": 1.0, "p99": 3.0, "max": 3.0, "count": 2}
    assert summarize([None, None]) is None


@given(st.lists(st.floats(min_value=0, max_value=2, allow_nan=False), max_size=40))
def test_the_worst_gap_is_never_shorter_than_any_silence(arrivals: list[float]) -> None:
    """No interval between two arrivals inside the window exceeds the reported gap."""
    ordered = sorted(arrivals)
    gap, start, end = Flow(
        sent=(), answers=tuple((i, at, "n1") for i, at in enumerate(ordered))
    ).worst_gap(0.5, 1.5)
    inside = [at for at in ordered if 0.5 <= at <= 1.5]
    for first, second in zip([0.5, *inside], [*inside, 1.5], strict=True):
        assert gap >= second - first - 1e-9
    assert end - start == pytest.approx(gap)
