"""The reflex's end of the pipes: nothing blocks, nothing is lost, the end is seen."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from bgpd.exabgp import command, message, pipe, wire
from bgpd.exabgp.command import Ping, Update
from bgpd.exabgp.message import Message, Pong
from bgpd.exabgp.pipe import ExabgpPipe
from bgpd.model.errors import TransientError
from tests.exabgp.link import offer, to

Story = Callable[[ExabgpPipe, int, int], Awaitable[None]]


def play(story: Story) -> None:
    """Run *story* with a pipe, and with ExaBGP's ends: one to write to, one to read from."""

    async def run() -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        os.set_blocking(theirs_in, False)
        os.set_blocking(theirs_out, False)
        try:
            async with asyncio.timeout(20), ExabgpPipe(ours_in, ours_out) as found:
                await story(found, theirs_out, theirs_in)
        finally:
            for fd in (ours_in, theirs_out, theirs_in, ours_out):
                with suppress(OSError):
                    os.close(fd)

    asyncio.run(run())


async def read(found: ExabgpPipe, number: int) -> list[Message]:
    """Return the next *number* messages."""
    return [await anext(found) for _ in range(number)]


def test_messages_arrive_however_they_are_cut() -> None:
    """Half lines, several lines at once, ExaBGP's own lines in between."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        lines = b"done\n" + message.encode(Pong(id=1)) + message.encode(Pong(id=2))
        for cut in range(0, len(lines), 7):
            os.write(out, lines[cut : cut + 7])
            await asyncio.sleep(0)
        assert await read(found, 2) == [Pong(id=1), Pong(id=2)]

    play(story)


def test_a_line_that_nobody_understands_is_counted_and_passed_over() -> None:
    """What follows it is read as ever."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        os.write(out, b"bgpd nonsense {}\nbgpd pong {\n\xff\n" + message.encode(Pong(id=1)))
        assert await read(found, 1) == [Pong(id=1)]
        assert found.refused == 2
        assert "refused" in found.refused_error

    play(story)


def test_the_end_is_the_end_of_the_iteration() -> None:
    """What was said before ExaBGP died is still heard."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        os.write(out, message.encode(Pong(id=1)))
        os.close(out)
        assert [item async for item in found] == [Pong(id=1)]
        assert found.closed
        found.send(Ping(id=1))  # into the void, without an error

    play(story)


@pytest.mark.parametrize("waits", [False, True], ids=["all was read", "commands wait"])
@pytest.mark.parametrize("first", ["ours", "read", "write"])
def test_leaving_is_quiet_whoever_ends_it(first: str, *, waits: bool) -> None:
    """Each pipe ends once: nothing is thrown into the loop, where it would be a traceback."""
    thrown: list[object] = []

    async def story(found: ExabgpPipe, out: int, source: int) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: thrown.append(what))
        if waits:
            found.send(update_of(60000))
        if first != "ours":
            os.close(out if first == "read" else source)
            assert [item async for item in found] == []

    async def run() -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        os.set_blocking(theirs_out, False)
        try:
            async with asyncio.timeout(20):
                async with ExabgpPipe(ours_in, ours_out) as found:
                    await story(found, theirs_out, theirs_in)
                for _ in range(5):
                    await asyncio.sleep(0)
        finally:
            for fd in (ours_in, theirs_out, theirs_in, ours_out):
                with suppress(OSError):
                    os.close(fd)

    asyncio.run(run())
    assert thrown == []


def test_sending_never_waits_and_keeps_the_order() -> None:
    """A megabyte goes to a reader that was not reading."""

    async def story(found: ExabgpPipe, _: int, source: int) -> None:
        sent = [
            Update(id=n, peers=(to("192.0.2.1", offer(*(f"10.0.{n}.{m}/32" for m in range(250)))),))
            for n in range(250)
        ]
        for item in sent:
            found.send(item)
        assert found.backlog > 500_000
        received = b""
        while received.count(b"\n") < len(sent):
            with suppress(BlockingIOError):
                received += os.read(source, 1 << 20)
            await asyncio.sleep(0)
        assert [command.decode(line) for line in received.splitlines()] == sent

    play(story)


def update_of(number: int) -> Update:
    """Return a command with *number* routes."""
    routes = offer(*(f"10.{n >> 8}.{n & 255}.1/32" for n in range(number)))
    return Update(id=1, peers=(to("192.0.2.1", routes),))


def overflow(found: ExabgpPipe) -> None:
    """Say more to ExaBGP than is ever kept for it."""
    many = update_of(60000)
    while not found.dropped and not found.closed:
        found.send(many)


def test_exabgp_that_never_reads_is_not_left_alone() -> None:
    """The buffer has a limit; reaching it ends nothing, so that the watchdog gets its turn."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        overflow(found)
        kept = found.backlog
        for number in range(10):
            found.send(Ping(id=number))
        assert (found.dropped, found.backlog) == (11, kept)
        os.write(out, message.encode(Pong(id=5)))
        assert await read(found, 1) == [Pong(id=5)]
        assert not found.closed

    play(story)


def test_exabgp_that_reads_on_after_it_missed_commands_is_left() -> None:
    """Nobody knows what it has: the next reflex asks. Half a command is never followed by more."""

    async def story(found: ExabgpPipe, _: int, source: int) -> None:
        overflow(found)
        received = 0
        while not found.closed:
            with suppress(BlockingIOError):
                received += len(os.read(source, 1 << 20))
            await asyncio.sleep(0)
        assert received > pipe.MAX_BUFFER - (1 << 20)
        assert [item async for item in found] == []

    play(story)


def test_a_line_without_end_is_given_up() -> None:
    """Memory is bounded whatever is written to us."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        written = 0
        while written <= wire.MAX_LINE and not found.closed:
            with suppress(BlockingIOError, BrokenPipeError):
                written += os.write(out, b"x" * 65536)
            await asyncio.sleep(0)
        assert [item async for item in found] == []
        assert found.refused == 1

    play(story)


def test_messages_that_are_not_taken_stop_the_reading() -> None:
    """A reflex that is busy holds a bounded number of messages, and loses none."""

    async def story(found: ExabgpPipe, out: int, _: int) -> None:
        total, sent = 3 * pipe.MAX_MESSAGES, 0
        pending = b""
        received: list[Message] = []
        while len(received) < total:
            while not pending and sent < total:
                pending = message.encode(Pong(id=sent))
                sent += 1
                with suppress(BlockingIOError):
                    pending = pending[os.write(out, pending) :]
                if pending:
                    break
            with suppress(BlockingIOError):
                pending = pending[os.write(out, pending) :] if pending else pending
            received.append(await anext(found))
        assert received == [Pong(id=n) for n in range(total)]

    play(story)


def test_a_file_in_place_of_a_pipe_is_a_sentence() -> None:
    """Started by hand with redirections, the reflex says what it needs."""

    async def run() -> None:
        with open(__file__, "rb") as file:  # noqa: ASYNC230, PTH123
            async with ExabgpPipe(file.fileno(), file.fileno()):
                pass

    with pytest.raises(TransientError, match="ExaBGP starts us with pipes"):
        asyncio.run(run())
