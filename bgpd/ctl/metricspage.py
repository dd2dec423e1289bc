"""The page of all metrics, from the catalog: what may be graphed and alerted on."""

from collections.abc import Iterator
from typing import Final

from bgpd.telemetry.catalog import CATALOG, Kind, Metric, Process

_INTRODUCTION: Final = """\
# Metrics

<!-- Written by scripts/docs from the catalog of metrics; do not edit. -->

How to scrape them, and who may, is in [Metrics and health](../metrics.md). Series vanish with the
peer, the member or the Service that they are about; those of label values that are known
beforehand exist from the start, with 0. Counters never go back while the process lives.
"""
_OF: Final = {
    Process.SPEAKER: "Speaker",
    Process.AGENT: "Agent",
    Process.CONTROLLER: "Controller",
}
_FEW: Final = 12
"""Label values that are listed; there are pages for what has more."""


def page() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *_sections()))


def _sections() -> Iterator[str]:
    every = tuple(Process)
    yield from _section("Every process", [m for m in CATALOG if m.processes == every])
    for process, title in _OF.items():
        own = [m for m in CATALOG if process in m.processes and m.processes != every]
        yield from _section(title, own)


def _section(title: str, metrics: list[Metric]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | type | labels | meaning |"
    yield "| --- | --- | --- | --- |"
    for metric in metrics:
        yield f"| `{metric.name}` | {metric.kind} | {_labels(metric)} | {_meaning(metric)} |"
    yield ""


def _labels(metric: Metric) -> str:
    return "<br>".join(_label(metric, label) for label in metric.labels)


def _label(metric: Metric, label: str) -> str:
    values = metric.values.get(label, ())
    if not values:
        return f"`{label}`"
    if len(values) > _FEW:
        return f"`{label}`: one of {len(values)}"
    return f"`{label}`: {', '.join(values)}"


def _meaning(metric: Metric) -> str:
    if metric.kind is not Kind.HISTOGRAM:
        return metric.help
    bounds = [_seconds(bound) for bound in metric.buckets]
    return f"{metric.help} {len(bounds)} buckets from {bounds[0]} to {bounds[-1]}."


def _seconds(bound: float) -> str:
    return f"{bound * 1000:g} ms" if bound < 1 else f"{bound:g} s"
