"""The text of /metrics, made in pieces between which the loop has its turn.

However many ask, one text is made at a time and all who wait get it; and it stays good for nine
times as long as it took, so that scrapers together cost at most a tenth of a processor.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bgpd.telemetry.exposition import CONTENT_TYPE, Family, encode, render
from bgpd.telemetry.httprequest import Response, refused

_SHARE: Final = 9
_TURN_SECONDS: Final = 0.002
"""How long one turn of the loop may take."""


class Scrape:
    """Answers who asks for the metrics."""

    def __init__(
        self, families: Callable[[], Iterable[Family]], *, failed: Callable[[Exception], None]
    ) -> None:
        """Ask *families* for what is exposed; *failed* hears of a mistake in it."""
        self.seconds = 0.0
        """CPU seconds that the last text took."""
        self._families = families
        self._failed = failed
        self._waiting: list[Callable[[Response], None]] = []
        self._response: Response | None = None
        self._good_until = 0.0
        self._loop = asyncio.get_running_loop()

    def ask(self, reply: Callable[[Response], None]) -> None:
        """Call *reply* with the metrics, now or in a while."""
        if self._response is not None and self._loop.time() < self._good_until:
            reply(self._response)
            return
        self._response = None
        self._waiting.append(reply)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._go_on, self._text(), [], 0.0)

    def _text(self) -> Iterator[str]:
        yield from render(self._families())

    def _go_on(self, pieces: Iterator[str], text: list[str], spent: float) -> None:
        began = time.thread_time()
        try:
            for piece in pieces:
                text.append(piece)
                took = time.thread_time() - began
                if took >= _TURN_SECONDS:
                    self._loop.call_soon(self._go_on, pieces, text, spent + took)
                    return
            response = Response(code=200, body=encode("".join(text)), content_type=CONTENT_TYPE)
        except Exception as error:  # noqa: BLE001 - a mistake in a number must not end the process
            self._failed(error)
            response = refused(500, "the metrics could not be written; the log says why")
        self.seconds = spent + time.thread_time() - began
        self._good_until = self._loop.time() + _SHARE * self.seconds
        self._response = response
        waiting, self._waiting = self._waiting, []
        for reply in waiting:
            reply(response)
