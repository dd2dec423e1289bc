"""A small cluster for policy tests: three nodes, one pool, one advertisement, two peers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bgpd.model.cluster import EndpointSlice, Node, NodeReport, Service
from bgpd.model.configuration import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    NodePolicy,
)
from bgpd.model.health import HealthCheck
from bgpd.model.member import NodeName
from bgpd.model.peer import Asn, PeerName
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.provider import Discovery
from bgpd.model.selector import Operator, Requirement, Selector
from bgpd.policy.peers import SourceFor
from bgpd.policy.service import Context

N1, N2 = NodeName("n1"), NodeName("n2")


def label(key: str, *values: str) -> Selector:
    """Return a selector for objects whose label *key* is one of *values*."""
    return (Requirement(key=key, operator=Operator.IN, values=frozenset(values)),)


def node(name: str, *addresses: str, **changes: Any) -> Node:
    """Return a node, by default with an address of each family."""
    number = name.removeprefix("n")
    given = addresses or (f"10.0.0.{number}", f"2001:db8::{number}")
    return replace(
        Node(
            name=NodeName(name),
            labels={"name": name},
            addresses=tuple(Address(one) for one in given),
        ),
        **changes,
    )


def pool(name: str = "pool", *prefixes: str, **changes: Any) -> IPAddressPool:
    """Return a pool of documentation addresses."""
    given = prefixes or ("198.51.100.0/24", "2001:db8:1::/64")
    return IPAddressPool(name=name, prefixes=tuple(Prefix(one) for one in given), **changes)


def advertisement(name: str = "all", **changes: Any) -> BGPAdvertisement:
    """Return an advertisement of everything to everybody, but for *changes*."""
    return BGPAdvertisement(name=name, **changes)


def peer(name: str = "r1", address: str = "192.0.2.1", **changes: Any) -> BGPPeer:
    """Return an eBGP peer that carries both families."""
    fields: dict[str, Any] = {
        "peer_asn": Asn(64513),
        "local_asn": Asn(64512),
        "families": (Family.IPV4, Family.IPV6),
        **changes,
    }
    return BGPPeer(name=PeerName(name), address=Address(address), **fields)


def service(name: str = "web", *ingress: str, **changes: Any) -> Service:
    """Return a Service of type LoadBalancer with an elastic IP."""
    return replace(
        Service(
            namespace="default",
            name=name,
            load_balancer=True,
            ingress=ingress or ("198.51.100.1",),
        ),
        **changes,
    )


def slices(*serving: str, not_serving: int = 0, name: str = "web") -> tuple[EndpointSlice, ...]:
    """Return one slice of a Service with an endpoint on each of *serving*."""
    return (
        EndpointSlice(
            namespace="default",
            name=f"{name}-1",
            service=f"default/{name}",
            serving=tuple(sorted(serving)),
            not_serving=not_serving,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a context is built from."""

    me: str = "n1"
    nodes: tuple[Node, ...] = (node("n1"), node("n2"), node("n3"))
    pools: tuple[IPAddressPool, ...] = (pool(),)
    advertisements: tuple[BGPAdvertisement, ...] = (advertisement(),)
    peers: tuple[BGPPeer, ...] = (peer(),)
    policies: tuple[NodePolicy, ...] = ()
    reports: tuple[NodeReport, ...] = ()
    communities: tuple[Community, ...] = ()
    ignore_exclude_label: bool = False
    load_balancer_class: str | None = None
    bfd_profiles: Mapping[str, BFDProfile] | None = None
    health_checks: tuple[HealthCheck, ...] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)
    discovered: Mapping[str, Discovery] = field(default_factory=dict)
    addresses: frozenset[Address] | None = None
    source_for: SourceFor | None = None

    def context(self, previous: Context | None = None) -> Context:
        """Return the context of node *me*."""
        return Context.build(
            node=next((one for one in self.nodes if one.name == self.me), None),
            node_name=NodeName(self.me),
            pools=self.pools,
            advertisements=self.advertisements,
            peers=self.peers,
            policies=self.policies,
            nodes=self.nodes,
            reports=self.reports,
            communities=self.communities,
            ignore_exclude_label=self.ignore_exclude_label,
            load_balancer_class=self.load_balancer_class,
            bfd_profiles=self.bfd_profiles,
            health_checks=self.health_checks,
            password_of=self.passwords,
            discovered=self.discovered,
            addresses=self.addresses,
            source_for=self.source_for,
            previous=previous,
        )
