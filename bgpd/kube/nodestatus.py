"""What a node's agent writes about it into its BGPNodeStatus, as a document for server-side apply.

Two requests, both with the field manager `FIELD_MANAGER`: `identity` is applied to the object once
(it creates it, owned by the Node, so it goes with the Node), `document` to its status. Two calls
of `document` for the same state give the same document, whatever time it is: no difference means
that there is nothing to write.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from bgpd.kube import nodeform as form
from bgpd.kube.nodecondition import Told, conditions_of, cut
from bgpd.kube.nodehealth import bfd_form, drain_form, failing_of, health_form, time_of
from bgpd.kube.nodehost import host_form
from bgpd.kube.nodetimeline import timeline_form
from bgpd.kube.objects import OUR_GROUP
from bgpd.kube.problem import Problem
from bgpd.kube.scalar import parse_plain_address
from bgpd.kube.statusform import LONG, ConditionForm
from bgpd.model.member import Member, NodeName
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    MemberState,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    SessionStatus,
    SpeakerStatus,
)

FIELD_MANAGER: Final = "bgpd-agent"
MESH_ANNOTATION: Final = "bgpd.io/mesh"
"""Where the node's speaker listens, as `10.0.0.1:7179`. It stands in the metadata, because that is
all that the others watch: the whole status of every node would be megabytes at each takeover."""
LEAVE_ANNOTATION: Final = "bgpd.io/leave"
"""By this somebody asks the node's agent to withdraw its routes and to clean its host, as before
the installation is removed. Its value is the time until which the request holds (RFC 3339)."""
KIND: Final = "BGPNodeStatus"
PLURAL: Final = "bgpnodestatuses"

_HEAD: Final = {"apiVersion": OUR_GROUP, "kind": KIND}


def identity(node: str, uid: str, member: Member | None = None) -> dict[str, Any]:
    """Return the object without its status, owned by the Node *node* with the given *uid*.

    *member* is where our own speaker listens: by that the other nodes know us.
    """
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
    metadata: dict[str, Any] = {"name": node, "ownerReferences": [owner]}
    if member is not None:
        metadata["annotations"] = {MESH_ANNOTATION: place_of(member)}
    return {**_HEAD, "metadata": metadata}


def place_of(member: Member) -> str:
    """Return address and port of *member* as `MESH_ANNOTATION` has them."""
    host = f"[{member.address}]" if ":" in member.address else member.address
    return f"{host}:{member.port}"


def member_at(name: str, place: str) -> Member:
    """Return the member *name* whose `MESH_ANNOTATION` is *place*, or raise `ValueError`."""
    host, _, port = place.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not port.isascii() or not port.isdecimal() or len(port) > 5:
        raise ValueError("has no port")
    return Member(name=NodeName(name), address=parse_plain_address(host), port=int(port))


def document(
    status: NodeStatus,
    *,
    now: float,
    previous: Mapping[str, Any] | None = None,
    problems: Sequence[Problem] = (),
    member: Member | None = None,
) -> dict[str, Any]:
    """Return the object with its status at the wall clock *now*.

    *previous* is the document that was written last, or the object as the server has it: its
    conditions keep the time of their last change. *member* is where our own speaker listens.
    """
    speaker = status.speaker
    mesh = speaker.mesh if speaker else None
    changed = _Times(previous or {}, time_of(now))
    routes = sorted(speaker.routes, key=lambda one: one.prefix) if speaker else []
    withheld = sorted((*status.withheld, *(speaker.withheld if speaker else ())), key=_order)
    found = form.StatusForm(
        node=status.node,
        version=cut(status.version, 64),
        speaker_version=cut(speaker.version, 64) if speaker else "",
        speaker_started=time_of(speaker.started) if speaker and speaker.started else None,
        draining=bool(speaker and speaker.draining),
        takeover_generation=mesh.generation if mesh else None,
        conditions=[changed.form(one) for one in conditions_of(status, problems)],
        sessions=[
            _session(one, status.providers) for one in _sessions(speaker)[: form.MOST_SESSIONS]
        ],
        routes=[
            form.RouteForm(
                prefix=one.prefix,
                services=list(
                    (status.services.get(one.prefix) or one.services)[: form.MOST_SERVICES]
                ),
                peers=list(one.peers[: form.MOST_SESSIONS]),
                rank=one.rank,
            )
            for one in routes[: form.MOST_ROUTES]
        ],
        withheld=[_withheld(one) for one in withheld[: form.MOST_ROUTES]],
        health=health_form(status.health),
        drain=drain_form(speaker.drain) if speaker else None,
        host=host_form(status.host),
        member=form.ReachForm(address=member.address, port=member.port) if member else None,
        mesh=_mesh(mesh) if mesh else None,
        timeline=timeline_form(status.failovers),
        configuration=_configuration(status, problems),
        counts=_counts(status, withheld=len(withheld), problems=len(problems)),
    )
    return {
        **_HEAD,
        "metadata": {"name": status.node},
        "status": msgspec.to_builtins(found),
    }


def _sessions(speaker: SpeakerStatus | None) -> list[SessionStatus]:
    return sorted(speaker.sessions, key=lambda one: one.peer) if speaker else []


def _session(one: SessionStatus, providers: Mapping[PeerName, str]) -> form.SessionForm:
    return form.SessionForm(
        peer=one.peer,
        document=one.document,
        provider=providers.get(PeerName(one.document), ""),
        gateway=one.gateway,
        local_address=one.local_address,
        address=one.address,
        peer_asn=one.peer_asn,
        local_asn=one.local_asn,
        state=one.state.value,
        since=None if one.since is None else time_of(one.since),
        hold_time_seconds=one.hold_time,
        peer_router_id=one.peer_router_id,
        lever=one.lever.value,
        advertised=one.advertised,
        max_prefixes=one.max_prefixes,
        transitions=one.transitions,
        last_error=cut(one.last_error, LONG),
        graceful_restart=one.graceful_restart,
        bfd=bfd_form(one.bfd),
    )


def _withheld(one: Withheld) -> form.WithheldForm:
    return form.WithheldForm(
        service=one.service,
        prefix=one.prefix or "",
        peer=one.peer or "",
        reason=one.reason.value,
        message=cut(one.message),
    )


def _counts(status: NodeStatus, *, withheld: int, problems: int) -> form.CountsForm:
    speaker, failing = status.speaker, len(failing_of(status.health))
    if speaker is None:
        # Unknown is not zero: the routes of a speaker that does not answer its agent stay.
        return form.CountsForm(withheld=withheld, problems=problems, failing=failing)
    full = sum(one.reason is Reason.PREFIX_LIMIT for one in speaker.withheld)
    up = [one for one in speaker.sessions if one.state is PeerState.ESTABLISHED]
    return form.CountsForm(
        sessions=len(speaker.sessions),
        established=len(up),
        routes=len(speaker.routes),
        withheld=withheld,
        limited=full,
        members=len(speaker.mesh.members) if speaker.mesh else None,
        failing=failing,
        problems=problems,
    )


def _order(one: Withheld) -> tuple[str, ...]:
    return (one.service, one.prefix or "", one.peer or "", one.reason.value, one.message)


def _mesh(mesh: MeshStatus) -> form.MeshForm:
    members = sorted(mesh.members, key=lambda one: (not _troubled(one), one.name))
    return form.MeshForm(
        armed=mesh.armed,
        reachable=mesh.reachable,
        counted=mesh.counted,
        quarantined=mesh.quarantined,
        members=[
            form.MemberForm(
                name=one.name,
                address=one.address,
                state=one.state.value,
                hears_us=one.hears_us,
                agent_alive=one.agent_alive,
                draining=one.draining,
            )
            for one in members[: form.MOST_MEMBERS]
        ],
    )


def _troubled(one: MemberStatus) -> bool:
    fine = one.state is MemberState.ALIVE and one.hears_us and one.agent_alive
    return not fine or one.draining


def _configuration(status: NodeStatus, problems: Sequence[Problem]) -> form.ConfigurationForm:
    first = sorted(problems, key=lambda one: not one.refused)[: form.MOST_PROBLEMS]
    return form.ConfigurationForm(
        source=cut(status.source),
        synced=status.synced,
        documents=status.documents,
        problems=[
            form.ProblemForm(
                source=cut(one.source),
                kind=cut(one.kind, 64),
                name=cut(one.name, 253),
                path=cut(one.path),
                refused=one.refused,
                message=cut(one.message),
            )
            for one in first
        ],
    )


class _Times:
    """When each condition last changed."""

    def __init__(self, previous: Mapping[str, Any], now: str) -> None:
        conditions = (previous.get("status") or {}).get("conditions") or ()
        self._before = {one["type"]: one for one in conditions}
        self._now = now

    def form(self, one: Told) -> ConditionForm:
        """Return *one* with the time at which its status last changed."""
        before = self._before.get(one.type)
        same = before is not None and before["status"] == one.status
        return ConditionForm(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=one.message,
            last_transition_time=before["lastTransitionTime"] if before and same else self._now,
        )
