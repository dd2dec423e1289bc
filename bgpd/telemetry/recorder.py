"""What a process did lately: how often each event happened, the last ones, and which are written.

The same event with the same keys is written five times a minute; what follows is counted, and
the count is a line when it ends, or each minute. So is a flood of one event with other keys each
time: a log of ten thousand lines that say one thing hides the line that says another.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bgpd.model.event import Event

KEPT: Final = 500
"""Events that are kept for `bgpctl events`."""
REPEATS: Final = 5
"""Lines with the same event and keys within `WINDOW_SECONDS`."""
FLOOD: Final = 200
"""Lines with the same event, whatever its keys, within `WINDOW_SECONDS`."""
WINDOW_SECONDS: Final = 60.0
SETTLED_SECONDS: Final = 10.0
"""Without another one for so long, a repetition is over."""
_MOST_RUNS: Final = 2_000
"""Different events that are remembered to be told apart."""

_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...] | None]


@dataclass(slots=True)
class _Run:
    """One event that may be repeating itself."""

    latest: Event
    since: float
    """When the window began."""
    latest_at: float
    written: int = 0
    left_out: int = 0


class Recorder:
    """Counts, keeps and thins out the events of one process."""

    def __init__(self, process: str = "") -> None:
        self.process = process
        self.counts: Counter[tuple[str, str]] = Counter()
        """(event, level) -> how often it happened, written or not."""
        self.left_out = 0
        """Lines that were counted instead of written."""
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._runs: dict[_Key, _Run] = {}
        self._owing: set[_Key] = set()
        """Runs whose lines were left out and not told of."""

    def recent(self) -> tuple[Event, ...]:
        """Return the last events, oldest first: those that were written."""
        return tuple(self._kept)

    def record(self, event: Event, now: float) -> bool:
        """Take in *event*; return whether it is to be written."""
        self.counts[event.event, event.level] += 1
        flood = self._run((event.event, None), event, now)
        repeat = self._run((event.event, event.keys), event, now)
        if repeat.written < REPEATS and flood.written < FLOOD:
            repeat.written += 1
            flood.written += 1
            self._keep(event)
            return True
        # Whoever holds it back owns up to it: a repetition first, because it says more.
        guilty, key = (repeat, event.keys) if repeat.written >= REPEATS else (flood, None)
        guilty.left_out += 1
        guilty.latest = event
        self.left_out += 1
        self._owing.add((event.event, key))
        return False

    @property
    def owes(self) -> bool:
        """Whether lines were left out that nobody was told of."""
        return bool(self._owing)

    def deadline(self) -> float | None:
        """Return when `due` has something to say; None when nothing was left out."""
        return min((_due(self._runs[key]) for key in self._owing), default=None)

    def due(self, now: float) -> Iterator[Event]:
        """Yield what is to be written of lines that were left out."""
        for key in [key for key in self._owing if _due(self._runs[key]) <= now]:
            yield self._told(key, now)

    def close(self, now: float) -> Iterator[Event]:
        """Yield what is to be written at the end of the process."""
        for key in list(self._owing):
            yield self._told(key, now)

    def _told(self, key: _Key, now: float) -> Event:
        run = self._runs[key]
        self._owing.discard(key)
        count = ("repeated" if key[1] is not None else "left_out", str(run.left_out))
        keys = (*run.latest.keys, count) if key[1] is not None else (count,)
        told = replace(run.latest, keys=keys)
        # The window begins full: what goes on is a line a minute.
        run.since, run.left_out = now, 0
        self._keep(told)
        return told

    def _run(self, key: _Key, event: Event, now: float) -> _Run:
        run = self._runs.get(key)
        if run is None:
            if len(self._runs) >= _MOST_RUNS:
                self._forget(now)
            run = self._runs[key] = _Run(event, now, now)
        elif now - run.since >= WINDOW_SECONDS and not run.left_out:
            run.since, run.written = now, 0
        run.latest_at = now
        return run

    def _forget(self, now: float) -> None:
        """Forget what is over; if that is little, everything that owes no line."""
        old = {key for key, run in self._runs.items() if now - run.since >= WINDOW_SECONDS}
        if len(old) < _MOST_RUNS // 2:
            old = {key for key in self._runs if key[1] is not None}
        for key in old - self._owing:
            del self._runs[key]

    def _keep(self, event: Event) -> None:
        self._kept.append(event)


def _due(run: _Run) -> float:
    return min(run.since + WINDOW_SECONDS, run.latest_at + SETTLED_SECONDS)
