"""The command line of the measurements with a real API server: `scripts/bench`."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from tests.bench import elastic, giving, measures, metallb, trace
from tests.bench.page import TRACED, outage_table, page, table
from tests.bench.rig import Rig, places
from tests.cluster.binaries import SERVER, version
from tests.cluster.build import build
from tests.lab import world
from tests.lab.faults import FAULTS
from tests.lab.nodes import ROOT
from tests.lab.plan import EX_CONFIG, LabError, RouterName
from tests.lab.routers import missing_programs
from tests.tool import end

EX_USAGE: Final = 2
PAGE: Final = ROOT / "docs" / "measurements-kubernetes.md"
ELASTIC_PAGE: Final = ROOT / "docs" / "measurements-elastic-ips.md"
_PATIENCE: Final = 60.0
_MODULE: Final = "tests.bench"
_BENCHES: Final = {
    "event-to-route": ("one EndpointSlice is patched, until the route changed", 200, 40, 12),
    "mass": ("all EndpointSlices are patched at once, until the last route changed", 6, 2, 1000),
    "cold-start": ("the speaker starts, until all routes are there", 5, 1, 1000),
    "service-to-route": ("one Service is made, until its route is there", 100, 25, 12),
}
"""A sentence; how often, how often in one block, with how many Services."""
_MEASURES: Final = {
    "event-to-route": measures.event_to_route,
    "mass": measures.mass,
    "cold-start": measures.cold_start,
    "service-to-route": giving.service_to_route,
}
_APART: Final = {
    "allocate": ("how many Services a second the allocator can give addresses", "allocate"),
    "pending": ("a controller starts with 10,000 Services that have no address", "allocation"),
    "leader": ("controllers that lead are killed, while Services come and go", "leader"),
}
"""A sentence, and the module of `tests.bench` that measures it, with its own options."""
_ALONE: Final = {
    "scrape": "what a scrape costs with 10,000 elastic IPs",
    "ctl": "how fast bgpctl answers with 1,000 elastic IPs, and on a node that is broken",
}
"""A sentence; the module of the same name measures it and says what it found."""
_ON_PAGE: Final = ("event-to-route", TRACED, "mass", "cold-start", "outages")


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
    for name, (sentence, module) in _APART.items():
        more = f"other options are those of `python -m tests.bench.{module} --help`"
        one = commands.add_parser(name, help=sentence, description=f"{sentence}; {more}")
        one.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    for name, sentence in _ALONE.items():
        one = commands.add_parser(name, help=sentence)
        one.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    pages = " and ".join(str(one.relative_to(ROOT)) for one in (PAGE, ELASTIC_PAGE))
    commands.add_parser("page", help=f"write {pages} from the last figures")
    return top


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    options, words = parser().parse_known_args(arguments)
    if words and options.command not in {*_APART, *_ALONE}:
        parser().error(f"unrecognized arguments: {' '.join(words)}")
    if options.command == "page":
        return _page()
    if options.command == "outages":
        return _outages(options.repeat, options.outage)
    if options.json and not os.access(options.json.absolute().parent, os.W_OK):
        raise LabError(f"{options.json}: cannot be written", EX_USAGE)
    if options.command in _ALONE:
        module = f"tests.bench.{options.command}"
        file = ("--json", str(options.json.absolute())) if options.json else ()
        return _run(sys.executable, "-m", module, *words, *file, out=sys.stdout)
    if options.command in _APART:
        return _apart(options, words)
    _check(options)
    build(_say, SERVER)
    giving_too = options.command == "service-to-route"
    if options.beside:
        metallb.build(_say, "speaker", *(("controller",) if giving_too else ()))
    if world.INSIDE in os.environ:
        return _inside(options)
    return world.run_inside(arguments, _MODULE)


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be measured."""
    for name in ("repeat", "block", "services"):
        if not 1 <= getattr(options, name) <= 2000:
            raise LabError(f"--{name}: must be between 1 and 2000", EX_USAGE)
    if missing := missing_programs(RouterName.BIRD):
        raise LabError(f"this needs {', '.join(missing)}: scripts/test installs them", EX_CONFIG)
    if getattr(options, "trace", False) and not trace.available():
        raise LabError("--trace needs perf(1), which this machine has not", EX_CONFIG)


def _inside(options: argparse.Namespace) -> int:
    directory = world.become_world()
    before = os.getloadavg()[0]
    rig = Rig(
        options.services,
        directory,
        beside=options.beside is not None,
        giving=options.command == "service-to-route",
    )
    measure: Callable[..., measures.Figures] = _MEASURES[options.command]
    extra = {"traced": True} if getattr(options, "trace", False) else {}
    found = measure(rig, repeat=options.repeat, block=options.block, say=_say, **extra)
    rig.stop()
    name = TRACED if extra else options.command
    report = {**_circumstances(name, before), "services": options.services, **found}
    _keep(report, options.json)
    print((elastic.table_of if options.command in elastic.ON_PAGE else table)(report))
    return 0


def _circumstances(command: str, before: float) -> dict[str, Any]:
    return {
        "bench": command,
        "date": time.strftime("%Y-%m-%d"),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "kubernetes": version("kubernetes"),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
    }


def _apart(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Let a measurement that needs no router have its say, and keep its figures."""
    command = options.command
    part, before = places() / f"{command}.part", os.getloadavg()[0]
    part.unlink(missing_ok=True)
    module = f"tests.bench.{_APART[command][1]}"
    status = _run(sys.executable, "-m", module, *words, "--json", str(part))
    if not part.exists():
        raise LabError(f"{module} ended with status {status}", status or 1)
    report = {**_circumstances(command, before), "figures": json.loads(part.read_text())}
    part.unlink()
    _keep(report, options.json)
    print(elastic.table_of(report))
    return status


def _run(*line: str, out: TextIO = sys.stderr) -> int:
    """Run *line*, which ends in order when we do, whatever ends us; return its exit status."""
    command = ["setpriv", "--pdeathsig", "TERM", "--", *line]
    with subprocess.Popen(command, cwd=ROOT, stdout=out) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # It has heard of it as well.
            process.wait(_PATIENCE)
            raise


def _keep(report: Mapping[str, Any], other: Path | None) -> None:
    for file in (places() / f"{report['bench']}.json", other):
        if file:
            file.write_text(json.dumps(report, indent=1) + "\n")


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
    written = [
        _write(PAGE, _ON_PAGE, page),
        _write(ELASTIC_PAGE, elastic.ON_PAGE, elastic.page),
    ]
    if not any(written):
        raise LabError("there are no figures: scripts/bench event-to-route makes some", EX_USAGE)
    return 0


def _write(file: Path, names: Iterable[str], render: Callable[[Sequence[Any]], str]) -> bool:
    """Write one page of what was measured; return whether there was any of it."""
    parts = [places() / f"{name}.json" for name in names]
    reports = [json.loads(part.read_text()) for part in parts if part.exists()]
    if reports:
        file.write_text(render(reports))
        _say(f"{file} is written")
    return bool(reports)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
