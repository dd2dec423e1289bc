"""Ask this machine's kernel over netlink sockets, and hear what changes.

Blocking, for a thread of its own: the kernel answers at once, except while somebody else holds
its lock for network changes, which a node that starts fifty containers does for long.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Self

from bgpd.host import rtnetlink, wire
from bgpd.host.rtnetlink import Hop, Link, Neighbor
from bgpd.model.errors import TransientError
from bgpd.model.prefix import Address

_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_STRICT: Final = 12
_TIMEOUT_SECONDS: Final = 2.0
_ROOM: Final = 1 << 16
_EVENT_ROOM: Final = 1 << 20
_IP_PKTINFO: Final = 8
_DISCARD_PORT: Final = 9
"""RFC 863."""
_NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ESRCH}
)
"""No route, one that forbids, one that swallows, none of this family."""
NO_TABLE: Final = frozenset({errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOENT})
"""What a dump answers for a family that is not there, or has no table before its first address."""
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL})
"""Also what Linux before 5.0 says, which cannot be asked for one entry."""


def opened(protocol: int) -> socket.socket:
    """Return a netlink socket, or raise `OSError`."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise TransientError("this system has no netlink: it is not Linux")
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)


def because(error: Exception) -> str:
    """Return what went wrong in the system's words."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)


class Asking:
    """One socket on which the kernel is asked."""

    def __init__(self, protocol: int, *, seconds: float = _TIMEOUT_SECONDS) -> None:
        self._socket = opened(protocol)
        self._socket.settimeout(seconds)
        with suppress(OSError):  # Linux 4.20: a dump of routes is of the table that is asked for
            self._socket.setsockopt(_SOL_NETLINK, _STRICT, 1)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def one(self, kind: int, body: bytes, flags: int = 0) -> bytes:
        """Return the body of the one answer; raise the `OSError` that the kernel names."""
        for message in self._answers(kind, flags, body):
            if message.error:
                raise OSError(message.error, os.strerror(message.error))
            return message.body
        return b""

    def every(self, kind: int, body: bytes) -> Iterator[wire.Message]:
        """Yield a dump; raise `OSError`, also when it was interrupted by a change (EINTR)."""
        for message in self._answers(kind, wire.DUMP, body):
            if message.error:
                raise OSError(message.error, os.strerror(message.error))
            if message.flags & wire.DUMP_INTERRUPTED:
                raise OSError(errno.EINTR, os.strerror(errno.EINTR))
            if message.kind == wire.DONE:
                return
            yield message

    def datagrams(self, kind: int, body: bytes) -> Iterator[bytes]:
        """Yield a dump as the kernel sends it, for who counts a hundred thousand."""
        self._send(kind, wire.DUMP, body)
        while True:
            yield self._socket.recv(_ROOM)

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        self._socket.send(wire.request(kind, flags, self._sequence, body))

    def _answers(self, kind: int, flags: int, body: bytes) -> Iterator[wire.Message]:
        self._send(kind, flags, body)
        while True:
            for message in wire.messages(self._socket.recv(_ROOM)):
                # What is left of a question that was given up has another number.
                if message.sequence == self._sequence:
                    yield message


class NetlinkKernel:
    """The kernel of this network namespace (`bgpd.host.observer.Kernel`)."""

    def __init__(self) -> None:
        self._asking = Asking(socket.NETLINK_ROUTE)
        self._may_order = True

    def close(self) -> None:
        """Give the socket back."""
        self._asking.close()

    def hops(self, destination: Address) -> tuple[Hop, ...]:
        """Return the ways to *destination*; none: there is no route."""
        question = rtnetlink.route_question(destination)
        try:
            return rtnetlink.decode_hops(self._asking.one(rtnetlink.GETROUTE, question))
        except OSError as error:
            if error.errno in _NO_ROUTE:
                return ()
            raise

    def link(self, index: int) -> Link | None:
        """Return an interface; None: it is gone."""
        question = rtnetlink.link_question(index)
        try:
            return rtnetlink.decode_link(self._asking.one(rtnetlink.GETLINK, question))
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise

    def neighbor(self, index: int, address: Address) -> Neighbor:
        """Return the state of an entry of the neighbor table; NONE also where none can be had."""
        question = rtnetlink.neighbor_question(index, address)
        try:
            answer = self._asking.one(rtnetlink.GETNEIGH, question)
        except OSError as error:
            if error.errno in _ABSENT:
                return Neighbor.NONE
            raise
        return rtnetlink.decode_neighbor(answer)[2]

    def resolve(self, index: int, address: Address, state: Neighbor) -> None:
        """Have the kernel look for a neighbor whose entry is in *state*."""
        if state & (Neighbor.PERMANENT | Neighbor.NOARP):
            return
        if self._may_order:
            try:
                self._order(index, address, state)
            except PermissionError:
                self._may_order = False
            except OSError:
                return  # the entry or its interface went meanwhile
            else:
                return
        if not state & Neighbor.REACHABLE:
            _send_something(index, address)

    def _order(self, index: int, address: Address, state: Neighbor) -> None:
        if state & (Neighbor.REACHABLE | Neighbor.STALE | Neighbor.DELAY):
            flags = wire.REPLACE | wire.ACK
            self._asking.one(rtnetlink.NEWNEIGH, rtnetlink.probe_order(index, address), flags)
        elif not state & (Neighbor.PROBE | Neighbor.INCOMPLETE):
            flags = wire.CREATE | wire.ACK
            self._asking.one(rtnetlink.NEWNEIGH, rtnetlink.use_order(index, address), flags)


class Events:
    """What the kernel tells by itself, on some of rtnetlink's groups."""

    def __init__(self, groups: Iterable[int] = rtnetlink.GROUPS) -> None:
        self._socket = opened(socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_ROOM)
        self._socket.bind((0, 0))
        for group in groups:
            with suppress(OSError):  # nexthop objects came with Linux 5.3
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def heard(self) -> Iterator[wire.Message | None]:
        """Yield what has come; None: some was lost for want of room, look at everything."""
        while True:
            try:
                data = self._socket.recv(_ROOM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None
            else:
                yield from wire.messages(data)


def _send_something(index: int, address: Address) -> None:
    """Send a datagram that nobody reads: without privilege it is all that makes a kernel ask."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where: tuple[object, ...] = (address, _DISCARD_PORT)
    if family == socket.AF_INET6:
        where = (address, _DISCARD_PORT, 0, index)
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET:
            chosen = struct.pack("=iII", index, 0, 0)  # struct in_pktinfo
            sender.sendmsg([b""], [(socket.IPPROTO_IP, _IP_PKTINFO, chosen)], 0, where)
        else:
            sender.sendto(b"", where)
