"""Every promise, measured again and again, as the tables of docs/measurements.md.

Each series is one `scripts/lab run` with its JSON under build/measure, so an interrupted
measurement goes on where it stopped, and every figure can be traced to its runs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.nodes import ROOT

BUILD = ROOT / "build" / "measure"
PAGE = ROOT / "docs" / "measurements.md"
README = ROOT / "README.md"
_BEGIN, _END = "<!-- figures -->\n", "<!-- /figures -->"
ROUTERS = ("bird", "frr")
DEATHS = ("power-loss", "kernel-pause", "pause-then-power-loss")
SILENT = (
    "agent-kill",
    "agent-hang",
    "reflex-hang",
    "mesh-partition",
    "mesh-lossy",
    "mesh-lossy-20",
    "exabgp-kill",
    "exabgp-hang",
    "link-down",
    "speaker-term",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One row: a fault on a router, so many times."""

    fault: str
    router: str
    family: str = "v4"
    nodes: int = 3
    services: int = 12
    share: int = 1
    """The repetitions are divided by this: some faults take a minute each."""

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"{self.fault}-{self.router}-{self.family}-{self.services}"

    def arguments(self, repeat: int) -> list[str]:
        """Return the command line after `scripts/lab run`."""
        options = {
            "router": self.router,
            "family": self.family,
            "nodes": self.nodes,
            "services": self.services,
            "repeat": max(1, repeat // self.share),
            "json": BUILD / f"{self.name}.json",
        }
        return [
            self.fault,
            *(word for key, value in options.items() for word in (f"--{key}", str(value))),
        ]


def all_series() -> Iterator[Series]:
    """Yield every series, the most important first."""
    for fault in DEATHS:
        for router in ROUTERS:
            for family in ("v4", "v6"):
                yield Series(fault=fault, router=router, family=family)
    for router in ROUTERS:
        yield Series(fault="one-way-out", router=router)
        yield Series(fault="one-way-in", router=router)
        yield Series(fault="two-nodes", router=router, nodes=5)
        yield Series(fault="lossy-power-loss", router=router)
        yield Series(fault="endpoint-lost", router=router)
        yield Series(fault="endpoint-back", router=router)
        yield Series(fault="router-restart", router=router)
        yield Series(fault="return", router=router)
        yield Series(fault="power-loss", router=router, services=1000)
    yield Series(fault="idle", router="bird", share=4)
    yield Series(fault="idle", router="bird", services=1000, share=4)
    for fault in SILENT:
        for router in ROUTERS:
            yield Series(fault=fault, router=router, share=4)
    for router in ROUTERS:
        yield Series(fault="reflex-kill", router=router, share=10)


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing, then write the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/measure", description=__doc__)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--only", default="", help="series whose name begins with this")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    options = parser.parse_args(words)
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = [series for series in all_series() if series.name.startswith(options.only)]
    for number, series in enumerate([] if options.page_only else wanted, start=1):
        print(f"[{number}/{len(wanted)}] {series.name}", flush=True)
        _measure(series, repeat=options.repeat, fresh=options.fresh)
    PAGE.write_text(page())
    README.write_text(with_table(README.read_text()))
    print(f"written: {PAGE.relative_to(ROOT)} and the table of {README.name}")
    return 0


