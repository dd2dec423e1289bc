"""What the agent knows of its speaker, from one connection to the next."""

import asyncio
import logging
from pathlib import Path

from bgpd.agent.link import Link
from bgpd.ipc.message import Silent
from bgpd.ipc.server import Server
from bgpd.model.prefix import Address
from tests.ipc.fakes import Recorder, until

LINES = Path(__file__).parents[1] / "ipc" / "version1.jsonl"


def test_what_a_speaker_said_is_not_told_of_the_next_one(tmp_path: Path) -> None:
    """The next one may be newer, and report in words that are not understood."""
    lines = LINES.read_bytes().splitlines(keepends=True)
    (report,) = (line for line in lines if b'"kind":"report"' in line)

    async def story() -> None:
        path = tmp_path / "speaker.sock"
        silent: list[Address] = []
        link = Link(
            path,
            program="bgpd-agent/0.1.0",
            log=logging.getLogger("bgpd.tests.link"),
            desired=lambda: None,
            told=lambda: None,
            silent=silent.extend,
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(link.run(), name="link")
            first, second = Recorder(), Recorder()
            async with Server(path, first):
                await until(lambda: first.messages)
                first.connections[0].send_line(report)
                await until(lambda: link.speaker is not None)
            async with Server(path, second):
                await until(lambda: second.messages)
                newer = report.replace(b'"OutsidePools"', b'"InventedLater"')
                second.connections[0].send_line(newer)
                second.connections[0].send(Silent(peers=(Address("10.0.0.1"),)))
                await until(lambda: silent)
                assert link.speaker is None
            running.cancel()

    asyncio.run(story())
