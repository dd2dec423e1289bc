"""One connection to the API server, made so that its death is noticed and nothing waits in line.

The pieces of an answer reach their reader inside the callback that read them from the socket:
there is no queue and no task between an event and the decision on it. Work is cut into slices of
two milliseconds, between which everything else in the process has its turn.

A cut link sends no FIN. Keepalive probes (first after 5 s, then each 2 s, three of them) and
TCP_USER_TIMEOUT find it within 10 s; the idle deadline finds the server that is there and silent.
"""

import asyncio
import os
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from bgpd.kube.http1 import Answers, End, Head, Part, Request
from bgpd.model.errors import BgpdError, ProtocolError, TransientError

SLICE: Final = 0.002
"""Seconds of work after which others have their turn."""
READ: Final = 64 * 1024
"""Bytes read in one go, at most."""
CONNECT_WITHIN: Final = 5.0
"""Seconds for TCP, and again for TLS."""
_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class UnreachableError(TransientError):
    """The API server does not answer, or stopped answering."""


class UntrustedError(BgpdError):
    """Who answers cannot prove to be the API server, or does not believe who we are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the API is."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    name: str = ""
    """What the certificate must be for, where that is not *host*."""

    @property
    def authority(self) -> str:
        """Host and port as the Host field has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Reader(Protocol):
    """Who takes the pieces of one answer; what it raises ends the connection and reaches us."""

    def head(self, head: Head) -> None:
        """Take the status."""

    def body(self, data: bytes) -> None:
        """Take the next piece of the body."""


class Connection(asyncio.BufferedProtocol):
    """One connection; one request at a time."""

    def __init__(self, authority: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._authority = authority
        # A view: asyncio's TLS writes to slices of it.
        self._read = memoryview(bytearray(READ))
        self._answers = Answers()
        self._parts: deque[Part] = deque()
        self._working = False
        self._paused = False
        self._ended = False
        self._done: asyncio.Future[None] | None = None
        self._reader: Reader | None = None
        self._lost: Exception | None = None
        self._heard = 0.0
        self._head_within = 0.0
        self._headless = False
        self.idle = 0.0
        """Seconds without a byte after which an answer counts as broken off."""
        self._timer: asyncio.TimerHandle

    @classmethod
    async def open(cls, endpoint: Endpoint) -> "Connection":
        """Return a connection, or raise `UnreachableError` or `UntrustedError`."""
        try:
            sock = await _connected(endpoint)
            async with asyncio.timeout(CONNECT_WITHIN):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: cls(endpoint.authority),
                    sock=sock,
                    ssl=endpoint.tls,
                    server_hostname=(endpoint.name or endpoint.host) if endpoint.tls else None,
                )
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(f"its certificate: {error.verify_message}") from None
        except TimeoutError:
            raise UnreachableError(f"no answer within {CONNECT_WITHIN:.0f} s") from None
        except OSError as error:
            raise UnreachableError(_why(error)) from None
        return connection

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._lost is None and self._done is None and self._transport is not None

    async def exchange(
        self, request: Request, reader: Reader, *, head_within: float, idle: float
    ) -> None:
        """Send *request* and give *reader* the answer; return when it is complete.

        Raises `UnreachableError` when the head takes longer than *head_within* seconds, when
        nothing comes for *idle* seconds, or when the connection is lost; `ProtocolError` when
        what comes is not HTTP; and whatever *reader* raises.
        """
        if self._lost is not None:
            raise self._lost
        if self._transport is None or self._done is not None:
            raise RuntimeError("one request at a time, on a connection that is open")
        self._reader, self._done = reader, self._loop.create_future()
        self._heard, self._headless = self._loop.time(), True
        self._head_within, self.idle = head_within, idle
        self._transport.write(request.encode(self._authority))
        self._timer = self._loop.call_at(self._heard + head_within, self._look)
        try:
            await self._done
        except BaseException:
            self.close()
            raise
        finally:
            self._timer.cancel()
            self._reader = self._done = None

    def close(self) -> None:
        """End the connection at once."""
        self._fail(UnreachableError("the connection was closed"))

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's word
        """Return where to read to; asyncio's own buffer is new for each read, and large."""
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has arrived, a slice at a time."""
        self._heard = self._loop.time()
        try:
            self._parts.extend(self._answers.feed(self._read[:nbytes]))
        except ProtocolError as error:
            self._fail(error)
            return
        if not self._working:
            self._work()

    def eof_received(self) -> bool:
        """Note that nothing more comes; what came before is read first."""
        self._ended = True
        if not self._working:
            self._finish()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, after what came before has been read."""
        self._ended = True
        if exc is not None and not self._working:
            self._fail(UnreachableError(_why(exc)))
        elif not self._working:
            self._finish()

    # Ours

    def _work(self) -> None:
        """Give parts to the reader for one slice; go on in the next turn where some are left."""
        self._working = False
        until = self._loop.time() + SLICE
        try:
            while self._parts and self._lost is None:
                self._give(self._parts.popleft())
                if self._parts and self._loop.time() >= until:
                    self._pause()
                    return
        except Exception as error:  # noqa: BLE001 - it is the reader's; it reaches the waiter
            self._fail(error)
            return
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if self._ended:
            self._finish()

    def _pause(self) -> None:
        self._working = True
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._loop.call_soon(self._work)

    def _give(self, part: Part) -> None:
        if self._reader is None or self._done is None or self._done.done():
            raise ProtocolError("an answer to no question")
        match part:
            case Head():
                self._headless = False
                self._reader.head(part)
            case bytes():
                self._reader.body(part)
            case End():
                if not part.reusable:
                    self._lost = UnreachableError("the server closes the connection")
                self._done.set_result(None)

    def _finish(self) -> None:
        """Judge the end of the connection."""
        try:
            for part in self._answers.eof():
                self._give(part)
        except ProtocolError as error:
            self._fail(UnreachableError(str(error)))
        else:
            self._fail(UnreachableError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if self._lost is None:
            self._lost = error
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
        self._parts.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _look(self) -> None:
        """End an exchange in which nothing came for too long; else look again when that is due."""
        patience = self._head_within if self._headless else self.idle
        due = self._heard + patience
        if self._working or self._loop.time() < due:
            self._timer = self._loop.call_at(max(due, self._loop.time() + SLICE), self._look)
        else:
            self._fail(UnreachableError(f"it answered nothing for {patience:.0f} s"))


async def _connected(endpoint: Endpoint) -> socket.socket:
    """Return a socket that is connected to one of the endpoint's addresses."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_WITHIN):
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    failure: Exception = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            for level, option, value in _OPTIONS:
                sock.setsockopt(level, option, value)
            async with asyncio.timeout(CONNECT_WITHIN):
                await loop.sock_connect(sock, address)
        except (OSError, TimeoutError) as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _why(error: Exception) -> str:
    """Return the words of an error of the system, without its number."""
    number = getattr(error, "errno", None) or 0
    # asyncio puts the address in place of the reason.
    text = os.strerror(number) if number > 0 and not isinstance(error, ssl.SSLError) else ""
    text = text or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
