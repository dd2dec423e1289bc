"""Which addresses of one family of one pool are free, taken, shared, or waiting to be reused.

The first free address is found without a search. Everything from `_cursor` on was never given
(or is looked at when the cursor gets there); what came back below it is in a heap. Entries of the
heap that are no longer free are dropped when they come to its top.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from bgpd.allocator.layout import Layout
from bgpd.allocator.sharing import Circle, Ports, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """An address that was released, and for a while is given to nobody but its last owner."""

    owners: tuple[str, ...]
    """More than one where they shared it and none may keep it."""
    since: float | None
    """None: from when its owner, who may not keep it, has moved."""


class Stock:
    """The addresses of one family of one pool, by their ordinals."""

    __slots__ = (
        "_circles", "_cursor", "_kept", "_listed", "_order", "_owned", "_returned", "_shares",
        "_users", "_waiting", "delay", "layout",
    )  # fmt: skip

    def __init__(self, layout: Layout, *, delay: int = 0) -> None:
        self.layout = layout
        self.delay = delay
        self._users: dict[int, tuple[str, ...]] = {}
        self._shares: dict[int, Share] = {}
        self._circles: dict[Share, Circle] = {}
        self._cursor = 0
        self._returned: list[int] = []
        self._listed: set[int] = set()
        """What is in `_returned`: an address that comes and goes is listed once."""
        self._kept = 0
        """Reserved addresses in use: they are assigned, though not of the capacity."""
        self._waiting: dict[int, Wait] = {}
        self._order: OrderedDict[int, float] = OrderedDict()
        """Since when, in the order of release: those of `_waiting` whose time runs.

        Not a plain dict, whose first entry is slow to find after many were taken from its front.
        """
        self._owned: dict[str, set[int]] = {}
        """The waiting addresses of each former owner."""

    @property
    def assigned(self) -> int:
        """How many addresses are in use."""
        return len(self._users)

    @property
    def waiting(self) -> int:
        """How many addresses wait to be reused."""
        return len(self._waiting)

    @property
    def available(self) -> int:
        """How many addresses can be given now."""
        return max(0, self.layout.count - (self.assigned - self._kept) - self.waiting)

    def users(self, ordinal: int) -> tuple[str, ...]:
        """Return the keys of the Services on *ordinal*."""
        return self._users.get(ordinal, ())

    def share(self, ordinal: int) -> Share | None:
        """Return by what the Services on *ordinal* share it, if they do."""
        return self._shares.get(ordinal)

    def clashes(self, ordinal: int, ports: Ports, *, own: Ports) -> Ports:
        """Return which of *ports* other Services use on *ordinal*, which is shared."""
        return self._circles[self._shares[ordinal]].clashes(ordinal, ports, own=own)

    def wait_of(self, ordinal: int) -> Wait | None:
        """Return what *ordinal* waits for, if it does."""
        return self._waiting.get(ordinal)

    def waits(self) -> Iterator[tuple[int, str, float]]:
        """Yield ordinal, last owner and time of release of those whose time runs."""
        for ordinal, since in self._order.items():
            yield ordinal, self._waiting[ordinal].owners[0], since

    def first_for(self, key: str, share: Share | None, ports: Ports) -> int | None:
        """Return the first address that the Service *key* may have, or None."""
        found = self._first_free()
        if self._owned and key in self._owned:
            found = _lower(found, min(self._owned[key]))
        if share is not None and share in self._circles:
            found = _lower(found, self._circles[share].first_for(ports))
        return found

    def take(self, ordinal: int, key: str, share: Share | None, ports: Ports) -> None:
        """Put the Service *key* on *ordinal*; the caller knows that it may be there."""
        before = self._users.get(ordinal, ())
        self._users[ordinal] = (*before, key)
        reserved = self.layout.reserved(ordinal)
        if not before:
            self._kept += reserved
            if ordinal in self._waiting:
                self._stop_waiting(ordinal)
        if share is not None:
            self._shares[ordinal] = share
            self._circles.setdefault(share, Circle()).add(ordinal, ports, joinable=not reserved)
        if ordinal == self._cursor:
            self._cursor += 1

    def leave(self, ordinal: int, key: str, ports: Ports) -> bool:
        """Take the Service *key* off *ordinal*; return whether the address is free now."""
        rest = tuple(user for user in self._users[ordinal] if user != key)
        share = self._shares.get(ordinal)
        if share is not None:
            self._circles[share].remove(ordinal, ports, last=not rest)
            if not self._circles[share]:
                del self._circles[share]
        if rest:
            self._users[ordinal] = rest
            return False
        del self._users[ordinal]
        self._shares.pop(ordinal, None)
        self._kept -= self.layout.reserved(ordinal)
        self._put_back(ordinal)
        return True

    def wait(self, ordinal: int, owner: str, since: float) -> None:
        """Keep *ordinal*, which is free, for its last *owner* alone, as long as the pool says."""
        if self.delay and not self.layout.reserved(ordinal):
            self._keep_for((owner,), ordinal, since)
            self._order[ordinal] = since

    def wait_for_move(self, ordinal: int, owner: str) -> None:
        """Keep *ordinal*, which is free, until its last *owner* has `moved`."""
        if not self.layout.reserved(ordinal):
            wait = self._waiting.get(ordinal)
            self._keep_for((*wait.owners, owner) if wait else (owner,), ordinal, None)

    def moved(self, ordinal: int, owner: str, now: float) -> None:
        """Let what *owner* could not keep wait as if it had been released at *now*."""
        wait = self._waiting.get(ordinal)
        if wait is None or wait.since is not None or owner not in wait.owners:
            return
        self._stop_waiting(ordinal)
        others = tuple(one for one in wait.owners if one != owner)
        if others:
            self._keep_for(others, ordinal, None)
            return
        self._put_back(ordinal)
        self.wait(ordinal, owner, now)

    def settle(self, now: float) -> None:
        """Let go of what has waited long enough."""
        while self._order:
            ordinal, since = next(iter(self._order.items()))
            if since + self.delay > now:
                return
            self._stop_waiting(ordinal)
            self._put_back(ordinal)

    def remaining(self, wait: Wait, now: float) -> float | None:
        """Return for how many seconds more *wait* lasts; None where that is up to its owner."""
        return None if wait.since is None else max(0.0, wait.since + self.delay - now)

    def due(self) -> float | None:
        """Return when the next address has waited long enough; None where none does."""
        return next((since + self.delay for since in self._order.values()), None)

    def _first_free(self) -> int | None:
        while self._returned:
            ordinal = self._returned[0]
            if ordinal not in self._users and ordinal not in self._waiting:
                return ordinal
            self._listed.discard(heappop(self._returned))
        cursor = self.layout.usable_from(self._cursor)
        while cursor < self.layout.size and (cursor in self._users or cursor in self._waiting):
            cursor = self.layout.usable_from(cursor + 1)
        self._cursor = cursor
        return cursor if cursor < self.layout.size else None

    def _put_back(self, ordinal: int) -> None:
        # From the cursor on nothing is listed: the cursor comes by anyway.
        if ordinal >= self._cursor or ordinal in self._listed or self.layout.reserved(ordinal):
            return
        self._listed.add(ordinal)
        heappush(self._returned, ordinal)

    def _keep_for(self, owners: tuple[str, ...], ordinal: int, since: float | None) -> None:
        self._waiting[ordinal] = Wait(owners=owners, since=since)
        for owner in owners:
            self._owned.setdefault(owner, set()).add(ordinal)

    def _stop_waiting(self, ordinal: int) -> None:
        self._order.pop(ordinal, None)
        for owner in self._waiting.pop(ordinal).owners:
            self._owned[owner].discard(ordinal)
            if not self._owned[owner]:
                del self._owned[owner]


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
