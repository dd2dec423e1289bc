"""Series that were scraped in the lab during a fault, as Prometheus' own tests take them.

`python -m tests.chart.recording DIRECTORY NAME` makes tests/chart/recordings/NAME.json from what
`scripts/lab run FAULT --scrape DIRECTORY` wrote. A fault takes seconds, an alert's `for` minutes:
so each scrape stands for one of Prometheus', and the last one, or one that is named, goes on.
That has the metrics of the rules. `python -m tests.chart.recording --panels DIRECTORY NAME` makes
recordings/panels/NAME.json.gz, with those of the dashboards.
"""

import gzip
import json
import re
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from bgpd.telemetry.catalog import BY_NAME, Kind, series_of
from tests.lab.samples import Labels, read, shown

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "charts/bgpd/files/rules/bgpd.yaml"
DASHBOARDS: Final = ROOT / "charts/bgpd/files/dashboards"
RECORDINGS: Final = Path(__file__).with_name("recordings")
PANELS: Final = RECORDINGS / "panels"
_FILE: Final = re.compile(
    r"(?P<node>.+)-(?P<process>speaker|agent|controller)-(?P<at>[\d.]+)\.prom"
)
_ROUND_SECONDS: Final = 0.4
"""Scrapes of different processes that are so near each other are of one round."""

Series = Mapping[str, tuple[float | None, ...]]
"""By name and labels, as promtool writes them; None: nobody could be scraped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one fault left."""

    fault: str
    seconds: tuple[float, ...]
    """When was scraped, since the first scrape."""
    series: Series

    def stretched(
        self, *, step: int, total: int, hold: int | None = None, times: int = 1, alive: bool = False
    ) -> Series:
        """Return *total* scrapes, one each *step* seconds.

        That is *times* times the recording, and then the scrape *hold* for ever. Counters go on
        from where the recording before ended. Moments keep their age at each scrape; afterwards
        they stay where they are, unless what tells of them is *alive*.
        """
        last = len(self.seconds) - 1 if hold is None else hold
        found = {}
        for name, values in self.series.items():
            if name.partition("{")[0].endswith("_timestamp_seconds"):
                ages = tuple(map(_age, self.seconds, values))
                found[name] = _moments(ages, step=step, total=total, last=last, alive=alive)
            else:
                found[name] = _stretched(
                    values, is_count(name), total=total, last=last, times=times
                )
        return found


def _age(at: float, moment: float | None) -> float | None:
    return None if moment is None else at - moment


def _moments(
    ages: tuple[float | None, ...], *, step: int, total: int, last: int, alive: bool
) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for index in range(total):
        age = ages[min(index, last)]
        at = step * (index if alive else min(index, last))
        found.append(None if age is None else round(at - age, 3))
    return tuple(found)


def _stretched(
    values: tuple[float | None, ...], counts: bool, *, total: int, last: int, times: int
) -> tuple[float | None, ...]:
    found: list[float | None] = []
    base = 0.0
    known = [value for value in values if value is not None]
    for _ in range(times):
        found += [None if value is None else value + base for value in values[: last + 1]]
        if counts and known:
            base += known[-1] - known[0]
    found += [found[-1]] * (total - len(found))
    return tuple(found[:total])


def is_count(name: str) -> bool:
    """Return whether a series may only grow."""
    metric = _METRICS[name.partition("{")[0]]
    return metric.kind is not Kind.GAUGE


_METRICS: Final = {name: metric for metric in BY_NAME.values() for name in series_of(metric)}


def load(name: str) -> Recording:
    """Return a recording that was kept."""
    return _loaded((RECORDINGS / f"{name}.json").read_bytes())


def load_panels(name: str) -> Recording:
    """Return a recording of what dashboards show."""
    return _loaded(gzip.decompress((PANELS / f"{name}.json.gz").read_bytes()))


