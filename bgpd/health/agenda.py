"""The moments at which something is to be done for a job, earliest first."""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from bgpd.health.run import Run

_SPARE: Final = 64


class Moment(NamedTuple):
    """When what: at one instant, what is overdue comes before what is due."""

    when: float
    due: bool
    number: int
    run: "Run"


class Agenda:
    """All moments; those of runs that are no longer alive are left out."""

    def __init__(self) -> None:
        self._heap: list[Moment] = []
        self._number = 0
        self._stale = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, when: float, run: "Run", *, due: bool) -> None:
        """Note that *run* is due, or overdue, at *when*."""
        self._number += 1
        heappush(self._heap, Moment(when, due, self._number, run))

    def earliest(self) -> float | None:
        """Return the earliest moment, None where there is none."""
        return self._heap[0].when if self._heap else None

    def take(self, until: float) -> "list[Moment]":
        """Remove and return the moments up to *until*; what is added meanwhile comes later."""
        heap, taken = self._heap, []
        while heap and heap[0].when <= until:
            taken.append(heappop(heap))
        return taken

    def forget(self) -> None:
        """Take notice that one more run is no longer alive; now and then, clean up."""
        self._stale += 1
        if 2 * self._stale > len(self._heap) + _SPARE:
            self._heap[:] = [moment for moment in self._heap if moment.run.alive]
            heapify(self._heap)
            self._stale = 0

    def clear(self) -> None:
        """Forget all moments."""
        self._heap.clear()
        self._stale = 0
