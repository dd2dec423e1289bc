"""How the agent hears about the speaker without the heartbeats having to wait for it."""

import asyncio
import time
from collections.abc import Callable

from bgpd.ipc.message import Report
from bgpd.model.status import SpeakerStatus
from bgpd.speaker import status
from bgpd.speaker.cadence import REPORT_PAUSE, REPORT_SHARE
from bgpd.speaker.door import Door
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import PIECE, Rows


class Reporting:
    """One report at a time, in as many pieces as its routes ask for."""

    def __init__(
        self, reflex: Reflex, door: Door, *, observe: Callable[[float, Rows], SpeakerStatus]
    ) -> None:
        """Tell *door* what *observe* sees; it is called when the rows of the routes are made."""
        self._reflex = reflex
        self._door = door
        self._observe = observe
        self._rows: Rows | None = None
        self._again = False
        """Whether something changed since the rows under way were copied."""
        self._spent = 0.0
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Make a report, in one go where it is small; after one that is under way, another."""
        if self._rows is not None:
            self._again = True
            return
        began = time.thread_time()
        self._rows = status.rows_of(self._reflex)
        self._spent = time.thread_time() - began
        self._go_on()

    def _go_on(self) -> None:
        rows = self._rows
        assert rows is not None
        began = time.thread_time()
        made = 0
        while made < 2 and not rows.complete:
            rows.go_on(PIECE)
            made += 1
        if rows.complete:
            self._rows = None
            self._door.tell(Report(status=self._observe(self._loop.time(), rows)))
        self._spent += time.thread_time() - began
        if not rows.complete:
            self._loop.call_soon(self._go_on)
            return
        self._reflex.reported(self._spent, self._loop.time())
        if self._again:
            self._again = False
            self._loop.call_later(max(REPORT_PAUSE, self._spent / REPORT_SHARE), self.begin)