def _loaded(text: bytes) -> Recording:
    document = json.loads(text)
    return Recording(
        fault=document["fault"],
        seconds=tuple(document["seconds"]),
        series={one: tuple(values) for one, values in document["series"].items()},
    )


def _spoken_of(files: Iterable[Path]) -> set[str]:
    """Return the metrics that *files* speak of."""
    texts = (path.read_text() for path in files)
    words = {word for text in texts for word in re.findall(r"(?:bgpd|process)_[a-z_]+", text)}
    return words & _METRICS.keys()


def record(
    directory: Path, fault: str, wanted: Container[str], *, container: bool = False
) -> Recording:
    """Return what is in *directory* of the metrics that are *wanted*.

    Prometheus' operator adds the *container* too: legends name it, alerts do not.
    """
    files = sorted(
        (float(match["at"]), match["node"], match["process"], path)
        for path, match in _files(directory)
    )
    rounds = list(_rounds([at for at, *_ in files]))
    start = files[0][0]
    found: dict[str, list[float | None]] = {}
    for at, node, process, path in files:
        number = next(index for index, end in enumerate(rounds) if at <= end)
        for family in read(path.read_text()).values():
            for (name, labels), value in family.series.items():
                if name not in wanted:
                    continue
                moment = name.endswith("_timestamp_seconds") and value
                added = (("container", process),) if container else ()
                series = shown((name, _scraped((*labels, *added), node, process)))
                row = found.setdefault(series, [None] * len(rounds))
                row[number] = round(value - start, 3) if moment else value
    return Recording(
        fault=fault,
        seconds=tuple(round(end - start, 3) for end in rounds),
        series={name: tuple(found[name]) for name in sorted(found)},
    )


def _files(directory: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in directory.rglob("*.prom"):
        if match := _FILE.fullmatch(path.name):
            yield path, match


def _rounds(moments: Sequence[float]) -> Iterator[float]:
    """Yield the end of each round."""
    for at, following in zip(moments, (*moments[1:], float("inf")), strict=True):
        if following - at > _ROUND_SECONDS:
            yield at


def _scraped(labels: Labels, node: str, process: str) -> Labels:
    """Return *labels* with those that the chart's PodMonitor adds."""
    component = "controller" if process == "controller" else "agent"
    added = {
        "job": f"bgpd-{component}",
        "node": node,
        "pod": f"bgpd-{component}-{node}",
        "endpoint": "metrics" if process == "controller" else f"{process}-metrics",
    }
    return tuple(sorted({**dict(labels), **added}.items()))


def values_of(values: Iterable[float | None]) -> str:
    """Return *values* as promtool writes them: `1x3` is four times the same."""
    words: list[tuple[str, int]] = []
    for value in values:
        word = "_" if value is None else f"{value:g}" if value == int(value) else repr(value)
        if words and words[-1][0] == word:
            words[-1] = (word, words[-1][1] + 1)
        else:
            words.append((word, 1))
    return " ".join(
        word if count == 1 else f"_x{count}" if word == "_" else f"{word}x{count - 1}"
        for word, count in words
    )


def alerts() -> dict[str, dict[str, object]]:
    """Return each alert by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def main(arguments: Sequence[str]) -> int:
    """Keep a recording."""
    *options, directory, name = arguments
    panels = options == ["--panels"]
    files = DASHBOARDS.glob("*.json") if panels else (RULES,)
    found = record(Path(directory), name, _spoken_of(files), container=panels)
    lines = (f"  {json.dumps(one)}: {json.dumps(values)}" for one, values in found.series.items())
    head = f'{{"fault": {json.dumps(name)}, "seconds": {json.dumps(found.seconds)}, "series": {{\n'
    text = head + ",\n".join(lines) + "\n}}\n"
    if panels:
        PANELS.mkdir(parents=True, exist_ok=True)
        (PANELS / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        RECORDINGS.mkdir(exist_ok=True)
        (RECORDINGS / f"{name}.json").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
