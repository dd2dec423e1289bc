"""A BGPNodeStatus as the node itself would say it, so that one table shows both.

What is not in a status is unknown: milliseconds since a heartbeat, attributes on the wire.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

from bgpd.ctl.view import View, arranged
from bgpd.kube import nodeform as form
from bgpd.kube.hostform import HostForm
from bgpd.kube.nodecondition import INVALIDATING
from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState, Lever, PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    BFDStatus,
    Condition,
    DrainPhase,
    DrainStatus,
    HealthStatus,
    HostAddressStatus,
    HostRouteStatus,
    HostState,
    HostStatus,
    MemberState,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    RouteStatus,
    SessionStatus,
    SpeakerStatus,
)

_ALWAYS: Final = frozenset({"Ready", "TakeoverArmed", "ConfigurationValid"})
"""Conditions for which True is well."""
_NO_SPEAKER: Final = "SpeakerUnreachable"
T = TypeVar("T")


def view_of(status: form.StatusForm) -> View:
    """Return what *status* says as the node itself would: what is not in it is unknown."""
    speaker = None if _silent(status) else _speaker(status)
    agent = NodeStatus(
        node=status.node,
        version=status.version,
        source=status.configuration.source,
        synced=status.configuration.synced,
        speaker=speaker,
        withheld=_withheld(status, gate=False),
        conditions=tuple(_conditions(status)),
        documents=status.configuration.documents,
        services={Prefix(one.prefix): tuple(one.services) for one in status.routes},
        health=_health(status.health or form.HealthForm()),
        providers={
            PeerName(one.document or one.peer): one.provider
            for one in status.sessions
            if one.provider
        },
        host=_host(status.host or HostForm()),
    )
    return View(
        agent=agent,
        speaker=arranged(speaker) if speaker else None,
        speaker_error="" if speaker else "says its agent",
    )


def seconds_of(text: str | None) -> float | None:
    """Return a time as Kubernetes writes it as seconds since the epoch; None where it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _silent(status: form.StatusForm) -> bool:
    return any(one.type == "Ready" and one.reason == _NO_SPEAKER for one in status.conditions)


def _speaker(status: form.StatusForm) -> SpeakerStatus:
    drain = status.drain or form.DrainForm(phase=DrainPhase.NOT_DRAINING.value)
    return SpeakerStatus(
        node=status.node,
        version=status.speaker_version,
        started=seconds_of(status.speaker_started) or 0.0,
        agent_connected=True,
        agent_absent_since=None,
        exabgp_pid=None,
        sessions=tuple(map(_session, status.sessions)),
        routes=tuple(
            RouteStatus(
                prefix=Prefix(one.prefix),
                peers=tuple(map(PeerName, one.peers)),
                rank=one.rank,
                services=tuple(one.services),
            )
            for one in status.routes
        ),
        withheld=_withheld(status, gate=True),
        mesh=_mesh(status),
        draining=status.draining,
        drain=DrainStatus(
            phase=_word(DrainPhase, drain.phase, DrainPhase.WAITING),
            cause=drain.cause,
            since=seconds_of(drain.since),
            alone=tuple(map(Prefix, drain.alone)),
            busy=tuple(map(Prefix, drain.busy)),
        ),
    )


def _session(one: form.SessionForm) -> SessionStatus:
    return SessionStatus(
        peer=PeerName(one.peer),
        address=Address(one.address),
        peer_asn=one.peer_asn,
        local_asn=one.local_asn,
        state=_word(PeerState, one.state, PeerState.IDLE),
        since=seconds_of(one.since),
        hold_time=one.hold_time_seconds,
        peer_router_id=Address(one.peer_router_id) if one.peer_router_id else None,
        lever=_word(Lever, one.lever, Lever.NONE),
        advertised=one.advertised,
        max_prefixes=one.max_prefixes,
        last_error=one.last_error,
        transitions=one.transitions,
        graceful_restart=one.graceful_restart,
        bfd=_bfd(one.bfd),
        local_address=Address(one.local_address) if one.local_address else None,
        gateway=one.gateway,
        document=one.document,
    )


