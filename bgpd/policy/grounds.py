"""What the decision on one Service rests on, for people who want to know why.

It asks the same objects that `bgpd.policy.service.decide` asks, and takes the decision itself from
whoever took it: nothing is decided here.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.grounds import AddressGrounds, Grounds
from bgpd.model.prefix import Prefix
from bgpd.policy.context import Context
from bgpd.policy.merge import Decision
from bgpd.policy.reach import NO_RULES


def grounds(
    service: Service,
    slices: Iterable[EndpointSlice],
    context: Context,
    decision: Decision,
    *,
    sharing: Callable[[Prefix], tuple[str, ...]],
) -> Grounds:
    """Return what *decision* on *service* rests on; *sharing* names who wants the same prefix."""
    found = tuple(slices)
    asked = service.local and context.policy.health.health_check_node_port
    return Grounds(
        service=service.key,
        load_balancer=service.load_balancer,
        class_wanted=service.load_balancer_class or "",
        class_served=context.load_balancer_class or "",
        local=service.local,
        addresses=tuple(
            _address(service, text, context, sharing) for text in dict.fromkeys(service.ingress)
        ),
        endpoints=dict(sorted(Counter(name for one in found for name in one.serving).items())),
        not_serving=sum(one.not_serving for one in found),
        blocked=context.blocked[1] if context.blocked else "",
        checks=tuple(one.key for one in context.checks.of(service)) if context.checks else (),
        port_asked=service.health_check_node_port if asked else 0,
        advertisements=decision.advertisements,
        withheld=decision.withheld,
    )


def _address(
    service: Service,
    text: str,
    context: Context,
    sharing: Callable[[Prefix], tuple[str, ...]],
) -> AddressGrounds:
    place = context.index.place(text)
    if place is None:
        return AddressGrounds(text=text)
    rules = context.rules.get(place.pool or "", NO_RULES)
    matching = rules.matching(service.labels)
    reach = rules.reach(matching, place.family)
    names = {one.name for one in matching}
    return AddressGrounds(
        text=text,
        prefix=place.prefix,
        pool=place.pool or "",
        matching=tuple(one.name for one in matching),
        unmatched=tuple(one.name for one in rules.here if one.name not in names),
        elsewhere=tuple(one.name for one in rules.elsewhere),
        peers=tuple(dict.fromkeys(offer.peer.name for offer in reach.offers)),
        sharing=tuple(one for one in sharing(place.prefix) if one != service.key),
    )
