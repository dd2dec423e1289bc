"""Deciding piece by piece: whatever comes in between, the speaker hears no half of a state."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.agent.deciding import Deciding
from bgpd.agent.passwords import Passwords
from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.documents import Documents, read
from bgpd.kube.store import Changes, Store
from bgpd.kube.view import Objects
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerName
from bgpd.model.route import Advertisement
from bgpd.policy.merge import RouteKey
from tests.agent.test_planner import CONFIGURATION, Document, endpoints, node, ours, service

SERVICES = 12
AT_ONCE = 3
NARROW = ours("IPAddressPool", "pool", addresses=["203.0.113.0/29"])
WIDE = ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"])
LOUD = ours("BGPAdvertisement", "all", communities=["65000:1"])
PLAIN = ours("BGPAdvertisement", "all")
SECOND = ours("BGPPeer", "tor2", myASN=65000, peerASN=65530, peerAddress="10.0.0.9")
BROKEN: Document = {**node("n1", "10.0.0.1"), "status": {}}
CONFIGURATIONS: tuple[tuple[Document, ...], ...] = (
    (WIDE, PLAIN),
    (NARROW, PLAIN),
    (WIDE, LOUD),
    (WIDE, PLAIN, SECOND),
    (WIDE, PLAIN, node("n3", "10.0.2.1")),
)


class Agent:
    """A source, what decides on it, and a speaker that believes what it is told."""

    def __init__(self) -> None:
        self.store = Store()
        self.synced = True
        self.planner = Planner(node=NodeName("n1"), cluster_uid="c")
        self.deciding = Deciding(self.planner, self, Passwords(), act=self._act, at_once=AT_ONCE)
        self.told: list[Desired | Delta] = []
        self.routes: dict[RouteKey, Advertisement] = {}
        self.peers: set[PeerName] = set()
        self._sequence = 0

    @property
    def objects(self) -> Objects:
        """What there is to decide on."""
        return self.store.objects

    def fill(self) -> None:
        """Begin with a configuration and Services that are all served."""
        self.store.apply("node.json", _read(CONFIGURATION[0], CONFIGURATION[1]))
        self.store.apply("peer.json", _read(CONFIGURATION[4]))
        self.store.apply("more.json", _read(*CONFIGURATIONS[0]))
        for number in range(SERVICES):
            self.store.apply(f"{number}.json", _read(*_served(number)))
        keys = frozenset(self.objects)
        self.deciding.changed(Changes(added=keys, conditions=True))

    def settle(self) -> None:
        """Decide on everything that is under way."""
        while self.planner.busy:
            self.deciding.go_on()

    def write(self, file: str, *documents: Document) -> None:
        """Let the source say *documents*."""
        self.deciding.changed(self.store.apply(file, _read(*documents)))

    def _act(self, message: Desired | Delta | None) -> None:
        self.deciding.started = True
        match message:
            case None:
                return
            case Desired():
                self.routes = {(one.peer, one.prefix): one for one in message.advertisements}
                self.peers = {one.name for one in message.peers}
            case Delta():
                assert self._sequence, "a delta came before the state that it changes"
                assert message.sequence == self._sequence + 1, "a delta was lost"
                for key in message.withdraw:
                    del self.routes[key]
                self.routes |= {(one.peer, one.prefix): one for one in message.advertise}
        self._sequence = message.sequence
        self.told.append(message)
        assert {peer for peer, _ in self.routes} <= self.peers, "a route for a peer of nobody"


def _read(*documents: Document) -> Documents:
    return read(
        "x.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}).encode()
    )


def _served(number: int, *nodes: str) -> tuple[Document, Document]:
    name = f"s{number:02}"
    return service(name, f"203.0.113.{number}"), endpoints(name, *(nodes or ("n1",)))


def wanted(agent: Agent) -> dict[RouteKey, Advertisement]:
    """Return what one decision on everything in one go says."""
    planner = Planner(node=NodeName("n1"), cluster_uid="c")
    planner.configure(Changes(), agent.objects, {})
    desired = planner.desired()
    assert desired is not None
    return {(one.peer, one.prefix): one for one in desired.advertisements}


@pytest.fixture(name="agent")
def settled_agent() -> Agent:
    """Return an agent whose speaker knows everything."""
    agent = Agent()
    agent.fill()
    agent.settle()
    agent.told.clear()
    return agent


def test_the_first_look_is_told_as_a_whole() -> None:
    """Nothing is said before the last Service was decided on: half a state would withdraw."""
    agent = Agent()
    agent.fill()
    assert agent.planner.busy
    while agent.planner.busy:
        assert not agent.told
        agent.deciding.go_on()
    assert [type(one) for one in agent.told] == [Desired]
    assert len(agent.routes) == SERVICES
    assert agent.deciding.complete


def test_a_change_during_the_first_look_is_in_what_is_told() -> None:
    """Also where the Service had its decision already."""
    agent = Agent()
    agent.fill()
    for _ in range(3):
        agent.deciding.go_on()
    for number in (0, SERVICES - 1):
        agent.write(f"{number}.json", *_served(number, "n2"))
    agent.settle()
    assert [type(one) for one in agent.told] == [Desired]
    assert len(agent.routes) == SERVICES - 2


def test_a_change_of_configuration_is_one_message(agent: Agent) -> None:
    """All that it changes is told together, when all of it is decided."""
    agent.write("more.json", NARROW, PLAIN)
    assert agent.planner.busy
    agent.deciding.go_on()
    agent.deciding.go_on()
    assert not agent.told
    agent.settle()
    assert [type(one) for one in agent.told] == [Desired]
    assert agent.routes == wanted(agent)
    assert len(agent.routes) == 8


def test_others_have_their_turn_between_two_pieces(agent: Agent) -> None:
    """The loop is never busy with all Services at once, and lets go of the old state at the end."""

    async def story() -> int:
        turns = 0
        deciding = asyncio.get_running_loop().create_task(agent.deciding.run())
        agent.write("more.json", NARROW, PLAIN)
        while agent.planner.busy:
            turns += 1
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert agent.planner._replaced is None
        deciding.cancel()
        return turns

    assert asyncio.run(story()) > SERVICES // AT_ONCE
    assert agent.routes == wanted(agent)


def test_each_decision_is_timed_once(agent: Agent) -> None:
    """That on everything at its end, however many pieces it had, and so one that had to wait."""
    timed = agent.deciding.took
    before = timed.count
    agent.write("0.json", *_served(0, "n2"))
    assert timed.count == before + 1
    agent.write("more.json", NARROW, PLAIN)
    agent.deciding.go_on()
    begun = timed.count
    agent.write("more.json", WIDE, PLAIN)
    agent.settle()
    # Both as a whole, and each time it began the Services that had changed by then.
    assert timed.count == begun + 4
    assert timed.sum > 0


def test_routes_that_change_alone_are_a_delta(agent: Agent) -> None:
    """Where neither peers nor pools changed, the speaker need not hear all routes again."""
    agent.write("more.json", WIDE, LOUD)
    agent.settle()
    assert [type(one) for one in agent.told] == [Delta]
    assert all(one.communities == ("65000:1",) for one in agent.routes.values())


@pytest.mark.parametrize("number", [0, 5, SERVICES - 1])
def test_a_lost_endpoint_does_not_wait_for_the_configuration(agent: Agent, number: int) -> None:
    """Its route is withdrawn at once, and stays withdrawn when the new state is told."""
    agent.write("more.json", WIDE, PLAIN, SECOND)
    for _ in range(3):
        agent.deciding.go_on()
    assert agent.planner.busy
    agent.write(f"{number}.json", *_served(number, "n2"))
    assert len(agent.told) == 1
    assert agent.planner.busy
    assert len(agent.routes) == SERVICES - 1
    agent.settle()
    assert len(agent.routes) == 2 * (SERVICES - 1)


def test_changes_of_configuration_without_a_pause_have_an_end(agent: Agent) -> None:
    """Each look is finished before the next begins: someone else's churn is not our silence."""
    for number in range(20):
        agent.write("more.json", *CONFIGURATIONS[1 + number % 2])
        agent.deciding.go_on()
    assert agent.told
    agent.settle()
    assert agent.routes == wanted(agent)


