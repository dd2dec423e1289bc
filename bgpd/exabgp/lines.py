"""ExaBGP's own lines in our log: each with its time, and what repeats itself counted.

A router that is away is tried every few seconds, and ExaBGP has three lines for each try that
differ in a counter. What it means is an event of the speaker's, told once (`session_changed`).
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from bgpd import stderr

EACH: Final = 5
"""Lines that differ in nothing but a counter, within `WINDOW_SECONDS`."""
WINDOW_SECONDS: Final = 60.0
_MOST: Final = 500
"""Different lines that are remembered."""
_COUNTER: Final = re.compile(r"\b(outgoing|incoming|peer)-\d+")
_OURS: Final = "bgpd: "
"""How a sentence begins that we say from inside ExaBGP: it paces itself."""
_LEVEL: Final = "warning"
"""ExaBGP's lines do not say theirs; only from this one up are there any."""


@dataclass(slots=True)
class _Run:
    """One line that may be repeating itself."""

    since: float
    latest: str
    written: int = 0
    left_out: int = 0


class Lines:
    """What becomes of each line of ExaBGP's process (`bgpd.stderr.LineWriter.wrap`)."""

    def __init__(
        self,
        form: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Write them as `text` or `json`."""
        self._say = stderr.as_json if form == "json" else stderr.as_text
        self._clock = clock
        self._wall = wall
        self._runs: dict[str, _Run] = {}

    def __call__(self, line: str) -> str | None:
        """Return what to write for *line*, with what is due; None: nothing."""
        now = self._clock()
        said = list(self._due(now))
        if line.strip() and self._is_news(line, now):
            said.append(self._said(line))
        return "\n".join(said) or None

    def _is_news(self, line: str, now: float) -> bool:
        if line.startswith(_OURS):
            return True
        key = _COUNTER.sub(r"\1", line)
        run = self._runs.get(key)
        if run is None:
            if len(self._runs) >= _MOST:
                self._runs.clear()
            run = self._runs[key] = _Run(now, line)
        if run.written < EACH:
            run.written += 1
            return True
        run.left_out += 1
        run.latest = line
        return False

    def _due(self, now: float) -> Iterator[str]:
        """Yield what is to be said of lines that were left out; a window then begins full."""
        over = [key for key, run in self._runs.items() if now - run.since >= WINDOW_SECONDS]
        for key in over:
            run = self._runs[key]
            if run.left_out:
                yield self._said(f"{run.latest} (repeated={run.left_out})")
                run.since, run.left_out = now, 0
            else:
                del self._runs[key]

    def _said(self, line: str) -> str:
        return self._say("exabgp", _LEVEL, line, self._wall())
