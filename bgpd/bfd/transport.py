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
from typing import Final, Protocol

from bgpd.bfd.endpoint import Way
from bgpd.bfd.ports import (
    Kind,
    Queues,
    listen,
    mark_as_control,
    problem,
)
from bgpd.model.port import BFD_MULTIHOP_PORT, BFD_PORT
from bgpd.model.prefix import Address
from bgpd.timestamp import ANCILLARY_SIZE, Clock

SOURCE_PORTS: Final = range(49152, 65536)
"""Where packets may come from (RFC 5881, section 4)."""

_MAX_DATAGRAM: Final = 512
"""Bytes that are read; a control packet has at most 255."""
_MOST_AT_ONCE: Final = 64
"""Datagrams of one queue and wake-up: a flood shall not keep the loop from everything else."""
_MOST_QUEUED: Final = 4096
_NO_BUFFER: Final = 4096
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


class Receiver(Protocol):
    """Whoever knows the sessions; *at* is on the scale of `time.monotonic`."""

    def datagram(
        self, data: bytes, *, source: Address, ttl: int, multihop: bool, at: float
    ) -> None:
        """Take one datagram that arrived *at* that moment."""


class Transport:
    """The receiving sockets of each family and port, and the sending ones."""

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
        self._receiving: dict[Kind, Queues] = {}
        self._floors: dict[socket.socket, float] = {}
        self._eager = False
        self._sending: dict[Way, socket.socket] = {}
        self._next_port = first_port

    # Sockets

    def listen(self, kinds: Iterable[Kind]) -> None:
        """Listen for *kinds* and no other; what does not work now is tried at the next call."""
        wanted = set(kinds)
        for kind in self._receiving.keys() - wanted:
            self._end(self._receiving.pop(kind))
        self.problems = {}
        for kind in sorted(wanted - self._receiving.keys()):
            try:
                queues = listen(kind)
            except OSError as error:
                self.problems[kind] = problem(kind, error)
                continue
            self._receiving[kind] = queues
            self._loop.add_reader(queues.urgent, self._on_readable)
            if self._eager and queues.routine is not None:
                self._loop.add_reader(queues.routine, self._on_readable)

    def attend(self, *, eager: bool) -> None:
        """Be woken by every packet from near while *eager*, by urgent ones only otherwise."""
        if eager is self._eager:
            return
        self._eager = eager
        for queues in self._receiving.values():
            if queues.routine is None:
                continue
            if eager:
                self._loop.add_reader(queues.routine, self._on_readable)
            else:
                self._loop.remove_reader(queues.routine)

    def _end(self, queues: Queues) -> None:
        for sock in queues:
            if sock is not None:
                self._loop.remove_reader(sock)
                self._floors.pop(sock, None)
        queues.close()

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
            port = BFD_MULTIHOP_PORT if way.multihop else BFD_PORT
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
            mark_as_control(sock, v6=v6)
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

    def drain(self, *, wholly: bool = False) -> None:
        """Deliver what is queued; *wholly* before silence is judged.

        Urgent packets come last: what they say is newer than what the routine ones say, or they
        are from somebody else.
        """
        most = _MOST_QUEUED if wholly else _MOST_AT_ONCE
        for kind, queues in tuple(self._receiving.items()):
            self._read(kind, queues.routine, most)
            self._read(kind, queues.urgent, most)
            self._read(kind, queues.distant, _MOST_AT_ONCE)

    def _on_readable(self) -> None:
        self.drain()
        self._delivered()

    def _read(self, kind: Kind, sock: socket.socket | None, most: int) -> None:
        if sock is None or sock.fileno() < 0:
            return
        clock = Clock(floor=self._floors.get(sock, 0.0))
        for _ in range(most):
            try:
                data, ancillary, _, source = sock.recvmsg(_MAX_DATAGRAM, ANCILLARY_SIZE)
            except OSError:
                # Empty, most often; anything else is as empty to us.
                self._floors[sock] = clock.now
                return
            self.counters["received"] += 1
            self._receiver.datagram(
                data,
                source=_plain(source[0]),
                ttl=_ttl(ancillary),
                multihop=kind.multihop,
                at=clock.at(ancillary),
            )


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


def _plain(address: str) -> Address:
    return Address(address.partition("%")[0]) if "%" in address else Address(address)
