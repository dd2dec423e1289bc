"""Processes that lie to Prometheus do not pass a strike of the lab, and recordings tell of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.nodes import ROOT
from tests.lab.plan import LabError, RouterName
from tests.lab.routers import missing_programs
from tests.lab.samples import read
from tests.lab.truth import PROMTOOL
from tests.lab.world import unshare_command
from tests.lacking import lacking

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
LIAR = ROOT / "tests" / "lab" / "liar"


@pytest.fixture(autouse=True)
def _possible() -> None:
    """Skip where no lab can be made; in CI that is an error."""
    reason = "bird is not installed" if missing_programs(RouterName.BIRD) else ""
    reason = reason or ("" if shutil.which(PROMTOOL) else f"{PROMTOOL} is not installed")
    try:
        unshare_command()
    except LabError as error:
        reason = str(error)
    if reason:
        lacking(reason, unproven="what is told to Prometheus is held against the routers")


def strike(place: Path, **environment: str) -> dict[str, Any]:
    """Return the run of a fault that costs nothing, recorded in *place*."""
    line = ["run", "agent-kill", "--scrape", str(place), "--json", str(place.with_suffix(".json"))]
    subprocess.run(
        [sys.executable, "-m", "tests.lab", *line],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False, timeout=560,
    )  # fmt: skip
    (run,) = json.loads(place.with_suffix(".json").read_text())["runs"]
    found: dict[str, Any] = run
    return found


def test_liars_are_found_out(tmp_path: Path) -> None:
    """Each lie by its own rule, with the process that told it."""
    run = strike(tmp_path / "scrapes", PYTHONPATH=f"{LIAR}:{ROOT}")
    assert run["ok"] is False
    told = "\n".join(run["untrue"])
    assert "n1 tells Prometheus for" in told
    assert "session with router is down; the router says up" in told
    assert "n1's agent: bgpd_log_lines_dropped_total went from" in told
    assert "promtool, of the speaker: bgpd_lie" in told


def test_a_recording_holds_every_scrape(tmp_path: Path) -> None:
    """With its time, and what the routers said: rules and dashboards are tried on it."""
    run = strike(tmp_path / "scrapes")
    assert run["untrue"] == []
    place = tmp_path / "scrapes" / "agent-kill-1"
    recording = json.loads((place / "recording.json").read_text())
    assert recording["fault"] == "agent-kill"
    assert recording["affected"] == run["affected"]
    files = [one["file"] for one in recording["scrapes"] if "file" in one]
    assert len(files) == run["scrapes"]
    assert sorted(files) == sorted(path.name for path in place.glob("*.prom"))
    assert all(read((place / file).read_text()) for file in files)
    times = [one["at"] for one in recording["scrapes"]]
    assert min(times) < recording["struck"] < max(times)
    (node,) = run["affected"]
    processes = {one["process"] for one in recording["scrapes"] if one["node"] == node}
    assert processes == {"speaker", "agent"}
    looks = [one["routers_after"] for one in recording["scrapes"] if one["process"] == "speaker"]
    assert looks[-1] == {f"router-n{number}-v4": True for number in (1, 2, 3)}
