"""Let a fault befall a lab until the traffic says something about it, and judge what it did."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bgpd.model.peer import Takeover
from bgpd.model.timeline import TAKEOVERS, StepName
from tests.lab import shares, timelines
from tests.lab.client import Traffic
from tests.lab.connections import account, moves
from tests.lab.fault import Fault, Loss
from tests.lab.figures import measure
from tests.lab.losses import write_losses
from tests.lab.nodes import Node, until
from tests.lab.pace import Pace
from tests.lab.plan import LabError, Plan
from tests.lab.report import Run, judge
from tests.lab.run import Lab
from tests.lab.scraping import Recording
from tests.lab.strikes import Findings
from tests.lab.topology import edge
from tests.lab.watch import RouterWatch, monotonic_at_epoch, spread

MOST_LATE_MS = 50.0
"""A run in which the client itself was later than this says nothing, and is repeated."""
MOST_MACHINE_LATE_MS = 50.0
"""One heartbeat: nodes of a machine that stood still for longer suspect each other rightly."""
_ATTEMPTS = 4
_LEAD = 0.7
_LONGEST_RECORD = 120.0
"""Seconds of an outage; of a longer one the client would remember millions of packets."""
_QUARANTINE = 3
"""Raises within ten minutes after which a member is quarantined: a series must not meet it."""

Say = Callable[[str], None]


def victims(plan: Plan, fault: Fault, seed: int) -> tuple[str, ...]:
    """Return the nodes that the fault befalls; the seed decides which."""
    if plan.racks:
        # Who is alone in its rack: any other's router has another path to compare with.
        return plan.names_at(plan.routers)[: fault.affected]
    first = seed % plan.nodes
    return tuple(plan.names[(first + i) % plan.nodes] for i in range(fault.affected))


def strike(
    lab: Lab, fault: Fault, *, seed: int, number_: int, say: Say, figures: bool = True
) -> Run:
    """Let *fault* befall the lab until the traffic says something about it; then judge.

    Without *figures* only order and loss matter: a slow machine voids no run that held.
    """
    attempt = 0
    while True:
        _spare(lab, fault, seed)
        if names := lab.recover()[1]:
            say(f"  {', '.join(names)} quarantined since the last run: all nodes started afresh")
        outcome = replace(_strike_once(lab, fault, seed, number_, attempt), attempts=attempt + 1)
        attempt += 1
        problems = judge(lab.plan, fault, outcome)
        # With the API it is no matter of milliseconds either: what held, holds.
        doubtful = problems or (figures and not (fault.api or fault.lasting))
        outcome = replace(outcome, problems=problems)
        why = void(fault, outcome) if attempt < _ATTEMPTS and doubtful else ""
        if not why:
            return outcome
        told = f" ({'; '.join(problems)})" if problems and why not in problems else ""
        say(f"  {why}{told}: again, with other source ports")


def void(fault: Fault, run: Run) -> str:
    """Return why a run says nothing about the fault, or the empty string."""
    # Figures are of the time after the strike; raises are counted from the look before it.
    late = run.machine_late_since_look_ms if run.problems else run.machine_late_ms
    if late > MOST_MACHINE_LATE_MS:
        return f"this machine stood still for {late:.0f} ms"
    if fault.lasting and fault.raises == (0,) and run.raises:
        # Half a minute is long for a machine on which three nodes share two processors.
        return "a node was suspected though none had died"
    traffic = run.traffic
    if traffic is not None and traffic.client_late_ms > MOST_LATE_MS:
        return f"the client itself was {traffic.client_late_ms:.0f} ms late"
    if run.findings.get("through_dead_flows") == 0:
        return "no flow passed the router that died"
    untouched = traffic is not None and fault.gap_ms is not None and not traffic.affected_flows
    return "no flow used the affected node" if untouched else ""


def _spare(lab: Lab, fault: Fault, seed: int) -> None:
    """Renew the nodes before one of them is accused so often that it is quarantined."""
    to_come = max(1, *(fault.raises or (1,)))
    names = victims(lab.plan, fault, seed)
    if any(lab.accused[name] + to_come >= _QUARANTINE for name in names):
        lab.renew()


def _strike_once(lab: Lab, fault: Fault, seed: int, number_: int, attempt: int) -> Run:
    scrapes = lab.scrapes and lab.scrapes / f"{fault.name}-{number_}"
    with lab.scraping.recorded(fault.scraped_every, scrapes) as recording:
        run = _strike_recorded(lab, fault, recording, seed, number_, attempt)
        struck = round(lab.strike_time - monotonic_at_epoch(), 3)
        found = recording.end(fault=fault.name, affected=run.affected, struck=struck)
    untrue = tuple(found.problems)
    return replace(run, scrapes=found.answers, unlinted=found.unlinted, untrue=untrue)


def _strike_recorded(
    lab: Lab, fault: Fault, recording: Recording, seed: int, number_: int, attempt: int
) -> Run:
    names = victims(lab.plan, fault, seed)
    nodes = tuple(lab.nodes[name] for name in names)
    lab.watch = RouterWatch(edge(lab.plan) if lab.plan.racks else "router")
    lab.configure(fault.documents(lab.plan))
    fault.prepare(lab, nodes)
    if fault.name == "return":
        lab.accused.update(names)  # whoever has to die first is accused as well
    witnesses = () if len(names) == lab.plan.nodes else names
    measured = fault.client and _recordable(lab.plan)
    traffic = Traffic(lab, seed, attempt, connects=fault.connects) if measured else None
    pace = Pace()
    try:
        lab.look_before(witnesses)
        time.sleep(_LEAD)
        recording.rest()
        findings = fault.strike(lab, nodes)
        struck = lab.strike_time
        time.sleep(fault.seconds)
        sessions = lab.sessions()
        if fault.moves:
            findings["all_routes_moved"] = lab.routes_avoid(names)
        record = traffic.stop() if traffic else None
        after = lab.total_generation(without=witnesses)
    except BaseException:
        if traffic:
            traffic.abort()
        raise
    finally:
        pace.stop()
        lab.watch.stop()
    survivors = [node for name, node in lab.nodes.items() if name not in names]
    findings |= _takeover_shares(lab, fault, names, survivors)
    findings |= _together(lab, names, survivors, record, findings)
    findings |= _told(lab, fault, record)
    for name in names:
        lab.accused[name] += (after or 0) - (lab.before_harm or 0)
    lab.configure([])
    fault.heal(lab, nodes)
    recovered, quarantined = lab.recover()
    lab.record = record
    return Run(
        number=number_,
        seed=seed,
        affected=names,
        traffic=measure(record, affected=names, begin=struck) if record else None,
        sessions_established_when_moved=all(sessions[name] for name in names),
        generation_before=lab.before_harm,
        generation_after=after,
        raises=None if after is None or lab.before_harm is None else after - lab.before_harm,
        update_spread_ms=_spread(lab, fault, survivors),
        recovered_seconds=recovered,
        quarantined=quarantined,
        machine_late_ms=pace.worst_ms(struck),
        machine_late_since_look_ms=pace.worst_ms(),
        findings=findings,
        timeline=survivors[0].timeline() if survivors else [],
        joined=lab.joined,
        attempts=1,
    )


def _recordable(plan: Plan) -> bool:
    """Return whether packets follow the router, and are not too many to remember."""
    return plan.router.forwards and (plan.outage or 0) <= _LONGEST_RECORD


def _told(lab: Lab, fault: Fault, record: Mapping[str, Any] | None) -> Findings:
    """Return what else the client's record says, and in two racks what the nodes do."""
    examined = fault.examine(lab, record) if record else {}
    if lab.plan.racks:
        examined = examined | {"say_not_comparable": len(lab.not_comparable)}
    if record and lab.watch and fault.loss is Loss.NONE:
        file = lab.directory / f"lost-{lab.strike_time:.0f}.json"
        write_losses(file, record, lab.watch, lab.strike_time)
    return {**_connections(lab, fault, record), **examined}


