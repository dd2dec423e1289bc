"""A router of a few lines on loopback: it speaks BGP octet by octet, and hides nothing.

RFC 4271 (messages), 4760 (IPv6), 5492 and 6793 (capabilities), 1997 and 8092 (communities).
"""

import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.2"
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
MARKER: Final = b"\xff" * 16
HEADER: Final = 19
LARGEST: Final = 4096
LARGE_COMMUNITY, COMMUNITY, LOCAL_PREF, MP_REACH, MP_UNREACH = 32, 8, 5, 14, 15
_AS4: Final = 65
_AS_TRANS: Final = 23456


class GoneError(Exception):
    """The other side closed the connection, or said nothing in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An OPEN message (RFC 4271, section 4.2)."""

    version: int
    asn: int
    hold: int
    router_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An UPDATE message (RFC 4271, section 4.3)."""

    length: int
    withdrawn: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    attributes: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before a message; a case may say something that RFC 4271 does not allow."""

    marker: bytes = MARKER
    kind: int = OPEN
    length: int | None = None
    """None: as long as the message is."""


class Router:
    """Listens, and takes one connection at a time."""

    def __init__(self, address: str = LOOPBACK, *, listener: socket.socket | None = None) -> None:
        self.address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = listener or socket.socket(family)
        if listener is None:
            self._listener.bind((address, 0))
            self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self.up_at = 0.0
        """When the session came up."""
        self._link: socket.socket | None = None
        self._read = b""

    def close(self) -> None:
        """Let everything go."""
        self.hang_up()
        self._listener.close()

    def accept(self, seconds: float = 20.0) -> None:
        """Wait for a connection."""
        self.hang_up()
        self._listener.settimeout(seconds)
        try:
            self._link, _ = self._listener.accept()
        except TimeoutError:
            raise GoneError(f"nobody connects within {seconds:.0f} s") from None
        self._read = b""

    def hang_up(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    # What is sent

    def send(self, kind: int, body: bytes = b"", header: "Header | None" = None) -> None:
        """Send one message, with a *header* of its own if there is one."""
        assert self._link is not None
        one = header or Header(kind=kind)
        length = HEADER + len(body) if one.length is None else one.length
        self._link.sendall(one.marker + struct.pack("!HB", length, one.kind) + body)

    def send_open(
        self,
        *,
        asn: int,
        hold: int = 90,
        router_id: str = "10.0.0.254",
        version: int = 4,
        header: "Header | None" = None,
    ) -> None:
        """Send OPEN, with four octets of ASN and IPv4 and IPv6 routes."""
        families = b"".join(_capability(1, struct.pack("!HBB", afi, 0, 1)) for afi in (1, 2))
        capabilities = families + _capability(_AS4, struct.pack("!I", asn))
        parameters = bytes([2, len(capabilities)]) + capabilities
        two = asn if asn < 65536 else _AS_TRANS
        body = struct.pack("!BHH", version, two, hold) + socket.inet_aton(router_id)
        self.send(OPEN, body + bytes([len(parameters)]) + parameters, header)

    def send_route(self, prefix: str, *, asn: int) -> None:
        """Announce an IPv4 prefix with ourselves as next hop."""
        path = struct.pack("!BBI", 2, 1, asn)
        attributes = (
            b"\x40\x01\x01\x00"
            + (b"\x40\x02" + bytes([len(path)]) + path)
            + (b"\x40\x03\x04" + socket.inet_aton("127.0.0.2"))
        )
        network = ipaddress.IPv4Network(prefix)
        octets = network.network_address.packed[: (network.prefixlen + 7) // 8]
        body = struct.pack("!HH", 0, len(attributes)) + attributes
        self.send(UPDATE, body + bytes([network.prefixlen]) + octets)

    def send_notification(self, code: int, subcode: int) -> None:
        """Send NOTIFICATION."""
        self.send(NOTIFICATION, bytes([code, subcode]))

    # What is read

    def message(self, seconds: float = 20.0) -> tuple[int, bytes]:
        """Return the type and the body of the next message."""
        assert self._link is not None
        deadline = time.monotonic() + seconds
        while True:
            if len(self._read) >= HEADER:
                length, kind = struct.unpack("!HB", self._read[16:HEADER])
                if len(self._read) >= length:
                    body = self._read[HEADER:length]
                    self._read = self._read[length:]
                    return kind, body
            self._fill(deadline)

    def _fill(self, deadline: float) -> None:
        assert self._link is not None
        left = deadline - time.monotonic()
        if left <= 0:
            raise GoneError("no message in time")
        self._link.settimeout(left)
        try:
            more = self._link.recv(1 << 16)
        except TimeoutError:
            raise GoneError("no message in time") from None
        except OSError as error:
            raise GoneError(str(error)) from None
        if not more:
            raise GoneError("the connection was closed")
        self._read += more

    def expect(self, kind: int, seconds: float = 20.0) -> bytes:
        """Return the body of the next message of *kind*; KEEPALIVEs in between are passed over."""
        while True:
            found, body = self.message(seconds)
            if found == kind:
                return body
            if found != KEEPALIVE:
                raise GoneError(f"a message of type {found} instead of {kind}")

    def establish(self, *, asn: int, hold: int = 90) -> Open:
        """Take a connection and bring the session up; return the other side's OPEN."""
        self.accept()
        found = opened(self.expect(OPEN))
        self.send_open(asn=asn, hold=hold)
        self.send(KEEPALIVE)
        self.expect(KEEPALIVE)
        self.up_at = time.monotonic()
        return found

    def updates(self, seconds: float, *, first: float | None = None) -> Iterator[Update]:
        """Yield UPDATEs until none came for *seconds*; End-of-RIB markers are passed over.

        The *first* may take longer: that of a session that has just come up.
        """
        patience = seconds if first is None else first
        while True:
            try:
                kind, body = self.message(patience)
            except GoneError:
                return
            if kind == UPDATE:
                found = updated(body)
                if found.withdrawn or found.announced:
                    patience = seconds
                    yield found


def opened(body: bytes) -> Open:
    """Return the OPEN that *body* is."""
    version, asn, hold = struct.unpack("!BHH", body[:5])
    for kind, value in _capabilities(body[10:]):
        if kind == _AS4:
            (asn,) = struct.unpack("!I", value)
    return Open(version=version, asn=asn, hold=hold, router_id=socket.inet_ntoa(body[5:9]))


def updated(body: bytes) -> Update:
    """Return the UPDATE that *body* is."""
    (gone,) = struct.unpack("!H", body[:2])
    (size,) = struct.unpack("!H", body[2 + gone : 4 + gone])
    start = 4 + gone
    attributes = dict(_attributes(body[start : start + size]))
    announced = list(_prefixes(body[start + size :], 4))
    withdrawn = list(_prefixes(body[2 : 2 + gone], 4))
    reach, unreach = attributes.get(MP_REACH), attributes.get(MP_UNREACH)
    if reach is not None:
        announced += _prefixes(reach[5 + reach[3] :], 6 if reach[1] == 2 else 4)
    if unreach is not None:
        withdrawn += _prefixes(unreach[3:], 6 if unreach[1] == 2 else 4)
    return Update(
        length=HEADER + len(body),
        withdrawn=tuple(withdrawn),
        announced=tuple(announced),
        attributes=attributes,
    )


def _capability(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value)]) + value


def _capabilities(parameters: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield capabilities; each may be a parameter of its own."""
    while len(parameters) >= 2:
        kind, length = parameters[:2]
        value, parameters = parameters[2 : 2 + length], parameters[2 + length :]
        while kind == 2 and len(value) >= 2:
            yield value[0], value[2 : 2 + value[1]]
            value = value[2 + value[1] :]


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while octets:
        flags, kind = octets[:2]
        wide = flags & 0x10
        length = int.from_bytes(octets[2 : 4 if wide else 3])
        start = 4 if wide else 3
        yield kind, octets[start : start + length]
        octets = octets[start + length :]


def _prefixes(octets: bytes, version: int) -> Iterator[str]:
    while octets:
        length = octets[0]
        count = (length + 7) // 8
        packed = octets[1 : 1 + count].ljust(4 if version == 4 else 16, b"\0")
        yield f"{ipaddress.ip_address(packed)}/{length}"
        octets = octets[1 + count :]
