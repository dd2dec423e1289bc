"""How it stands with what this node is to have: what people are told of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bgpd.host.apply import Failure
from bgpd.host.defaultroute import NextHop
from bgpd.host.hostplan import (
    AddAddress,
    AddInterface,
    AddRoute,
    HostPlan,
    RemoveAddress,
    RemoveInterface,
    RemoveRoute,
)
from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import INTERFACE, LOOPBACK, Inventory
from bgpd.host.wish import Resolved, RouteWish, Wanted
from bgpd.model.prefix import Address, Prefix, host_prefix
from bgpd.model.status import (
    Condition,
    HostAddressStatus,
    HostRouteStatus,
    HostState,
    HostStatus,
)

ROUTE: Final = "HostRouteFailed"
ROUTE_LEFT: Final = "HostRouteLeftAlone"
ADDRESS: Final = "ElasticIPNotBound"
QUARREL: Final = "HostQuarrel"
CHECK: Final = "HostSettings"
_SHOWN: Final = 3
_NOT_YET: Final = "not bound yet"
_PENDING: Final = frozenset({"", _NOT_YET})
"""What is said of an elastic IP that only waits for its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it stands, and who has which address."""

    status: HostStatus = field(default_factory=HostStatus)
    conditions: tuple[Condition, ...] = ()
    present: Inventory | None = None
    """What was seen last; None: nothing was looked at."""
    unfinished: bool = False
    """Whether something could not be done, and may work later."""
    refused: frozenset[Address] = frozenset()
    """The elastic IPs that could not be bound."""
    number: int = 0
    """That of the `Wanted` that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One time that everything was looked at and put right."""

    wanted: Wanted
    resolved: Resolved
    plan: HostPlan
    present: Inventory
    """As it is after it was put right."""
    failures: tuple[Failure, ...] = ()
    checks: tuple[str, ...] = ()
    restored: Mapping[str, int] = field(default_factory=dict)
    quarrel: bool = False


def outcome(found: Round) -> Outcome:
    """Return what people are told after a *found* round."""
    routes = (*(_route(wish, found) for wish in found.wanted.routes), *_unwanted(found))
    addresses = tuple(_addresses(found))
    conditions = (
        *_route_conditions(routes),
        *_removal_conditions(found),
        *_address_conditions(addresses),
        *_quarrel(found),
        *(_condition(CHECK, "PacketsAtRisk", sentence) for sentence in found.checks),
    )
    states = {*(one.state for one in routes), *(one.state for one in addresses)}
    return Outcome(
        status=HostStatus(
            interface=_place(found.present),
            interface_kind=_kind(found.present),
            routes=tuple(sorted(routes, key=lambda one: (one.destination, one.via))),
            addresses=addresses,
            restored=dict(found.restored),
            quarrel=found.quarrel,
            problems=tuple(one.message for one in conditions),
        ),
        conditions=conditions,
        present=found.present,
        unfinished=HostState.MISSING in states or bool(found.failures),
        refused=frozenset(
            one.address
            for one in addresses
            if one.state is HostState.MISSING and one.detail not in _PENDING
        ),
        number=found.wanted.number,
    )


def hops(found: Iterable[NextHop], present: Inventory) -> tuple[str, ...]:
    """Return next hops as people write them."""
    return tuple(
        f"{one.gateway} dev {present.name(one.interface)}"
        if one.gateway
        else f"dev {present.name(one.interface)}"
        for one in found
    )


def kernel_status(present: Inventory) -> HostStatus:
    """Return what there is of ours, where nobody says what is wanted."""
    rows = sorted(present.routes, key=lambda one: one.destination)
    bound = sorted(one.address for one in present.bound)
    return HostStatus(
        interface=_place(present),
        interface_kind=_kind(present),
        routes=tuple(_row(one, present) for one in rows),
        addresses=tuple(HostAddressStatus(address=address) for address in bound),
    )


def _row(route: HostRoute, present: Inventory) -> HostRouteStatus:
    return HostRouteStatus(
        destination=route.destination, via=hops(route.hops, present), source=route.source
    )


def _route(wish: RouteWish, found: Round) -> HostRouteStatus:
    """Return how it stands with the route of one peer."""
    destination = host_prefix(wish.destination)
    wanted = found.resolved.routes.get(wish.peer)
    present = found.present
    state, detail = HostState.MISSING, found.resolved.problems.get(wish.peer, "")
    via: tuple[str, ...] = hops(wanted.hops, present) if wanted else (wish.gateway,)
    source = wanted.source if wanted else None
    there = next((one for one in present.routes if one.destination == destination), None)
    if destination in present.others:
        state = HostState.LEFT_ALONE
        via = hops(present.others[destination], present)
        detail = _left(wanted, present, destination)
    elif wanted is not None and wanted in present.routes:
        state = HostState.PRESENT
    elif there is not None and wanted is None:
        # Nobody knows a better one now, so the one that is there goes on.
        state, via, source = HostState.PRESENT, hops(there.hops, present), there.source
    elif not detail:
        detail = _why(found, destination)
    return HostRouteStatus(
        destination=destination,
        via=via,
        source=source,
        peer=wish.peer,
        state=state,
        detail=detail,
    )


def _left(wanted: HostRoute | None, present: Inventory, destination: Prefix) -> str:
    """Return what is to be said of a route of somebody else's; nothing where it is as good."""
    theirs = present.others[destination]
    if wanted is None or {(hop.interface, hop.gateway) for hop in theirs} == {
        (hop.interface, hop.gateway) for hop in wanted.hops
    }:
        return ""
    own = " and ".join(hops(theirs, present)) or "no interface"
    ours = " and ".join(hops(wanted.hops, present))
    return (
        f"somebody else has a route to {destination} by {own} and it is left alone, though the peer"
        f" is to be reached by {ours}: remove that route, or the peer's gateway"
    )


