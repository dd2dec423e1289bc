"""The last failovers in a BGPNodeStatus, and back: so that any node can put them on one clock.

Times are whole microseconds, because whoever compares two documents must not trip over a rounding.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from bgpd.kube import failoverform as form
from bgpd.kube.nodecondition import cut
from bgpd.kube.nodeform import StatusForm
from bgpd.kube.statusform import LONG
from bgpd.model.timeline import Failover, PairClock, Step


def timeline_form(failovers: Iterable[Failover]) -> list[form.FailoverForm]:
    """Return the newest of *failovers* as they are written, the oldest first."""
    return [_failover(one) for one in list(failovers)[-form.MOST_FAILOVERS :]]


def failovers_of(node: str, status: StatusForm) -> list[Failover]:
    """Return what *status* of *node* tells of failovers."""
    return [
        Failover(
            kind=one.kind,
            at=_seconds(one.at),
            cause=one.cause,
            generation=one.generation,
            routes=one.routes,
            steps=tuple(
                Step(name=step.name, milliseconds=step.microseconds / 1000, detail=step.peer)
                for step in one.steps
            ),
            node=node,
            boot=one.boot,
            clock=None if one.clock is None else one.clock / 1e6,
            members=tuple(one.members),
            due_milliseconds=None if one.due is None else one.due / 1000,
            changes=one.changes or 1,
            slowest_milliseconds=None if one.slowest is None else one.slowest / 1000,
            clocks=tuple(
                PairClock(
                    member=clock.member,
                    milliseconds=clock.microseconds / 1000,
                    uncertainty_milliseconds=clock.uncertainty / 1000,
                )
                for clock in one.clocks
            ),
        )
        for one in status.timeline
    ]


def _failover(one: Failover) -> form.FailoverForm:
    slowest, due = one.slowest_milliseconds, one.due_milliseconds
    return form.FailoverForm(
        kind=cut(one.kind, 64),
        at=datetime.fromtimestamp(one.at, UTC).isoformat(timespec="microseconds"),
        cause=cut(one.cause, LONG),
        generation=one.generation,
        routes=one.routes,
        boot=cut(one.boot, 64),
        clock=None if one.clock is None else round(one.clock * 1e6),
        members=list(one.members[: form.MOST_DEAD]),
        due=None if due is None else max(0, round(due * 1000)),
        changes=one.changes if one.changes > 1 else None,
        slowest=None if slowest is None else round(slowest * 1000),
        steps=[_step(step) for step in one.steps[: form.MOST_STEPS]],
        clocks=[
            form.ClockForm(
                member=clock.member,
                microseconds=round(clock.milliseconds * 1000),
                uncertainty=round(clock.uncertainty_milliseconds * 1000),
            )
            for clock in one.clocks[: form.MOST_CLOCKS]
        ],
    )


def _step(step: Step) -> form.StepForm:
    # The cause stands above all steps already.
    peer = "" if step.name == "cause" else cut(step.detail, 253)
    microseconds = max(0, round(step.milliseconds * 1000))
    return form.StepForm(name=cut(step.name, 64), microseconds=microseconds, peer=peer)


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
