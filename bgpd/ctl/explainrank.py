"""Why a route has the rank that it has, and its attributes in words."""

from collections.abc import Sequence

from bgpd.ctl.view import QUARANTINED
from bgpd.model.grounds import PeerRoute
from bgpd.model.peer import Lever
from bgpd.model.route import (
    RANK_DOUBT,
    RANK_DRAIN,
    RANK_NORMAL,
    RANK_SLOW_START,
    Attributes,
)
from bgpd.model.status import SessionStatus, SpeakerStatus
from bgpd.policy.lever import BASE, STRIDE


def why_rank(rank: int, prefix: str, speaker: SpeakerStatus, doubt: Sequence[str] = ()) -> str:
    """Return why *prefix* has *rank*; empty where it is nothing special.

    *doubt* is why the agent holds the node in doubt.
    """
    if rank >= RANK_DRAIN:
        if prefix in speaker.drain.alone:
            return "the node is drained, but no other live, undrained node carries it"
        return "the node is drained, and routers move its traffic"
    if rank >= RANK_DOUBT:
        return _why_doubt(speaker, doubt)
    if rank >= RANK_SLOW_START:
        return "the node has just booted"
    if prefix in speaker.drain.busy:
        return "the node is drained, but connections are open"
    return "" if rank == RANK_NORMAL else "other nodes come first"


def _why_doubt(speaker: SpeakerStatus, doubt: Sequence[str]) -> str:
    if doubt:
        return f"the node is in doubt ({'; '.join(doubt)})"
    if speaker.mesh is not None and speaker.mesh.quarantined:
        return QUARANTINED
    if not speaker.agent_connected:
        return "the agent is away"
    return "the node is in doubt"


def attributes_text(session: SessionStatus, row: PeerRoute) -> str:
    """Return what the router of *session* hears with *row*, as people write it."""
    return "" if row.told is None else attributes(row.told, lever=session.lever)


def attributes(told: Attributes, *, lever: Lever | None = None) -> str:
    """Return *told* as people write it; the *lever*'s attribute with what it means."""
    parts = [f"next hop {told.next_hop}"]
    if told.med is not None:
        parts.append(f"MED {told.med}{_meant(told.med, lever)}")
    if told.local_pref is not None:
        parts.append(f"local preference {told.local_pref}")
    if told.as_path_prepend:
        parts.append(f"own ASN prepended {told.as_path_prepend} times")
    if told.origin or lever is Lever.ORIGIN:
        parts.append(f"origin {told.origin.name}")
    if told.communities:
        parts.append(f"communities {' '.join(told.communities)}")
    if told.large_communities:
        parts.append(f"large communities {' '.join(told.large_communities)}")
    if told.link_bandwidth is not None:
        parts.append(f"link bandwidth {told.link_bandwidth} bytes/s")
    return ", ".join(parts)


def _meant(med: int, lever: Lever | None) -> str:
    """Return the generation and rank that a MED of ours says."""
    if lever is not Lever.MED or med > BASE + STRIDE - 1:
        return ""
    steps = -(-(BASE - med) // STRIDE) if med <= BASE else 0
    return f" (generation {steps}, rank {med - BASE + STRIDE * steps})"
