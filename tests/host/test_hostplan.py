"""Facts about what is changed on a host: all that is wanted, and nothing that is not ours."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.host.defaultroute import NextHop
from bgpd.host.hostplan import (
    NOTHING,
    AddAddress,
    AddInterface,
    AddRoute,
    Change,
    HostPlan,
    RaiseInterface,
    RemoveAddress,
    RemoveInterface,
    RemoveRoute,
    changes,
)
from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import GROUP, INTERFACE, LABEL, HostAddress, Interface, Inventory
from bgpd.model.prefix import Address, Prefix

LO, ETH0, OURS, IMPOSTOR = 1, 2, 9, 10
LOOPBACK = Interface(index=LO, name="lo", loopback=True)
UPLINK = Interface(index=ETH0, name="eth0")
BRIDGE = Interface(index=OURS, name=INTERFACE, kind="bridge", group=GROUP)
EIPS = [Address(text) for text in ("203.0.113.7", "203.0.113.8", "2001:db8::7")]
PEERS = [Prefix(text) for text in ("169.254.255.1/32", "169.254.255.2/32", "2001:db8:ff::1/128")]


def route(destination: Prefix = PEERS[0], gateway: str = "10.0.0.2") -> HostRoute:
    """Return a host route."""
    return HostRoute(destination=destination, hops=(NextHop(ETH0, Address(gateway)),))


def host(
    *interfaces: Interface, addresses: Iterable[HostAddress] = (), **more: object
) -> Inventory:
    """Return a host with a loopback, an uplink and *interfaces*."""
    every = (LOOPBACK, UPLINK, *interfaces)
    own = HostAddress(address=Address("10.0.0.1"), length=24, interface=ETH0)
    found = Inventory(interfaces={one.index: one for one in every}, addresses=(own, *addresses))
    return replace(found, **more)  # type: ignore[arg-type]


def eip(address: Address, interface: int = OURS, **more: object) -> HostAddress:
    """Return an elastic IP on an interface."""
    length = 128 if ":" in address else 32
    one = HostAddress(address=address, length=length, interface=interface)
    return replace(one, **more)  # type: ignore[arg-type]


BOUND = HostPlan(addresses=frozenset(EIPS[:1]), interface=True)


@pytest.mark.parametrize(
    ("plan", "present", "wanted"),
    [
        pytest.param(
            HostPlan(routes=frozenset({route()})),
            host(),
            (AddRoute(route()),),
            id="a route that is not there is added",
        ),
        pytest.param(
            HostPlan(routes=frozenset({route()})),
            host(routes=frozenset({route()})),
            (),
            id="what an agent before us left is taken over as it is",
        ),
        pytest.param(
            HostPlan(routes=frozenset({route()})),
            host(routes=frozenset({route(gateway="10.0.0.3")})),
            (RemoveRoute(route(gateway="10.0.0.3")), AddRoute(route())),
            id="another gateway is a removal and an addition, never a replacement in place",
        ),
        pytest.param(
            NOTHING,
            host(routes=frozenset({route()})),
            (RemoveRoute(route()),),
            id="a route that nobody wants is removed",
        ),
        pytest.param(
            HostPlan(keep=True),
            host(BRIDGE, routes=frozenset({route()}), addresses=[eip(EIPS[0])]),
            (),
            id="while not everything is decided on, nothing is removed",
        ),
        pytest.param(
            HostPlan(routes=frozenset({route()}), keep=True),
            host(routes=frozenset({route(gateway="10.0.0.3")})),
            (RemoveRoute(route(gateway="10.0.0.3")), AddRoute(route())),
            id="but a route to the same peer is brought up to date",
        ),
        pytest.param(
            HostPlan(routes=frozenset({route()})),
            host(others={PEERS[0]: (NextHop(ETH0, Address("10.0.0.9")),)}),
            (),
            id="where somebody else has a route, ours is not added",
        ),
        pytest.param(
            HostPlan(routes=frozenset({route()})),
            host(
                others={PEERS[0]: (NextHop(ETH0, Address("10.0.0.9")),)},
                routes=frozenset({route()}),
            ),
            (RemoveRoute(route()),),
            id="ours gives way to a route that somebody adds",
        ),
        pytest.param(
            BOUND,
            host(),
            (AddInterface(), AddAddress(EIPS[0], INTERFACE)),
            id="an interface is made before its addresses",
        ),
        pytest.param(
            BOUND,
            host(replace(BRIDGE, up=False)),
            (RaiseInterface(OURS), AddAddress(EIPS[0], INTERFACE)),
            id="our interface is set up where somebody set it down",
        ),
        pytest.param(
            BOUND,
            host(BRIDGE, addresses=[eip(EIPS[1])]),
            (RemoveAddress(EIPS[1], OURS, 32), AddAddress(EIPS[0], INTERFACE)),
            id="an elastic IP that went to another node is taken off",
        ),
        pytest.param(
            HostPlan(interface=True),
            host(BRIDGE),
            (),
            id="our interface stays while a pool may need it",
        ),
        pytest.param(
            NOTHING,
            host(BRIDGE, addresses=[eip(EIPS[0])]),
            (RemoveInterface(OURS),),
            id="the interface takes its addresses along",
        ),
        pytest.param(
            BOUND,
            host(Interface(index=IMPOSTOR, name=INTERFACE, kind="bridge")),
            (),
            id="an interface of our name that we have not made is left alone",
        ),
        pytest.param(
            NOTHING,
            host(
                Interface(index=IMPOSTOR, name=INTERFACE, kind="vlan", group=GROUP),
                addresses=[eip(EIPS[0], IMPOSTOR)],
            ),
            (),
            id="so is one of a kind that we never make",
        ),
        pytest.param(
            BOUND,
            host(addresses=[eip(EIPS[0], ETH0)]),
            (AddInterface(),),
            id="an address that the host has elsewhere is not bound twice",
        ),
        pytest.param(
            BOUND,
            host(BRIDGE, addresses=[eip(EIPS[0]), eip(EIPS[0], LO)]),
            (RemoveAddress(EIPS[0], OURS, 32),),
            id="ours gives way to an address that somebody adds elsewhere",
        ),
        pytest.param(
            replace(BOUND, loopback=True),
            host(),
            (AddAddress(EIPS[0], "lo"),),
            id="without dummy and bridge it is the loopback",
        ),
        pytest.param(
            replace(BOUND, loopback=True, addresses=frozenset()),
            host(addresses=[eip(EIPS[0], LO, label=LABEL), eip(EIPS[1], LO)]),
            (RemoveAddress(EIPS[0], LO, 32),),
            id="on the loopback only what bears our mark is ours",
        ),
        pytest.param(
            BOUND,
            host(addresses=[eip(EIPS[0], LO, label=LABEL)]),
            (RemoveAddress(EIPS[0], LO, 32), AddInterface(), AddAddress(EIPS[0], INTERFACE)),
            id="a kernel that got dummy meanwhile is made use of",
        ),
    ],
)
def test_changes(plan: HostPlan, present: Inventory, wanted: tuple[Change, ...]) -> None:
    """Each plan and host, and the changes in between."""
    assert changes(plan, present) == wanted


routes = st.sampled_from(
    [route(peer, gateway) for peer in PEERS for gateway in ("10.0.0.2", "::2")]
)
hops = st.just((NextHop(ETH0, Address("10.0.0.9")),))
interfaces = st.sampled_from(
    [
        None,
        BRIDGE,
        replace(BRIDGE, kind="dummy", up=False),
        replace(BRIDGE, group=0),
        replace(BRIDGE, kind="vlan"),
        replace(BRIDGE, name="bgpd1"),
    ]
)
marks: list[dict[str, object]] = [
    {},
    {"label": LABEL},
    {"protocol": 179},
    {"length": 24},
    {"label": "lo"},
    {"protocol": 4},
]
held = st.builds(
    lambda address, interface, mark: eip(address, interface, **mark),
    st.sampled_from(EIPS),
    st.sampled_from([LO, ETH0, OURS]),
    st.sampled_from(marks),
)
plans = st.builds(
    HostPlan,
    routes=st.frozensets(routes, max_size=3).filter(
        lambda found: len({one.destination for one in found}) == len(found)
    ),
    addresses=st.frozensets(st.sampled_from(EIPS)),
    interface=st.booleans(),
    loopback=st.booleans(),
    keep=st.booleans(),
)


@st.composite
def hosts(draw: st.DrawFn) -> Inventory:
    """Draw a host with things of ours, of others, and lookalikes."""
    extra = draw(interfaces)
    by_place = draw(st.lists(held, max_size=6, unique_by=lambda one: (one.address, one.interface)))
    return host(
        *([] if extra is None else [extra]),
        addresses=by_place,
        routes=draw(st.frozensets(routes, max_size=4)),
        others=draw(st.dictionaries(st.sampled_from(PEERS), hops, max_size=2)),
    )


def carried_out(todo: Iterable[Change], present: Inventory) -> Inventory:
    """Return the host after *todo*, as the kernel would have it; fail at what it would refuse."""
    ours = set(present.routes)
    links = dict(present.interfaces)
    addresses = list(present.addresses)
    for change in todo:
        match change:
            case AddRoute(one):
                assert one not in ours
                ours.add(one)
            case RemoveRoute(one):
                ours.remove(one)
            case AddInterface():
                assert INTERFACE not in {one.name for one in links.values()}
                new = max(links) + 1
                links[new] = replace(BRIDGE, index=new)
            case RaiseInterface(index):
                links[index] = replace(links[index], up=True)
            case RemoveInterface(index):
                del links[index]
                addresses = [one for one in addresses if one.interface != index]
            case AddAddress(address, "lo"):
                addresses.append(eip(address, LO, label=LABEL, protocol=179))
            case AddAddress(address, _):
                (index,) = [one.index for one in links.values() if one.name == INTERFACE]
                addresses.append(eip(address, index))
            case RemoveAddress(address, index, length):
                (gone,) = [
                    one
                    for one in addresses
                    if (one.address, one.interface, one.length) == (address, index, length)
                ]
                addresses.remove(gone)
    return replace(present, routes=frozenset(ours), interfaces=links, addresses=tuple(addresses))


@given(plan=plans, present=hosts())
def test_what_was_changed_needs_no_change(plan: HostPlan, present: Inventory) -> None:
    """One round is enough, and the next finds nothing to do."""
    after = carried_out(changes(plan, present), present)
    assert changes(plan, after) == ()


@given(plan=plans, present=hosts())
def test_nothing_of_others_is_touched(plan: HostPlan, present: Inventory) -> None:
    """What bears no mark of ours, and is not on our interface, is there as it was before."""
    after = carried_out(changes(plan, present), present)
    assert after.others == present.others
    ours = present.ours.index if present.ours is not None else None
    theirs = [
        one for one in present.addresses if one not in present.bound and one.interface != ours
    ]
    assert [one for one in after.addresses if one in theirs] == theirs
    strangers = {index: one for index, one in present.interfaces.items() if one != present.ours}
    assert strangers.items() <= after.interfaces.items()


@given(present=hosts())
def test_a_cleanup_leaves_nothing_of_ours(present: Inventory) -> None:
    """Whatever was there, with the empty plan all of it goes."""
    after = carried_out(changes(NOTHING, present), present)
    assert not after.touched


@given(plan=plans, present=hosts())
def test_what_is_not_known_is_not_removed(plan: HostPlan, present: Inventory) -> None:
    """While decisions are missing, no route of another peer and no elastic IP is lost."""
    todo = changes(replace(plan, keep=True), present)
    wanted = {one.destination for one in plan.routes}
    assert not [one for one in todo if isinstance(one, RemoveInterface | RemoveAddress)]
    assert all(one.route.destination in wanted for one in todo if isinstance(one, RemoveRoute))
