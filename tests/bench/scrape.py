"""What a scrape costs with ten thousand elastic IPs: `python -m tests.bench.scrape`.

One node of the lab with the shipped speaker and agent, and BIRD. Each of them is scraped again and
again, first as it is by default, then with series for each elastic IP. How long a turn of the loop
held everything else up is noted in the processes themselves (`turns/sitecustomize.py`). It counts
by processor time: what a busy machine gives to others meanwhile is no doing of a scrape.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.lab import world
from tests.lab.figures import percentile
from tests.lab.nodes import ROOT, Node
from tests.lab.plan import EX_CONFIG, LabError, Plan, RouterName
from tests.lab.routers import missing_programs
from tests.lab.run import Lab
from tests.lab.scraper import PORTS, Place, fetch
from tests.tool import end

MOST_MS: Final = 200.0
MOST_BYTES: Final = 2 * 1024 * 1024
MOST_HELD_MS: Final = 20.0
_NODE: Final = "n1"
_PAUSE: Final = 2.5
"""Seconds between scrapes: a text stays good for nine times as long as it took."""
_REST: Final = 8.0
"""Seconds after a start in which what it left to do is done."""
_SCRAPES: Final = ("Scrape.", "Listener.", "Connection.", "Http.")
"""Whose turns are the scrape's own."""
_TURNS: Final = Path(__file__).parent / "turns"
_CLOCKS: Final = ("cpu", "wall")
Turn: TypeAlias = dict[str, Any]
"""As `turns/sitecustomize.py` notes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What scraping one process showed."""

    process: str
    elastic_ips: str
    """`sums` or `one by one`."""
    scrapes: int
    ms_p50: float
    ms_max: float
    bytes: int
    held_ms: float
    """The longest turn that a scrape made of the loop, by the processor time that it took."""
    held_wall_ms: float
    """The same by the clock: with what the machine gave to others meanwhile."""
    others_ms: float
    """The longest turn that anybody else made of it meanwhile, by processor time."""

    @property
    def held(self) -> bool:
        """Whether it keeps its targets."""
        return self.ms_p50 <= MOST_MS and self.bytes <= MOST_BYTES and self.held_ms <= MOST_HELD_MS


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m tests.bench.scrape",
        description="What a scrape costs with many elastic IPs.",
    )
    found.add_argument("--services", type=int, default=10_000, help="how many (%(default)s)")
    found.add_argument("--repeat", type=int, default=10, help="scrapes of each (%(default)s)")
    found.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure; return the exit status: 1 where a target was missed."""
    options = parser().parse_args(arguments)
    if missing := missing_programs(RouterName.BIRD):
        raise LabError(f"this needs {', '.join(missing)}: scripts/test installs them", EX_CONFIG)
    if world.INSIDE not in os.environ:
        return world.run_inside(arguments, "tests.bench.scrape")
    directory = world.become_world()
    lab = Lab(Plan(nodes=1, services=options.services), directory)
    lab.lay()
    found = [one for each in (False, True) for one in _measure(lab, options.repeat, each=each)]
    lab.stop()
    for line in table(found):
        print(line)
    if options.json:
        figures = [asdict(one) | {"held": one.held} for one in found]
        options.json.write_text(json.dumps({"load": os.getloadavg()[0], "figures": figures}))
    return 0 if all(one.held for one in found) else 1


def _measure(lab: Lab, times: int, *, each: bool) -> Iterator[Figures]:
    """Start the node and scrape its processes; *each* elastic IP has series, or none has."""
    node = lab.nodes[_NODE]
    notes = lab.directory / ("turns-each" if each else "turns-sums")
    notes.mkdir()
    environment = {"PYTHONPATH": f"{_TURNS}:{ROOT}", "BGPD_TURNS": str(notes)}
    if each:
        environment["BGPD_METRICS_ELASTIC_IPS"] = str(lab.plan.services)
    node.start(replace(lab.source.of_node(_NODE), environment=environment), lab.key_file)
    lab.steady(300)
    time.sleep(_REST)
    place = Place(_NODE)
    for process in PORTS:
        yield _scraped(node, process, place, notes, times, each=each)
    node.stop()
    node.forget()


def _scraped(
    node: Node, process: str, place: Place, notes: Path, times: int, *, each: bool
) -> Figures:
    pid = node.pid("reflex" if process == "speaker" else "agent")
    spans: list[tuple[float, float]] = []
    size = 0
    for _ in range(times):
        time.sleep(_PAUSE)
        begun = time.monotonic()
        told = place.begin(partial(fetch, node.name, process))()
        if told.error:
            raise LabError(f"{process}: {told.error}")
        spans.append((begun, time.monotonic()))
        size = len(told.text.encode())
    own, others = _turns(notes / f"{pid}.jsonl", spans)
    held = {
        clock: round(max((turn[clock] for turn in own), default=0.0) * 1000, 1) for clock in _CLOCKS
    }
    took = [(end - begin) * 1000 for begin, end in spans]
    return Figures(
        process=process,
        elastic_ips="one by one" if each else "sums",
        scrapes=times,
        ms_p50=round(percentile(took, 0.5), 1),
        ms_max=round(max(took), 1),
        bytes=size,
        held_ms=held["cpu"],
        held_wall_ms=held["wall"],
        others_ms=round(max((turn["cpu"] for turn in others), default=0.0) * 1000, 1),
    )


def _turns(notes: Path, spans: Sequence[tuple[float, float]]) -> tuple[list[Turn], list[Turn]]:
    """Return the turns during *spans*: those of the scrapes themselves, and all others."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    turns = [
        turn
        for turn in map(json.loads, lines)
        if any(begin - turn["wall"] <= turn["at"] <= end for begin, end in spans)
    ]
    own = [turn for turn in turns if turn["what"].startswith(_SCRAPES)]
    return own, [turn for turn in turns if turn not in own]


def table(found: Sequence[Figures]) -> Iterator[str]:
    """Yield the lines of the figures beside their targets."""
    yield "process  elastic IPs    ms p50    max      bytes  held ms  by wall  others ms"
    yield f"{'target':<20}{MOST_MS:>9.0f}{'':>7}{MOST_BYTES:>11}{MOST_HELD_MS:>9.0f}"
    for one in found:
        yield (
            f"{one.process:<9}{one.elastic_ips:<11}{one.ms_p50:>9.1f}{one.ms_max:>7.1f}"
            f"{one.bytes:>11}{one.held_ms:>9.1f}{one.held_wall_ms:>9.1f}{one.others_ms:>11.1f}"
            f"  {'held' if one.held else 'missed'}"
        )


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
