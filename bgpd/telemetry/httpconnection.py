"""One connection to the metrics port: one request, one answer, and a deadline for both.

Nothing here waits: each step is a callback of the loop that does what the socket takes now, at
most some kilobytes, and returns.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeAlias

from bgpd.telemetry.httprequest import (
    END,
    MAX_HEAD,
    BadRequestError,
    Request,
    Response,
    encode,
    parse,
)

HEAD_SECONDS: Final = 5.0
"""How long a client may take to ask, the TLS handshake included."""
ANSWER_SECONDS: Final = 10.0
"""How long it may take to read the answer."""
_READ: Final = 16 * 1024
"""Bytes; a whole record of TLS, so that none is left where the kernel does not see it."""
_WRITE: Final = 64 * 1024

Dropped: TypeAlias = Literal["slow", "crowded", "broken"]
"""Why a connection ended without an answer."""


class Clerk(Protocol):
    """Whoever answers, and keeps the list of connections."""

    def answer(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Call *reply* with the answer to *request*, now or later."""

    def refuse(self, error: BadRequestError, reply: Callable[[Response], None]) -> None:
        """Call *reply* with the answer to what is no request."""

    def over(self, connection: "Connection", dropped: Dropped | None) -> None:
        """Note that *connection* is over; None: it was answered."""


class Connection:
    """An accepted socket until it is closed."""

    def __init__(self, sock: socket.socket, clerk: Clerk, *, source: str) -> None:
        self.source = source
        """The address at the other end."""
        self._sock = sock
        self._clerk = clerk
        self._loop = asyncio.get_running_loop()
        self._head = bytearray()
        self._out = memoryview(b"")
        self._head_only = False
        self._over = False
        self._shaken = not isinstance(sock, ssl.SSLSocket)
        self._timer = self._loop.call_later(HEAD_SECONDS, self.drop, "slow")
        self._loop.add_reader(sock, self._step, self._read)

    def drop(self, why: Dropped) -> None:
        """Close without an answer."""
        self._end(why)

    def _step(self, work: Callable[[], None]) -> None:
        """Do *work*; TLS may need to read in order to write, and the other way round."""
        if self._over:
            return
        try:
            if not self._shaken:
                assert isinstance(self._sock, ssl.SSLSocket)
                self._sock.do_handshake()
                self._shaken = True
            work()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except ssl.SSLWantWriteError:
            if not self._out:  # else the writer is there already
                self._loop.add_writer(self._sock, self._retry, work)
        except OSError:  # those of TLS are among them
            self._end("broken")

    def _retry(self, work: Callable[[], None]) -> None:
        self._loop.remove_writer(self._sock)
        self._step(work)

    def _read(self) -> None:
        data = self._sock.recv(_READ)
        if not data:
            self._end("broken")
            return
        self._head += data
        end = self._head.find(END)
        if end >= 0 or len(self._head) > MAX_HEAD:
            self._ask(bytes(self._head[: end + len(END)]))

    def _ask(self, head: bytes) -> None:
        self._wait_for_client()
        try:
            request = parse(head)
        except BadRequestError as error:
            self._clerk.refuse(error, self._reply)
            return
        self._head_only = request.method == "HEAD"
        self._clerk.answer(request, self._reply)

    def _reply(self, response: Response) -> None:
        if self._over:
            return
        self._wait_for_client()
        self._out = memoryview(encode(response, head_only=self._head_only))
        self._loop.add_writer(self._sock, self._step, self._write)

    def _write(self) -> None:
        self._out = self._out[self._sock.send(self._out[:_WRITE]) :]
        if not self._out:
            self._end(None)

    def _wait_for_client(self) -> None:
        """Read no more, and give the client its time for the answer."""
        self._loop.remove_reader(self._sock)
        self._timer.cancel()
        self._timer = self._loop.call_later(ANSWER_SECONDS, self.drop, "slow")

    def _end(self, dropped: Dropped | None) -> None:
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        if dropped is None:
            self._say_goodbye()
        self._sock.close()
        self._clerk.over(self, dropped)

    def _say_goodbye(self) -> None:
        """End the stream so that the answer arrives: unread bytes would make the kernel reset."""
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                self._sock.unwrap().close()
                return
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.recv(_WRITE)
        except (OSError, ValueError):
            pass
