"""Which prefixes a BGP speaker named in one TCP segment, read without a BGP stack. Pure.

A figure must say whose milliseconds it holds: ours end when an UPDATE (RFC 4271, section 4.3) that
names the prefix reaches the router. What is cut off at the end of a segment, or makes no sense, is
left out; nothing here raises, whatever the bytes.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MARKER: Final = b"\xff" * 16
_HEADER: Final = 19
_UPDATE: Final = 2
_EXTENDED_LENGTH: Final = 0x10
_MP_REACH, _MP_UNREACH = 14, 15  # RFC 4760, sections 3 and 4
_UNICAST: Final = 1
_OCTETS: Final = {1: 4, 2: 16}
"""AFI -> octets of an address."""
_IPV4: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The prefixes that the UPDATEs of one segment name."""

    advertised: frozenset[str]
    withdrawn: frozenset[str]


def tcp_segment(frame: bytes) -> tuple[str, bytes] | None:
    """Return source address and payload of an Ethernet *frame* with TCP in it, else None."""
    if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
        source, start = frame[26:30], 14 + (frame[14] & 15) * 4
    elif frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
        source, start = frame[22:38], 54
    else:
        return None
    if len(frame) < start + 20:
        return None
    payload = frame[start + (frame[start + 12] >> 4) * 4 :]
    return str(ipaddress.ip_address(source)), payload


def named_in(payload: bytes) -> Named | None:
    """Return what the UPDATEs that begin in *payload* name, None where none begins in it."""
    bodies = list(_update_bodies(payload))
    if not bodies:
        return None
    pairs = [pair for body in bodies for pair in _prefixes_of_update(body)]
    return Named(
        advertised=frozenset(prefix for gone, prefix in pairs if not gone),
        withdrawn=frozenset(prefix for gone, prefix in pairs if gone),
    )


def _update_bodies(payload: bytes) -> Iterator[bytes]:
    while payload[:16] == _MARKER and len(payload) >= _HEADER:
        length = _number(payload[16:18])
        if length < _HEADER:
            return
        if payload[18] == _UPDATE:
            yield payload[_HEADER:length]
        payload = payload[length:]


def _prefixes_of_update(body: bytes) -> Iterator[tuple[bool, str]]:
    """Yield (withdrawn, prefix); RFC 4271, section 4.3."""
    attributes = 2 + _number(body[:2])
    routes = attributes + 2 + _number(body[attributes : attributes + 2])
    for prefix in _prefixes(_IPV4, body[2:attributes]):
        yield True, prefix
    for kind, value in _attributes(body[attributes + 2 : routes]):
        afi, unicast = _number(value[:2]), value[2:3] == bytes([_UNICAST])
        if kind == _MP_UNREACH and unicast:
            yield from ((True, prefix) for prefix in _prefixes(afi, value[3:]))
        if kind == _MP_REACH and unicast:
            start = 5 + _number(value[3:4])
            yield from ((False, prefix) for prefix in _prefixes(afi, value[start:]))
    for prefix in _prefixes(_IPV4, body[routes:]):
        yield False, prefix


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 3:
        start = 4 if data[0] & _EXTENDED_LENGTH else 3
        end = start + _number(data[2:start])
        yield data[1], data[start:end]
        data = data[end:]


def _prefixes(afi: int, data: bytes) -> Iterator[str]:
    octets = _OCTETS.get(afi, 0)
    while data:
        bits = data[0]
        end = 1 + (bits + 7) // 8
        if bits > octets * 8 or len(data) < end:
            return
        yield f"{ipaddress.ip_address(data[1:end].ljust(octets, bytes(1)))}/{bits}"
        data = data[end:]


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
