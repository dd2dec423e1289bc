"""Carry control packets over UDP, with what the kernel knows of them: when, and their TTL.

Flow in: datagrams to port 3784 (one hop) or 4784 (several), each with its TTL and the kernel's
receive time, so that neither a forger beyond a router nor a late loop is believed. Flow out: from
a socket for each session, whose port says to routers in between that it is one flow.

Nothing here waits and nothing raises: a port that is taken, or an address that this host does not
have yet, is a sentence in `problems` and is tried again.

Supported standards: RFC 5881 sections 4 and 5; RFC 5883 sections 4 and 5; RFC 2474 (CS6).
"""

import asyncio
import errno
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from bgpd.bfd.endpoint import Way
from bgpd.model.prefix import Address
from bgpd.timestamp import ANCILLARY_SIZE, Clock, enable_timestamps

SINGLE_HOP_PORT: Final = 3784
MULTIHOP_PORT: Final = 4784
SOURCE_PORTS: Final = range(49152, 65536)
"""Where packets may come from (RFC 5881, section 4)."""
TTL: Final = 255

_MAX_DATAGRAM: Final = 512
"""Bytes that are read; a control packet has at most 255."""
_MOST_AT_ONCE: Final = 64
"""Datagrams of one wake-up: strangers shall not keep the loop from everything else."""
_MOST_QUEUED: Final = 4096
_BUFFER_BYTES: Final = 1 << 20
_NO_BUFFER: Final = 4096
_CS6: Final = 0xC0
_PRIORITY: Final = 6
_SO_RCVBUFFORCE: Final = 33
_IP_RECVTTL: Final = 12
_INT: Final = struct.Struct("@i")

_SEND_ERRORS: Final = {
    errno.EAGAIN: "send_would_block",
    errno.ENOBUFS: "send_would_block",
    errno.ENETUNREACH: "send_unreachable",
    errno.EHOSTUNREACH: "send_unreachable",
    errno.ENETDOWN: "send_unreachable",
    errno.EINVAL: "send_unreachable",
    errno.EADDRNOTAVAIL: "send_no_address",
    errno.EPERM: "send_denied",
    errno.EACCES: "send_denied",
}


class Kind(NamedTuple):
    """What one receiving socket is for."""

    v6: bool
    multihop: bool

    @property
    def port(self) -> int:
        """The UDP port of this kind."""
        return MULTIHOP_PORT if self.multihop else SINGLE_HOP_PORT


class Receiver(Protocol):
    """Whoever knows the sessions; *at* is on the scale of `time.monotonic`."""

    def datagram(
        self, data: bytes, *, source: Address, ttl: int, multihop: bool, at: float
    ) -> None:
        """Take one datagram that arrived *at* that moment."""


