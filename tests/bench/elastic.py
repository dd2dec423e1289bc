"""From the figures of a run to docs/measurements-elastic-ips.md. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bgpd.controller.lease import DURATION
from tests.bench.page import Report, circumstances, row, table
from tests.lab.figures import percentile

ON_PAGE: Final = ("service-to-route", "pending", "allocate", "leader")
"""What has a section, in this order."""
_HEAD: Final = """\
Written by `scripts/bench page` from what `scripts/bench service-to-route`, `pending`, `allocate`
and `leader` measured, each with a real API server on the same machine (`allocate`: with none).
What was not measured is left out. What the controller does is in
[controller.md](controller.md).""".splitlines()
_TITLES: Final = {
    "service-to-route": "One Service is made",
    "pending": "A controller starts, and Services wait for addresses",
    "allocate": "The allocator alone",
    "leader": "Leaders die",
}
_HOW: Final = {
    "service-to-route": """\
One node, BIRD 2, a controller and a speaker. A Service's EndpointSlice is there; the Service is
posted; its address is seen on a watch of Services; its route comes into the router's kernel. bgpd
and MetalLB take turns in blocks, each alone while it is measured; a Service is made every 1.5
seconds, because MetalLB's client allows itself five requests a second. The border between API
server and controller is the kernel's stamp of the first packet that reaches the controller after
the POST was sent, and of the first that leaves it then. Milliseconds; below zero where an UPDATE
was at the router before the watch had told us of the address.""",
    "pending": """\
The Services are there before the controller starts. Until the last address is in a status; then one
Service at a time is posted.""",
    "allocate": """\
One process, no API server. Services a second, each load several times from a new allocator.""",
    "leader": """\
Three controllers stand for one Lease while Services are made, changed and deleted, about 50 times a
second. Whoever leads is killed (`kill -9`), or stopped and continued, at random moments. A witness
watches every address; in the end every address that is left is asked for, so that none has
leaked.""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure should be."""

    words: str
    met: Callable[[float], bool]


def _at_most(most: float) -> Target:
    return Target(words=f"<= {most:g}", met=lambda value: value <= most)


_NONE: Final = Target(words="0", met=lambda value: value == 0)
_ROUTE: Final = _at_most(60)
_RATE: Final = Target(words=">= 20,000", met=lambda value: value >= 20_000)
_TARGETS: Final = {
    "leading to the last address, s": _at_most(60),
    "memory, MB (PSS)": _at_most(120),
    "memory at the end, MB (PSS)": _at_most(120),
    "faults": _NONE,
    "given twice or changed": _NONE,
    "leaked": _NONE,
    "pools that miscount": _NONE,
    "takeovers later than the Lease's time": _NONE,
    "kill to the next leader, s (median)": _at_most(DURATION),
    "the same, s (most)": _at_most(DURATION),
}
_MANY: Final = 10_000
_OF_MANY: Final = frozenset(
    {
        "leading to the last address, s",
        "memory, MB (PSS)",
        "memory at the end, MB (PSS)",
    }
)
"""What has a target for that many Services."""
_LEFT: Final = "SIGTERM "
"""The beginning of figures of leaders that left in order; 0 where none did."""
_LOADS: Final = frozenset({"allocate"})
"""The loads of the allocator that have a target: a Service and one address."""


def page(reports: Sequence[Report]) -> str:
    """Return the whole page."""
    lines = ["# Measurements of elastic IPs", "", *_HEAD]
    for report in reports:
        bench = report["bench"]
        lines += ["", f"## {_TITLES[bench]}", "", *_HOW[bench].splitlines(), ""]
        lines += [circumstances(report), "", table_of(report)]
    return "\n".join(lines) + "\n"


def table_of(report: Report) -> str:
    """Return the figures of one run as a Markdown table."""
    match report["bench"]:
        case "service-to-route":
            return "\n".join([table(report), *_verdict(report)])
        case "allocate":
            return "\n".join(_rates(report["figures"]))
        case _:
            return "\n".join(_plain(report["figures"]))


def judged(target: Target, value: float) -> str:
    """Return the words of *target*, and whether *value* meets it."""
    return f"{target.words}: {'held' if target.met(value) else 'missed'}"


def _verdict(report: Report) -> Iterator[str]:
    known = [
        run["route_ms"]
        for run in report["runs"]
        if run["speaker"] == "bgpd" and run["route_ms"] is not None
    ]
    if known:
        words = judged(_ROUTE, percentile(known, 0.5))
        yield f"Target of bgpd's p50 from POST acknowledged to route present, in ms: {words}."


def _plain(figures: Mapping[str, float]) -> Iterator[str]:
    yield from ("| what | figure | target |", "| --- | --- | --- |")
    for name, value in figures.items():
        if name.startswith("load ") or (name.startswith(_LEFT) and not value):
            continue
        target = _TARGETS.get(name)
        enough = name not in _OF_MANY or figures.get("Services", 0) >= _MANY
        yield row(name, _number(value), judged(target, value) if target and enough else "-")


def _rates(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| load | given | median | slowest | fastest | target |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, rates in figures["loads"].items():
        words = judged(_RATE, rates["median"]) if name in _LOADS else "-"
        cells = (f"{rates[one]:,.0f}" for one in ("given", "median", "slowest", "fastest"))
        yield row(name, *cells, words)
    yield ""
    yield (
        f"{figures['services']:,} Services, {figures['pools']} pools, {figures['repeat']} repeats;"
        f" {figures['bytes a Service']:,} bytes of memory a Service."
    )


def _number(value: float) -> str:
    """Return *value* as a count, or with two digits after the point."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
