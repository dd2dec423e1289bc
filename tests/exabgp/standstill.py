"""How long the machine stood still while something was timed.

A virtual machine's processors are lent to other guests, now and then for seconds. What a clock says
then is true of the machine and not of what runs on it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.lab.pace import Pace

_WORTH_COUNTING: Final = 0.5
"""Seconds: whoever waits for less is only one of several who want the processor."""


class PacedProcessor(Pace):
    """Watches one processor: who sits on the other one may be well, or the reverse."""

    def __init__(self, number: int) -> None:
        """Begin to watch processor *number*."""
        self._number = number
        super().__init__()

    def _watch(self) -> None:
        os.sched_setaffinity(threading.get_native_id(), {self._number})
        super()._watch()


@contextmanager
def standstill() -> Iterator[Callable[[], float]]:
    """Yield what tells for how many seconds one of the processors has stood still since."""
    paces = [PacedProcessor(number) for number in sorted(os.sched_getaffinity(0))]

    def lost() -> float:
        return max(
            sum(late for _, late in pace.moments() if late > _WORTH_COUNTING) for pace in paces
        )

    try:
        yield lost
    finally:
        for pace in paces:
            pace.stop()
