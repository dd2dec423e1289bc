"""Who comes in by the unix socket, with real sockets: one agent counts, and the last one wins."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bgpd.ipc.message import MAX_LINE, VERSION, AnyMessage, Ask, Beat, Hello, encode
from bgpd.ipc.server import Server
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
from bgpd.model.status import SpeakerStatus
from bgpd.speaker import status
from bgpd.speaker.door import MOST_QUESTIONS, Door
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import PIECE, Rows
from tests.speaker.world import Node, World

WAIT = 30.0
MANY = 40 * PIECE


class Guest:
    """One end of a connection to the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, message: AnyMessage) -> None:
        """Send *message*."""
        self._writer.write(encode(message))

    async def hear(self, kind: str) -> Any:
        """Return the next message of *kind*, or None at the end of the connection."""
        async with asyncio.timeout(WAIT):
            while line := await self._reader.readline():
                message = json.loads(line)
                if message["kind"] == kind:
                    return message
        return None

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


class House:
    """A door with a reflex behind it."""

    def __init__(self, directory: Path) -> None:
        self.world = World(1)
        self.node: Node = self.world.nodes["n1"]
        self.reflex: Reflex = self.node.reflex
        self.path = directory / "speaker.sock"
        self.door = Door(
            program="bgpd-speaker/0",
            reflex=self.reflex,
            status=self._observe,
            flush=self._flush,
        )
        self.heard = asyncio.Event()
        """Set when the door has heard something."""
        self.observed = 0
        """How many statuses were complete."""
        self._guests: list[Guest] = []

    def fill(self, count: int) -> None:
        """Put *count* routes on the wire."""
        prefixes = (Prefix(f"10.{i >> 8}.{i & 255}.1/32") for i in range(count))
        routes = dict.fromkeys(prefixes, Attributes(next_hop=Address("10.0.0.1")))
        self.reflex.offer.rib.actual = {PeerName("tor"): routes}

    def _observe(self, now: float, rows: Rows) -> SpeakerStatus:
        self.observed += 1
        return status.observe(
            self.reflex,
            now=now,
            version="0",
            started=0.0,
            exabgp_pid=None,
            counters={},
            rows=rows,
        )

    def _flush(self) -> None:
        self.heard.set()
        self.node.settle(asyncio.get_running_loop().time())

    async def guest(self, role: str = "agent", version: int = VERSION) -> Guest:
        """Return somebody who connected and greeted."""
        found = Guest(*await asyncio.open_unix_connection(str(self.path), limit=MAX_LINE))
        self._guests.append(found)
        found.say(Hello(version=version, role="agent" if role == "agent" else "ctl"))
        return found

    async def run(self, story: Callable[["House"], Awaitable[None]]) -> None:
        """Open the door, let *story* happen, close it."""
        async with Server(self.path, self.door):
            await story(self)
            for guest in self._guests:
                await guest.close()


@pytest.fixture(name="house")
def closed_house(tmp_path: Path) -> Callable[[Callable[[House], Awaitable[None]]], None]:
    """Return what runs a story with a new house."""

    async def live(story: Callable[[House], Awaitable[None]]) -> None:
        await House(tmp_path).run(story)

    return lambda story: asyncio.run(live(story))


House_ = Callable[[Callable[[House], Awaitable[None]]], None]


def test_the_second_agent_takes_over_from_the_first(house: House_) -> None:
    """The first is hung up on; its end is not taken for the end of the second."""

    async def story(house: House) -> None:
        first = await house.guest()
        assert await first.hear("welcome")
        second = await house.guest()
        assert await second.hear("welcome")
        assert await first.hear("never") is None, "hung up"
        second.say(Beat())
        asker = await house.guest("ctl")
        asker.say(Ask(question="status"))
        answer = await asker.hear("answer")
        assert answer["content"]["agent_connected"] is True
        assert house.door.has_agent

    house(story)


def test_an_agent_that_greets_twice_is_still_the_agent(house: House_) -> None:
    """It does not hang up on itself."""

    async def story(house: House) -> None:
        agent = await house.guest()
        agent.say(Hello(version=VERSION, role="agent"))
        assert await agent.hear("welcome")
        assert await agent.hear("welcome")
        assert house.door.has_agent

    house(story)


