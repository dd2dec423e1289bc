"""A connection notices every way in which a server can stop to answer."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bgpd.kube.http1 import Head, Request
from bgpd.kube.transport import Connection, Endpoint, UnreachableError
from bgpd.model.errors import BgpdError, ProtocolError
from tests.kube.certificates import Identity

ASK = Request(target="/")
SHORT, LONG = 0.2, 20.0
"""Seconds that somebody waits in vain, and that nobody should have to."""
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Heard:
    """A reader that remembers (bgpd.kube.transport.Reader)."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.text = b""

    def head(self, head: Head) -> None:
        """Remember the status."""
        self.statuses.append(head.status)

    def body(self, data: bytes) -> None:
        """Remember the piece."""
        self.text += data


def talk(
    serve: Serve,
    story: Callable[[Connection, Heard], Awaitable[None]],
    identity: Identity | None = None,
) -> None:
    """Run *story* on a connection to a server that does what *serve* does, and is *identity*."""
    server_side = identity.server if identity else None
    client_side = ssl.create_default_context(cafile=identity.certificate) if identity else None

    async def main() -> None:
        over = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
            await over.wait()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_side)
        port = server.sockets[0].getsockname()[1]
        try:
            endpoint = Endpoint(host="127.0.0.1", port=port, tls=client_side)
            connection = await Connection.open(endpoint)
            async with asyncio.timeout(30):
                await story(connection, Heard())
            connection.close()
        finally:
            over.set()
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0.01)

    asyncio.run(main())


def says(*pieces: bytes, end: bool = False) -> Serve:
    """Return a server that says that, and perhaps ends the connection."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if end:
            writer.close()

    return serve


@pytest.mark.parametrize(
    ("serve", "kind", "why", "head_within", "idle"),
    [
        pytest.param(
            says(), UnreachableError, "answered nothing for 0 s", SHORT, LONG, id="silence"
        ),
        pytest.param(
            says(HEAD),
            UnreachableError,
            "answered nothing",
            SHORT,
            SHORT,
            id="silence after a head",
        ),
        pytest.param(says(end=True), UnreachableError, "closed", LONG, LONG, id="an end"),
        pytest.param(
            says(HEAD, b"5\r\nab", end=True), UnreachableError, "middle", LONG, LONG, id="a cut"
        ),
        pytest.param(
            says(b"SSH-2.0-x\r\n\r\n"), ProtocolError, "not HTTP", LONG, LONG, id="no HTTP"
        ),
        pytest.param(
            says(HEAD + b"zz\r\n"), ProtocolError, "chunk", LONG, LONG, id="a broken chunk"
        ),
    ],
)
def test_no_answer_is_an_error_that_says_why(
    serve: Serve, kind: type[BgpdError], why: str, head_within: float, idle: float
) -> None:
    """Nobody waits for ever, and nobody takes half an answer for a whole one."""

    async def story(connection: Connection, heard: Heard) -> None:
        with pytest.raises(kind, match=why):
            await connection.exchange(ASK, heard, head_within=head_within, idle=idle)
        assert not connection.usable

    talk(serve, story)


def test_a_connection_carries_one_request_after_the_other() -> None:
    """Pages of a list, and writes, share one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            if number:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"1\r\n%d\r\n0\r\n\r\n" % number)
            await writer.drain()

    async def story(connection: Connection, heard: Heard) -> None:
        for _ in range(3):
            await connection.exchange(ASK, heard, head_within=10, idle=10)
        assert heard.statuses == [200, 200, 200]
        assert heard.text == b"012"
        assert connection.usable

    talk(serve, story)


def test_what_the_reader_raises_reaches_whoever_asked() -> None:
    """The connection ends with it: the rest of the answer has no reader."""

    class Refusing(Heard):
        def body(self, data: bytes) -> None:
            raise LookupError(data.decode())

    async def story(connection: Connection, _: Heard) -> None:
        with pytest.raises(LookupError, match="x"):
            await connection.exchange(ASK, Refusing(), head_within=10, idle=10)
        assert not connection.usable

    talk(says(HEAD + b"1\r\nx\r\n"), story)


def test_others_have_their_turn_while_much_arrives() -> None:
    """Work is cut into slices; nothing is lost and the order holds."""
    pieces = 4000
    turns = 0

    class Slow(Heard):
        def body(self, data: bytes) -> None:
            super().body(data)
            sum(range(2000))

    async def story(connection: Connection, _: Heard) -> None:
        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        slow = Slow()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(tick())
            await connection.exchange(ASK, slow, head_within=10, idle=10)
            task.cancel()
        assert slow.text == b"".join(b"%04d" % n for n in range(pieces))
        assert turns > 10

    body = b"".join(b"4\r\n%04d\r\n" % n for n in range(pieces))
    talk(says(HEAD + body + b"0\r\n\r\n", end=True), story)


def test_much_arrives_whole_through_tls(tmp_path: Path) -> None:
    """Records that share one read of the buffer, and answers larger than it, lose no byte."""
    pieces = [b"%06d" % n * 500 for n in range(200)]

    async def story(connection: Connection, heard: Heard) -> None:
        await connection.exchange(ASK, heard, head_within=10, idle=10)
        assert heard.text == b"".join(pieces)

    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    talk(says(HEAD, *chunks, b"0\r\n\r\n"), story, Identity(tmp_path / "server"))


def test_nobody_there_is_an_error_that_says_why() -> None:
    """In the system's words."""

    async def main() -> None:
        with pytest.raises(UnreachableError, match="Connection refused"):
            await Connection.open(Endpoint(host="127.0.0.1", port=1, tls=None))
        with pytest.raises(UnreachableError):
            await Connection.open(Endpoint(host="host.invalid", port=1, tls=None))

    asyncio.run(main())
