"""The kernel's words for links, neighbors and routes (rtnetlink(7)), as values.

The `*_question` functions return the body of a request, the `decode_*` functions read the body of
an answer. What cannot be read raises `ProtocolError`.

Supported: RTM_GETLINK by index, RTM_GETNEIGH of one address (Linux 5.0), RTM_GETROUTE with
RTM_F_FIB_MATCH (Linux 4.13), which answers with every next hop and not with the one of the hour.
"""

import struct
from enum import IntFlag
from typing import Final, NamedTuple

from bgpd.host import wire
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address

NEWLINK: Final = 16
DELLINK: Final = 17
GETLINK: Final = 18
NEWADDR: Final = 20
DELADDR: Final = 21
GETADDR: Final = 22
NEWROUTE: Final = 24
DELROUTE: Final = 25
GETROUTE: Final = 26
NEWNEIGH: Final = 28
DELNEIGH: Final = 29
GETNEIGH: Final = 30
NEWNEXTHOP: Final = 104
DELNEXTHOP: Final = 105

GROUPS: Final = (1, 3, 5, 7, 9, 11, 32)
"""RTNLGRP: link, neighbor, addresses and routes of IPv4 and of IPv6, nexthop objects."""

_LINK: Final = struct.Struct("=BxHiII")
_NEIGHBOR: Final = struct.Struct("=BxxxiHBB")
ROUTE: Final = struct.Struct("=BBBBBBBBI")
NEXT_HOP: Final = struct.Struct("=HBBi")

_IFLA_IFNAME: Final = 3
_IFLA_OPERSTATE: Final = 16
_IFLA_EXT_MASK: Final = 29
_SKIP_STATISTICS: Final = 8
_NDA_DST: Final = 1
RTA_DST: Final = 1
RTA_OIF: Final = 4
RTA_GATEWAY: Final = 5
RTA_MULTIPATH: Final = 9
RTA_VIA: Final = 18
_NTF_USE: Final = 0x01
_F_FIB_MATCH: Final = 0x2000
_UNICAST: Final = 1
_LOCAL: Final = 2

_UP: Final = 0x1
_LOOPBACK: Final = 0x8
_POINT_TO_POINT: Final = 0x10
_NOARP: Final = 0x80
_LOWER_UP: Final = 0x10000
_OPER_WAITING: Final = (4, 5)
"""RFC 2863's testing and dormant, in Linux's numbers: there is a line that may not be used yet. Its
down comes and goes up to a second after the flag, so the flag decides."""


class Neighbor(IntFlag):
    """The states of a neighbor entry (NUD_* of linux/neighbour.h)."""

    NONE = 0
    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


class Link(NamedTuple):
    """One interface."""

    interface: int
    name: str
    carrier: bool | None
    resolves: bool
    """Whether its neighbors are looked for by ARP or neighbor discovery."""
    loopback: bool


class Hop(NamedTuple):
    """One way to a destination."""

    interface: int
    """Of the interface."""
    gateway: Address | None
    """None: the destination is on the link."""


def link_question(index: int) -> bytes:
    """Ask for one interface."""
    brief = wire.attribute(_IFLA_EXT_MASK, wire.numbered(_SKIP_STATISTICS))
    return _LINK.pack(0, 0, index, 0, 0) + brief


def neighbor_question(index: int, address: Address) -> bytes:
    """Ask for one entry of the neighbor table."""
    return _neighbor(index, address, Neighbor.NONE)


def probe_order(index: int, address: Address) -> bytes:
    """Have the kernel ask at once for an entry that it believes in: NUD_PROBE."""
    return _neighbor(index, address, Neighbor.PROBE)


def use_order(index: int, address: Address) -> bytes:
    """Have the kernel look for an address as if a packet waited for it: NTF_USE."""
    return _neighbor(index, address, Neighbor.NONE, _NTF_USE)


