"""The little of DNS that one query and its answer need, as bytes in and values out.

A library for all of DNS would cost each node several megabytes of memory; a query, and ten types
of records whose text people write into `answers`, are two pages.

Supported standards: RFC 1035 (messages, compression), RFC 3596 (AAAA), RFC 2782 (SRV).
"""

import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from bgpd.model.errors import ProtocolError

_HEADER: Final = struct.Struct("!HHHHHH")
_FIXED: Final = struct.Struct("!HHIH")
_QUESTION: Final = struct.Struct("!HH")
_IN: Final = 1
_RESPONSE: Final = 0x8000
_TRUNCATED: Final = 0x0200
_RECURSION_DESIRED: Final = 0x0100
_MOST_RECORDS: Final = 512
_LONGEST_NAME: Final = 255


class RecordType(IntEnum):
    """Types of records that a probe may ask for (RFC 1035, section 3.2.2)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33


RCODES: Final = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


@dataclass(frozen=True, slots=True)
class Record:
    """One answer: its type's number, and its data as people write it."""

    kind: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says to a query."""

    number: int
    """The query's number, which the answer repeats."""
    rcode: str
    truncated: bool
    name: str
    """What was asked, in lower case without the last dot; empty where it is not repeated."""
    kind: int
    records: tuple[Record, ...]


def encode_query(number: int, name: str, kind: RecordType) -> bytes:
    """Return a recursive query; raise `ValueError` where *name* is none."""
    question = encode_name(name) + _QUESTION.pack(kind, _IN)
    return _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + question


def encode_name(name: str) -> bytes:
    """Return *name* on the wire, or raise `ValueError`."""
    stripped = name.removesuffix(".")
    labels = [label.encode("ascii") for label in stripped.split(".")] if stripped else []
    if any(not 1 <= len(label) <= 63 for label in labels):
        raise ValueError(f"{name!r} has a part that is empty or longer than 63 bytes")
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(wire) > _LONGEST_NAME:
        raise ValueError(f"{name!r} is longer than a name may be")
    return wire


def number_of(data: bytes) -> int | None:
    """Return the number of the query that *data* claims to answer; None: too short for one."""
    return int.from_bytes(data[:2]) if len(data) >= 2 else None


def decode_answer(data: bytes) -> Answer:
    """Return what *data* says, or raise `ProtocolError`."""
    try:
        return _decode(data)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"its message of {len(data)} bytes ends too early") from error


def _decode(data: bytes) -> Answer:
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if not flags & _RESPONSE:
        raise ProtocolError("it is a query, not an answer")
    at, name, kind = _HEADER.size, "", 0
    if questions > 1 or answers > _MOST_RECORDS:
        raise ProtocolError(f"it holds {questions} questions and {answers} answers")
    if questions:
        name, at = _name(data, at)
        kind, _ = _QUESTION.unpack_from(data, at)
        at += _QUESTION.size
    truncated = bool(flags & _TRUNCATED)
    code = flags & 15
    return Answer(
        number=number,
        rcode=RCODES[code] if code < len(RCODES) else f"RCODE{code}",
        truncated=truncated,
        name=name,
        kind=kind,
        records=_records(data, at, answers, cut_short=truncated),
    )


def _records(data: bytes, at: int, count: int, *, cut_short: bool) -> tuple[Record, ...]:
    records = []
    for _ in range(count):
        if cut_short and at >= len(data):
            break
        _, at = _name(data, at)
        kind, _, _, length = _FIXED.unpack_from(data, at)
        at += _FIXED.size
        if at + length > len(data):
            raise ProtocolError("a record reaches beyond the end of its message")
        records.append(Record(kind, _text(data, kind, at, length)))
        at += length
    return tuple(records)


def _text(data: bytes, kind: int, at: int, length: int) -> str:
    """Return the data of one record as people write it."""
    rdata = data[at : at + length]
    match kind:
        case RecordType.A | RecordType.AAAA:
            if length != (4 if kind == RecordType.A else 16):
                raise ProtocolError(f"an address of {length} bytes")
            return str(ipaddress.ip_address(rdata))
        case RecordType.NS | RecordType.CNAME | RecordType.PTR:
            return _name(data, at)[0]
        case RecordType.MX:
            return f"{int.from_bytes(rdata[:2])} {_name(data, at + 2)[0]}"
        case RecordType.SRV:
            priority, weight, port = struct.unpack_from("!HHH", rdata)
            return f"{priority} {weight} {port} {_name(data, at + 6)[0]}"
        case RecordType.SOA:
            primary, after = _name(data, at)
            mailbox, after = _name(data, after)
            return " ".join((primary, mailbox, *map(str, struct.unpack_from("!5I", data, after))))
        case _:
            return _strings(rdata) if kind == RecordType.TXT else rdata[:32].hex()


def _strings(rdata: bytes) -> str:
    """Return the character strings of a TXT record, joined."""
    parts, at = [], 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        if end > len(rdata):
            raise ProtocolError("a text reaches beyond its record")
        parts.append(rdata[at + 1 : end])
        at = end
    return b"".join(parts).decode("utf-8", "replace")


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return the name at *at* in lower case, and where it ends (section 4.1.4).

    A pointer must point before the place it stands at; names that go in circles end there.
    """
    labels: list[str] = []
    end, lowest, total = -1, at, 0
    while True:
        size = data[at]
        if size >= 0xC0:
            target = int.from_bytes(data[at : at + 2]) & 0x3FFF
            if target >= lowest or at + 2 > len(data):
                raise ProtocolError("a name points forward, or at itself")
            end = at + 2 if end < 0 else end
            lowest = at = target
            continue
        if size > 63:
            raise ProtocolError("a name holds a label of a kind that does not exist")
        if size == 0:
            return ".".join(labels), at + 1 if end < 0 else end
        label = data[at + 1 : at + 1 + size]
        total += size + 1
        if len(label) < size or total >= _LONGEST_NAME:
            raise ProtocolError("a name is longer than it may be")
        labels.append(label.decode("ascii", "backslashreplace").lower())
        at += size + 1
