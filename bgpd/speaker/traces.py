"""What left for routers because of each of the agent's last messages, until it says why.

The agent sends a route first and its reason when nobody waits any more, so that an endpoint's way
to the wire is not longer for being written down. Here is what a record needs then.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

MOST: Final = 2048
"""Messages that are remembered: many more than an agent sends before it says why."""
WATCH_PAUSE: Final = 0.05
"""Seconds between two updates of which ExaBGP is asked to tell when routers have them: in a storm
of them most join one record, which has the steps of its first."""


class Answer(NamedTuple):
    """What ExaBGP said of one update."""

    update: int
    flushed: Mapping[str, float]
    owed: tuple[str, ...]


class Arrival(NamedTuple):
    """That a router has one update."""

    update: int
    peer: str
    flushed_at: float
    at: float


class Trace:
    """What became of one message."""

    __slots__ = ("answers", "arrivals", "at", "commands")

    def __init__(self, at: float) -> None:
        self.at = at
        self.commands: list[tuple[int, int]] = []
        """The updates that it led to, and how many routes are in each."""
        self.answers: list[Answer] = []
        self.arrivals: list[Arrival] = []


class Traces:
    """The last messages by their sequence, and by the updates that they led to."""

    def __init__(self) -> None:
        self._known: dict[int, Trace] = {}
        self._by_update: dict[int, Trace] = {}
        self._current: Trace | None = None
        self._watched_at = float("-inf")

    def begin(self, sequence: int, now: float) -> None:
        """Note that what leaves from now on is because of message *sequence*."""
        if sequence in self._known or len(self._known) >= MOST:
            self.take(sequence if sequence in self._known else next(iter(self._known)))
        self._current = self._known[sequence] = Trace(now)

    def end(self) -> None:
        """Note that this was all."""
        self._current = None

    def watches(self, now: float) -> bool:
        """Return whether an update that leaves *now* because of a message is to be watched."""
        if self._current is None or now - self._watched_at < WATCH_PAUSE:
            return False
        self._watched_at = now
        return True

    def commanded(self, update: int, routes: int) -> None:
        """Note that *update* leaves."""
        if self._current is not None:
            self._current.commands.append((update, routes))
            self._by_update[update] = self._current

    def done(self, update: int, flushed: Mapping[str, float], owed: Iterable[str]) -> None:
        """Note what ExaBGP says of *update*."""
        trace = self._by_update.get(update)
        if trace is not None:
            trace.answers.append(Answer(update, flushed, tuple(owed)))

    def arrived(self, arrival: Arrival) -> None:
        """Note that a router has an update."""
        trace = self._by_update.get(arrival.update)
        if trace is not None:
            trace.arrivals.append(arrival)

    def take(self, sequence: int) -> Trace | None:
        """Return what became of message *sequence*, and forget it."""
        trace = self._known.pop(sequence, None)
        if trace is not None:
            for update, _ in trace.commands:
                self._by_update.pop(update, None)
        return trace
