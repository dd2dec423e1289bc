"""Why a Service waits for an address: the allocator asked again, with what the cluster has now.

The controller tells it in an Event, which is gone after an hour; the answer is decided from
documents alone, so it can be found again at any time, also while no controller runs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bgpd.allocator import Allocator
from bgpd.allocator.outcome import Assigned, Refused
from bgpd.controller.converge import adopt, ours
from bgpd.controller.wish import Nonsense, mismatch, shown, wish_of
from bgpd.ctl.columns import wrapped
from bgpd.ctl.fleet import Fleet
from bgpd.kube.documents import read
from bgpd.kube.store import Store
from bgpd.kube.view import Objects
from bgpd.kube.vocabulary import CONTROLLER
from bgpd.model.allocation import ServiceRequest
from bgpd.model.reason import Reason, Withheld

Document = Mapping[str, Any]
_POOLS: Final = "/apis/bgpd.io/v1alpha1/ipaddresspools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What the allocator makes of one Service."""

    service: str
    has: tuple[str, ...] = ()
    """The addresses that its status shows."""
    would_get: tuple[str, ...] = ()
    """What there is for it now: then nobody has given it yet."""
    pool: str = ""
    why: str = ""
    """Why there is nothing for it."""
    tried: tuple[tuple[str, str], ...] = ()
    """The pools in the order in which they were asked, and what each said."""


def objects_of(documents: Iterable[Document]) -> Objects:
    """Return *documents* as the controller reads them."""
    content = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    store = Store()
    store.apply("cluster.json", read("cluster.json", json.dumps(content).encode(), CONTROLLER))
    return store.objects


def waiting(fleet: Fleet, name: str, *, load_balancer_class: str = "") -> tuple[Pending, ...]:
    """Return `pending` of what was read of a cluster.

    Pools that could not be read are unknown: the allocator would say that there are none. Which
    class is served the agents know.
    """
    if not fleet.documents:
        return ()
    found = pending(
        objects_of(fleet.documents),
        name,
        load_balancer_class=load_balancer_class,
        held={one.service: one for node in fleet.nodes for one in node.view.withheld},
    )
    unread = "; ".join(one for one in fleet.unread if _POOLS in one)
    if not unread:
        return found
    why = f"which pools were tried is not known here: {unread}"
    return tuple(Pending(service=one.service, has=one.has, why=why) for one in found)


def pending(
    objects: Objects,
    name: str,
    *,
    load_balancer_class: str = "",
    held: Mapping[str, Withheld] | None = None,
) -> tuple[Pending, ...]:
    """Return what becomes of the Services that *name* means; empty: there is none.

    *held* is what agents say of Services: that tells whose class they serve.
    """
    asked = [one for one in objects.requests if name in {one.key, one.name}]
    return tuple(
        _pending(objects, one, load_balancer_class, (held or {}).get(one.key)) for one in asked
    )


def pending_text(found: Pending) -> str:
    """Return *found* for people."""
    lines = []
    if found.has and not found.why:
        lines.append(f"{found.service} has {', '.join(found.has)}")
    elif found.would_get:
        lines.append(
            f"{found.service}: {', '.join(found.would_get)} of pool {found.pool} is free for it, "
            "and nobody gave it yet: is a controller running? "
            "kubectl -n bgpd-system get lease,pods"
        )
    else:
        lines.append(found.why)
    lines += [f"- {why}" for _, why in found.tried]
    return "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)


def pending_document(found: Pending) -> dict[str, object]:
    """Return *found* for programs."""
    return {
        "service": found.service,
        "has": list(found.has),
        "wouldGet": list(found.would_get),
        "pool": found.pool,
        "why": found.why,
        "tried": [{"pool": pool, "why": why} for pool, why in found.tried],
    }


def _pending(
    objects: Objects, request: ServiceRequest, class_: str, held: Withheld | None
) -> Pending:
    has = shown(request)
    if not request.load_balancer:
        why = f"Service {request.key}: spec.type is not LoadBalancer"
        return Pending(service=request.key, has=has, why=why)
    other = _other_class(request, class_, held)
    if other:
        return Pending(service=request.key, has=has, why=other)
    allocator = _allocator(objects, request)
    wish = wish_of(request)
    if isinstance(wish, Nonsense):
        return Pending(service=request.key, has=has, why=wish.sentence)
    wrong = mismatch(wish) if wish.addresses else ""
    if wrong:
        return Pending(service=request.key, has=has, why=wrong)
    answer = (
        allocator.assign(request, wish.addresses, 0.0)
        if wish.addresses
        else allocator.allocate(request, wish.families, 0.0)
    )
    match answer:
        case Assigned():
            return Pending(
                service=request.key, has=has, would_get=answer.addresses, pool=answer.pool
            )
        case Refused():
            return Pending(
                service=request.key,
                has=has,
                why=answer.why,
                tried=tuple((one.pool, one.why) for one in answer.tried),
            )


def _other_class(request: ServiceRequest, class_: str, held: Withheld | None) -> str:
    """Return that *request* means another load balancer; empty: it means us."""
    if held is not None:
        # What agents keep back for another reason is of their class.
        return held.message if held.reason is Reason.OTHER_LOAD_BALANCER_CLASS else ""
    if ours(request, class_):
        return ""
    asked = request.load_balancer_class or "(none)"
    return (
        f"Service {request.key}: spec.loadBalancerClass {asked} is not "
        f"{class_ or '(none)'}, which this cluster's controller serves"
    )


def _allocator(objects: Objects, asking: ServiceRequest) -> Allocator:
    """Return an allocator in which every Service has what it shows; *asking* has nothing yet."""
    allocator = Allocator()
    allocator.set_pools(objects.pools, objects.namespaces)
    for one in sorted(objects.requests, key=lambda one: one.key):
        if one.key != asking.key or shown(one):
            adopt(one, allocator, 0.0)
    return allocator