def test_only_the_agent_is_obeyed(house: House_) -> None:
    """Whoever greeted as bgpctl, or not at all, cannot change what is advertised."""

    async def story(house: House) -> None:
        stranger = await house.guest("ctl")
        stranger.say(house.world.desired("n1"))
        stranger.say(Ask(question="status"))
        assert await stranger.hear("answer")
        assert house.door.counters["messages_out_of_turn"] == 1
        assert house.door.last is None

    house(story)


def test_a_status_of_many_routes_leaves_others_their_turn(house: House_) -> None:
    """A timeline that somebody else asks for later comes first, and nobody's answer is lost."""

    async def story(house: House) -> None:
        house.fill(MANY)
        first, second = await house.guest("ctl"), await house.guest("ctl")
        for guest in (first, second):
            assert await guest.hear("welcome")
        house.heard.clear()
        first.say(Ask(question="status"))
        await house.heard.wait()
        second.say(Ask(question="timeline"))
        assert await second.hear("answer")
        assert house.observed == 0, "the rows of the first one's answer are still being made"
        answer = await first.hear("answer")
        assert len(answer["content"]["routes"]) == MANY

    house(story)


def test_answers_come_in_the_order_of_the_questions(house: House_) -> None:
    """They have no names, and a status takes longer than what is asked after it."""

    async def story(house: House) -> None:
        house.fill(MANY)
        asker = await house.guest("ctl")
        asker.say(Ask(question="status"))
        asker.say(Ask(question="timeline"))
        asker.say(Ask(question="status"))
        asker.say(Ask(question="accept-vanished"))
        contents = [await asker.hear("answer") for _ in range(4)]
        assert [type(one.get("content")) for one in contents] == [dict, list, dict, type(None)]

    house(story)


def test_who_asks_without_end_is_hung_up_on(house: House_) -> None:
    """What waits for an answer is kept, so there is a limit."""

    async def story(house: House) -> None:
        house.fill(MANY)
        asker = await house.guest("ctl")
        for _ in range(MOST_QUESTIONS + 2):
            asker.say(Ask(question="status"))
        assert await asker.hear("never") is None, "hung up"
        other = await house.guest("ctl")
        other.say(Ask(question="status"))
        assert await other.hear("answer")

    house(story)


def test_a_version_too_old_is_told_so(house: House_) -> None:
    """Two versions back nobody has tested."""

    async def story(house: House) -> None:
        old = await house.guest(version=VERSION - 2)
        assert await old.hear("welcome") is None
        assert not house.door.has_agent

    house(story)


@pytest.mark.parametrize(
    ("to", "ok"),
    [
        ("7", True), ("0", False), ("-1", False), ("seven", False), ("", False), ("8388608", False),
        pytest.param("9" * 5000, False, id="more digits than Python reads"),
    ],
)  # fmt: skip
def test_a_generation_is_reset_only_to_what_can_be(house: House_, to: str, ok: bool) -> None:
    """A person's slip must not break the mesh."""

    async def story(house: House) -> None:
        asker = await house.guest("ctl")
        asker.say(Ask(question="generation-reset", arguments={"to": to}))
        answer = await asker.hear("answer")
        assert answer.get("ok", True) is ok
        assert house.reflex.mesh is not None
        assert house.reflex.mesh.generation == (7 if ok else 1)

    house(story)


def test_a_person_drains_a_node_and_takes_it_back(house: House_) -> None:
    """Refused where only we carry something, rehearsed, forced, kept on the disk, and undone."""

    async def story(house: House) -> None:
        house.world.run(1.0)
        person = await house.guest("ctl")

        async def ask(question: Any, **arguments: str) -> Any:
            person.say(Ask(question=question, arguments=arguments))
            return await person.hear("answer")

        refused = await ask("drain")
        assert refused["ok"] is False
        assert refused["content"]["alone"] == ["203.0.113.1/32", "203.0.113.2/32"]
        assert "203.0.113.1/32" in refused["error"]
        rehearsed = await ask("drain", **{"dry-run": "true", "force": "true"})
        assert rehearsed["content"]["alone"] == refused["content"]["alone"]
        assert house.node.request is None
        begun = await ask("drain", force="true", until="boot")
        assert begun["content"]["drain"]["phase"] == "Demoted"
        assert house.node.request is not None
        assert (house.node.request.forced, bool(house.node.request.boot)) == (True, True)
        over = await ask("undrain")
        assert over["content"]["drain"]["phase"] == "NotDraining"
        assert house.node.request is None

    house(story)
