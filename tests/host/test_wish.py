"""Facts about which way a peer is reached, and from which address."""

import pytest

from bgpd.host import wire
from bgpd.host.defaultroute import DefaultRoute, NextHop
from bgpd.host.inventory import HostAddress, Interface, Inventory
from bgpd.host.rtnetlink import Hop
from bgpd.host.wish import RouteWish, gateways, resolve, source_for
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address

PEER, PEER6 = Address("169.254.255.1"), Address("2001:db8:ff::1")
PUBLIC, PRIVATE = Address("198.51.100.10"), Address("10.99.0.3")
BOND, ETH1 = 2, 3
TOR = PeerName("tor")
_TENTATIVE = 0x40


def held(text: str, length: int, interface: int = BOND, flags: int = 0) -> HostAddress:
    """Return an address of the host."""
    return HostAddress(address=Address(text), length=length, interface=interface, flags=flags)


def default(*gateways: str, family: int = wire.AF_INET, metric: int = 0) -> DefaultRoute:
    """Return a default route by the bond."""
    hops = tuple(NextHop(BOND, Address(one)) for one in gateways)
    return DefaultRoute(family=family, metric=metric, hops=hops)


HOST = Inventory(
    interfaces={
        1: Interface(index=1, name="lo", loopback=True),
        BOND: Interface(index=BOND, name="bond0"),
        ETH1: Interface(index=ETH1, name="eth1"),
    },
    addresses=(
        HostAddress(address=Address("127.0.0.1"), length=8, interface=1, scope=254),
        held(PUBLIC, 31),
        held(PRIVATE, 31),
        held("2001:db8:1::3", 127),
        held("2001:db8:1::5", 127, flags=_TENTATIVE),
        held("192.168.7.1", 24, ETH1),
    ),
    defaults=(
        default("198.51.100.11"),
        default("10.99.0.2", metric=100),
        default("2001:db8:1::2", family=wire.AF_INET6, metric=1024),
    ),
    ways={
        Address("10.99.0.2"): (Hop(BOND, None),),
        Address("192.168.7.9"): (Hop(ETH1, None),),
        Address("192.168.7.5"): (Hop(ETH1, Address("192.168.7.5")),),
        Address("203.0.113.1"): (Hop(BOND, Address("198.51.100.11")),),
    },
)
"""As at Packet: a public and a private network on one bond."""


def wish(gateway: str, *, to: Address = PEER, source: Address | None = None) -> RouteWish:
    """Return the wish of a peer."""
    return RouteWish(peer=TOR, destination=to, gateway=gateway, source=source)


@pytest.mark.parametrize(
    ("asked", "hop", "source"),
    [
        pytest.param(
            wish("10.99.0.2", source=PRIVATE),
            NextHop(BOND, Address("10.99.0.2")),
            PRIVATE,
            id="by the private gateway, from the private address",
        ),
        pytest.param(
            wish("default"),
            NextHop(BOND, Address("198.51.100.11")),
            None,
            id="by the default route of the best metric",
        ),
        pytest.param(
            wish("default", to=PEER6),
            NextHop(BOND, Address("2001:db8:1::2")),
            None,
            id="of the peer's own family",
        ),
        pytest.param(
            wish("fe80::1", to=PEER6),
            NextHop(BOND, Address("fe80::1")),
            None,
            id="a link-local gateway is where the default route is",
        ),
        pytest.param(
            wish("fe80::1%eth1", to=PEER6),
            NextHop(ETH1, Address("fe80::1")),
            None,
            id="or where it says",
        ),
        pytest.param(
            wish("fe80::1%eth1"),
            NextHop(ETH1, Address("fe80::1")),
            None,
            id="an IPv4 peer may be reached over an IPv6 gateway",
        ),
        pytest.param(
            wish("10.99.0.2", source=Address("10.66.0.1")),
            NextHop(BOND, Address("10.99.0.2")),
            None,
            id="a source that the host does not have is left to the kernel",
        ),
        pytest.param(
            wish("default", to=PEER6, source=Address("2001:db8:1::5")),
            NextHop(BOND, Address("2001:db8:1::2")),
            None,
            id="so is one that is still tentative",
        ),
        pytest.param(
            wish("10.99.0.2", source=Address("2001:db8:1::3")),
            NextHop(BOND, Address("10.99.0.2")),
            None,
            id="and one of the other family",
        ),
        pytest.param(
            wish("192.168.7.5"),
            NextHop(ETH1, Address("192.168.7.5")),
            None,
            id="a gateway that is a router of ours is reached by our own route to it",
        ),
    ],
)
def test_a_route(asked: RouteWish, hop: NextHop, source: Address | None) -> None:
    """What a peer asks for, and the route that it gets."""
    found = resolve([asked], HOST)
    assert found.problems == {}
    assert found.routes[TOR].hops == (hop,)
    assert found.routes[TOR].source == source


