"""The walk from MetalLB to bgpd, rehearsed in its short form, and what its figures mean."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import metallb
from tests.bench.migrate import held, table
from tests.bench.moving import breaks, losses, meds_of
from tests.cluster.binaries import SERVER, missing
from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.world import unshare_command
from tests.lacking import lacking

RECORD = {
    "udp": [
        {"sent": [1.0, 2.0, 3.0], "answers": [(0, 1.1, "n1"), (2, 3.1, "n2")]},
        {"sent": [1.0, 2.0, 3.0], "answers": [(0, 1.1, "n1"), (1, 2.1, "n1"), (2, 3.1, "n1")]},
    ],
    "tcp": [{"breaks": [(2.5, "n1", "closed")]}],
}
BIRD = """
203.0.113.10/32      unicast [n1 12:00:00.000] * (100) [AS65000i]
	BGP.origin: IGP
	BGP.as_path: 65000
	BGP.med: 2147483136
203.0.113.11/32      unicast [n1 12:00:00.000] * (100) [AS65000i]
	BGP.origin: IGP
	BGP.as_path: 65000
"""


def row(**changes: Any) -> dict[str, Any]:
    """Return the figures of one step in which nothing happened."""
    plain = {"step": "check", "seconds": 1.0, "sent": 3000, "lost": 0, "worst_gap_ms": 4.0}
    return {**plain, "tcp_breaks": 0, "addresses_changed": [], **changes}


def test_losses_are_counted_where_they_were_sent() -> None:
    """A packet without an answer belongs to the step in which it left."""
    assert losses(RECORD, 0.0, 1.5) == (2, 0, 0.0)
    sent, lost, gap = losses(RECORD, 1.5, 2.5)
    assert (sent, lost) == (2, 1)
    assert losses(RECORD, 0.0, 9.0)[2] == pytest.approx(2.0)
    assert breaks(RECORD, 2.0, 3.0) == 1
    assert breaks(RECORD, 0.0, 2.0) == 0
    assert gap == 0.0


def test_a_route_without_a_med_is_told_from_one_with_it() -> None:
    """That is the whole difference between the walk and its end."""
    assert meds_of(BIRD) == {2147483136, None}
    assert meds_of("") == set()


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        pytest.param({}, True, id="nothing lost, nothing changed"),
        pytest.param({"lost": 1}, False, id="one packet"),
        pytest.param({"addresses_changed": ["web"]}, False, id="one address"),
        pytest.param({"tcp_breaks": 3}, True, id="TCP is the router's to move"),
    ],
)
def test_the_verdict_is_about_packets_and_addresses(change: dict[str, Any], holds: bool) -> None:
    """The last line of the table says what the exit status says."""
    report = {
        "router": "bird",
        "nodes": 3,
        "services": 50,
        "client_late_ms": 0.0,
        "lever_spread_ms": [1.5],
        "steps": [row(), row(**change)],
    }
    assert held(report) is holds
    assert table(report).endswith("held" if holds else "missed")


@pytest.mark.lab
@pytest.mark.timeout(1500)
def test_the_short_walk_loses_nothing_and_changes_no_address(tmp_path: Path) -> None:
    """MetalLB's own controller and speakers, a real API server, BIRD, and every step."""
    unproven = "the walk from MetalLB to bgpd"
    if absent := [*missing_programs(RouterName.BIRD), *missing(SERVER)]:
        lacking(f"{', '.join(absent)} is missing", unproven=unproven)
    try:
        unshare_command()
        metallb.build(lambda _: None, "speaker", "controller")
    except LabError as error:
        # Without its module proxy Go builds no MetalLB, and that is nobody's mistake.
        lacking(str(error), unproven=unproven, in_ci=True)
    file = tmp_path / "report.json"
    words = ["--short", "--nodes", "2", "--services", "6", "--json", str(file)]
    # One packet of seventy thousand is lost where the machine has no processor for a moment; what
    # is lost in each of two walks is ours.
    done = _walk(words)
    if done.returncode != 0:
        done = _walk(words)
    assert done.returncode == 0, done.stderr + done.stdout
    steps = json.loads(file.read_text())["steps"]
    assert sum(one["sent"] for one in steps) > 3000
    assert {one["step"] for one in steps} >= {"n1 to bgpd", "n2 to bgpd", "finish"}


def _walk(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.migrate", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
