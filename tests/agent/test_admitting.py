"""What the speaker hears of routes whose elastic IPs are to be on the host."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

import pytest

from bgpd.agent.admitting import Admitting
from bgpd.ipc.message import Delta, Desired
from bgpd.model.prefix import Address, Prefix
from bgpd.policy.merge import RouteKey
from tests.agent.test_planner import CONFIGURATION, Cluster, Document, endpoints, ours, service

BOUND = ours("IPAddressPool", "ntp", addresses=["198.51.100.0/24"], bindOnHost=True)
NTP = (service("ntp", "198.51.100.7"), endpoints("ntp", "n1"))
WEB = (service("web", "203.0.113.1"), endpoints("web", "n1"))
ADDRESS, ROUTE = Address("198.51.100.7"), Prefix("198.51.100.7/32")


class Node:
    """A planner, what its speaker is told, and a host that has what a test says."""

    def __init__(self, *, anew: bool = True) -> None:
        self.cluster = Cluster()
        self.there: set[Address] = set()
        self.refused: set[Address] = set()
        self.expected: frozenset[Address] = frozenset()
        self.landed: list[RouteKey] = []
        self.admitting = Admitting(
            self.cluster.planner,
            lambda: self.cluster.store.objects,
            self,
            logging.getLogger("test"),
            expect=self.expect,
            landed=self.landed.extend,
            anew=anew,
        )

    def has(self, address: Address) -> bool:
        """Return whether *address* is there."""
        return address in self.there

    def cannot(self, address: Address) -> bool:
        """Return whether *address* was refused."""
        return address in self.refused

    def expect(self, addresses: frozenset[Address]) -> None:
        """Note what is awaited."""
        self.expected = addresses

    def write(self, file: str, *documents: Document) -> Desired | Delta | None:
        """Write *file*, return what the speaker hears."""
        return self.admitting.passes(self.cluster.write(file, *documents))


def told(message: Desired | Delta | None) -> list[Prefix]:
    """Return the prefixes that *message* tells of."""
    assert message is not None
    if isinstance(message, Desired):
        return [one.prefix for one in message.advertisements]
    return [one.prefix for one in message.advertise]


def in_a_loop(story: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Return *story* as a test with a loop: what waits has a timer."""

    def run() -> None:
        asyncio.run(story())

    run.__doc__ = story.__doc__
    return run


def test_without_a_pool_that_binds_every_message_goes_as_it_is() -> None:
    """Not even a copy is made, and no loop is asked for a timer."""
    node = Node()
    for file, documents in (("all", CONFIGURATION), ("web", WEB), ("web", WEB[:1])):
        message = node.cluster.write(file, *documents)
        assert message is not None
        assert node.admitting.passes(message) is message
    assert node.admitting.passes(None) is None


@in_a_loop
async def test_of_a_start_what_is_bound_waits_and_the_rest_goes() -> None:
    """Others hear that something is missing, until it is not."""
    node = Node()
    message = node.write("all.json", *CONFIGURATION, BOUND, *NTP, *WEB)
    assert isinstance(message, Desired)
    assert told(message) == ["203.0.113.1/32"]
    assert message.standing.partial
    assert node.admitting.partial
    assert node.expected == {ADDRESS}
    node.admitting.look()
    assert node.landed == []
    node.there = {ADDRESS}
    node.admitting.look()
    assert node.landed == [("tor", ROUTE)]
    assert not node.admitting.partial
    assert node.admitting.awaited() == frozenset()


@in_a_loop
async def test_a_service_that_comes_waits_and_messages_are_counted_on() -> None:
    """A delta of which nothing is left is told all the same: the speaker misses none."""
    node = Node()
    whole = node.write("config.json", *CONFIGURATION, BOUND)
    message = node.write("ntp.json", *NTP)
    assert isinstance(whole, Desired)
    assert isinstance(message, Delta)
    assert (told(message), message.sequence) == ([], whole.sequence + 1)
    assert not node.admitting.partial
    node.there = {ADDRESS}
    node.admitting.look()
    assert node.landed == [("tor", ROUTE)]
    again = node.cluster.planner.tell_again(node.landed)
    assert isinstance(again, Delta)
    assert (told(again), again.sequence) == ([ROUTE], whole.sequence + 2)