@pytest.mark.parametrize(
    ("asked", "present", "sentence"),
    [
        pytest.param(
            wish("default"), Inventory(), "has no IPv4 default route", id="no default route"
        ),
        pytest.param(
            wish("203.0.113.1"), HOST, "on no link of this node", id="a gateway behind another"
        ),
        pytest.param(
            wish("203.0.113.99"), HOST, "on no link of this node", id="a gateway without a way"
        ),
        pytest.param(
            wish(PRIVATE), HOST, "an address of this node", id="the node itself as its gateway"
        ),
        pytest.param(
            wish("10.99.0.2", to=PEER6), HOST, "cannot lead to an IPv6", id="IPv6 over IPv4"
        ),
        pytest.param(
            wish("fe80::1%eth9"), HOST, "interface that this node has not", id="a wrong interface"
        ),
        pytest.param(
            wish("fe80::1"), Inventory(), "name the interface", id="no interface to be seen"
        ),
        pytest.param(wish("the router"), HOST, "neither an address nor", id="no address"),
    ],
)
def test_no_route(asked: RouteWish, present: Inventory, sentence: str) -> None:
    """What cannot be is one sentence, and no route."""
    found = resolve([asked], present)
    assert found.routes == {}
    assert sentence in found.problems[TOR]


def test_only_what_the_kernel_knows_is_asked_for() -> None:
    """Of `default` and of link-local gateways the way is known without a question."""
    asked = [wish(text) for text in ("default", "fe80::1%eth1", "10.99.0.2", "nonsense")]
    assert gateways(asked) == {"10.99.0.2"}


@pytest.mark.parametrize(
    ("to", "gateway", "source"),
    [
        pytest.param(PEER, "10.99.0.2", PRIVATE, id="in the network of the gateway"),
        pytest.param(PEER, "default", PUBLIC, id="in the network of the default gateway"),
        pytest.param(PEER, "", PUBLIC, id="without a gateway by the default route"),
        pytest.param("192.168.7.20", "", "192.168.7.1", id="in the network of the peer itself"),
        pytest.param(PEER, "192.168.7.9", "192.168.7.1", id="on the interface of the gateway"),
        pytest.param(PEER6, "default", "2001:db8:1::3", id="no tentative address"),
    ],
)
def test_the_source_is_what_the_host_really_has(to: str, gateway: str, source: str) -> None:
    """An address on the interface towards the gateway, of its network if there is one."""
    assert source_for(HOST, Address(to), gateway) == source


def test_without_an_address_there_is_no_source() -> None:
    """A host without IPv6 has nothing to offer an IPv6 peer."""
    assert source_for(Inventory(), PEER6, "default") is None


def test_the_default_routes_own_source_counts() -> None:
    """Where somebody chose a source for the default route, the session has the same."""
    chosen = default("198.51.100.11")
    present = Inventory(
        interfaces=HOST.interfaces,
        addresses=HOST.addresses,
        defaults=(DefaultRoute(family=2, metric=0, hops=chosen.hops, source=PRIVATE),),
    )
    assert source_for(present, PEER, "default") == PRIVATE
    assert source_for(present, PEER, "192.168.7.9") == "192.168.7.1"
