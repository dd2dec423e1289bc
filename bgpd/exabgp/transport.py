"""TCP connections to peers, in the seat of ExaBGP's `Outgoing` connection.

Theory of operation: one attempt to connect at a time, given up after `ATTEMPT_SECONDS` and
followed by the next one `INTERVAL_SECONDS` after it began, for as long as it takes. On an open
connection the kernel probes an idle peer each second: a router that lost power and came back
answers with RST, and we hear of it within two seconds instead of at our next KEEPALIVE. The
connection dies by the kernel's own judgement only after a whole hold time without an
acknowledgement.

We never listen: a node may run another BGP speaker on port 179, and the peer's own attempt to
connect is then answered by the node's kernel.
"""

import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Iterator
from errno import EADDRNOTAVAIL, EAGAIN, EALREADY, EINPROGRESS, EINTR, ENOBUFS
from time import monotonic
from typing import Any, Final

from exabgp.reactor.network import outgoing
from exabgp.reactor.network.error import BindingError, MD5Error, NetworkError

from bgpd.exabgp import refusal
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.refusal import Wanted
from bgpd.model.prefix import Address

ATTEMPT_SECONDS: Final = 1.5
INTERVAL_SECONDS: Final = 1.0

_TCP_RTO_MAX_MS: Final = 44  # linux/tcp.h, since 6.15; absent from the socket module
_TCP_REPAIR: Final = 19
_LAST_ACK: Final = struct.Struct("=56xI60xQ")
"""Of the kernel's tcp_info: milliseconds since the last acknowledgement, bytes acknowledged."""
_CS6: Final = 0xC0  # network control: the class that routers put BGP in
_TRY_AGAIN: Final = frozenset({EAGAIN, EALREADY, EINPROGRESS, EINTR, ENOBUFS})


