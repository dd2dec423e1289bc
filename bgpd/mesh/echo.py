"""Ask another node's kernel whether it is there, without asking any process on it.

While a member's process restarts, its kernel still forwards traffic and no takeover is due;
an ICMP echo tells that apart from a node without power. A ping socket needs no privilege
where `net.ipv4.ping_group_range` holds our group; else a raw socket needs NET_RAW; else there
is no echo, and the caller has to make do with refusals.

Supported standards: RFC 792 (echo), RFC 4443 section 4 (echo over IPv6).
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from bgpd.mesh.ports import attach, mark_as_control
from bgpd.model.prefix import Address
from bgpd.timestamp import ANCILLARY_SIZE, Clock, enable_timestamps

ProbeMode: TypeAlias = Literal["ping", "raw", "none"]

_HEADER: Final = struct.Struct("!BBHHH")
_ECHO_REPLY: Final = 0
_ECHO: Final = 8
_ECHO_V6: Final = 128
_ECHO_REPLY_V6: Final = 129
_ICMP6_FILTER: Final = 1
_SO_ATTACH_FILTER: Final = 26
_TOKEN_SIZE: Final = 8
_MAX_READS: Final = 4096


class Reply(NamedTuple):
    """What an echo reply brings back of the echo."""

    ident: int
    payload: bytes


class Echo:
    """A socket that sends echoes from one address and recognizes its own replies.

    A reply counts only when it carries the random token that this object was born with.
    """

    def __init__(self, address: Address) -> None:
        self.mode: ProbeMode = "none"
        self.socket: socket.socket | None = None
        self._v6 = ":" in address
        self._ident = int.from_bytes(os.urandom(2))
        self._token = os.urandom(_TOKEN_SIZE)
        self._sequence = 0
        modes: tuple[tuple[ProbeMode, int], ...] = (
            ("ping", socket.SOCK_DGRAM),
            ("raw", socket.SOCK_RAW),
        )
        for mode, kind in modes:
            try:
                self.socket = self._opened(address, kind)
            except OSError:
                continue
            self.mode = mode
            return

    def close(self) -> None:
        """Give the socket back."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self.mode = "none"

    def send(self, address: Address) -> None:
        """Send one echo to *address*; `OSError` as the kernel gives it."""
        if self.socket is None:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        kind = _ECHO_V6 if self._v6 else _ECHO
        message = _HEADER.pack(kind, 0, 0, self._ident, self._sequence) + self._token
        if self.mode == "raw" and not self._v6:
            checksum = internet_checksum(message)
            message = _HEADER.pack(kind, 0, checksum, self._ident, self._sequence) + self._token
        self.socket.sendto(message, (address, 0))

    def replies(self, clock: Clock) -> Iterator[tuple[Address, float]]:
        """Return who replied and when, for everything that is queued now."""
        for _ in range(_MAX_READS):
            if self.socket is None:
                return
            try:
                data, ancillary, _, source = self.socket.recvmsg(2048, ANCILLARY_SIZE)
            except BlockingIOError:
                return
            except OSError:
                # A pending ICMP error: reading it has cleared it.
                continue
            reply = read_reply(
                data, v6=self._v6, with_ip_header=self.mode == "raw" and not self._v6
            )
            if reply is not None and self._ours(reply):
                yield Address(source[0].partition("%")[0]), clock.at(ancillary)

    def _ours(self, reply: Reply) -> bool:
        # The kernel chooses the identifier of a ping socket, and sorts the replies by it.
        known = self.mode == "ping" or reply.ident == self._ident
        return known and reply.payload == self._token

    def _opened(self, address: Address, kind: int) -> socket.socket:
        family = socket.AF_INET6 if self._v6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self._v6 else socket.IPPROTO_ICMP
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            enable_timestamps(sock)
            mark_as_control(sock, v6=self._v6)
            if kind == socket.SOCK_RAW:
                self._only_our_replies(sock)
            sock.bind((address, 0))
        except OSError:
            sock.close()
            raise
        return sock

    def _only_our_replies(self, sock: socket.socket) -> None:
        """Spare us the ICMP of the whole host, which a raw socket would otherwise copy to us."""
        if self._v6:
            # RFC 3542, section 3.2: a set bit blocks that type.
            blocked = bytearray(b"\xff" * 32)
            word, bit = divmod(_ECHO_REPLY_V6, 32)
            struct.pack_into("=I", blocked, word * 4, 0xFFFFFFFF & ~(1 << bit))
            sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(blocked))
            return
        program = (
            (0xB1, 0, 0, 0),  # x = length of the IP header
            (0x50, 0, 0, 0),  # a = ICMP type
            (0x15, 0, 3, _ECHO_REPLY),
            (0x48, 0, 0, 4),  # a = identifier
            (0x15, 0, 1, self._ident),
            (0x06, 0, 0, 0xFFFFFFFF),
            (0x06, 0, 0, 0),
        )
        attach(sock, _SO_ATTACH_FILTER, program)


def read_reply(data: bytes, *, v6: bool, with_ip_header: bool) -> Reply | None:
    """Return the reply in *data*; None when these bytes are anything else."""
    if with_ip_header:
        data = data[(data[0] & 0x0F) * 4 :] if data else data
    if len(data) < _HEADER.size:
        return None
    kind, code, _, ident, _ = _HEADER.unpack_from(data)
    if (kind, code) != (_ECHO_REPLY_V6 if v6 else _ECHO_REPLY, 0):
        return None
    return Reply(ident, data[_HEADER.size :])


def internet_checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071 over *data*, which has an even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
