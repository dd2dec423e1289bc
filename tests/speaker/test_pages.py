"""What the speaker answers on its metrics port, whatever else is dead."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bgpd.exabgp.command import Ping
from bgpd.exabgp.message import Pong
from bgpd.model.status import Condition, SpeakerStatus
from bgpd.speaker import status
from bgpd.speaker.meters import Meters
from bgpd.speaker.pages import SpeakerPages
from bgpd.speaker.rows import Rows
from bgpd.speaker.starts import Starts
from bgpd.speaker.watchdog import SILENT_SECONDS
from bgpd.telemetry import logs
from bgpd.telemetry.exposition import render
from tests.speaker.scraped import Scrape, lint
from tests.speaker.world import Node, World

LOG = logging.getLogger("test-pages")


class Reader:
    """Reads the pages of one node; the loop's clock is the real one."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.meters = Meters(Starts())
        self.pages = SpeakerPages(
            node.reflex, self.meters, LOG, observe=self.observe, backlog=lambda: 0
        )

    def observe(self, now: float, rows: Rows) -> SpeakerStatus:
        """Return the status, with one condition that holds."""
        held = Condition(type="MeshPath", status=True, reason="OtherWay", message="x")
        return status.observe(
            self.node.reflex,
            now=now,
            version="1",
            started=0.0,
            exabgp_pid=None,
            counters={},
            conditions=(held,),
            rows=rows,
        )

    def answer(self, ago: float) -> None:
        """Let ExaBGP have answered so many seconds *ago*."""
        at = asyncio.get_running_loop().time() - ago
        self.meters.dialogue.sent(Ping(id=1), at, 0)
        self.meters.dialogue.heard(Pong(id=1), at)

    def problems(self) -> dict[str, str]:
        """Return what each check of /readyz says."""
        return {check.name: check.problem for check in self.pages.ready()}


def told(story: Callable[[Reader], Awaitable[None]], node: Node) -> None:
    """Tell *story* in a loop."""

    async def begin() -> None:
        await story(Reader(node))

    asyncio.run(begin())


def test_a_node_that_advertises_is_ready() -> None:
    """Configured, ExaBGP answers, nobody leaves; no peer need be up."""

    async def story(reader: Reader) -> None:
        reader.answer(0.1)
        assert reader.problems() == {"configuration": "", "exabgp": "", "staying": ""}
        assert not list(reader.pages.live())

    told(story, World(1).nodes["n1"])


def test_a_node_that_nobody_configured_is_not_ready() -> None:
    """And says whom it waits for; it lives all the same."""

    async def story(reader: Reader) -> None:
        found = reader.problems()
        assert "no agent has said yet" in found["configuration"]
        assert found["exabgp"] == "it has not answered yet"

    told(story, Node("n1", 1000.0))


def test_an_exabgp_that_hangs_is_named() -> None:
    """For as long as the watchdog waits before it ends it."""

    async def story(reader: Reader) -> None:
        reader.answer(SILENT_SECONDS + 2)
        assert reader.problems()["exabgp"] == "it has not answered for 5 s"

    told(story, World(1).nodes["n1"])


def test_conditions_and_events_have_the_words_of_the_log() -> None:
    """One word everywhere; an event that has not happened yet has a series for its first time."""

    async def story(reader: Reader) -> None:
        logs.write(LOG, "warning", "agent_lost", [("reason", "it is gone")])
        found = Scrape.of("".join(render(reader.pages.families())))
        assert found.get("bgpd_condition", type="MeshPath", reason="OtherWay") == 1
        assert found.get("bgpd_events_total", event="agent_lost", level="warning") == 1
        assert found.get("bgpd_events_total", event="exabgp_hangs", level="error") == 0
        assert found.get("bgpd_events_total", event="leading", level="info") is None
        assert lint(found.text) == ""

    told(story, World(1).nodes["n1"])