def test_a_configuration_that_cannot_work_changes_nothing(agent: Agent) -> None:
    """It is known at once, and what was in force stays."""
    agent.write("node.json", BROKEN, CONFIGURATION[1])
    assert not agent.planner.busy
    assert not agent.told
    assert agent.planner.problem
    agent.write("0.json", *_served(0, "n2"))
    assert len(agent.routes) == SERVICES - 1


def test_what_is_remembered_is_replaced_by_what_the_source_says() -> None:
    """A start from memory may still be under way when the source is read: then it is decided on."""
    agent = Agent()
    agent.synced = False
    agent.fill()
    agent.deciding.go_on()
    agent.synced = True
    changes = agent.store.apply("0.json", _read(*_served(0, "n2")))
    agent.deciding.changed(changes)
    assert not agent.deciding.complete
    agent.settle()
    assert agent.deciding.complete
    assert agent.routes == wanted(agent)


_SLICE = st.tuples(st.just("slice"), st.just(0))
_STEPS = st.one_of(
    _SLICE,
    _SLICE,
    st.tuples(st.sampled_from(["lost", "back", "gone"]), st.integers(0, SERVICES + 2)),
    st.tuples(st.just("configuration"), st.integers(0, len(CONFIGURATIONS) - 1)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(_STEPS, min_size=8, max_size=40))
def test_whatever_comes_in_between_the_end_is_the_same(steps: list[tuple[str, int]]) -> None:
    """In one piece or in many, with changes of Services at any point, the same routes result."""
    agent = Agent()
    agent.fill()
    agent.settle()
    agent.write("more.json", *CONFIGURATIONS[3])
    for step, number in steps:
        key = ("tor", f"203.0.113.{number}/32")
        match step:
            case "slice":
                agent.deciding.go_on()
            case "lost":
                agent.write(f"{number}.json", *_served(number, "n2"))
                assert key not in agent.routes
            case "back":
                agent.write(f"{number}.json", *_served(number))
            case "gone":
                agent.deciding.changed(agent.store.remove(f"{number}.json"))
                assert key not in agent.routes
            case _:
                agent.write("more.json", *CONFIGURATIONS[number])
    agent.settle()
    assert agent.routes == wanted(agent)
