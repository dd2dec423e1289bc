"""Numbers that a process keeps between two scrapes: histograms, and counts that never go back."""

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from itertools import accumulate
from typing import Final

from bgpd.telemetry.metric import Metric

REMEMBERED: Final = 10_000
"""Counts that a `Ratchet` keeps of things that are gone."""


class Histogram:
    """How many observations were at most so large."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, metric: Metric) -> None:
        self._bounds = metric.buckets
        self._counts = [0] * (len(metric.buckets) + 1)
        self.sum = 0.0
        """Of all observations."""

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self._counts)

    def observe(self, value: float) -> None:
        """Count *value*, in the metric's unit."""
        # A bucket's bound belongs to it.
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterator[int]:
        """Yield for each bound, +Inf last, how many observations were not larger."""
        return accumulate(self._counts)


class Ratchet:
    """Keep counts from going back when what they are read from starts anew.

    A mesh that is made again, or a peer that goes and returns, counts from 0; Prometheus takes a
    lower value for a restart of the process and would add it all once more.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[float, float]] = {}
        """What each count was when last looked at, and what was lost before that."""

    def __call__(self, key: Hashable, value: float) -> float:
        """Return the count behind *key*, which is read as *value* now."""
        last, lost = self._seen.pop(key, (0.0, 0.0))
        if value < last:
            lost += last
        # The one that was asked for longest ago comes first, and is forgotten first.
        self._seen[key] = (value, lost)
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return value + lost