def _measure(series: Series, *, repeat: int, fresh: bool) -> None:
    facts = BUILD / f"{series.name}.facts.json"
    if facts.exists() and not fresh:
        return
    started = {"load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d")}
    command = [sys.executable, "-m", "tests.lab", "run", *series.arguments(repeat)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    facts.write_text(json.dumps({**started, "exit": done.returncode}))


def page() -> str:
    """Return docs/measurements.md from everything under build/measure."""
    lines = [_HEAD.format(machine=_machine())]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    lines += [row for series in all_series() if (row := _row(series))]
    return "\n".join(lines) + "\n"


_PROMISES = (
    ("power-loss", "a node loses power, its link stays up"),
    ("kernel-pause", "every process of a node stops"),
    ("pause-then-power-loss", "a node sleeps, wakes, then loses power"),
    ("one-way-out", "a node sends, but hears nothing"),
    ("one-way-in", "a node hears, but nothing it sends arrives"),
    ("two-nodes", "two of five nodes lose power at one instant"),
    ("lossy-power-loss", "power loss while every link loses 5 %"),
    ("link-down", "a node's link goes down"),
    ("exabgp-kill", "ExaBGP is killed"),
    ("exabgp-hang", "ExaBGP hangs"),
    ("reflex-kill", "the reflex is killed thirty times in a minute"),
    ("reflex-hang", "the reflex hangs"),
    ("agent-kill", "the agent is killed"),
    ("agent-hang", "the agent hangs"),
    ("speaker-term", "the speaker is told to stop"),
    ("mesh-partition", "the mesh is cut, BGP is not"),
    ("mesh-lossy", "the mesh loses 5 % of its packets"),
    ("return", "the dead node comes back"),
)


def with_table(readme: str) -> str:
    """Return *readme* with its table of figures written anew, if there are any."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    lines = [
        "| what fails | BIRD: p50 / max | FRR: p50 / max | target | UDP lost by other flows |",
        "| --- | --- | --- | --- | --- |",
    ]
    for fault, sentence in _PROMISES:
        reports = {router: _report(Series(fault=fault, router=router)) for router in ROUTERS}
        if any(reports.values()):
            lines.append(_promise(sentence, reports))
    return f"{before}{_BEGIN}" + "\n".join(lines) + f"\n{_END}{after}"


def _promise(sentence: str, reports: dict[str, Any]) -> str:
    gaps, targets, lost = [], set(), []
    for router in ROUTERS:
        report = reports[router] or {"summary": {}, "target": {}, "runs": []}
        gap = report["summary"].get("worst_flow_gap_ms")
        gaps.append(f"{gap['p50']:.0f} / {gap['max']:.0f}" if gap else "-")
        targets.add(report["target"].get("worst_flow_gap_ms"))
        lost += [run["lost_other"] for run in report["runs"] if run.get("lost_other") is not None]
    target = max((one for one in targets if one), default=None)
    cells = (sentence, *gaps, f"{target:.0f}" if target else "0 lost", str(sum(lost)))
    return "| " + " | ".join(cells) + " |"


_COLUMNS = (
    "fault",
    "router",
    "family",
    "nodes",
    "Services",
    "runs",
    "worst flow p50 / max",
    "target",
    "lost by other flows",
    "other figures, p50 / max",
    "load",
)
_HEAD = """# Measurements

Written by `scripts/measure`; every row is `scripts/lab run FAULT` with the options in its columns.
{machine} The hold time is 90 s and there is no BFD anywhere. Twelve UDP flows of 250 packets a
second; a gap is the longest time in which no answer arrived on a flow that used the affected node.
*Load* is the 1-minute load average when the series began: the client, the router, all nodes and
whatever else the machine did shared its cores. Milliseconds unless the name says otherwise.
"""


def _machine() -> str:
    cores = os.cpu_count()
    kernel = os.uname().release
    dates = sorted({json.loads(path.read_text())["date"] for path in BUILD.glob("*.facts.json")})
    span = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "never"
    return f"Measured {span} on a virtual machine with {cores} shared cores, Linux {kernel}."


def _report(series: Series) -> dict[str, Any] | None:
    """Return what was measured of *series*, its facts included, or None."""
    path = BUILD / f"{series.name}.json"
    facts = BUILD / f"{series.name}.facts.json"
    if not path.exists() or not facts.exists():
        return None
    return {**json.loads(path.read_text()), "facts": json.loads(facts.read_text())}


def _row(series: Series) -> str:
    report = _report(series)
    if report is None:
        return ""
    facts = report["facts"]
    summary, runs = report["summary"], report["runs"]
    gap = summary.get("worst_flow_gap_ms")
    target = report["target"].get("worst_flow_gap_ms")
    cells = (
        series.fault,
        series.router,
        series.family,
        str(series.nodes),
        str(series.services),
        str(len(runs)) + ("" if summary["ok"] else " (not all held)"),
        f"{gap['p50']:.0f} / {gap['max']:.0f}" if gap else "-",
        f"{target:.0f}" if target else "-",
        _sum(runs, "lost_other"),
        _others(summary, runs),
        f"{facts['load']:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def _sum(runs: Sequence[dict[str, Any]], key: str) -> str:
    values = [run[key] for run in runs if run.get(key) is not None]
    return str(sum(values)) if values else "-"


_KNOWN = {"worst_flow_gap_ms", "other_flows_gap_ms", "lost", "ok"}


def _others(summary: dict[str, Any], runs: Sequence[dict[str, Any]]) -> str:
    found = [
        f"{key} {value['p50']:.3g} / {value['max']:.3g}"
        for key, value in summary.items()
        if key not in _KNOWN and isinstance(value, dict)
    ]
    lost = summary.get("lost")
    found += [f"lost {lost} in all"] if lost is not None else []
    raises = sorted({run["raises"] for run in runs if run.get("raises") is not None})
    found += [f"raises {', '.join(map(str, raises))} a run"] if raises else []
    return "; ".join(found)


if __name__ == "__main__":
    sys.exit(main())
