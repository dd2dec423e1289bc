"""Whether a complete answer may be believed, or tells what was true in the past.

A load balancer in front of a stale server, a cache that lies, or a server that has just started
may answer with an old state, even with an empty one. Believing it would withdraw routes of Services
that exist. Resource versions are numbers that grow (KEP-5504); an answer whose number is
lower than one that this process has already seen tells the past, and changes nothing.

Two ways lead out when the past is real, because etcd was restored from a backup. A restored server
goes on living: its numbers grow. So an answer that is older than what we saw, but has moved on for
`BELIEVE_AFTER` seconds, is believed, unless it is empty where we know objects. That, and any older
answer at once, a person accepts (`bgpctl accept`).
"""

from enum import Enum, auto
from typing import Final

BELIEVE_AFTER: Final = 300.0
"""Seconds for which a past must have gone on before it counts as the present."""


class Verdict(Enum):
    """What to do with a complete answer."""

    PRESENT = auto()
    PAST = auto()
    """Ask again later; nothing changes."""
    RESTORED = auto()
    """It is older than what was seen, and holds all the same."""


def number(version: str) -> int | None:
    """Return a resource version as a number, or None where it is not one."""
    return int(version) if version.isascii() and version.isdigit() else None


class History:
    """The newest version seen of one resource."""

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest
        self._older_since: float | None = None
        self._older_first = 0
        self._accepted = False

    @property
    def doubted(self) -> bool:
        """Whether the last complete answer told the past."""
        return self._older_since is not None

    def saw(self, version: str) -> bool:
        """Take the version of an event; return False where it is older than what was seen."""
        found = number(version)
        if found is None:
            return True
        if found < self.newest:
            return False
        self.newest = found
        return True

    def accept(self) -> None:
        """Believe the next complete answer, whatever it says: a person knows better."""
        self._accepted = True

    def judge(self, version: str, *, items: int, known: int, now: float) -> Verdict:
        """Return whether an answer of that *version* with so many *items* holds.

        *known* is how many objects are known from before.
        """
        found = number(version)
        if found is None or found >= self.newest:
            self._believe(found or self.newest)
            return Verdict.PRESENT
        if self._older_since is None or found < self._older_first:
            self._older_since, self._older_first = now, found
        lived = now - self._older_since >= BELIEVE_AFTER and found > self._older_first
        if self._accepted or (lived and (items or not known)):
            self._believe(found)
            return Verdict.RESTORED
        return Verdict.PAST

    def _believe(self, found: int) -> None:
        self.newest = found
        self._older_since = None
        self._accepted = False
