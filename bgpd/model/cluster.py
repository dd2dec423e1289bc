"""What Kubernetes says, cut down to what policy reads: Services, endpoints, nodes.

Ten thousand of these stay in memory, so each holds decoded facts and none of the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node with this label attracts no traffic for load balancers, whatever the label's value."""

DRAIN_TAINT = "bgpd.io/drain"
"""A node with this taint is drained, whatever the taint's value and effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One Service, as far as a load balancer cares."""

    namespace: str
    name: str
    load_balancer: bool
    """Whether `spec.type` is LoadBalancer."""
    load_balancer_class: str | None = None
    local: bool = False
    """Whether `spec.externalTrafficPolicy` is Local."""
    ingress: tuple[str, ...] = ()
    """`status.loadBalancer.ingress[].ip`, as written; empty text where an entry has none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    health_check_node_port: int = 0
    """`spec.healthCheckNodePort`; 0 where there is none."""
    ports: tuple["NamedPort", ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name`, as `Withheld.service` has it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPort:
    """A port of a Service or of an endpoint: what a probe asks."""

    name: str = ""
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEndpoint:
    """An endpoint on this very node that can take traffic: what a probe asks."""

    address: Address
    ports: tuple[NamedPort, ...] = ()
    terminating: bool = False
    """Whether it is not ready, and only still serves: it gets traffic where none is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice:
    """One slice of a Service's endpoints: where traffic can go, and how many cannot take any."""

    namespace: str
    name: str
    service: str
    """`namespace/name` of the Service; the empty text where the slice belongs to none."""
    serving: tuple[str, ...] = ()
    """The node of each endpoint that can take traffic, sorted; empty text where it has none."""
    not_serving: int = 0
    here: tuple[LocalEndpoint, ...] = ()
    """Those of *serving* on our own node, with what a probe needs."""
    terminating: bool = False
    """Whether all of *serving* only still serve: none of them is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One Node, without what changes with every heartbeat."""

    name: NodeName
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    """Every address of type InternalIP, in the order of the document."""
    network_unavailable: bool = False
    """Whether the condition NetworkUnavailable is True."""
    unschedulable: bool = False
    """`spec.unschedulable`: cordoned."""
    drain_taint: bool = False
    """Whether it has the taint `DRAIN_TAINT`."""
    shutting_down: bool = False
    """Whether kubelet says that the node is shutting down (KEP-2000)."""
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Those that peers are read from (`bgpd.model.provider`); one may hold a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What the agent of one node says of it to the others, as far as they act on it."""

    name: NodeName
    member: Member | None = None
    """Where its speaker listens; None while its agent does not know."""
    leave: float = 0.0
    """Until when it is asked to leave the node for good (wall clock); 0: nobody asks."""