@in_a_loop
async def test_what_the_host_refuses_is_not_waited_for() -> None:
    """The condition that says so is there already."""
    node = Node()
    node.write("all.json", *CONFIGURATION, BOUND, *NTP)
    node.refused = {ADDRESS}
    node.admitting.look()
    assert node.landed == [("tor", ROUTE)]


@in_a_loop
async def test_an_agent_that_follows_another_takes_nothing_back() -> None:
    """Its first state may be with the speaker; what comes later waits."""
    node = Node(anew=False)
    assert told(node.write("all.json", *CONFIGURATION, BOUND, *NTP)) == [ROUTE]
    late = (service("late", "198.51.100.8"), endpoints("late", "n1"))
    assert told(node.write("late.json", *late)) == []


@in_a_loop
async def test_a_pool_that_binds_from_now_on_takes_nothing_back() -> None:
    """The routes are with the speaker; a new one of the same change waits."""
    node = Node()
    unbound = ours("IPAddressPool", "ntp", addresses=["198.51.100.0/24"])
    assert told(node.write("all.json", *CONFIGURATION, unbound, *NTP)) == [ROUTE]
    late = (service("late", "198.51.100.8"), endpoints("late", "n1"))
    message = node.write("all.json", *CONFIGURATION, BOUND, *NTP, *late)
    assert message is None or "198.51.100.8/32" not in told(message)
    assert node.expected == {"198.51.100.8"}
    whole = node.admitting.passes(node.cluster.planner.desired())
    assert told(whole) == [ROUTE]


@in_a_loop
async def test_a_block_waits_for_the_addresses_that_it_stands_for() -> None:
    """Those of its Services on this node, and of no other block."""
    node = Node()
    blocks = ours("BGPAdvertisement", "all", aggregationLength=28)
    configuration = [one for one in CONFIGURATION if one["kind"] != "BGPAdvertisement"]
    other = (service("other", "198.51.100.8"), endpoints("other", "n1"))
    far = (service("far", "198.51.100.200"), endpoints("far", "n1"))
    message = node.write("all.json", *configuration, blocks, BOUND, *NTP, *other, *far)
    assert told(message) == []
    node.there = {ADDRESS, Address("198.51.100.200")}
    node.admitting.look()
    assert node.landed == [("tor", "198.51.100.192/28")]
    assert node.admitting.awaited() == {ADDRESS, "198.51.100.8"}
    node.there.add(Address("198.51.100.8"))
    node.admitting.look()
    assert node.landed[1:] == [("tor", "198.51.100.0/28")]


@in_a_loop
async def test_of_ipv6_a_32_is_a_block() -> None:
    """It waits for the addresses in it, not for the one that it begins with."""
    node = Node()
    pool = ours("IPAddressPool", "ntp", addresses=["2001:db8::/32"], bindOnHost=True)
    blocks = ours("BGPAdvertisement", "all", aggregationLengthV6=32)
    way = {"families": ["ipv4-unicast", "ipv6-unicast"], "nextHopV6": "fd00::1"}
    peer = ours("BGPPeer", "tor", myASN=65000, peerASN=65530, peerAddress="10.0.0.0", **way)
    configuration = (CONFIGURATION[0], pool, blocks, peer)
    ready = {"addresses": ["fd00::7"], "conditions": {"ready": True}, "nodeName": "n1"}
    slices = endpoints("ntp") | {"addressType": "IPv6", "endpoints": [ready]}
    both = (service("ntp", "2001:db8::7"), slices)
    assert told(node.write("all.json", *configuration, *both)) == []
    assert node.expected == {"2001:db8::7"}


def test_a_wait_is_over_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody looks at the host."""
    monkeypatch.setattr("bgpd.agent.landing.HOLD_SECONDS", 0.05)

    async def story() -> list[RouteKey]:
        node = Node()
        node.write("all.json", *CONFIGURATION, BOUND, *NTP)
        for _ in range(100):
            if node.landed:
                break
            await asyncio.sleep(0.05)
        return node.landed

    assert asyncio.run(story()) == [("tor", ROUTE)]
