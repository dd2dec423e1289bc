"""What one Service gets, and what its owner is told."""

from dataclasses import replace

import pytest

from bgpd.controller.converge import Decision, adopt
from bgpd.model.allocation import FamilyPolicy, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from tests.controller.build import (
    BOTH,
    PREFER,
    REQUIRE,
    V4,
    V6,
    World,
    pinned,
    pool,
    said,
    service,
)

SMALL = pool("v4", "192.0.2.0/31")
POOLS = (
    SMALL,
    pool("v4manual", "198.51.100.6/32", auto_assign=False),
    pool("v6", "2001:db8::/127"),
    pool("dual", "192.0.2.128/31", "2001:db8:d::/127"),
    pinned("nsA10", "203.0.113.0/31", "a", priority=10),
    pinned("nsA11", "203.0.113.2/31", "a", priority=11),
    pinned("nsB0", "203.0.113.6/31", "b"),
)


def by(text: str) -> dict[str, str]:
    """Return the annotation that asks for addresses."""
    return {"addresses_wanted": text}


@pytest.mark.parametrize(
    ("one", "addresses", "reasons"),
    [
        pytest.param(
            service(), ["192.0.2.128"], {"IPAllocated": False}, id="the lowest of the first pool",
        ),
        pytest.param(
            service(load_balancer_ip="192.0.2.0", **by("192.0.2.1")), None,
            {"LoadBalancerFailed": True}, id="both ways to ask by name are refused",
        ),
        pytest.param(
            service(**by("not-an-address")), None, {"LoadBalancerFailed": True},
            id="what is no address is refused",
        ),
        pytest.param(
            service(**by("192.0.2.0,")), None, {"LoadBalancerFailed": True},
            id="an empty part is refused",
        ),
        pytest.param(
            service(**by("192.0.2.0,192.0.2.1")), None, {"LoadBalancerFailed": True},
            id="two addresses of one family are refused",
        ),
        pytest.param(
            service("web", "192.0.2.1", load_balancer_ip="192.0.2.77"), [],
            {"ClearAssignment": False, "AllocationFailed": True},
            id="an address that cannot be had costs the one that there was",
        ),
        pytest.param(
            service("web", "192.0.2.1", **by("nonsense")), ["192.0.2.1"],
            {"LoadBalancerFailed": True}, id="a misspelled wish takes nothing away",
        ),
        pytest.param(
            service(pool_wanted="v4"), ["192.0.2.0"], {"IPAllocated": False},
            id="from the pool that is named",
        ),
        pytest.param(
            service("web", "192.0.2.0", pool_wanted="v4manual"), ["198.51.100.6"],
            {"ClearAssignment": False, "IPAllocated": False}, id="naming a pool moves a Service",
        ),
        pytest.param(
            service(pool_wanted="nope"), [], {"AllocationFailed": True}, id="no such pool",
        ),
        pytest.param(
            service("web", "100.64.9.9"), ["192.0.2.128"],
            {"ClearAssignment": False, "IPAllocated": False},
            id="an address outside all pools is replaced",
        ),
        pytest.param(
            service(load_balancer_ip="198.51.100.6", local=True), ["198.51.100.6"],
            {"IPAllocated": False}, id="by name, from a pool that gives none by itself",
        ),
        pytest.param(service(cluster_ips=()), [], {}, id="without a ClusterIP it waits silently"),
        pytest.param(
            service(cluster_ips=("fd00::1",), load_balancer_ip="192.0.2.1"), [],
            {"AllocationFailed": True}, id="an address of the other family is refused",
        ),
        pytest.param(
            service("web", "192.0.2.0", "192.0.2.1", "192.0.2.2"), ["192.0.2.0"],
            {"nolbIPsIPFamily": True}, id="a nonsensical status is repaired, and the first stays",
        ),
        pytest.param(
            service(namespace="a"), ["203.0.113.0"], {"IPAllocated": False},
            id="pools pinned to the namespace come first, by priority",
        ),
        pytest.param(
            service(pool_wanted="nsA10"), [], {"AllocationFailed": True},
            id="naming a pool does not bypass its namespaces",
        ),
        pytest.param(
            service(cluster_ips=BOTH, family_policy=PREFER), ["192.0.2.128", "2001:db8:d::"],
            {"IPAllocated": False}, id="prefer: a pool that has both",
        ),
        pytest.param(
            service(namespace="a", family_policy=PREFER), ["203.0.113.0"],
            {"IPAllocated": False}, id="prefer: one ClusterIP means one address",
        ),
        pytest.param(
            service(cluster_ips=BOTH, family_policy=PREFER, pool_wanted="v4"), ["192.0.2.0"],
            {"IPAllocated": False}, id="prefer: one address where the pool has one family",
        ),
        pytest.param(
            service(**by("192.0.2.128,2001:db8:d::")), [], {"AllocationFailed": True},
            id="two families for a Service of one are refused",
        ),
        pytest.param(
            service("web", "192.0.2.0", family_policy=REQUIRE), [],
            {"not enough clusterips": True}, id="require: one ClusterIP is not enough",
        ),
        pytest.param(
            service(cluster_ips=("10.96.0.1", "10.96.0.2")), None,
            {"noclusterIPsIPFamily": True}, id="ClusterIPs that make no sense change nothing",
        ),
        pytest.param(
            service(deprecated=("metallb.universe.tf/address-pool",), pool_wanted="v4"),
            ["192.0.2.0"], {"deprecatedAnnotation": True, "IPAllocated": False},
            id="a deprecated annotation works, and is told",
        ),
    ],
)  # fmt: skip
def test_a_service_gets(
    one: ServiceRequest, addresses: list[str] | None, reasons: dict[str, bool]
) -> None:
    """Each request has its outcome and its Events."""
    world = World(*POOLS)
    found = world.converge(one)
    assert found.addresses == (None if addresses is None else tuple(addresses))
    assert said(found) == reasons


