"""A released address is not given to another Service at once, where the pool says so."""

from bgpd.model.configuration import ServiceAllocation
from tests.allocator.build import V4, addresses, got, having, pool, put, refused, service


def test_no_delay() -> None:
    """Without a delay an address is free at once, and nothing is due."""
    allocator = having(pool("p", "192.0.2.0/32"))
    put(allocator, service("a"), "192.0.2.0")
    allocator.release("default/a", 5.0)
    assert allocator.due(5.0) is None
    assert got(allocator.allocate(service("b"), V4, 5.0)) == ("192.0.2.0",)


def test_delay() -> None:
    """Others wait until the delay is over, whether they ask for the address or for any."""
    allocator = having(pool("p", "192.0.2.0/32", reuse_delay=30))
    put(allocator, service("a"), "192.0.2.0")
    allocator.release("default/a", 100.0)
    assert allocator.due(100.0) == 130.0
    assert allocator.counters("p").available_ipv4 == 0
    sentence = refused(allocator.allocate(service("b"), V4, 129.9))
    assert "1 kept for the Service that had it last" in sentence
    sentence = refused(allocator.assign(service("b"), addresses("192.0.2.0"), 110.0))
    assert "keeps it for spec.reuseDelay; free in 20 s" in sentence
    assert allocator.due(130.0) is None
    assert allocator.counters("p").available_ipv4 == 1
    assert got(allocator.allocate(service("b"), V4, 130.0)) == ("192.0.2.0",)


def test_former_owner() -> None:
    """Whoever had the address last may have it back at once, asked for or not."""
    for asked in (True, False):
        allocator = having(pool("p", "192.0.2.0/32", reuse_delay=30))
        put(allocator, service("a"), "192.0.2.0")
        allocator.release("default/a", 100.0)
        if asked:
            put(allocator, service("a"), "192.0.2.0", now=101.0)
        else:
            assert got(allocator.allocate(service("a"), V4, 101.0)) == ("192.0.2.0",)
        assert allocator.due(101.0) is None
        refused(allocator.allocate(service("b"), V4, 500.0))


def test_others_take_the_next() -> None:
    """While an address waits, the next one is given; after that it is the lowest again."""
    allocator = having(pool("p", "192.0.2.0/30", reuse_delay=30))
    put(allocator, service("a"), "192.0.2.0")
    allocator.release("default/a", 0.0)
    assert got(allocator.allocate(service("b"), V4, 1.0)) == ("192.0.2.1",)
    assert got(allocator.allocate(service("c"), V4, 30.0)) == ("192.0.2.0",)


def test_each_in_its_turn() -> None:
    """Due is the next of all that wait, in any pool."""
    allocator = having(
        pool("p", "192.0.2.0/31", reuse_delay=30), pool("q", "198.51.100.0/31", reuse_delay=5)
    )
    put(allocator, service("a"), "192.0.2.0")
    put(allocator, service("b"), "192.0.2.1")
    put(allocator, service("c"), "198.51.100.0")
    allocator.release("default/b", 0.0)
    allocator.release("default/a", 10.0)
    allocator.release("default/c", 20.0)
    assert [allocator.due(now) for now in (20.0, 25.0, 30.0, 40.0)] == [25.0, 30.0, 40.0, None]


def test_moving_away_leaves_an_address_waiting() -> None:
    """An address waits also when its Service moved; one that is still shared does not."""
    allocator = having(pool("p", "192.0.2.0/30", reuse_delay=30))
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.0")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0")
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.1", now=1.0)
    assert allocator.due(1.0) is None
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.2", now=2.0)
    assert allocator.due(2.0) == 32.0
    refused(allocator.assign(service("a", "tcp/1", key="k"), addresses("192.0.2.0"), 3.0))
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0", now=3.0)


def test_change_of_pools() -> None:
    """What waits goes on waiting under changed pools, by the delay that the pool says now."""
    allocator = having(pool("p", "192.0.2.0/30", reuse_delay=30))
    put(allocator, service("a"), "192.0.2.0")
    allocator.release("default/a", 100.0)
    allocator.set_pools([pool("renamed", "192.0.2.0/29", reuse_delay=60)], ())
    assert allocator.due(100.0) == 160.0
    assert got(allocator.allocate(service("b"), V4, 159.0)) == ("192.0.2.1",)
    allocator.set_pools([pool("renamed", "192.0.2.0/29")], ())
    assert allocator.due(159.0) is None
    assert got(allocator.allocate(service("c"), V4, 159.0)) == ("192.0.2.0",)


