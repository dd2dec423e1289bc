"""How often both ends of a BFD session speak, and when a change of that begins to hold.

Each end counts on what the other was told: how long its silence may be follows from the slower of
two wishes. So what would break that, slower sending or a shorter time to detect, waits until the
peer has answered (Poll and Final); everything else holds at once. Intervals are microseconds, as
they are on the wire; times are seconds.

Supported standards: RFC 5880 sections 6.5, 6.8.2, 6.8.3 and 6.8.4.
"""

from typing import Final

SLOW_INTERVAL: Final = 1_000_000
"""Least bfd.DesiredMinTxInterval while the session is not up (section 6.8.3)."""
SECOND: Final = 1_000_000


class Intervals:
    """What we told the peer, what it told us, and which of ours are in use already."""

    def __init__(self, *, desired_min_tx: int, required_min_rx: int) -> None:
        """Begin as a session does that is down."""
        self.desired_min_tx = max(SLOW_INTERVAL, desired_min_tx)
        self.required_min_rx = required_min_rx
        self.polling = False
        """Whether the peer has yet to say that it knows ours."""
        self.remote_detect_mult = 0
        self.remote_desired_min_tx = 0
        self.remote_min_rx = 1
        self._used_min_tx = self.desired_min_tx
        self._used_min_rx = self.required_min_rx
        self._poll_again = False

    @property
    def transmit(self) -> float:
        """Seconds between our packets, before jitter."""
        return max(self._used_min_tx, self.remote_min_rx) / SECOND

    @property
    def receive(self) -> float:
        """Seconds between the peer's packets, before jitter."""
        return max(self._used_min_rx, self.remote_desired_min_tx) / SECOND

    @property
    def detection(self) -> float | None:
        """Seconds of the peer's silence that end the session; None while nothing is known."""
        if not self.remote_detect_mult:
            return None
        interval = max(self._used_min_rx, self.remote_desired_min_tx)
        return self.remote_detect_mult * interval / SECOND

    def remote_detection(self, detect_mult: int) -> float | None:
        """Return how long of our silence ends the session for the peer, by what we told it."""
        if not self.remote_detect_mult:
            return None
        return detect_mult * max(self.desired_min_tx, self.remote_min_rx) / SECOND

    def want(self, *, desired_min_tx: int, required_min_rx: int, up: bool) -> bool:
        """Take over what is wanted in the state; return whether the peer must hear of it."""
        tx, rx = desired_min_tx if up else max(SLOW_INTERVAL, desired_min_tx), required_min_rx
        if (tx, rx) == (self.desired_min_tx, self.required_min_rx):
            return False
        self.desired_min_tx, self.required_min_rx = tx, rx
        # Section 6.8.3: slower sending, and a shorter time to detect, wait until the peer knows.
        if not up or tx < self._used_min_tx:
            self._used_min_tx = tx
        if not up or rx > self._used_min_rx:
            self._used_min_rx = rx
        if up:
            # A Final that is on its way answers the poll before this one.
            self._poll_again = self.polling
            self.polling = True
        return True

    def answered(self) -> bool:
        """Take the peer's Final; return whether it knows all by that, and all is in use."""
        self.polling, self._poll_again = self._poll_again, False
        if not self.polling:
            self._used_min_tx, self._used_min_rx = self.desired_min_tx, self.required_min_rx
        return not self.polling

    def stop_polling(self) -> None:
        """Give up on an answer: a session that is not up tells everything anew."""
        self.polling = self._poll_again = False

    def forget(self) -> None:
        """Forget what the peer said (section 6.8.1)."""
        self.remote_detect_mult = self.remote_desired_min_tx = 0
        self.remote_min_rx = 1
