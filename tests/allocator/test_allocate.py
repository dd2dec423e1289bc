"""Getting an address without saying which."""

import pytest

from bgpd.allocator import MOST, Assigned, Refused
from bgpd.model.allocation import FamilyPolicy
from bgpd.model.configuration import ServiceAllocation
from bgpd.model.prefix import Family
from tests.allocator.build import (
    BOTH,
    SIX_FIRST,
    V4,
    V6,
    addresses,
    got,
    having,
    label,
    pool,
    put,
    refused,
    service,
)

_PREFER = FamilyPolicy.PREFER_DUAL_STACK
_REQUIRE = FamilyPolicy.REQUIRE_DUAL_STACK


def test_lowest_first() -> None:
    """Entries in the order written; of one entry, and of what came back, the lowest first."""
    allocator = having(pool("p", "198.51.100.0/31", "192.0.2.8-192.0.2.9"))
    order = ["198.51.100.0", "198.51.100.1", "192.0.2.8", "192.0.2.9"]
    for number, address in enumerate(order):
        assert got(allocator.allocate(service(f"s{number}"), V4, 0.0)) == (address,)
    assert "none of its 4 IPv4 addresses is free (4 assigned)" in refused(
        allocator.allocate(service("late"), V4, 0.0)
    )
    allocator.release("default/s3", 0.0)
    allocator.release("default/s1", 0.0)
    assert got(allocator.allocate(service("late"), V4, 0.0)) == ("198.51.100.1",)
    assert got(allocator.allocate(service("later"), V4, 0.0)) == ("192.0.2.9",)


def test_addresses_asked_for_are_passed_over() -> None:
    """An address that somebody asked for is not given again when its turn comes."""
    allocator = having(pool("p", "192.0.2.0/30"))
    put(allocator, service("a"), "192.0.2.1")
    put(allocator, service("b"), "192.0.2.0")
    assert got(allocator.allocate(service("c"), V4, 0.0)) == ("192.0.2.2",)
    allocator.release("default/a", 0.0)
    assert got(allocator.allocate(service("d"), V4, 0.0)) == ("192.0.2.1",)


def test_the_order_of_pools_is_not_that_of_the_documents() -> None:
    """Which pool comes first does not depend on the order in which pools are listed."""
    one, two = pool("one", "192.0.2.0/32"), pool("two", "198.51.100.0/32")
    for pools in ((one, two), (two, one)):
        allocator = having(*pools)
        assert allocator.allocate(service("s"), V4, 0.0) == Assigned(
            pool="one", addresses=addresses("192.0.2.0")
        )


def test_full_pinned_pool() -> None:
    """When the pools that choose the Service are full, the open ones are asked."""
    pinned = ServiceAllocation(namespaces=("default",))
    allocator = having(pool("x", "192.0.2.0/32", allocation=pinned), pool("a", "198.51.100.0/32"))
    assert got(allocator.allocate(service("s1"), V4, 0.0)) == ("192.0.2.0",)
    assert got(allocator.allocate(service("s2"), V4, 0.0)) == ("198.51.100.0",)


def test_pinned_by_labels() -> None:
    """A pool that chooses by labels is passed over by Services that have others."""
    edge = ServiceAllocation(priority=1, service_selectors=(label("team", "edge"),))
    allocator = having(pool("edge", "192.0.2.0/24", allocation=edge), pool("z", "198.51.100.0/24"))
    assert got(allocator.allocate(service("s"), V4, 0.0)) == ("198.51.100.0",)
    labeled = service("t", labels={"team": "edge"})
    assert got(allocator.allocate(labeled, V4, 0.0)) == ("192.0.2.0",)


def test_refusal_names_every_pool() -> None:
    """A refusal has a sentence for each pool: those that were asked first, in their order."""
    tenant = ServiceAllocation(namespaces=("ns-a",))
    first = ServiceAllocation(priority=1)
    allocator = having(
        pool("full", "192.0.2.0/32"),
        pool("six", "2001:db8::/127", allocation=first),
        pool("by-name", "198.51.100.0/24", auto_assign=False),
        pool("theirs", "203.0.113.0/24", allocation=tenant),
    )
    put(allocator, service("holder"), "192.0.2.0")
    outcome = allocator.allocate(service("s"), V4, 0.0)
    assert isinstance(outcome, Refused)
    assert [tried.pool for tried in outcome.tried] == ["six", "full", "by-name", "theirs"]
    whys = [tried.why for tried in outcome.tried]
    assert "has no IPv4 addresses" in whys[0]
    assert "none of its 1 IPv4 addresses is free (1 assigned)" in whys[1]
    assert "spec.autoAssign is false" in whys[2]
    assert "does not choose namespace default, but ns-a" in whys[3]
    assert outcome.sentence.startswith("Service default/s: no IPAddressPool can give")
    assert all(why in outcome.sentence for why in whys)