def route_question(destination: Address) -> bytes:
    """Ask for the route to *destination*, whole.

    A kernel that checks strictly refuses a question with a type, as one with a table.
    """
    packed = wire.packed(destination)
    head = ROUTE.pack(wire.family(destination), len(packed) * 8, 0, 0, 0, 0, 0, 0, _F_FIB_MATCH)
    return head + wire.attribute(RTA_DST, packed)


def decode_link(body: bytes) -> Link:
    """Read a link."""
    _, _, index, flags, _ = _head(_LINK, body)
    found = wire.attributes(body, _LINK.size)
    name = found.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace")
    state = found.get(_IFLA_OPERSTATE, b"\0")[:1]
    return Link(
        interface=index,
        name=name or f"interface {index}",
        carrier=_carrier(flags, state[0] if state else 0),
        resolves=not flags & (_LOOPBACK | _POINT_TO_POINT | _NOARP),
        loopback=bool(flags & _LOOPBACK),
    )


def link_index(body: bytes) -> int:
    """Read only which interface a message about a link is about."""
    index: int = _head(_LINK, body)[2]
    return index


def neighbor_index(body: bytes) -> int:
    """Read only on which interface a neighbor is."""
    index: int = _head(_NEIGHBOR, body)[1]
    return index


def decode_neighbor(body: bytes) -> tuple[int, Address | None, Neighbor]:
    """Read the interface, the address and the state of a neighbor entry."""
    family, index, state, _, _ = _head(_NEIGHBOR, body)
    packed = wire.attributes(body, _NEIGHBOR.size).get(_NDA_DST)
    known = packed is not None and family in (wire.AF_INET, wire.AF_INET6)
    return index, wire.address(packed or b"") if known else None, Neighbor(state & 0xFF)


def decode_hops(body: bytes) -> tuple[Hop, ...]:
    """Read the ways that a route offers; none where it forbids or swallows."""
    kind = _head(ROUTE, body)[7]
    if kind not in (_UNICAST, _LOCAL):
        return ()
    found = wire.attributes(body, ROUTE.size)
    if RTA_MULTIPATH in found:
        return _multipath(found[RTA_MULTIPATH])
    if RTA_OIF not in found:
        return ()
    return (Hop(wire.number(found[RTA_OIF]), gateway(found)),)


def gateway(found: wire.Attributes) -> Address | None:
    """Return the next hop among a route's attributes, also one of the other family."""
    if RTA_GATEWAY in found:
        return wire.address(found[RTA_GATEWAY])
    if RTA_VIA in found:
        return wire.address(found[RTA_VIA][2:])
    return None


def split_multipath(value: bytes) -> list[tuple[int, int, int, wire.Attributes]]:
    """Return flags, weight, interface and attributes of each next hop."""
    hops, offset = [], 0
    while offset + NEXT_HOP.size <= len(value):
        length, flags, more, index = NEXT_HOP.unpack_from(value, offset)
        if length < NEXT_HOP.size or offset + length > len(value):
            break
        inner = wire.attributes(value[offset + NEXT_HOP.size : offset + length])
        hops.append((flags, more + 1, index, inner))
        offset += (length + 3) & ~3
    return hops


def _multipath(value: bytes) -> tuple[Hop, ...]:
    return tuple(Hop(index, gateway(found)) for _, _, index, found in split_multipath(value))


def _neighbor(index: int, address: Address, state: Neighbor, flags: int = 0) -> bytes:
    head = _NEIGHBOR.pack(wire.family(address), index, state, flags, 0)
    return head + wire.attribute(_NDA_DST, wire.packed(address))


def _carrier(flags: int, state: int) -> bool | None:
    if not flags & _UP or not flags & _LOWER_UP:
        return False
    return None if state in _OPER_WAITING else True


def _head(form: struct.Struct, body: bytes) -> tuple[int, ...]:
    if len(body) < form.size:
        raise ProtocolError(f"a message of {len(body)} bytes where {form.size} are the least")
    return form.unpack_from(body)