def _connections(lab: Lab, fault: Fault, record: Mapping[str, Any] | None) -> Findings:
    if record is None or lab.watch is None or not fault.connects:
        return {}
    return {**account(record, moves(lab.watch.routes)).findings()}


def _spread(lab: Lab, fault: Fault, survivors: list[Node]) -> float | None:
    if not fault.raises or 1 not in fault.raises or lab.watch is None:
        return None
    updates = [u for u in lab.watch.updates if u.at >= lab.strike_time]
    seconds = spread(updates, _sources(lab, survivors))
    return None if seconds is None else round(seconds * 1000, 3)


def _takeover_shares(
    lab: Lab, fault: Fault, names: tuple[str, ...], survivors: list[Node]
) -> shares.Shares:
    """Tell what of a takeover was ours and what the router's, where one raise is right."""
    if not fault.moves or fault.raises != (1,) or lab.watch is None or lab.plan.racks:
        return {}
    if lab.plan.bfd and lab.plan.takeover != Takeover.ALWAYS:
        return {}  # the router was faster, and the raise waited for it
    offset = monotonic_at_epoch()
    timelines = [node.failovers() for node in survivors]
    raised = shares.raised_at(timelines, since=lab.strike_time - offset)
    moved = shares.moved_away(
        lab.watch.routes,
        gateways=lab.addresses(*(lab.nodes[name] for name in names)),
        prefixes=lab.plan.prefixes(),
        since=lab.strike_time,
    )
    return shares.of_takeover(
        lab.watch.updates,
        survivors=_sources(lab, survivors),
        struck=lab.strike_time,
        raised=None if raised is None else raised + offset,
        moved=moved,
    )


