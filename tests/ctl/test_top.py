"""`bgpctl top` at a terminal of 80x24, read by a terminal emulator, and into a pipe."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pyte
import pytest

from bgpd.ipc.message import Answer
from bgpd.model.event import Event
from bgpd.model.peer import PeerState
from tests.ctl.apifake import NODES, STATUSES, api
from tests.ctl.fakes import Answering, bgpctl, environment, serving
from tests.ctl.samples import FINE, NODE, NOW, SPEAKER
from tests.ctl.test_fleet import node, written

PATIENCE = 30.0
_ACTIVE = replace(SPEAKER.sessions[0], state=PeerState.ACTIVE, advertised=0)
DOWN = replace(SPEAKER, sessions=(_ACTIVE, *SPEAKER.sessions[1:]))
RESTORED = b"\x1b[?25h\x1b[?1049l"
"""What makes the terminal what it was: the cursor is shown, the other screen is left."""
LOST = Event(
    at=NOW, level="warning", event="session_changed", keys=(("peer", "tor-a"),), process="speaker"
)


def answers(speaker: object, *events: Event) -> dict[str, Answer]:
    """Return what a socket says."""
    return {"status": Answer(content=speaker), "events": Answer(content=list(events))}


class Terminal:
    """A program at a terminal, and what a person sees of it."""

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.screen = pyte.Screen(80, 24)
        self.written = b""
        self._stream = pyte.ByteStream(self.screen)
        self._master = master

    def read(self) -> None:
        """Take in what was written."""
        data = os.read(self._master, 65536)
        self.written += data
        self._stream.feed(data)

    def press(self, key: str) -> None:
        """Press *key*."""
        os.write(self._master, key.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another one."""
        size(self._master, columns, lines)
        self.screen.resize(lines, columns)

    async def until(self, true: Callable[[str], bool]) -> list[str]:
        """Wait until the screen is as it should be; return its lines."""
        async with asyncio.timeout(PATIENCE):
            while not true("\n".join(self.screen.display)):  # noqa: ASYNC110 - a terminal has no event
                await asyncio.sleep(0.02)
        return [line.rstrip() for line in self.screen.display]


def size(descriptor: int, columns: int, lines: int) -> None:
    """Set the size of a terminal."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@asynccontextmanager
async def terminal(*words: str, **extra: str) -> AsyncIterator[Terminal]:
    """Run bgpctl at a terminal of 80x24."""
    master, slave = pty.openpty()
    size(master, 80, 24)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bgpd.ctl", *words),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm", **extra),
        start_new_session=True,
    )
    found = Terminal(master, process)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, found.read)
    try:
        yield found
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        loop.remove_reader(master)
        os.close(slave)
        os.close(master)


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[tuple[Terminal, Answering, Answering]]:
    """Run `bgpctl top` beside a node that is fine."""
    agent = {"status": Answer(content=NODE), "events": Answer(content=[])}
    async with serving(directory, agent=agent, speaker=answers(SPEAKER)) as handlers:
        words = ("top", "--run-dir", str(directory), "--interval", "0.1")
        async with terminal(*words) as seen:
            yield seen, handlers["agent"], handlers["speaker"]


def test_a_frame_fills_80_by_24_and_follows_what_happens(tmp_path: Path) -> None:
    """A session that goes down comes first and the event is there; nothing else is written anew."""

    async def story() -> None:
        async with watched(tmp_path) as (seen, agent, speaker):
            # The whole frame: a terminal may have the first half of it alone.
            lines = await seen.until(lambda text: "EVENTS  none remembered" in text)
            assert lines[0].startswith("bgpctl top  n1: fine")
            assert lines[3] == "SESSION  ADDRESS        STATE        SINCE  HOLD  ROUTES  BFD"
            assert "EVENTS  none remembered" in lines
            first = len(seen.written)
            agent.answers["status"] = Answer(content=replace(NODE, speaker=DOWN))
            speaker.answers = answers(DOWN, LOST)
            lines = await seen.until(lambda text: "session_changed" in text)
            assert lines[0].startswith("bgpctl top  n1: degraded")
            assert lines[2].startswith("session tor-a is Active")
            assert lines[5].split()[:3] == ["tor-a", "169.254.255.1", "Active"]
            # No flicker: the screen is cleared once, and lines that stay are not written again.
            assert seen.written.count(b"\x1b[2J") == 1
            assert b"2001:db8::7" in seen.written[:first]
            calm = len(seen.written)
            await asyncio.sleep(0.5)
            assert b"tor-b" not in seen.written[calm:]

    asyncio.run(story())


def test_q_ends_it_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    """The other screen is left, the cursor is back, and the exit status is 0."""

    async def story() -> None:
        async with watched(tmp_path) as (seen, _, _):
            await seen.until(lambda text: "tor-b" in text)
            seen.press("q")
            async with asyncio.timeout(PATIENCE):
                assert await seen.process.wait() == 0
            await seen.until(lambda _: seen.written.rstrip().endswith(RESTORED))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["Ctrl-C", "timeout(1)"],
)
def test_a_signal_ends_it_and_the_terminal_is_as_before(
    tmp_path: Path, number: int, status: int
) -> None:
    """Whoever has enough gets the prompt back, and no traceback."""

    async def story() -> None:
        async with watched(tmp_path) as (seen, _, _):
            await seen.until(lambda text: "tor-b" in text)
            os.kill(seen.process.pid, number)
            async with asyncio.timeout(PATIENCE):
                assert await seen.process.wait() == status
            await seen.until(lambda _: seen.written.rstrip().endswith(RESTORED))
            assert b"Traceback" not in seen.written

    asyncio.run(story())


def test_another_window_is_filled_anew(tmp_path: Path) -> None:
    """A smaller window has whole lines, not pieces of longer ones."""

    async def story() -> None:
        async with watched(tmp_path) as (seen, _, _):
            await seen.until(lambda text: "tor-b" in text)
            seen.resize(60, 12)
            await seen.until(lambda _: seen.written.count(b"\x1b[2J") == 2)
            lines = await seen.until(lambda text: "EVENTS" in text)
            assert lines[0].endswith("q quits")

    asyncio.run(story())


def test_whoever_names_a_cluster_means_it(tmp_path: Path) -> None:
    """As with every other command."""
    lists = {NODES: [node("n7")], STATUSES: [written(FINE, "n7")]}
    with api(tmp_path, lists) as config:
        words = ("top", "--kubeconfig", str(config), "--run-dir", str(tmp_path), "--count", "1")
        result = asyncio.run(bgpctl(*words))
    assert "node n7: fine" in result.output


@pytest.mark.parametrize("extra", [{}, {"TERM": "dumb"}], ids=["a pipe", "a dumb terminal"])
def test_off_a_terminal_it_prints_lines(tmp_path: Path, extra: dict[str, str]) -> None:
    """A pipe gets plain lines: everything once, then what changes."""

    async def story() -> str:
        agent = {"status": Answer(content=NODE), "events": Answer(content=[])}
        async with serving(tmp_path, agent=agent, speaker=answers(SPEAKER, LOST)):
            words = ("top", "--run-dir", str(tmp_path), "--interval", "0.1", "--count", "3")
            result = await bgpctl(*words, **extra)
        assert result.status == 0
        assert result.errors == ""
        return result.output

    output = asyncio.run(story())
    assert "\x1b" not in output
    assert output.count("session tor-a: Established, 3 routes") == 1
    assert output.count("session_changed") == 1
    assert "elastic IP 203.0.113.10: Advertised: n1" in output
