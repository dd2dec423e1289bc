"""How another member's monotonic clock stands to ours, told by the heartbeats of a pair.

Nothing is decided by it: it puts what several nodes saw of one takeover on one scale, with an
honest bound on how wrong that can be. A heartbeat says when it was sent by its sender's clock, and
in its echo of us for how long it has had our last one. Nothing arrives before it was sent, so

    theirs - ours >= their clock at sending - ours at its arrival
    theirs - ours <= their clock when ours had arrived - ours at its sending

Two such bounds make an interval as wide as the round trip, and a little more because the age of an
echo has whole milliseconds. Every delay that is not seen, in a queue or in a process that sleeps,
makes it wider and never wrong. The intervals of several seconds are intersected (Marzullo's
algorithm with no falseticker to fear: heartbeats are authenticated), each wider by what two clocks
may drift apart since.
"""

from collections import deque
from typing import Final, NamedTuple

DRIFT: Final = 100e-6
"""How far two clocks may run apart in one second: two cheap crystals, each 50 ppm wrong."""
KEPT: Final = 16
"""Intervals that are remembered."""
EVERY: Final = 1.0
"""Seconds between two heartbeats of a member that are read for this."""
OLD_AFTER: Final = 10.0
"""Seconds after which a member that says nothing more has a clock that nobody knows."""


class Estimate(NamedTuple):
    """Their clock minus ours, seconds; the truth lies no further from it than *uncertainty*."""

    offset: float
    uncertainty: float


class Offset:
    """What is known of one member's clock."""

    __slots__ = ("_bounds", "due")

    def __init__(self) -> None:
        self._bounds: deque[tuple[float, float, float]] = deque(maxlen=KEPT)
        """When, and the least and the greatest that the offset was then."""
        self.due = 0.0
        """When a heartbeat is worth reading for this again."""

    def heard(self, *, clock: float, at: float, sent: float, age: float) -> None:
        """Take in a heartbeat sent at their *clock*, which arrived *at* ours.

        It echoes what we had *sent* then, by our clock, and had had for *age* seconds or longer.
        """
        low, high = clock - at, clock - age - sent
        if low <= high:
            self._bounds.append((at, low, high))

    def round_trip(self, now: float) -> float | None:
        """Return how long the last one took, there and back, up to a millisecond too long.

        None while nobody knows.
        """
        if not self._bounds or now - self._bounds[-1][0] > OLD_AFTER:
            return None
        _, low, high = self._bounds[-1]
        return high - low

    def estimate(self, now: float) -> Estimate | None:
        """Return the offset as it is *now*; None while nobody knows."""
        if not self._bounds or now - self._bounds[-1][0] > OLD_AFTER:
            return None
        low, high = float("-inf"), float("inf")
        for at, least, greatest in reversed(self._bounds):
            drift = max(0.0, now - at) * DRIFT
            closer = max(low, least - drift), min(high, greatest + drift)
            if closer[0] > closer[1]:
                break  # a clock was slewed hard, or stood still with its machine: this was before
            low, high = closer
        return Estimate((low + high) / 2, (high - low) / 2)
