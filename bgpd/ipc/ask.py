"""Ask one question of a speaker or an agent and wait for its answer, without asyncio.

This is bgpctl's half of the socket: it must start fast, and work when little else does.
"""

import selectors
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from bgpd.ipc.message import (
    MAX_LINE,
    VERSION,
    Answer,
    AnyMessage,
    Ask,
    Hello,
    UnknownKindError,
    decode,
    encode,
)
from bgpd.model.errors import BgpdError, ConfigError, TransientError

_CHUNK: Final = 1 << 18


class Asked:
    """A question that is on its way: who asks several hung programs waits for them together."""

    def __init__(self, path: Path, question: Ask, *, timeout: float, program: str) -> None:
        """Connect to *path* and send; what goes wrong is raised by `answer`."""
        self._path = path
        self._timeout = timeout
        self.deadline: Final = time.monotonic() + timeout
        self._buffer = bytearray()
        self._scanned = 0
        self._outcome: Answer | BgpdError | None = None
        self.socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(timeout)
            self.socket.connect(str(path))
            hello = Hello(version=VERSION, role="ctl", program=program)
            self.socket.sendall(encode(hello) + encode(question))
        except BrokenPipeError:
            # It has closed already; what it said before that is still to be read.
            pass
        except OSError as error:
            self._end(_refusal(path, error, timeout))

    @property
    def ended(self) -> bool:
        """Whether there is an answer, or none can come."""
        return self._outcome is not None

    def answer(self) -> Answer:
        """Return the answer; the errors are those of `ask`."""
        wait((self,))
        if isinstance(self._outcome, Answer):
            return self._outcome
        raise self._outcome or TransientError(f"{self._path}: no answer")

    def read(self) -> None:
        """Take in what has arrived."""
        try:
            self._take(self._chunk())
        except BgpdError as error:
            self._end(error)
        except OSError as error:
            self._end(_refusal(self._path, error, self._timeout))

    def give_up(self) -> None:
        """Wait no longer."""
        self._end(_refusal(self._path, TimeoutError(), self._timeout))

    def _chunk(self) -> bytes:
        try:
            chunk = self.socket.recv(_CHUNK)
        except ConnectionResetError:
            # It has closed, and what we asked was not read (unix(7)).
            chunk = b""
        if not chunk:
            raise TransientError(f"{self._path}: closed before it answered")
        return chunk

    def _take(self, chunk: bytes) -> None:
        self._buffer += chunk
        while (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            message = _known(bytes(self._buffer[:end]))
            if isinstance(message, Answer):
                self._end(message)
                return
            del self._buffer[: end + 1]
            self._scanned = 0
        self._scanned = len(self._buffer)
        if self._scanned > MAX_LINE:
            raise TransientError(f"{self._path}: the answer is longer than {MAX_LINE} bytes")

    def _end(self, outcome: Answer | BgpdError) -> None:
        self._outcome = outcome
        self.socket.close()


def wait(asked: Collection[Asked]) -> None:
    """Return once each of *asked* has ended; they are read side by side, as they come."""
    with selectors.DefaultSelector() as selector:
        for one in asked:
            if not one.ended:
                selector.register(one.socket, selectors.EVENT_READ, one)
        while waiting := [key.data for key in selector.get_map().values()]:
            first = min(one.deadline for one in waiting)
            ready = {key.data for key, _ in selector.select(max(0.0, first - time.monotonic()))}
            for one in waiting:
                late = time.monotonic() >= one.deadline
                if one in ready or late:
                    _go_on(one, selector, late=late and one not in ready)


def _go_on(one: Asked, selector: selectors.BaseSelector, *, late: bool) -> None:
    number = one.socket.fileno()
    if late:
        one.give_up()
    else:
        one.read()
    if one.ended:
        selector.unregister(number)


def begin(path: Path, question: Ask, *, timeout: float, program: str = "bgpctl") -> Asked:
    """Ask *question* and do not wait; call `answer` on what is returned."""
    return Asked(path, question, timeout=timeout, program=program)


def ask(path: Path, question: Ask, *, timeout: float, program: str = "bgpctl") -> Answer:
    """Return the answer of whoever listens on *path*.

    Raise `TransientError` when nobody answers within *timeout* seconds, `ConfigError` when we
    may not connect, `ProtocolError` when what comes back is no answer.
    """
    return begin(path, question, timeout=timeout, program=program).answer()


def _refusal(path: Path, error: OSError, timeout: float) -> BgpdError:
    """Return *error* as a sentence that says what it means for who asked."""
    match error:
        case PermissionError():
            return ConfigError(f"{path}: permission denied; use root or the socket's group")
        case TimeoutError():
            return TransientError(f"{path}: no answer within {timeout:g} s")
        case FileNotFoundError():
            return TransientError(f"{path}: no such socket; nothing listens here")
        case ConnectionRefusedError():
            return _unserved(path)
        case BlockingIOError():
            # The queue of who waits to be heard is full (unix(7)).
            return TransientError(f"{path}: takes in nobody: it hangs, or too many ask at once")
        case _:
            return TransientError(f"{path}: {error.strerror or error}")


def _unserved(path: Path) -> BgpdError:
    if path.exists() and not path.is_socket():
        return ConfigError(f"{path}: is no socket; name agent.sock or speaker.sock")
    return TransientError(f"{path}: nobody listens here any more")


def _known(line: bytes) -> AnyMessage | None:
    try:
        return decode(line)
    except UnknownKindError:
        return None
