"""Send test datagrams by a certain router, and count those that come to this host.

Both ends are packet sockets (packet(7)): what is sent goes to the router's hardware address
whatever this host's own routes say, and what arrives is counted before any firewall, whether
the address is bound here or not. Needs CAP_NET_RAW.
"""

import ctypes
import itertools
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Final, Self

from bgpd.ctl import probepacket
from bgpd.ctl.probeplan import ProbeError, Tally
from bgpd.host import rtnetlink, wire
from bgpd.host.netlink import Asking
from bgpd.mesh.route import route_source
from bgpd.model.errors import TransientError
from bgpd.model.prefix import Address

_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
_EVERYTHING: Final = socket.htons(3)
"""ETH_P_ALL: what arrives is seen before the host's own filters."""
_ATTACH_FILTER: Final = 26
_RECEIVE_ROOM: Final = 1 << 22
_TIMESTAMPS: Final = 35
"""SO_TIMESTAMPNS."""
_TIMESPEC: Final = struct.Struct("=qq")
_TOLD_BYTES: Final = 64
_NDA_LLADDR: Final = 2
_NEIGHBOR_HEAD: Final = 12
_INSTRUCTION_BYTES: Final = 8
_LONGEST: Final = 2048
_BURST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How datagrams leave for one router."""

    interface: str
    source: Address
    hardware: bytes
    """The hardware address of the router, or of the gateway to it; empty where links have none."""


def way_to(router: Address) -> Way:
    """Return how the kernel would send to *router*; raise `ProbeError` where it cannot."""
    try:
        source, _ = route_source(router)
        with Asking(socket.NETLINK_ROUTE) as kernel:
            question = rtnetlink.route_question(router)
            hops = rtnetlink.decode_hops(kernel.one(rtnetlink.GETROUTE, question))
            if not hops:
                raise ProbeError(f"this host has no route to {router}")
            index, gateway = hops[0]
            link = rtnetlink.decode_link(
                kernel.one(rtnetlink.GETLINK, rtnetlink.link_question(index))
            )
            hardware = b""
            if link.resolves:
                asked = rtnetlink.neighbor_question(index, gateway or router)
                entry = kernel.one(rtnetlink.GETNEIGH, asked)
                hardware = wire.attributes(entry, _NEIGHBOR_HEAD).get(_NDA_LLADDR, b"")
    except (OSError, TransientError) as error:
        raise ProbeError(f"the way to {router} is not known: {error}") from None
    if link.resolves and not hardware:
        raise ProbeError(f"the hardware address of {gateway or router} is not known")
    return Way(interface=link.name, source=source, hardware=hardware)


@dataclass(slots=True)
class Sender:
    """Sends a few datagrams by every way each time that it is asked."""

    target: Address
    mark: bytes
    ways: dict[int, Way]
    ttls: dict[int, int]
    """The time to live by each way: no more than it takes, so that no node sends one on."""
    _socket: socket.socket = field(init=False)
    _ports: "itertools.cycle[int]" = field(init=False)

    def __post_init__(self) -> None:
        """Open the socket; raise `ProbeError` where we may not."""
        self._socket = _packet_socket(0)
        first = probepacket.FIRST_SOURCE_PORT
        self._ports = itertools.cycle(range(first, first + probepacket.FLOWS))

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def send(self) -> None:
        """Send the next datagrams."""
        ports = list(itertools.islice(self._ports, _BURST))
        kind = _ETHERTYPES[6 if ":" in self.target else 4]
        for number, way in self.ways.items():
            said = probepacket.payload(self.mark, number)
            to = (way.interface, kind, 0, 0, way.hardware)
            for port in ports:
                packet = probepacket.datagram(
                    way.source, self.target, port=port, ttl=self.ttls[number], said=said
                )
                try:
                    self._socket.sendto(packet, to)
                except OSError:
                    # A full queue, or a link that is down: that shows in what arrives.
                    break


class Counter:
    """Counts the datagrams of one probe that come to this host, by their way."""

    def __init__(self, target: Address, mark: bytes) -> None:
        """Listen from now on; raise `ProbeError` where we may not."""
        self.tallies: dict[int, Tally] = {}
        self._mark = mark
        self._socket = _packet_socket(_EVERYTHING)
        self._filter(probepacket.program(target))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_ROOM)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Count what has arrived."""
        offset = time.time() - time.monotonic()
        while True:
            try:
                packet, told, _, _ = self._socket.recvmsg(_LONGEST, _TOLD_BYTES)
            except BlockingIOError:
                return
            except OSError:
                # An interface went down: the socket hears of it once, and goes on.
                continue
            way = probepacket.way_of(packet, self._mark)
            if way is not None:
                before = self.tallies.get(way, Tally())
                last = _arrived(told) - offset
                self.tallies[way] = Tally(count=before.count + 1, last=last)

    def _filter(self, text: bytes) -> None:
        buffer = ctypes.create_string_buffer(text)
        program = _Program(len(text) // _INSTRUCTION_BYTES, ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, bytes(program))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _arrived(told: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel got a packet, by the wall clock: we may have been busy meanwhile."""
    for _, kind, data in told:
        if kind == _TIMESTAMPS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return float(seconds) + float(nanoseconds) / 1e9
    return time.time()


def _packet_socket(protocol: int) -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        raise ProbeError("test datagrams need CAP_NET_RAW: run this as root on the node") from None
