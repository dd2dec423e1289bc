"""What the log says of the mesh: one event name and its keys for each thing that happens.

Times are left out: the log has the wall clock, and ours mean nothing to a reader.
"""

from typing import assert_never

from bgpd.mesh.events import (
    ConditionChanged,
    GenerationChanged,
    KeyChanged,
    Kind,
    MemberChanged,
    MemberDead,
    MemberRemoved,
    MemberRestarting,
    MemberSuspected,
    MemberUp,
    MeshEvent,
    QuarantineEnded,
    QuarantineStarted,
    RaiseRefused,
)
from bgpd.speaker.effect import Note

_GENERATION = {
    Kind.RAISED: ("warning", "generation_raised"),
    Kind.PLANNED: ("info", "generation_planned"),
    Kind.ADOPTED: ("info", "generation_adopted"),
    Kind.RESET: ("warning", "generation_reset"),
}


def line(event: MeshEvent) -> Note:  # noqa: C901, PLR0911, PLR0912 - a line each
    """Return the log line of *event*."""
    match event:
        case GenerationChanged():
            return _generation(event)
        case MemberUp(member=member):
            return _note("info", "member_up", member=member)
        case MemberChanged(member=member):
            return _note(
                "info",
                "member_changed",
                member=member,
                draining=event.draining,
                doubtful=event.doubtful,
                partial=event.partial,
                agent_alive=event.agent_alive,
            )
        case MemberSuspected(member=member, reason=reason):
            return _note("warning", "member_suspected", member=member, reason=reason)
        case MemberDead(member=member, reason=reason):
            return _note("warning", "member_dead", member=member, reason=reason)
        case MemberRestarting(member=member, reason=reason):
            return _note("info", "member_restarting", member=member, reason=reason)
        case MemberRemoved(member=member):
            return _note("info", "member_removed", member=member)
        case RaiseRefused(member=member, reason=reason):
            return _note("warning", "raise_refused", member=member, reason=reason)
        case QuarantineStarted(member=member):
            return _note("warning", "quarantine_started", member=member)
        case QuarantineEnded(member=member):
            return _note("info", "quarantine_ended", member=member)
        case ConditionChanged(condition=condition):
            # Each of the mesh's conditions names what a person must do about it.
            return _note(
                "error" if condition.status else "info",
                "mesh_condition_began" if condition.status else "mesh_condition_ended",
                condition=condition.type,
                reason=condition.reason,
                message=condition.message,
            )
        case KeyChanged(key_id=key_id):
            return _note("info", "mesh_key_changed", key=key_id)
        case _:
            assert_never(event)


def _generation(event: GenerationChanged) -> Note:
    level, name = _GENERATION[event.kind]
    return _note(
        level,
        name,
        generation=event.new,
        previous=event.old,
        member=",".join(event.members),
        reason=event.cause,
    )


def _note(level: str, event: str, **keys: object) -> Note:
    return Note(level, event, tuple(keys.items()))
