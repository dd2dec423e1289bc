"""The judgment: which findings break a fault's promise, and how a series is told."""

from dataclasses import replace

import pytest

from tests.lab.faults import FAULTS
from tests.lab.figures import TrafficFigures
from tests.lab.plan import Plan, RouterName
from tests.lab.report import LEGEND, Run, judge, progress, report, table
from tests.lab.strikes import Findings
from tests.lab.verdict import verdict

TRAFFIC = TrafficFigures(
    affected_flows=4,
    worst_flow_gap_ms=150.0,
    other_flows_gap_ms=8.0,
    sent=6000,
    lost=120,
    lost_affected=120,
    lost_other=0,
    worst_flow_lost=30,
    lost_seconds=(0.01, 0.15),
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
    machine_late_since_look_ms=2.0,
    findings={"all_routes_moved": True},
    timeline=[],
    joined={},
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


@pytest.mark.parametrize(
    ("p50", "most", "target", "told"),
    [
        pytest.param(14, 15, 15.0, "held", id="the target itself is held"),
        pytest.param(14, 16, 15.0, "max missed", id="only the worst run missed"),
        pytest.param(16, 16, 15.0, "missed", id="half of the runs missed"),
        pytest.param(16, 16, None, "", id="nothing was promised"),
    ],
)
def test_a_figure_says_whether_it_met_its_target(
    p50: float, most: float, target: float | None, told: str
) -> None:
    """A number beside a target is never left for the reader to compare."""
    assert verdict({"p50": p50, "max": most}, target) == told


@pytest.mark.parametrize(
    ("router", "own", "told"),
    [
        pytest.param(
            RouterName.FRR,
            61.0,
            "targets: route_ms missed (the router's own 61 ms; our share: held)",
            id="FRR holds every UPDATE by itself",
        ),
        pytest.param(RouterName.BIRD, 61.0, "targets: route_ms missed", id="BIRD does not"),
    ],
)
def test_a_missed_target_is_said_beside_what_held(
    router: RouterName, own: float, told: str
) -> None:
    """The whole way missed 15 ms; on FRR our share has the same target, and both are said."""
    findings: Findings = {"route_ms": own + 5, "to_router_ms": 5.0, "router_ms": own}
    run = replace(GOOD, raises=0, traffic=QUIET, findings=findings)
    text = table(report(Plan(router=router), FAULTS["endpoint-lost"], [run]))
    route = next(line for line in text.splitlines() if "route_ms" in line)
    assert route.split()[1] == "15"
    assert route.endswith("missed")
    assert text.endswith(told)
    assert "order and loss held in 1 of 1 runs" in text


def test_what_a_run_prints_fits_a_terminal() -> None:
    """No line of a run, its legend or its table is wider than 80 columns."""
    wide = replace(
        GOOD,
        number=20,
        affected=("n10", "n11"),
        quarantined=("n10", "n11"),
        problems=("a session of the affected node was lost and " * 3,),
        findings={**dict.fromkeys(("to_router_ms", "raise_to_router_ms", "router_ms"), 12345.67),
                  "all_routes_moved": True, "sessions_back_seconds": 123.45, "route_ms": None},
    )  # fmt: skip
    told = table(report(Plan(router=RouterName.OPENBGPD), FAULTS["router-restart"], [wide]))
    for verbose in (False, True):
        text = progress(wide, verbose=verbose)
        words = " ".join(text.split())
        assert ("raise to router ms" in words) is verbose
        assert ("the client by" in words) is verbose
        assert max(map(len, f"{text}\n{LEGEND}\n{told}".splitlines())) <= 80
    assert "all routes moved: yes" in progress(wide)
    assert "route ms not seen" in progress(wide)
