"""The reflex's end of the two pipes to ExaBGP.

Theory of operation: ExaBGP writes to our stdin and reads our stdout. Neither direction may ever
block the loop: lines are read as they come and handed out one by one; what is written goes to
a buffer that the loop drains when the pipe takes more. ExaBGP, in turn, drains its end at
once; a buffer that grows beyond its limit therefore means that ExaBGP hangs. Leaving would let
it hang for ever, with its sessions: we stay and say no more, so that it owes us answers until
the watchdog kills it. Should it read after all, it has missed commands: that is the end of the
connection, and our successor asks it what it has.
"""

import asyncio
import os
import stat
import sys
from collections import deque
from typing import Final, Self

from bgpd.exabgp import command, message, wire
from bgpd.exabgp.command import Command
from bgpd.exabgp.message import Ignored, Message
from bgpd.model.errors import ProtocolError, TransientError

MAX_BUFFER: Final = 2 * wire.MAX_LINE
"""Bytes that wait for ExaBGP to read them, at most."""

MAX_MESSAGES: Final = 4096
"""Decoded messages that wait for the reflex; beyond this the pipe is not read."""


FAREWELL_SECONDS: Final = 1.0
"""How long leaving waits for ExaBGP to take the last commands."""


class ExabgpPipe(asyncio.Protocol):
    """Messages from ExaBGP, commands to it: `async with pipe: async for message in pipe`.

    Iteration ends when ExaBGP closed its end, or reads on after more than `MAX_BUFFER` bytes
    waited. Lines that nobody understands are counted in `refused`, the last one's error kept.
    """

    def __init__(self, read_fd: int | None = None, write_fd: int | None = None) -> None:
        """Speak by *read_fd* and *write_fd*, by default stdin and stdout."""
        self.refused = 0
        self.refused_error = ""
        self.closed = False
        self.dropped = 0
        """Commands that were not sent because too much waited."""
        self._read_fd = sys.stdin.fileno() if read_fd is None else read_fd
        self._write_fd = sys.stdout.fileno() if write_fd is None else write_fd
        self._partial = bytearray()
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._reader: asyncio.ReadTransport | None = None
        self._writer: asyncio.WriteTransport | None = None

    async def __aenter__(self) -> Self:
        """Take over the two descriptors."""
        loop = asyncio.get_running_loop()
        for fd in (self._read_fd, self._write_fd):
            if stat.S_ISREG(os.fstat(fd).st_mode):
                raise TransientError(f"file descriptor {fd} is a file; ExaBGP starts us with pipes")
        self._reader, _ = await loop.connect_read_pipe(
            lambda: self, os.fdopen(self._read_fd, "rb", buffering=0, closefd=False)
        )
        writer, _ = await loop.connect_write_pipe(
            lambda: _Sink(self), os.fdopen(self._write_fd, "wb", buffering=0, closefd=False)
        )
        self._writer = writer
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let the two descriptors go, after what was sent last has left."""
        for _ in range(100):  # asyncio does not tell when a transport's buffer is empty
            if not self.backlog or self.closed:
                break
            await asyncio.sleep(FAREWELL_SECONDS / 100)
        self._end()
        await asyncio.sleep(0)  # the transports close in the loop's next round

    def send(self, command_: Command) -> None:
        """Hand *command_* to ExaBGP, without ever waiting; nothing happens once it is closed."""
        if self._writer is None or self.closed:
            return
        if self.dropped or self._writer.get_write_buffer_size() > MAX_BUFFER:
            self.dropped += 1  # and all that follow: none may be sent without those before it
            return
        self._writer.write(command.encode(command_))

    @property
    def backlog(self) -> int:
        """Bytes that ExaBGP has not taken yet."""
        return self._writer.get_write_buffer_size() if self._writer is not None else 0

    def __aiter__(self) -> Self:
        """Iterate over messages until ExaBGP is gone."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message; the iteration ends with the pipe."""
        while not self._messages:
            if self.closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        found = self._messages.popleft()
        if len(self._messages) == MAX_MESSAGES // 2 and self._reader is not None:
            self._reader.resume_reading()
        return found

    def data_received(self, data: bytes) -> None:
        """Cut *data* into lines; asyncio calls this."""
        *lines, rest = data.split(b"\n")
        if lines:
            self._take(bytes(self._partial) + lines[0])
            self._partial.clear()
            for line in lines[1:]:
                self._take(line)
        self._partial += rest
        if len(self._partial) > wire.MAX_LINE:
            self._refuse(f"a line of more than {wire.MAX_LINE} bytes")
            self._end()
        if len(self._messages) >= MAX_MESSAGES and self._reader is not None:
            self._reader.pause_reading()
        self._arrived.set()

    def eof_received(self) -> None:
        """Take note that ExaBGP closed its end; asyncio calls this."""
        self._end()

    def connection_lost(self, _: Exception | None) -> None:
        """Take note that the pipe broke; asyncio calls this."""
        self._end()

    def written(self) -> None:
        """Take note that ExaBGP has read what waited; the writing end calls this."""
        if self.dropped:
            # The transport is in the middle of its own work.
            asyncio.get_running_loop().call_soon(self._end)

    def _take(self, line: bytes) -> None:
        try:
            found = message.decode(line)
        except ProtocolError as error:
            self._refuse(str(error))
            return
        if not isinstance(found, Ignored):
            self._messages.append(found)

    def _refuse(self, error: str) -> None:
        self.refused += 1
        self.refused_error = error

    def _end(self) -> None:
        self.closed = True
        self._arrived.set()
        if self._reader is not None and not self._reader.is_closing():
            self._reader.close()
        # Its own end calls us back, and a transport that is aborted twice falls over its pieces.
        if self._writer is not None and not self._writer.is_closing():
            self._writer.abort()  # nobody is left to read what waits


class _Sink(asyncio.BaseProtocol):
    """The writing end: its breaking is the end of the pipe."""

    def __init__(self, pipe: ExabgpPipe) -> None:
        self._pipe = pipe

    def resume_writing(self) -> None:
        self._pipe.written()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pipe.connection_lost(exc)
