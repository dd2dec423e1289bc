"""Render docs/measurements.md and the README's table from what was measured.

Pure, but for the name of the machine.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tests.lab.fault import Loss
from tests.lab.series import ROUTERS, Series
from tests.lab.shares import TO_ROUTER, WHOSE
from tests.lab.verdict import ROUTE, missed, reason, targets_of, verdict

Reports: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Name of a series -> its JSON, with the facts about its row."""

_GAP = "worst_flow_gap_ms"
_THROUGH = "through_dead_gap_ms"
"""The gap of flows that passed a router, where it is a router that fails."""
_BEGIN, _END = "<!-- figures -->\n", "<!-- /figures -->"
_PROMISES = (
    ("power-loss", "a node loses power, its link stays up"),
    ("kernel-pause", "every process of a node stops"),
    ("pause-then-power-loss", "a node sleeps, wakes, then loses power"),
    ("one-way-out", "a node sends, but hears nothing"),
    ("one-way-in", "a node hears, but nothing it sends arrives"),
    ("two-nodes", "two of five nodes lose power at one instant"),
    ("lossy-power-loss", "power loss while every link loses 5 %"),
    ("endpoint-lost", "a Service loses its endpoint: file written, route gone"),
    ("endpoint-back", "a Service has an endpoint again: file written, route there"),
    ("pod-hang", "a workload hangs that Kubernetes calls ready"),
    ("node-port-no", "a Service's healthCheckNodePort says no"),
    ("uplink-down", "a node's uplink loses its carrier"),
    ("gateway-silent", "a node's gateway falls silent"),
    ("drain", "a node is drained and undrained"),
    ("drain-cordon", "a node is cordoned and uncordoned"),
    ("rolling-upgrade", "agent and speaker of every node are upgraded"),
    ("reboot", "a node reboots"),
    ("kube-proxy-dead", "kube-proxy dies"),
    ("kubelet-dead", "kubelet dies"),
    ("flapping-endpoint", "an endpoint comes and goes ten times a second"),
    ("power-loss-bfd", "a node loses power, the router hears BFD (50 ms x 3)"),
    ("router-dead-bfd", "one of two routers dies in silence, BFD 50 ms x 3"),
    ("speaker-restart-gr", "the speaker restarts, the router keeps its routes"),
    ("agent-upgrade", "the agent restarts"),
    ("die-during-restart", "a node dies while its speaker restarts"),
    ("link-down", "a node's link goes down"),
    ("exabgp-kill", "ExaBGP is killed"),
    ("exabgp-hang", "ExaBGP hangs"),
    ("reflex-kill", "the reflex is killed thirty times in a minute"),
    ("reflex-hang", "the reflex hangs"),
    ("agent-kill", "the agent is killed"),
    ("agent-hang", "the agent hangs"),
    ("speaker-term", "the speaker is told to stop"),
    ("mesh-partition", "the mesh is cut, BGP is not"),
    ("mesh-lossy", "the mesh loses 5 % of its packets"),
    ("return", "the dead node comes back"),
)
"""The README's rows: a fault and what a reader calls it."""
_COLUMNS = (
    "fault",
    "router",
    "family",
    "nodes",
    "Services",
    "runs",
    "worst flow p50 / max",
    "target",
    "lost by other flows",
    "other figures, p50 / max",
    "load",
    "idle class",
)
_HEAD = """# Measurements

Written by `scripts/measure`; every row is `scripts/lab run FAULT` with the options in its columns.
{machine} The hold time is 90 s; BFD is spoken only where the row says so. Twelve UDP flows of 250
packets a second; a gap is the longest time in which no answer arrived on a flow that used the
affected node. Milliseconds unless the name says otherwise.

* *Whose milliseconds.* `to_router_ms` ends when the first UPDATE that says so reaches the router,
  by the kernel's stamp on the router's end of the cable; it is ours. `router_ms` is the rest, until
  the router's kernel has changed its route; it is the router's. `raise_to_router_ms`, ours too, is
  the time from the first survivor's decision to the last survivor's UPDATE at the router.
* *Targets.* `missed` is said where p50 is above the target, `max missed` where only the worst run
  is; a worst flow without a mark held it. FRR keeps every UPDATE for 60 ms by itself
  ([why](lab.md)): there the whole way of a route misses its target, and our share has the same.
* *TCP.* Where nothing may be lost, the client also opens 50 short connections a second. The counts
  are for each run: changes of routes in the router's kernel, short connections that were open when
  the route of their elastic IP changed, how many of these were reset, how many of all the others
  failed, and resets of the four long ones ([how they are counted](lab.md)).
* *Load* is the 1-minute load average when the series began: the client, the router, all nodes and
  whatever else the machine did shared its cores. *Idle class* is how many cores jobs of the idle
  scheduling class (`chrt -i 0`) used meanwhile: they give way, but they count as load.
"""


def page(every: Iterable[Series], reports: Reports) -> str:
    """Return docs/measurements.md, a row for each of *every* series that was measured."""
    lines = [_HEAD.format(machine=_machine(reports))]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    lines += [_row(series, reports[series.name]) for series in every if series.name in reports]
    return "\n".join(lines) + "\n"


