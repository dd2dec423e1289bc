"""Listen on one UDP port with two queues: what must wake us, and what can wait for our beat.

A wake-up of a process costs many times what the heartbeat costs that caused it, and nearly all
heartbeats say what the one before said. Their sender marks those as routine, and a small
program in the kernel puts them into a queue of their own, which is read when we wake anyway;
the kernel's receive times make the delay invisible. Whatever is not marked, or not a heartbeat
at all, wakes us. The mark decides nothing else: a false one is a wake-up too many, or a
datagram that is read with our next beat.

Requires Linux 4.5 (SO_ATTACH_REUSEPORT_CBPF); a kernel that cannot do it puts everything into
the urgent queue.
"""

import errno
import select
import socket
import struct
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from bgpd.mesh.packet import FLAGS_OFFSET, Flag
from bgpd.model.errors import ConfigError, TransientError
from bgpd.model.prefix import Address
from bgpd.timestamp import enable_timestamps

CS6: Final = 0xC0
"""Class selector 6 (RFC 2474, section 4.2.2): network control, as routers mark BGP."""
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

_PRIORITY: Final = 6
_BUFFER_BYTES: Final = 4 << 20
_SO_RCVBUFFORCE: Final = 33
_SO_ATTACH_REUSEPORT_CBPF: Final = 51
_URGENT, _ROUTINE = range(2)
"""The place of each queue in the port's group, which is the order of binding."""

Instruction: TypeAlias = tuple[int, int, int, int]
"""Classic BPF: code, jump if true, jump if false, operand (linux/filter.h)."""

_SORT: Final[Sequence[Instruction]] = (
    (0x30, 0, 0, FLAGS_OFFSET),  # a = flags; too short a datagram ends here, and is urgent
    (0x45, 0, 1, Flag.ROUTINE),
    (0x06, 0, 0, _ROUTINE),
    (0x06, 0, 0, _URGENT),
)


class Queues(NamedTuple):
    """The sockets behind one port; without *routine* everything comes to *urgent*."""

    urgent: socket.socket
    routine: socket.socket | None
    errors: select.epoll | None
    """Readable when *routine* has an error: the kernel gives refusals to either socket."""

    def close(self) -> None:
        """Give everything back."""
        for one in self:
            if one is not None:
                one.close()


def listen(address: Address, port: int) -> Queues:
    """Listen on *address* and *port*.

    Raise `TransientError` while this host does not have the address, and `ConfigError`
    when another program has the port.
    """
    alone = _bound(address, port, shared=False)
    # Sockets that share a port would share it with a second speaker, too, which would take
    # our heartbeats in silence: therefore this one has shown first that nobody is there.
    port = alone.getsockname()[1]
    alone.close()
    urgent = _bound(address, port, shared=True)
    routine = None
    try:
        routine = _bound(address, port, shared=True)
        attach(urgent, _SO_ATTACH_REUSEPORT_CBPF, _SORT)
    except (OSError, ConfigError):
        if routine is not None:
            routine.close()
        return Queues(urgent, None, None)
    errors = select.epoll()
    # No event is asked for: epoll reports errors unasked (epoll_ctl(2)), and so only them.
    errors.register(routine, 0)
    return Queues(urgent, routine, errors)


def attach(sock: socket.socket, option: int, program: Sequence[Instruction]) -> None:
    """Have the kernel run *program* for *sock*; `OSError` where it will not."""
    code = array("B", b"".join(struct.pack("HBBI", *line) for line in program))
    fprog = struct.pack("@HP", len(program), code.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, option, fprog)


def mark_as_control(sock: socket.socket, *, v6: bool) -> None:
    """Have what *sock* sends treated like the BGP sessions whose fate it should share."""
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CS6)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CS6)
    # After IP_TOS, which sets a priority of its own.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)


def _bound(address: Address, port: int, *, shared: bool) -> socket.socket:
    v6 = ":" in address
    family = socket.AF_INET6 if v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        _prepare(sock, v6=v6)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise TransientError(
                f"the mesh address {address} is not on this host yet, or still tentative"
            ) from None
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"UDP port {port} of {address} is in use by another program; stop it:"
                " the members expect the mesh on this port"
            ) from None
        raise ConfigError(
            f"cannot listen on UDP port {port} of {address}: {error.strerror}"
        ) from None
    return sock


def _prepare(sock: socket.socket, *, v6: bool) -> None:
    # No SO_REUSEADDR: a closed UDP socket leaves nothing that a restart would have to wait for.
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    mark_as_control(sock, v6=v6)
    enable_timestamps(sock)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
