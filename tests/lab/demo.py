"""The demonstration: cut the power of a node on BIRD, then on FRR, and show what it cost.

Two labs one after the other, a table beside the target and the router's hold time, a picture.
The exit status is 0 only if the promise held on both. With `--provider packet` it is told at a
provider instead (`providerdemo`).
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.picture import Panel, draw
from tests.lab.plan import EX_CONFIG, LabError, RouterName
from tests.lab.provider import ProviderName
from tests.lab.routers import missing_programs
from tests.lab.tied import tied
from tests.lab.world import raise_at_signals, unshare_command
from tests.tool import end

FAULT = FAULTS["power-loss"]
ROUTERS = (RouterName.BIRD, RouterName.FRR)
REPEAT = 3
HOLD = 90
_WIDTHS = (8, 16, 16, 10, 13, 13)


def main(words: Sequence[str] | None = None) -> int:
    """Run the demonstration; return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--provider", choices=[ProviderName.PACKET.value])
    provider = parser.parse_args(words).provider
    raise_at_signals()
    unshare_command()
    for router in ROUTERS:
        if missing := missing_programs(router):
            raise LabError(f"{router} is not installed ({', '.join(missing)})", EX_CONFIG)
    directory = ROOT / "build" / "demo"
    directory.mkdir(parents=True, exist_ok=True)
    if provider:
        from tests.lab.providerdemo import demonstrate  # noqa: PLC0415 - it builds on this module

        return 0 if demonstrate(ProviderName(provider), directory) else 1
    began = time.monotonic()
    print(
        f"Three nodes, twelve elastic IPs, hold time {HOLD} s, no BFD. One node loses power:\n"
        "everything to and from it is dropped, its link stays up, the router keeps the\nsession."
    )
    reports = [
        series(
            FAULT.name,
            router,
            directory,
            repeat=REPEAT,
            more=("--record", str(_record(directory, router.value))),
        )
        for router in ROUTERS
    ]
    print(summary(reports))
    pictures = [directory / "failover.png", directory / "failover.svg"]
    draw([_panel(report, directory) for report in reports], pictures)
    print(f"\npicture: {' and '.join(str(p.relative_to(ROOT)) for p in pictures)}")
    kept = all(promise_held(report) for report in reports)
    print(f"{'the promise held' if kept else 'THE PROMISE DID NOT HOLD'}", end="")
    print(f" ({time.monotonic() - began:.0f} s)")
    return 0 if kept else 1


def promise_held(report: Mapping[str, Any]) -> bool:
    """Tell whether every run held, and no flow stood still longer than the target."""
    gap = report["summary"]["worst_flow_gap_ms"]
    target = report["target"]["worst_flow_gap_ms"]
    return bool(report["summary"]["ok"]) and gap is not None and gap["max"] <= target


def summary(reports: list[dict[str, Any]]) -> str:
    """Return the table: measured beside target and beside the router's hold time."""
    head = ("router", "worst flow p50", "worst flow max", "target", "hold time", "other flows")
    lines = ["", _line(head)]
    for report in reports:
        gap = report["summary"]["worst_flow_gap_ms"] or {"p50": float("nan"), "max": float("nan")}
        other = report["summary"]["other_flows_gap_ms"] or {"max": float("nan")}
        cells = (
            report["plan"]["router"],
            f"{gap['p50']:.0f} ms",
            f"{gap['max']:.0f} ms",
            f"{report['target']['worst_flow_gap_ms']:.0f} ms",
            f"{report['plan']['hold'] * 1000:,} ms",
            f"{other['max']:.0f} ms",
        )
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{wide}}" for cell, wide in zip(cells, _WIDTHS, strict=True))


def series(
    fault: str, router: RouterName, directory: Path, *, repeat: int, more: Sequence[str] = ()
) -> dict[str, Any]:
    """Let *fault* happen *repeat* times in a lab of its own and return the figures."""
    figures = directory / f"{fault}-{router}.json"
    figures.unlink(missing_ok=True)
    words = [
        *("run", fault, "--router", router.value, "--hold", str(HOLD)),
        *("--repeat", str(repeat), "--json", str(figures), *more),
    ]
    print(f"\n-- {router}", flush=True)
    status = tied([sys.executable, "-m", "tests.lab", *words])
    if not figures.exists():
        raise LabError(f"the lab with {router} ended with status {status}")
    report: dict[str, Any] = json.loads(figures.read_text())
    return report


def _panel(report: Mapping[str, Any], directory: Path) -> Panel:
    router = report["plan"]["router"]
    record: dict[str, Any] = json.loads(_record(directory, router).read_text())
    last = report["runs"][-1]
    gap = last["worst_flow_gap_ms"]
    return Panel(
        title=f"{router}: worst flow {gap} ms, hold time {report['plan']['hold']} s, no BFD",
        record=record,
        begin=record["begin"],
        affected=tuple(last["affected"]),
        gap_ms=gap,
    )


def _record(directory: Path, router: str) -> Path:
    return directory / f"{router}-packets.json"


if __name__ == "__main__":
    end(main)
