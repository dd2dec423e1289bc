"""The agent's providers in one loop: who is asked, in what order, and what it makes of answers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bgpd.agent.providing import PATIENCE_SECONDS, Find, Found, Providing
from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPPeer
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, PeerName, PeerState
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import ProviderChoice, ProviderKind, ProviderPeer
from bgpd.model.selector import Operator, Requirement
from bgpd.model.status import SessionStatus
from bgpd.provider import cache
from bgpd.provider.adapter import Asker
from bgpd.provider.course import Failure
from tests.provider.table import SAMPLES

NODE: Final = Node(name=NodeName("n1"), addresses=(Address("10.0.0.1"),))
AWAY: Final = Failure("ProviderUnreachable", "NoAnswer", "it is away")
LIMIT: Final = 20.0
A, B = (
    ProviderPeer(address=Address(f"169.254.255.{last}"), peer_asn=Asn(65530)) for last in (1, 2)
)


def document(
    name: str = "tor", kind: ProviderKind = ProviderKind.PACKET, url: str = "", gateway: str = ""
) -> BGPPeer:
    """Return a BGPPeer that names a provider."""
    return BGPPeer(
        name=PeerName(name),
        address=Address("0.0.0.0"),
        peer_asn=Asn(0),
        local_asn=Asn(0),
        families=(Family.IPV4,),
        provider=ProviderChoice(kind=kind, url=url),
        gateway=gateway,
    )


def session(peer: str, state: PeerState, of: str = "tor") -> SessionStatus:
    """Return how a session is, of the document *of*."""
    return SessionStatus(
        peer=PeerName(peer),
        address=Address("169.254.255.1"),
        peer_asn=65530,
        local_asn=65000,
        state=state,
        document=of,
    )


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Provider:
    """What answers: `found` may be replaced; while `closed` it hangs."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.asked: list[tuple[str, Asker, Mapping[str, str]]] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(
        self, choice: ProviderChoice, asker: Asker, annotations: Mapping[str, str]
    ) -> Found:
        """Answer, as soon as it is open."""
        self.asked.append((choice.url, asker, annotations))
        self.open.wait(LIMIT)
        return self.found


class Agent:
    """Providing, and what it called."""

    def __init__(self, find: Find, directory: Path | None = None, origin: str = "o") -> None:
        self.clock = Clock()
        self.changes = 0
        self.notes: list[str] = []
        self.providing = Providing(
            directory,
            origin=origin,
            changed=self._changed,
            told=lambda: None,
            note=lambda level, event, keys: self.notes.append(f"{level} {event} {dict(keys)}"),
            find=find,
            clock=self.clock,
            chance=lambda: 0.0,
        )

    def _changed(self) -> None:
        self.changes += 1

    @property
    def peers(self) -> dict[str, tuple[ProviderPeer, ...]]:
        """What is known, by document."""
        return {name: one.peers for name, one in self.providing.discovered.items() if one.known}

    def says(self) -> str:
        """Return all conditions as one text."""
        return " | ".join(f"{one.type}: {one.message}" for one in self.providing.conditions())


