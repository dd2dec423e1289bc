"""What a person should know of a node at a glance: the conditions of its BGPNodeStatus.

Ready, TakeoverArmed and ConfigurationValid are always there; whatever the source of documents, the
policy, the speaker and the mesh have to say follows, one condition for each type.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from bgpd.kube.problem import Problem
from bgpd.kube.statusform import LONGEST, MOST_CONDITIONS, Truth
from bgpd.model.peer import PeerState
from bgpd.model.status import (
    Condition,
    DrainPhase,
    DrainStatus,
    MeshStatus,
    NodeStatus,
    SpeakerStatus,
)

INVALIDATING: Final = frozenset(
    {
        "DocumentRefused",
        "ConfigurationRefused",
        "PeersRefused",
        "ProfileUnfit",
        "SecretMissing",
        "SourceDegraded",
    }
)
"""Conditions that say that something in the configuration does not hold as it is written."""


class Told(msgspec.Struct, frozen=True):
    """A condition before anybody asks since when."""

    type: str
    status: Truth
    reason: str
    message: str


def conditions_of(status: NodeStatus, problems: Sequence[Problem]) -> list[Told]:
    """Return Ready, TakeoverArmed and ConfigurationValid, then whatever else there is to say."""
    speaker = status.speaker
    mesh = speaker.mesh if speaker else None
    others = [*status.conditions, *(speaker.conditions if speaker else ())]
    others += mesh.conditions if mesh else ()
    first = [_ready(status), _armed(mesh), _valid(status, problems, others)]
    known = {one.type for one in first}
    rest = [one for one in _joined(others) if one.type not in known]
    return [*first, *rest][:MOST_CONDITIONS]


def _ready(status: NodeStatus) -> Told:
    reason, message = _unready(status) or ("Advertising", _advertising(status))
    return Told("Ready", "True" if reason == "Advertising" else "False", reason, message)


def _unready(status: NodeStatus) -> tuple[str, str] | None:
    """Return why the node cannot carry traffic, or None."""
    speaker = status.speaker
    if not status.synced:
        return "NotSynced", f"not everything has been read from {cut(status.source, 256)} yet"
    if speaker is None:
        return "SpeakerUnreachable", "the speaker does not answer its agent; its routes stay"
    if speaker.exabgp_pid is None:
        return "ExabgpNotRunning", "ExaBGP is not running; it is started again"
    if speaker.draining:
        return "Draining", _draining(speaker.drain)
    return _unheard(speaker)


def _draining(drain: DrainStatus) -> str:
    if drain.phase is DrainPhase.DRAINED:
        words = "the node is drained, so its routes are withdrawn"
    else:
        words = "the node is being drained, so its routes are the last choice"
    return cut(f"{words}: {drain.cause}" if drain.cause else words)


def _unheard(speaker: SpeakerStatus) -> tuple[str, str] | None:
    if not speaker.sessions:
        return "NoPeer", "no BGPPeer selects this node"
    if not any(one.state is PeerState.ESTABLISHED for one in speaker.sessions):
        peers = ", ".join(sorted(one.peer for one in speaker.sessions)[:8])
        return "NoSession", cut(f"no session is established; tried are {peers}")
    return None


def _advertising(status: NodeStatus) -> str:
    sessions = status.speaker.sessions if status.speaker else ()
    down = [
        one.peer
        for one in sorted(sessions, key=lambda one: one.peer)
        if one.state is not PeerState.ESTABLISHED
    ]
    words = f"{len(sessions) - len(down)} of {len(sessions)} sessions are established"
    return cut(f"{words}; not so {', '.join(down[:8])}" if down else words)


def _armed(mesh: MeshStatus | None) -> Told:
    if mesh is None:
        return Told("TakeoverArmed", "Unknown", "NoMesh", "the speaker says nothing of a mesh")
    message = f"{mesh.reachable} of {mesh.counted} members are alive, this one included"
    if mesh.armed:
        return Told("TakeoverArmed", "True", "Quorum", message)
    return Told("TakeoverArmed", "False", "NoQuorum", message)


def _valid(status: NodeStatus, problems: Sequence[Problem], others: Iterable[Condition]) -> Told:
    wrong = [one.message for one in problems if one.refused]
    wrong += [one.message for one in others if one.status and one.type in INVALIDATING]
    wrong = list(dict.fromkeys(wrong))
    if wrong:
        return Told("ConfigurationValid", "False", "Refused", _sentences(wrong))
    if not status.synced:
        message = "not everything has been read yet"
        return Told("ConfigurationValid", "Unknown", "NotSynced", message)
    message = f"{status.documents} objects are in force"
    return Told("ConfigurationValid", "True", "Accepted", message)


def _joined(conditions: Iterable[Condition]) -> Iterator[Told]:
    """Return one condition for each type: what is true speaks before what is not."""
    by_type: dict[str, list[Condition]] = {}
    for one in conditions:
        by_type.setdefault(one.type, []).append(one)
    for type_, several in sorted(by_type.items()):
        telling = [one for one in several if one.status] or several
        telling = sorted(telling, key=lambda one: (one.reason, one.message))
        yield Told(
            type_,
            "True" if telling[0].status else "False",
            telling[0].reason,
            _sentences([one.message for one in telling]),
        )


_SENTENCES: Final = 3


def _sentences(messages: Sequence[str]) -> str:
    more = len(messages) - _SENTENCES
    words = "; ".join(cut(one, 300) for one in messages[:_SENTENCES])
    return f"{words}; and {more} more" if more > 0 else words


def cut(text: str, most: int = LONGEST) -> str:
    """Return *text*, or its beginning where it is too long for its place."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
