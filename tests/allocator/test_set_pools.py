"""Pools that grow, shrink, are renamed, or change who may use them."""

import copy

import pytest

from bgpd.model.allocation import Namespace
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from tests.allocator.build import (
    V4,
    addresses,
    got,
    having,
    label,
    pool,
    put,
    refused,
    service,
)

_BEFORE = pool("r", "192.0.2.0/30", "2001:db8::/126")
_TENANT = ServiceAllocation(namespace_selectors=(label("tenant", "a"),))


@pytest.mark.parametrize(
    ("pools", "kept"),
    [
        pytest.param([pool("r", "192.0.2.0/24", "2001:db8::/120")], "r", id="the pool grows"),
        pytest.param([pool("new", *_BEFORE.prefixes)], "new", id="the pool has another name"),
        pytest.param(
            [pool("r", "198.51.100.0/24"), pool("s", *_BEFORE.prefixes)],
            "s",
            id="the blocks go to another pool",
        ),
        pytest.param(
            [pool("r", "192.0.2.1-192.0.2.2", "2001:db8::/127")], "r", id="around the addresses"
        ),
        pytest.param(
            [pool("r", *_BEFORE.prefixes, auto_assign=False)], "r", id="no longer automatic"
        ),
        pytest.param(
            [pool("r", *_BEFORE.prefixes, allocation=ServiceAllocation(namespaces=("default",)))],
            "r",
            id="pinned to the Service's namespace",
        ),
        pytest.param([], None, id="no pool is left"),
        pytest.param([pool("r", "192.0.2.0/30")], None, id="one of two families is gone"),
        pytest.param(
            [pool("r", "192.0.2.0/30"), pool("s", "2001:db8::/126")], None, id="two pools now"
        ),
        pytest.param([pool("r", "192.0.2.2/31", "2001:db8::/126")], None, id="the address is gone"),
        pytest.param(
            [pool("r", *_BEFORE.prefixes, allocation=ServiceAllocation(namespaces=("ns-a",)))],
            None,
            id="pinned to another namespace",
        ),
        pytest.param(
            [pool("r", *_BEFORE.prefixes, allocation=_TENANT)], None, id="pinned to no namespace"
        ),
    ],
)
def test_addresses_follow_their_pool(pools: list[IPAddressPool], kept: str | None) -> None:
    """A Service keeps its addresses where one pool for it has them all, and is named otherwise."""
    allocator = having(_BEFORE)
    put(allocator, service("s"), "192.0.2.1", "2001:db8::1")
    lost = allocator.set_pools(pools, ())
    assert lost == (frozenset() if kept else {"default/s"})
    assert allocator.pool_of("default/s") == kept
    assert allocator.addresses_of("default/s") == (("192.0.2.1", "2001:db8::1") if kept else ())


def test_avoided_addresses_are_lost() -> None:
    """A pool that begins to avoid .0 takes it from whoever has it."""
    allocator = having(pool("p", "192.0.2.0/24"))
    put(allocator, service("a"), "192.0.2.0")
    put(allocator, service("b"), "192.0.2.1")
    assert allocator.set_pools([pool("p", "192.0.2.0/24", avoid_buggy_ips=True)], ()) == {
        "default/a"
    }
    assert got(allocator.allocate(service("a"), V4, 0.0)) == ("192.0.2.2",)


def test_labels_of_namespaces_change() -> None:
    """A namespace that loses its label loses the pool, and its Services their addresses."""
    tenant = Namespace(name="ns-a", labels={"tenant": "a"})
    allocator = having()
    document = pool("p", "192.0.2.0/24", allocation=_TENANT)
    assert allocator.set_pools([document], [tenant]) == frozenset()
    put(allocator, service("s", namespace="ns-a"), "192.0.2.1")
    unrelated = Namespace(name="ns-b", labels={"tenant": "b"})
    assert allocator.set_pools([document], [tenant, unrelated]) == frozenset()
    assert allocator.set_pools([document], [Namespace(name="ns-a"), unrelated]) == {"ns-a/s"}
    assert "does not choose namespace ns-a" in refused(
        allocator.allocate(service("s", namespace="ns-a"), V4, 0.0)
    )


def test_services_that_share_stay_together() -> None:
    """Who shares an address keeps sharing it in the address's new pool, with the ports known."""
    allocator = having(_BEFORE)
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.1")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.1")
    allocator.set_pools([pool("new", "192.0.2.0/29")], ())
    assert allocator.counters("new").assigned_ipv4 == 1
    late = service("c", "tcp/2", key="k")
    assert "TCP/2" in refused(allocator.assign(late, addresses("192.0.2.1"), 0.0))
    put(allocator, service("c", "tcp/3", key="k"), "192.0.2.1")


def test_what_is_free_is_found_after_a_change() -> None:
    """The lowest free address is right after pools change, with gaps and beyond the old end."""
    allocator = having(pool("p", "192.0.2.0/29"))
    for number in range(6):
        allocator.allocate(service(f"s{number}"), V4, 0.0)
    allocator.release("default/s2", 0.0)
    allocator.set_pools([pool("p", "192.0.2.0/28")], ())
    found = [got(allocator.allocate(service(f"t{number}"), V4, 0.0))[0] for number in range(3)]
    assert found == ["192.0.2.2", "192.0.2.6", "192.0.2.7"]


def test_a_lost_address_is_free() -> None:
    """What a Service lost may be given to another one, once the loser is gone."""
    allocator = having(_BEFORE)
    put(allocator, service("s"), "192.0.2.0")
    pinned = ServiceAllocation(namespaces=("ns-a",))
    allocator.set_pools([pool("r", "192.0.2.0/30", allocation=pinned)], ())
    assert got(allocator.allocate(service("t", namespace="ns-a"), V4, 0.0)) == ("192.0.2.1",)
    allocator.release("default/s", 0.0)
    assert got(allocator.allocate(service("u", namespace="ns-a"), V4, 0.0)) == ("192.0.2.0",)


def test_configuration_is_not_touched() -> None:
    """Neither what is given nor what is refused changes a document."""
    pools = [pool("p", "192.0.2.0/31", allocation=ServiceAllocation(priority=3), reuse_delay=9)]
    namespaces = [Namespace(name="default", labels={"a": "b"})]
    before = copy.deepcopy((pools, namespaces))
    allocator = having()
    allocator.set_pools(pools, namespaces)
    for name in "abc":
        allocator.allocate(service(name), V4, 0.0)
    allocator.assign(service("d"), addresses("192.0.2.0"), 0.0)
    allocator.release("default/a", 0.0)
    assert (pools, namespaces) == before
