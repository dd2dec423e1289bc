"""A node that answers on its sockets, and the command line that asks it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, Answer, AnyMessage, Ask, Hello, Welcome
from bgpd.ipc.server import Server
from bgpd.model.member import NodeName
from tests.ctl.conforming import faults

PATIENCE: Final = 30.0
_OURS: Final = ("BGPD_", "NO_COLOR", "COLUMNS", "TERM")


class Answering:
    """A handler that answers questions from a table; what is not in it is never answered."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.asked: list[Ask] = []
        self.answers = dict(answers)

    def opened(self, connection: Connection) -> None:
        """Wait for the question."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Answer, after a hello."""
        if isinstance(message, Hello):
            connection.send(Welcome(version=VERSION, node=NodeName("n1")))
        if isinstance(message, Ask):
            self.asked.append(message)
            if message.question in self.answers:
                connection.send(self.answers[message.question])

    def closed(self, connection: Connection) -> None:
        """Forget about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command did."""

    status: int | None
    output: str
    errors: str


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    agent: Mapping[str, Answer] | None = None,
    speaker: Mapping[str, Answer] | None = None,
) -> AsyncIterator[Mapping[str, Answering]]:
    """Serve the sockets of a node in *directory*; None leaves a socket out."""
    handlers: dict[str, Answering] = {}
    async with AsyncExitStack() as stack:
        for name, answers in (("agent", agent), ("speaker", speaker)):
            if answers is not None:
                handlers[name] = Answering(answers)
                await stack.enter_async_context(Server(directory / f"{name}.sock", handlers[name]))
        yield handlers


def shown(ours: int, theirs: int) -> str:
    """Return all that a program which has ended wrote to a terminal, and close its end.

    A part may still be on its way through the kernel when the program has gone.
    """
    os.close(theirs)
    found = b""
    # At the end there is an error (EIO), in the place of an empty read.
    with suppress(OSError):
        while piece := os.read(ours, 65536):
            found += piece
    return found.decode()


def environment(**extra: str) -> dict[str, str]:
    """Return our environment without what steers the programs, plus *extra*."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    return {**ours, **extra}


async def bgpctl(*words: str, **extra: str) -> Result:
    """Run bgpctl away from any terminal; a document that it prints is held against its schema."""
    result = await command((sys.executable, "-m", "bgpd.ctl", *words), **extra)
    if "json" in words and result.output.startswith("{"):
        assert faults(json.loads(result.output)) == []
    return result


async def bgpd(*words: str, **extra: str) -> Result:
    """Run bgpd away from any terminal."""
    return await command((sys.executable, "-m", "bgpd.ctl.daemon", *words), **extra)


async def command(line: Sequence[str], **extra: str) -> Result:
    """Run *line* and return what it did."""
    process = await asyncio.create_subprocess_exec(
        *line,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**extra),
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Result(status=process.returncode, output=output.decode(), errors=errors.decode())
