"""The wire form of Kubernetes' own kinds, as far as routes depend on them.

What is not named here is passed over, and nearly all may be absent: the API server has checked
these objects, and a field that only a later version has must not cost a Service its route.
"""

from typing import Annotated

from msgspec import Meta

from bgpd.kube.objects import AnnotatedMetadata, Lenient, Metadata, Port


class NamedPort(Lenient):
    """One entry of `ports` of a Service or of an EndpointSlice; no port means all of them."""

    name: str | None = None
    port: Port | None = None
    protocol: str | None = None


class ServiceSpec(Lenient):
    """`spec` of a Service."""

    type: str | None = None
    load_balancer_class: str | None = None
    external_traffic_policy: str | None = None
    health_check_node_port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    ports: list[NamedPort] | None = None


class Ingress(Lenient):
    """One entry of `status.loadBalancer.ingress`."""

    ip: str | None = None


class LoadBalancerStatus(Lenient):
    """`status.loadBalancer` of a Service."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Lenient):
    """`status` of a Service."""

    load_balancer: LoadBalancerStatus | None = None


class Service(Lenient):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class EndpointConditions(Lenient):
    """Null means true for ready, and follows ready for serving."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(Lenient):
    """One endpoint of a slice."""

    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None


class EndpointSlice(Lenient):
    """An EndpointSlice of `discovery.k8s.io/v1`."""

    metadata: Metadata
    endpoints: list[Endpoint] | None = None
    ports: list[NamedPort] | None = None


class NodeAddress(Lenient):
    """One entry of `status.addresses`."""

    type: str
    address: str


class NodeCondition(Lenient):
    """One entry of `status.conditions`."""

    type: str
    status: str
    message: str | None = None


class Taint(Lenient):
    """One entry of `spec.taints` of a Node."""

    key: str


class NodeSpec(Lenient):
    """`spec` of a Node."""

    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class NodeStatus(Lenient):
    """`status` of a Node."""

    addresses: list[NodeAddress] | None = None
    conditions: list[NodeCondition] | None = None


class Node(Lenient):
    """A Node."""

    metadata: AnnotatedMetadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None