def shown(decision: Decision) -> ServiceRequest:
    """Return the Service once the decision is written."""
    assert decision.addresses is not None
    return replace(
        decision.request,
        ingress=decision.addresses,
        ingress_modes=("VIP",) * len(decision.addresses),
        pool_noted=decision.pool,
        kept=decision.kept,
    )


@pytest.mark.parametrize(
    "one",
    [
        service(),
        service(cluster_ips=BOTH, family_policy=PREFER),
        service(cluster_ips=BOTH, family_policy=PREFER, pool_wanted="v4"),
        service(family_policy=PREFER),
        service("web", "100.64.9.9"),
        service("web", "192.0.2.0", "192.0.2.1"),
        service(**by("192.0.2.77")),
    ],
    ids=lambda one: " ".join((*one.ingress, one.family_policy, one.pool_wanted)),
)
def test_what_is_written_is_not_written_again(one: ServiceRequest) -> None:
    """Deciding on one's own document changes nothing: no set of addresses ever toggles."""
    world = World(*POOLS)
    first = world.converge(one)
    again = world.converge(shown(first))
    assert not again.differs
    assert not again.freed
    assert again.addresses == first.addresses


def test_without_pools_nothing_is_touched() -> None:
    """A configuration that is not there yet is no reason to take an address away."""
    found = World().converge(service("web", "192.0.2.1", pool_noted="gone"))
    assert found.addresses is None
    assert not found.news


def test_what_is_on_its_way_is_not_given_anew() -> None:
    """A Service that changes before its status is written keeps the address that it is to get."""
    world = World(SMALL)
    world.converge(service("other"))
    first = world.converge(service())
    world.allocator.release("default/other", 0.0)
    again = world.converge(service(labels={"a": "b"}))
    assert again.addresses == first.addresses == ("192.0.2.1",)
    assert not again.news


def test_a_service_of_another_class_is_nobodys_business() -> None:
    """Neither is it given an address nor does it keep one of ours."""
    world = World(SMALL)
    world.holds(service("web", "192.0.2.0"))
    found = world.converge(service("web", "192.0.2.0", load_balancer_class="other"))
    assert found.addresses is None
    assert found.freed
    assert world.converge(service("x", load_balancer_class="c"), "c").addresses == ("192.0.2.0",)
    assert world.converge(service("y"), "c").addresses is None


