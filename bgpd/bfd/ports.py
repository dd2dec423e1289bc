"""Listen on a BFD port with three queues: what wakes us, what can wait, what comes from too far.

A wake-up of a process costs many times what the packet costs that caused it, and nearly all
packets say what the one before said: Up. A small program in the kernel sorts what arrives. Only the
urgent queue wakes us. Packets that say nothing but Up wait until we wake to send our own; the
kernel's receive times make that delay invisible. What comes from further away than it may waits in
a small queue of its own, so that a flood from strangers takes neither our time nor our peers'
places.

Requires Linux 4.5 (SO_ATTACH_REUSEPORT_CBPF); elsewhere everything is urgent.
"""

import contextlib
import errno
import socket
import struct
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from bgpd.bfd.packet import State
from bgpd.model.port import BFD_MULTIHOP_PORT, BFD_PORT
from bgpd.timestamp import enable_timestamps

TTL: Final = 255

_BUFFER_BYTES: Final = 1 << 20
_SMALL_BUFFER: Final = 1 << 16
_CS6: Final = 0xC0
_PRIORITY: Final = 6
_SO_RCVBUFFORCE: Final = 33
_SO_ATTACH_REUSEPORT_CBPF: Final = 51
_NETWORK_HEADER: Final = 0xFFF00000
"""Where classic BPF finds the IP header (SKF_NET_OFF, linux/filter.h)."""
_TTL_AT: Final = {False: 8, True: 7}
_URGENT, _ROUTINE, _DISTANT = range(3)
"""The place of each queue in the port's group, which is the order of binding."""
_IP_RECVTTL: Final = 12


class Kind(NamedTuple):
    """What one receiving socket is for."""

    v6: bool
    multihop: bool

    @property
    def port(self) -> int:
        """The UDP port of this kind."""
        return BFD_MULTIHOP_PORT if self.multihop else BFD_PORT


class Queues(NamedTuple):
    """The sockets behind one port; only *urgent* where the kernel cannot sort."""

    urgent: socket.socket
    routine: socket.socket | None = None
    distant: socket.socket | None = None

    def close(self) -> None:
        """Give everything back."""
        for one in self:
            if one is not None:
                one.close()


def problem(kind: Kind, error: OSError) -> str:
    """Return why there is no socket of *kind*, and what to do about it."""
    family = "IPv6" if kind.v6 else "IPv4"
    if error.errno == errno.EADDRINUSE:
        return (
            f"UDP port {kind.port} ({family}) is in use by another program: stop the other BFD"
            " daemon of this node, or take bfdProfile off the peers"
        )
    return f"cannot listen on UDP port {kind.port} ({family}): {error.strerror}"


def listen(kind: Kind) -> Queues:
    """Listen on the port of *kind*; `OSError` where that is not possible."""
    # Sockets that share a port would share it with another daemon, too, which would take half of
    # the packets in silence: therefore one has shown first that nobody is there.
    _bound(kind, shared=False).close()
    found: list[socket.socket] = []
    try:
        found += [_bound(kind, shared=True) for _ in (_URGENT, _ROUTINE)]
        found.append(_bound(kind, shared=True, buffer=_SMALL_BUFFER))
        _attach(found[_URGENT], _sorting(kind))
    except OSError:
        for sock in found:
            sock.close()
        return Queues(_bound(kind, shared=False))
    return Queues(*found)


def _sorting(kind: Kind) -> Sequence[tuple[int, int, int, int]]:
    """Return the program that puts a packet into its queue, in classic BPF.

    Over several hops any TTL may be right, and only the session knows.
    """
    near = (
        ()
        if kind.multihop
        else (
            (0x30, 0, 0, _NETWORK_HEADER + _TTL_AT[kind.v6]),
            (0x15, 1, 0, TTL),
            (0x06, 0, 0, _DISTANT),
        )
    )
    return (
        *near,
        (0x30, 0, 0, 1),  # state and flags; too short a datagram ends here, and is urgent
        (0x54, 0, 0, 0xF0),  # state, Poll, Final
        (0x15, 0, 1, State.UP << 6),
        (0x06, 0, 0, _ROUTINE),
        (0x06, 0, 0, _URGENT),
    )


def _attach(sock: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = array("B", b"".join(struct.pack("HBBI", *line) for line in program))
    fprog = struct.pack("@HP", len(program), code.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, fprog)


def _bound(kind: Kind, *, shared: bool, buffer: int = _BUFFER_BYTES) -> socket.socket:
    family = socket.AF_INET6 if kind.v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if kind.v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        enable_timestamps(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", kind.port))
    except OSError:
        sock.close()
        raise
    return sock


def mark_as_control(sock: socket.socket, *, v6: bool) -> None:
    """Have what *sock* sends leave as a router expects it: TTL 255 and network control."""
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CS6)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
    # After IP_TOS, which sets a priority of its own.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
