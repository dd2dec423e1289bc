"""The test datagrams of `bgpctl probe`: how they are written, and how the kernel picks them out.

A datagram goes to the spare address, UDP port 9 (discard, RFC 863), from many source ports, so that
a router that spreads flows shows it. Its payload names the probe and the way by which it left. It
is written with its IP header, because a node that has the address bound would keep it for itself.
"""

import ipaddress
import struct
from typing import Final

from bgpd.model.prefix import Address

PORT: Final = 9
FIRST_SOURCE_PORT: Final = 50_000
FLOWS: Final = 64
MAGIC: Final = b"bPRB"
MARK_BYTES: Final = 8
CLIENT_WAY: Final = 255
"""The way of datagrams that a third machine sends."""

_UDP: Final = 17
_PAYLOAD: Final = struct.Struct(f"!4s{MARK_BYTES}sB3x")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_PORTS: Final = struct.Struct("!HHHH")
_DONT_FRAGMENT: Final = 0x4000

_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD_WORD, _LOAD_BYTE, _LOAD_HALF = 0x20, 0x30, 0x28
_EQUAL, _RETURN = 0x15, 0x06
_ANCILLARY: Final = 0xFFFFF000
_PACKET_TYPE: Final = (_ANCILLARY + 4) & 0xFFFFFFFF
_PROTOCOL: Final = _ANCILLARY & 0xFFFFFFFF
_NETWORK: Final = 0xFFF00000
"""SKF_NET_OFF: offsets from the network header, whatever the link is."""


def payload(mark: bytes, way: int) -> bytes:
    """Return what a datagram of the probe *mark* says that left by *way*."""
    return _PAYLOAD.pack(MAGIC, mark, way)


def way_of(packet: bytes, mark: bytes) -> int | None:
    """Return the way of a received IP *packet*; None where it is not of the probe *mark*."""
    start = packet.find(MAGIC + mark)
    end = start + len(MAGIC) + MARK_BYTES
    return packet[end] if start >= 0 and len(packet) > end else None


def datagram(source: Address, target: Address, *, port: int, ttl: int, said: bytes) -> bytes:
    """Return an IP packet with *said* in a UDP datagram from *port*."""
    here, there = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    length = _PORTS.size + len(said)
    ports = _PORTS.pack(port, PORT, length, 0)
    pseudo = here + there + struct.pack("!II", length, _UDP)
    checksum = _checksum(pseudo + ports + said) or 0xFFFF
    udp = _PORTS.pack(port, PORT, length, checksum) + said
    if len(here) == 16:
        return _IPV6.pack(6 << 28, length, _UDP, ttl, here, there) + udp
    fields = (0x45, 0, _IPV4.size + length, 0, _DONT_FRAGMENT, ttl, _UDP)
    head = _IPV4.pack(*fields, _checksum(_IPV4.pack(*fields, 0, here, there)), here, there)
    return head + udp


def program(target: Address) -> bytes:
    """Return the classic BPF program that lets datagrams to *target* pass that came to this host.

    What leaves it, and what a switch floods for others, is none of them.
    """
    packed = ipaddress.ip_address(target).packed
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    six = len(packed) == 16
    destination, next_header = (24, 6) if six else (16, 9)
    tests = [
        (_LOAD_BYTE, _PACKET_TYPE, 0),  # PACKET_HOST
        (_LOAD_HALF, _PROTOCOL, 0x86DD if six else 0x0800),
        (_LOAD_BYTE, _NETWORK + next_header, _UDP),
        *(
            (_LOAD_WORD, _NETWORK + destination + 4 * number, word)
            for number, word in enumerate(words)
        ),
    ]
    lines = []
    for number, (load, offset, wanted) in enumerate(tests):
        left = 2 * (len(tests) - number) - 2
        lines.append(_INSTRUCTION.pack(load, 0, 0, offset))
        lines.append(_INSTRUCTION.pack(_EQUAL, 0, left + 1, wanted))
    lines += [_INSTRUCTION.pack(_RETURN, 0, 0, 0xFFFF), _INSTRUCTION.pack(_RETURN, 0, 0, 0)]
    return b"".join(lines)


def client_command(target: Address, mark: bytes, *, ttl: int) -> str:
    """Return a command that sends the test datagrams from a machine that has Python alone."""
    six = ":" in target
    family, level, option = ("AF_INET6", 41, 16) if six else ("AF_INET", 0, 2)
    return (
        "python3 -c 'import socket,time;"
        f"s=[socket.socket(socket.{family},socket.SOCK_DGRAM) for _ in range({FLOWS})];"
        f"[x.setsockopt({level},{option},{ttl}) for x in s];"
        f'd=bytes.fromhex("{payload(mark, CLIENT_WAY).hex()}");'
        f'[[x.sendto(d,("{target}",{PORT})) for x in s] and time.sleep(.05)'
        " for _ in range(4000)]'"
    )


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
