"""Writes that come one by one go over one connection, which is open before they come."""

import asyncio

from bgpd.controller.books import Books
from bgpd.controller.writers import Writers
from bgpd.model.allocation import Namespace
from tests.bench.source import Plain
from tests.controller.build import pool, service

PATIENCE = 20.0


class Server:
    """Answers everything with an empty object, and notes what came over which connection."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        """Method, and the number of the connection."""
        self.some = asyncio.Event()
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection."""
        self._connections += 1
        number = self._connections
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                self.asked.append((head.split()[0].decode(), number))
                self.some.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def until(self, count: int) -> None:
        """Wait for so many requests."""
        while len(self.asked) < count:
            self.some.clear()
            await self.some.wait()


async def _write_one_by_one(count: int) -> list[tuple[str, int]]:
    server, books = Server(), Books()
    books.configure([pool("p", "192.0.2.0/24")], [Namespace(name="default")])
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    writers = Writers(
        Plain(port), books, agent="test", may_begin=lambda: True, on_change=lambda: None
    )
    async with asyncio.timeout(PATIENCE), listening, asyncio.TaskGroup() as group:
        task = group.create_task(writers.run(), name="write")
        await server.until(1)
        for number in range(count):
            books.seen(service(f"s{number}", resource_version="1"), 0.0)
            while books.decide(0.0) is not None:
                pass
            writers.wake()
            await server.until(2 + number)
            while books.writing:  # noqa: ASYNC110 - books tell nothing by themselves
                await asyncio.sleep(0.001)
        task.cancel()
    return server.asked


def test_writes_one_by_one_use_the_connection_that_is_open() -> None:
    """One is opened when the term begins; a second one only for what comes in that very moment."""
    asked = asyncio.run(_write_one_by_one(12))
    assert [method for method, _ in asked] == ["GET", *["PATCH"] * 12]
    assert len({number for _, number in asked}) <= 2
