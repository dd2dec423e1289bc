"""Which runs say nothing about a fault, because the machine or the client disturbed them."""

from dataclasses import replace

import pytest

from tests.lab.attempt import MOST_MACHINE_LATE_MS, void
from tests.lab.faults import FAULTS
from tests.lab.report import Run
from tests.lab.test_report import GOOD, TRAFFIC

LATE = MOST_MACHINE_LATE_MS + 1
WRONG = replace(GOOD, raises=2, problems=("raises: 2 instead of 1",))


@pytest.mark.parametrize(
    ("fault", "run", "why"),
    [
        pytest.param("power-loss", WRONG, "", id="a calm machine excuses nothing"),
        pytest.param(
            "power-loss",
            replace(WRONG, machine_late_since_look_ms=LATE),
            "stood still",
            id="raises count from the look before the strike, and so does the machine",
        ),
        pytest.param(
            "power-loss",
            replace(GOOD, machine_late_since_look_ms=LATE),
            "",
            id="figures count from the strike",
        ),
        pytest.param(
            "power-loss", replace(GOOD, machine_late_ms=LATE), "stood still", id="a figure is late"
        ),
        pytest.param(
            "power-loss",
            replace(WRONG, traffic=replace(TRAFFIC, affected_flows=0)),
            "no flow used the affected node",
            id="nobody was there",
        ),
        pytest.param(
            "router-dead-bfd",
            replace(WRONG, findings={"through_dead_flows": 0, "through_dead_gap_ms": None}),
            "no flow passed the router",
            id="nobody passed the router that died",
        ),
    ],
)
def test_a_run_that_says_nothing_has_its_reason(fault: str, run: Run, why: str) -> None:
    """And one that says something has none."""
    found = void(FAULTS[fault], run)
    assert why in found
    assert bool(found) == bool(why)
