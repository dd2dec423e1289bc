"""An elastic IP is on the host before routers hear of it, and until they have let go of it.

A router acts within milliseconds on a route. A node that attracts traffic for an address that it
does not have yet, or no more, drops it or sends it back, while another node could carry it. So a
route that the speaker does not have waits for its address: for a moment only, since a host that
cannot be changed is no reason to keep an elastic IP off the network. What the speaker has is never
taken back for that. And an address stays for a moment after nothing wants it any more.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement
from bgpd.policy.merge import RouteKey

HOLD_SECONDS: Final = 2.0
"""How long a route waits while no address comes: the first one takes half a second."""
LONGEST_SECONDS: Final = 30.0
"""How long it waits at most, while others come: ten thousand addresses take half of that."""
STAY_SECONDS: Final = 2.0
"""How long an address outlives its route: routers take 60 ms (FRR) and more to act on it."""

Ready: TypeAlias = Callable[[Prefix], bool]
"""Whether nothing is to be waited for before a route to the prefix is told."""


class Landing:
    """Which routes wait for their addresses; *now* is monotonic seconds."""

    def __init__(self, told: Iterable[RouteKey] | None) -> None:
        """Begin where the speaker has the routes *told*; None: maybe all of the first state."""
        self.partial = False
        """Whether routes of a whole state wait: others may take for granted that they are here."""
        self._told = None if told is None else set(told)
        self._waiting: dict[RouteKey, float] = {}
        """Since when."""
        self._came = 0.0
        """When an address came last that was waited for."""

    def everything(
        self, wanted: tuple[Advertisement, ...], ready: Ready, now: float
    ) -> tuple[Advertisement, ...]:
        """Return what may be told of the whole state *wanted*."""
        told, before = self._told, self._waiting
        self._told, self._waiting = set(), {}
        if told is None:
            self._told.update((one.peer, one.prefix) for one in wanted)
            return wanted
        found = []
        for one in wanted:
            key = one.peer, one.prefix
            if key in told or ready(one.prefix):
                self._told.add(key)
                found.append(one)
            else:
                self._waiting[key] = before.get(key, now)
        self.partial = bool(self._waiting)
        return tuple(found) if self._waiting else wanted

    def change(
        self,
        advertise: tuple[Advertisement, ...],
        withdraw: tuple[RouteKey, ...],
        ready: Ready,
        now: float,
    ) -> tuple[tuple[Advertisement, ...], tuple[RouteKey, ...]]:
        """Return what may be told of a change."""
        told = set() if self._told is None else self._told
        self._told = told
        told.difference_update(withdraw)
        found, waiting = [], self._waiting
        gone = tuple(key for key in withdraw if waiting.pop(key, None) is None)
        for one in advertise:
            key = one.peer, one.prefix
            if key in told or (key not in waiting and ready(one.prefix)):
                told.add(key)
                found.append(one)
            else:
                waiting.setdefault(key, now)
        self._settle()
        return tuple(found), gone

    def release(
        self, ready: Ready, now: float
    ) -> tuple[tuple[RouteKey, ...], tuple[RouteKey, ...]]:
        """Return the routes that need not wait any more, and those that waited in vain."""
        free = tuple(key for key in self._waiting if ready(key[1]))
        for key in free:
            del self._waiting[key]
            self._came = now
        late = tuple(key for key, since in self._waiting.items() if self._until(since) <= now)
        for key in late:
            del self._waiting[key]
        if self._told is not None:
            self._told.update(free, late)
        self._settle()
        return free, late

    @property
    def waiting(self) -> tuple[Prefix, ...]:
        """The prefixes whose routes wait, each once."""
        return tuple(dict.fromkeys(prefix for _, prefix in self._waiting))

    def deadline(self) -> float | None:
        """Return when the next route has waited long enough."""
        return self._until(min(self._waiting.values())) if self._waiting else None

    def _until(self, since: float) -> float:
        return min(since + LONGEST_SECONDS, max(since, self._came) + HOLD_SECONDS)

    def _settle(self) -> None:
        self.partial = self.partial and bool(self._waiting)


class Staying:
    """Which addresses outlive their routes; *now* is monotonic seconds."""

    def __init__(self) -> None:
        self._gone: dict[Address, float] = {}

    def keep(
        self, wanted: frozenset[Address], before: frozenset[Address], now: float
    ) -> frozenset[Address]:
        """Return *wanted*, and of what was there *before* what is to stay for a moment."""
        for address in before - wanted:
            self._gone.setdefault(address, now)
        self._gone = {
            address: at
            for address, at in self._gone.items()
            if address not in wanted and now - at < STAY_SECONDS
        }
        return wanted.union(self._gone)

    def deadline(self) -> float | None:
        """Return when the next address has stayed long enough."""
        return min(self._gone.values()) + STAY_SECONDS if self._gone else None
