"""A report of many routes takes many turns of the loop, and misses nothing that changes."""

import asyncio

from bgpd.ipc.message import AnyMessage, Report
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
from bgpd.model.status import SpeakerStatus
from bgpd.speaker import status
from bgpd.speaker.door import Door
from bgpd.speaker.reporting import Reporting
from bgpd.speaker.rows import PIECE, Rows
from tests.speaker.world import World

PATIENCE = 10.0
MANY = 10 * PIECE


class Ear(Door):
    """A door that only remembers what it is to tell."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        """The number of routes in each report."""

    def tell(self, message: AnyMessage) -> None:
        assert isinstance(message, Report)
        self.heard.append(len(message.status.routes))


class Desk:
    """A reflex with so many routes on the wire, and who reports of it."""

    def __init__(self, routes: int) -> None:
        self.reflex = World(1).nodes["n1"].reflex
        attributes = Attributes(next_hop=Address("10.0.0.1"))
        prefixes = (Prefix(f"10.{i >> 8}.{i & 255}.1/32") for i in range(routes))
        self.wire = dict.fromkeys(prefixes, attributes)
        self.reflex.offer.rib.actual = {PeerName("tor"): self.wire}
        self.ear = Ear()
        self.reporting = Reporting(self.reflex, self.ear, observe=self._observe)

    def _observe(self, now: float, rows: Rows) -> SpeakerStatus:
        return status.observe(
            self.reflex,
            now=now,
            version="",
            started=0.0,
            exabgp_pid=None,
            counters={},
            rows=rows,
        )


def test_few_routes_are_told_at_once() -> None:
    """Nobody waits where there is nothing to wait for."""

    async def story() -> list[int]:
        desk = Desk(PIECE // 2)
        desk.reporting.begin()
        return desk.ear.heard

    assert asyncio.run(story()) == [PIECE // 2]


def test_many_routes_leave_others_their_turn() -> None:
    """Heartbeats go out and come in while the report is made, and it is made once."""

    async def story() -> tuple[int, list[int]]:
        desk = Desk(MANY)
        desk.reporting.begin()
        turns = 0
        while not desk.ear.heard:
            turns += 1
            await asyncio.sleep(0)
        return turns, desk.ear.heard

    turns, heard = asyncio.run(story())
    assert turns >= MANY // (2 * PIECE)
    assert heard == [MANY]


def test_what_changes_meanwhile_is_told_in_another_report() -> None:
    """It is not left to the next report that comes anyway, seconds later."""

    async def story() -> list[int]:
        desk = Desk(MANY)
        desk.reporting.begin()
        desk.wire.popitem()
        desk.reporting.begin()
        async with asyncio.timeout(PATIENCE):
            while len(desk.ear.heard) < 2:  # noqa: ASYNC110 - a report is looked at, not reported
                await asyncio.sleep(0.01)
        return desk.ear.heard

    assert asyncio.run(story()) == [MANY, MANY - 1]
