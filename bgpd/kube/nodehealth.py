"""What of a node's health, its drain and its BFD stands in its BGPNodeStatus.

Counters and the numbers of probes move all the time and mean nothing, so they are left out: a
status that is the same as before is not written.
"""

from datetime import UTC, datetime

from bgpd.kube import nodeform as form
from bgpd.kube.nodecondition import cut
from bgpd.kube.statusform import SHORT
from bgpd.model.health import Health, ProbeResult
from bgpd.model.status import BFDStatus, DrainPhase, DrainStatus, HealthStatus


def health_form(health: HealthStatus) -> form.HealthForm | None:
    """Return what is known of the node and of its Services; None where nothing is."""
    failing = failing_of(health)
    if not (health.node or health.doubt or failing):
        return None
    return form.HealthForm(
        node=[
            form.EvidenceForm(
                name=cut(name, 64),
                health=found.value,
                message=cut(health.details.get(name, ""), SHORT),
            )
            for name, found in sorted(health.node.items())[:16]
        ],
        doubt=[cut(one, SHORT) for one in health.doubt[:16]],
        failing=[_failing(one) for one in failing[: form.MOST_FAILING]],
    )


def failing_of(health: HealthStatus) -> list[ProbeResult]:
    """Return the checks that fail, in a stable order."""
    failing = [one for one in health.probes if one.health is Health.UNHEALTHY]
    return sorted(failing, key=lambda one: (one.service, one.check))


def _failing(one: ProbeResult) -> form.FailingForm:
    return form.FailingForm(
        service=one.service,
        check=one.check,
        message=cut(one.message, SHORT),
        since=time_of(one.since) if one.since else None,
    )


def drain_form(drain: DrainStatus) -> form.DrainForm | None:
    """Return how far the drain is; None where there is none."""
    if drain.phase is DrainPhase.NOT_DRAINING:
        return None
    return form.DrainForm(
        phase=drain.phase.value,
        cause=cut(drain.cause),
        since=None if drain.since is None else time_of(drain.since),
        alone=[*sorted(drain.alone)[: form.MOST_STAYING]],
        busy=[*sorted(drain.busy)[: form.MOST_STAYING]],
    )


def bfd_form(bfd: BFDStatus | None) -> form.BFDForm | None:
    """Return the state of a BFD session; None where none is wanted."""
    if bfd is None:
        return None
    return form.BFDForm(
        state=bfd.state.value,
        since=None if bfd.since is None else time_of(bfd.since),
        detection_milliseconds=_whole(bfd.detection_milliseconds),
        remote_detection_milliseconds=_whole(bfd.remote_detection_milliseconds),
        transitions=bfd.transitions,
        dampened=bfd.dampened,
        last_error=cut(bfd.last_error, SHORT),
    )


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)


def time_of(seconds: float) -> str:
    """Return the wall clock *seconds* as Kubernetes writes a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
