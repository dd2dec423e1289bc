"""Reads what the API server answers to who follows a resource: a watch, or one page of a list.

A watch is passed on line by line, in the callback that read it from the socket; a page is decoded
once it is whole. An answer other than 200 ends the exchange with the outcome that a course decides
on, whichever of the two was asked for.
"""

from typing import Final, Protocol

import msgspec

from bgpd.kube.backoff import retry_after
from bgpd.kube.course import IDLE, Outcome, Refused
from bgpd.kube.http1 import Head
from bgpd.kube.resource import Page
from bgpd.kube.transport import Connection
from bgpd.kube.watchline import Lines, Status, status
from bgpd.model.errors import ProtocolError

_MOST_ERROR: Final = 64 * 1024
"""Bytes of an error's body that are read."""
_MOST_PAGE: Final = 256 * 1024 * 1024


class Follower(Protocol):
    """Who asked, and hears of the answer while it is read."""

    def answered(self) -> None:
        """Note that the answer is a good one, of which nothing is read yet."""

    def heard(self) -> None:
        """Note that bytes of a watch came."""

    def line(self, line: bytes) -> bool:
        """Take one line of a watch; return whether the state is complete with it."""


class Stop(Exception):  # noqa: N818 - no error: a way out of the callbacks of a connection
    """Ends an exchange with an outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class _Errors:
    """The part of a reader that turns an answer other than 200 into an outcome."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._failed: Head | None = None
        self._pieces: list[bytes] = []
        self._length = 0

    def head(self, head: Head) -> None:
        """Take the status."""
        if head.status != 200:
            self._failed = head
        else:
            self._follower.answered()

    def _keep(self, data: bytes, most: int) -> None:
        self._length += len(data)
        if self._length > most:
            raise ProtocolError(f"an answer is longer than {most} bytes")
        self._pieces.append(data)

    def _judge(self) -> None:
        if self._failed is not None:
            found = status(b"".join(self._pieces), code=self._failed.status)
            told = retry_after(self._failed.fields.get("retry-after", ""))
            code = self._failed.status
            raise Stop(
                Refused(
                    Status(
                        code=code,
                        reason=found.reason,
                        message=found.message,
                        retry_after=max(found.retry_after, told),
                    )
                )
            )


class WatchReader(_Errors):
    """Reads a watch."""

    def __init__(self, follower: Follower, connection: Connection) -> None:
        super().__init__(follower)
        self._connection = connection
        self._lines = Lines()

    def body(self, data: bytes) -> None:
        """Take a piece."""
        if self._failed is not None:
            self._keep(data, _MOST_ERROR)
            return
        # Before the first of its lines: what follows is counted from here on.
        self._follower.heard()
        for line in self._lines.feed(data):
            if self._follower.line(line):
                self._connection.idle = IDLE

    def end(self) -> None:
        """Judge the whole answer."""
        self._judge()
        self._lines.end()


class PageReader(_Errors):
    """Reads one page of a list."""

    def body(self, data: bytes) -> None:
        """Take a piece."""
        self._keep(data, _MOST_ERROR if self._failed is not None else _MOST_PAGE)

    def page(self) -> Page:
        """Return the page, or end the round."""
        self._judge()
        try:
            return msgspec.json.decode(b"".join(self._pieces), type=Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"a list cannot be read: {error}") from None
