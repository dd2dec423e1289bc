"""Asking for an address, and getting one's own back after a restart."""

import pytest

from bgpd.allocator import Allocator, Assigned, Refused
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import ServiceAllocation
from tests.allocator.build import V4, addresses, got, having, label, pool, put, refused, service

_POOLS = (
    pool("small", "192.0.2.4/31", "2001:db8::4/127"),
    pool("plain", "198.51.100.0/24", "2001:db8:1::/120", avoid_buggy_ips=True),
    pool(
        "tenant",
        "203.0.113.0/26",
        allocation=ServiceAllocation(namespaces=("ns-a",), service_selectors=(label("t", "e"),)),
    ),
    pool("spare", "203.0.113.64/26", reserved=("203.0.113.64/30",)),
)


@pytest.mark.parametrize(
    ("texts", "pool_name"),
    [
        pytest.param(("192.0.2.4",), "small", id="one address"),
        pytest.param(("192.0.2.4", "2001:db8::4"), "small", id="one of each family, of one pool"),
        pytest.param(("2001:db8:1::",), "plain", id="IPv6 addresses may end in 0"),
        pytest.param(("198.51.100.254",), "plain", id=".254 is no trouble"),
        pytest.param(("203.0.113.68",), "spare", id="the first address that is not reserved"),
    ],
)
def test_given(texts: tuple[str, ...], pool_name: str) -> None:
    """An address that is free and of a pool for the Service is given, in the order asked for."""
    allocator = having(*_POOLS)
    outcome = allocator.assign(service("s"), addresses(*texts), 0.0)
    assert outcome == Assigned(pool=pool_name, addresses=addresses(*texts))
    assert allocator.pool_of("default/s") == pool_name
    assert allocator.addresses_of("default/s") == texts


@pytest.mark.parametrize(
    ("texts", "request_", "why"),
    [
        pytest.param((), service("s"), "must be one address", id="no address"),
        pytest.param(
            ("198.51.100.1", "198.51.100.2"),
            service("s"),
            "must be one address, or one of IPv4 and one of IPv6",
            id="two of one family",
        ),
        pytest.param(
            ("192.0.2.4", "2001:db8::4", "192.0.2.5"),
            service("s"),
            "[192.0.2.4, 2001:db8::4, 192.0.2.5]",
            id="three addresses",
        ),
        pytest.param(
            ("100.64.0.1",),
            service("s"),
            "address 100.64.0.1 is in none of the IPAddressPools (plain, small, spare, tenant)",
            id="of no pool",
        ),
        pytest.param(
            ("198.51.100.255",), service("s"), "spec.avoidBuggyIPs", id="an address ending in .255"
        ),
        pytest.param(
            ("198.51.100.5", "2001:db8::4"),
            service("s"),
            "198.51.100.5 is of IPAddressPool plain and 2001:db8::4 is of IPAddressPool small",
            id="of two pools",
        ),
        pytest.param(
            ("203.0.113.1",),
            service("s", namespace="ns-b"),
            "does not choose namespace ns-b, but ns-a",
            id="of a pool for another namespace",
        ),
        pytest.param(
            ("203.0.113.1",),
            service("s", namespace="ns-a"),
            "serviceSelectors do not choose",
            id="of a pool for other labels",
        ),
        pytest.param(
            ("192.0.2.4",),
            service("s", pool_wanted="plain"),
            "of IPAddressPool small, but annotation address-pool names 'plain'",
            id="of another pool than the one that is named",
        ),
        pytest.param(
            ("203.0.113.65",),
            service("s"),
            "address 203.0.113.65 is reserved by IPAddressPool spare",
            id="a reserved one",
        ),
        pytest.param(
            ("198.51.100.1",),
            service("s", key="k"),
            "address 198.51.100.1 is in use by default/holder",
            id="one that another Service has",
        ),
    ],
)
def test_refused(texts: tuple[str, ...], request_: ServiceRequest, why: str) -> None:
    """What cannot be is refused in a sentence, and the Service keeps what it has."""
    allocator = having(*_POOLS)
    put(allocator, service("holder"), "198.51.100.1")
    assert why in refused(allocator.assign(request_, addresses(*texts), 0.0))
    assert allocator.addresses_of(request_.key) == ()
    put(allocator, service("s", namespace=request_.namespace), "192.0.2.5")
    sentence = refused(allocator.assign(request_, addresses(*texts), 0.0))
    assert sentence.startswith(f"Service {request_.key}: ")
    assert allocator.addresses_of(request_.key) == ("192.0.2.5",)
    assert allocator.counters("small").assigned_ipv4 == 1


def test_move() -> None:
    """Another address is got for the one that the Service had, which is free then."""
    allocator = having(*_POOLS)
    put(allocator, service("s"), "192.0.2.4")
    put(allocator, service("s"), "198.51.100.9")
    assert allocator.pool_of("default/s") == "plain"
    put(allocator, service("other"), "192.0.2.4")


def test_reserved_address_is_kept() -> None:
    """Who has an address keeps it when it becomes reserved, also across a restart."""
    before = having(pool("p", "192.0.2.0/30"))
    put(before, service("s"), "192.0.2.1")
    reserving = pool("p", "192.0.2.0/30", reserved=("192.0.2.0/31",))
    assert before.set_pools([reserving], ()) == frozenset()
    assert before.addresses_of("default/s") == ("192.0.2.1",)
    after = having(reserving)
    restarted = service("s", ingress=("192.0.2.1",))
    assert got(after.assign(restarted, addresses("192.0.2.1"), 0.0)) == ("192.0.2.1",)
    assert got(after.assign(service("s"), addresses("192.0.2.1"), 0.0)) == ("192.0.2.1",)
    assert after.counters("p").available_ipv4 == 2
    assert got(after.allocate(service("a"), V4, 0.0)) == ("192.0.2.2",)
    after.release("default/s", 0.0)
    assert "is reserved" in refused(after.assign(service("s"), addresses("192.0.2.1"), 0.0))
    assert got(after.allocate(service("b"), V4, 0.0)) == ("192.0.2.3",)
    assert isinstance(after.allocate(service("c"), V4, 0.0), Refused)


def test_release() -> None:
    """Releasing says whether there was something to release."""
    allocator = having(*_POOLS)
    put(allocator, service("s"), "192.0.2.4", "2001:db8::4")
    assert allocator.release("default/s", 0.0) is True
    assert allocator.release("default/s", 0.0) is False
    assert allocator.release("default/never-seen", 0.0) is False
    assert allocator.pool_of("default/s") is None
    assert allocator.addresses_of("default/s") == ()


def test_nothing_configured() -> None:
    """An allocator that was told nothing refuses, and says what is missing."""
    allocator = Allocator()
    assert "there is no IPAddressPool" in refused(allocator.allocate(service("s"), V4, 0.0))
    sentence = refused(allocator.assign(service("s"), addresses("192.0.2.1"), 0.0))
    assert "in none of the IPAddressPools (there is none)" in sentence
