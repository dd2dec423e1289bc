"""A Service that no BGPAdvertisement chooses any more may be half of a change: it waits a moment.

Which Services are advertised is said by labels (of Services, pools and Nodes) here and selectors
there, and people write them one after another: `kubectl apply -f` does, and so does whoever copies
files into a directory. In between nothing fits, and acting on that takes every elastic IP off the
network for as long as the rest takes to come. So what a node advertises stays while nothing but the
choice of advertisements speaks against it, until the rest is there or the moment is over. What says
that traffic would be lost (an endpoint that goes, a failed check) withdraws at once then, too.
"""

from typing import Final

from bgpd.model.reason import Reason

CHOICE: Final = frozenset(
    {
        Reason.NO_MATCHING_ADVERTISEMENT,
        Reason.CONFLICTING_ADVERTISEMENTS,
        Reason.NODE_NOT_SELECTED,
    }
)
"""The reasons that a document to come may take away: labels and selectors do not fit together."""
LINGER_SECONDS: Final = 2.0
"""As long as a document that is removed is waited for."""


class Lingering:
    """Which Services keep their routes though none chooses them, and until when (monotonic)."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._over: set[str] = set()
        """Those that may keep nothing more until one chooses them again."""

    def __contains__(self, service: str) -> bool:
        """Return whether *service* lost its advertisement of late."""
        return service in self._until or service in self._over

    def may_keep(self, service: str) -> bool:
        """Return whether *service* may keep what it has."""
        return service not in self._over

    def note(self, service: str, *, kept: bool, up: bool, now: float) -> None:
        """Note a decision on *service*: whether it has routes, and whether it only keeps them."""
        if kept:
            self._until.setdefault(service, now + LINGER_SECONDS)
            return
        self._until.pop(service, None)
        if up:
            self._over.discard(service)

    def due(self, now: float) -> tuple[str, ...]:
        """Return the Services whose moment is over, sorted; they are to be decided on."""
        found = sorted(service for service, until in self._until.items() if until <= now)
        for service in found:
            del self._until[service]
            self._over.add(service)
        return tuple(found)

    def deadline(self) -> float | None:
        """Return when the next moment is over."""
        return min(self._until.values(), default=None)

    def forget(self, service: str) -> None:
        """Note that *service* is no more."""
        self._until.pop(service, None)
        self._over.discard(service)
