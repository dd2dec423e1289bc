"""Files that must survive a power loss, written beside a loop that must not wait for a disk.

A write is handed over and carried out by one thread, one at a time. Of several writes of one file
only the newest is carried out; the one under way is never broken off. A file is replaced whole:
the new content is on the disk before the name points to it, and the name is on the disk before
the write counts as done.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODE: Final = 0o600
"""What is kept holds MD5 keys: only our own user may read it."""
REST: Final = 0.001
"""Seconds between two pieces. A thread that encodes without a pause takes the interpreter from the
loop for a millisecond at each of its system calls: twenty in a row, with ten thousand Services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One file and its new content."""

    path: Path
    content: Callable[[], Iterable[bytes]]
    """Gives the content in pieces, in the thread: it must touch nothing that the loop changes.

    Between them the thread rests, so small pieces leave the interpreter to the loop.
    """
    done: Callable[[str], None]
    """Called in the loop with "" or a sentence about what went wrong."""


def carry_out(write: Write, rest: Callable[[], None] = lambda: None) -> str:
    """Replace the file, with a *rest* between pieces; return "" or why that did not work."""
    beside = write.path.with_name(write.path.name + ".new")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(number, "wb") as file:
            for number, piece in enumerate(write.content()):
                if number:
                    rest()
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(write.path)
        _sync_directory(write.path.parent)
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, TypeError) as error:
        # A value that cannot be encoded is a mistake of ours; it must not end the thread.
        return str(error)
    return ""


def at_once(write: Write) -> None:
    """Carry *write* out here and now, for who has no loop to protect."""
    write.done(carry_out(write))


def _sync_directory(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Writer:
    """The thread and what waits for it. It is a daemon: a disk that hangs delays no exit for long.

    *finished* is called in the loop after each write, when its `done` has been called.
    """

    def __init__(self, finished: Callable[[], None] = lambda: None) -> None:
        self._finished = finished
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Path, Write] = {}
        self._writing: Write | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._wake = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def busy(self) -> bool:
        """Whether a write is under way or waits."""
        return not self._idle.is_set()

    def submit(self, write: Write) -> None:
        """Have *write* carried out; it replaces one of the same file that has not begun."""
        self._waiting[write.path] = write
        self._idle.clear()
        self._next()

    async def close(self, seconds: float) -> bool:
        """Wait for what was handed over, at most *seconds*; return whether it is all written."""
        self._closing = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        self._wake.release()  # with nothing to write: the thread ends
        return True

    def _next(self) -> None:
        if self._writing is not None or not self._waiting:
            return
        self._writing = self._waiting.pop(next(iter(self._waiting)))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()
        self._wake.release()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            write = self._writing
            if write is None:
                return
            error = carry_out(write, self._rest)
            try:
                self._loop.call_soon_threadsafe(self._end, write, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits for the answer

    def _rest(self) -> None:
        """Leave the interpreter to the loop, which asks for it at every system call."""
        if not self._closing:
            time.sleep(REST)

    def _end(self, write: Write, error: str) -> None:
        self._writing = None
        self._next()
        if self._writing is None:
            self._idle.set()
        write.done(error)
        self._finished()
