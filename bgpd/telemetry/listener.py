"""One address of the metrics port: how many may come, how fast, and who has to go.

Theory of operation: whoever reaches this port may be slow or hostile, and the loop behind it
carries heartbeats. So the kernel hands over only those who have said something (TCP_DEFER_ACCEPT),
one a turn of the loop, and only so many a second; the others wait in a short queue of the kernel's.
At most `MOST` are served at once. When one more comes, the oldest of the address that has most of
them has to go: a flood from one host crowds out itself. Each address has limits of its own, so
that what happens on the pod's address keeps nobody from asking on 127.0.0.1 whether we live.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from bgpd.telemetry.httpconnection import Clerk, Connection
from bgpd.telemetry.metricsoptions import HostPort

MOST: Final = 16
"""Connections at once."""
QUEUE: Final = 64
"""Connections that wait in the kernel."""
_DEFER_SECONDS: Final = 5
_RATE: Final = 100.0
_TLS_RATE: Final = 20.0
"""Connections a second; a handshake costs a millisecond or more."""
_BURST: Final = 20.0
_PAUSE: Final = 1.0
"""Seconds without accepting after the kernel had no descriptor or memory for us."""

_WORDS: Final = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port",
    errno.EADDRNOTAVAIL: "this host does not have the address; name one that it has",
    errno.EACCES: "this user may not; choose a port above 1023",
}


class Listener:
    """A listening socket and its connections."""

    def __init__(
        self, address: HostPort, clerk: Clerk, *, context: Callable[[], ssl.SSLContext | None]
    ) -> None:
        """Serve *address*; *context* says how connections are encrypted now."""
        self.address = address
        self.problem = ""
        """Why nobody listens here, in a sentence; empty: we do."""
        self.error = 0
        """The kernel's number for that, where it has one."""
        self._clerk = clerk
        self._context = context
        self._sock: socket.socket | None = None
        self._connections: dict[Connection, None] = {}
        """Oldest first."""
        self._loop = asyncio.get_running_loop()
        self._credit = _BURST
        self._credited_at = self._loop.time()
        self._resume: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody can connect."""
        return self._sock is not None

    @property
    def port(self) -> int:
        """The port in fact: tests ask for any."""
        return self.address.port if self._sock is None else int(self._sock.getsockname()[1])

    def open(self) -> None:
        """Listen, or say in `problem` why not."""
        try:
            self._sock = _listening(self.address)
        except OSError as error:
            self.error = error.errno or 0
            why = _WORDS.get(self.error, f"{os.strerror(self.error)}; look at the address")
            self.problem = f"metrics are not served on {self.address}: {why}"
        else:
            self.problem, self.error = "", 0
            self._attend()

    def close(self) -> None:
        """Stop listening, and drop everybody."""
        self._ignore()
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        for connection in tuple(self._connections):
            connection.drop("crowded")

    def forget(self, connection: Connection) -> None:
        """Note that *connection* is over."""
        self._connections.pop(connection, None)

    def _attend(self) -> None:
        self._resume = None
        if self._sock is not None:
            self._loop.add_reader(self._sock, self._accept)

    def _ignore(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if self._sock is not None:
            self._loop.remove_reader(self._sock)

    def _rest(self, seconds: float) -> None:
        """Let the kernel's queue wait."""
        self._ignore()
        self._resume = self._loop.call_later(seconds, self._attend)

    def _accept(self) -> None:
        assert self._sock is not None
        rate = _RATE if self._context() is None else _TLS_RATE
        now = self._loop.time()
        self._credit = min(_BURST, self._credit + (now - self._credited_at) * rate)
        self._credited_at = now
        if self._credit < 1:
            self._rest(1 / rate)
            return
        self._credit -= 1
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            self._rest(_PAUSE)
            return
        self._take(sock, str(address[0]))

    def _take(self, sock: socket.socket, source: str) -> None:
        context = self._context()
        try:
            sock.setblocking(False)
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            return
        if len(self._connections) >= MOST:
            self._crowd_out()
        self._connections[Connection(sock, self._clerk, source=source)] = None

    def _crowd_out(self) -> None:
        worst = most_of(one.source for one in self._connections)
        next(one for one in self._connections if one.source == worst).drop("crowded")


def most_of(sources: Iterable[str]) -> str:
    """Return which of *sources* comes most often."""
    return Counter(sources).most_common(1)[0][0]


def _listening(address: HostPort) -> socket.socket:
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # We close connections first, so that they linger on our side.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_SECONDS)
        sock.bind((address.host, address.port))
        sock.listen(QUEUE)
    except OSError:
        sock.close()
        raise
    return sock