class Transport:
    """The receiving socket of each family and port, and the sending ones."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        delivered: Callable[[], None] = lambda: None,
        first_port: int = 0,
    ) -> None:
        """Deliver to *receiver*; *delivered* is called after what one wake-up brought.

        Source ports are chosen from the *first_port*th on, so that a restart takes other ones.
        """
        self.counters: Counter[str] = Counter()
        self.problems: dict[Kind, str] = {}
        """Why there is no socket for a kind that is wanted."""
        self._receiver = receiver
        self._delivered = delivered
        self._loop = asyncio.get_running_loop()
        self._receiving: dict[Kind, socket.socket] = {}
        self._floors: dict[Kind, float] = {}
        self._sending: dict[Way, socket.socket] = {}
        self._next_port = first_port

    # Sockets

    def listen(self, kinds: Iterable[Kind]) -> None:
        """Listen for *kinds* and no other; what does not work now is tried at the next call."""
        wanted = set(kinds)
        for kind in self._receiving.keys() - wanted:
            sock = self._receiving.pop(kind)
            self._loop.remove_reader(sock)
            sock.close()
        self.problems = {}
        for kind in sorted(wanted - self._receiving.keys()):
            try:
                sock = _receiving(kind)
            except OSError as error:
                self.problems[kind] = _problem(kind, error)
                continue
            self._receiving[kind] = sock
            self._floors[kind] = 0.0
            self._loop.add_reader(sock, self._on_readable, kind)

    @property
    def senders(self) -> int:
        """How many sending sockets are open."""
        return len(self._sending)

    def forget_all_but(self, ways: Iterable[Way]) -> None:
        """Close the sending sockets of sessions that are gone."""
        for way in self._sending.keys() - set(ways):
            self._sending.pop(way).close()

    def close(self) -> None:
        """Give everything back."""
        self.listen(())
        self.forget_all_but(())

    # Sending

    def send(self, way: Way, packet: bytes) -> None:
        """Send *packet* now or not at all."""
        try:
            sock = self._sending.get(way) or self._open(way)
            port = MULTIHOP_PORT if way.multihop else SINGLE_HOP_PORT
            sock.sendto(packet, (way.address, port))
        except OSError as error:
            self.counters[_SEND_ERRORS.get(error.errno or 0, "send_failed")] += 1
        else:
            self.counters["sent"] += 1

    def _open(self, way: Way) -> socket.socket:
        v6 = ":" in way.address
        sock = socket.socket(
            socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        try:
            _mark(sock, v6=v6)
            # Nobody is to write to this port, and nobody reads what is written.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NO_BUFFER)
            self._bind(sock, way.local_address)
        except OSError:
            sock.close()
            raise
        self._sending[way] = sock
        return sock

    def _bind(self, sock: socket.socket, address: Address) -> None:
        for _ in SOURCE_PORTS:
            port = SOURCE_PORTS[self._next_port % len(SOURCE_PORTS)]
            self._next_port += 1
            try:
                sock.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        raise OSError(errno.EADDRINUSE, "every source port is in use")

    # Receiving

    def drain(self) -> None:
        """Deliver everything that is queued right now; call it before judging silence."""
        for kind in tuple(self._receiving):
            self._read(kind, _MOST_QUEUED)

    def _on_readable(self, kind: Kind) -> None:
        self._read(kind, _MOST_AT_ONCE)
        self._delivered()

    def _read(self, kind: Kind, most: int) -> None:
        sock = self._receiving.get(kind)
        if sock is None:
            return
        clock = Clock(floor=self._floors[kind])
        for _ in range(most):
            try:
                data, ancillary, _, source = sock.recvmsg(_MAX_DATAGRAM, ANCILLARY_SIZE)
            except OSError:
                # Empty, most often; anything else is as empty to us.
                self._floors[kind] = clock.now
                return
            self.counters["received"] += 1
            self._receiver.datagram(
                data,
                source=_plain(source[0]),
                ttl=_ttl(ancillary),
                multihop=kind.multihop,
                at=clock.at(ancillary),
            )


def _receiving(kind: Kind) -> socket.socket:
    family = socket.AF_INET6 if kind.v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if kind.v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        enable_timestamps(sock)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.bind(("", kind.port))
    except OSError:
        sock.close()
        raise
    return sock


def _mark(sock: socket.socket, *, v6: bool) -> None:
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CS6)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
    # After IP_TOS, which sets a priority of its own.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)


def _ttl(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """Return the TTL of a datagram; 0, which nobody accepts, where the kernel did not say."""
    for level, kind, data in ancillary:
        if (level, kind) in {
            (socket.IPPROTO_IP, socket.IP_TTL),
            (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT),
        }:
            (value,) = _INT.unpack_from(data)
            return int(value)
    return 0


def _problem(kind: Kind, error: OSError) -> str:
    family = "IPv6" if kind.v6 else "IPv4"
    if error.errno == errno.EADDRINUSE:
        return (
            f"UDP port {kind.port} ({family}) is in use by another program: stop the other BFD"
            " daemon of this node, or take bfdProfile off the peers"
        )
    return f"cannot listen on UDP port {kind.port} ({family}): {error.strerror}"


def _plain(address: str) -> Address:
    return Address(address.partition("%")[0]) if "%" in address else Address(address)
