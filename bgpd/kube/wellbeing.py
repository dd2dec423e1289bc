"""What happened to the health of a node between two looks at it: its drain, doubt, checks and BFD.

As in `bgpd.kube.happening`, what was so already when we began is no news; and a word that is not
known (Unknown) is none either.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from bgpd.kube.happening import MOST, Happening, Regarding, turns
from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState
from bgpd.model.status import (
    DrainPhase,
    DrainStatus,
    HealthStatus,
    NodeStatus,
    SessionStatus,
    SpeakerStatus,
)


def wellbeing(before: NodeStatus | None, after: NodeStatus) -> tuple[Happening, ...]:
    """Return what happened between two looks."""
    if before is None:
        return ()
    node = Regarding(kind="Node", name=after.node)
    found = [*_doubt(before.health, after.health, node), *_checks(before.health, after, node)]
    old, new = before.speaker, after.speaker
    if old is not None and new is not None:
        found += [*_drain(old.drain, new.drain, node), *_bfd(old, new, node)]
    return tuple(found)


def noted(status: NodeStatus) -> NodeStatus:
    """Return *status* as far as the next look needs it: of thousands of checks those that fail.

    A check that is not there is one that did not fail, so nothing that is told differs by it.
    """
    failing = tuple(one for one in status.health.probes if one.health is Health.UNHEALTHY)
    return replace(status, health=replace(status.health, probes=failing))


# The drain


def _drain(old: DrainStatus, new: DrainStatus, node: Regarding) -> Iterator[Happening]:
    was, now = (one.phase is not DrainPhase.NOT_DRAINING for one in (old, new))
    if now and not was:
        why = f": {new.cause}" if new.cause else ""
        yield _about_node("DrainBegan", node, f"node {node.name} is being drained{why}")
    if was and not now:
        yield _about_node("DrainEnded", node, f"node {node.name} is not drained any more")
    if new.phase is DrainPhase.DRAINED is not old.phase:
        yield _about_node("Drained", node, f"node {node.name} is drained: its routes are withdrawn")
    if new.alone and not old.alone:
        yield _about_node("DrainWaits", node, _staying(new, node), warning=True)


def _staying(drain: DrainStatus, node: Regarding) -> str:
    prefixes = sorted(drain.alone)
    more = f" and {len(prefixes) - _SHOWN} more" if len(prefixes) > _SHOWN else ""
    return (
        f"node {node.name} goes on to advertise {', '.join(prefixes[:_SHOWN])}{more} while it is"
        " drained: no other node carries them"
    )


_SHOWN: Final = 5


def _about_node(
    reason: str, node: Regarding, note: str, *, warning: bool = False, action: str = "Drain"
) -> Happening:
    return Happening(reason=reason, action=action, regarding=node, note=note, warning=warning)


# Doubt


def _doubt(old: HealthStatus, new: HealthStatus, node: Regarding) -> Iterator[Happening]:
    if new.doubt and not old.doubt:
        note = f"the routes of node {node.name} rank 250: {'; '.join(new.doubt)}"
        yield _about_node("NodeInDoubt", node, note, warning=True, action="Judge")
    if old.doubt and not new.doubt:
        note = f"nothing is wrong with node {node.name} any more; its routes rank as before"
        yield _about_node("NodeWell", node, note, action="Judge")


# Checks of Services


def _checks(old: HealthStatus, after: NodeStatus, node: Regarding) -> Iterator[Happening]:
    known = {(one.service, one.check): one.health for one in old.probes}
    for health, reason, what in _TURNS:
        turned = [
            one
            for one in after.health.probes
            if one.health is health and known.get((one.service, one.check)) in _BEFORE[health]
        ]
        yield from _turned(turned, reason, what, node)


_TURNS: Final = (
    (Health.UNHEALTHY, "HealthCheckFailing", "fails"),
    (Health.HEALTHY, "HealthCheckPassing", "passes again"),
)
_BEFORE: Final = {
    Health.UNHEALTHY: frozenset({None, Health.UNKNOWN, Health.HEALTHY}),
    Health.HEALTHY: frozenset({Health.UNHEALTHY}),
}
"""What a check was before, where what it is now is news; None: it was not there."""


def _turned(
    turned: Sequence[ProbeResult], reason: str, what: str, node: Regarding
) -> Iterator[Happening]:
    warning = reason == "HealthCheckFailing"
    if len(turned) > MOST:
        note = f"{len(turned)} checks of Services: what each asks {what} on node {node.name}"
        yield _about_node(reason, node, note, warning=warning, action="Probe")
        return
    for one in turned:
        namespace, _, name = one.service.partition("/")
        check = f"HealthCheck {one.check}" if one.check else "the healthCheckNodePort"
        answer = f": {one.message}" if one.message and warning else ""
        yield Happening(
            reason=reason,
            action="Probe",
            regarding=Regarding(kind="Service", namespace=namespace, name=name),
            note=f"{check} {what} on node {node.name}{answer}",
            warning=warning,
            about=one.check,
        )


# BFD


def _bfd(old: SpeakerStatus, new: SpeakerStatus, node: Regarding) -> Iterator[Happening]:
    known = {one.peer: one for one in old.sessions}
    for one in new.sessions:
        was = known.get(one.peer)
        if was is not None:
            yield from _bfd_of(was, one, node, same=old.started == new.started)


def _bfd_of(
    was: SessionStatus, one: SessionStatus, node: Regarding, *, same: bool
) -> Iterable[Happening]:
    if was.bfd is None or one.bfd is None:
        return
    up, was_up = (each.state is BFDState.UP for each in (one.bfd, was.bfd))
    changes = one.bfd.transitions - was.bfd.transitions if same else 0
    down, came = turns(changes, was_up=was_up, up=up)
    for times, reason, what in ((down, "BFDDown", _why(one)), (came, "BFDUp", "is up")):
        if times:
            yield Happening(
                reason=reason,
                action="Peer",
                regarding=node,
                note=f"BFD with BGPPeer {one.peer} ({one.address}) {what}",
                warning=reason == "BFDDown",
                about=one.peer,
                times=times,
            )


def _why(one: SessionStatus) -> str:
    error = one.bfd.last_error if one.bfd else ""
    return f"went down: {error}" if error else "went down"
