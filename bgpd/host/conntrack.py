"""Which TCP connections this node passes on: ctnetlink (nfnetlink_conntrack.h) as bytes.

kube-proxy replaces an elastic IP by an endpoint's address, so the sockets of a connection are in
some pod, here or on another node, and its elastic IP is only in the connection tracker: the
original destination. Where the answers come from another address or port than that, the
connection was rewritten and is counted here; otherwise it ends on this host, or is passed on as it
is, and the caller weighs it against the sockets (`bgpd.host.connections`).

A connection is open in ESTABLISHED, FIN_WAIT, CLOSE_WAIT and LAST_ACK: the tracker's names for
"no FIN", "one FIN", "it was acknowledged" and "both", each in either direction. It forgets an
open one after five days of silence, the others after one or two minutes.
"""

import struct
from collections import Counter
from collections.abc import Callable
from typing import Final

from bgpd.host import wire
from bgpd.host.wire import Attributes

GET: Final = 0x0101
"""NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_GET; new entries are what a dump answers with."""
NEW: Final = 0x0100

_FAMILY: Final = struct.Struct("=BBH")
_KIND: Final = struct.Struct("=IH")
_TUPLE_ORIGINAL: Final = 1
_TUPLE_REPLY: Final = 2
_PROTOCOL_STATE: Final = 4
_FILTER: Final = 25
_FILTER_ORIGINAL: Final = 1
_BY_DESTINATION: Final = 1 << 1
_BY_PROTOCOL: Final = 1 << 3
_IP: Final = 1
_PROTOCOL: Final = 2
_V4_SOURCE: Final = 1
_V4_DESTINATION: Final = 2
_V6_SOURCE: Final = 3
_V6_DESTINATION: Final = 4
_NUMBER: Final = 1
_SOURCE_PORT: Final = 2
_DESTINATION_PORT: Final = 3
_TCP: Final = 6
_TCP_PART: Final = 1
_TCP_STATE: Final = 1
_OPEN: Final = frozenset({3, 4, 5, 6})
"""ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK."""
_DESTINATION: Final = {
    wire.AF_INET: struct.Struct("=6xH2xH2xH4x2xH4s"),
    wire.AF_INET6: struct.Struct("=6xH2xH2xH16x2xH16s"),
}
"""The beginning of an entry: its family, and in nested attributes the original direction's
addresses, the second of which is the destination."""
_TYPE: Final = 0x3FFF
_NOTHING: Final = b""


def question(family: int, destination: bytes = b"") -> bytes:
    """Ask for the TCP connections of *family*, to *destination* where one is given.

    Linux before 5.8 knows no filter and answers with everything: what comes is always looked at.
    """
    flags, inner = _BY_PROTOCOL, wire.nested(_PROTOCOL, wire.attribute(_NUMBER, bytes([_TCP])))
    if destination:
        kind = _V4_DESTINATION if family == wire.AF_INET else _V6_DESTINATION
        flags |= _BY_DESTINATION
        inner = wire.nested(_IP, wire.attribute(kind, destination)) + inner
    wanted = wire.attribute(_FILTER_ORIGINAL, wire.numbered(flags))
    return (
        _FAMILY.pack(family, 0, 0)
        + wire.nested(_TUPLE_ORIGINAL, inner)
        + wire.nested(_FILTER, wanted)
    )


class Tally:
    """Counts the open connections to the addresses that are asked for."""

    def __init__(self, wanted: Callable[[bytes], bool]) -> None:
        self.rewritten: Counter[bytes] = Counter()
        """Elastic IP, as on the wire -> connections that go on to another address or port."""
        self.plain: Counter[bytes] = Counter()
        """Elastic IP -> connections that keep their addresses."""
        self._wanted = wanted

    def count(self, data: bytes) -> bool:
        """Count what is in one datagram; return whether more is to come.

        Raise the `OSError` that the kernel names.
        """
        offset, end = 0, len(data) - wire.HEADER.size
        while offset <= end:
            length, kind = _KIND.unpack_from(data, offset)
            if length < wire.HEADER.size:
                return False
            if kind != NEW:
                return wire.more(data, offset)
            if self._may_count(data, offset, length):
                self._entry(data[offset + wire.HEADER.size : offset + length])
            offset += (length + 3) & ~3
        return True

    def _may_count(self, data: bytes, offset: int, length: int) -> bool:
        """Return False for an entry whose destination, where kernels write it, is not wanted.

        A busy node's table is long, and nearly all of it about others.
        """
        body = offset + wire.HEADER.size
        form = _DESTINATION.get(data[body]) if length > wire.HEADER.size else None
        if form is None or length < wire.HEADER.size + form.size:
            return True
        first, second, _, third, destination = form.unpack_from(data, body)
        if (first & _TYPE, second & _TYPE) != (_TUPLE_ORIGINAL, _IP):
            return True
        return third not in (_V4_DESTINATION, _V6_DESTINATION) or self._wanted(destination)

    def _entry(self, body: bytes) -> None:
        found = wire.attributes(body, _FAMILY.size)
        original = wire.attributes(found.get(_TUPLE_ORIGINAL, _NOTHING))
        destination = _of(original.get(_IP), _V4_DESTINATION, _V6_DESTINATION)
        if not destination or not self._wanted(destination) or not _is_open(found):
            return
        reply = wire.attributes(found.get(_TUPLE_REPLY, _NOTHING))
        same = destination == _of(reply.get(_IP), _V4_SOURCE, _V6_SOURCE) and _of(
            original.get(_PROTOCOL), _DESTINATION_PORT
        ) == _of(reply.get(_PROTOCOL), _SOURCE_PORT)
        (self.plain if same else self.rewritten)[destination] += 1


def _is_open(found: Attributes) -> bool:
    state = wire.attributes(found.get(_PROTOCOL_STATE, _NOTHING)).get(_TCP_PART)
    return _of(state, _TCP_STATE)[:1] in {bytes([one]) for one in _OPEN}


def _of(nested: bytes | None, *kinds: int) -> bytes:
    """Return the first of *kinds* among nested attributes."""
    found = wire.attributes(nested or _NOTHING)
    return next((found[kind] for kind in kinds if kind in found), _NOTHING)
