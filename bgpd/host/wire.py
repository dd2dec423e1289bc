"""Netlink as bytes: what the kernel is asked, and what it answers.

A message is a header and a body; a body is a fixed head and attributes, each with a length, a
number and a value (netlink(7)). Numbers are in the host's order, addresses in the network's.
pyroute2 knows all of this and much more, for 13.5 MB of memory and 70 ms at the start of an agent
that needs eight kinds of messages.

A length that leads outside of what was received ends the reading: the kernel does not send such
a thing, and what came before it is still true.
"""

import errno
import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, TypeAlias

from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address

ERROR: Final = 2
DONE: Final = 3
OVERRUN: Final = 4
REQUEST: Final = 0x1
MULTI: Final = 0x2
ACK: Final = 0x4
DUMP_INTERRUPTED: Final = 0x10
REPLACE: Final = 0x100
EXCL: Final = 0x200
DUMP: Final = 0x300
CREATE: Final = 0x400
HEADER: Final = struct.Struct("=IHHII")
AF_INET: Final = 2
AF_INET6: Final = 10
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")
_CODE: Final = struct.Struct("=i")
_TYPE: Final = 0x3FFF
"""An attribute's number without its two flags, `nested` and `in network order`."""
_NESTED: Final = 0x8000
_V4_BYTES: Final = 4
_V6_BYTES: Final = 16


Attributes: TypeAlias = Mapping[int, bytes]


class Message(NamedTuple):
    """One message of the kernel."""

    kind: int
    flags: int
    sequence: int
    body: bytes

    @property
    def error(self) -> int:
        """The errno that an error message or the end of a dump carries; 0: it went well."""
        if self.kind not in (ERROR, DONE) or len(self.body) < _CODE.size:
            return 0
        code: int = _CODE.unpack_from(self.body)[0]
        return -code


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram."""
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size or offset + length > len(data):
            return
        yield Message(kind, flags, sequence, data[offset + HEADER.size : offset + length])
        offset += _aligned(length)


def more(data: bytes, offset: int = 0) -> bool:
    """Return whether more of a dump is to come, at a message that is none of its rows.

    Raise the `OSError` that the kernel names.
    """
    for message in messages(data[offset:]):
        if message.error:
            raise OSError(message.error, errno.errorcode.get(message.error, ""))
        if message.kind in (ERROR, DONE):
            return False
    return True


def request(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return the datagram that asks the kernel for something."""
    return HEADER.pack(HEADER.size + len(body), kind, flags | REQUEST, sequence, 0) + body


def attributes(body: bytes, offset: int = 0) -> Attributes:
    """Return the attributes of *body* from *offset* on; the last of a number counts."""
    return dict(_attributes(body, offset))


def attribute(number: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, number) + value + bytes(_aligned(length) - length)


def nested(number: int, *inner: bytes) -> bytes:
    """Return an attribute made of attributes."""
    return attribute(number | _NESTED, b"".join(inner))


def number(value: bytes | None) -> int:
    """Return a 32-bit number in the host's order; 0 where there is none."""
    if value is None or len(value) < _NUMBER.size:
        return 0
    found: int = _NUMBER.unpack_from(value)[0]
    return found


def numbered(value: int) -> bytes:
    """Return the bytes of a 32-bit number."""
    return _NUMBER.pack(value)


def address(packed: bytes) -> Address:
    """Return an address of 4 or 16 bytes as text, or raise `ProtocolError`."""
    if len(packed) == _V4_BYTES:
        return Address(str(IPv4Address(packed)))
    if len(packed) == _V6_BYTES:
        return Address(str(IPv6Address(packed)))
    raise ProtocolError(f"an address of {len(packed)} bytes")


def packed(text: str) -> bytes:
    """Return the 4 or 16 bytes of an address."""
    return IPv6Address(text).packed if ":" in text else IPv4Address(text).packed


def family(text: str) -> int:
    """Return the number of an address's family."""
    return AF_INET6 if ":" in text else AF_INET


def _attributes(body: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < _ATTRIBUTE.size or offset + length > len(body):
            return
        yield kind & _TYPE, body[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
