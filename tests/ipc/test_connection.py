"""Facts about one end of a unix socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Applied, Beat, Hello, encode
from tests.ipc.fakes import Recorder, until


@asynccontextmanager
async def connected(
    handler: Recorder,
    *,
    max_unsent: int = 1 << 26,
    stall_seconds: float = 60.0,
    max_line: int = 1 << 26,
) -> AsyncIterator[tuple[Connection, socket.socket]]:
    """Return a connection and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    connection = Connection(
        handler, max_unsent=max_unsent, stall_seconds=stall_seconds, max_line=max_line
    )
    with theirs:
        await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
        yield connection, theirs
        connection.abort("the test is over")
        await until(lambda: handler.reasons)


def test_a_message_may_arrive_byte_by_byte() -> None:
    """How the kernel cuts the stream does not matter."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler) as (_, peer):
            for byte in encode(Applied(sequence=1)) + encode(Applied(sequence=2)):
                peer.send(bytes((byte,)))
                await asyncio.sleep(0)
            await until(lambda: len(handler.messages) == 2)
        assert handler.messages == [Applied(sequence=1), Applied(sequence=2)]

    asyncio.run(story())


def test_many_messages_may_arrive_at_once() -> None:
    """One read may hold many lines and a half; their order stays."""

    async def story() -> None:
        handler = Recorder()
        expected: list[AnyMessage] = [Applied(sequence=number) for number in range(100)]
        half = encode(Applied(sequence=100))
        async with connected(handler) as (_, peer):
            peer.send(b"".join(map(encode, expected)) + half[:9])
            await until(lambda: len(handler.messages) == 100)
            assert handler.messages == expected
            peer.send(half[9:])
            await until(lambda: len(handler.messages) == 101)

    asyncio.run(story())


def test_a_kind_of_a_newer_version_is_counted_and_skipped() -> None:
    """The messages around an unknown one are read as if it were not there."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler) as (connection, peer):
            peer.send(encode(Beat()) + b'{"kind":"invented"}\n' + encode(Applied(sequence=1)))
            await until(lambda: len(handler.messages) == 2)
            assert connection.open
            assert connection.counters == {"unknown_kind": 1}

    asyncio.run(story())


@pytest.mark.parametrize(
    ("line", "counter", "words"),
    [
        pytest.param(b"nonsense\n", "malformed", "message refused", id="a malformed line"),
        pytest.param(b"\n", "malformed", "message refused", id="an empty line"),
        pytest.param(b"x" * 200, "too_long", "longer than 100 bytes", id="a line without an end"),
        pytest.param(b"x" * 200 + b"\n", "too_long", "longer than 100", id="a line too long"),
    ],
)
def test_a_peer_that_breaks_the_protocol_is_cut_off(line: bytes, counter: str, words: str) -> None:
    """It is counted by its cause, and nothing that follows is believed."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler, max_line=100) as (connection, peer):
            peer.send(encode(Beat()) + line + encode(Beat()))
            await until(lambda: handler.reasons)
            assert handler.messages == [Beat()]
            assert connection.counters == {counter: 1}
            assert words in connection.reason

    asyncio.run(story())


def test_nothing_is_delivered_after_the_handler_closed() -> None:
    """A handler that closes in the middle of a read hears no more from that connection."""

    class OneOnly(Recorder):
        def received(self, connection: Connection, message: AnyMessage) -> None:
            super().received(connection, message)
            connection.close("one is enough")

    async def story() -> None:
        handler = OneOnly()
        async with connected(handler) as (_, peer):
            peer.send(encode(Beat()) * 5)
            await until(lambda: handler.reasons)
        assert handler.messages == [Beat()]
        assert handler.reasons == ["one is enough"]

    asyncio.run(story())


def test_a_peer_that_lets_too_much_pile_up_is_cut_off() -> None:
    """Our memory is bounded, whatever the peer does."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler, max_unsent=1 << 20) as (connection, _):
            sent = 0
            while connection.send(Hello(version=1, role="agent", program="x" * 100_000)):
                sent += 1
                assert sent < 1000
            await until(lambda: handler.reasons)
            assert connection.counters == {"slow_reader": 1}
            assert "unread" in connection.reason
            assert not connection.send(Beat())

    asyncio.run(story())


def test_a_peer_that_does_not_read_is_cut_off_in_time() -> None:
    """A peer that hangs is gone, even when little is waiting for it."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler, stall_seconds=0.2) as (connection, _):
            connection.send(Hello(version=1, role="agent", program="x" * 3_000_000))
            await until(lambda: handler.reasons)
            assert connection.counters == {"slow_reader": 1}
            assert "read nothing" in connection.reason

    asyncio.run(story())


def test_a_peer_that_reads_slowly_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow is not stalled: as long as bytes move, the connection stays.

    The minutes that it takes are the clock's alone, so a pause of this process is a small part.
    """

    async def story() -> None:
        loop, handler, passed = asyncio.get_running_loop(), Recorder(), 0.0
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + passed)
        async with connected(handler, stall_seconds=60.0) as (connection, peer):
            line = encode(Hello(version=1, role="agent", program="x" * 4_000_000))
            connection.send_line(line)
            got = 0
            while got < len(line):
                await asyncio.sleep(0)
                assert connection.open, connection.reason
                try:
                    got += len(peer.recv(20_000))
                except BlockingIOError:
                    continue
                passed += 3.0
            assert passed > 5 * 60.0
            assert not connection.counters

    asyncio.run(story())


def test_closing_sends_what_waits_but_not_for_ever() -> None:
    """A close towards a peer that does not read ends all the same."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler, stall_seconds=0.2) as (connection, _):
            connection.send(Hello(version=1, role="agent", program="x" * 3_000_000))
            connection.close("we stop")
            await until(lambda: handler.reasons)
        assert handler.reasons == ["we stop"]

    asyncio.run(story())


def test_what_was_sent_before_a_close_arrives() -> None:
    """The last word of a process that stops reaches its peer."""

    async def story() -> None:
        handler = Recorder()
        async with connected(handler) as (connection, peer):
            connection.send(Applied(sequence=7))
            connection.close("we stop")
            await until(lambda: handler.reasons)
            assert peer.recv(1000) == encode(Applied(sequence=7))
            assert peer.recv(1000) == b""

    asyncio.run(story())
