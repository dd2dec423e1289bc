"""What one run showed, whether it kept the promise, and how a series is told. Pure."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bgpd.model.peer import Takeover
from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.figures import TrafficFigures, summarize
from tests.lab.plan import Plan
from tests.lab.shares import NAMES, WHOSE
from tests.lab.strikes import Findings
from tests.lab.verdict import conclusion, targets_of, verdict

ORDER_SECONDS = 2.0
"""What `run` and the tests assert about a gap: far below any hold time; targets are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that one strike of one fault showed."""

    number: int
    seed: int
    affected: tuple[str, ...]
    traffic: TrafficFigures | None
    sessions_established_when_moved: bool | None
    generation_before: int | None
    generation_after: int | None
    raises: int | None
    update_spread_ms: float | None
    recovered_seconds: float | None
    """None where members were quarantined, and the nodes had to be started afresh."""
    quarantined: tuple[str, ...]
    machine_late_ms: float
    """How late an ordinary process of this machine woke at worst after the strike."""
    machine_late_since_look_ms: float
    """The same from the look at the generation on that raises are counted from."""
    findings: Findings
    timeline: list[Any]
    joined: Mapping[str, Any]
    """The takeover as all survivors saw it, on one clock; empty where none is right."""
    attempts: int
    scrapes: int = 0
    """Answers of speakers and agents that were scraped meanwhile."""
    unlinted: bool = False
    """Whether nobody was there to say that the metrics are well named."""
    untrue: tuple[str, ...] = ()
    """What was wrong with those answers, in sentences."""
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the run as one flat object."""
        flat = asdict(self)
        flat.pop("findings")
        traffic = flat.pop("traffic") or dict.fromkeys(
            ("worst_flow_gap_ms", "other_flows_gap_ms", "sent", "lost")
        )
        return {**flat, **traffic, **self.findings, "ok": not self.problems}


def judge(plan: Plan, fault: Fault, run: Run) -> tuple[str, ...]:
    """Return what of the fault's promise about order and loss did not hold, in sentences."""
    problems = [*_judge_traffic(fault, run), *run.untrue]
    if fault.sessions is Sessions.KEPT and run.sessions_established_when_moved is False:
        problems.append("a session of the affected node was lost")
    if fault.raises is not None and run.raises not in fault.raises:
        problems.append(f"raises: {run.raises} instead of {fault.raises[0]}")
    untrue = [name for name, value in run.findings.items() if value is False]
    unseen = [name for name in fault.targets if run.findings.get(name) is None]
    problems += [f"{name.replace('_', ' ')}: no" for name in untrue]
    problems += [f"{name.replace('_', ' ')}: not seen" for name in unseen if plan.router.forwards]
    return tuple(problems)


def _judge_traffic(fault: Fault, run: Run) -> list[str]:
    traffic = run.traffic
    if traffic is None:
        return []
    problems = []
    if fault.gap_ms is not None:
        if traffic.worst_flow_gap_ms is None:
            problems.append("no flow used the affected node")
        elif traffic.worst_flow_gap_ms > ORDER_SECONDS * 1000:
            problems.append(f"traffic stood still for {traffic.worst_flow_gap_ms:.0f} ms")
    if fault.loss is Loss.NONE and traffic.lost:
        when = " to ".join(f"{seconds:.3f}" for seconds in traffic.lost_seconds or ())
        problems.append(f"{traffic.lost} packets lost, {when} s after the strike began")
    if fault.loss is Loss.ONE_A_FLOW and traffic.worst_flow_lost > 1:
        problems.append(f"{traffic.worst_flow_lost} packets of one flow lost")
    if fault.loss is Loss.AFFECTED and traffic.lost_other:
        problems.append(f"{traffic.lost_other} packets lost by flows of other nodes")
    return problems


TERMINAL = 80
"""Columns that every line for a terminal fits."""
_WIDE = 26
MANY_SERVICES = 1000
MANY_EXTRA_MS = 100.0
_ROUTER_MS = 50.0
"""What a router may take from the end of its BFD session to the end of its routes."""


def report(plan: Plan, fault: Fault, runs: list[Run], error: str = "") -> dict[str, Any]:
    """Return the JSON of a series of runs, with its summary; *error* ended it early."""
    flat = [run.as_json() for run in runs]
    traffic = ("worst_flow_gap_ms", "other_flows_gap_ms", "update_spread_ms")
    figures = (*traffic, *fault.targets, *fault.reported, *NAMES)
    return {
        "fault": fault.name,
        "plan": {**asdict(plan), "restart": plan.restart.value, "source": plan.source.value},
        "target": {
            "worst_flow_gap_ms": _gap_target(plan, fault),
            **fault.targets,
            "loss": fault.loss.value,
        },
        "error": error,
        "runs": flat,
        "summary": {name: summarize(run.get(name) for run in flat) for name in figures}
        | {
            "lost": sum(run["lost"] or 0 for run in flat),
            "ok": not error and all(run["ok"] for run in flat),
        },
    }


