"""From the figures of a run to tables and to docs/measurements-kubernetes.md. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tests.lab.figures import percentile

Report = Mapping[str, Any]

TARGET_RATIO: Final = 1.15
TRACED: Final = "event-to-route-traced"
"""The bench's name where perf watches our processes: that costs them time, so it is kept apart."""
_HEAD: Final = """\
Written by `scripts/bench page` from what `scripts/bench event-to-route`, `mass` and `cold-start`
measured. One node, BIRD 2 and a real API server share one machine. The speakers take turns on the
node, in blocks; each is alone while it is measured. Times are in milliseconds where nothing else is
said.""".splitlines()
_OUTAGES: Final = """\
Each row is `scripts/lab run FAULT --source kubernetes` on three nodes. 3,000 packets a second flow
the whole time; an endpoint goes while the server is away. *Held* means that no packet was lost and
that no route changed but that one; *converged* is the time in seconds from the end of the outage
until that route had changed in the router's kernel (0: before the end).""".splitlines()
_WAYS: Final = {False: "not ready, route gone", True: "ready, route present"}
_PARTS: Final = {
    "route_ms": "PATCH sent to route changed",
    "api_ms": "of it until the event is at the node (API server)",
    "speaker_ms": "of it until the UPDATE is at the router (the speaker)",
    "wake_ms": "of the speaker's: until the agent has read it",
    "ours_ms": "of the speaker's: until the reflex writes the command to ExaBGP (our code)",
    "agent_ms": "of our code's: until the reflex has read it from the agent",
    "reflex_ms": "of our code's: the reflex",
    "exabgp_ms": "of the speaker's: until the UPDATE is at the router (ExaBGP)",
    "router_ms": "of it until the route has changed (BIRD)",
}
_MASS: Final = {
    "patched_ms": "first PATCH sent to last answer",
    "lag_ms": "last answer to last route",
    "all_ms": "first PATCH sent to last route",
}
_COLD: Final = {"seconds": "start of the first process to last route, in s"}
_GIVING: Final = {
    "post_ms": "POST sent to POST acknowledged (API server)",
    "route_ms": "POST acknowledged to route present",
    "address_ms": "of it until a watch shows the address (controller and API server)",
    "speaker_ms": "of it until the UPDATE is at the router (the speaker)",
    "router_ms": "of it until the route is present (BIRD)",
    "heard_ms": "POST sent to event at the controller (API server)",
    "controller_ms": "event at the controller to its first request (the controller)",
    "written_ms": "its first request to address on a watch (API server)",
}
_FIGURES: Final = {
    "event-to-route": _PARTS,
    TRACED: _PARTS,
    "mass": _MASS,
    "cold-start": _COLD,
    "service-to-route": _GIVING,
}
_COMPARED: Final = {
    "event-to-route": "route_ms",
    "mass": "lag_ms",
    "cold-start": "seconds",
    "service-to-route": "route_ms",
}
_TITLES: Final = {
    "event-to-route": "One EndpointSlice is patched",
    TRACED: "Where our share of that goes, by perf(1), which makes it a little longer",
    "mass": "1,000 EndpointSlices are patched over 8 connections",
    "cold-start": "A start with 1,000 Services",
    "outages": "The API server is away",
}


def table(report: Report) -> str:
    """Return the figures of one run as a Markdown table, and the ratios below it."""
    lines = [
        "| who | which way | what | p50 | p95 | max | medians of blocks | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [row(*cells) for cells in _cells(report)]
    lines += ["", *_ratios(report)]
    return "\n".join(lines)


def page(reports: Iterable[Report]) -> str:
    """Return the whole page."""
    lines = [
        "# Measurements with a Kubernetes API server",
        "",
        *_HEAD,
    ]
    for report in reports:
        lines += ["", f"## {_TITLES[report['bench']]}", ""]
        if report["bench"] == "outages":
            lines += [*_OUTAGES, "", f"Measured {report['date']}.", "", outage_table(report)]
        else:
            lines += [circumstances(report), "", table(report)]
    return "\n".join(lines) + "\n"


def outage_table(report: Report) -> str:
    """Return what the faults of the API did, a row each."""
    lines = [
        "| fault | runs | held | packets lost | converged, p50 | max | target | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for fault in report["faults"]:
        converged = fault["summary"].get("converged_seconds") or {}
        held = sum(run["ok"] for run in fault["runs"])
        cells = (
            fault["fault"],
            len(fault["runs"]),
            held,
            fault["summary"]["lost"],
            converged.get("p50", "-"),
            converged.get("max", "-"),
            fault["target"]["converged_seconds"],
            fault["load"],
        )
        lines.append(row(*map(str, cells)))
    return "\n".join(lines)


def ratio(report: Report, figure: str, ours: str, other: str) -> float | None:
    """Return our median by that of *other*, each over all runs, both ways."""
    mine, theirs = (_known(report, figure, speaker=name) for name in (ours, other))
    if not mine or not theirs:
        return None
    return percentile(mine, 0.5) / percentile(theirs, 0.5)


def in_words(value: float) -> str:
    """Return *value* with two digits after the point, or with two that say something."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _cells(report: Report) -> Iterable[tuple[str, ...]]:
    parts = _FIGURES[report["bench"]]
    ways = sorted({run["present"] for run in report["runs"] if "present" in run}) or [None]
    for speaker in _speakers(report):
        for way in ways:
            for figure, words in parts.items():
                known = _known(report, figure, speaker=speaker, way=way)
                if known:
                    blocks = _medians(report, figure, speaker, way)
                    yield (
                        speaker,
                        _WAYS[way] if way is not None else "-",
                        words,
                        *(f"{value:.2f}" for value in _summary(known)),
                        f"{min(blocks):.2f} to {max(blocks):.2f}",
                        str(len(known)),
                    )


def _ratios(report: Report) -> list[str]:
    speakers = _speakers(report)
    lines = []
    for other in speakers[1:]:
        compared = _COMPARED.get(report["bench"])
        found = ratio(report, compared, speakers[0], other) if compared else None
        if found is not None:
            lines.append(f"Ratio of medians, {speakers[0]} to {other}: **{in_words(found)}**.")
    lost = sum(run.get("route_ms", run.get("all_ms", 0)) is None for run in report["runs"])
    return [*lines, *([f"{lost} changes did not arrive within a minute."] if lost else [])]


def circumstances(report: Report) -> str:
    """Return when and where *report* was measured, in a sentence."""
    before, after = report["load"]
    return (
        f"Measured {report['date']}, {report['cpus']} processors, kernel {report['kernel']}, "
        f"Kubernetes {report['kubernetes']}; load {before:.1f} before, {after:.1f} after."
    )


def _speakers(report: Report) -> list[str]:
    return sorted({run["speaker"] for run in report["runs"]}, key=lambda name: name != "bgpd")


def _known(
    report: Report, figure: str, *, speaker: str, way: bool | None = None, block: int | None = None
) -> list[float]:
    return [
        run[figure]
        for run in report["runs"]
        if run["speaker"] == speaker
        and way in (None, run.get("present"))
        and block in (None, run["block"])
        and run.get(figure) is not None
    ]


def _medians(report: Report, figure: str, speaker: str, way: bool | None) -> list[float]:
    blocks = {run["block"] for run in report["runs"] if run["speaker"] == speaker}
    each = (_known(report, figure, speaker=speaker, way=way, block=block) for block in blocks)
    return [percentile(known, 0.5) for known in each if known]


def _summary(known: Sequence[float]) -> tuple[float, float, float]:
    return percentile(known, 0.5), percentile(known, 0.95), max(known)


def row(*cells: str) -> str:
    """Return one row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
