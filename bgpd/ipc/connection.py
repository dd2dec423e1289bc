"""One end of a unix socket that carries lines: decoded on arrival, sent without waiting.

Decoding and the callback happen inside `data_received`, with no queue and no task between the
kernel and the handler: a withdrawal of 200 bytes must cost microseconds here, not a turn of
the loop for each stage.

A peer that does not read is cut off, because the alternative is our memory: more than
`MAX_UNSENT` bytes waiting, or `STALL_SECONDS` in which it took nothing.
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

from bgpd.ipc.message import MAX_LINE, AnyMessage, UnknownKindError, decode, encode
from bgpd.model.errors import ProtocolError

MAX_UNSENT: Final = 64 * 1024 * 1024
"""Bytes that may wait for a peer: the desired state of the largest node, with room."""

READ: Final = 64 * 1024
"""Bytes read in one go, at most."""

STALL_SECONDS: Final = 5.0
"""How long a peer may leave our bytes unread before it is cut off."""


class Handler(Protocol):
    """Whoever acts on what arrives; called from the loop, and must not block it."""

    def opened(self, connection: "Connection") -> None:
        """Learn that *connection* can be used."""

    def received(self, connection: "Connection", message: AnyMessage) -> None:
        """Act on one message."""

    def closed(self, connection: "Connection") -> None:
        """Learn that *connection* is gone; `connection.reason` says why."""


class Connection(asyncio.BufferedProtocol):
    """A connected peer: `send` to it; what it says goes to the handler."""

    def __init__(
        self,
        handler: Handler,
        *,
        counters: Counter[str] | None = None,
        max_unsent: int = MAX_UNSENT,
        stall_seconds: float = STALL_SECONDS,
        max_line: int = MAX_LINE,
    ) -> None:
        self._handler = handler
        self.counters: Counter[str] = Counter() if counters is None else counters
        self.reason = ""
        """Why the connection closed, in a sentence; empty while it is open."""
        self.pid = self.uid = 0
        """The process and user at the other end, where the server asked the kernel."""
        self.refused = False
        """The peer was not admitted, so the handler never hears of it."""
        self._max_unsent = max_unsent
        self._stall_seconds = stall_seconds
        self._max_line = max_line
        self._transport: asyncio.Transport | None = None
        self._read = memoryview(bytearray(READ))
        self._buffer = bytearray()
        self._sent = 0
        self._taken = 0
        self._stall: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether a message sent now has a chance to arrive."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, message: AnyMessage) -> bool:
        """Send *message* without waiting; return whether the connection was open to take it."""
        return self.send_line(encode(message))

    def send_line(self, line: bytes) -> bool:
        """Send an encoded message: encode once, send to many."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        self._sent += len(line)
        transport.write(line)
        if transport.get_write_buffer_size() > self._max_unsent:
            self.counters["slow_reader"] += 1
            self.abort(f"the peer left more than {self._max_unsent} bytes unread")
            return False
        return True

    def close(self, reason: str = "closed by us") -> None:
        """Send what is still waiting, then close."""
        if self._transport is not None and not self._transport.is_closing():
            self.reason = self.reason or reason
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self.pause_writing()

    def abort(self, reason: str) -> None:
        """Close at once; what is still waiting is lost."""
        self.reason = self.reason or reason
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start: asyncio calls this once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.admitted(transport):
            self._handler.opened(self)

    def admitted(self, transport: asyncio.Transport) -> bool:  # noqa: ARG002 - the server's hook
        """Return whether the peer may speak at all."""
        return True

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's word
        """Return where to read to; asyncio's own buffer is new for each read, and mapped anew."""
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        """Hand every complete line to the handler."""
        scanned = len(self._buffer)
        self._buffer += self._read[:nbytes]
        start = 0
        while self.open:
            end = self._buffer.find(b"\n", max(start, scanned))
            if end < 0:
                break
            self._line(bytes(self._buffer[start:end]))
            start = end + 1
        del self._buffer[:start]
        if len(self._buffer) > self._max_line:
            self._too_long()

    def pause_writing(self) -> None:
        """Watch a peer that has stopped reading."""
        if self._stall is None:
            self._watch()

    def resume_writing(self) -> None:
        """Stop watching: the peer reads."""
        self._unwatch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: asyncio calls this once."""
        self._unwatch()
        self._buffer.clear()
        self.reason = self.reason or (str(exc) if exc else "closed by the peer")
        self._transport = None
        if not self.refused:
            self._handler.closed(self)

    def _line(self, line: bytes) -> None:
        if len(line) > self._max_line:
            self._too_long()
            return
        try:
            message = decode(line)
        except UnknownKindError:
            self.counters["unknown_kind"] += 1
            return
        except ProtocolError as error:
            self.counters["malformed"] += 1
            self.abort(str(error))
            return
        self._handler.received(self, message)

    def _too_long(self) -> None:
        self.counters["too_long"] += 1
        self.abort(f"a line is longer than {self._max_line} bytes")

    def _watch(self) -> None:
        assert self._transport is not None
        self._taken = self._sent - self._transport.get_write_buffer_size()
        self._stall = asyncio.get_running_loop().call_later(self._stall_seconds, self._stalled)

    def _unwatch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _stalled(self) -> None:
        self._stall = None
        if self._transport is None or self._transport.is_closing():
            # A close that waits for a peer to read would wait for ever.
            self.abort("the peer did not read what we sent before we closed")
            return
        if self._sent - self._transport.get_write_buffer_size() > self._taken:
            self._watch()
            return
        self.counters["slow_reader"] += 1
        self.abort(f"the peer read nothing for {self._stall_seconds:g} s")
