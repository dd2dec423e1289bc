"""While MetalLB's controller still gives addresses, ours keeps account of them and writes none."""

from dataclasses import replace

import pytest

from bgpd.controller.books import Books
from bgpd.model.allocation import ServiceRequest
from tests.controller.build import World, pool, service

MARKED = pool("lab", "192.0.2.0/30", migrating=True)
FREE = replace(MARKED, migrating=False)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(service("web"), id="one that waits for an address"),
        pytest.param(service("web", "192.0.2.1"), id="one that has one"),
        pytest.param(service("web", "203.0.113.1"), id="one whose address is in no pool"),
        pytest.param(service("web", load_balancer_ip="192.0.2.2"), id="one that asks by name"),
        pytest.param(
            service("web", "192.0.2.1", load_balancer=False, pool_noted="lab"),
            id="one that is no balancer any more",
        ),
        pytest.param(service("web", "192.0.2.1", cluster_ips=()), id="one without a ClusterIP"),
    ],
)
def test_nothing_is_written_meanwhile(one: ServiceRequest) -> None:
    """Two controllers that write one status would take addresses from each other."""
    decision = World(MARKED).converge(one)
    assert not decision.differs
    assert decision.news == ()


def test_what_metallb_gave_is_kept_at_the_end() -> None:
    """The first thing that our controller does after the walk is nothing."""
    world = World(MARKED)
    given = [service(f"s{n}", f"192.0.2.{n}", pool_noted="lab") for n in range(4)]
    for one in given:
        assert not world.converge(one).differs
    world.set_pools(FREE)
    assert not any(world.converge(one).differs for one in given)


def test_an_address_that_metallb_moves_is_followed() -> None:
    """It may take one from a Service and give it to the next before we know of the first."""
    world = World(MARKED)
    world.converge(service("old", "192.0.2.1"))
    world.converge(service("old"))
    world.converge(service("new", "192.0.2.1"))
    assert world.allocator.addresses_of("default/new") == ("192.0.2.1",)
    world.set_pools(FREE)
    assert world.converge(service("old")).addresses == ("192.0.2.0",)
    assert not world.converge(service("new", "192.0.2.1", pool_noted="lab")).differs


def test_one_marked_pool_is_enough() -> None:
    """The mark goes from the pools one by one; what ends with the last ends everywhere at once."""
    world = World(MARKED, pool("other", "198.51.100.0/30"))
    assert not world.converge(service("web")).differs
    world.set_pools(FREE, pool("other", "198.51.100.0/30"))
    assert world.converge(service("web")).differs


def test_who_waited_meanwhile_is_decided_on_at_the_end() -> None:
    """Between the two controllers nobody gave addresses; the end changes nothing but the mark."""
    books = Books()
    books.configure((MARKED,), ())
    books.seen(service("web"), 0.0)
    decided = books.decide(0.0)
    assert decided is not None
    assert not decided.differs
    assert books.decide(0.0) is None
    books.configure((FREE,), ())
    decided = books.decide(1.0)
    assert decided is not None
    assert decided.addresses == ("192.0.2.0",)


def test_a_marked_pool_that_is_refused_counts() -> None:
    """Its addresses are another pool's as well; that MetalLB gives them is true all the same."""
    books = Books()
    books.configure((FREE, replace(MARKED, name="twin")), ())
    books.seen(service("web"), 0.0)
    decided = books.decide(0.0)
    assert decided is not None
    assert not decided.differs
