"""Services and pools for tests, with as few words as a test needs."""

from collections.abc import Mapping
from typing import Any

from bgpd.allocator import Allocator
from bgpd.controller.converge import Decision, adopt, converge
from bgpd.model.allocation import FamilyPolicy, Namespace, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.prefix import Family, Prefix

V4, V6 = Family.IPV4, Family.IPV6
ONE, BOTH = ("10.96.0.1",), ("10.96.0.1", "fd00::1")
PREFER, REQUIRE = FamilyPolicy.PREFER_DUAL_STACK, FamilyPolicy.REQUIRE_DUAL_STACK


def service(name: str = "web", *ingress: str, namespace: str = "default", **more: Any) -> Any:
    """Return a Service of type LoadBalancer that shows *ingress*."""
    fields: dict[str, Any] = {
        "cluster_ips": ONE,
        "ports": frozenset({ServicePort(protocol="TCP", number=8080)}),
        **more,
    }
    return ServiceRequest(namespace=namespace, name=name, ingress=ingress, **fields)


def pool(name: str, *prefixes: str, **more: Any) -> IPAddressPool:
    """Return a pool."""
    return IPAddressPool(name=name, prefixes=tuple(map(Prefix, prefixes)), **more)


def pinned(name: str, prefix: str, *namespaces: str, priority: int = 0) -> IPAddressPool:
    """Return a pool for *namespaces* alone."""
    allocation = ServiceAllocation(namespaces=namespaces, priority=priority)
    return pool(name, prefix, allocation=allocation)


class World:
    """Pools and Services that are decided on one by one, each document written at once."""

    def __init__(self, *pools: IPAddressPool) -> None:
        self.allocator = Allocator()
        self.services: dict[str, ServiceRequest] = {}
        self.pools: tuple[IPAddressPool, ...] = ()
        self.set_pools(*pools)

    def set_pools(self, *pools: IPAddressPool) -> None:
        """Use *pools*."""
        self.pools = pools
        names = (Namespace(name="default"), Namespace(name="a"), Namespace(name="b"))
        self.allocator.set_pools(pools, names)

    def holds(self, one: ServiceRequest) -> None:
        """Let *one* have what it shows."""
        assert adopt(one, self.allocator, 0.0)
        self.services[one.key] = one

    def converge(self, one: ServiceRequest, load_balancer_class: str = "") -> Decision:
        """Decide on *one*."""
        return converge(
            one,
            self.allocator,
            0.0,
            pools=self.pools,
            load_balancer_class=load_balancer_class,
        )


def said(decision: Decision) -> Mapping[str, bool]:
    """Return the reasons of the news, and which of them are warnings."""
    return {one.reason.value: one.warning for one in decision.news}
