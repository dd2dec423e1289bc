"""Stay connected to a speaker for ever: the agent's half of the socket.

The speaker may restart at any time, and an agent that waits a second too long to tell the new
one what is desired is a second of stale routes. A speaker needs about half a second to start, so
for a few seconds we ask again and again, which costs a system call; only then the pauses grow.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, AnyMessage, Hello, Welcome

WELCOME_SECONDS: Final = 3.0
"""How long a speaker may take to welcome us; it answers from its loop, so this is ample."""

FIRST_DELAY: Final = 0.02
FIRST_TRIES: Final = 150
"""Attempts with the first pause: two to three seconds."""
LAST_DELAY: Final = 1.0

_SETTLED_SECONDS: Final = 2.0
"""A connection that lived this long starts the back-off anew; a shorter one continues it."""


class Listener(Protocol):
    """Whoever uses the connection; called from the loop, and must not block it."""

    def connected(self, connection: Connection) -> None:
        """Send the whole desired state: the other end welcomed us and knows nothing of it."""

    def received(self, message: AnyMessage) -> None:
        """Act on one message."""

    def lost(self, reason: str) -> None:
        """Learn why the connection ended, or why none comes about; said again when it changes."""


class Client:
    """A connection that comes back; `run` it in a task and cancel the task to stop."""

    def __init__(
        self,
        path: Path,
        listener: Listener,
        *,
        program: str = "",
        jitter: Callable[[], float] = random.random,
        welcome_seconds: float = WELCOME_SECONDS,
    ) -> None:
        self.path = path
        self.counters: Counter[str] = Counter()
        self.connection: Connection | None = None
        """The connection while it is welcomed, else None."""
        self.welcome: Welcome | None = None
        """What the other end last said of itself."""
        self._listener = listener
        self._hello = Hello(version=VERSION, role="agent", program=program)
        self._jitter = jitter
        self._welcome_seconds = welcome_seconds

    async def run(self) -> None:
        """Connect, and connect again after each loss, until cancelled."""
        loop = asyncio.get_running_loop()
        pauses = delays(self._jitter)
        said = ""
        while True:
            started = loop.time()
            connected = self.counters["connected"]
            reason = await self._once()
            if reason != said or self.counters["connected"] > connected:
                self._listener.lost(reason)
            said = reason
            if loop.time() - started > _SETTLED_SECONDS:
                pauses = delays(self._jitter)
            await asyncio.sleep(next(pauses))

    async def _once(self) -> str:
        """Live through one connection; return why it ended."""
        loop = asyncio.get_running_loop()
        dialog = _Dialog(self, self._listener, self._hello, ended=loop.create_future())
        connection = Connection(dialog, counters=self.counters)
        self.counters["attempts"] += 1
        try:
            await loop.create_unix_connection(lambda: connection, str(self.path))
        except OSError as error:
            return f"{self.path}: {error.strerror or error}"
        overdue = loop.call_later(self._welcome_seconds, dialog.overdue, connection)
        try:
            return await dialog.ended
        finally:
            overdue.cancel()
            connection.close("we stop")
            self.connection = None


class _Dialog:
    """One connection's course: Hello, Welcome, then messages."""

    def __init__(
        self, client: Client, listener: Listener, hello: Hello, *, ended: asyncio.Future[str]
    ) -> None:
        self._client = client
        self._listener = listener
        self._hello = hello
        self.ended = ended

    def opened(self, connection: Connection) -> None:
        connection.send(self._hello)

    def received(self, connection: Connection, message: AnyMessage) -> None:
        if self._client.connection is connection:
            self._listener.received(message)
        elif not isinstance(message, Welcome):
            connection.close(f"expected a welcome, got {type(message).__name__}")
        elif message.version < VERSION - 1:
            connection.close(
                f"the speaker talks version {message.version}, we talk {VERSION} and {VERSION - 1};"
                " upgrade the speaker"
            )
        else:
            self._client.welcome = message
            self._client.connection = connection
            self._client.counters["connected"] += 1
            self._listener.connected(connection)

    def closed(self, connection: Connection) -> None:
        self._client.connection = None
        if not self.ended.done():
            self.ended.set_result(connection.reason)

    def overdue(self, connection: Connection) -> None:
        if self._client.connection is None:
            connection.close("connected, but not welcomed in time")


def delays(jitter: Callable[[], float]) -> Iterator[float]:
    """Return pauses that at last double from `FIRST_DELAY` to `LAST_DELAY`.

    Each is cut by up to a half.
    """
    delay = FIRST_DELAY
    for _ in range(FIRST_TRIES):
        yield delay * (0.5 + jitter() / 2)
    while True:
        yield delay * (0.5 + jitter() / 2)
        delay = min(delay * 2, LAST_DELAY)
