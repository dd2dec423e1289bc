"""Is ExaBGP alive? A ping each half second, and three seconds to answer.

A hung ExaBGP keeps its sessions, and so keeps withdrawals from the routers for up to the hold
time while our heartbeats say that all is well. Killing it is better: the kernel closes TCP, the
routers drop the routes at once, and the supervisor starts it again.
"""

from typing import Final

PING_SECONDS: Final = 0.5
"""ExaBGP in turn kills a reflex that was silent for 2 s."""
SILENT_SECONDS: Final = 3.0


class Watchdog:
    """Counts pings that ExaBGP has not answered."""

    def __init__(self, now: float) -> None:
        self._last_tick = now
        self._last_pong = now
        self._armed = False

    def pong(self, now: float) -> None:
        """Note that ExaBGP answered."""
        self._armed = True
        self._last_pong = now

    def hangs(self, now: float) -> bool:
        """Return whether ExaBGP was silent too long; call once for each ping that is sent.

        If this process itself was not run for a while, the machine was paused or starved and
        ExaBGP's silence proves nothing: the count starts anew.
        """
        late = now - self._last_tick > 2 * PING_SECONDS
        self._last_tick = now
        if late or not self._armed:
            self._last_pong = now
            return False
        return now - self._last_pong > SILENT_SECONDS
