"""Which TCP connections end on this host: inet_diag (sock_diag(7)) as bytes.

The kernel looks through its table itself and sends only sockets that our program accepts: a row of
comparisons with the local address (linux/inet_diag.h, "bytecode"). The row has an end: of many
prefixes it is told wider ones, and what is too much is dropped here.

A connection counts as open while data may still be lost if its packets came to another node:

* ESTABLISHED and CLOSE_WAIT (the client has said all, the answer is still being given);
* FIN_WAIT2 while a process still reads it;
* FIN_WAIT1, LAST_ACK and CLOSING while more than our own FIN waits to be acknowledged.

SYN_RECV does not count: whoever can send a SYN could hold up a drain. TIME_WAIT has lost nothing.
"""

import struct
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from bgpd.host import wire
from bgpd.model.prefix import Prefix

SOCK_DIAG_BY_FAMILY: Final = 20
MOST_CONDITIONS: Final = 64
"""Comparisons that the kernel makes for each socket."""

_REQUEST: Final = struct.Struct("=BBxxI48x")
_ANSWER: Final = struct.Struct("=BBxx4x16s16x12x8xI4xI")
"""inet_diag_msg: family, state, local address, bytes not acknowledged, inode."""
_KIND: Final = struct.Struct("=IH")
_TCP: Final = 6
_ESTABLISHED: Final = 1
_FIN_WAIT1: Final = 4
_FIN_WAIT2: Final = 5
_CLOSE_WAIT: Final = 8
_LAST_ACK: Final = 9
_CLOSING: Final = 11
_OPEN_WHILE_SENDING: Final = frozenset({_FIN_WAIT1, _LAST_ACK, _CLOSING})
_STATES: Final = sum(1 << state for state in (_ESTABLISHED, _CLOSE_WAIT, _FIN_WAIT2)) | sum(
    1 << state for state in _OPEN_WHILE_SENDING
)
_BYTECODE: Final = 1
_OPERATION: Final = struct.Struct("=BBH")
_CONDITION: Final = struct.Struct("=BBxxi")
_JUMP: Final = 1
_LOCAL_IS: Final = 7
_ANY_PORT: Final = -1
_MAPPED: Final = bytes(10) + b"\xff\xff"
_STEP: Final = 4


class Block(NamedTuple):
    """A prefix as numbers."""

    bits: int
    """32 or 128."""
    length: int
    head: int
    """The first *length* bits."""


def question(family: int, prefixes: Iterable[Prefix]) -> bytes:
    """Ask for the open TCP sockets of *family* whose local address is in one of *prefixes*."""
    program = bytecode(wider([block(prefix) for prefix in prefixes], MOST_CONDITIONS))
    return _REQUEST.pack(family, _TCP, _STATES) + wire.attribute(_BYTECODE, program)


def count(found: Counter[bytes], data: bytes) -> bool:
    """Add the local addresses of one datagram to *found*; return whether more is to come.

    A hundred thousand sockets pass through here, so the bytes are read where they are. Raise the
    `OSError` that the kernel names.
    """
    offset, end = 0, len(data) - wire.HEADER.size
    while offset <= end:
        length, kind = _KIND.unpack_from(data, offset)
        if length < wire.HEADER.size:
            return False
        if kind != SOCK_DIAG_BY_FAMILY:
            return wire.more(data, offset)
        if length >= wire.HEADER.size + _ANSWER.size:
            body = offset + wire.HEADER.size
            family, state, local, unsent, inode = _ANSWER.unpack_from(data, body)
            if _open(state, unsent, inode):
                found[local[:4] if family == wire.AF_INET else _unmapped(local)] += 1
        offset += (length + 3) & ~3
    return True


def block(prefix: Prefix) -> Block:
    """Return *prefix* as numbers."""
    address, _, length = prefix.partition("/")
    packed = wire.packed(address)
    bits = len(packed) * 8
    return Block(bits, int(length), int.from_bytes(packed, "big") >> bits - int(length))


def wider(blocks: Iterable[Block], most: int) -> list[Block]:
    """Return at most *most* blocks that hold all of *blocks*, as narrow as four bits allow."""
    found = sorted(set(blocks))
    limit = max((one.length for one in found), default=0)
    while len(found) > most:
        limit -= _STEP
        found = sorted({_cut(one, max(limit, 0)) for one in found})
    return found


def bytecode(blocks: Iterable[Block]) -> bytes:
    """Return the program that accepts a local address in any of *blocks*.

    Each operation says how far to go if it holds and if it does not; beyond the end is a no. So
    each comparison is followed by a jump to the end, which a failed comparison leaps over.
    """
    program = b""
    for one in reversed(list(blocks)):
        if program:
            jump = _OPERATION.size
            program = _OPERATION.pack(_JUMP, jump, jump + len(program)) + program
        program = _comparison(one) + program
    return program


def _open(state: int, unsent: int, inode: int) -> bool:
    if state in _OPEN_WHILE_SENDING:
        return unsent > 1
    return bool(inode) or state != _FIN_WAIT2


def _unmapped(local: bytes) -> bytes:
    """Return the IPv4 address that a socket of both families has."""
    return local.removeprefix(_MAPPED)


def _cut(one: Block, length: int) -> Block:
    if one.length <= length:
        return one
    return Block(one.bits, length, one.head >> one.length - length)


def _comparison(one: Block) -> bytes:
    family = wire.AF_INET if one.bits == 32 else wire.AF_INET6
    address = (one.head << one.bits - one.length).to_bytes(one.bits // 8, "big")
    condition = _CONDITION.pack(family, one.length, _ANY_PORT) + address
    length = _OPERATION.size + len(condition)
    return _OPERATION.pack(_LOCAL_IS, length, length + _OPERATION.size) + condition
