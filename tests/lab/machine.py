"""What else the machine did while a row was measured: its load, and work of the idle class.

Jobs in the idle scheduling class (`chrt -i 0`) give way to everything, yet they share caches and
delay whoever wakes. A figure should say whether it was taken beside them.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_EVERY_SECONDS = 5.0
_USER_TIME, _SYSTEM_TIME, _POLICY = 11, 12, 38
"""Fields of proc(5)'s stat, counted from the state."""


def idle_class_ticks(stat: str) -> int | None:
    """Return the processor time in one process's *stat*, None unless it is of the idle class."""
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _POLICY or int(fields[_POLICY]) != os.SCHED_IDLE:
        return None
    return int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])


def grown(before: Mapping[int, int], after: Mapping[int, int]) -> int:
    """Return by how much the ticks of all processes in *after* grew; a new one grew by its own."""
    return sum(max(0, ticks - before.get(pid, 0)) for pid, ticks in after.items())


class IdleClass:
    """Add up the processor time of the idle class from start to stop."""

    def __init__(self) -> None:
        """Begin to watch."""
        self._began = time.monotonic()
        self._ticks = 0
        self._last = dict(_readings())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """End the watch; return how many processors the idle class used on average."""
        self._stopping.set()
        self._thread.join()
        self._sample()
        seconds = self._ticks / os.sysconf("SC_CLK_TCK")
        return round(seconds / max(0.001, time.monotonic() - self._began), 2)

    def _watch(self) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            self._sample()

    def _sample(self) -> None:
        now = dict(_readings())
        self._ticks += grown(self._last, now)
        self._last = now


def _readings() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                ticks = idle_class_ticks((entry / "stat").read_text())
                if ticks is not None:
                    yield int(entry.name), ticks
