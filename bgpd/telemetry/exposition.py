"""Metrics as text that Prometheus reads (exposition format 0.0.4), in small pieces.

One writer for all three processes: `prometheus_client` renders everything in one go, which holds
an event loop for as long as ten thousand elastic IPs take. Here the caller takes a piece, does
what is due, and takes the next one.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

from bgpd.telemetry.instruments import Histogram
from bgpd.telemetry.metric import Kind, Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PIECE: Final = 200
"""Lines of one piece: some tenths of a millisecond."""

_SPECIAL: Final = re.compile(r'[\\"\n]')

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in its order."""
Samples: TypeAlias = Iterable[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one metric; a histogram's are given as *histograms*."""

    metric: Metric
    samples: Samples = ()
    """They are read later, when what they were read from may have changed: give a copy."""
    histograms: Mapping[Labels, Histogram] | None = None


def one(metric: Metric, value: float) -> Family:
    """Return the family of a *metric* without labels."""
    return Family(metric, (((), value),))


def complete(metric: Metric, samples: Samples) -> Family:
    """Return *samples* with a 0 for each set of labels that the catalog knows and is not there.

    It is for metrics whose label values are all in the catalog; of others, see `zeros`.
    """
    return Family(metric, {**zeros(metric), **dict(samples)}.items())


def by_label(counts: Mapping[str, float]) -> Samples:
    """Return *counts* as the samples of a metric with one label, in order."""
    return [((value,), count) for value, count in sorted(counts.items())]


def zeros(metric: Metric, *fixed: str) -> dict[Labels, float]:
    """Return 0 for each combination of label values that *metric* knows, after those in *fixed*."""
    known = (metric.values[label] for label in metric.labels[len(fixed) :])
    return {(*fixed, *rest): 0.0 for rest in product(*known)}


def render(families: Iterable[Family]) -> Iterator[str]:
    """Yield the text of *families*, one by one or in pieces of `PIECE` lines; of empty ones too.

    Each is made when it is its turn, so that one that takes long to make takes a turn of its own.
    """
    for family in families:
        metric = family.metric
        lines = [
            f"# HELP {metric.name} {_escaped_help(metric.help)}",
            f"# TYPE {metric.name} {metric.kind}",
        ]
        for line in _lines(family):
            lines.append(line)
            if len(lines) >= PIECE:
                yield "\n".join(lines) + "\n"
                lines.clear()
        if lines:
            yield "\n".join(lines) + "\n"


def _lines(family: Family) -> Iterator[str]:
    metric, names = family.metric, _opened(family.metric.labels)
    if metric.kind is Kind.HISTOGRAM:
        for labels, histogram in (family.histograms or {}).items():
            yield from _histogram(metric, labels, histogram)
        return
    for labels, value in family.samples:
        yield f"{metric.name}{_braces(names, labels)} {number(value)}"


def _histogram(metric: Metric, labels: Labels, histogram: Histogram) -> Iterator[str]:
    names = _opened((*metric.labels, "le"))
    for bound, count in zip((*metric.buckets, math.inf), histogram.cumulative(), strict=True):
        braces = _braces(names, (*labels, number(bound)))
        yield f"{metric.name}_bucket{braces} {count}"
    braces = _braces(names[:-1], labels)
    yield f"{metric.name}_sum{braces} {number(histogram.sum)}"
    yield f"{metric.name}_count{braces} {histogram.count}"


def number(value: float) -> str:
    """Return *value* as Prometheus reads it."""
    if isinstance(value, int):
        return str(int(value))  # a truth is 0 or 1
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    whole = int(value)
    return str(whole) if whole == value else repr(float(value))


def _opened(names: Labels) -> Labels:
    """Return what stands before each value."""
    return tuple(f'{name}="' for name in names)


def _braces(names: Labels, values: Labels) -> str:
    """Return the labels; *names* as `_opened` returns them."""
    if not names:
        return ""
    pairs = [name + _escaped(value) for name, value in zip(names, values, strict=True)]
    return "{" + '",'.join(pairs) + '"}'


def _escaped(value: str) -> str:
    if _SPECIAL.search(value) is None:
        return value
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def encode(text: str) -> bytes:
    """Return *text* as it goes over the wire.

    A lone surrogate, of a file name say, has no UTF-8 form.
    """
    return text.encode("utf-8", "replace")


def _escaped_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
