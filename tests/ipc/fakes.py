"""Ends of a socket for tests: a handler and a listener that remember."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from bgpd.ipc.client import Client
from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, AnyMessage, Hello, Welcome
from bgpd.model.member import NodeName

PATIENCE: Final = 40.0
"""Seconds: far more than anything here takes, far less than a person waits."""


class Recorder:
    """A handler that keeps what it is told, in order, and welcomes whoever says hello."""

    def __init__(self, *, version: int = VERSION, welcomes: bool = True) -> None:
        self.messages: list[AnyMessage] = []
        self.connections: list[Connection] = []
        self.reasons: list[str] = []
        self._version = version
        self._welcomes = welcomes

    def opened(self, connection: Connection) -> None:
        """Keep the connection."""
        assert connection not in self.connections, "opened twice"
        self.connections.append(connection)

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Keep the message."""
        assert connection in self.connections, "a message before the connection was opened"
        self.messages.append(message)
        if isinstance(message, Hello) and self._welcomes:
            connection.send(Welcome(version=self._version, node=NodeName("n1")))

    def closed(self, connection: Connection) -> None:
        """Keep the reason."""
        assert connection.reason, "closed without a reason"
        self.reasons.append(connection.reason)


class Listening:
    """A listener of the client that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.messages: list[AnyMessage] = []
        self.reasons: list[str] = []

    def connected(self, connection: Connection) -> None:
        """Keep the connection."""
        self.connections.append(connection)

    def received(self, message: AnyMessage) -> None:
        """Keep the message."""
        assert self.connections, "a message before the welcome"
        self.messages.append(message)

    def lost(self, reason: str) -> None:
        """Keep the reason."""
        self.reasons.append(reason)


async def until(fact: Callable[[], object]) -> None:
    """Wait until *fact* is true; fail when it does not become true."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - facts of every kind, most without an event
            await asyncio.sleep(0.002)


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[None]:
    """Run *client* for as long as the block lasts."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.run(), name="client")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
