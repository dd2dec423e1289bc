"""Measure a takeover and write what it showed into docs/concepts/takeover.md, with a picture.

`.venv/bin/python -m tests.lab.takeoverpage [--repeat 10]`: power loss of one node of three, as
often on BIRD and on FRR; each run's joined timeline is held against what the client saw.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bgpd.ctl.timelinejoin import Joined
from bgpd.ctl.timelinepicture import picture
from bgpd.ctl.timelineread import snake
from bgpd.ctl.timelinetable import joined_table
from tests.lab.figures import percentile
from tests.lab.nodes import ROOT
from tests.lab.shares import ROUTER
from tests.lab.tied import tied
from tests.lab.timelines import AGREES_MS, LEAST, MOST, OURS, REST, SENT

PAGE = ROOT / "docs" / "concepts" / "takeover.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->"
ROUTERS = ("bird", "frr")
GAP = "worst_flow_gap_ms"
_SECONDS_A_RUN = 60.0

Report = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Measure, write the page, and say where the figures do not agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.takeoverpage")
    parser.add_argument("--repeat", type=int, default=10, help="runs on each router (10)")
    options = parser.parse_args(arguments)
    host = machine()
    reports = {router: measured(router, options.repeat) for router in ROUTERS}
    PAGE.write_text(placed(PAGE.read_text(), section(reports, host)))
    PICTURE.write_text(picture(joined(median(reports["bird"]))))
    worst = max(abs(run[REST]) for report in reports.values() for run in usable(report))
    sys.stdout.write(f"{PAGE}: worst disagreement {worst:.1f} ms\n")
    return 0 if worst <= AGREES_MS else 1


def machine() -> str:
    """Return where and when this is measured."""
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, kernel"
        f" {platform.release()}; load {os.getloadavg()[0]:.1f} before."
    )


def measured(router: str, repeat: int) -> Report:
    """Return what the lab says of *repeat* power losses."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        command = [sys.executable, "-m", "tests.lab", "run", "power-loss", "--router", router]
        tied([*command, "--repeat", str(repeat), "--json", str(file)],
             seconds=60 + _SECONDS_A_RUN * repeat)  # fmt: skip
        report: Report = json.loads(file.read_text())
        return report


def usable(report: Report) -> list[Report]:
    """Return the runs in which everything was seen, in order of the client's gap."""
    needed = (GAP, OURS, ROUTER, REST, LEAST, MOST)
    runs = [run for run in report["runs"] if all(run.get(name) is not None for name in needed)]
    return sorted(runs, key=lambda run: run[GAP])


def median(report: Report) -> Report:
    """Return the run in the middle."""
    runs = usable(report)
    return runs[(len(runs) - 1) // 2]


def joined(run: Report) -> Joined:
    """Return what the survivors of *run* saw."""
    return msgspec.convert(snake(run["joined"]), Joined)


def section(reports: Mapping[str, Report], host: str) -> str:
    """Return the measured part of the page."""
    lines = [
        "Written by `.venv/bin/python -m tests.lab.takeoverpage`.",
        host,
        "",
        "| | " + " | ".join(f"{_NAMES[router]}, p50 / worst" for router in reports) + " |",
        "| --- |" + " --- |" * len(reports),
        *(_row(what, name, reports) for what, name in _ROWS),
        _agreeing(reports),
        "",
        "The run in the middle of those on BIRD 2, as `bgpctl timeline --join` shows it:",
        "",
        "```text",
        joined_table([joined(median(reports["bird"]))]).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def placed(page: str, section_: str) -> str:
    """Return *page* with *section_* between its marks."""
    before, found, rest = page.partition(BEGIN)
    _, also, after = rest.partition(END)
    if not (found and also):
        raise ValueError(f"{PAGE} has no {BEGIN.strip()} … {END}")
    return f"{before}{found}{section_}{also}{after}"


_NAMES = {"bird": "BIRD 2", "frr": "FRR 8"}
_ROWS = (
    ("client: worst silence of a flow through the dead node", GAP),
    ("timeline: last answer through the dead node → first survivor's UPDATE flushed", OURS),
    ("router: that UPDATE → last change of a route in its kernel", ROUTER),
    ("rest: the next packet's turn, its way, the machine", REST),
    ("timeline: flushed → acknowledged by the router's kernel", SENT),
    ("timeline alone: packets were lost for at least (it died as late as it can have)", LEAST),
    ("timeline alone: and at most (it died at its last sign of life)", MOST),
)


def _row(what: str, name: str, reports: Mapping[str, Report]) -> str:
    cells = []
    for report in reports.values():
        values = [run[name] for run in usable(report) if run.get(name) is not None]
        worst = max(values, key=abs, default=0.0)
        cells.append(f"{percentile(values, 0.5):.1f} / {worst:.1f}" if values else "-")
    return f"| {what} | {' | '.join(cells)} |"


def _agreeing(reports: Mapping[str, Report]) -> str:
    cells = []
    for report in reports.values():
        runs = usable(report)
        near = sum(abs(run[REST]) <= AGREES_MS for run in runs)
        cells.append(f"{near} of {len(runs)}")
    what = f"runs in which timeline and router explain the gap within {AGREES_MS:.0f} ms"
    return f"| {what} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
