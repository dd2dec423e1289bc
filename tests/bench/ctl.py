"""How fast bgpctl answers: `scripts/bench ctl`.

A real node (speaker, agent, BIRD as its routers) has 1,000 elastic IPs, and the program is started
again and again, as a person would: the wall time is that of the whole process. Then the same on a
node of which something is dead or hangs. The figures go to build/bench/ctl.json and, with --page,
into docs/bgpctl.md.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.agent.test_planner import Document, endpoints, ours, service
from tests.ctl.doctorrig import Rig

ROOT: Final = Path(__file__).parents[2]
OUTPUT: Final = ROOT / "build" / "bench" / "ctl.json"
PAGE: Final = ROOT / "docs" / "bgpctl.md"
BEGIN: Final = "<!-- figures: written by `scripts/bench ctl --page`; do not edit -->"
END: Final = "<!-- end of figures -->"
_PATIENCE: Final = 120.0

Break = Callable[[Rig], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One command, run again and again."""

    command: str
    state: str
    runs: int
    p50: float
    """Milliseconds, wall clock, from the start of the process to its end."""
    worst: float
    cpu: float
    """Milliseconds of CPU, the median."""
    status: int
    """The exit status."""


@contextmanager
def _killed(rig: Rig, *what: str) -> Iterator[None]:
    for one in what:
        rig.kill("n1", one)
    yield
    for one in reversed(what):
        rig.start("n1", one)


@contextmanager
def _without_sockets(rig: Rig) -> Iterator[None]:
    run = rig.directory / "n1" / "run"
    aside = run.with_name("aside")
    run.rename(aside)
    yield
    aside.rename(run)


def _sound(_: Rig) -> AbstractContextManager[None]:
    return nullcontext()


QUICK: Final = (
    ("--help",),
    ("status",),
    ("status", "-o", "json"),
    ("get", "elasticips"),
    ("get", "routes"),
    ("get", "sessions"),
    ("explain", "default/web"),
    ("__complete", "--", "get", "sessions", ""),
)
BROKEN: Final[tuple[tuple[str, Break], ...]] = (
    ("agent killed", lambda rig: _killed(rig, "agent")),
    ("agent hangs", lambda rig: rig.hung("n1", "agent")),
    ("speaker hangs", lambda rig: rig.hung("n1", "speaker")),
    ("both hang", lambda rig: rig.hung("n1", "speaker", "agent")),
    ("speaker killed", lambda rig: _killed(rig, "speaker")),
    ("both killed: stale sockets", lambda rig: _killed(rig, "speaker", "agent")),
    ("no sockets", _without_sockets),
)


def main(arguments: Sequence[str]) -> int:
    """Measure and write the figures down."""
    parser = argparse.ArgumentParser(prog="scripts/bench ctl", description=__doc__)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--json", type=Path, default=OUTPUT, metavar="FILE")
    parser.add_argument("--page", action="store_true", help=f"also write {PAGE.name}")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bgpd-ctl-"))
        rig = stack.enter_context(Rig(Path(directory), more=_services(options.services)))
        _until_advertised(rig, options.services)
        figures = list(_measured(rig, options.repeat))
    report = {
        "bench": "ctl",
        "date": time.strftime("%Y-%m-%d"),
        "services": options.services,
        "load": load,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "figures": [asdict(one) for one in figures],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))
    if options.page:
        PAGE.write_text(updated(PAGE.read_text(), report))
    return 0


def table(report: dict[str, Any]) -> str:
    """Return *report* as Markdown."""
    head = (
        f"Measured on {report['date']}, a node with {report['services']} elastic IPs,"
        f" {report['cores']} cores with a load of {report['load']:.1f} before,"
        f" Python {report['python']}; milliseconds of the whole process."
    )
    lines = [
        head,
        "",
        "| command | on a node | p50 | worst | CPU | exit status | runs |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `bgpctl {one['command']}` | {one['state']} | {one['p50']:.0f} | {one['worst']:.0f}"
        f" | {one['cpu']:.0f} | {one['status']} | {one['runs']} |"
        for one in report["figures"]
    ]
    return "\n".join(lines)


def updated(text: str, report: dict[str, Any]) -> str:
    """Return the page *text* with the figures of *report*."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no place for figures: {BEGIN} … {END}")
    return f"{before}{begin}\n\n{table(report)}\n\n{end}{after}"


def _services(count: int) -> tuple[Document, ...]:
    """Return so many Services, the rig's own one counted, with an endpoint on each node."""
    blocks = ["203.0.114.0/23", "203.0.116.0/23"]
    found: list[Document] = [ours("IPAddressPool", "many", addresses=blocks)]
    for number in range(count - 1):
        name = f"web-{number}"
        address = f"203.0.{114 + number // 250}.{number % 250 + 1}"
        found += (service(name, address), endpoints(name, "n1", "n2"))
    return tuple(found)


def _until_advertised(rig: Rig, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        done = rig.bgpctl("get", "elasticips", "--no-headers")
        if done.stdout.count(" Advertised ") == count:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done.stdout.count(' Advertised ')} of {count} are advertised")
        time.sleep(0.5)


def _measured(rig: Rig, repeat: int) -> Iterator[Figure]:
    for words in QUICK:
        yield _figure(rig, words, "in order", repeat)
    for state, broken in BROKEN:
        rig.until_sound()
        with broken(rig):
            yield _figure(rig, ("status",), state, max(1, repeat // 3))


def _figure(rig: Rig, words: tuple[str, ...], state: str, repeat: int) -> Figure:
    walls, cpus, status = [], [], 0
    line = [sys.executable, "-m", "bgpd.ctl", *words]
    environment = {**os.environ, "BGPD_RUN_DIR": str(rig.directory / "n1" / "run")}
    for _ in range(repeat):
        before = os.times()
        began = time.perf_counter()
        done = subprocess.run(line, capture_output=True, check=False, env=environment, cwd=ROOT)
        walls.append(1000 * (time.perf_counter() - began))
        after = os.times()
        cpu = after.children_user + after.children_system
        cpus.append(1000 * (cpu - before.children_user - before.children_system))
        status = done.returncode
    return Figure(
        command=" ".join(word for word in words if word),
        state=state,
        runs=repeat,
        p50=statistics.median(walls),
        worst=max(walls),
        cpu=statistics.median(cpus),
        status=status,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