def test_refusal_fits_an_event() -> None:
    """However many pools there are, the sentence is one that Kubernetes takes as a note."""
    allocator = having(*(pool(f"pool-{n}", f"192.0.2.{n}/32") for n in range(100)))
    for number in range(100):
        allocator.allocate(service(f"s{number}"), V4, 0.0)
    outcome = allocator.allocate(service("late"), V4, 0.0)
    assert isinstance(outcome, Refused)
    assert len(outcome.tried) == 100
    assert len(outcome.sentence) <= 1024
    assert outcome.sentence.endswith("more pools")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("full", "none of its 1 IPv4 addresses is free", id="a full pool"),
        pytest.param("six", "it has no IPv4 addresses", id="a pool of the other family"),
        pytest.param("theirs", "does not choose namespace default", id="a pool for others"),
        pytest.param(
            "nope",
            "'nope' is no IPAddressPool; must be one of by-name, full, roomy, six, theirs",
            id="a pool that does not exist",
        ),
    ],
)
def test_named_pool_refuses(name: str, why: str) -> None:
    """Whoever names a pool gets an address of that pool or none, though others have room."""
    allocator = having(
        pool("full", "192.0.2.0/32"),
        pool("six", "2001:db8::/127"),
        pool("by-name", "198.51.100.0/24", auto_assign=False),
        pool("theirs", "203.0.113.0/24", allocation=ServiceAllocation(namespaces=("ns-a",))),
        pool("roomy", "192.0.2.128/25"),
    )
    put(allocator, service("holder"), "192.0.2.0")
    assert why in refused(allocator.allocate(service("s"), V4, 0.0, pool=name))
    assert why in refused(allocator.allocate(service("s", pool_wanted=name), V4, 0.0))
    assert allocator.pool_of("default/s") is None


def test_named_pool_gives() -> None:
    """Naming a pool overrides `autoAssign: false`."""
    allocator = having(pool("m", "192.0.2.0/30", auto_assign=False))
    assert got(allocator.allocate(service("s"), V4, 0.0, pool="m")) == ("192.0.2.0",)


def test_moving_to_a_named_pool() -> None:
    """A Service that names another pool moves there as a whole, or stays where it is."""
    allocator = having(pool("a", "192.0.2.0/31"), pool("b", "198.51.100.0/32"))
    put(allocator, service("s"), "192.0.2.0")
    put(allocator, service("t"), "198.51.100.0")
    refused(allocator.allocate(service("s"), V4, 0.0, pool="b"))
    assert allocator.addresses_of("default/s") == ("192.0.2.0",)
    allocator.release("default/t", 0.0)
    assert got(allocator.allocate(service("s"), V4, 0.0, pool="b")) == ("198.51.100.0",)
    assert allocator.counters("a").assigned_ipv4 == 0


def test_again() -> None:
    """Allocating for a Service that has what it asks for changes nothing."""
    allocator = having(pool("p", "192.0.2.0/30"))
    put(allocator, service("s"), "192.0.2.2")
    assert got(allocator.allocate(service("s"), V4, 0.0)) == ("192.0.2.2",)
    assert allocator.counters("p").assigned_ipv4 == 1


def test_other_family_is_refused() -> None:
    """A Service that has an address of a family it does not ask for keeps it, and gets none."""
    allocator = having(pool("p", "192.0.2.0/30", "2001:db8::/126"))
    put(allocator, service("s"), "192.0.2.0")
    assert "holds 192.0.2.0, but asks for IPv6 alone" in refused(
        allocator.allocate(service("s"), V6, 0.0)
    )
    assert allocator.addresses_of("default/s") == ("192.0.2.0",)


@pytest.mark.parametrize("families", [(), V4 + V4])
def test_no_sensible_families(families: tuple[Family, ...]) -> None:
    """No family, or one twice, is refused."""
    allocator = having(pool("p", "192.0.2.0/30"))
    assert "spec.ipFamilies" in refused(allocator.allocate(service("s"), families, 0.0))


def test_counters() -> None:
    """Addresses count once, by family; a pool that is gone counts nothing."""
    allocator = having(pool("p", "192.0.2.4/30", "2001:db8::4/126"))
    put(allocator, service("a", "tcp/1", key="k"), "192.0.2.4")
    put(allocator, service("b", "tcp/2", key="k"), "192.0.2.4")
    put(allocator, service("c"), "192.0.2.5", "2001:db8::4")
    counters = allocator.counters("p")
    assert (counters.assigned_ipv4, counters.available_ipv4) == (2, 2)
    assert (counters.assigned_ipv6, counters.available_ipv6) == (1, 3)
    assert allocator.capacity("p").total == 8
    assert allocator.services_of("p") == 3
    allocator.set_pools((), ())
    assert allocator.counters("p") == type(counters)()
    assert allocator.capacity("p").total == 0


def test_huge_pool() -> None:
    """A pool of more addresses than a status can hold counts the most that it can."""
    allocator = having(pool("p", "2001:db8::/64", "192.0.2.0/24"))
    assert allocator.capacity("p").total == MOST
    put(allocator, service("s"), "2001:db8::1")
    assert allocator.counters("p").available_ipv6 == MOST - 1
    assert allocator.counters("p").available_ipv4 == 256


