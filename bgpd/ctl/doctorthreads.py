"""Several looks at the same time, none of which can keep a person waiting.

A name server that is silent, or a disk that hangs, holds up a thread that is left behind: the
others have answered by then, and the program ends without it.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from bgpd.ctl.doctorfacts import Attempt

PATIENCE: Final = 1.0
"""Seconds after which a person at a terminal is told what is being waited for."""

T = TypeVar("T")


class Looks:
    """Functions that run at the same time, each in a thread that may be left behind."""

    def __init__(self, seconds: float) -> None:
        """Give all of them together *seconds*."""
        self._deadline = time.monotonic() + seconds
        self._began = time.monotonic()
        self._results: dict[str, Any] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._told = False

    def start(self, name: str, function: Callable[..., object], *arguments: object) -> None:
        """Run *function*; its result is had by *name*."""

        def run() -> None:
            # A look that fails in a way that nobody thought of must not take the others along.
            try:
                self._results[name] = function(*arguments)
            except Exception as error:  # noqa: BLE001 - said, and the check is skipped
                sys.stderr.write(f"bgpctl: the look at {name} failed: {error!r}\n")

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name] = thread
        thread.start()

    def result(self, name: str, otherwise: T) -> T:
        """Return what *name* found; *otherwise* where it failed or took too long."""
        thread = self._threads[name]
        while thread.is_alive() and time.monotonic() < self._deadline:
            thread.join(min(0.2, max(0.0, self._deadline - time.monotonic())))
            self._tell()
        found: T = self._results.get(name, otherwise)
        return found

    def found(self, name: str) -> Attempt:
        """Return what an attempt gave; nothing where none was made."""
        return self.result(name, Attempt()) if name in self._threads else Attempt()

    def end(self) -> None:
        """Take back what a person was told."""
        if self._told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _tell(self) -> None:
        waiting = [name for name, thread in self._threads.items() if thread.is_alive()]
        slow = time.monotonic() - self._began > PATIENCE
        if waiting and slow and sys.stderr.isatty():
            self._told = True
            sys.stderr.write(f"\r\x1b[Kwaiting for {', '.join(waiting)[:60]}")
            sys.stderr.flush()
