"""What the router does, with the time it was done: kernel routes by netlink, UPDATEs by capture.

Both sockets are opened inside the router's network namespace and read from here. Netlink
messages are stamped with the monotonic clock when read; captured packets carry the kernel's own
stamp, because the spread of survivors is a matter of fractions of a millisecond, turned into
the monotonic clock, so that both can be compared with the moment of the strike.
"""

import contextlib
import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.lab.plan import API_PORT
from tests.lab.topology import within
from tests.lab.wire import named_in, tcp_segment

_RTM_NEWROUTE, _RTM_DELROUTE = 24, 25
_RTMGRP_IPV4_ROUTE, _RTMGRP_IPV6_ROUTE = 0x40, 0x400
_RTA_DST, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 1, 5, 9, 18
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SO_ATTACH_FILTER = 33, 35, 26
_ETH_P_ALL = 0x0003
_LARGEST_SEGMENT = 1 << 16
"""What a veth may carry in one piece (GSO)."""

_ACCEPT, _REFUSE = 0x40000, 0
# TCP to port 179, either family, no extension headers; classic BPF: code, true, false, value.
_BGP_FILTER: Final = (
    (0x28, 0, 0, 12),  # 0  ldh EtherType
    (0x15, 0, 5, 0x0800),  # 1  IPv4? else 7
    (0x30, 0, 0, 23),  # 2  ldb protocol
    (0x15, 0, 9, 6),  # 3  TCP? else 13
    (0xB1, 0, 0, 14),  # 4  ldx header length
    (0x48, 0, 0, 16),  # 5  ldh destination port
    (0x15, 5, 6, 179),  # 6  179? 12 else 13
    (0x15, 0, 5, 0x86DD),  # 7  IPv6? else 13
    (0x30, 0, 0, 20),  # 8  ldb next header
    (0x15, 0, 3, 6),  # 9  TCP? else 13
    (0x28, 0, 0, 56),  # 10 ldh destination port
    (0x15, 0, 1, 179),  # 11 179? else 13
    (0x06, 0, 0, _ACCEPT),  # 12
    (0x06, 0, 0, _REFUSE),  # 13
)
# TCP over IPv4 from the API server's port.
_API_FILTER: Final = (
    (0x28, 0, 0, 12),  # 0  ldh EtherType
    (0x15, 0, 6, 0x0800),  # 1  IPv4? else 8
    (0x30, 0, 0, 23),  # 2  ldb protocol
    (0x15, 0, 4, 6),  # 3  TCP? else 8
    (0xB1, 0, 0, 14),  # 4  ldx header length
    (0x48, 0, 0, 14),  # 5  ldh source port
    (0x15, 0, 1, API_PORT),  # 6  the server's? else 8
    (0x06, 0, 0, _ACCEPT),  # 7
    (0x06, 0, 0, _REFUSE),  # 8
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """One change of one prefix in the router's kernel."""

    at: float
    prefix: str
    gateways: frozenset[str]
    """Next hops in the message; what they mean depends on *deleted*."""
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One segment with at least one BGP UPDATE from a node."""

    at: float
    source: str
    advertised: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()


class RouterWatch:
    """Read both sockets in a thread from start to stop."""

    def __init__(self, namespace: str = "router") -> None:
        """Open the sockets in *namespace* and begin."""
        self.routes: list[RouteChange] = []
        self.updates: list[Update] = []
        with within(namespace):
            self._netlink = _netlink_socket()
            self._capture = _capture_socket()
        self._stopping = False
        self._monotonic_at_epoch = monotonic_at_epoch()
        self._threads = [
            threading.Thread(target=self._read_netlink, daemon=True),
            threading.Thread(target=self._read_capture, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close everything; what was seen stays."""
        self._stopping = True
        for thread in self._threads:
            thread.join()
        self._netlink.close()
        self._capture.close()

    def _read_netlink(self) -> None:
        _prefer_this_thread()
        while not self._stopping:
            try:
                data = self._netlink.recv(1 << 20)
            except OSError:
                continue
            self.routes += route_changes(data, time.monotonic())

    def _read_capture(self) -> None:
        while not self._stopping:
            try:
                frame, ancillary, _, _ = self._capture.recvmsg(_LARGEST_SEGMENT, 128)
            except OSError:
                continue
            at = _stamp(ancillary) + self._monotonic_at_epoch
            if update := update_in(frame, at):
                self.updates.append(update)


class NodeTap:
    """When data from the API server reached a node: read afterwards, so that it disturbs nobody."""

    def __init__(self, namespace: str) -> None:
        """Open the socket in *namespace*; the kernel keeps and stamps what arrives."""
        with within(namespace):
            self._capture = _capture_socket(_API_FILTER)
        self._monotonic_at_epoch = monotonic_at_epoch()

    def arrivals(self) -> list[float]:
        """Return when segments with data arrived since the last call."""
        found = []
        self._capture.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, ancillary, _, _ = self._capture.recvmsg(_LARGEST_SEGMENT, 128)
                segment = tcp_segment(frame)
                if segment and segment[1]:
                    found.append(_stamp(ancillary) + self._monotonic_at_epoch)
        return found

    def close(self) -> None:
        """Close the socket."""
        self._capture.close()


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> float:
    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
    return float(seconds + nanoseconds / 1e9)


def route_changes(data: bytes, at: float) -> Iterator[RouteChange]:
    """Yield the route changes of one netlink datagram (rtnetlink(7))."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < 16 or offset + length > len(data):
            return
        if kind in (_RTM_NEWROUTE, _RTM_DELROUTE):
            yield _route_change(data[offset + 16 : offset + length], at, kind == _RTM_DELROUTE)
        offset += (length + 3) & ~3


def update_in(frame: bytes, at: float) -> Update | None:
    """Return the BGP UPDATEs in an Ethernet *frame* as one, or None where there is none."""
    segment = tcp_segment(frame)
    named = named_in(segment[1]) if segment else None
    if segment is None or named is None:
        return None
    return Update(at=at, source=segment[0], advertised=named.advertised, withdrawn=named.withdrawn)


def spread(updates: list[Update], sources: frozenset[str]) -> float | None:
    """Return seconds between the first UPDATE of the first and of the last of *sources*."""
    first: dict[str, float] = {}
    for update in updates:
        if update.source in sources:
            first.setdefault(update.source, update.at)
    if len(first) < max(2, len(sources)):
        return None
    return max(first.values()) - min(first.values())


def _route_change(body: bytes, at: float, deleted: bool) -> RouteChange:
    family, bits = body[0], body[1]
    destination, gateways = b"", []
    for kind, value in _attributes(body[12:]):
        if kind == _RTA_DST:
            destination = value
        elif kind in (_RTA_GATEWAY, _RTA_VIA):
            gateways.append(_next_hop(family, kind, value))
        elif kind == _RTA_MULTIPATH:
            gateways += _next_hops(family, value)
    name = socket.inet_ntop(family, destination) if destination else "default"
    return RouteChange(
        at=at, prefix=f"{name}/{bits}", gateways=frozenset(gateways), deleted=deleted
    )


def _next_hops(family: int, value: bytes) -> Iterator[str]:
    while len(value) >= 8:
        length = struct.unpack_from("=H", value)[0]
        for kind, inner in _attributes(value[8:length]):
            if kind in (_RTA_GATEWAY, _RTA_VIA):
                yield _next_hop(family, kind, inner)
        value = value[(length + 3) & ~3 :]


def _next_hop(family: int, kind: int, value: bytes) -> str:
    """Return a next hop's address, which may be of the other family (RFC 8950)."""
    if kind == _RTA_VIA:
        family, value = struct.unpack_from("=H", value)[0], value[2:]
    return socket.inet_ntop(family, value)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def monotonic_at_epoch() -> float:
    """Return what to add to the wall clock of this machine to get its monotonic clock."""
    readings = []
    for _ in range(5):  # whoever is interrupted between two readings is off by that much
        before = time.monotonic()
        wall = time.clock_gettime(time.CLOCK_REALTIME)
        after = time.monotonic()
        readings.append((after - before, (before + after) / 2 - wall))
    return min(readings)[1]


def _prefer_this_thread() -> None:
    """Ask for a real-time slice: netlink messages are stamped when read, not when sent."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _netlink_socket() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    _enlarge(sock)
    sock.bind((0, _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_ROUTE))
    sock.settimeout(0.2)
    return sock


def _capture_socket(rows: Sequence[tuple[int, int, int, int]] = _BGP_FILTER) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    code = b"".join(struct.pack("=HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(rows), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    _enlarge(sock)
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while sock.recv(1):  # what came in before the filter was there
            pass
    sock.settimeout(0.2)
    return sock


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
