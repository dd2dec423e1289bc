"""When a router has what was sent to it: the end of a timeline, seen from the sending side.

A flush ends in our own kernel. Whether the router's kernel has the bytes only its acknowledgements
tell, which wake nobody: the reactor looks, often at first and then less so, and only where the
reflex asked for it. A router may acknowledge up to 40 ms late by the habit of its kernel (RFC 1122,
section 4.2.3.2 allows more), so what is found here is the latest moment at which it can have
been, not the moment itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from bgpd.exabgp.message import Arrived
from bgpd.exabgp.transport import PeerConnection

MOST: Final = 64
"""Updates and peers that are looked after; beyond that the oldest is given up."""
WATCH_SECONDS: Final = 60.0
"""How long a session that is down, or a router that acknowledges nothing, is waited for."""
JIFFY: Final = 0.004
"""The tick of most kernels: what is seen within it needs no better date."""
FIRST_PAUSE: Final = 0.001
LAST_PAUSE: Final = 0.05
_SHARE: Final = 0.25
"""Between two looks passes so much of the time since the flush."""
NEVER: Final = 1 << 30
"""Milliseconds: nothing to look for."""


@dataclass(slots=True, kw_only=True)
class _Watch:
    id: int
    session: Any
    until: float
    line: PeerConnection | None = None
    """The connection that the bytes left by; None: they have not left yet."""
    mark: int = 0
    """How many bytes the router must have acknowledged."""
    flushed_at: float = 0.0
    looked_at: float = 0.0


class Arrivals:
    """What the reflex wants to know of, and is not known yet."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Tell the time by *clock*."""
        self._clock = clock
        self._watches: list[_Watch] = []

    def watch(self, number: int, sessions: Iterable[Any]) -> None:
        """Look from now on whether update *number* has reached the routers of *sessions*."""
        now = self._clock()
        for session in sessions:
            one = _Watch(id=number, session=session, until=now + WATCH_SECONDS)
            _note_flush(one, now)
            self._watches.append(one)
        del self._watches[:-MOST]

    def look(self) -> list[Arrived]:
        """Return what has arrived since the last look, and forget it."""
        if not self._watches:
            return []
        now = self._clock()
        arrived, left = [], []
        for one in self._watches:
            found = _arrived(one, now)
            if found is not None:
                arrived.append(found)
            elif now < one.until:
                left.append(one)
        self._watches = left
        return arrived

    @property
    def patience(self) -> int:
        """In how many milliseconds to look again."""
        flushed = [one.flushed_at for one in self._watches if one.line is not None]
        if not flushed:
            return NEVER
        pause = (self._clock() - max(flushed)) * _SHARE
        return int(1000 * min(max(pause, FIRST_PAUSE), LAST_PAUSE))


def _note_flush(one: _Watch, now: float) -> None:
    """Note where the bytes of *one* end, once all that was queued before them is written."""
    line = one.session.line
    if line is None or one.session.queued:
        return
    try:
        one.mark = line.written
    except OSError:
        return  # it is closing: what the next one carries counts
    one.line, one.flushed_at, one.looked_at = line, now, now


def _arrived(one: _Watch, now: float) -> Arrived | None:
    if one.line is not one.session.line:
        one.line = None  # the session ended: everything is sent again with the next one
    if one.line is None:
        _note_flush(one, now)
        return None
    try:
        acknowledged, ago = one.line.acknowledged
    except OSError:
        return None
    if acknowledged < one.mark:
        one.looked_at = now
        return None
    # We looked a moment ago: sharper than the kernel's own word, which counts in jiffies.
    at = now if now - one.looked_at <= JIFFY else min(max(now - ago, one.looked_at), now)
    return Arrived(id=one.id, peer=one.session.address, flushed_at=one.flushed_at, at=at)
