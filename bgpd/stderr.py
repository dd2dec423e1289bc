"""Write to stderr without ever waiting for whoever reads it.

Theory of operation: under a container runtime stderr is a pipe, and a reader that stalls (a
full disk under the logs is enough) fills it. The next write then blocks, and with it heartbeats
and KEEPALIVEs: a log line would cost the node its sessions. So lines go to a queue with a
limit, and one thread writes them. What does not fit is dropped, counted, and owned up to once
somebody reads again.

A pipe cannot be made non-blocking instead: the flag belongs to everybody who holds it, and to
open it anew needs a right that a container's user lacks.
"""

import atexit
import io
import json
import os
import select
import sys
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Final, TextIO

LIMIT: Final = 1024 * 1024
"""Bytes that wait for a reader; some thousand lines."""
MAX_LINE: Final = 64 * 1024
JSON_START: Final = '{"ts":'
"""How a line begins that is JSON already."""
FAREWELL_SECONDS: Final = 0.5
"""How long leaving waits for a reader to take the last lines."""
_PIPE_BUF: Final = 4096


class LineWriter(io.TextIOBase):
    """A text stream in stderr's place: whole lines, in order, or not at all."""

    def __init__(self, fd: int) -> None:
        """Write to *fd* from a thread of our own."""
        self.dropped = 0
        """Lines that nobody will ever read."""
        self.wrap: Callable[[str], str | None] = str
        """What becomes of each line before it is written; None: nothing."""
        self._fd = fd
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._waiting = 0
        self._owned_up = 0
        self._partial = ""
        # Reentrant: a signal's handler may write while its thread does.
        self._lock = RLock()
        # A daemon: a reader that stalls must not keep the process from ending.
        Thread(target=self._run, name="stderr", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of what is written."""
        return "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, for whoever must have one."""
        return self._fd

    def write(self, text: str) -> int:
        """Queue the whole lines in *text*; the rest waits for its end."""
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
            for line in lines:
                self._put(line)
            if len(self._partial) > MAX_LINE:
                self._put(self._partial)
                self._partial = ""
        return len(text)

    def drain(self, seconds: float) -> None:
        """Wait until all is written, but no longer than *seconds*."""
        with self._lock:
            if self._partial:
                self._put(self._partial)
                self._partial = ""
        deadline = monotonic() + seconds
        while self._waiting and monotonic() < deadline:
            sleep(0.005)

    def _put(self, line: str) -> None:
        wrapped = self.wrap(line[:MAX_LINE])
        if wrapped is None:
            return
        data = wrapped.encode("utf-8", "backslashreplace") + b"\n"
        if self._waiting + len(data) > LIMIT:
            self.dropped += 1
            return
        self._waiting += len(data)
        self._lines.put(data)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            self._write(line)
            with self._lock:
                self._waiting -= len(line)
            if self.dropped > self._owned_up and self._lines.empty():
                lost, self._owned_up = self.dropped - self._owned_up, self.dropped
                said = self.wrap(f"bgpd: {lost} log lines dropped: nobody read stderr")
                self._write((said or "").encode() + b"\n")

    def _write(self, data: bytes) -> None:
        # In pieces that a pipe takes whole: another process writes to it, too.
        while data:
            try:
                data = data[os.write(self._fd, data[:_PIPE_BUF]) :]
            except BlockingIOError:  # somebody else made it non-blocking
                poller = select.poll()
                poller.register(self._fd, select.POLLOUT)
                poller.poll()
            except OSError:  # the reader is gone, perhaps for good
                self.dropped += 1
                return


def install() -> LineWriter | None:
    """Put a writer into the seat of `sys.stderr`; None when something else sits there."""
    if isinstance(sys.stderr, LineWriter):
        return sys.stderr
    original: TextIO | None = sys.__stderr__
    if original is None or sys.stderr is not original:
        return None
    original.flush()
    writer = LineWriter(original.fileno())
    sys.stderr = writer
    atexit.register(writer.drain, FAREWELL_SECONDS)
    return writer


def chosen(form: str) -> str:
    """Return what *form* of a log comes to here, `text` or `json`: `auto` is text at a terminal."""
    if form != "auto":
        return form
    try:
        return "text" if os.isatty(sys.stderr.fileno()) else "json"
    except OSError:  # no file at all
        return "json"


def moment(at: float) -> str:
    """Return a wall clock *at* as every line of a log begins with it."""
    milliseconds = int(at * 1000)
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{second}.{milliseconds % 1000:03d}Z"


def as_text(process: str, level: str, line: str, at: float) -> str:
    """Return *line*, which is no event of ours, with what each line begins with."""
    return f"{moment(at)} {level} {process} {line}"


def as_json(process: str, level: str, line: str, at: float) -> str:
    """Return *line*, which is no event of ours, as one JSON object."""
    words = {
        "ts": moment(at),
        "level": level,
        "process": process,
        "event": "line",
        "message": line,
    }
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))


def wrap(by: Callable[[str], str | None]) -> None:
    """Have *by* say what becomes of each line, where lines are written by a thread of ours."""
    writer = install()
    if writer is not None:
        writer.wrap = by


def wrap_in_json(process: str) -> None:
    """Write what is no JSON yet as JSON: a library's print, the last sentence, a traceback.

    Whoever collects the log of *process* then meets no line that it cannot read.
    """

    def by(line: str) -> str | None:
        if line.startswith(JSON_START):
            return line
        return as_json(process, "warning", line, time.time()) if line.strip() else None

    wrap(by)


def dropped() -> int:
    """Return how many lines of this process were dropped."""
    return sys.stderr.dropped if isinstance(sys.stderr, LineWriter) else 0