def _gap_target(plan: Plan, fault: Fault) -> float | None:
    """Return the target for the worst flow; a thousand routes take the router longer to move."""
    if fault.bfd_gap and plan.bfd and plan.takeover != Takeover.ALWAYS:
        return plan.bfd.interval * plan.bfd.multiplier + _ROUTER_MS
    if fault.gap_ms is None or plan.services < MANY_SERVICES:
        return fault.gap_ms
    return fault.gap_ms + MANY_EXTRA_MS


LEGEND = (
    "  worst flow: longest time without an answer; others: the same on healthy nodes\n"
    "  UPDATEs apart (update_spread_ms): between the first and the last survivor's\n"
    "  lost: of all flows; max missed: p50 held the target, the worst run did not"
)


def progress(run: Run, *, verbose: bool = False) -> str:
    """Return a few short lines about one run; *verbose*: also its shares and who was late."""
    lines = [f"run {run.number:>2}  {','.join(run.affected)}: {_essence(run)}"]
    hidden = () if verbose else NAMES
    told = [_finding(name, value) for name, value in run.findings.items() if name not in hidden]
    if run.update_spread_ms is not None:
        told.append(f"UPDATEs {run.update_spread_ms:.1f} ms apart")
    if verbose:
        told.append(f"this machine was late by {run.machine_late_ms:.0f} ms at worst")
        if run.traffic is not None:
            told.append(f"the client by {run.traffic.client_late_ms:.0f} ms")
    if run.unlinted:
        told.append("promtool is not installed, so the names of metrics were not checked")
    if run.quarantined:
        told.append(f"quarantined {','.join(run.quarantined)}")
    if run.recovered_seconds is not None:
        told.append(f"all well again in {run.recovered_seconds:.1f} s")
    lines += _wrapped("; ".join(told))
    for problem in run.problems:
        lines += _wrapped(f"NOT HELD: {problem}")
    return "\n".join(lines)


def _essence(run: Run) -> str:
    words = []
    if run.traffic is not None:
        gap, other = run.traffic.worst_flow_gap_ms, run.traffic.other_flows_gap_ms
        words = [f"worst flow {_ms(gap)}", f"others {_ms(other)}"]
        words += [f"lost {run.traffic.lost} of {run.traffic.sent}"]
    words.append("raises not seen" if run.raises is None else f"raises {run.raises}")
    return ", ".join(words)


def _finding(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return f"{words}: {'yes' if value else 'NO'}"
    return f"{words} {'not seen' if value is None else value}"


def _wrapped(text: str) -> list[str]:
    indent = " " * 8
    return textwrap.wrap(text, TERMINAL, initial_indent=indent, subsequent_indent=indent)


def table(reported: Mapping[str, Any]) -> str:
    """Return the figures of a series beside their targets, and which of these were missed."""
    plan = reported["plan"]
    targets = targets_of(plan["router"], reported["target"])
    lines = [
        "",
        (
            f"{reported['fault']} on {plan['router']}, {plan['nodes']} nodes, "
            f"{plan['services']} Services, {plan['family']},"
        ),
        f"hold {plan['hold']} s, restart like {plan['restart']}, source {plan['source']}:",
        f"  {'figure':<{_WIDE}}{'target':>8}{'p50':>9}{'p99':>9}{'max':>9}{'runs':>5}",
    ]
    for name, values in reported["summary"].items():
        if isinstance(values, dict):
            goal = targets.get(name)
            whose = f" ({WHOSE[name]})" if name in WHOSE else ""
            word = verdict(values, goal)
            lines.append(
                f"  {name + whose:<{_WIDE}}{'-' if goal is None else f'{goal:g}':>8}"
                f"{values['p50']:>9.2f}{values['p99']:>9.2f}{values['max']:>9.2f}"
                f"{values['count']:>5}{f'  {word}' if word else ''}"
            )
    held = sum(run["ok"] for run in reported["runs"])
    lines.append(f"  packets lost: {reported['summary']['lost']} ({reported['target']['loss']})")
    lines.append(f"  order and loss held in {held} of {len(reported['runs'])} runs")
    if told := conclusion(reported):
        lines += textwrap.wrap(told, TERMINAL, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "not seen" if value is None else f"{value:.0f} ms"
