"""Read what a process of ours lets Prometheus scrape, more strictly than Prometheus does. Pure.

Every series has a HELP and a TYPE before it and is there once; what comes twice, comes late or
cannot be read is an error with its line (exposition format 0.0.4).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""
Series = tuple[str, Labels]

_LINE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)')
_PAIR = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\.)*)"(?:,|$)')
_ESCAPED = re.compile(r'\\([\\n"])')
_PARTS = ("_bucket", "_sum", "_count")
_KINDS = frozenset({"gauge", "counter", "histogram"})


class UnreadableError(ValueError):
    """It is no exposition, in a sentence that names the line."""


@dataclass(slots=True, kw_only=True)
class Family:
    """One metric and its series."""

    name: str
    help: str
    kind: str = ""
    series: dict[Series, float] = field(default_factory=dict)
    """The name of a histogram's series has the part at its end."""


Scraped = Mapping[str, Family]


def read(text: str) -> dict[str, Family]:
    """Return the families of *text* by name, in its order; else raise `UnreadableError`."""
    if not text.endswith("\n"):
        raise UnreadableError("the last line has no end: it was cut off")
    found: dict[str, Family] = {}
    current: Family | None = None
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        try:
            current = _take(line, found, current)
        except UnreadableError as error:
            raise UnreadableError(f"line {number}, {line[:80]!r}: {error}") from None
    return found


def _take(line: str, found: dict[str, Family], current: Family | None) -> Family:
    word, _, rest = line.partition(" ")
    if word == "#":
        what, _, rest = rest.partition(" ")
        name, _, told = rest.partition(" ")
        if what == "HELP":
            if name in found:
                raise UnreadableError("the metric comes twice")
            found[name] = Family(name=name, help=told)
            return found[name]
        if what == "TYPE" and current is not None and current.name == name:
            if current.kind or told not in _KINDS:
                raise UnreadableError("no type, or not the first")
            current.kind = told
            return current
        raise UnreadableError("neither HELP, nor the TYPE of what HELP has just named")
    if current is None:
        raise UnreadableError("a series without HELP and TYPE")
    _add(line, current)
    return current


def _add(line: str, family: Family) -> None:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UnreadableError("no series")
    name, braces, value = match.groups()
    parts = _PARTS if family.kind == "histogram" else ("",)
    if name not in {family.name + part for part in parts}:
        raise UnreadableError(f"a series of another metric than {family.name}, a {family.kind}")
    series = (name, _labels(braces or ""))
    if series in family.series:
        raise UnreadableError("the series comes twice")
    try:
        family.series[series] = float(value)
    except ValueError:
        raise UnreadableError("no number") from None


def _labels(text: str) -> Labels:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or match[1] in found:
            raise UnreadableError("labels that cannot be read, or one that comes twice")
        found[match[1]] = _ESCAPED.sub(lambda one: "\n" if one[1] == "n" else one[1], match[2])
        at = match.end()
    return tuple(sorted(found.items()))


def value(scraped: Scraped, name: str, **labels: str) -> float | None:
    """Return the value of one series of a gauge or a counter, or None where it is not there."""
    family = scraped.get(name)
    if family is None:
        return None
    return family.series.get((name, tuple(sorted(labels.items()))))


def gauges(scraped: Scraped, name: str, label: str) -> dict[str, float]:
    """Return value by *label* of the gauge *name*."""
    family = scraped.get(name)
    series = {} if family is None else family.series
    return {dict(labels)[label]: value for (_, labels), value in series.items()}


def counts(scraped: Scraped) -> Iterator[tuple[Series, float]]:
    """Yield every series that may only grow: counters, and histograms' parts."""
    for family in scraped.values():
        if family.kind in {"counter", "histogram"}:
            yield from family.series.items()


def backwards(before: Mapping[Series, float], after: Iterable[tuple[Series, float]]) -> list[str]:
    """Return a sentence for each of *after* that is less than it was."""
    return [
        f"{shown(series)} went from {before[series]:.15g} back to {now:.15g}"
        for series, now in after
        if series in before and now < before[series]
    ]


def shown(series: Series) -> str:
    """Return *series* as people write it."""
    name, labels = series
    braces = ",".join(f"{label}={json.dumps(value)}" for label, value in labels)
    return f"{name}{{{braces}}}" if braces else name


class Names:
    """The metrics of many scrapes, with one series for each set of labels.

    A linter looks at names, and finds nothing new in the same ones again.
    """

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        self._lines: dict[str, dict[object, str]] = {}

    def add(self, scraped: Scraped) -> None:
        """Take in what *scraped* has that others had not."""
        for name, family in scraped.items():
            self._heads[name] = f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
            lines = self._lines.setdefault(name, {})
            for series, labels in family.series:
                key = (series, tuple(label for label, _ in labels))
                if key not in lines:
                    lines[key] = f"{shown((series, labels))} 1\n"

    def text(self) -> str:
        """Return one exposition of all of them."""
        return "".join(
            head + "".join(self._lines[name].values()) for name, head in self._heads.items()
        )