def _why(found: Round, destination: Prefix) -> str:
    """Return why a route is not there; nothing while it only waits for its turn in a quarrel."""
    for one in found.failures:
        if isinstance(one.change, AddRoute) and one.change.route.destination == destination:
            return one.sentence
    return "" if found.quarrel else "not added yet"


def _unwanted(found: Round) -> list[HostRouteStatus]:
    """Return the routes of ours that no peer wants."""
    wanted = {host_prefix(wish.destination) for wish in found.wanted.routes}
    gone = [one for one in found.present.routes if one.destination not in wanted]
    return [_row(one, found.present) for one in gone]


def _addresses(found: Round) -> list[HostAddressStatus]:
    present, plan = found.present, found.plan
    ours = present.bound
    bound = {one.address for one in ours}
    own = {one.address: one for one in present.addresses if one not in ours}
    whys = {one.change.address: one for one in found.failures if isinstance(one.change, AddAddress)}
    rows = []
    for address in sorted(plan.addresses | bound):
        state, detail = HostState.PRESENT, ""
        if address in own and address in plan.addresses:
            state = HostState.LEFT_ALONE
            detail = f"{present.name(own[address].interface)} has it already"
        elif address not in bound:
            state = HostState.MISSING
            detail = whys[address].sentence if address in whys else _why_nowhere(found)
        rows.append(HostAddressStatus(address=address, state=state, detail=detail))
    return rows


def _why_nowhere(found: Round) -> str:
    """Return why there is no interface to bind to."""
    impostor = found.present.impostor
    if impostor is not None and not found.plan.loopback:
        what = f"a {impostor.kind}" if impostor.kind else "an interface"
        return (
            f"there is {what} named {INTERFACE} that bgpd has not made, which is left alone:"
            " rename or remove it"
        )
    for one in found.failures:
        if isinstance(one.change, AddInterface):
            return f"{INTERFACE} cannot be made: {one.sentence}"
    return "" if found.quarrel else _NOT_YET


def _route_conditions(routes: Iterable[HostRouteStatus]) -> list[Condition]:
    found = []
    for one in routes:
        who = f"BGPPeer {one.peer}"
        if one.state is HostState.LEFT_ALONE and one.detail:
            found.append(_condition(ROUTE_LEFT, "OthersRoute", f"{who}: {one.detail}"))
        elif one.state is HostState.MISSING and one.detail:
            sentence = f"{who}: no route to {one.destination} via {' and '.join(one.via)}"
            found.append(_condition(ROUTE, "NotAdded", f"{sentence}: {one.detail}"))
        elif one.detail:
            sentence = f"{who}: the route to {one.destination} stays as it was"
            found.append(_condition(ROUTE, "NotRenewed", f"{sentence}: {one.detail}"))
    return found


def _removal_conditions(found: Round) -> list[Condition]:
    conditions = []
    for one in found.failures:
        if isinstance(one.change, RemoveRoute):
            what = f"the route to {one.change.route.destination}"
            conditions.append(_condition(ROUTE, "NotRemoved", f"{what} stays: {one.sentence}"))
        elif isinstance(one.change, RemoveAddress | RemoveInterface):
            what = (
                one.change.address
                if isinstance(one.change, RemoveAddress)
                else f"all of {INTERFACE}"
            )
            conditions.append(_condition(ADDRESS, "NotRemoved", f"{what} stays: {one.sentence}"))
    return conditions


def _address_conditions(addresses: Iterable[HostAddressStatus]) -> list[Condition]:
    """Return one sentence for each reason: ten thousand addresses are one sentence, too."""
    by_reason: dict[str, list[Address]] = {}
    for one in addresses:
        if one.state is HostState.MISSING and one.detail:
            by_reason.setdefault(one.detail, []).append(one.address)
    conditions = []
    for why, affected in by_reason.items():
        more = f" and {len(affected) - _SHOWN} more" if len(affected) > _SHOWN else ""
        names = ", ".join(affected[:_SHOWN])
        conditions.append(
            _condition(ADDRESS, "NotBound", f"{names}{more}: not bound on this node: {why}")
        )
    return conditions


def _quarrel(found: Round) -> list[Condition]:
    if not found.quarrel:
        return []
    return [
        _condition(
            QUARREL,
            "PutBackAgainAndAgain",
            "another program removes routes or addresses of ours again and again; they are put back"
            " once a second only: find it (`ip monitor`), and have it leave"
            f" proto 179 and {INTERFACE} alone",
        )
    ]


def _condition(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=True, reason=reason, message=message)


def _place(present: Inventory) -> str:
    if present.ours is not None:
        return INTERFACE
    return LOOPBACK if present.bound else ""


def _kind(present: Inventory) -> str:
    if present.ours is not None:
        return present.ours.kind
    return "loopback" if present.bound else ""