def with_table(readme: str, reports: Reports) -> str:
    """Return *readme* with its table of figures written anew, if there are any."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    lines = [
        "| what fails | BIRD: p50 / max | FRR: p50 / max | target | UDP lost beyond the gap |",
        "| --- | --- | --- | --- | --- |",
    ]
    for fault, sentence in _PROMISES:
        names = (Series(fault=fault, router=router).name for router in ROUTERS)
        found = [reports.get(name) for name in names]
        if any(found):
            lines.append(_promise(sentence, found))
    return f"{before}{_BEGIN}" + "\n".join(lines) + f"\n{_END}{after}"


def _promise(sentence: str, found: Sequence[Mapping[str, Any] | None]) -> str:
    known = [report for report in found if report]
    targets = [_target(report) for report in known]
    lost = [run.get(_lost_of(report)) for report in known for run in report["runs"]]
    target = max((one for one in targets if one), default=None)
    cells = (
        sentence,
        *(_cell(router, report) for router, report in zip(ROUTERS, found, strict=True)),
        f"{target:.0f}" if target else "0 lost",
        str(sum(count for count in lost if count)),
    )
    return "| " + " | ".join(cells) + " |"


def _lost_of(report: Mapping[str, Any]) -> str:
    """Return which loss breaks the promise: any, or that of flows which the fault spares."""
    if _THROUGH in report["target"]:
        return "flows_apart_lost"
    return "lost" if report["target"].get("loss") == Loss.NONE.value else "lost_other"


def _cell(router: str, report: Mapping[str, Any] | None) -> str:
    summary = report["summary"] if report else {}
    targets = targets_of(router, report["target"]) if report else {}
    if route := summary.get(ROUTE):
        whole = f"{_pair(route)}{_mark(router, ROUTE, summary, targets)}"
        ours = summary.get(TO_ROUTER)
        share = verdict(ours, targets.get(TO_ROUTER)) if ours else ""
        part = f", ours {_pair(ours)}{f' ({share})' if share else ''}" if ours else ""
        return f"{whole}{part}"
    name = _THROUGH if _THROUGH in targets else _GAP
    gap = summary.get(name)
    return f"{_pair(gap)}{missed(gap, targets.get(name))}" if gap and _target(report) else "-"


def _mark(router: str, name: str, summary: Mapping[str, Any], targets: Mapping[str, float]) -> str:
    """Return what a cell says behind a figure that missed its target, and why it did."""
    word = missed(summary[name], targets.get(name))
    why = reason(router, name, summary)
    return f"{word[:-1]}: {why})" if word and why else word


def _target(report: Mapping[str, Any] | None) -> float | None:
    targets = report["target"] if report else {}
    target: float | None = targets.get(_GAP) or targets.get(ROUTE) or targets.get(_THROUGH)
    return target


def _pair(values: Mapping[str, float]) -> str:
    return f"{values['p50']:.0f} / {values['max']:.0f}"


def _machine(reports: Reports) -> str:
    dates = sorted({report["facts"]["date"] for report in reports.values()})
    span = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "never"
    cores, kernel = os.cpu_count(), os.uname().release
    return f"Measured {span} on a virtual machine with {cores} shared cores, Linux {kernel}."


def _row(series: Series, report: Mapping[str, Any]) -> str:
    facts, summary, runs = report["facts"], report["summary"], report["runs"]
    gap = summary.get(_GAP)
    target = report["target"].get(_GAP)
    hold = series.zebra_work_queue
    idle = facts.get("idle_cores")
    cells = (
        series.fault,
        series.router + ("" if hold is None else f", `zebra work-queue {hold}`") + _bfd(series),
        series.family,
        str(series.nodes),
        str(series.services),
        _runs(runs, facts.get("error", "")),
        f"{_pair(gap)}{missed(gap, target)}" if gap else "-",
        f"{target:.0f}" if target else "-",
        _sum(runs, "lost_other"),
        _others(series.router, report),
        f"{facts['load']:.1f}",
        "?" if idle is None else f"{idle:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def _bfd(series: Series) -> str:
    words = [f"BFD {series.bfd}"] if series.bfd else []
    words += [f"takeover {series.takeover}"] if series.takeover else []
    words += [f"at {series.provider}"] if series.provider else []
    return "".join(f", {word}" for word in words)


def _runs(runs: Sequence[Mapping[str, Any]], error: str) -> str:
    """Return how many runs there were, how many held the promise, and what ended them early."""
    held = sum(bool(run["ok"]) for run in runs)
    words = [str(len(runs))]
    words += [f"{held} held"] if held < len(runs) else []
    words += sorted({problem for run in runs for problem in run["problems"]})
    words += [f"ended early: {error}"] if error else []
    return "; ".join(words)


def _sum(runs: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [run[key] for run in runs if run.get(key) is not None]
    return str(sum(values)) if values else "-"


_KNOWN = {_GAP, "other_flows_gap_ms", "lost", "ok"}


def _others(router: str, report: Mapping[str, Any]) -> str:
    summary, runs = report["summary"], report["runs"]
    targets = targets_of(router, report["target"])
    found = [
        f"{key} {value['p50']:.3g} / {value['max']:.3g}{_note(router, key, summary, targets)}"
        for key, value in summary.items()
        if key not in _KNOWN and isinstance(value, dict)
    ]
    lost = summary.get("lost")
    found += [f"lost {lost} in all"] if lost is not None else []
    raises = sorted({run["raises"] for run in runs if run.get("raises") is not None})
    found += [f"raises {', '.join(map(str, raises))} a run"] if raises else []
    return "; ".join(found)


def _note(router: str, key: str, summary: Mapping[str, Any], targets: Mapping[str, float]) -> str:
    words = [WHOSE[key]] if key in WHOSE else []
    if key in targets:
        goal = f"target {targets[key]:g}: {verdict(summary[key], targets[key])}"
        why = reason(router, key, summary)
        words.append(f"{goal}, {why}" if why and "missed" in goal else goal)
    return f" ({'; '.join(words)})" if words else ""
