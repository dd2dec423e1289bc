"""Real sockets to ask, some of them hostile, and a prober that asks until a fact holds."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bgpd.health.job import Job, JobKey, JobState
from bgpd.health.prober import Prober
from bgpd.model.health import Health, Probe, Rhythm
from bgpd.model.prefix import Address

PATIENCE: Final = 20.0
"""Seconds until a fact that does not come true fails its test."""
QUICK: Final = Rhythm(
    period_milliseconds=100, timeout_milliseconds=100, failure_threshold=2, success_threshold=1
)
PATIENT: Final = Rhythm(
    period_milliseconds=100, timeout_milliseconds=5000, failure_threshold=2, success_threshold=1
)
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOCALHOST: Final = Address("127.0.0.1")

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def job(
    probe: Probe, port: int, *, key: JobKey = "job", address: str = LOCALHOST,
    rhythm: Rhythm = PATIENT, source: str | None = None,
) -> Job:  # fmt: skip
    """Return a job at *port* of this host."""
    return Job(
        key=key,
        probe=probe,
        address=Address(address),
        port=port,
        rhythm=rhythm,
        source_address=None if source is None else Address(source),
        environment={"SERVICE": "default/web", "NODE": "n1"},
    )


@dataclass
class Asking:
    """A prober that runs, and what it said."""

    changes: list[JobState] = field(default_factory=list)
    prober: Prober = field(init=False)
    concurrency: int | None = None
    chance: random.Random | None = None

    def __post_init__(self) -> None:
        self.prober = Prober(self.changes.append, concurrency=self.concurrency, chance=self.chance)

    @property
    def states(self) -> Mapping[JobKey, JobState]:
        """What is known now."""
        return self.prober.states

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds; fail with what is known instead."""
        await until(fact, lambda: f"still not so: {list(self.states.values())}")

    async def until_health(self, health: Health, key: JobKey = "job") -> JobState:
        """Wait until *key* is of that health."""
        await self.until(lambda: self.states[key].health is health)
        return self.states[key]

    async def until_asked(self, times: int, key: JobKey = "job") -> JobState:
        """Wait until *key* has had so many outcomes."""
        await self.until(lambda: self.states[key].probes + self.states[key].unasked >= times)
        return self.states[key]


async def until(fact: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until *fact* holds; fail with *otherwise* after a long time."""
    end = asyncio.get_running_loop().time() + PATIENCE
    for pause in iter(lambda: 0.005, None):
        if fact():
            return
        assert asyncio.get_running_loop().time() < end, otherwise()
        await asyncio.sleep(pause)


@asynccontextmanager
async def asking(
    *jobs: Job, concurrency: int | None = None, chance: random.Random | None = None
) -> AsyncIterator[Asking]:
    """Ask *jobs* within the block."""
    asked = Asking(concurrency=concurrency, chance=chance)
    asked.prober.set(jobs)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asked.prober.run())
        try:
            yield asked
        finally:
            task.cancel()


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a request as it should be."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and say nothing, until the other side leaves."""
    del writer
    while await reader.read(1024):
        pass


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, and never the last."""
    del reader
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection as soon as something is said on it."""
    await reader.read(1)
    opened = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the connection after what was said."""
    del writer
    await reader.read(1024)


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send as much as is taken, all of it nonsense."""
    del reader
    while True:
        writer.write(b"\xa5" * 65_536)
        await writer.drain()


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send header fields for ever."""
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n" * 1000)
        await writer.drain()


@asynccontextmanager
async def serving(talk: Talk, address: str = LOCALHOST, port: int = 0) -> AsyncIterator[int]:
    """Let *talk* answer on a port, which is returned; hang up at the end."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            open_ones.discard(writer)
            writer.close()

    server = await asyncio.start_server(connected, address, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in tuple(open_ones):
            writer.transport.abort()
        await asyncio.sleep(0)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of this host on which nothing listens."""
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.bind((LOCALHOST, 0))
        return int(opened.getsockname()[1])
