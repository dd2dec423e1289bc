"""What the host is to have of ours, what it has, and the fewest changes between the two.

Only what is ours is ever removed. What somebody else has put where we would put something stays,
and ours gives way to it: two routes to one address, or one address twice, would only leave open
which of them counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import INTERFACE, LOOPBACK, Inventory
from bgpd.model.prefix import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """What is wanted."""

    routes: frozenset[HostRoute] = frozenset()
    addresses: frozenset[Address] = frozenset()
    """Elastic IPs on an interface of ours."""
    interface: bool = False
    """Whether that interface is wanted, also while it would have no address."""
    loopback: bool = False
    """Whether the kernel has no kind of interface that could be ours, so that `lo` it is."""
    keep: bool = False
    """Whether what is there and not wanted stays: not everything is known yet."""


@dataclass(frozen=True, slots=True)
class AddRoute:
    """Add a host route."""

    route: HostRoute


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Remove a host route of ours."""

    route: HostRoute


@dataclass(frozen=True, slots=True)
class AddInterface:
    """Make our interface."""


@dataclass(frozen=True, slots=True)
class RaiseInterface:
    """Set our interface up."""

    index: int


@dataclass(frozen=True, slots=True)
class RemoveInterface:
    """Remove our interface with all its addresses."""

    index: int


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Bind an elastic IP."""

    address: Address
    interface: str


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """Take an elastic IP off."""

    address: Address
    interface: int
    length: int


Change: TypeAlias = (
    AddRoute
    | RemoveRoute
    | AddInterface
    | RaiseInterface
    | RemoveInterface
    | AddAddress
    | RemoveAddress
)

NOTHING: Final = HostPlan()


def changes(plan: HostPlan, present: Inventory) -> tuple[Change, ...]:
    """Return the fewest changes that turn *present* into *plan*, in an order that works.

    A route is removed before the one that replaces it is added: a replacement in place would also
    hit a route of the same metric that is not ours.
    """
    return (*_routes(plan, present), *_addresses(plan, present))


def wanted_routes(plan: HostPlan, present: Inventory) -> frozenset[HostRoute]:
    """Return the routes of *plan* without those that others provide."""
    return frozenset(one for one in plan.routes if one.destination not in present.others)


def wanted_addresses(plan: HostPlan, present: Inventory) -> frozenset[Address]:
    """Return the addresses of *plan* without those that the host has elsewhere."""
    return plan.addresses - _elsewhere(present)


def _routes(plan: HostPlan, present: Inventory) -> Iterator[Change]:
    wanted = wanted_routes(plan, present)
    destinations = {one.destination for one in plan.routes}
    for route in sorted(present.routes - wanted, key=_route_order):
        if not plan.keep or route.destination in destinations:
            yield RemoveRoute(route)
    for route in sorted(wanted - present.routes, key=_route_order):
        yield AddRoute(route)


def _addresses(plan: HostPlan, present: Inventory) -> Iterator[Change]:
    ours = present.ours
    if ours is not None and not plan.interface and not plan.keep:
        yield RemoveInterface(ours.index)
    # Where both are there, our interface is the place for all of them.
    instead = ours is not None or not plan.loopback
    place = INTERFACE if instead else LOOPBACK
    wanted = wanted_addresses(plan, present) if plan.interface else frozenset()
    there = set()
    for one in sorted(present.bound, key=lambda one: (one.address, one.interface)):
        with_interface = ours is not None and one.interface == ours.index
        if one.address in wanted and with_interface is instead:
            there.add(one.address)
        elif not plan.keep and not (with_interface and not plan.interface):
            yield RemoveAddress(one.address, one.interface, one.length)
    if not plan.interface:
        return
    if instead and present.impostor is not None:
        return
    if instead and ours is None:
        yield AddInterface()
    elif instead and ours is not None and not ours.up:
        yield RaiseInterface(ours.index)
    yield from (AddAddress(address, place) for address in sorted(wanted - there))


def _elsewhere(present: Inventory) -> frozenset[Address]:
    """Return the addresses that the host has without us, usable or not."""
    bound = present.bound
    return frozenset(one.address for one in present.addresses if one not in bound)


def _route_order(route: HostRoute) -> tuple[str, str]:
    return route.destination, str(route)
