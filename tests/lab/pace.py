"""Tell a slow cluster from a slow machine.

Nodes of a lab share the processors of one machine; real nodes do not. A thread of ordinary
priority sleeps five milliseconds at a time and remembers how much too late it woke: when it was
late by more than a heartbeat, so was every speaker, and the run says nothing about bgpd.
"""

import threading
import time

_STEP = 0.005
_WORTH_KEEPING = 0.002


class Pace:
    """Watch the machine from start to stop."""

    def __init__(self) -> None:
        """Begin to watch."""
        self._late: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; what was seen stays."""
        self._stopping.set()
        self._thread.join()

    def worst_ms(self, since: float = 0.0) -> float:
        """Return by how much the machine was late at worst after *since*, in milliseconds."""
        return round(max((late for at, late in self._late if at >= since), default=0.0) * 1000, 1)

    def moments(self) -> list[tuple[float, float]]:
        """Return when it woke too late, and by how many seconds."""
        return list(self._late)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            due = time.monotonic() + _STEP
            time.sleep(_STEP)
            now = time.monotonic()
            if now - due > _WORTH_KEEPING:
                self._late.append((now, now - due))