def play(agent: Agent, story: Callable[[], Awaitable[None]]) -> None:
    """Run *story* beside the agent's task."""

    async def both() -> None:
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            task = group.create_task(agent.providing.run())
            await story()
            task.cancel()

    asyncio.run(both())


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is *true*."""
    while not true():  # noqa: ASYNC110 - what is waited for is state, and nobody tells of it
        await asyncio.sleep(0.005)


def test_a_provider_is_asked_on_behalf_of_the_node(tmp_path: Path) -> None:
    """It hears who asks; what it says is what is decided on, and lies on the disk."""
    provider = Provider((A, B))
    agent = Agent(provider, tmp_path)

    async def story() -> None:
        assert not agent.providing.follow([document(gateway="10.0.0.9")], NODE)
        assert not agent.providing.settled
        await until(lambda: agent.changes == 1)

    play(agent, story)
    assert agent.providing.settled
    assert agent.peers == {"tor": (A, B)}
    assert provider.asked == [
        ("", Asker(node="n1", addresses=NODE.addresses, gateway="10.0.0.9"), {})
    ]
    assert (tmp_path / "provider.json").stat().st_mode & 0o777 == 0o600


def test_who_is_not_selected_asks_nobody() -> None:
    """A BGPPeer of other racks is no business of this node."""
    provider = Provider((A,))
    agent = Agent(provider)
    other = BGPPeer(
        name=PeerName("tor"),
        address=Address("0.0.0.0"),
        peer_asn=Asn(0),
        local_asn=Asn(0),
        families=(Family.IPV4,),
        provider=ProviderChoice(kind=ProviderKind.LINODE, site="6"),
        node_selectors=((Requirement(key="rack", operator=Operator.IN, values=frozenset({"7"})),),),
    )
    assert not agent.providing.follow([other], NODE)
    assert agent.providing.settled
    assert provider.asked == []


def test_constants_and_annotations_are_known_at_once() -> None:
    """Nobody has to be waited for, so the first decision has them."""

    def find(_: ProviderChoice, __: Asker, annotations: Mapping[str, str]) -> Found:
        return (A,) if annotations else ()

    agent = Agent(find)
    annotated = document(kind=ProviderKind.ANNOTATIONS)
    assert agent.providing.follow([annotated], NODE)
    assert agent.peers == {"tor": ()}
    node = Node(name=NODE.name, annotations={"bgpd.io/peer-ip": "169.254.255.1"})
    assert agent.providing.follow([annotated], node)
    assert agent.peers == {"tor": (A,)}
    assert not agent.providing.follow([annotated], node)


def test_a_restart_goes_on_with_what_is_on_the_disk(tmp_path: Path) -> None:
    """While nobody answers, the peers of before are there from the first moment."""
    first = Agent(Provider((A, B)), tmp_path)

    async def learn() -> None:
        first.providing.follow([document()], NODE)
        await until(lambda: first.changes == 1)

    play(first, learn)
    second = Agent(Provider(AWAY), tmp_path)
    assert second.peers == {"tor": (A, B)}

    async def fail() -> None:
        assert not second.providing.follow([document()], NODE)
        assert second.providing.settled
        await until(lambda: "it is away" in second.says())

    play(second, fail)
    assert second.peers == {"tor": (A, B)}
    assert second.changes == 0


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        pytest.param("another", "", id="the disk of another node"),
        pytest.param("o", "http://elsewhere/", id="another provider than the document's"),
    ],
)
def test_what_is_on_the_disk_for_something_else_is_not_believed(
    tmp_path: Path, origin: str, url: str
) -> None:
    """Peers of another node or provider are no peers of ours."""
    first = Agent(Provider((A, B)), tmp_path)

    async def learn() -> None:
        first.providing.follow([document()], NODE)
        await until(lambda: first.changes == 1)

    play(first, learn)
    second = Agent(Provider(AWAY), tmp_path, origin)
    second.providing.follow([document(url=url)], NODE)
    assert second.peers == {}
    assert not second.providing.settled


def test_a_start_waits_for_the_first_answer_but_not_for_ever() -> None:
    """Other peers must work while a metadata service hangs."""
    provider = Provider((A, B))
    provider.open.clear()
    agent = Agent(provider)

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: len(provider.asked) == 1)
        assert not agent.providing.settled
        agent.clock.now += PATIENCE_SECONDS
        agent.providing.follow([document()], NODE)
        assert agent.providing.settled
        provider.open.set()
        await until(lambda: agent.changes == 1)

    play(agent, story)
    assert agent.peers == {"tor": (A, B)}


def test_a_provider_that_hangs_keeps_no_other_from_being_asked() -> None:
    """Each has a thread of its own."""
    stuck = threading.Event()

    def find(choice: ProviderChoice, _: Asker, __: Mapping[str, str]) -> Found:
        if choice.url == "http://stuck/":
            stuck.wait(LIMIT)
        return (A,)

    agent = Agent(find)

    async def story() -> None:
        documents = [document("one", url="http://stuck/"), document("two")]
        agent.providing.follow(documents, NODE)
        await until(lambda: agent.peers == {"two": (A,)})
        assert agent.providing.discovered["one"].known is False
        stuck.set()
        await until(lambda: agent.peers == {"one": (A,), "two": (A,)})

    play(agent, story)


def test_leaving_waits_for_no_answer() -> None:
    """A thread that hangs is a daemon, and its answer finds nobody."""
    provider = Provider((A,))
    provider.open.clear()
    agent = Agent(provider)

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: len(provider.asked) == 1)

    play(agent, story)
    provider.open.set()
    assert agent.peers == {}


def test_an_answer_for_a_document_that_is_gone_or_changed_is_dropped() -> None:
    """It was another question."""
    provider = Provider((A,))
    provider.open.clear()
    agent = Agent(provider)

    async def story() -> None:
        agent.providing.follow([document(), document("other")], NODE)
        await until(lambda: len(provider.asked) == 2)
        agent.providing.follow([document(url="http://new/")], NODE)
        provider.found = (B,)
        provider.open.set()
        await until(lambda: agent.peers == {"tor": (B,)})

    play(agent, story)
    assert provider.asked[-1][0] == "http://new/"


def test_a_lost_session_asks_again() -> None:
    """Who changes a password closes the session first; who is asked then tells the new one."""
    provider = Provider((A, B))
    agent = Agent(provider)
    up, down = PeerState.ESTABLISHED, PeerState.IDLE

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: agent.changes == 1)
        agent.clock.now += 100
        agent.providing.heard([session("a", up), session("b", up), session("x", down, of="")])
        await asyncio.sleep(0.05)
        assert len(provider.asked) == 1
        provider.found = (B,)
        agent.providing.heard([session("a", down), session("b", up)])
        await until(lambda: len(provider.asked) == 2)
        await until(lambda: "no longer lists 169.254.255.1" in agent.says())

    play(agent, story)
    assert agent.peers == {"tor": (B, A)}
    assert agent.changes == 2


def test_the_same_answer_changes_nothing() -> None:
    """A decision on everything costs something; when it was read is for people."""
    provider = Provider((A, B))
    agent = Agent(provider)

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: agent.changes == 1)
        before = agent.providing.discovered["tor"].fetched
        agent.clock.now += 1000
        agent.providing.follow([document()], NODE)
        await until(lambda: agent.providing.discovered["tor"].fetched != before)
        provider.found = AWAY
        agent.clock.now += 1000
        agent.providing.follow([document()], NODE)
        await until(lambda: "it is away" in agent.says())

    play(agent, story)
    assert agent.changes == 1
    assert agent.peers == {"tor": (A, B)}


def test_a_spoiled_disk_is_a_word_in_the_log(tmp_path: Path) -> None:
    """The start goes on, and the next good answer mends it."""
    (tmp_path / "provider.json").write_bytes(b"{")
    agent = Agent(Provider((A,)), tmp_path)
    assert len(agent.notes) == 1
    assert "provider.json: ignored" in agent.notes[0]
    (tmp_path / "provider.json").unlink()
    (tmp_path / "provider.json").mkdir()
    assert "Is a directory" in Agent(Provider((A,)), tmp_path).notes[0]


def test_a_disk_that_cannot_be_written_is_a_condition(tmp_path: Path) -> None:
    """The next start without an answer would have nothing to go on with."""
    agent = Agent(Provider((A,)), tmp_path / "absent")

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: agent.changes == 1)

    play(agent, story)
    assert "StateNotWritten: " in agent.says()
    assert "No such file or directory" in agent.says()


def test_neither_log_nor_status_holds_a_password() -> None:
    """They are in the peers, in the file of mode 0600, and nowhere that a person looks."""
    peers = next(one.peers for one in SAMPLES if one.name == "packet_v4_multihop_md5")
    agent = Agent(Provider(peers))

    async def story() -> None:
        agent.providing.follow([document()], NODE)
        await until(lambda: agent.changes == 1)

    play(agent, story)
    key = peers[0].password
    assert key is not None
    seen = [*agent.notes, agent.says(), repr(agent.providing.discovered), repr(NODE)]
    assert not [text for text in seen if key in text]


def test_what_is_kept_for_a_document_that_is_gone_leaves_the_disk(tmp_path: Path) -> None:
    """A BGPPeer that was removed while there was no agent leaves no password behind."""
    secret = replace(A, password="of-no-use")  # noqa: S106 - of a test
    path = tmp_path / cache.FILE_NAME
    choice = ProviderChoice(kind=ProviderKind.PACKET)
    kept = cache.Kept(choice=choice, peers=(secret,))
    path.write_bytes(cache.encode({"gone": kept}, origin="o"))
    agent = Agent(Provider(AWAY), tmp_path)
    agent.providing.follow([], NODE)
    assert b"of-no-use" not in path.read_bytes()
