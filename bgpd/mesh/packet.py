"""The heartbeat on the wire: what one member of the mesh tells another, in at most 1200 bytes.

Theory of operation. A datagram is a fixed header, the sender's name, a list of fields
(type, length, value) and a message authentication code over all of it; `seal` adds and checks
the code, this file knows only what lies before it. The same datagram goes to every member, so
what is said to one member (the echo) is said to all and anyone may draw conclusions from it.

What never changes, so that versions n and n-1 understand each other: the header up to the
name, the framing of fields, and the first 31 bytes of an echo. Later versions add fields,
which older ones skip, and lengthen echoes and records, whose size stands before the first.
"""

import hashlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error
from typing import Final, NamedTuple

from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address

VERSION: Final = 1
MAGIC: Final = b"bM"
MAX_DATAGRAM: Final = 1200
"""Bytes, code included: below every MTU that carries IPv6, so that nothing is fragmented."""
MAC_BYTES: Final = 16
MAX_ECHOES: Final = 28
MAX_RECORDS: Final = 16
SURE_RECORDS: Final = 4
MAX_ROUTER_IDS: Final = 8
MAX_KEYS: Final = 4
MAX_AGE: Final = 0xFFFF
"""Milliseconds; an echo that is older says this."""

# magic, version, flags, length, key id, incarnation, sequence, generation, resets, beat,
# interval in milliseconds, length of the name
HEADER: Final = Struct("!2sBBHIQQQIIHB")
FLAGS_OFFSET: Final = 3
"""Where the kernel finds the flags, to see which queue a heartbeat belongs to."""
_FIELD: Final = Struct("!BH")
ECHO: Final = Struct("!QQIQHB")
_RECORD: Final = Struct("!QQQ")
_SETTINGS: Final = Struct("!II")
_KEY_ID: Final = Struct("!I")
_GRACE: Final = Struct("!H")
CLOCK: Final = Struct("!Q")

ECHOES, _RECORDS, _ROUTER_IDS, _LEVER, _KEYS, _LEAVING, CLOCK_FIELD = range(1, 8)


class MalformedHeartbeatError(ProtocolError):
    """The bytes are authentic but are not a heartbeat that this version can read."""


class Flag:
    """What the sender says about itself. Plain integers: `IntFlag` costs 2 us an operation."""

    AGENT_ALIVE: Final = 1
    DRAINING: Final = 2
    GOODBYE: Final = 4
    """Its process is about to end; the grace says for how long."""
    LEARNED: Final = 8
    """It has learned the generation, or found nobody to learn it from: its word counts."""
    ROUTINE: Final = 16
    """It says what the last one said: nobody needs to wake for it before the next beat."""
    DOUBTFUL: Final = 32
    """Its agent was away for so long that its routes rank behind all others, or are about to."""
    KEEPS: Final = 64
    """Routers keep its routes when its process ends, as it is now or, with goodbye, has ended."""
    PARTIAL: Final = 128
    """Not all of its routes are advertised: it has just started, or health keeps one back."""


class Sight:
    """What the sender says about another member, in an echo. Plain integers, as above."""

    SILENT: Final = 1
    """The sender does not hear it."""
    SUSPECT: Final = 2
    """It is silent or deaf for the sender, which therefore agrees to a raise."""
    RESTARTING: Final = 4
    """Its process is gone but its kernel answers."""
    QUARANTINED: Final = 8
    """It was raised against too often: its silence moves nothing."""
    CHALLENGE: Final = 16
    """The incarnation is not believed yet: it must echo this very heartbeat."""
    WATCHING: Final = 32
    """The sender watches it, and asks for heartbeats at full rate (beyond sixteen)."""
    SUBSCRIBED: Final = 64
    """It watches the sender, as far as the sender knows (beyond sixteen)."""
    RECRUIT: Final = 128
    """The sender asks to be watched, because it has too few watchers (beyond sixteen)."""


class Echo(NamedTuple):
    """What the sender last heard of one member."""

    member: int
    """`member_id` of its name."""
    incarnation: int
    """0: never heard."""
    sequence: int
    """The low 32 bits of the last sequence heard."""
    generation: int
    """The highest generation heard from it."""
    age: int
    """Milliseconds since that heartbeat arrived, at the moment of sending."""
    sight: int