def _bfd(one: form.BFDForm | None) -> BFDStatus | None:
    if one is None:
        return None
    return BFDStatus(
        state=_word(BFDState, one.state, BFDState.DOWN),
        since=seconds_of(one.since),
        detection_milliseconds=one.detection_milliseconds,
        remote_detection_milliseconds=one.remote_detection_milliseconds,
        transitions=one.transitions,
        dampened=one.dampened,
        last_error=one.last_error,
    )


def _mesh(status: form.StatusForm) -> MeshStatus | None:
    mesh = status.mesh
    if mesh is None:
        return None
    return MeshStatus(
        node=status.node,
        generation=status.takeover_generation or 0,
        armed=mesh.armed,
        reachable=mesh.reachable,
        counted=mesh.counted,
        quarantined=mesh.quarantined,
        members=tuple(
            MemberStatus(
                name=one.name,
                address=Address(one.address),
                state=_word(MemberState, one.state, MemberState.UNHEARD),
                hears_us=one.hears_us,
                agent_alive=one.agent_alive,
                draining=one.draining,
            )
            for one in mesh.members
        ),
    )


_GATE: Final = frozenset(
    {
        Reason.OUTSIDE_POOLS,
        Reason.PREFIX_TOO_SHORT,
        Reason.PREFIX_LIMIT,
        Reason.UNKNOWN_PEER,
        Reason.STANDBY,
        Reason.NOT_STARTED,
        Reason.DRAINED,
    }
)
"""What the speaker withholds, not the agent."""


def _withheld(status: form.StatusForm, *, gate: bool) -> tuple[Withheld, ...]:
    """Return what is not advertised; a word of a newer agent's is told as it stands."""
    found = []
    for one in status.withheld:
        reason = _word(Reason, one.reason, Reason.NOT_STARTED)
        known = reason.value == one.reason
        if (reason in _GATE) is gate:
            found.append(
                Withheld(
                    service=one.service,
                    prefix=Prefix(one.prefix) if one.prefix else None,
                    reason=reason,
                    message=one.message if known else f"{one.reason}: {one.message}",
                    peer=PeerName(one.peer) if one.peer else None,
                )
            )
    return tuple(found)


def _conditions(status: form.StatusForm) -> Iterator[Condition]:
    """Yield the conditions in the sense of a node, where True is what needs a person."""
    told = False
    for one in status.conditions:
        if one.type in _ALWAYS:
            continue
        told = told or (one.type in INVALIDATING and one.status == "True")
        yield Condition(
            type=one.type, status=one.status == "True", reason=one.reason, message=one.message
        )
    for one in status.conditions:
        if one.type == "ConfigurationValid" and one.status == "False" and not told:
            yield Condition(
                type="ConfigurationRefused", status=True, reason=one.reason, message=one.message
            )


def _health(health: form.HealthForm) -> HealthStatus:
    return HealthStatus(
        node={one.name: _word(Health, one.health, Health.UNKNOWN) for one in health.node},
        details={one.name: one.message for one in health.node if one.message},
        doubt=tuple(health.doubt),
        probes=tuple(
            ProbeResult(
                service=one.service,
                check=one.check,
                health=Health.UNHEALTHY,
                message=one.message,
                since=seconds_of(one.since) or 0.0,
            )
            for one in health.failing
        ),
    )


def _host(host: HostForm) -> HostStatus:
    return HostStatus(
        interface=host.interface,
        interface_kind=host.interface_kind,
        routes=tuple(
            HostRouteStatus(
                destination=Prefix(one.destination),
                via=tuple(one.via),
                source=Address(one.source) if one.source else None,
                peer=PeerName(one.peer) if one.peer else None,
                state=_word(HostState, one.state, HostState.MISSING),
                detail=one.detail,
            )
            for one in host.routes
        ),
        addresses=tuple(
            HostAddressStatus(
                address=Address(one.address),
                state=_word(HostState, one.state, HostState.MISSING),
                detail=one.detail,
            )
            for one in host.addresses
        ),
        quarrel=host.quarrel,
        problems=tuple(host.problems),
    )


def _word(kind: type[T], word: str, otherwise: T) -> T:
    """Return the member of *kind* that *word* is; a newer agent may know others."""
    try:
        return kind(word)  # type: ignore[call-arg]
    except ValueError:
        return otherwise
