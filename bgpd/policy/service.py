"""Should this node advertise this Service? Yes to these peers with these attributes, or no because.

The rules are MetalLB's, in their order; the first true reason wins. What a Node says of its own
readiness or of scheduling plays no part: whether this node works is local evidence.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.prefix import Address, Prefix, family_of, host_prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement
from bgpd.policy.advertisements import NO_RULES, Offer, PoolRules
from bgpd.policy.context import Context
from bgpd.policy.merge import Decision, Merged, merge
from bgpd.policy.peers import WORD

__all__ = ["Context", "Decision", "Merged", "decide", "merge"]

NOTHING: Final = Decision()
"""The decision about a Service that asks for nothing."""


@dataclass(frozen=True, slots=True)
class _No:
    reason: Reason
    message: str


def decide(service: Service, slices: Iterable[EndpointSlice], context: Context) -> Decision:
    """Return what this node advertises for *service*, and a reason for whatever it does not."""
    refusal = _not_ours(service, context)
    if refusal is not None:
        if refusal.reason is Reason.NOT_LOAD_BALANCER and not service.ingress:
            return NOTHING
        return Decision(withheld=(_withheld(service, None, refusal),))
    endpoints = tuple(slices)
    advertisements: list[Advertisement] = []
    withheld: list[Withheld] = []
    for text in _distinct(service.ingress):
        for route in _routes(service, text, endpoints, context):
            if isinstance(route, Withheld):
                withheld.append(route)
            else:
                advertisements.append(route)
    return Decision(advertisements=tuple(advertisements), withheld=tuple(withheld))


def _distinct(ingress: tuple[str, ...]) -> Iterable[str]:
    """Return each address once, also where it is written in two ways."""
    if len(ingress) < 2:
        return ingress
    return {_parse(text) or text: text for text in ingress}.values()


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
    service: Service, text: str, slices: tuple[EndpointSlice, ...], context: Context
) -> Iterator[Advertisement | Withheld]:
    """Yield an answer for the address *text*: one for all peers, or one for each peer."""
    address = _parse(text)
    if address is None:
        yield _withheld(service, None, _invalid(service, text))
        return
    prefix = host_prefix(Address(str(address)))
    pool = context.index.pool_of(address)
    if pool is None:
        message = f"{address} of Service {service.key} is in no IPAddressPool"
        yield _withheld(service, prefix, _No(Reason.ADDRESS_NOT_IN_POOL, message))
        return
    rules = context.rules.get(pool, NO_RULES)
    offers = _offers(service, rules, slices, context)
    if isinstance(offers, _No):
        yield _withheld(service, prefix, offers)
        return
    family = family_of(prefix)
    reach = rules.reach(rules.matching(service.labels))
    serving = (name for one in slices for name in one.serving) if service.local else None
    carriers = rules.carriers(reach, serving)
    carrying = [offer for offer in offers if family in offer.peer.families]
    for offer in carrying:
        yield _advertisement(prefix, offer, carriers)
    if not carrying:
        # With a session for each family, the other one's silence is as it should be.
        yield from (_family_missing(service, prefix, offer) for offer in offers)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _invalid(service: Service, text: str) -> _No:
    what = f"{text!r} is not an IP address" if text else "an entry has no ip"
    return _No(
        Reason.INVALID_ADDRESS, f"Service {service.key}: {what} in status.loadBalancer.ingress"
    )


def _offers(
    service: Service, rules: PoolRules, slices: tuple[EndpointSlice, ...], context: Context
) -> tuple[Offer, ...] | _No:
    """Return what the peers are offered, or the first reason against it."""
    matching = rules.matching(service.labels)
    if not matching:
        return _no_advertisement(service, rules, context)
    reach = rules.reach(matching)
    if reach.conflict is not None:
        message = f"Service {service.key}: {reach.conflict}"
        return _No(Reason.CONFLICTING_ADVERTISEMENTS, message)
    if context.blocked is not None:
        return _No(*context.blocked)
    missing = _no_endpoint(service, slices, context)
    if missing is not None:
        return missing
    if not reach.offers:
        names = ", ".join(one.name for one in matching)
        message = (
            f"BGPAdvertisement {names} of Service {service.key} reaches no BGPPeer of node "
            f"{context.node}"
        )
        return _No(Reason.NO_PEER, message)
    return reach.offers


def _no_advertisement(service: Service, rules: PoolRules, context: Context) -> _No:
    if rules.here:
        names = ", ".join(one.name for one in rules.here)
        return _No(
            Reason.NO_MATCHING_ADVERTISEMENT,
            f"the serviceSelectors of BGPAdvertisement {names} do not select Service {service.key}",
        )
    if rules.elsewhere:
        names = ", ".join(rules.elsewhere)
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
        if any(context.node in one.serving for one in slices):
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


def _advertisement(prefix: Prefix, offer: Offer, carriers: tuple[str, ...] | None) -> Advertisement:
    return Advertisement(
        peer=offer.peer.name,
        prefix=prefix,
        local_pref=offer.local_pref,
        communities=offer.communities,
        large_communities=offer.large_communities,
        as_path_prepend=offer.as_path_prepend,
        carriers=carriers,
    )


def _family_missing(service: Service, prefix: Prefix, offer: Offer) -> Withheld:
    word = WORD[family_of(prefix)]
    return Withheld(
        service=service.key,
        prefix=prefix,
        reason=Reason.FAMILY_NOT_NEGOTIATED,
        message=f"BGPPeer {offer.peer.name} does not carry {word} routes; see its spec.families",
        peer=offer.peer.name,
    )


def _withheld(service: Service, prefix: Prefix | None, no: _No) -> Withheld:
    return Withheld(service=service.key, prefix=prefix, reason=no.reason, message=no.message)
