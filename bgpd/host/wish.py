"""From what peers ask for to host routes: over which gateway, and from which source.

A gateway is an address on a link of this node, or `default`: the next hops of the node's default
route. What cannot be is a sentence, and no route: a route by a guess would send a session the wrong
way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Final

from bgpd.host import wire
from bgpd.host.defaultroute import DefaultRoute, NextHop, order
from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import HostAddress, Inventory, best
from bgpd.model.errors import ConfigError
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix, host_prefix, parse_address
from bgpd.model.provider import DEFAULT_GATEWAY

_LINK_LOCAL: Final = "fe80:"
_FAMILIES: Final = {wire.AF_INET: "IPv4", wire.AF_INET6: "IPv6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWish:
    """A peer that is to be reached over a gateway."""

    peer: PeerName
    destination: Address
    gateway: str
    """An address, with its interface where it is link-local (`fe80::1%eth0`), or `default`."""
    source: Address | None = None
    """What the session comes from, if the host has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Everything that this node is to have of ours, before a look at the kernel."""

    routes: tuple[RouteWish, ...] = ()
    addresses: frozenset[Address] = frozenset()
    interface: bool = False
    """Whether elastic IPs are bound at all."""
    keep: bool = False
    """Whether what is there and not wanted stays: not everything is known yet."""
    uplinks: frozenset[Address] = frozenset()
    """Peers: the interfaces that lead there are looked at."""
    watch: bool = False
    """Whether the host's addresses are asked for."""
    number: int = field(default=0, compare=False)
    """Counts what was wanted one after another."""

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted."""
        return not (self.routes or self.interface or self.watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The routes that can be, and why the others cannot."""

    routes: Mapping[PeerName, HostRoute] = field(default_factory=dict)
    problems: Mapping[PeerName, str] = field(default_factory=dict)


class _CannotBeError(Exception):
    """Why a wish leads to no route."""


def gateway_of(text: str) -> Address | None:
    """Return the address in a peer's gateway; None for `default` and for what is none."""
    if text == DEFAULT_GATEWAY:
        return None
    try:
        return parse_address(text.partition("%")[0])
    except ConfigError:
        return None


def resolve(wishes: Iterable[RouteWish], present: Inventory) -> Resolved:
    """Return the host routes that *wishes* amount to on this host."""
    routes, problems = {}, {}
    for wish in wishes:
        try:
            routes[wish.peer] = HostRoute(
                destination=host_prefix(wish.destination),
                hops=_hops(wish, present),
                source=_source(wish, present),
            )
        except _CannotBeError as error:
            problems[wish.peer] = str(error)
    return Resolved(routes=routes, problems=problems)


def source_for(present: Inventory, destination: Address, gateway: str = "") -> Address | None:
    """Return the host's own address on the way to *destination*; None: it has none there."""
    family = wire.family(destination)
    default = _default(family, present)
    follows = () if default is None else default.hops
    near = gateway_of(gateway) or (destination if not gateway else None)
    indexes = _on_link(near, present) if near is not None else set()
    if not indexes:
        indexes = _interfaces(follows)
        near = next((hop.gateway for hop in follows if hop.gateway is not None), None)
        if default is not None and default.source in present.own:
            return default.source
    bound = present.bound
    there = [one for one in present.addresses if one.interface in indexes and one not in bound]
    fit = best(there, family)
    together = [one for one in fit if near is not None and _holds(one, near)]
    return next((one.address for one in (*together, *fit)), None)


def destinations(wishes: Iterable[RouteWish]) -> frozenset[Prefix]:
    """Return what the routes of *wishes* lead to."""
    return frozenset(host_prefix(one.destination) for one in wishes)


def gateways(wishes: Iterable[RouteWish]) -> frozenset[Address]:
    """Return the gateways for which the kernel has to be asked."""
    found = (gateway_of(one.gateway) for one in wishes)
    return frozenset(one for one in found if one and not one.startswith(_LINK_LOCAL))


def _hops(wish: RouteWish, present: Inventory) -> tuple[NextHop, ...]:
    family = wire.family(wish.destination)
    if wish.gateway == DEFAULT_GATEWAY:
        found = _default(family, present)
        if found is None or not found.hops:
            raise _CannotBeError(
                f"its gateway is `default`, and this node has no {_FAMILIES[family]} default route:"
                " give the node one, or the peer the gateway's address"
            )
        return tuple(sorted(found.hops, key=order))
    gateway = gateway_of(wish.gateway)
    if gateway is None:
        raise _CannotBeError(f"its gateway {wish.gateway!r} is neither an address nor `default`")
    if gateway in {one.address for one in present.addresses}:
        raise _CannotBeError(
            f"its gateway {gateway} is an address of this node: name the router's address"
        )
    return (NextHop(_interface(wish.gateway, gateway, family, present), gateway),)


def _interface(text: str, gateway: Address, family: int, present: Inventory) -> int:
    """Return the index of the interface by which *gateway* is reached."""
    zone = text.partition("%")[2]
    if zone:
        named = [one.index for one in present.interfaces.values() if one.name == zone]
        if not named:
            raise _CannotBeError(f"its gateway {text} names an interface that this node has not")
        return named[0]
    if gateway.startswith(_LINK_LOCAL):
        found = _of_defaults(wire.AF_INET6, present) or _of_defaults(wire.AF_INET, present)
        if len(found) != 1:
            raise _CannotBeError(
                f"its gateway {gateway} is link-local, and no single interface has the default"
                f" route: name the interface, as in `{gateway}%eth0`"
            )
        return next(iter(found))
    if wire.family(gateway) == wire.AF_INET and family == wire.AF_INET6:
        raise _CannotBeError(f"its gateway {gateway} is IPv4 and cannot lead to an IPv6 peer")
    # Where the gateway is a router of ours, our own host route leads there by itself.
    ways = present.ways.get(gateway, ())
    direct = [hop.interface for hop in ways if hop.gateway in (None, gateway)]
    if not direct:
        raise _CannotBeError(
            f"its gateway {gateway} is on no link of this node: check the address, and that the"
            " interface towards it is up and has an address of that network"
        )
    return min(direct)


def _source(wish: RouteWish, present: Inventory) -> Address | None:
    if wish.source is None or wire.family(wish.source) != wire.family(wish.destination):
        return None
    usable = {one.address for one in present.addresses if one.usable}
    return wish.source if wish.source in usable else None


def _default(family: int, present: Inventory) -> DefaultRoute | None:
    """Return the default route that counts."""
    found = [one for one in present.defaults if one.family == family and not one.tos]
    return min(found, key=lambda one: (one.metric, one.hops), default=None)


def _of_defaults(family: int, present: Inventory) -> set[int]:
    found = _default(family, present)
    return set() if found is None else _interfaces(found.hops)


def _interfaces(hops: Iterable[NextHop]) -> set[int]:
    return {hop.interface for hop in hops}


def _on_link(address: Address, present: Inventory) -> set[int]:
    """Return the interfaces with a network that holds *address*, of the longest such prefix."""
    found = [one for one in _networks(present, wire.family(address)) if _holds(one, address)]
    longest = max((one.length for one in found), default=0)
    return {one.interface for one in found if one.length == longest}


def _networks(present: Inventory, family: int) -> Iterator[HostAddress]:
    bound = present.bound
    for one in present.addresses:
        if wire.family(one.address) == family and not one.whole and one not in bound:
            yield one


def _holds(one: HostAddress, address: Address) -> bool:
    if wire.family(one.address) != wire.family(address):
        return False
    return ip_address(address) in ip_interface(f"{one.address}/{one.length}").network