class DeathRecord(NamedTuple):
    """The raise that covers one death: nobody raises for it again."""

    member: int
    incarnation: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Everything that one datagram says."""

    sender: str
    incarnation: int
    """Random, chosen at each start of the process, never 0."""
    sequence: int
    """Grows with each datagram: what is not newer is a replay."""
    beat: int
    """Grows with each regular heartbeat: gaps are losses."""
    generation: int
    resets: int = 0
    """How often a person reset the generation; compared before the generation."""
    interval: int = 50
    """Milliseconds between the sender's heartbeats."""
    flags: int = 0
    key_id: int = 0
    version: int = VERSION
    echoes: tuple[Echo, ...] = ()
    records: tuple[DeathRecord, ...] = ()
    router_ids: tuple[bytes, ...] = ()
    """BGP identifiers of the sender's routers, 4 bytes each (16 are read, too)."""
    lever: str = ""
    base: int = 0
    stride: int = 0
    key_ids: tuple[int, ...] = ()
    """Every key that the sender accepts, newest first."""
    grace: int = 0
    """Seconds until it is back, when it says goodbye, or for which routers keep its routes."""
    clock: int = 0
    """The sender's monotonic clock when it wrote this, microseconds; 0: it does not say."""


@lru_cache(maxsize=4096)
def member_id(name: str) -> int:
    """Return the eight bytes that stand for *name* in echoes and records."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"bgpd member").digest()
    return int.from_bytes(digest, "big")


@lru_cache(maxsize=64)
def packed(addresses: tuple[Address, ...]) -> tuple[bytes, ...]:
    """Return *addresses* as they go over the wire."""
    return tuple(ipaddress.ip_address(one).packed for one in addresses[:MAX_ROUTER_IDS])


def encode(beat: Heartbeat) -> bytes:
    """Return *beat* without its code, shortened to what fits.

    The newest deaths always fit; beyond those, old records give way before echoes.
    """
    name = beat.sender.encode()
    small = _small_fields(
        beat.router_ids, beat.lever, beat.base, beat.stride, beat.key_ids, beat.grace
    )
    parts = [name, small, _field(CLOCK_FIELD, CLOCK.pack(beat.clock)) if beat.clock else b""]
    room = MAX_DATAGRAM - MAC_BYTES - HEADER.size - sum(map(len, parts)) - 2 * (_FIELD.size + 1)
    kept = min(len(beat.records), SURE_RECORDS) * _RECORD.size
    echoes = beat.echoes[: min(MAX_ECHOES, (room - kept) // ECHO.size)]
    room -= len(echoes) * ECHO.size
    records = beat.records[: min(MAX_RECORDS, room // _RECORD.size)]
    parts += (_echoes(echoes), _records(records))
    body = b"".join(parts)
    header = HEADER.pack(
        MAGIC,
        beat.version,
        beat.flags & 0xFF,
        HEADER.size + len(body) + MAC_BYTES,
        beat.key_id,
        beat.incarnation,
        beat.sequence,
        beat.generation,
        beat.resets,
        beat.beat & 0xFFFFFFFF,
        beat.interval,
        len(name),
    )
    return header + body


def as_routine(body: bytes) -> bytes:
    """Return an encoded heartbeat with the flag that it is routine."""
    flags = body[FLAGS_OFFSET] | Flag.ROUTINE
    return body[:FLAGS_OFFSET] + bytes((flags,)) + body[FLAGS_OFFSET + 1 :]


def decode(data: bytes) -> Heartbeat:
    """Return the heartbeat in *data* (code removed), or raise `MalformedHeartbeatError`.

    A newer version's fields are read as far as they parse: its header alone keeps it alive.
    """
    try:
        return _decode(data)
    except (error, UnicodeDecodeError, IndexError) as problem:
        raise MalformedHeartbeatError(f"heartbeat of {len(data)} bytes: {problem}") from None


def _decode(data: bytes) -> Heartbeat:
    (
        magic, version, flags, _, key_id, incarnation, sequence, generation, resets, beat,
        interval, length,
    ) = HEADER.unpack_from(data)  # fmt: skip
    end = HEADER.size + length
    if magic != MAGIC or version < 1 or not incarnation or not length or end > len(data):
        raise MalformedHeartbeatError("the header is not a heartbeat's")
    sender = data[HEADER.size : end].decode()
    try:
        fields = _split(data, end)
        echoes = _read_echoes(fields.get(ECHOES))
        records = _read_records(fields.get(_RECORDS))
        router_ids = _read_router_ids(fields.get(_ROUTER_IDS, b""))
        lever, base, stride = _read_lever(fields.get(_LEVER))
        key_ids = tuple(key for (key,) in _KEY_ID.iter_unpack(fields.get(_KEYS, b"")))
        grace = _GRACE.unpack_from(fields[_LEAVING])[0] if _LEAVING in fields else 0
        clock = CLOCK.unpack_from(fields[CLOCK_FIELD])[0] if CLOCK_FIELD in fields else 0
    except (error, UnicodeDecodeError, MalformedHeartbeatError):
        if version <= VERSION:
            raise
        echoes, records, router_ids, key_ids = (), (), (), ()
        lever, base, stride, grace, clock = "", 0, 0, 0, 0
    return Heartbeat(
        sender=sender,
        incarnation=incarnation,
        sequence=sequence,
        beat=beat,
        generation=generation,
        resets=resets,
        interval=interval,
        flags=flags,
        key_id=key_id,
        version=version,
        echoes=echoes,
        records=records,
        router_ids=router_ids,
        lever=lever,
        base=base,
        stride=stride,
        key_ids=key_ids,
        grace=grace,
        clock=clock,
    )


def _field(kind: int, value: bytes) -> bytes:
    return _FIELD.pack(kind, len(value)) + value


@lru_cache(maxsize=8)
def _small_fields(
    router_ids: tuple[bytes, ...],
    lever: str,
    base: int,
    stride: int,
    key_ids: tuple[int, ...],
    grace: int,
) -> bytes:
    parts = []
    if router_ids:
        ids = b"".join(bytes((len(one),)) + one for one in router_ids[:MAX_ROUTER_IDS])
        parts.append(_field(_ROUTER_IDS, ids))
    if lever:
        parts.append(_field(_LEVER, _SETTINGS.pack(base, stride) + lever.encode()))
    if key_ids:
        parts.append(_field(_KEYS, b"".join(map(_KEY_ID.pack, key_ids[:MAX_KEYS]))))
    if grace:
        parts.append(_field(_LEAVING, _GRACE.pack(grace)))
    return b"".join(parts)


def _echoes(echoes: Sequence[Echo]) -> bytes:
    value = bytes((ECHO.size,)) + b"".join([ECHO.pack(*echo) for echo in echoes])
    return _field(ECHOES, value) if echoes else b""


def _records(records: Sequence[DeathRecord]) -> bytes:
    value = bytes((_RECORD.size,)) + b"".join([_RECORD.pack(*record) for record in records])
    return _field(_RECORDS, value) if records else b""


def fields_in(data: bytes, offset: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type, the start and the end of each field from *offset* on."""
    while offset < len(data):
        kind, length = _FIELD.unpack_from(data, offset)
        start = offset + _FIELD.size
        offset = start + length
        if offset > len(data):
            raise MalformedHeartbeatError(f"field {kind} is longer than the datagram")
        yield kind, start, offset


