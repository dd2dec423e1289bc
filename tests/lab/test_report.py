"""The judgment: which findings break a fault's promise, and how a series is told."""

from dataclasses import replace

import pytest

from tests.lab.faults import FAULTS
from tests.lab.figures import TrafficFigures
from tests.lab.plan import Plan
from tests.lab.report import Run, judge, report, table

TRAFFIC = TrafficFigures(
    affected_flows=4,
    worst_flow_gap_ms=150.0,
    other_flows_gap_ms=8.0,
    sent=6000,
    lost=120,
    lost_affected=120,
    lost_other=0,
    worst_flow_lost=30,
    client_late_ms=0.0,
    tcp_connections=4,
    tcp_resets_affected=1,
    tcp_resets_healthy=0,
)
GOOD = Run(
    number=1,
    seed=1,
    affected=("n2",),
    traffic=TRAFFIC,
    sessions_established_when_moved=True,
    generation_before=3,
    generation_after=4,
    raises=1,
    update_spread_ms=1.0,
    recovered_seconds=0.4,
    quarantined=(),
    machine_late_ms=2.0,
    findings={"all_routes_moved": True},
    timeline=[],
    attempts=1,
)
QUIET = replace(TRAFFIC, lost=0, lost_affected=0, worst_flow_lost=0)


@pytest.mark.parametrize(
    ("fault", "run", "problem"),
    [
        pytest.param("power-loss", GOOD, "", id="all is as promised"),
        pytest.param(
            "power-loss",
            replace(GOOD, traffic=replace(TRAFFIC, worst_flow_gap_ms=2500.0)),
            "stood still for 2500 ms",
            id="traffic that stands still for seconds",
        ),
        pytest.param(
            "power-loss",
            replace(GOOD, traffic=replace(TRAFFIC, worst_flow_gap_ms=None)),
            "no flow used the affected node",
            id="nothing measured is not a success",
        ),
        pytest.param(
            "power-loss",
            replace(GOOD, traffic=replace(TRAFFIC, lost_other=1)),
            "lost by flows of other nodes",
            id="a healthy node's flow that loses a packet",
        ),
        pytest.param("power-loss", replace(GOOD, raises=2), "raises: 2", id="two raises for one"),
        pytest.param(
            "power-loss",
            replace(GOOD, sessions_established_when_moved=False),
            "session of the affected node",
            id="the session went with the traffic",
        ),
        pytest.param(
            "power-loss",
            replace(GOOD, findings={"all_routes_moved": False}),
            "all routes moved: no",
            id="a route that stayed behind",
        ),
        pytest.param(
            "agent-kill",
            replace(GOOD, raises=0, traffic=replace(QUIET, lost=1)),
            "1 packets lost",
            id="one packet where none may be lost",
        ),
        pytest.param(
            "agent-kill",
            replace(GOOD, raises=0, traffic=QUIET),
            "",
            id="an agent that nobody misses",
        ),
        pytest.param(
            "speaker-term",
            replace(GOOD, raises=0, traffic=replace(QUIET, worst_flow_lost=2)),
            "2 packets of one flow",
            id="two packets of a flow where one is allowed",
        ),
        pytest.param(
            "endpoint-lost",
            replace(GOOD, raises=0, traffic=QUIET, findings={"route_ms": None}),
            "route ms: not seen",
            id="a route that never went",
        ),
    ],
)
def test_judgment(fault: str, run: Run, problem: str) -> None:
    """Order and loss are judged; milliseconds are only told."""
    problems = judge(Plan(), FAULTS[fault], run)
    assert problem in " ".join(problems)
    assert bool(problems) == bool(problem)


def test_a_series_is_told_with_its_targets_and_its_quantiles() -> None:
    """The JSON has a flat object a run, the table a line a figure."""
    gaps = (120.0, 150.0, 180.0)
    runs = [replace(GOOD, traffic=replace(TRAFFIC, worst_flow_gap_ms=gap)) for gap in gaps]
    told = report(Plan(), FAULTS["power-loss"], runs)
    assert told["summary"]["worst_flow_gap_ms"] == {"p50": 150, "p99": 180, "max": 180, "count": 3}
    assert told["summary"]["lost"] == 360
    assert told["summary"]["ok"] is True
    assert [run["worst_flow_gap_ms"] for run in told["runs"]] == list(gaps)
    assert "held in 3 of 3 runs" in table(told)


def test_a_series_that_ended_early_did_not_hold() -> None:
    """What was measured stays, and the error is part of it."""
    told = report(Plan(), FAULTS["power-loss"], [GOOD], "the mesh is not whole within 90 s")
    assert told["summary"]["ok"] is False
    assert len(told["runs"]) == 1
