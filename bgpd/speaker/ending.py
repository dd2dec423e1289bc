"""Leaving without losing a packet: demote, wait, withdraw, close, exit.

Routers must have moved the traffic before the routes go, and the routes must be gone before
the sessions close (RFC 8326 for the first half; Cease / Administrative Shutdown, RFC 4486, for
the second). Every phase has a bound, so that a dead router or a hung ExaBGP delays no shutdown.
"""

from enum import StrEnum
from typing import Final

FLUSH_SECONDS: Final = 2.0
"""Most time that withdrawals, and then the closing of sessions, may take."""
SETTLE_SECONDS: Final = 0.1
"""How long a router is given to program its table between a withdrawal and the close."""


AFTERMATH_SECONDS: Final = 2 * FLUSH_SECONDS + SETTLE_SECONDS
"""Most time that all that follows the wait may take."""


class Phase(StrEnum):
    """How far the process is on its way out; each phase is entered once, in this order."""

    STAYING = "Staying"
    DEMOTED = "Demoted"
    WITHDRAWING = "Withdrawing"
    SETTLING = "Settling"
    CLOSING = "Closing"
    DONE = "Done"


_ORDER: Final = tuple(Phase)


class Ending:
    """The phase of the end and when it is over."""

    def __init__(self) -> None:
        self.phase = Phase.STAYING
        self.kept = False
        """Whether routers keep our routes: then only the sessions end (RFC 4724)."""
        self.deadline: float | None = None

    @property
    def active(self) -> bool:
        """Whether the process is on its way out."""
        return self.phase is not Phase.STAYING

    def begin(self, now: float, wait: float) -> None:
        """Enter `Demoted` for *wait* seconds; a second call changes nothing."""
        if not self.active:
            self.phase = Phase.DEMOTED
            self.deadline = now + wait

    def begin_kept(self, now: float) -> Phase:
        """Enter `Closing` at once, and leave the routes where they are; return that phase."""
        self.kept = True
        self.phase = Phase.SETTLING
        return self.advance(now)

    def advance(self, now: float) -> Phase:
        """Enter the next phase and return it."""
        self.phase = _ORDER[min(_ORDER.index(self.phase) + 1, len(_ORDER) - 1)]
        bounds = {
            Phase.WITHDRAWING: FLUSH_SECONDS,
            Phase.SETTLING: SETTLE_SECONDS,
            Phase.CLOSING: FLUSH_SECONDS,
        }
        bound = bounds.get(self.phase)
        self.deadline = None if bound is None else now + bound
        return self.phase

    def due(self, now: float) -> bool:
        """Return whether the current phase has lasted as long as it may."""
        return self.deadline is not None and now >= self.deadline
