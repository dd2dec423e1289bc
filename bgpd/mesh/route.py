"""Which way the kernel would send: so that status can say when heartbeats go another way.

Heartbeats prove something about the data only while they share its fate, that is, leave by
the interface and the source address of the route to the BGP peers. One question to the
kernel's routing table (rtnetlink(7), RTM_GETROUTE) answers it; pyroute2 would too, for
20 MB of the reflex's memory.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from bgpd.model.errors import TransientError
from bgpd.model.prefix import Address

_RTM_GETROUTE: Final = 26
_NLM_F_REQUEST: Final = 1
_NLMSG_ERROR: Final = 2
_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_PREFSRC: Final = 7
_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TIMEOUT_SECONDS: Final = 1.0


class RouteSource(NamedTuple):
    """How a packet to some destination would leave this host."""

    source: Address
    interface: str


def route_source(destination: Address) -> RouteSource:
    """Return the source address and interface that the kernel would use to *destination*.

    Raise `TransientError` when there is no route.
    """
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    packed = socket.inet_pton(family, destination)
    attribute = _ATTRIBUTE.pack(4 + len(packed), _RTA_DST) + packed
    route = _ROUTE.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0)
    length = _HEADER.size + len(route) + len(attribute)
    question = _HEADER.pack(length, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + route + attribute
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
            netlink.settimeout(_TIMEOUT_SECONDS)
            netlink.send(question)
            answer = netlink.recv(1 << 16)
        return _parsed(answer, family)
    except OSError as error:
        raise TransientError(f"no route to {destination}: {error.strerror or error}") from None


def _parsed(answer: bytes, family: int) -> RouteSource:
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        raise OSError(-code, os.strerror(-code))
    source, interface = Address(""), ""
    for attribute, value in _attributes(answer):
        if attribute == _RTA_PREFSRC:
            source = Address(socket.inet_ntop(family, value))
        elif attribute == _RTA_OIF:
            interface = socket.if_indextoname(struct.unpack("=I", value)[0])
    return RouteSource(source, interface)


def _attributes(answer: bytes) -> Iterator[tuple[int, bytes]]:
    offset = _HEADER.size + _ROUTE.size
    while offset + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind, answer[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