def test_lost_by_a_change_of_pools() -> None:
    """What a Service may no longer have waits for it to move, and from then on as all do."""
    allocator = having(pool("p", "192.0.2.0/30", "2001:db8::/127", reuse_delay=30))
    put(allocator, service("a"), "192.0.2.0", "2001:db8::")
    smaller = pool("p", "192.0.2.0/30", reuse_delay=30)
    assert allocator.set_pools([smaller], ()) == {"default/a"}
    assert allocator.due(1000.0) is None
    assert allocator.counters("p").available_ipv4 == 3
    sentence = refused(allocator.assign(service("b"), addresses("192.0.2.0"), 1001.0))
    assert "is what default/a had and may not keep" in sentence
    put(allocator, service("a"), "192.0.2.1", now=1002.0)
    assert allocator.due(1002.0) == 1032.0
    refused(allocator.assign(service("b"), addresses("192.0.2.0"), 1003.0))
    put(allocator, service("b"), "192.0.2.0", now=1032.0)


def test_lost_by_several_that_shared() -> None:
    """What several Services shared and lost is free when the last of them is gone."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.0")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0")
    put(allocator, service("c", "tcp/3", key="k"), "192.0.2.0")
    pinned = ServiceAllocation(namespaces=("ns-a",))
    lost = allocator.set_pools([pool("p", "192.0.2.0/31", allocation=pinned)], ())
    assert lost == {"default/a", "default/b", "default/c"}
    assert allocator.release("default/b", 0.0) is True
    assert allocator.release("default/b", 0.0) is False
    assert allocator.release("default/a", 0.0) is True
    tenant = service("t", namespace="ns-a")
    refused(allocator.assign(tenant, addresses("192.0.2.0"), 0.0))
    assert allocator.release("default/c", 0.0) is True
    put(allocator, tenant, "192.0.2.0")


def test_lost_by_one_of_two() -> None:
    """What one of two loses is in use by the other, and no less than before."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, service("a", "tcp/1", key="k", namespace="ns-a"), "192.0.2.0")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0")
    pinned = ServiceAllocation(namespaces=("ns-a",))
    allocator.set_pools([pool("p", "192.0.2.0/31", allocation=pinned)], ())
    counters = allocator.counters("p")
    assert (counters.assigned_ipv4, counters.available_ipv4) == (1, 1)
    put(allocator, service("c", "tcp/3", key="k", namespace="ns-a"), "192.0.2.0")
    assert allocator.release("default/b", 0.0) is True
    assert allocator.addresses_of("ns-a/a") == ("192.0.2.0",)


def test_lost_by_two_and_found_by_one() -> None:
    """What one of two takes back and leaves is still what the other has to move from."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.0")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0")
    allocator.set_pools([pool("p", "192.0.2.1/32")], ())
    allocator.set_pools([pool("p", "192.0.2.0/31")], ())
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.0")
    allocator.release("default/b", 0.0)
    refused(allocator.assign(service("c"), addresses("192.0.2.0"), 0.0))
    allocator.release("default/a", 0.0)
    put(allocator, service("c"), "192.0.2.0")


def test_lost_and_found() -> None:
    """Who lost an address gets it back when a pool for it has the address again."""
    allocator = having(pool("p", "192.0.2.0/31"))
    put(allocator, service("a"), "192.0.2.0")
    allocator.set_pools([pool("p", "192.0.2.1/32")], ())
    allocator.set_pools([pool("p", "192.0.2.0/31")], ())
    assert got(allocator.allocate(service("b"), V4, 0.0)) == ("192.0.2.1",)
    refused(allocator.allocate(service("c"), V4, 0.0))
    put(allocator, service("a"), "192.0.2.0")


def test_reserved_addresses_do_not_wait() -> None:
    """A reserved address that is released is given to nobody, so there is nothing to wait for."""
    allocator = having(pool("p", "192.0.2.0/31", reuse_delay=30))
    put(allocator, service("a"), "192.0.2.0")
    reserving = pool("p", "192.0.2.0/31", reuse_delay=30, reserved=("192.0.2.0/32",))
    allocator.set_pools([reserving], ())
    allocator.release("default/a", 0.0)
    assert allocator.due(0.0) is None
    assert allocator.counters("p").available_ipv4 == 1