def test_a_service_that_is_no_load_balancer_any_more_gives_its_address_back() -> None:
    """So that others can have it; a status that was never ours is left alone."""
    world = World(SMALL)
    world.holds(service("web", "192.0.2.1"))
    found = world.converge(service("web", "192.0.2.1", load_balancer=False))
    assert found.addresses == ()
    assert found.freed
    assert world.converge(service("x", "192.0.2.1", load_balancer=False)).addresses is None


def test_a_service_moves_when_its_pool_goes_and_another_has_room() -> None:
    """It ends up with an address that is routed."""
    world = World(pool("d", "192.0.2.0/24"), pool("e", "198.51.100.0/24"))
    one = service("web", "192.0.2.0", pool_noted="d")
    world.holds(one)
    world.set_pools(pool("e", "198.51.100.0/24"))
    found = world.converge(one)
    assert found.addresses == ("198.51.100.0",)
    assert found.pool == "e"


def test_a_service_whose_pool_shrank_keeps_its_address_while_there_is_no_other() -> None:
    """Giving it up would help nobody; a condition and an Event say so, until there is room."""
    world = World(pool("d", "192.0.2.0/31"))
    world.holds(service("other", "192.0.2.0"))
    one = service("web", "192.0.2.1", pool_noted="d")
    world.holds(one)
    world.set_pools(pool("d", "192.0.2.0/32"))
    found = world.converge(one)
    assert (found.addresses, found.kept, found.pending) == (("192.0.2.1",), True, True)
    assert said(found) == {"AddressOutsidePools": True}
    assert "IPAddressPool d" in found.why_kept
    kept = shown(found)
    assert not world.converge(kept).differs
    world.allocator.release("default/other", 0.0)
    moved = world.converge(kept)
    assert (moved.addresses, moved.kept) == (("192.0.2.0",), False)
    assert moved.differs


def test_a_pool_that_comes_back_finds_its_services_where_they_were() -> None:
    """Nobody was given the address in the meantime."""
    world = World(pool("d", "192.0.2.0/32"))
    one = service("web", "192.0.2.0", pool_noted="d")
    world.holds(one)
    world.set_pools(pool("e", "2001:db8::/128"))
    kept = shown(world.converge(one))
    world.set_pools(pool("d", "192.0.2.0/32"))
    found = world.converge(kept)
    assert (found.addresses, found.pool, found.kept) == (("192.0.2.0",), "d", False)


def test_a_family_is_added_from_the_same_pool() -> None:
    """The address that there is stays, and a Service never jumps pools to gain a family."""
    one = service("web", "192.0.2.0", cluster_ips=BOTH, family_policy=PREFER, pool_noted="f")
    world = World(pool("f", "192.0.2.0/28"))
    world.holds(one)
    assert world.converge(one).pending
    world.set_pools(pool("f", "192.0.2.0/28"), pool("d", "198.51.100.0/28", "2001:db8:1::/124"))
    assert world.converge(one).addresses == ("192.0.2.0",)
    world.set_pools(pool("f", "192.0.2.0/28", "2001:db8::/124"))
    assert world.converge(one).addresses == ("192.0.2.0", "2001:db8::")


@pytest.mark.parametrize("policy", [PREFER, REQUIRE])
def test_what_is_legal_stays_when_the_other_family_is_renumbered(policy: FamilyPolicy) -> None:
    """Only the address whose block went is another one, though a lower one is free beside it."""
    world = World(pool("d", "192.0.2.0/29", "2001:db8::/124"))
    one = service("web", "192.0.2.3", "2001:db8::3", cluster_ips=BOTH, family_policy=policy)
    world.holds(one)
    world.set_pools(pool("d", "192.0.2.0/29", "2001:db8:1::/124"))
    found = world.converge(one)
    assert (found.addresses, found.kept) == (("192.0.2.3", "2001:db8:1::"), False)
    assert "2001:db8::3 cannot be kept" in found.news[0].note


