"""What a rollout waits for, so that one node is back before the next one goes.

A DaemonSet's update goes on as soon as a pod is ready. A pod that is ready before its sessions are
up would let the whole cluster restart in the time that one node takes to be reached again: the
routes of all nodes were gone at once. So an agent is not ready until each peer that it has routes
for was offered them. A router that is away holds nobody up for longer than `PATIENCE`.
"""

from collections.abc import Iterable
from typing import Final

from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.status import SpeakerStatus

PATIENCE: Final = 30.0
"""Seconds after the speaker's start; then readiness is about the node alone."""


def awaited(speaker: SpeakerStatus, wanted: Iterable[tuple[PeerName, Prefix]], now: float) -> str:
    """Return what a speaker that started lately still lacks of *wanted*, in words; else nothing.

    *now* is the wall clock, as the speaker's start is.
    """
    # A clock that was set back says that it starts in an hour; nobody waits as long as that.
    if not 0 <= now - speaker.started <= PATIENCE:
        return ""
    offered = {
        session.peer
        for session in speaker.sessions
        if session.state is PeerState.ESTABLISHED and session.advertised
    }
    lacking = sorted({peer for peer, _ in wanted} - offered)
    if not lacking:
        return ""
    return f"started lately, and {', '.join(lacking)} has not been offered its routes yet"
