"""Facts about what is believed of the way to the peers."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.host.observer import Belief, Observer, believe
from bgpd.host.rtnetlink import Hop, Link, Neighbor
from bgpd.model.health import Health
from bgpd.model.prefix import Address

ROUTER, OTHER, PEER = Address("10.0.0.1"), Address("10.0.1.1"), Address("169.254.255.1")
GOOD, BAD, OPEN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def ether(interface: int, *, carrier: bool | None = True, name: str = "") -> Link:
    """Return an interface with a neighbor table."""
    name = name or f"eth{interface}"
    return Link(interface=interface, name=name, carrier=carrier, resolves=True, loopback=False)


@dataclass
class World:
    """A kernel that says what it is told."""

    routes: dict[Address, tuple[Hop, ...]] = field(default_factory=dict)
    links: dict[int, Link] = field(default_factory=dict)
    neighbors: dict[tuple[int, Address], Neighbor] = field(default_factory=dict)
    asked: list[tuple[int, Address, Neighbor]] = field(default_factory=list)

    def hops(self, destination: Address) -> tuple[Hop, ...]:
        """Return the routes that were set."""
        return self.routes.get(destination, ())

    def link(self, index: int) -> Link | None:
        """Return the link that was set."""
        return self.links.get(index)

    def neighbor(self, index: int, address: Address) -> Neighbor:
        """Return the state that was set."""
        return self.neighbors.get((index, address), Neighbor.NONE)

    def resolve(self, index: int, address: Address, state: Neighbor) -> None:
        """Note it."""
        self.asked.append((index, address, state))


def one_uplink() -> World:
    """Return a node with one router, which is the peer's next hop."""
    return World(
        routes={PEER: (Hop(1, ROUTER),)},
        links={1: ether(1)},
        neighbors={(1, ROUTER): Neighbor.REACHABLE},
    )


@pytest.mark.parametrize(
    ("states", "health"),
    [
        pytest.param([Neighbor.REACHABLE], GOOD, id="it answered"),
        pytest.param([Neighbor.STALE], GOOD, id="it answered some time ago"),
        pytest.param([Neighbor.DELAY], GOOD, id="it is used again"),
        pytest.param([Neighbor.PROBE], GOOD, id="it is asked once more"),
        pytest.param([Neighbor.PERMANENT], GOOD, id="a person wrote it down"),
        pytest.param([Neighbor.NOARP], GOOD, id="it needs no asking"),
        pytest.param([Neighbor.NONE], OPEN, id="nobody asked"),
        pytest.param([Neighbor.INCOMPLETE], OPEN, id="it is being asked for the first time"),
        pytest.param([Neighbor.FAILED], OPEN, id="it failed before we looked: perhaps long ago"),
        pytest.param([Neighbor.PROBE, Neighbor.FAILED], BAD, id="asked once more, no answer"),
        pytest.param([Neighbor.INCOMPLETE, Neighbor.FAILED], BAD, id="asked, no answer"),
        pytest.param(
            [Neighbor.REACHABLE, Neighbor.FAILED, Neighbor.NONE],
            OPEN,
            id="a person flushed the table",
        ),
        pytest.param(
            [Neighbor.PROBE, Neighbor.FAILED, Neighbor.NONE],
            BAD,
            id="a dead one that is collected as garbage is still dead",
        ),
        pytest.param(
            [Neighbor.PROBE, Neighbor.FAILED, Neighbor.INCOMPLETE],
            BAD,
            id="a dead one that is asked again is still dead",
        ),
        pytest.param(
            [Neighbor.PROBE, Neighbor.FAILED, Neighbor.STALE],
            GOOD,
            id="it asked for us, so it lives",
        ),
    ],
)
def test_belief(states: list[Neighbor], health: Health) -> None:
    """A next hop is dead when the kernel asked it in vain, until it answers."""
    belief = Belief()
    for state in states:
        belief = believe(belief, state)
    assert belief == Belief(health, states[-1])


@given(st.lists(st.sampled_from(list(Neighbor)), max_size=20))
def test_nothing_dies_without_having_been_asked(states: list[Neighbor]) -> None:
    """Whatever the kernel says in whatever order, doubt begins with a question in vain."""
    belief = Belief()
    for state in states:
        after = believe(belief, state)
        if after.health is BAD and belief.health is not BAD:
            assert state is Neighbor.FAILED
            assert belief.state in (Neighbor.INCOMPLETE, Neighbor.PROBE)
        belief = after


def test_a_peer_on_the_link_is_its_own_next_hop() -> None:
    """Without a gateway the peer itself is looked up in the neighbor table."""
    world = World(
        routes={ROUTER: (Hop(1, None),)},
        links={1: ether(1)},
        neighbors={(1, ROUTER): Neighbor.REACHABLE},
    )
    facts = Observer(world).look([ROUTER])
    assert (dict(facts.uplinks), dict(facts.gateways)) == ({"eth1": True}, {ROUTER: GOOD})


