"""Every promise, measured again and again, as the tables of docs/measurements.md.

Each series is one `scripts/lab run` with its JSON under build/measure, so an interrupted
measurement goes on where it stopped, and every figure can be traced to its runs. A series that
fails is tried once more; then its row says what was wrong, and the next one is measured.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.lab.machine import IdleClass
from tests.lab.nodes import ROOT
from tests.lab.page import Reports, page, with_table
from tests.lab.series import Series, all_series, plan
from tests.lab.tied import tied
from tests.lab.world import raise_at_signals

BUILD = ROOT / "build" / "measure"
PAGE = ROOT / "docs" / "measurements.md"
README = ROOT / "README.md"
_TRIES = 2
_PATIENCE = 300.0
"""Seconds beyond three times its estimate that a row may take before it counts as stuck."""

Attempt = Callable[[Series, int | None], dict[str, Any]]


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing, then write the page; return the exit status."""
    options = _parser().parse_args(words)
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = [series for series in all_series() if series.name.startswith(options.only)]
    if not wanted:
        print(f"--only {options.only}: no series begins so; --plan lists them", file=sys.stderr)
        return 2
    if options.plan:
        print("\n".join(plan(wanted, repeat=options.repeat, done=_done(wanted, options))))
        return 0
    raise_at_signals()
    failed = []
    for number, series in enumerate([] if options.page_only else wanted, start=1):
        print(f"[{number}/{len(wanted)}] {series.name}", flush=True)
        try:
            error = _measure(series, repeat=options.repeat, fresh=options.fresh, attempt=_try)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on here", file=sys.stderr)
            return 130
        failed += [f"{series.name}: {error}"] if error else []
        write(_reports())
    print(write(_reports()))
    for sentence in failed:
        print(sentence, file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/measure", description=__doc__)
    parser.add_argument(
        "--repeat", type=_times, metavar="N", help="how often, in place of each row's own number"
    )
    parser.add_argument("--only", default="", help="series whose name begins with this")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--plan", action="store_true", help="show the rows and how long they take")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    return parser


def _times(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {word}")
    return int(word)


def _reports() -> dict[str, dict[str, Any]]:
    return {s.name: report for s in all_series() if (report := _report(s)) is not None}


def write(
    reports: Reports, *, published: Path = PAGE, readme: Path = README, part: Path = BUILD
) -> str:
    """Write the page and return a sentence on it; figures of rows not measured here stay.

    A fresh checkout that measures one row must not take all others off the published page.
    """
    text = page(all_series(), reports)
    if _rows(text) < _rows(published.read_text()):
        (part / published.name).write_text(text)
        return (
            f"written: {part / published.name}; {published.name} has rows that were not measured"
            " here, and stays as it is"
        )
    published.write_text(text)
    readme.write_text(with_table(readme.read_text(), reports))
    return f"written: {published.name} and the table of {readme.name}"


def _rows(text: str) -> int:
    return sum(line.startswith("| ") for line in text.splitlines())


def _done(wanted: Sequence[Series], options: argparse.Namespace) -> dict[str, float]:
    """Return how long the series that are there took, by name."""
    there = [s for s in wanted if not options.fresh and _there(s, options.repeat)]
    return {series.name: _facts(series).get("seconds", 0.0) for series in there}


def _there(series: Series, repeat: int | None) -> bool:
    """Tell whether a row was measured to its end, as often as it is wanted now."""
    report = _report(series)
    return (
        report is not None
        and not report["facts"].get("error")
        and len(report["runs"]) >= series.runs(repeat)
    )


def _measure(series: Series, *, repeat: int | None, fresh: bool, attempt: Attempt) -> str:
    """Measure one row unless it is there; return what was wrong, or the empty string."""
    if not fresh and _there(series, repeat):
        return ""
    _file(series).unlink(missing_ok=True)
    _file(series, "facts").unlink(missing_ok=True)
    facts: dict[str, Any] = {}
    for number in range(1, _TRIES + 1):
        facts = {**attempt(series, repeat), "tries": number}
        if not facts["error"]:
            break
        print(f"  {facts['error']}", flush=True)
    _file(series, "facts").write_text(json.dumps(facts))
    return str(facts["error"])


def _try(series: Series, repeat: int | None) -> dict[str, Any]:
    part = _file(series, "part")
    part.unlink(missing_ok=True)
    facts = {"load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d")}
    words = series.arguments(repeat, str(part))
    began, beside, status = time.monotonic(), IdleClass(), None
    try:
        status = tied(
            [sys.executable, "-m", "tests.lab", "run", *words],
            seconds=3 * series.seconds(repeat) + _PATIENCE,
        )
    except subprocess.TimeoutExpired:
        pass
    finally:
        idle_cores = beside.stop()
    return {
        **facts,
        "idle_cores": idle_cores,
        "seconds": round(time.monotonic() - began, 1),
        "exit": status,
        "error": _keep(series, part, status),
    }


def _keep(series: Series, part: Path, status: int | None) -> str:
    """Keep the JSON of a try unless an earlier one got further; return the try's error."""
    if not part.exists():
        return "it was stuck" if status is None else f"the lab ended with status {status}"
    reported = json.loads(part.read_text())
    whole = _file(series)
    if not whole.exists() or len(json.loads(whole.read_text())["runs"]) <= len(reported["runs"]):
        part.replace(whole)
    part.unlink(missing_ok=True)
    return without_paths(reported["error"])


def without_paths(sentence: str) -> str:
    """Return *sentence* without the places of this machine that it names."""
    return re.sub(r"[; ]*\(?\b(logs:|its log is in|logs are in|see) /[^\s)]*\)?", "", sentence)


def _report(series: Series) -> dict[str, Any] | None:
    """Return what was measured of *series*, its facts included, or None."""
    facts = _facts(series)
    if not facts:
        return None
    nothing = {"runs": [], "summary": {"ok": False}, "target": {}}
    path = _file(series)
    reported = json.loads(path.read_text()) if path.exists() else nothing
    return {**reported, "facts": facts}


def _facts(series: Series) -> dict[str, Any]:
    path = _file(series, "facts")
    facts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return facts


def _file(series: Series, kind: str = "") -> Path:
    return BUILD / f"{series.name}{'.' if kind else ''}{kind}.json"


if __name__ == "__main__":
    sys.exit(main())
