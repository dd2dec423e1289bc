"""From the bytes of a watch to its events; nothing is skipped, whatever the pieces.

A watch is one JSON document a line. A line that cannot be read is a `ProtocolError`: whoever
skipped it would lose an event for ever and never know.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from bgpd.model.errors import ProtocolError

MOST_LINE: Final = 32 * 1024 * 1024
"""Bytes of one line. An object has at most 1.5 MiB in etcd, but JSON may write one byte as six."""
INITIAL_END: Final = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends the state at the beginning of a stream."""


class Verb(StrEnum):
    """What happened to an object, in the server's words."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class Event(msgspec.Struct, gc=False):
    """One line: a verb, and the object that is not decoded yet."""

    verb: Verb = msgspec.field(name="type")
    object: msgspec.Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far the stream is; *complete* ends the state that it began with."""

    version: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An error in the server's words."""

    code: int
    reason: str = ""
    message: str = ""
    retry_after: float = 0.0
    causes: tuple[str, ...] = ()
    """Its parts, each by its word: `NamespaceTerminating`."""


class Lines:
    """Pieces of bytes in, whole lines out."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._length = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that *piece* completes, without their ends and without empty ones."""
        if not self._begun and piece.find(b"\n") == len(piece) - 1 > 0:
            # One event in one piece, as nearly all of them come.
            line = piece[:-1]
            return [line] if line.strip() else []
        first, newline, rest = piece.partition(b"\n")
        if not newline:
            self._keep(first)
            return []
        lines = rest.split(b"\n")
        lines.insert(0, b"".join((*self._begun, first)))
        self._begun.clear()
        self._length = 0
        self._keep(lines.pop())
        return [line for line in lines if line.strip()]

    def end(self) -> None:
        """Raise `ProtocolError` where the bytes ended within a line."""
        if self._length:
            raise ProtocolError("the watch ended in the middle of a line")

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._begun.append(piece)
            self._length += len(piece)
        if self._length > MOST_LINE:
            raise ProtocolError(f"a line of the watch is longer than {MOST_LINE} bytes")


_EVENT: Final = msgspec.json.Decoder(Event)


def event(line: bytes) -> Event:
    """Return the event that *line* holds, or raise `ProtocolError`."""
    try:
        return _EVENT.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a line of the watch is not an event: {error}") from None


class _BookmarkMetadata(msgspec.Struct, rename="camel"):
    resource_version: str
    annotations: dict[str, str] | None = None


class _BookmarkObject(msgspec.Struct):
    metadata: _BookmarkMetadata


class _Cause(msgspec.Struct):
    reason: str | None = None


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: int | None = None
    causes: list[_Cause] | None = None


class _StatusObject(msgspec.Struct):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


def bookmark(raw: msgspec.Raw) -> Bookmark:
    """Return what the object of a BOOKMARK says, or raise `ProtocolError`."""
    try:
        metadata = msgspec.json.decode(raw, type=_BookmarkObject).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a bookmark of the watch cannot be read: {error}") from None
    complete = (metadata.annotations or {}).get(INITIAL_END) == "true"
    return Bookmark(version=metadata.resource_version, complete=complete)


def status(raw: msgspec.Raw | bytes, *, code: int = 0) -> Status:
    """Return the error that *raw* describes; *code* holds where it names none."""
    try:
        found = msgspec.json.decode(raw, type=_StatusObject)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What is no Status comes from something before the API server, and is no fit reading.
        return Status(code=code)
    details = found.details or _Details()
    return Status(
        code=found.code or code,
        reason=found.reason or "",
        message=" ".join((found.message or "").split()),
        retry_after=float(max(0, min(details.retry_after_seconds or 0, 3600))),
        causes=tuple(one.reason or "" for one in details.causes or ()),
    )
