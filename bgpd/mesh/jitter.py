"""How late the heartbeats of a pair come, so that no more patience is shown than they need.

A heartbeat that is late is not lost: the silence that is allowed ends a little after the last
missed one was due. How much after is learned like a retransmission timer (RFC 6298), but from
the worst lateness, slowly forgotten, because one early verdict costs more than a late one.
"""

from typing import Final

LATE_SHARE: Final = 0.25
"""Most patience, as a part of an interval: what is shown before anything is known."""
LEAST_SHARE: Final = 0.04
"""Least patience: clocks tick, and the loop that judges is late itself."""
MARGIN: Final = 2.0
"""Times the worst lateness that was seen."""
FORGET: Final = 0.99
"""Share of the worst lateness that is left after one punctual heartbeat: half in 3.5 s."""
KNOWN_AFTER: Final = 20
"""Heartbeats before anything is known."""


class Jitter:
    """The lateness of one member's regular heartbeats."""

    __slots__ = ("_at", "_beat", "_seen", "_worst")

    def __init__(self) -> None:
        self._beat = 0
        self._at = 0.0
        self._seen = 0
        self._worst = 0.0

    def arrived(self, beat: int, *, at: float, interval: float) -> None:
        """Take in regular heartbeat number *beat*, received *at*; extra ones change nothing."""
        ahead = beat - self._beat
        if ahead <= 0:
            return
        if self._seen and ahead * interval < 1.0:
            late = abs(at - self._at - ahead * interval)
            self._worst = max(self._worst * FORGET, min(late, interval))
        self._seen += 1
        self._beat, self._at = beat, at

    def patience(self, interval: float) -> float:
        """Return how many seconds a heartbeat may be late."""
        most = LATE_SHARE * interval
        if self._seen < KNOWN_AFTER:
            return most
        return min(most, max(LEAST_SHARE * interval, MARGIN * self._worst))
