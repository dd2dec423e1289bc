"""One peer as BFD sees it: whether it failed, whether BGP waits for it, whether it flaps."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from bgpd.bfd.endpoint import Line
from bgpd.bfd.packet import Diag, State
from bgpd.bfd.session import StateChanged
from bgpd.model.peer import BFDState, Peer

HOLD_SECONDS: Final = 10.0
"""How long BGP waits for BFD after a failure: several times what BFD takes to come up."""
FLAPS: Final = 3
FLAP_SECONDS: Final = 30.0
"""So many failures in so many seconds are flapping."""
FIRST_PAUSE: Final = 30.0
MOST_PAUSE: Final = 600.0
"""For how long the word of a session that flaps does not count: twice as long each time."""
CALM_SECONDS: Final = 600.0
"""Without a failure for so long, flapping is forgiven."""

_DIAGS: Final = {
    Diag.NONE: "it says nothing of why",
    Diag.DETECTION_TIME_EXPIRED: "it heard nothing of us for its detection time",
    Diag.ECHO_FAILED: "its echo function failed",
    Diag.NEIGHBOR_SIGNALED_DOWN: "it heard that we were down",
    Diag.FORWARDING_PLANE_RESET: "its forwarding plane was reset",
    Diag.PATH_DOWN: "its path is down",
    Diag.CONCATENATED_PATH_DOWN: "a path behind it is down",
    Diag.ADMINISTRATIVELY_DOWN: "a person shut it down",
    Diag.REVERSE_CONCATENATED_PATH_DOWN: "a path behind it towards us is down",
}


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """What is known of one peer."""

    peer: Peer
    line: Line
    since: float | None = None
    """Monotonic, like all times here."""
    failed: bool = False
    """Whether it failed since it was up, so that the BGP session is held back."""
    held_until: float = 0.0
    confirmed: bool = False
    """Whether the peer itself has said that it is up, since we run."""
    transitions: int = 0
    entered: Counter[BFDState] = field(default_factory=Counter)
    """How often it came into each state."""
    error: str = ""
    failed_at: float | None = None
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FLAPS))
    pause: float = FIRST_PAUSE
    dampened_until: float = 0.0

    def is_gone(self, now: float) -> bool:
        """Whether it failed, is not back, and its word counts."""
        session = self.line.session
        return (
            self.failed
            and session.state is not State.UP
            and session.remote_state is not State.ADMIN_DOWN
            and now >= self.dampened_until
        )

    def holds_back(self, now: float) -> bool:
        """Whether its BGP session waits for BFD now."""
        return now < self.held_until and self.is_gone(now)

    def has_failed(self, event: StateChanged) -> bool:
        """Whether *event*, which ends Up, is a failure of the path or of the router."""
        signaled = event.diag == Diag.NEIGHBOR_SIGNALED_DOWN
        if signaled and event.remote_state is State.ADMIN_DOWN:
            return False
        # We went on where another process stopped, too late: the router has closed its BGP
        # session long ago, and what is established now it has established since.
        return self.confirmed or not signaled

    def fail(self, now: float) -> float | None:
        """Note a failure; return for how long its word does not count from now on, if it flaps."""
        self.failed, self.held_until = True, now + HOLD_SECONDS
        if self.failed_at is not None and now - self.failed_at > CALM_SECONDS:
            self.pause = FIRST_PAUSE
        self.failed_at = now
        self.failures.append(now)
        if now < self.dampened_until:
            # Nothing is closed now, and nothing shall be when its word counts again.
            self.failed = False
            return None
        if len(self.failures) < FLAPS or now - self.failures[0] > FLAP_SECONDS:
            return None
        self.failed = False
        self.failures.clear()
        pause, self.pause = self.pause, min(2 * self.pause, MOST_PAUSE)
        self.dampened_until = now + pause
        return pause

    def reason(self, event: StateChanged) -> str:
        """Return why it went down, for a person."""
        peer = self.peer.address
        if event.diag == Diag.DETECTION_TIME_EXPIRED:
            return f"{peer} was silent for {(event.silence or 0) * 1000:.0f} ms"
        if event.diag != Diag.NEIGHBOR_SIGNALED_DOWN:
            return "shut down here"
        if event.remote_state is State.ADMIN_DOWN:
            return f"{peer} says that a person shut BFD down there"
        known = event.remote_diag in tuple(Diag)
        said = _DIAGS[Diag(event.remote_diag)] if known else f"diagnostic {event.remote_diag}"
        return f"{peer} says that it is down: {said}"
