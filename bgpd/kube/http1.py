"""The little of HTTP/1.1 that the Kubernetes API needs, as bytes in and parts out.

A client library costs every node 14 MB and a quarter of a second at each start; what a watch
needs of the protocol is a request, a head, and a body that comes in chunks (RFC 9112). Nothing
here knows of sockets or time.

Supported standards: RFC 9110 and RFC 9112, as a client without proxies, redirects, trailers of
meaning, content codings and pipelining.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias

from bgpd.model.errors import ProtocolError

MOST_HEAD: Final = 64 * 1024
"""Bytes of a status line with its header fields; nobody sends more in good faith."""
_MOST_CHUNK_LINE: Final = 1024
_SIZE_LINE: Final = 17
"""Bytes of the first line of a chunk that says nothing but its size."""
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?", re.DOTALL)
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; *target* is the path with its query, already escaped."""

    method: str = "GET"
    target: str
    fields: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encode(self, host: str) -> bytes:
        """Return the request as it goes to *host*."""
        fields = {"Host": host, **self.fields}
        if self.body or self.method not in {"GET", "DELETE"}:
            fields["Content-Length"] = str(len(self.body))
        for name, value in (("target", self.target), *fields.items()):
            if not value.isascii() or not value.isprintable():
                raise ValueError(f"{name} holds what no header may: {value!r}")
        lines = (f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.method} {self.target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status and header fields of an answer; names are in lower case."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete; *reusable* says whether another request may follow."""

    reusable: bool


Part: TypeAlias = Head | bytes | End


class _Where(Enum):
    HEAD = auto()
    COUNTED = auto()
    UNTIL_CLOSE = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILER = auto()


class Answers:
    """The answers on one connection: feed bytes, take parts."""

    def __init__(self) -> None:
        self._where = _Where.HEAD
        self._buffer = bytearray()
        self._left = 0
        self._reusable = True

    @property
    def idle(self) -> bool:
        """Whether no answer has begun."""
        return self._where is _Where.HEAD and not self._buffer

    def feed(self, data: bytes | memoryview) -> list[Part]:
        """Return the parts that *data* completes, or raise `ProtocolError`."""
        self._buffer += data
        parts: list[Part] = []
        at = 0
        while True:
            part, end = self._part(at)
            if end == at and part is None:
                break
            at = end
            if part is not None:
                parts.append(part)
        del self._buffer[:at]
        return parts

    def eof(self) -> list[Part]:
        """Return what the end of the connection completes; raise where it cuts an answer short."""
        if self._where is _Where.UNTIL_CLOSE:
            self._where = _Where.HEAD
            return [End(reusable=False)]
        if not self.idle:
            raise ProtocolError("the connection ended in the middle of an answer")
        return []

    def _part(self, at: int) -> tuple[Part | None, int]:
        """Return the part that begins at *at* (None where it is not for the reader), its end."""
        match self._where:
            case _Where.CHUNK_SIZE:
                # Nearly always nothing follows the event that was read.
                return (None, at) if at == len(self._buffer) else self._whole(at) or self._line(at)
            case _Where.HEAD:
                return self._head(at)
            case _Where.UNTIL_CLOSE:
                return (bytes(self._buffer[at:]) or None), len(self._buffer)
            case _Where.COUNTED:
                return self._counted(at)
            case _Where.CHUNK:
                return self._chunk(at)
            case _:
                return self._line(at)

    def _whole(self, at: int) -> tuple[Part, int] | None:
        """Return the chunk that begins at *at* if all of it is here, as an event nearly always is.

        Line, data and end one by one take three times as long.
        """
        end = self._buffer.find(b"\r\n", at, at + _SIZE_LINE)
        size = bytes(self._buffer[at : max(at, end)])
        if _HEX.fullmatch(size) is None:
            return None
        begin = end + 2
        after = begin + int(size, 16)
        if after == begin or not self._buffer.startswith(b"\r\n", after):
            return None
        return bytes(self._buffer[begin:after]), after + 2

    def _head(self, at: int) -> tuple[Part | None, int]:
        end = self._buffer.find(b"\r\n\r\n", at)
        if end < 0:
            if len(self._buffer) - at > MOST_HEAD:
                raise ProtocolError(f"the head of an answer is longer than {MOST_HEAD} bytes")
            return None, at
        lines = bytes(self._buffer[at:end]).split(b"\r\n")
        status = _STATUS.fullmatch(lines[0])
        if status is None:
            raise ProtocolError(f"not HTTP: {lines[0][:60]!r}")
        head = Head(status=int(status[2]), fields=dict(_fields(lines[1:])))
        if head.status < 200:
            return None, end + 4
        self._begin(head, latest=status[1] == b"1")
        return head, end + 4

    def _begin(self, head: Head, *, latest: bool) -> None:
        connection = head.fields.get("connection", "").lower()
        self._reusable = "close" not in connection and (latest or "keep-alive" in connection)
        coding = head.fields.get("transfer-encoding", "").strip().lower()
        length = head.fields.get("content-length", "")
        if coding == "chunked":
            self._where = _Where.CHUNK_SIZE
        elif coding:
            raise ProtocolError(f"transfer coding {coding!r} was not asked for")
        elif head.status in _NO_BODY or length:
            self._left = int(length) if _DIGITS.fullmatch(length) else 0 if not length else -1
            if self._left < 0:
                raise ProtocolError(f"content-length: {length!r} is not a number")
            self._where = _Where.COUNTED
        else:
            self._where = _Where.UNTIL_CLOSE

    def _counted(self, at: int) -> tuple[Part | None, int]:
        if not self._left:
            self._where = _Where.HEAD
            return End(self._reusable), at
        data = bytes(self._buffer[at : at + self._left])
        self._left -= len(data)
        return (data or None), at + len(data)

    def _chunk(self, at: int) -> tuple[Part | None, int]:
        data = bytes(self._buffer[at : at + self._left])
        self._left -= len(data)
        if not self._left:
            self._where = _Where.CHUNK_END
        return (data or None), at + len(data)

    def _line(self, at: int) -> tuple[Part | None, int]:
        end = self._buffer.find(b"\r\n", at)
        if end < 0:
            if len(self._buffer) - at > _MOST_CHUNK_LINE:
                raise ProtocolError("a chunk's first line has no end")
            return None, at
        line = bytes(self._buffer[at:end])
        if self._where is _Where.CHUNK_END:
            if line:
                raise ProtocolError("a chunk is longer than it says")
            self._where = _Where.CHUNK_SIZE
        elif self._where is _Where.TRAILER:
            if not line:
                self._where = _Where.HEAD
                return End(self._reusable), end + 2
        else:
            size = line.partition(b";")[0].strip()
            if _HEX.fullmatch(size) is None:
                raise ProtocolError(f"a chunk's size is {size[:20]!r}")
            self._left = int(size, 16)
            self._where = _Where.CHUNK if self._left else _Where.TRAILER
        return None, end + 2


def _fields(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ProtocolError(f"not a header field: {line[:60]!r}")
        yield name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()