def _together(
    lab: Lab,
    names: tuple[str, ...],
    survivors: list[Node],
    record: Mapping[str, Any] | None,
    found: Findings,
) -> Findings:
    """Have bgpctl put on one clock what the survivors saw, and hold it against the client."""
    lab.joined = {}
    if shares.TO_ROUTER not in found or record is None:
        return {}
    with suppress(LabError):  # then a step is missing, and that is told
        if shares.RAISE_TO_ROUTER in found:
            until(lambda: all(_acknowledged(lab, n) for n in survivors), 30, "not acknowledged")
    files = []
    for node in survivors:
        files.append(lab.directory / f"timeline-{node.name}.json")
        files[-1].write_text(node.bgpctl("timeline", "-o", "json"))
    told = survivors[0].bgpctl("timeline", "--join", "-o", "json", *map(str, files))
    items = json.loads(told)["items"] if told else ()
    lab.joined = timelines.takeover(items, since=lab.strike_time - monotonic_at_epoch())
    return {
        **timelines.agreement(
            lab.joined,
            offset=monotonic_at_epoch(),
            silence=timelines.worst(record, names, lab.strike_time),
            router_ms=found[shares.ROUTER],
        )
    }


def _acknowledged(lab: Lab, node: Node) -> bool:
    """Tell whether *node* knows that a router has what it sent in this takeover."""
    since = lab.strike_time - monotonic_at_epoch()
    return any(
        one["at"] >= since - 1.0 and any(s["name"] == StepName.SENT for s in one["steps"])
        for one in node.failovers()
        if one["kind"] in TAKEOVERS
    )


def _sources(lab: Lab, nodes: list[Node]) -> frozenset[str]:
    """Return one session's address of each of *nodes*: that of the first family."""
    addresses = lab.plan.gateways(lab.plan.family.versions[0])
    return frozenset(addresses[node.name] for node in nodes)
