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
from operator import itemgetter
from typing import Final, Protocol, TypeAlias

from bgpd.mesh.echo import Echo, ProbeMode
from bgpd.mesh.ports import IP_RECVERR, IPV6_RECVERR, Queues, listen
from bgpd.model.prefix import Address
from bgpd.timestamp import ANCILLARY_SIZE, Clock

_MAX_DATAGRAM: Final = 2048
"""Bytes that are read: more than a heartbeat has, and what is cut is refused."""
_MAX_READS: Final = 20_000
"""Datagrams of one drain: a flood must not keep the loop from everything else."""

_MOMENT: Final = 0.005
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


_Arrived: TypeAlias = tuple[float, bytes, Address]
"""When, what, from whom."""
_arrival: Final[Callable[[_Arrived], float]] = itemgetter(0)


class Receiver(Protocol):
    """Whoever judges life and death; *at* is on the scale of `time.monotonic`."""

    def datagram(self, data: bytes, source: Address, at: float) -> None:
        """Take one datagram that arrived *at* that moment."""

    def refused(self, address: Address, at: float) -> None:
        """Take note that the kernel at *address* said that nobody listens there."""

    def echo_reply(self, address: Address, at: float) -> None:
        """Take note that the kernel at *address* answered our echo."""


class Transport:
    """The UDP port of the mesh and the echo socket beside it.

    Routine heartbeats wait in a queue that wakes nobody (`bgpd.mesh.ports`): they are read
    before anything else is delivered, and whenever the driver asks.
    """

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
        self._queues: Queues | None = None
        self._echo: Echo | None = None
        self._floor = self._routine_floor = 0.0

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
        self._floor = self._routine_floor = time.monotonic()
        self._queues = listen(address, port)
        loop.add_reader(self._queues.urgent, self._on_datagram)
        if self._queues.errors is None:
            self.counters["queues_refused"] += 1
        else:
            loop.add_reader(self._queues.errors, self._on_error)
        self._echo = Echo(address)
        if self._echo.socket is not None:
            loop.add_reader(self._echo.socket, self._on_reply)

    def close(self) -> None:
        """Stop listening; a transport may be opened again."""
        if self._queues is not None and self._loop is not None:
            self._loop.remove_reader(self._queues.urgent)
            if self._queues.errors is not None:
                self._loop.remove_reader(self._queues.errors)
            self._queues.close()
        if self._echo is not None:
            if self._echo.socket is not None and self._loop is not None:
                self._loop.remove_reader(self._echo.socket)
            # A drain may be in the middle of its replies.
            self._echo.close()
        self._queues = self._echo = None

    def send(self, address: Address, port: int, payload: bytes) -> None:
        """Send one datagram now or not at all."""
        if self._queues is None:
            self.counters["send_closed"] += 1
            return
        sock = self._queues.urgent
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
        """Deliver one urgent datagram, and before it what its decision may rest on.

        One is all that a wake-up brings in a mesh that is well; whatever is left wakes us
        again. Errors wake us, too: then there is no datagram, or an error.
        """
        queues = self._queues
        if queues is None:
            return
        clock = Clock(floor=self._floor)
        urgent = self._read(queues.urgent, clock, most=1)
        self._deliver(sorted(self._read_routine() + urgent, key=_arrival))
        if not urgent:
            self._drain_errors(clock)
        self._delivered()

    def _on_error(self) -> None:
        self._deliver(self._read_routine())
        self._drain_errors(Clock(floor=self._floor))
        self._delivered()

    def _on_reply(self) -> None:
        self._drain_replies(Clock(floor=self._floor))
        self._delivered()

    @property
    def is_behind(self) -> bool:
        """Whether routine heartbeats may be waiting since more than a moment ago."""
        return time.monotonic() - self._routine_floor > _MOMENT

    def drain_routine(self) -> None:
        """Deliver the routine heartbeats; everything else wakes us by itself."""
        self._deliver(self._read_routine())

    def drain(self) -> None:
        """Deliver everything that is queued right now; call it before judging silence."""
        clock = Clock(floor=self._floor)
        urgent = [] if self._queues is None else self._read(self._queues.urgent, clock)
        self._deliver(sorted(self._read_routine() + urgent, key=_arrival))
        self._drain_errors(clock)
        self._drain_replies(clock)
        if len(urgent) < _MAX_READS:
            self._floor = clock.now

    def _drain_replies(self, clock: Clock) -> None:
        if self._echo is None:
            return
        for address, at in self._echo.replies(clock):
            self.counters["echo_replies"] += 1
            self._receiver.echo_reply(address, at)

    def _read_routine(self) -> list[_Arrived]:
        if self._queues is None or self._queues.routine is None:
            return []
        clock = Clock(floor=self._routine_floor)
        found = self._read(self._queues.routine, clock)
        if len(found) < _MAX_READS:
            self._routine_floor = clock.now
        return found

    @staticmethod
    def _read(sock: socket.socket, clock: Clock, most: int = _MAX_READS) -> list[_Arrived]:
        """Return what waits in *sock*, in the order of its arrival."""
        found: list[_Arrived] = []
        for _ in range(most):
            try:
                data, ancillary, _, source = sock.recvmsg(_MAX_DATAGRAM, ANCILLARY_SIZE)
            except BlockingIOError:
                break
            except OSError:
                # The pending error of an ICMP message: its details are in the error queue.
                continue
            found.append((clock.at(ancillary), data, _plain(source[0])))
        return found

    def _deliver(self, arrived: list[_Arrived]) -> None:
        queues = self._queues
        for at, data, source in arrived:
            # The receiver may close us, or open us elsewhere, in the middle.
            if self._queues is not queues:
                return
            self.counters["received"] += 1
            self._receiver.datagram(data, source, at)

    def _drain_errors(self, clock: Clock) -> None:
        queues = self._queues
        if queues is None:
            return
        for sock in (queues.urgent, queues.routine):
            for _ in range(_MAX_READS):
                if sock is None or self._queues is not queues:
                    break
                try:
                    _, ancillary, _, destination = sock.recvmsg(
                        _MAX_DATAGRAM, ANCILLARY_SIZE, socket.MSG_ERRQUEUE
                    )
                except OSError:
                    break
                self._judge_error(ancillary, _plain(destination[0]), clock.at(ancillary))

    def _judge_error(
        self, ancillary: list[tuple[int, int, bytes]], destination: Address, at: float
    ) -> None:
        for level, kind, data in ancillary:
            if (level, kind) not in {
                (socket.IPPROTO_IP, IP_RECVERR),
                (socket.IPPROTO_IPV6, IPV6_RECVERR),
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
    return Address(address.partition("%")[0]) if "%" in address else Address(address)


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