@pytest.mark.parametrize("policy", [PREFER, REQUIRE])
def test_a_block_that_goes_takes_no_address_of_the_other_family(policy: FamilyPolicy) -> None:
    """What is in no pool stays until there is another one, and what works goes on working."""
    whole = pool("d", "192.0.2.0/29", "2001:db8::/124")
    world = World(whole)
    one = service("web", "192.0.2.3", "2001:db8::3", cluster_ips=BOTH, family_policy=policy)
    world.holds(replace(one, pool_noted="d"))
    world.set_pools(pool("d", "192.0.2.0/29"))
    found = world.converge(replace(one, pool_noted="d"))
    assert (found.addresses, found.pool, found.kept) == (one.ingress, "d", True)
    assert said(found) == {"AddressOutsidePools": True}
    assert found.why_kept.startswith("2001:db8::3 is in no pool")
    assert world.converge(service("other", load_balancer_ip="192.0.2.3")).addresses == ()
    kept = shown(found)
    assert not world.converge(kept).differs
    world.set_pools(whole)
    back = world.converge(kept)
    assert (back.addresses, back.kept) == (one.ingress, False)
    assert said(back) == {}


def test_a_restart_gives_to_nobody_what_is_legal_of_a_service_that_must_lose_something() -> None:
    """The block of one family went while no controller ran; another Service wants the rest."""
    world = World(pool("d", "192.0.2.3/32"))
    one = service("web", "192.0.2.3", "2001:db8::3", cluster_ips=BOTH, family_policy=PREFER)
    assert not adopt(one, world.allocator, 0.0)
    assert world.converge(service("early")).addresses == ()
    assert world.converge(one).addresses == one.ingress


def test_of_two_addresses_that_come_to_be_of_two_pools_the_primary_stays() -> None:
    """A Service never has addresses of two pools."""
    world = World(pool("d", "192.0.2.0/29", "2001:db8::/124"))
    one = service(
        "web", "192.0.2.3", "2001:db8::3", cluster_ips=BOTH, family_policy=PREFER,
        ip_families=(V6, V4),
    )  # fmt: skip
    world.holds(one)
    world.set_pools(pool("d", "192.0.2.0/29"), pool("e", "2001:db8::/124"))
    found = world.converge(one)
    assert (found.addresses, found.pool, found.pending) == (("2001:db8::3",), "e", True)


def test_a_policy_that_asks_for_both_releases_one_that_has_no_partner() -> None:
    """As with MetalLB: the Service said that one alone will not do."""
    world = World(pool("f", "192.0.2.0/28"))
    one = service("web", "192.0.2.0", cluster_ips=BOTH, family_policy=REQUIRE)
    world.holds(one)
    found = world.converge(one)
    assert found.addresses == ()
    assert said(found) == {"ClearAssignment": False, "AllocationFailed": True}


def test_a_note_of_metallbs_is_left_in_place() -> None:
    """A Service that MetalLB gave its address is adopted without a single write."""
    world = World(SMALL)
    assert not world.converge(service("web", "192.0.2.1", pool_noted="v4")).differs


def test_a_mode_that_does_not_fit_is_corrected() -> None:
    """Packets arrive with the elastic IP as their destination, so the mode is VIP."""
    world = World(SMALL)
    proxy = service("web", "192.0.2.1", pool_noted="v4", ingress_modes=("Proxy",))
    assert world.converge(proxy).differs


def test_a_refusal_names_every_pool_that_was_tried() -> None:
    """Whoever waits for an address reads why each pool has none for him."""
    pools: tuple[IPAddressPool, ...] = (pool("x", "192.0.2.0/32"), pinned("y", "192.0.2.1/32", "b"))
    world = World(*pools)
    world.holds(service("one", "192.0.2.0"))
    found = world.converge(service())
    note = next(one.note for one in found.news)
    assert "IPAddressPool x" in note
    assert "IPAddressPool y" in note


def test_the_one_of_two_sharers_that_changes_loses_the_address() -> None:
    """And a Service that becomes compatible again can join."""
    world = World(pool("one", "192.0.2.7/32"))
    ports = (
        frozenset({ServicePort(protocol="TCP", number=80)}),
        frozenset({ServicePort(protocol="TCP", number=81)}),
    )
    a = service("a", "192.0.2.7", sharing_key="k", ports=ports[0], selector={"app": "x"})
    b = service("b", "192.0.2.7", sharing_key="k", ports=ports[1], selector={"app": "x"})
    world.holds(a)
    world.holds(b)
    assert world.converge(replace(b, local=True)).addresses == ()
    assert world.converge(a).addresses == ("192.0.2.7",)
    assert world.converge(replace(b, ingress=())).addresses == ("192.0.2.7",)
