"""When another program takes away what we put there, again and again: give way a little.

Ten corrections in ten seconds are an accident; more are a program that does not want what we want.
It is still corrected, once a second, and a person is told: whoever is right, two programs that
undo each other's work a thousand times a second help nobody.
"""

from collections import deque
from typing import Final

SECONDS: Final = 10.0
MOST: Final = 10
"""Corrections in so many seconds that are no quarrel yet."""
FEW: Final = 5
"""Below so many the quarrel is over; corrections once a second keep it going."""
PAUSE_SECONDS: Final = 1.0


class Quarrel:
    """Counts corrections; *now* is monotonic."""

    def __init__(self) -> None:
        self.on = False
        """Whether it goes on."""
        self._times: deque[float] = deque()

    def corrected(self, now: float) -> None:
        """Take in that something was put back."""
        self._times.append(now)
        self.look(now)

    def look(self, now: float) -> bool:
        """Return whether it goes on."""
        while self._times and self._times[0] <= now - SECONDS:
            self._times.popleft()
        if len(self._times) > MOST:
            self.on = True
        elif len(self._times) < FEW:
            self.on = False
        return self.on

    def wait(self, now: float) -> float:
        """Return how many seconds the next correction has to wait."""
        if not self.look(now) or not self._times:
            return 0.0
        return max(0.0, self._times[-1] + PAUSE_SECONDS - now)

    def deadline(self) -> float | None:
        """Return when it may be over."""
        return self._times[0] + SECONDS if self.on and self._times else None
