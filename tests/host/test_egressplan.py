"""Facts about which default routes a host should have while routers are down."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.host import defaultroute, wire
from bgpd.host.defaultroute import PROTOCOL, DefaultRoute, Key, NextHop
from bgpd.host.egressplan import Memory, Plan, Way, plan
from bgpd.model.prefix import Address

ONE, TWO, THREE = Address("10.0.0.2"), Address("10.0.1.2"), Address("10.0.2.2")
SIX = Address("fd00::2")
STATIC, ZEBRA, DHCP = 4, 11, 16


def route(*gateways: Address | None, metric: int = 0, protocol: int = STATIC) -> DefaultRoute:
    """Return a default route with an interface for each of *gateways*."""
    hops = [NextHop(1 + (ONE, TWO, THREE, SIX, None).index(one), one) for one in gateways]
    family = wire.AF_INET6 if SIX in gateways else wire.AF_INET
    return DefaultRoute(family=family, metric=metric, protocol=protocol, hops=tuple(hops))


def ours(*gateways: Address, metric: int = 0) -> DefaultRoute:
    """Return what we would put there."""
    return route(*gateways, metric=metric, protocol=PROTOCOL)


def remembering(*originals: DefaultRoute) -> Memory:
    """Return a memory of *originals*."""
    return Memory(originals={one.key: one for one in originals})


def dark(*interfaces: int) -> frozenset[Way]:
    """Return interfaces by which nothing of IPv4 can leave."""
    return frozenset((wire.AF_INET, one) for one in interfaces)


def down(*routers: Address) -> frozenset[Address]:
    """Return routers that are down."""
    return frozenset(routers)


@pytest.mark.parametrize(
    ("present", "routers", "wanted"),
    [
        pytest.param([route(ONE, TWO)], down(), [], id="nothing is down, nothing is done"),
        pytest.param([route(ONE, TWO)], down(ONE), [ours(TWO)], id="the dead next hop goes"),
        pytest.param([route(ONE, TWO)], down(THREE), [], id="a router that is no next hop"),
        pytest.param([route(ONE, TWO)], down(ONE, TWO), [], id="never the last one"),
        pytest.param([route(ONE)], down(ONE), [], id="not the only one either"),
        pytest.param(
            [route(ONE, metric=100), route(TWO, metric=200)],
            down(ONE),
            [ours(TWO, metric=100)],
            id="the better route borrows the way of the next one",
        ),
        pytest.param(
            [route(ONE, metric=100), route(TWO, metric=200), route(THREE, metric=300)],
            down(ONE, TWO),
            [ours(THREE, metric=100), ours(THREE, metric=200)],
            id="or of the one after that",
        ),
        pytest.param(
            [route(ONE, metric=100), route(TWO, metric=200)],
            down(TWO),
            [],
            id="a worse route does not borrow from a better one",
        ),
        pytest.param(
            [route(ONE), route(SIX, metric=1024)],
            down(ONE),
            [],
            id="nobody borrows from the other family",
        ),
        pytest.param(
            [route(ONE, None)],
            down(ONE),
            [replace(route(None), protocol=PROTOCOL)],
            id="a way without a router is never down",
        ),
        pytest.param(
            [route(ONE, TWO, protocol=DHCP)], down(ONE), [ours(TWO)], id="what DHCP has said"
        ),
    ],
)
def test_plans(
    present: list[DefaultRoute], routers: frozenset[Address], wanted: list[DefaultRoute]
) -> None:
    """The routes that are replaced, and by what."""
    assert list(plan(present, Memory(), routers).replace) == wanted


@pytest.mark.parametrize(
    ("present", "why"),
    [
        pytest.param([route(ONE, TWO, protocol=ZEBRA)], "proto 11", id="a routing daemon's"),
        pytest.param(
            [replace(route(ONE, TWO), unknown=(30,))], "not understood", id="one with a secret"
        ),
        pytest.param([route(ONE, TWO), route(ONE, THREE)], "two of the same", id="two alike"),
    ],
)
def test_routes_that_are_left_alone(present: list[DefaultRoute], why: str) -> None:
    """What could not be put back as it was is not touched, and a person reads why."""
    planned = plan(present, Memory(), down(ONE))
    assert not planned.replace
    assert why in planned.left_alone[0]


def test_a_router_that_is_back_gets_its_traffic_back() -> None:
    """The original route is put there again, and then forgotten."""
    original = route(ONE, TWO)
    planned = plan([ours(TWO)], remembering(original), down())
    assert planned.replace == (original,)
    assert plan([original], planned.memory, down()) == Plan()


def test_another_router_down_starts_from_the_original() -> None:
    """What was taken away for the first is there for the second."""
    original = route(ONE, TWO)
    planned = plan([ours(TWO)], remembering(original), down(TWO))
    assert planned.replace == (ours(ONE),)
    assert planned.memory == remembering(original)


def test_a_crash_between_remembering_and_replacing_changes_nothing() -> None:
    """The memory names a route that is still there."""
    original = route(ONE, TWO)
    assert plan([original], remembering(original), down()) == Plan()
    assert plan([original], remembering(original), down(ONE)).replace == (ours(TWO),)


def test_somebody_elses_change_wins() -> None:
    """It is said once, and left alone until a router changes."""
    original, theirs = route(ONE, TWO), route(ONE, THREE, protocol=DHCP)
    planned = plan([theirs], remembering(original), down(ONE))
    assert (planned.replace, planned.memory.originals) == ((), {})
    assert "somebody changed the IPv4 default route" in planned.reports[0]
    again = plan([theirs], planned.memory, down(ONE))
    assert (again.replace, again.reports) == ((), ())
    later = plan([theirs], again.memory, down(ONE, TWO))
    assert later.replace == (ours(THREE),)
    assert later.memory == remembering(theirs)


def test_a_route_that_somebody_removed_is_not_put_back() -> None:
    """They had their reasons; when it comes back it is a new one."""
    planned = plan([], remembering(route(ONE, TWO)), down())
    assert (planned.replace, planned.memory) == ((), Memory())
    assert "not put back" in planned.reports[0]
    assert plan([route(ONE, TWO)], planned.memory, down(ONE)).replace == (ours(TWO),)


def test_what_the_kernel_takes_with_an_interface_is_put_back_on_another() -> None:
    """The original would have lived on; somebody who removes a route has set nothing down."""
    original = route(ONE, TWO)
    moved = plan([original], Memory(), down(ONE))
    assert moved.replace == (ours(TWO),)
    taken = plan([], moved.memory, down(ONE), dark=dark(2))
    assert (taken.add, taken.replace, taken.reports) == ((ours(ONE),), (), ())
    assert taken.memory == remembering(original)
    lit = plan(taken.add, taken.memory, down())
    assert (lit.replace, lit.memory.originals) == ((original,), remembering(original).originals)
    for them in ((), (1,), (1, 2)):
        gone = plan([], moved.memory, down(ONE), dark=dark(*them))
        assert (gone.add, gone.memory.originals) == ((), {})
        assert "not put back" in gone.reports[0]


def test_no_route_is_moved_to_an_interface_that_is_down() -> None:
    """The kernel would refuse it, and with it all that comes after."""
    present = [route(ONE, TWO), route(THREE, metric=5)]
    assert plan(present, Memory(), down(ONE), dark=dark(2)).replace == (ours(THREE),)
    assert plan(present, Memory(), down(), dark=dark(2)) == Plan()


def test_a_next_hop_that_is_alone_has_no_weight() -> None:
    """The kernel keeps none, and what is read must be what was written."""
    heavy = replace(route(ONE, TWO), hops=(NextHop(1, ONE, 5), NextHop(2, TWO, 3)))
    planned = plan([heavy], Memory(), down(ONE))
    assert planned.replace == (ours(TWO),)
    assert plan(planned.replace, planned.memory, down(ONE)).replace == ()


gateways = st.sampled_from([ONE, TWO, THREE])
routes = st.lists(
    st.builds(
        lambda ways, metric, protocol: route(*sorted(ways), metric=metric, protocol=protocol),
        st.sets(gateways, min_size=1),
        st.integers(0, 3),
        st.sampled_from([STATIC, DHCP, ZEBRA]),
    ),
    max_size=4,
    unique_by=lambda one: one.metric,
)


@given(routes, st.lists(st.frozensets(gateways), max_size=5))
def test_any_history_ends_where_it_began(
    originals: list[DefaultRoute], history: list[frozenset[Address]]
) -> None:
    """Whatever dies and lives: a route uses the living routers that it knows, and loses none."""
    present, memory = {one.key: one for one in originals}, Memory()
    for dead in [*history, down()]:
        planned = plan(present.values(), memory, dead)
        assert not planned.reports
        present |= {one.key: one for one in planned.replace}
        memory = planned.memory
        settled = plan(present.values(), memory, dead)
        assert settled.replace == ()
        memory = settled.memory
        for before in originals:
            now = present[before.key]
            alive = {hop.gateway for hop in before.hops} - dead
            assert now.hops
            if alive and before.protocol != ZEBRA:
                assert {hop.gateway for hop in now.hops} == alive
    assert sorted(present.values(), key=str) == sorted(originals, key=str)
    assert memory == Memory()


@given(
    routes,
    st.lists(st.tuples(st.frozensets(gateways), st.frozensets(st.integers(1, 3))), max_size=6),
)
def test_no_default_route_is_lost_that_the_host_alone_would_have_kept(
    originals: list[DefaultRoute], history: list[tuple[frozenset[Address], frozenset[int]]]
) -> None:
    """Whatever routers die and interfaces are set down; and in the end all is back."""

    def alive(there: dict[Key, DefaultRoute], off: frozenset[int]) -> dict[Key, DefaultRoute]:
        """Return what a kernel keeps: routes with a hop that is not off."""
        return {
            key: one
            for key, one in there.items()
            if any(hop.interface not in off for hop in one.hops)
        }

    alone = {one.key: one for one in originals}
    present, memory = dict(alone), Memory()
    for dead, off in [*history, (down(), frozenset[int]())]:
        alone, present = alive(alone, off), alive(present, off)
        for _ in range(2):
            planned = plan(present.values(), memory, dead, dark(*off))
            present |= {one.key: one for one in (*planned.replace, *planned.add)}
            changed = (*planned.replace, *planned.add)
            assert not any(hop.interface in off for one in changed for hop in one.hops)
            memory = planned.memory
        settled = plan(present.values(), memory, dead, dark(*off))
        assert (settled.replace, settled.add, settled.memory) == ((), (), memory)
        assert alone.keys() <= present.keys()
    assert all(present[key] == one for key, one in alone.items())
    assert memory == Memory()


addresses = st.sampled_from([ONE, TWO, SIX, Address("fe80::1"), None])
hops = st.builds(
    NextHop,
    interface=st.integers(1, 9),
    gateway=addresses,
    weight=st.integers(1, 256),
    onlink=st.booleans(),
)


@given(
    st.lists(hops, min_size=1, max_size=4, unique_by=lambda hop: hop[:2]),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=8),
    st.sampled_from([None, ONE]),
)
def test_a_route_comes_out_as_it_went_in(
    ways: list[NextHop], metric: int, settings: bytes, source: Address | None
) -> None:
    """What is put back is what was there."""
    if len(ways) == 1:
        ways = [ways[0]._replace(weight=1)]
    family = wire.AF_INET6 if any(":" in (hop.gateway or "") for hop in ways) else wire.AF_INET
    before = DefaultRoute(
        family=family,
        metric=metric,
        protocol=STATIC,
        hops=tuple(sorted(ways, key=lambda hop: (hop.interface, hop.gateway or "", hop.weight))),
        source=source,
        settings=settings.hex(),
        preference=1 if family == wire.AF_INET6 else 0,
    )
    assert defaultroute.decode(defaultroute.encode(before)) == before


def test_only_default_routes_of_the_main_table_are_read() -> None:
    """Another table, a narrower route or one that swallows is nobody's default route."""
    body = defaultroute.encode(route(ONE))
    assert defaultroute.decode(body) is not None
    for offset, value in ((1, 8), (7, 6)):
        changed = bytearray(body)
        changed[offset] = value
        assert defaultroute.decode(bytes(changed)) is None
    assert defaultroute.decode(body + wire.attribute(15, wire.numbered(100))) is None


def test_a_route_that_expires_or_is_strange_says_so() -> None:
    """It could not be put back as it was."""
    body = defaultroute.encode(route(SIX))
    cache = wire.attribute(12, bytes(8) + wire.numbered(1799) + bytes(20))
    for extra, unknown in ((cache, (12,)), (wire.attribute(30, wire.numbered(1)), (30,))):
        found = defaultroute.decode(body + extra)
        assert found is not None
        assert found.unknown == unknown
