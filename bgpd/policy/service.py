"""Should this node advertise this Service? Yes to these peers with these attributes, or no because.

The rules are MetalLB's, in their order; the first true reason wins. What a Node says of its own
readiness or of scheduling plays no part: whether this node works is local evidence.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Family, Prefix, family_of
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import RANK_STANDBY, Advertisement
from bgpd.policy.context import Context
from bgpd.policy.family import WORD
from bgpd.policy.lever import RANKED
from bgpd.policy.lingering import CHOICE
from bgpd.policy.merge import NOTHING, Decision, Merged, merge
from bgpd.policy.pools import Place, parse_ingress
from bgpd.policy.reach import NO_RULES, Offer, PoolRules, Reach
from bgpd.policy.verdict import FINE, Verdict

__all__ = ["Context", "Decision", "Merged", "decide", "merge"]

BANDWIDTH: Final = 1_000_000
"""Bytes per second that a link-bandwidth community says for each endpoint. Routers compare them
with each other alone, so what counts is that every node takes the same."""
_LONGEST: Final = {Family.IPV4: 32, Family.IPV6: 128}
"""The length of a prefix that is one address."""


@dataclass(frozen=True, slots=True)
class _No:
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class _Carried:
    """Who else has the address, and how much of its traffic can end on this node."""

    carriers: tuple[str, ...] | None
    serving: frozenset[str] | None
    """The nodes with local endpoints, where only those advertise."""
    local: int
    """How many endpoints are on this node."""


def decide(
    service: Service,
    slices: Iterable[EndpointSlice],
    context: Context,
    verdict: Verdict = FINE,
    had: tuple[Advertisement, ...] = (),
) -> Decision:
    """Return what this node advertises for *service*, and a reason for whatever it does not.

    *verdict* is what local health says of it; of *had*, what it may keep for a moment stays.
    """
    refusal = _not_ours(service, context)
    if refusal is not None:
        if refusal.reason is Reason.NOT_LOAD_BALANCER and not service.ingress:
            return NOTHING
        return Decision(withheld=(_withheld(service, None, refusal),))
    endpoints = tuple(slices)
    advertisements: list[Advertisement] = []
    withheld: list[Withheld] = []
    for text in _distinct(service.ingress):
        for route in _routes(service, text, endpoints, context, verdict):
            if isinstance(route, Withheld):
                withheld.append(route)
            else:
                advertisements.append(route)
    decision = Decision(advertisements=tuple(advertisements), withheld=tuple(withheld))
    # Where no advertisement is left at all, the last one was waited for when it was removed.
    chosen = context.in_force.advertisements and any(one.reason in CHOICE for one in withheld)
    if had and chosen:
        fact = _fact(service, endpoints, context, verdict)
        return _with_kept(decision, had, context, fact, verdict.floor)
    return decision


def _fact(
    service: Service, slices: tuple[EndpointSlice, ...], context: Context, verdict: Verdict
) -> _No | None:
    """Return why traffic for *service* would be lost here, whoever chooses it; None: it is not."""
    if context.blocked is not None:
        return _No(*context.blocked)
    missing = _no_endpoint(service, slices, context)
    return missing or _unhealthy(service, verdict)


def _with_kept(
    decision: Decision,
    had: tuple[Advertisement, ...],
    context: Context,
    fact: _No | None,
    floor: int,
) -> Decision:
    """Return *decision* with those of *had* that only the choice of advertisements is against.

    Where a *fact* is against them as well, that is why they go now.
    """
    peers = {one.name for one in context.peers}
    kept: list[Advertisement] = []
    withheld: list[Withheld] = []
    for no in decision.withheld:
        found = [one for one in had if one.prefix == no.prefix and one.peer in peers]
        if no.reason not in CHOICE or not found:
            withheld.append(no)
        elif fact is not None:
            withheld.append(replace(no, reason=fact.reason, message=fact.message))
        else:
            kept += (replace(one, rank=max(one.rank, floor)) for one in found)
    return Decision(
        advertisements=(*decision.advertisements, *kept),
        withheld=tuple(withheld),
        kept=bool(kept),
    )


def _distinct(ingress: tuple[str, ...]) -> Iterable[str]:
    """Return each address once, also where it is written in two ways."""
    if len(ingress) < 2:
        return ingress
    return {parse_ingress(text) or text: text for text in ingress}.values()


def _not_ours(service: Service, context: Context) -> _No | None:
    if not service.load_balancer:
        return _No(Reason.NOT_LOAD_BALANCER, f"Service {service.key} is not of type LoadBalancer")
    if service.load_balancer_class != context.load_balancer_class:
        asked, ours = service.load_balancer_class, context.load_balancer_class
        return _No(
            Reason.OTHER_LOAD_BALANCER_CLASS,
            f"Service {service.key} asks for loadBalancerClass {asked or '(none)'}; "
            f"this agent serves {ours or '(none)'}",
        )
    if not service.ingress:
        return _No(
            Reason.NO_ADDRESS,
            f"Service {service.key} has no address in status.loadBalancer.ingress yet",
        )
    return None


def _routes(
    service: Service,
    text: str,
    slices: tuple[EndpointSlice, ...],
    context: Context,
    verdict: Verdict,
) -> Iterator[Advertisement | Withheld]:
    """Yield an answer for the address *text*: one for all peers, or one for each peer."""
    place = context.index.place(text)
    if place is None:
        yield _withheld(service, None, _invalid(service, text))
        return
    if place.pool is None:
        message = f"{place.address} of Service {service.key} is in no IPAddressPool"
        yield _withheld(service, place.prefix, _No(Reason.ADDRESS_NOT_IN_POOL, message))
        return
    rules = context.rules.get(place.pool, NO_RULES)
    reach = _reach(service, place.family, rules, slices, context)
    if isinstance(reach, Reach):
        reach = _fit(service, rules, reach, context, verdict)
    if isinstance(reach, _No):
        yield _withheld(service, place.prefix, reach)
        return
    carrying = [offer for offer in reach.offers if place.family in offer.peer.families]
    if carrying:
        carried = _carried(service, rules, reach, slices)
        yield from _advertised(place, carrying, carried, context, verdict.floor)
        return
    # With a session for each family, the other one's silence is as it should be.
    for name in sorted({offer.peer.name for offer in reach.offers}):
        yield _family_missing(service, place.prefix, name)


def _invalid(service: Service, text: str) -> _No:
    what = f"{text!r} is not an IP address" if text else "an entry has no ip"
    return _No(
        Reason.INVALID_ADDRESS, f"Service {service.key}: {what} in status.loadBalancer.ingress"
    )


def _reach(
    service: Service,
    family: Family,
    rules: PoolRules,
    slices: tuple[EndpointSlice, ...],
    context: Context,
) -> Reach | _No:
    """Return what the peers are offered, or the first reason against it."""
    matching = rules.matching(service.labels)
    if not matching:
        return _no_advertisement(service, rules, context)
    reach = rules.reach(matching, family)
    if reach.conflict is not None:
        message = f"Service {service.key}: {reach.conflict}"
        return _No(Reason.CONFLICTING_ADVERTISEMENTS, message)
    if context.blocked is not None:
        return _No(*context.blocked)
    missing = _no_endpoint(service, slices, context)
    if missing is not None:
        return missing
    return reach


def _fit(
    service: Service, rules: PoolRules, reach: Reach, context: Context, verdict: Verdict
) -> Reach | _No:
    """Return *reach* where local health allows it and somebody would hear of it."""
    unhealthy = _unhealthy(service, verdict)
    if unhealthy is not None:
        return unhealthy
    if reach.offers:
        return reach
    names = ", ".join(one.name for one in rules.matching(service.labels))
    message = (
        f"BGPAdvertisement {names} of Service {service.key} reaches no BGPPeer of node "
        f"{context.node}"
    )
    return _No(Reason.NO_PEER, message)


def _unhealthy(service: Service, verdict: Verdict) -> _No | None:
    if verdict.reason is None:
        return None
    return _No(verdict.reason, f"Service {service.key}: {verdict.message}")


def _no_advertisement(service: Service, rules: PoolRules, context: Context) -> _No:
    if rules.here:
        names = ", ".join(one.name for one in rules.here)
        return _No(
            Reason.NO_MATCHING_ADVERTISEMENT,
            f"the serviceSelectors of BGPAdvertisement {names} do not select Service {service.key}",
        )
    if rules.elsewhere:
        names = ", ".join(one.name for one in rules.elsewhere)
        return _No(
            Reason.NODE_NOT_SELECTED,
            f"the nodeSelectors of BGPAdvertisement {names} do not select node {context.node}",
        )
    return _No(Reason.NODE_NOT_SELECTED, f"no BGPAdvertisement names IPAddressPool {rules.pool}")


def _no_endpoint(
    service: Service, slices: tuple[EndpointSlice, ...], context: Context
) -> _No | None:
    """Return why no endpoint takes traffic that this node would attract, or None."""
    if service.local:
        for one in slices:
            if context.node in one.serving:
                return None
        elsewhere = sum(len(one.serving) for one in slices)
        return _No(
            Reason.NO_LOCAL_ENDPOINTS,
            f"Service {service.key} has externalTrafficPolicy Local and no ready endpoint on node "
            f"{context.node} ({elsewhere} elsewhere, {_not_serving(slices)} not ready)",
        )
    if any(one.serving for one in slices):
        return None
    return _No(
        Reason.NO_ENDPOINTS,
        f"Service {service.key} has no ready endpoint ({_not_serving(slices)} not ready)",
    )


def _not_serving(slices: tuple[EndpointSlice, ...]) -> int:
    return sum(one.not_serving for one in slices)


def _carried(
    service: Service, rules: PoolRules, reach: Reach, slices: tuple[EndpointSlice, ...]
) -> _Carried:
    names = [name for one in slices for name in one.serving] if _counted(service, reach) else []
    return _Carried(
        carriers=rules.carriers(reach, names if service.local else None),
        serving=frozenset(names) if service.local else None,
        local=names.count(rules.node),
    )


def _counted(service: Service, reach: Reach) -> bool:
    return service.local or any(offer.weighted for offer in reach.offers)


def _advertised(
    place: Place,
    offers: Iterable[Offer],
    carried: _Carried,
    context: Context,
    floor: int,
) -> Iterator[Advertisement]:
    """Yield a route for each of *offers*: for the address, or for a block around it."""
    seen: set[tuple[PeerName, Prefix]] = set()
    for offer in offers:
        prefix = _prefix(place, offer.length, context)
        # Two lengths are one where the pool has no room for the shorter.
        if (offer.peer.name, prefix) not in seen:
            seen.add((offer.peer.name, prefix))
            yield _advertisement(prefix, offer, carried, floor)


def _prefix(place: Place, length: int, context: Context) -> Prefix:
    if length >= _LONGEST[place.family]:
        return place.prefix
    address = ipaddress.ip_address(place.address)
    # Never beyond the pool: its smaller blocks are advertised as they are.
    length = max(length, context.index.block_length(address))
    if length >= address.max_prefixlen:
        return place.prefix
    return Prefix(str(ipaddress.ip_network((address, length), strict=False)))


def _advertisement(prefix: Prefix, offer: Offer, carried: _Carried, floor: int) -> Advertisement:
    rank = offer.rank
    ahead: tuple[str, ...] = ()
    if offer.contest is not None:
        place = offer.contest.place(prefix, carried.serving)
        rank = min(rank + place.position, RANK_STANDBY)
        ahead = () if offer.peer.lever in RANKED else place.ahead
    return Advertisement(
        peer=offer.peer.name,
        prefix=prefix,
        rank=max(rank, floor),
        med=offer.med,
        local_pref=offer.local_pref,
        communities=offer.communities,
        large_communities=offer.large_communities,
        as_path_prepend=offer.as_path_prepend,
        priority=offer.priority,
        carriers=carried.carriers,
        # Nobody is told of none: a router may take no bandwidth for no wish.
        link_bandwidth=max(carried.local, 1) * BANDWIDTH if offer.weighted else None,
        ahead=ahead,
    )


def _family_missing(service: Service, prefix: Prefix, peer: PeerName) -> Withheld:
    word = WORD[family_of(prefix)]
    return Withheld(
        service=service.key,
        prefix=prefix,
        reason=Reason.FAMILY_NOT_NEGOTIATED,
        message=f"BGPPeer {peer} does not carry {word} routes; see its spec.families",
        peer=peer,
    )


def _withheld(service: Service, prefix: Prefix | None, no: _No) -> Withheld:
    return Withheld(service=service.key, prefix=prefix, reason=no.reason, message=no.message)
