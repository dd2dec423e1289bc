"""Facts about settings that keep packets away, and what is said of them."""

import pytest

from bgpd.host import wire
from bgpd.host.defaultroute import DefaultRoute, NextHop
from bgpd.host.inventory import HostAddress, Inventory
from bgpd.host.pathcheck import Switches, check
from bgpd.model.prefix import Address
from tests.host.test_hostplan import BRIDGE, EIPS, ETH0, eip, host

ETH1 = 3
QUIET = Switches(rp_filter=2, arp_ignore=1, arp_announce=2)


def default(*interfaces: int) -> DefaultRoute:
    """Return a default route by some interfaces."""
    hops = tuple(NextHop(one, Address("10.0.0.2")) for one in interfaces)
    return DefaultRoute(family=wire.AF_INET, metric=0, hops=hops)


def said(present: Inventory, switches: Switches, uplink: int = ETH0) -> list[str]:
    """Return what is said where *uplink* has *switches*."""
    return list(check(present, [uplink], {present.name(uplink): switches}))


@pytest.mark.parametrize(
    ("defaults", "strictness", "warned"),
    [
        pytest.param((default(ETH1),), 1, True, id="strict, and replies leave elsewhere"),
        pytest.param((default(ETH1),), 2, False, id="loose"),
        pytest.param((default(ETH1),), 0, False, id="off"),
        pytest.param((default(ETH1),), None, False, id="not to be read: nothing is said"),
        pytest.param((default(ETH0),), 1, False, id="strict, and replies leave the same way"),
        pytest.param((default(ETH0, ETH1),), 1, False, id="one of several ways back is enough"),
        pytest.param((), 1, False, id="without a default route it is not the filter's doing"),
    ],
)
def test_a_strict_filter(
    defaults: tuple[DefaultRoute, ...], strictness: int | None, warned: bool
) -> None:
    """It drops what comes by another interface than replies leave by."""
    found = said(host(defaults=defaults), Switches(rp_filter=strictness))
    assert [("rp_filter is strict" in one) for one in found] == [True] * warned


@pytest.mark.parametrize(
    ("network", "switches", "warned"),
    [
        pytest.param("203.0.113.1", Switches(arp_ignore=0, arp_announce=2), True, id="answers"),
        pytest.param("203.0.113.1", Switches(arp_ignore=1, arp_announce=0), True, id="asks"),
        pytest.param("203.0.113.1", Switches(arp_ignore=1, arp_announce=1), True, id="still asks"),
        pytest.param("203.0.113.1", QUIET, False, id="neither"),
        pytest.param("203.0.113.1", Switches(), False, id="not to be read: nothing is said"),
        pytest.param("192.0.2.1", Switches(arp_ignore=0), False, id="another network: who asks?"),
    ],
)
def test_arp_for_a_bound_address(network: str, switches: Switches, warned: bool) -> None:
    """Within the uplink's own network every node that has the address would answer."""
    near = HostAddress(address=Address(network), length=24, interface=ETH0)
    present = host(BRIDGE, addresses=[near, eip(EIPS[0])])
    assert ["answers ARP" in one for one in said(present, switches)] == [True] * warned


def test_a_bound_ipv6_address_is_not_answered_for_elsewhere() -> None:
    """Neighbor discovery answers only on the interface that has the address."""
    near = HostAddress(address=Address("2001:db8::1"), length=64, interface=ETH0)
    present = host(BRIDGE, addresses=[near, eip(EIPS[2])])
    assert said(present, Switches(arp_ignore=0, arp_announce=0)) == []
