"""The command line of the measurements with a real API server: `scripts/bench`."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench import measures, metallb, trace
from tests.bench.page import outage_table, page, table
from tests.bench.rig import Rig, places
from tests.cluster.binaries import SERVER, version
from tests.cluster.build import build
from tests.cluster.error import ClusterError
from tests.lab import world
from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.plan import EX_CONFIG, LabError, RouterName
from tests.lab.routers import missing_programs

EX_USAGE: Final = 2
PAGE: Final = ROOT / "docs" / "measurements-kubernetes.md"
_MODULE: Final = "tests.bench"
_BENCHES: Final = {
    "event-to-route": ("one EndpointSlice is patched, until the route changed", 200, 40, 12),
    "mass": ("all EndpointSlices are patched at once, until the last route changed", 6, 2, 1000),
    "cold-start": ("the speaker starts, until all routes are there", 5, 1, 1000),
}
"""A sentence; how often, how often in one block, with how many Services."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of `scripts/bench`."""
    top = argparse.ArgumentParser(prog="scripts/bench", description="How fast bgpd follows an API.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (sentence, repeat, block, services) in _BENCHES.items():
        one = commands.add_parser(name, help=sentence)
        one.add_argument("--repeat", type=int, default=repeat, help="each way, for each speaker")
        one.add_argument("--block", type=int, default=block, help="so many, then the next speaker")
        one.add_argument("--services", type=int, default=services)
        one.add_argument("--beside", choices=["metallb"], help="measure it in the same run, too")
        if name == "event-to-route":
            one.add_argument("--trace", action="store_true", help="tell where our share goes: perf")
        one.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    outages = commands.add_parser("outages", help="every fault of the API server, in the lab")
    outages.add_argument("--repeat", type=int, default=3)
    outages.add_argument("--outage", type=float, metavar="SECONDS")
    commands.add_parser("page", help=f"write {PAGE.relative_to(ROOT)} from the last figures")
    return top


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    options = parser().parse_args(arguments)
    if options.command == "page":
        return _page()
    if options.command == "outages":
        return _outages(options.repeat, options.outage)
    for name in ("repeat", "block", "services"):
        if not 1 <= getattr(options, name) <= 2000:
            raise LabError(f"--{name}: must be between 1 and 2000", EX_USAGE)
    if options.json and not os.access(options.json.absolute().parent, os.W_OK):
        raise LabError(f"{options.json}: cannot be written", EX_USAGE)
    if missing := missing_programs(RouterName.BIRD):
        raise LabError(f"this needs {', '.join(missing)}: scripts/test installs them", EX_CONFIG)
    if getattr(options, "trace", False) and not trace.available():
        raise LabError("--trace needs perf(1), which this machine has not", EX_CONFIG)
    build(_say, SERVER)
    if options.beside:
        metallb.build(_say)
    if world.INSIDE in os.environ:
        return _inside(options)
    return world.run_inside(arguments, _MODULE)


def _inside(options: argparse.Namespace) -> int:
    directory = world.become_world()
    before = os.getloadavg()[0]
    rig = Rig(options.services, directory, beside=options.beside is not None)
    measure = getattr(measures, options.command.replace("-", "_"))
    extra = {"traced": True} if getattr(options, "trace", False) else {}
    found = measure(rig, repeat=options.repeat, block=options.block, say=_say, **extra)
    rig.stop()
    report: dict[str, Any] = {
        "bench": options.command,
        "services": options.services,
        "date": time.strftime("%Y-%m-%d"),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "kubernetes": version("kubernetes"),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        **found,
    }
    for file in (places() / f"{options.command}.json", options.json):
        if file:
            file.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 0


def _outages(repeat: int, seconds: float | None) -> int:
    """Let every fault of the API happen as `scripts/lab run` does, and keep what it says."""
    reports = []
    for name in (fault.name for fault in FAULTS.values() if fault.api):
        part = places() / f"outage-{name}.json"
        words = ["--source", "kubernetes", "--repeat", str(repeat), "--json", str(part)]
        words += ["--outage", str(seconds)] if seconds is not None else []
        before = round(os.getloadavg()[0], 2)
        command = [sys.executable, "-m", "tests.lab", "run", name, *words]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status and not part.exists():
            raise LabError(f"the lab ended with status {status}", status)
        reports.append({**json.loads(part.read_text()), "load": before})
        part.unlink()
    report = {"bench": "outages", "date": time.strftime("%Y-%m-%d"), "faults": reports}
    (places() / "outages.json").write_text(json.dumps(report, indent=1) + "\n")
    print(outage_table(report))
    return 0 if all(each["summary"]["ok"] for each in reports) else 1


def _page() -> int:
    files = [places() / f"{name}.json" for name in (*_BENCHES, "outages")]
    reports = [json.loads(file.read_text()) for file in files if file.exists()]
    if not reports:
        raise LabError("there are no figures: scripts/bench event-to-route makes some", EX_USAGE)
    PAGE.write_text(page(reports))
    _say(f"{PAGE} is written")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LabError, ClusterError) as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(130)