class TestTwoFamilies:
    """All addresses of a Service are of one pool."""

    def test_required(self) -> None:
        """A Service that requires both gets both from one pool, in order IPv4, IPv6."""
        allocator = having(pool("p", "2001:db8::/127", "192.0.2.0/31"))
        for families in (BOTH, SIX_FIRST):
            name = families[0].value
            outcome = allocator.allocate(service(name, policy=_REQUIRE), families, 0.0)
            assert [":" in address for address in got(outcome)] == [False, True]

    def test_required_and_apart(self) -> None:
        """Two pools of one family each do not make a pair."""
        allocator = having(pool("four", "192.0.2.0/28"), pool("six", "2001:db8::/124"))
        outcome = allocator.allocate(service("s", policy=_REQUIRE), BOTH, 0.0)
        assert isinstance(outcome, Refused)
        assert "four: it has no IPv6 addresses" in outcome.sentence
        assert "six: it has no IPv4 addresses" in outcome.sentence

    def test_required_and_one_exhausted(self) -> None:
        """A pool that lacks one family gives the other to nobody who needs both."""
        allocator = having(pool("p", "192.0.2.0/31", "2001:db8::/128"))
        got(allocator.allocate(service("a", policy=_REQUIRE), BOTH, 0.0))
        refused(allocator.allocate(service("b", policy=_REQUIRE), BOTH, 0.0))
        assert allocator.counters("p").available_ipv4 == 1

    def test_preferred_takes_the_pool_with_both(self) -> None:
        """A later pool with both comes before an earlier one with one family."""
        allocator = having(
            pool("a", "192.0.2.0/31"), pool("dual", "198.51.100.0/31", "2001:db8::/127")
        )
        outcome = allocator.allocate(service("s", policy=_PREFER), BOTH, 0.0)
        assert got(outcome) == ("198.51.100.0", "2001:db8::")

    def test_preferred_and_pinned(self) -> None:
        """A pool pinned to the Service comes before an open one, even with one family."""
        pinned = ServiceAllocation(namespaces=("default",))
        allocator = having(
            pool("mine", "192.0.2.0/31", allocation=pinned),
            pool("dual", "198.51.100.0/31", "2001:db8::/127"),
        )
        assert got(allocator.allocate(service("s", policy=_PREFER), BOTH, 0.0)) == ("192.0.2.0",)

    @pytest.mark.parametrize(
        ("families", "address"), [(BOTH, "192.0.2.0"), (SIX_FIRST, "2001:db8::")]
    )
    def test_preferred_falls_back(self, families: tuple[Family, ...], address: str) -> None:
        """With no pair anywhere, the primary family decides."""
        allocator = having(pool("four", "192.0.2.0/28"), pool("six", "2001:db8::/124"))
        assert got(allocator.allocate(service("s", policy=_PREFER), families, 0.0)) == (address,)

    def test_preferred_falls_back_to_the_second(self) -> None:
        """With no pair and no address of the primary family, the other one is given."""
        allocator = having(pool("six", "2001:db8::/124"))
        assert got(allocator.allocate(service("s", policy=_PREFER), BOTH, 0.0)) == ("2001:db8::",)

    def test_preferred_is_completed(self) -> None:
        """The family that is missing is added from the same pool, and what there was stays."""
        allocator = having(pool("f", "192.0.2.0/28"))
        request = service("s", policy=_PREFER)
        put(allocator, request, "192.0.2.3")
        dual = pool("d", "198.51.100.0/28", "2001:db8:d::/124")
        allocator.set_pools([pool("f", "192.0.2.0/28"), dual], ())
        for _ in range(3):
            assert got(allocator.allocate(request, BOTH, 0.0)) == ("192.0.2.3",)
        allocator.set_pools([pool("f", "192.0.2.0/28", "2001:db8::/124"), dual], ())
        for _ in range(3):
            assert got(allocator.allocate(request, BOTH, 0.0)) == ("192.0.2.3", "2001:db8::")

    def test_preferred_with_one_cluster_address(self) -> None:
        """Who asks for one family gets one, whatever the policy, and keeps it: no toggling."""
        allocator = having(pool("d", "192.0.2.0/28", "2001:db8::/124"))
        for _ in range(3):
            outcome = allocator.allocate(service("s", policy=_PREFER), V4, 0.0)
            assert got(outcome) == ("192.0.2.0",)

    def test_tightened(self) -> None:
        """Requiring both where the pool has one refuses, and keeps what there is to release."""
        allocator = having(pool("f", "192.0.2.0/28"))
        put(allocator, service("s", policy=_PREFER), "192.0.2.0")
        sentence = refused(allocator.allocate(service("s", policy=_REQUIRE), BOTH, 0.0))
        assert "IPAddressPool f: it has no IPv6 addresses" in sentence
        assert allocator.addresses_of("default/s") == ("192.0.2.0",)

    def test_loosened_in_place(self) -> None:
        """Requiring both where the pool has room adds the missing one."""
        allocator = having(pool("f", "192.0.2.0/28", "2001:db8::/124"))
        put(allocator, service("s"), "192.0.2.7")
        outcome = allocator.allocate(service("s", policy=_REQUIRE), BOTH, 0.0)
        assert got(outcome) == ("192.0.2.7", "2001:db8::")