class PeerConnection(outgoing.Outgoing):  # type: ignore[misc]
    """A TCP connection to a peer, from the first attempt to connect to its end."""

    without: frozenset[Mend] = frozenset()
    """Set once, by the launcher, for all of them."""

    io: Any
    local: Any
    _wpoller: dict[Any, Any]
    _rpoller: dict[Any, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a connection; nothing is sent yet."""
        super().__init__(*args, **kwargs)
        self.connecting = False
        self.failure = ""
        """Why the last attempt to connect failed, a sentence."""
        self.wanted = Wanted(
            address=Address(str(self.peer)),
            local_address=Address(str(self.local or "this host")),
            local_asn=0,
            peer_asn=0,
            router_id=Address(""),
            port=int(self.port),
            password=bool(self.md5),
            ttl_security=self.incoming_ttl,
        )
        """What the session says of itself, as far as a connection needs it."""
        self._outbox = bytearray()
        self._capped = False
        self._next_prod = 0.0

    @property
    def stuffed(self) -> bool:
        """Whether the kernel takes no more at present."""
        return bool(self._outbox)

    @property
    def written(self) -> int:
        """How many bytes will have been acknowledged once all that was written is.

        Raise `OSError` when the connection is closed.
        """
        while True:
            acknowledged, _ = self.acknowledged
            queue = fcntl.ioctl(self._open().fileno(), termios.TIOCOUTQ, b"\0" * 4)
            if self.acknowledged[0] == acknowledged:
                return acknowledged + int.from_bytes(queue, sys.byteorder) + len(self._outbox)

    @property
    def acknowledged(self) -> tuple[int, float]:
        """How many bytes the peer's kernel has acknowledged, and how many seconds ago the last.

        Raise `OSError` when the connection is closed.
        """
        told = self._open().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_ACK.size)
        ago, acknowledged = _LAST_ACK.unpack(told)
        return acknowledged, ago / 1000

    def _open(self) -> socket.socket:
        if self.io is None:
            raise OSError("the connection is closed")
        opened: socket.socket = self.io
        return opened

    def establish(self) -> Iterator[bool]:
        """Yield until the connection stands; whoever iterates may come back at any time.

        ExaBGP connects a hundred times a second to a router that refuses, but leaves a SYN
        without an answer to the kernel's back-off, which reaches half a minute: a router that
        was away for long is greeted that much too late.
        """
        if Mend.RECONNECT in self.without:
            yield from super().establish()
            return
        self.connecting = True
        while True:
            began = monotonic()
            for failure in self._attempt(began + ATTEMPT_SECONDS):
                if failure is None:
                    yield False
                    continue
                if not failure:
                    self.connecting = False
                    self.success()
                    yield True
                    return
                self.failure = failure
            self._discard()
            while monotonic() < began + INTERVAL_SECONDS:
                yield False

    def tune(self, hold_time: int) -> None:
        """Let the kernel find out that the peer's end of the connection is gone."""
        if Mend.RECONNECT in self.without or self.io is None:
            return
        # User timeout replaces the count of probes, of which there can be only 127.
        probe = 1 if hold_time else 10
        for option, value in (
            (socket.TCP_KEEPIDLE, probe),
            (socket.TCP_KEEPINTVL, probe),
            (socket.TCP_KEEPCNT, 127),
            (socket.TCP_USER_TIMEOUT, hold_time * 1000),
        ):
            self.io.setsockopt(socket.IPPROTO_TCP, option, value)
        self.io.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def prod(self) -> None:
        """Ask a router that acknowledges nothing whether it knows the connection, each second.

        A kernel that cannot cap the pause between retransmissions doubles it each time. A
        router that was away for 40 seconds would hear from us only 25 seconds after it is back,
        and not answer with RST before. Leaving repair mode makes the kernel send a window probe
        at once; the answer is an ACK that means nothing, or the RST.
        """
        now = monotonic()
        if self._capped or self.io is None or now < self._next_prod or Mend.PROD in self.without:
            return
        self._next_prod = now + 1.0
        backoff = self.io.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[4]
        if backoff < 3:
            return
        try:
            for mode in (1, 0):
                self.io.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, mode)
        except OSError:
            self._capped = True  # not ours to do: the back-off stays

    def writer(self, data: bytes) -> Iterator[bool]:
        """Yield False until *data* and all before it has been handed to the kernel, then True.

        ExaBGP writes the rest of a message that the kernel took in part when it is asked
        again, and may write a KEEPALIVE in between: the peer then reads garbage and ends the
        session. That happens as soon as a peer stops reading for a while.
        """
        if Mend.OUTBOX in self.without:
            yield from super().writer(data)
            return
        if self.io is None:
            yield True
            return
        self._outbox += data
        while not self._drain():
            yield False
        yield True

    def _setup(self) -> Exception | None:
        failure: Exception | None = super()._setup()
        if failure is None and Mend.RECONNECT not in self.without:
            self._options()
        return failure

    def _options(self) -> None:
        self.io.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        # Nagle would hold the second of two UPDATEs back until the peer acknowledged the first,
        # and a peer delays its acknowledgement by up to 40 ms.
        self.io.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.io.family == socket.AF_INET6:
            self.io.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CS6)
        else:
            self.io.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
        self._capped = False
        if Mend.CAP in self.without:
            return
        try:
            # What was sent to a router that was away is repeated at least each second, so that
            # its answer, an ACK or an RST, comes a second after it is back.
            self.io.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, 1000)
        except OSError:
            return  # an older kernel: see `prod`
        self._capped = True

    def _attempt(self, deadline: float) -> Iterator[str | None]:
        """Yield None while waiting, then once the failure, or the empty string."""
        problem = self._prepare()
        if problem:
            yield problem
            return
        where = (
            (self.peer, self.port)
            if self.io.family == socket.AF_INET
            else (self.peer, self.port, 0, 0)
        )
        error = self.io.connect_ex(where)
        while error in _TRY_AGAIN and monotonic() < deadline:
            yield None
            error = 0 if self.writing() else EINPROGRESS
            if not error:
                error = self.io.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in _TRY_AGAIN:
            yield refusal.silent(self.wanted)
        elif error:
            yield refusal.failed(error, os.strerror(error), self.wanted)
        else:
            if not self.local:
                self.local = self.io.getsockname()[0]
            yield ""

    def _prepare(self) -> str:
        try:
            problem = self._setup()
        except (OSError, AttributeError) as error:
            problem = error
        if problem is None:
            return ""
        if isinstance(problem, BindingError):
            return refusal.failed(EADDRNOTAVAIL, os.strerror(EADDRNOTAVAIL), self.wanted)
        if isinstance(problem, MD5Error):
            return f"this host's kernel takes no TCP MD5 password: {problem}"
        return f"{self.wanted.where}: {problem}"

    def _discard(self) -> None:
        if self.io is not None:
            self.io.close()
            self.io = None
        self._wpoller = {}
        self._rpoller = {}

    def _drain(self) -> bool:
        while self._outbox:
            if self.io is None:
                raise NetworkError("the connection was closed while writing")
            try:
                sent = self.io.send(self._outbox)
            except OSError as error:
                if error.errno in _TRY_AGAIN:
                    return False
                self.close()
                raise NetworkError(f"writing failed: {os.strerror(error.errno or 0)}") from None
            del self._outbox[:sent]
        return True
