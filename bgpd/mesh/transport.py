"""Carry heartbeats over UDP, and bring back every sign of life that the kernel has to offer.

Flow in: datagrams with the kernel's receive timestamps, port-unreachable errors, echo
replies. Flow out: datagrams and echoes. Nothing here waits and nothing raises once the socket
is open: what cannot be sent is counted, because a heartbeat that is late is a heartbeat lost.

A refusal says that a kernel is alive while its process is not, so it has to come from the
member's own address: a router that answers for a dead node says the opposite.

Supported standards: RFC 768; RFC 792 and RFC 4443 (port unreachable); RFC 2474 (CS6).
"""

import asyncio
import errno
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from bgpd.mesh.echo import CS6, Echo, ProbeMode, mark_as_control
from bgpd.mesh.route import RouteSource, route_source
from bgpd.mesh.timestamp import ANCILLARY_SIZE, Clock, enable_timestamps
from bgpd.model.errors import ConfigError, TransientError
from bgpd.model.prefix import Address

_BUFFER_BYTES: Final = 4 << 20
_MAX_DATAGRAM: Final = 65535
_MAX_READS: Final = 20_000
"""Datagrams of one drain: a flood must not keep the loop from everything else."""

_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_SO_RCVBUFFORCE: Final = 33
_EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")
_ORIGIN_ICMP: Final = 2
_ORIGIN_ICMP6: Final = 3
_PORT_UNREACHABLE: Final = {(_ORIGIN_ICMP, 3, 3), (_ORIGIN_ICMP6, 1, 4)}
"""Origin, type and code: RFC 792, RFC 4443 section 3.1."""

_SEND_ERRORS: Final = {
    errno.EAGAIN: "send_would_block",
    errno.ENOBUFS: "send_would_block",
    errno.ENETUNREACH: "send_unreachable",
    errno.EHOSTUNREACH: "send_unreachable",
    errno.ENETDOWN: "send_unreachable",
    errno.EADDRNOTAVAIL: "send_unreachable",
    errno.EINVAL: "send_unreachable",
    errno.EPERM: "send_denied",
    errno.EACCES: "send_denied",
    errno.EMSGSIZE: "send_too_large",
}


class Receiver(Protocol):
    """Whoever judges life and death; *at* is on the scale of `time.monotonic`."""

    def datagram(self, data: bytes, source: Address, at: float) -> None:
        """Take one datagram that arrived *at* that moment."""

    def refused(self, address: Address, at: float) -> None:
        """Take note that the kernel at *address* said that nobody listens there."""

    def echo_reply(self, address: Address, at: float) -> None:
        """Take note that the kernel at *address* answered our echo."""