def test_every_way_to_a_peer_counts() -> None:
    """A route with two next hops has two uplinks and two gateways."""
    world = World(
        routes={PEER: (Hop(1, ROUTER), Hop(2, OTHER))},
        links={1: ether(1, carrier=False), 2: ether(2)},
        neighbors={(2, OTHER): Neighbor.STALE},
    )
    facts = Observer(world).look([PEER])
    assert dict(facts.uplinks) == {"eth1": False, "eth2": True}
    assert dict(facts.gateways) == {ROUTER: OPEN, OTHER: GOOD}


def test_an_uplink_that_took_its_routes_with_it_is_still_an_uplink() -> None:
    """The kernel forgets the routes of an interface that is set down; we remember the last."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    world.routes.clear()
    world.links[1] = ether(1, carrier=False)
    facts = observer.look([PEER])
    assert (dict(facts.uplinks), facts.unreachable) == ({"eth1": False}, (PEER,))


def test_an_interface_that_is_gone_has_no_carrier() -> None:
    """And it keeps the name that people know."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    world.routes.clear()
    world.links.clear()
    assert dict(observer.look([PEER]).uplinks) == {"eth1": False}


def test_a_peer_that_moves_leaves_its_uplink_behind() -> None:
    """A lost interface that no route needs any more is nobody's concern."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    world.links = {1: ether(1, carrier=False), 2: ether(2)}
    world.routes[PEER] = (Hop(2, OTHER),)
    assert dict(observer.look([PEER]).uplinks) == {"eth2": True}


def test_loopback_is_no_uplink() -> None:
    """A peer on this very host has neither an uplink nor a next hop."""
    lo = Link(interface=9, name="lo", carrier=True, resolves=False, loopback=True)
    facts = Observer(World(routes={PEER: (Hop(9, None),)}, links={9: lo})).look([PEER])
    assert (dict(facts.uplinks), dict(facts.gateways)) == ({}, {})


def test_a_point_to_point_link_has_carrier_but_no_neighbor() -> None:
    """There is nothing to be asked for at the other end of a tunnel."""
    tun = Link(interface=3, name="tun0", carrier=True, resolves=False, loopback=False)
    facts = Observer(World(routes={PEER: (Hop(3, None),)}, links={3: tun})).look([PEER])
    assert (dict(facts.uplinks), dict(facts.gateways)) == ({"tun0": True}, {})


def test_a_link_local_next_hop_is_told_with_its_interface() -> None:
    """Two routers may both be fe80::1, each on its own link."""
    near = Address("fe80::1")
    world = World(
        routes={PEER: (Hop(1, near), Hop(2, near))},
        links={1: ether(1), 2: ether(2)},
        neighbors={(1, near): Neighbor.REACHABLE},
    )
    assert dict(Observer(world).look([PEER]).gateways) == {
        "fe80::1%eth1": GOOD,
        "fe80::1%eth2": OPEN,
    }


def test_the_next_hops_are_asked_for() -> None:
    """An entry that nobody uses says nothing, so each look is followed by a question."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    observer.ask()
    assert world.asked == [(1, ROUTER, Neighbor.REACHABLE)]


@pytest.mark.parametrize(
    ("state", "dark"),
    [
        pytest.param(Neighbor.NONE, True, id="flushed, and nobody asks"),
        pytest.param(Neighbor.FAILED, True, id="failed, nobody knows when"),
        pytest.param(Neighbor.INCOMPLETE, False, id="being asked"),
        pytest.param(Neighbor.STALE, False, id="believed"),
    ],
)
def test_what_nobody_asked_for_is_asked_at_once(state: Neighbor, dark: bool) -> None:
    """A next hop of which nothing is known does not wait for the next second."""
    world = one_uplink()
    world.neighbors[1, ROUTER] = state
    observer = Observer(world)
    observer.look([PEER])
    assert observer.in_the_dark is dark


def test_only_what_leads_to_a_peer_matters() -> None:
    """A node has thousands of neighbors and interfaces; of most a change is not even looked at."""
    observer = Observer(one_uplink())
    observer.look([PEER])
    assert list(observer.indexes) == [1]
    assert observer.matters(1, ROUTER)
    assert not observer.matters(1, OTHER)
    assert not observer.matters(2, ROUTER)


def test_a_carrier_that_moved_without_a_word_is_seen() -> None:
    """The kernel holds back what it says of links; asking it does not."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    before = observer.carrier_moved()
    world.links[1] = ether(1, carrier=False)
    assert (before, observer.carrier_moved()) == (False, True)


def test_without_peers_nothing_is_asked() -> None:
    """Peers that were taken away leave nothing behind."""
    world = one_uplink()
    observer = Observer(world)
    observer.look([PEER])
    facts = observer.look([])
    observer.ask()
    assert (dict(facts.uplinks), dict(facts.gateways), world.asked) == ({}, {}, [])
