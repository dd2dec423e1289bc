"""Which pools a Service may use, and in which order they are asked.

Pools with a `serviceAllocation` that chooses the Service come first, by priority (the smaller
first, 0 last); then pools without one. Where priorities are equal, and among the pools without
one, the order is that of names: it is the same in every process, at every start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.model.allocation import Namespace, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.selector import matches_any

_LAST: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The pools that a namespace's Services may use without naming one, in two tiers.

    The second is asked only after all of the first have refused. A pool with service selectors
    still has to choose the Service.
    """

    pinned: tuple[IPAddressPool, ...]
    general: tuple[IPAddressPool, ...]


class Eligibility:
    """The pools' rules, resolved for the namespaces that exist."""

    __slots__ = ("_known", "_pools", "_queues", "chosen")

    def __init__(self, pools: Iterable[IPAddressPool], namespaces: Iterable[Namespace]) -> None:
        self._pools: Final = tuple(sorted(pools, key=_order))
        by_name = {namespace.name: namespace for namespace in namespaces}
        self._known: Final = frozenset(by_name)
        self.chosen: Final[Mapping[str, frozenset[str] | None]] = {
            pool.name: _namespaces(pool.allocation, by_name.values()) for pool in self._pools
        }
        """The namespaces that each pool chooses; None: all."""
        self._queues: dict[str, Queue] = {}

    def queue(self, namespace: str) -> Queue:
        """Return the pools that Services of *namespace* may use without naming one."""
        found = self._queues.get(namespace)
        if found is None:
            open_here = [
                pool for pool in self._pools if pool.auto_assign and self._open(pool, namespace)
            ]
            found = Queue(
                pinned=tuple(pool for pool in open_here if pool.allocation is not None),
                general=tuple(pool for pool in open_here if pool.allocation is None),
            )
            self._queues[namespace] = found
        return found

    def barred(self, pool: IPAddressPool, request: ServiceRequest) -> str | None:
        """Return why *pool* is not for *request*, or None where it is."""
        if self.admits(pool, request.namespace, request.labels):
            return None
        if self._open(pool, request.namespace):
            return (
                f"IPAddressPool {pool.name}: spec.serviceAllocation.serviceSelectors do not choose "
                f"the labels of Service {request.key}; change the labels or the selectors"
            )
        chosen = self.chosen[pool.name]
        legal = ", ".join(sorted(chosen)[:10]) if chosen else "none that exists"
        by_label = pool.allocation is not None and pool.allocation.namespace_selectors
        seen = request.namespace in self._known or not by_label
        unseen = "" if seen else " (its labels are not known)"
        return (
            f"IPAddressPool {pool.name}: spec.serviceAllocation does not choose namespace "
            f"{request.namespace}{unseen}, but {legal}; add the namespace or use another pool"
        )

    def admits(self, pool: IPAddressPool, namespace: str, labels: Mapping[str, str]) -> bool:
        """Return whether a Service of *namespace* with *labels* may use *pool*."""
        return self._open(pool, namespace) and chooses(pool, labels)

    def _open(self, pool: IPAddressPool, namespace: str) -> bool:
        chosen = self.chosen[pool.name]
        return chosen is None or namespace in chosen


def chooses(pool: IPAddressPool, labels: Mapping[str, str]) -> bool:
    """Return whether the service selectors of *pool* choose *labels*."""
    return pool.allocation is None or matches_any(pool.allocation.service_selectors, labels)


def _order(pool: IPAddressPool) -> tuple[int, str]:
    priority = pool.allocation.priority if pool.allocation is not None else 0
    return priority or _LAST, pool.name


def _namespaces(
    allocation: ServiceAllocation | None, namespaces: Iterable[Namespace]
) -> frozenset[str] | None:
    """Return the namespaces that *allocation* chooses, or None for all.

    Selectors that choose nothing choose nobody. They must not read as "no restriction", which
    would open a tenant's pool to everyone on the day its last namespace goes.
    """
    if allocation is None or not (allocation.namespaces or allocation.namespace_selectors):
        return None
    selectors = allocation.namespace_selectors
    selected = [one.name for one in namespaces if selectors and matches_any(selectors, one.labels)]
    return frozenset((*allocation.namespaces, *selected))
