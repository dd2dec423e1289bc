"""The log of the mesh: one event name a thing that happens, a level by what it asks of people."""

import re
from typing import get_args

import pytest

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
from bgpd.model.member import NodeName
from bgpd.model.status import Condition
from bgpd.speaker import journal

N2 = NodeName("n2")
AT = 4711.5
"""A monotonic time: it must appear in no line."""


def changed(kind: Kind) -> GenerationChanged:
    """Return a change of the generation from 6 to 7."""
    return GenerationChanged(
        old=6, new=7, kind=kind, cause="why", members=(N2,), cause_at=AT, decided_at=AT
    )


def condition(*, status: bool) -> ConditionChanged:
    """Return the beginning or the end of a condition."""
    found = Condition(type="NotHeard", status=status, reason="OneWay", message="look")
    return ConditionChanged(condition=found, at=AT)


LINES: list[tuple[MeshEvent, str, str, dict[str, object]]] = [
    (
        changed(Kind.RAISED),
        "warning",
        "generation_raised",
        {"generation": 7, "previous": 6, "member": "n2", "reason": "why"},
    ),
    (
        changed(Kind.PLANNED),
        "info",
        "generation_planned",
        {"generation": 7, "previous": 6, "member": "n2", "reason": "why"},
    ),
    (
        changed(Kind.ADOPTED),
        "info",
        "generation_adopted",
        {"generation": 7, "previous": 6, "member": "n2", "reason": "why"},
    ),
    (
        changed(Kind.RESET),
        "warning",
        "generation_reset",
        {"generation": 7, "previous": 6, "member": "n2", "reason": "why"},
    ),
    (MemberUp(member=N2, at=AT), "info", "member_up", {"member": "n2"}),
    (
        MemberChanged(member=N2, at=AT, draining=True, doubtful=False),
        "info",
        "member_changed",
        {
            "member": "n2",
            "draining": True,
            "doubtful": False,
            "partial": False,
            "agent_alive": True,
        },
    ),
    (
        MemberSuspected(member=N2, at=AT, reason="silent"),
        "warning",
        "member_suspected",
        {"member": "n2", "reason": "silent"},
    ),
    (
        MemberDead(member=N2, at=AT, reason="silent"),
        "warning",
        "member_dead",
        {"member": "n2", "reason": "silent"},
    ),
    (
        MemberRestarting(member=N2, at=AT, reason="goodbye"),
        "info",
        "member_restarting",
        {"member": "n2", "reason": "goodbye"},
    ),
    (MemberRemoved(member=N2, at=AT), "info", "member_removed", {"member": "n2"}),
    (
        RaiseRefused(member=N2, at=AT, reason="no quorum"),
        "warning",
        "raise_refused",
        {"member": "n2", "reason": "no quorum"},
    ),
    (QuarantineStarted(member=N2, at=AT), "warning", "quarantine_started", {"member": "n2"}),
    (QuarantineEnded(member=N2, at=AT), "info", "quarantine_ended", {"member": "n2"}),
    (
        condition(status=True),
        "error",
        "mesh_condition_began",
        {"condition": "NotHeard", "reason": "OneWay", "message": "look"},
    ),
    (
        condition(status=False),
        "info",
        "mesh_condition_ended",
        {"condition": "NotHeard", "reason": "OneWay", "message": "look"},
    ),
    (KeyChanged(key_id=3, at=AT), "info", "mesh_key_changed", {"key": 3}),
]


@pytest.mark.parametrize(
    ("event", "level", "name", "keys"), LINES, ids=[name for _, _, name, _ in LINES]
)
def test_each_event_has_a_line(
    event: MeshEvent, level: str, name: str, keys: dict[str, object]
) -> None:
    """A name in snake case, the level that says who must act, and keys without our clock."""
    note = journal.line(event)
    assert (note.level, note.event, dict(note.keys)) == (level, name, keys)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", note.event)
    assert str(AT) not in str(note)


def test_the_table_has_every_event() -> None:
    """A new kind of event gets a row, too."""
    assert {type(event) for event, *_ in LINES} == set(get_args(MeshEvent))
