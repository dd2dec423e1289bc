"""How the agent hears about the speaker without the heartbeats having to wait for it."""

import asyncio
import time
from collections.abc import Callable

from bgpd.ipc.message import Report
from bgpd.model.status import SpeakerStatus
from bgpd.speaker import status, turns
from bgpd.speaker.cadence import REPORT_PAUSE, REPORT_SHARE
from bgpd.speaker.door import Door
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import Rows


class Reporting:
    """One report at a time, in as many pieces as its routes ask for."""

    def __init__(
        self, reflex: Reflex, door: Door, *, observe: Callable[[float, Rows], SpeakerStatus]
    ) -> None:
        """Tell *door* what *observe* sees; it is called when the rows of the routes are made."""
        self._reflex = reflex
        self._door = door
        self._observe = observe
        self._under_way = False
        self._again = False
        """Whether something changed since the rows under way were copied."""
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """Make a report, in one go where it is small; after one that is under way, another."""
        if self._under_way:
            self._again = True
            return
        self._under_way = True
        began = time.thread_time()
        rows = status.rows_of(self._reflex)
        turns.make(rows, self._tell, time.thread_time() - began)

    def _tell(self, rows: Rows, spent: float) -> None:
        self._under_way = False
        began = time.thread_time()
        seen = self._observe(self._loop.time(), rows)
        self._door.tell(Report(status=seen, failovers=self._reflex.timeline.newest))
        spent += time.thread_time() - began
        self._reflex.reported(spent, self._loop.time())
        if self._again:
            self._again = False
            self._loop.call_later(max(REPORT_PAUSE, spent / REPORT_SHARE), self.begin)