class Transport:
    """One UDP socket of the mesh and the echo socket beside it."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        delivered: Callable[[], None] = lambda: None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Deliver to *receiver*; *delivered* is called after what one wake-up brought."""
        self.counters: Counter[str] = Counter()
        self._receiver = receiver
        self._delivered = delivered
        self._loop = loop
        self._socket: socket.socket | None = None
        self._echo: Echo | None = None
        self._floor = 0.0

    @property
    def probe_mode(self) -> ProbeMode:
        """How echoes are sent; `none` when the kernel lets us send none."""
        return self._echo.mode if self._echo else "none"

    def open(self, address: Address, port: int) -> None:
        """Listen on *address* and *port*.

        Raise `TransientError` while this host does not have the address, and `ConfigError`
        when another program has the port.
        """
        self.close()
        loop = self._loop or asyncio.get_running_loop()
        self._loop = loop
        self._floor = time.monotonic()
        self._socket = _bound(address, port)
        loop.add_reader(self._socket, self._on_datagram)
        self._echo = Echo(address)
        if self._echo.socket is not None:
            loop.add_reader(self._echo.socket, self._on_reply)

    def close(self) -> None:
        """Stop listening; a transport may be opened again."""
        for sock in (self._socket, self._echo.socket if self._echo else None):
            if sock is not None and self._loop is not None:
                self._loop.remove_reader(sock)
                sock.close()
        if self._echo is not None:
            # A drain may be in the middle of its replies.
            self._echo.close()
        self._socket = self._echo = None

    def send(self, address: Address, port: int, payload: bytes) -> None:
        """Send one datagram now or not at all."""
        sock = self._socket
        if sock is None:
            self.counters["send_closed"] += 1
            return
        if (":" in address) is not (sock.family == socket.AF_INET6):
            self.counters["send_other_family"] += 1
            return
        try:
            _send_past_pending_error(sock, address, port, payload)
        except OSError as error:
            self.counters[_SEND_ERRORS.get(error.errno or 0, "send_failed")] += 1
        else:
            self.counters["sent"] += 1

    def probe(self, address: Address) -> None:
        """Send one echo to *address*; the reply, if any, goes to the receiver."""
        if self._echo is None or self._echo.socket is None:
            return
        if (":" in address) is not (self._echo.socket.family == socket.AF_INET6):
            self.counters["send_other_family"] += 1
            return
        try:
            self._echo.send(address)
        except OSError:
            self.counters["probe_failed"] += 1
        else:
            self.counters["probes"] += 1

    def _on_datagram(self) -> None:
        """Deliver one datagram, which is all that a wake-up brings in a mesh that is well.

        Asking for more would cost two system calls that fail, fifty times a second; whatever
        is left wakes us again. Errors wake us, too: then there is no datagram, or an error.
        """
        sock = self._socket
        if sock is None:
            return
        clock = Clock(floor=self._floor)
        try:
            data, ancillary, _, source = sock.recvmsg(_MAX_DATAGRAM, ANCILLARY_SIZE)
        except OSError:
            self._drain_errors(clock)
        else:
            self.counters["received"] += 1
            self._receiver.datagram(data, _plain(source[0]), clock.at(ancillary))
        self._delivered()

    def _on_reply(self) -> None:
        self._drain_replies(Clock(floor=self._floor))
        self._delivered()

    def drain(self) -> None:
        """Deliver everything that is queued right now; call it before judging silence."""
        clock = Clock(floor=self._floor)
        complete = self._drain_datagrams(clock)
        self._drain_errors(clock)
        self._drain_replies(clock)
        if complete:
            self._floor = clock.now

    def _drain_replies(self, clock: Clock) -> None:
        if self._echo is None:
            return
        for address, at in self._echo.replies(clock):
            self.counters["echo_replies"] += 1
            self._receiver.echo_reply(address, at)

    def _drain_datagrams(self, clock: Clock) -> bool:
        """Deliver the queue; return whether its end was seen."""
        for _ in range(_MAX_READS):
            # The receiver may close us, or open us elsewhere, in the middle.
            sock = self._socket
            if sock is None:
                return True
            try:
                data, ancillary, _, source = sock.recvmsg(_MAX_DATAGRAM, ANCILLARY_SIZE)
            except BlockingIOError:
                return True
            except OSError:
                # The pending error of an ICMP message: its details are in the error queue.
                continue
            self.counters["received"] += 1
            self._receiver.datagram(data, _plain(source[0]), clock.at(ancillary))
        return False

    def _drain_errors(self, clock: Clock) -> None:
        for _ in range(_MAX_READS):
            sock = self._socket
            if sock is None:
                return
            try:
                _, ancillary, _, destination = sock.recvmsg(
                    _MAX_DATAGRAM, ANCILLARY_SIZE, socket.MSG_ERRQUEUE
                )
            except OSError:
                return
            self._judge_error(ancillary, _plain(destination[0]), clock.at(ancillary))

    def _judge_error(
        self, ancillary: list[tuple[int, int, bytes]], destination: Address, at: float
    ) -> None:
        for level, kind, data in ancillary:
            if (level, kind) not in {
                (socket.IPPROTO_IP, _IP_RECVERR),
                (socket.IPPROTO_IPV6, _IPV6_RECVERR),
            }:
                continue
            _, origin, icmp_type, code, *_ = _EXTENDED_ERROR.unpack_from(data)
            if (origin, icmp_type, code) not in _PORT_UNREACHABLE:
                self.counters["unreachable"] += 1
            elif offender(data[_EXTENDED_ERROR.size :]) != destination:
                self.counters["refused_by_other"] += 1
            else:
                self.counters["refused"] += 1
                self._receiver.refused(destination, at)


def _plain(address: str) -> Address:
    return Address(address.partition("%")[0])


def offender(data: bytes) -> Address | None:
    """Return who sent the ICMP message: the sockaddr behind the extended error."""
    if len(data) < 2:
        return None
    (family,) = struct.unpack_from("=H", data)
    if family == socket.AF_INET and len(data) >= 8:
        return Address(socket.inet_ntop(socket.AF_INET, data[4:8]))
    if family == socket.AF_INET6 and len(data) >= 24:
        return Address(socket.inet_ntop(socket.AF_INET6, data[8:24]))
    return None


def _send_past_pending_error(
    sock: socket.socket, address: Address, port: int, payload: bytes
) -> None:
    """Send, and send again when the first attempt only told us of an older error.

    With IP_RECVERR the refusal by one member is the result of the next system call, whoever
    that call was meant for (ip(7)): without this, one member's restart costs others heartbeats.
    """
    try:
        sock.sendto(payload, (address, port))
    except BlockingIOError:
        raise
    except OSError:
        sock.sendto(payload, (address, port))


def _bound(address: Address, port: int) -> socket.socket:
    v6 = ":" in address
    family = socket.AF_INET6 if v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        _prepare(sock, v6=v6)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise TransientError(
                f"the mesh address {address} is not on this host yet, or still tentative"
            ) from None
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"UDP port {port} of {address} is in use; stop the other program"
                " or give the mesh another port"
            ) from None
        raise ConfigError(
            f"cannot listen on UDP port {port} of {address}: {error.strerror}"
        ) from None
    return sock


def _prepare(sock: socket.socket, *, v6: bool) -> None:
    # No SO_REUSEADDR: for UDP it would let a second speaker take our heartbeats in silence,
    # and a closed UDP socket leaves nothing behind that a restart would have to wait for.
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    mark_as_control(sock, v6=v6)
    enable_timestamps(sock)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)


__all__ = ["CS6", "Receiver", "RouteSource", "Transport", "route_source"]
