"""Ask by HTTP/1.1 whether the answer's status, and text if wanted, is the expected one.

The whole answer is waited for, up to 64 KiB, so that no server sees its connection cut while it
writes; a status that is not expected needs no body. Nobody is followed elsewhere: a redirect is
a status like any other.

Supported standards: RFC 9110 and RFC 9112, as a client of one request on a connection.
"""

import re
from typing import Final

from bgpd.health.exchange import MOST_RECEIVED
from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome, failed, healthy, quoted
from bgpd.model.health import HTTPGet

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"\r?\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r?\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r?\n", re.IGNORECASE)
_CHUNK: Final = re.compile(rb"([0-9a-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n", re.IGNORECASE)
_NO_BODY: Final = frozenset({204, 304})
_LONGEST_STATUS: Final = 13
_MOST_CHUNK_LINE: Final = 256


class HTTPRecipe:
    """The request as bytes, and what is expected of an answer."""

    __slots__ = ("_answered", "body", "expected", "request", "statuses")

    def __init__(self, job: Job, probe: HTTPGet) -> None:
        """Raise `ValueError` where the request cannot be written down."""
        fields = {"Host": probe.host or _host(job, probe), "User-Agent": "bgpd", "Accept": "*/*"}
        named = {name.lower(): name for name in fields}
        for name, value in probe.headers.items():
            fields[named.get(name.lower(), name)] = value
        fields["Connection"] = "close"
        for name, value in (("path", probe.path), *fields.items()):
            if not (name + value).isascii() or not (name + value).isprintable():
                raise ValueError(f"{name}: {value!r} holds what no HTTP request may")
        if " " in probe.path or not probe.path.startswith("/"):
            raise ValueError(f"path: {probe.path!r} must begin with / and hold no space")
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.request = f"GET {probe.path} HTTP/1.1\r\n{lines}\r\n".encode()
        self.statuses = probe.statuses
        self.expected = ", ".join(
            str(low) if low == high else f"{low}-{high}" for low, high in probe.statuses
        )
        self.body = probe.body.encode()
        self._answered: dict[int, Outcome] = {}

    def exchange(self, token: int) -> "HTTPExchange":
        """Return a new request with its answer to come."""
        del token
        return HTTPExchange(self)

    def expects(self, status: int) -> bool:
        """Return whether *status* is one of those that are expected."""
        return any(low <= status <= high for low, high in self.statuses)

    def answered(self, status: int) -> Outcome:
        """Return that all is as expected; made once, because it is said most often."""
        outcome = self._answered.get(status)
        if outcome is None:
            outcome = self._answered[status] = healthy(f"answered {status}")
        return outcome


class HTTPExchange:
    """One request and its answer (`bgpd.health.exchange.Exchange`)."""

    __slots__ = (
        "_at",
        "_body",
        "_buffer",
        "_chunked",
        "_left",
        "_received",
        "_recipe",
        "_sent",
        "_status",
    )

    def __init__(self, recipe: HTTPRecipe) -> None:
        self._recipe = recipe
        self._buffer = bytearray()
        self._at = 0
        self._status = 0
        self._sent = False
        self._received = 0
        self._left: int | None = None
        self._chunked = False
        self._body: bytearray | None = None

    def data_to_send(self) -> bytes:
        """Return the request, once."""
        if self._sent:
            return b""
        self._sent = True
        return self._recipe.request

    def sent(self, wall: float) -> None:
        """Return nothing: only an answer will tell."""

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Take in a piece of the answer."""
        del wall
        self._received += len(data)
        self._buffer += data
        if self._body is None:
            verdict = self._head()
            if verdict is not None:
                return verdict
            if self._body is None:
                return self._too_long()
        return self._chunks() if self._chunked else self._plain()

    def ended(self) -> Outcome:
        """Return what a closed connection means here."""
        if self._body is not None and self._left is None and not self._chunked:
            return self._complete()
        if self._body is not None:
            return failed(Fault.CLOSED, f"answered {self._status} and closed within the body")
        if self._buffer:
            return failed(Fault.CLOSED, "closed the connection within the head of its answer")
        return failed(Fault.CLOSED, "closed the connection without an answer")

    def missing(self) -> str:
        """Return how far the answer came."""
        if self._body is not None:
            return f"answered {self._status} but its body did not end"
        if self._buffer:
            return "began an answer whose head did not end"
        return "accepted the connection but did not answer"

    def _head(self) -> Outcome | None:
        """Read the status line and the fields, if they are complete."""
        buffer = self._buffer
        while True:
            match = _STATUS.match(buffer)
            if match is None and (len(buffer) >= _LONGEST_STATUS or not _begins(buffer)):
                return failed(Fault.MALFORMED, f"answered what is not HTTP/1: {quoted(buffer)}")
            end = match and _HEAD_END.search(buffer, max(self._at - 3, 0))
            self._at = len(buffer)
            if match is None or end is None:
                return None
            status, head = int(match[1]), bytes(buffer[: end.end()])
            del buffer[: end.end()]
            self._at = 0
            if status >= 200:
                return self._begin(status, head)

    def _begin(self, status: int, head: bytes) -> Outcome | None:
        """Look at the status; note how the end of the body will be known (section 6.3)."""
        if not self._recipe.expects(status):
            return failed(Fault.UNEXPECTED, f"answered {status}, expected {self._recipe.expected}")
        self._status = status
        self._body = bytearray()
        if status in _NO_BODY:
            self._left = 0
        elif _CHUNKED.search(head):
            self._chunked = True
        else:
            length = _LENGTH.search(head)
            self._left = int(length[1]) if length else None
        return None

    def _plain(self) -> Outcome | None:
        """Move what came to the body, which has a length or ends with the connection."""
        assert self._body is not None
        self._body += self._buffer
        self._buffer.clear()
        if self._left is not None and len(self._body) >= self._left:
            del self._body[self._left :]
            return self._complete()
        return self._complete() if len(self._body) >= MOST_RECEIVED else None

    def _chunks(self) -> Outcome | None:
        """Move whole chunks to the body."""
        buffer, body = self._buffer, self._body
        assert body is not None
        while len(body) < MOST_RECEIVED:
            line = _CHUNK.match(buffer)
            if line is None:
                if len(buffer) > _MOST_CHUNK_LINE or b"\n" in buffer:
                    return failed(Fault.MALFORMED, f"sent a bad chunk: {quoted(buffer)}")
                return None
            size = int(line[1], 16)
            if size == 0:
                return self._complete()
            end = line.end() + size
            if len(buffer) < end + 2:
                if len(body) + len(buffer) >= MOST_RECEIVED:
                    body += buffer[line.end() : end]
                    break
                return None
            body += buffer[line.end() : end]
            del buffer[: end + (2 if buffer[end : end + 2] == b"\r\n" else 1)]
        return self._complete()

    def _complete(self) -> Outcome:
        body = self._recipe.body
        if body and body not in (self._body or b""):
            return failed(Fault.UNEXPECTED, f"answered {self._status}, but without {quoted(body)}")
        return self._recipe.answered(self._status)

    def _too_long(self) -> Outcome | None:
        if self._received < MOST_RECEIVED:
            return None
        return failed(Fault.MALFORMED, "answered with a head of more than 64 KiB")


def _host(job: Job, probe: HTTPGet) -> str:
    default = 80 if probe.tls is None else 443
    name = f"[{job.address}]" if ":" in job.address else job.address
    return name if job.port == default else f"{name}:{job.port}"


def _begins(buffer: bytearray) -> bool:
    """Return whether a status line may begin so."""
    return b"HTTP/1."[: len(buffer)] == buffer[:7]