def _split(data: bytes, offset: int) -> dict[int, bytes]:
    """Return the fields from *offset* on; of two with one type the first is meant."""
    fields: dict[int, bytes] = {}
    for kind, start, end in fields_in(data, offset):
        fields.setdefault(kind, data[start:end])
    return fields


def _rows(value: bytes, row: Struct) -> bytes:
    """Return the entries of *value* cut to the size of *row*: a later version's are longer."""
    size = value[0] if value else row.size
    if size < row.size or (len(value) - 1) % size:
        raise MalformedHeartbeatError(f"entries of {size} bytes")
    if size == row.size:
        return value[1:]
    return b"".join(value[at : at + row.size] for at in range(1, len(value), size))


def _read_echoes(value: bytes | None) -> tuple[Echo, ...]:
    if not value:
        return ()
    return tuple(map(Echo._make, ECHO.iter_unpack(_rows(value, ECHO))))


def _read_records(value: bytes | None) -> tuple[DeathRecord, ...]:
    if not value:
        return ()
    return tuple(map(DeathRecord._make, _RECORD.iter_unpack(_rows(value, _RECORD))))


def _read_router_ids(value: bytes) -> tuple[bytes, ...]:
    ids = []
    offset = 0
    while offset < len(value):
        length = value[offset]
        one = value[offset + 1 : offset + 1 + length]
        if len(one) != length or length not in {4, 16}:
            raise MalformedHeartbeatError("a router ID has 4 or 16 bytes")
        ids.append(one)
        offset += 1 + length
    return tuple(ids)


def _read_lever(value: bytes | None) -> tuple[str, int, int]:
    if value is None:
        return "", 0, 0
    base, stride = _SETTINGS.unpack_from(value)
    return value[_SETTINGS.size :].decode(), base, stride
