"""Whether one member is alive: what the evidence says, and what follows from that.

A member is alive when it is heard *and* hears: it echoes us, or a majority. A `Track` holds
what was heard of one member; `read_sign` turns that into one `Sign`, and the table below is
the only way from state to state. (Leaving the mesh's list, waking from our own sleep and the
end of a quarantine are not evidence about a member; they are in `judge`.)

Silence is measured from the kernel's receive time of the last heartbeat. How long it may last
follows the loss measured on the pair: on a clean one it is the policy's multiplier, on a lossy
one enough that random loss alone makes one silence in a million heartbeats.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from bgpd.mesh.track import Track
from bgpd.model.status import MemberState

GRACE_LIMIT: Final = 60.0
"""Seconds: the longest a goodbye is believed; after that the member has left."""


class Sign(Enum):
    """What the evidence about a member says now."""

    BEATING = "beating"
    """Heard, and it hears."""
    FLAPPING = "flapping"
    """As beating, but it was raised against too often."""
    QUIET = "quiet"
    """Nothing new, and not for long; or heard again, and what it says of us is from before."""
    SILENT = "silent"
    """Not heard for too long."""
    DEAF = "deaf"
    """Heard, but it hears neither us nor a majority."""
    LEAVING = "leaving"
    """It said goodbye or its port refuses, and its kernel answers."""
    RAISED = "raised"
    """Silent or deaf, and a raise covers it."""
    LEFT = "left"
    """Gone for good by its own word, or by the list's: nothing of it is still on a router."""


_S = MemberState
NEXT_STATE: Final[Mapping[MemberState, Mapping[Sign, MemberState]]] = {
    _S.UNHEARD: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.UNHEARD,
        Sign.SILENT: _S.UNHEARD,
        Sign.DEAF: _S.UNHEARD,
        Sign.LEAVING: _S.UNHEARD,
        Sign.RAISED: _S.UNHEARD,
        Sign.LEFT: _S.UNHEARD,
    },
    _S.ALIVE: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.ALIVE,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.SUSPECT: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.ALIVE,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.RESTARTING: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.RESTARTING,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.DEAD: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.DEAD,
        Sign.SILENT: _S.DEAD,
        # It was heard at the generation of its raise, and so is not covered any longer.
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.DEAD,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.QUARANTINED: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.QUARANTINED,
        Sign.SILENT: _S.QUARANTINED,
        Sign.DEAF: _S.QUARANTINED,
        Sign.LEAVING: _S.QUARANTINED,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
}


def read_sign(track: Track, now: float, interval: float, *, covered: bool, flapping: bool) -> Sign:
    """Return what the evidence about *track* says at *now*."""
    silent = track.silence(now) > track.allowed(interval)
    deaf = not (track.hears_us or track.hears_majority)
    leaving = track.leaving(now)
    if not silent and not deaf and not leaving:
        return Sign.FLAPPING if flapping else Sign.BEATING
    # What routers kept of it nobody tends any more: that is as good as dead.
    if leaving and not track.overdue(now) and track.kernel_answers(now, interval):
        return Sign.LEFT if _left(track, now) else Sign.LEAVING
    if covered and (silent or deaf):
        return Sign.RAISED
    if silent:
        return Sign.SILENT
    if deaf and not track.just_returned(now, interval):
        return Sign.DEAF
    return Sign.QUIET


def _left(track: Track, now: float) -> bool:
    """Return whether *track* is gone for good, and not only away for long.

    A refusal alone never says so: a listed process that was killed is watched for as long as it
    is away, because the day its kernel goes silent nobody else would speak for its routes.
    """
    final = track.said_goodbye or not track.listed
    return final and now - track.left_since > GRACE_LIMIT
