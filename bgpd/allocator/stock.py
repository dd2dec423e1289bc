"""Which addresses of one family of one pool are free, taken, shared, or waiting to be reused.

The first free address is found without a search. Everything from `_cursor` on was never given
(or is looked at when the cursor gets there); what came back below it is in a heap. Entries of the
heap that are no longer free are dropped when they come to its top.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from bgpd.allocator.layout import Layout
from bgpd.allocator.sharing import Circle, Ports, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """An address that was released, and for a while is given to nobody but its last owner."""

    ordinal: int
    owner: str
    since: float | None
    """None: the time was not known; the wait begins when it next is."""


class Stock:
    """The addresses of one family of one pool, by their ordinals."""

    __slots__ = (
        "_circles", "_cursor", "_kept", "_listed", "_owned", "_returned", "_shares",
        "_unstamped", "_users", "_waiting", "delay", "layout",
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
        """In the order of release."""
        self._owned: dict[str, set[int]] = {}
        """The waiting addresses of each former owner."""
        self._unstamped = False

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

    def waits(self) -> Iterator[Wait]:
        """Yield everything that waits, in the order of release."""
        yield from self._waiting.values()

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

    def wait(self, ordinal: int, owner: str, since: float | None) -> None:
        """Keep *ordinal*, which is free, for its last *owner* alone, as long as the pool says."""
        if not self.delay or self.layout.reserved(ordinal):
            return
        self._waiting[ordinal] = Wait(ordinal=ordinal, owner=owner, since=since)
        self._owned.setdefault(owner, set()).add(ordinal)
        self._unstamped |= since is None

    def settle(self, now: float) -> None:
        """Let go of what has waited long enough."""
        if self._unstamped:
            self._unstamped = False
            for wait in [wait for wait in self._waiting.values() if wait.since is None]:
                self._waiting[wait.ordinal] = Wait(
                    ordinal=wait.ordinal, owner=wait.owner, since=now
                )
        while self._waiting:
            wait = next(iter(self._waiting.values()))
            if wait.since is None or wait.since + self.delay > now:
                return
            self._stop_waiting(wait.ordinal)
            self._put_back(wait.ordinal)

    def remaining(self, wait: Wait, now: float) -> float:
        """Return for how many seconds more *wait* lasts."""
        return self.delay if wait.since is None else max(0.0, wait.since + self.delay - now)

    def due(self) -> float | None:
        """Return when the next address has waited long enough; None where none waits."""
        for wait in self._waiting.values():
            return None if wait.since is None else wait.since + self.delay
        return None

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

    def _stop_waiting(self, ordinal: int) -> None:
        owner = self._waiting.pop(ordinal).owner
        self._owned[owner].discard(ordinal)
        if not self._owned[owner]:
            del self._owned[owner]


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
