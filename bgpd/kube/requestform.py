"""The wire form of what an allocator reads of Kubernetes: whole requests of Services, Namespaces.

An agent keeps the lean `bgpd.kube.nativeform.Service` of the same documents.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from bgpd.kube.objects import Lenient, Metadata


class RequestAnnotations(Lenient):
    """The annotations that ask for addresses, newest prefix first; all others are passed over."""

    address_pool: str | None = msgspec.field(default=None, name="bgpd.io/address-pool")
    addresses: str | None = msgspec.field(default=None, name="bgpd.io/loadBalancerIPs")
    sharing_key: str | None = msgspec.field(default=None, name="bgpd.io/allow-shared-ip")
    pool_noted: str | None = msgspec.field(default=None, name="bgpd.io/ip-allocated-from-pool")
    address_pool_v1: str | None = msgspec.field(default=None, name="metallb.io/address-pool")
    addresses_v1: str | None = msgspec.field(default=None, name="metallb.io/loadBalancerIPs")
    sharing_key_v1: str | None = msgspec.field(default=None, name="metallb.io/allow-shared-ip")
    pool_noted_v1: str | None = msgspec.field(
        default=None, name="metallb.io/ip-allocated-from-pool"
    )
    address_pool_v0: str | None = msgspec.field(
        default=None, name="metallb.universe.tf/address-pool"
    )
    addresses_v0: str | None = msgspec.field(
        default=None, name="metallb.universe.tf/loadBalancerIPs"
    )
    sharing_key_v0: str | None = msgspec.field(
        default=None, name="metallb.universe.tf/allow-shared-ip"
    )
    pool_noted_v0: str | None = msgspec.field(
        default=None, name="metallb.universe.tf/ip-allocated-from-pool"
    )


class RequestMetadata(Metadata):
    """What identifies a Service, and what its annotations ask for."""

    uid: str | None = None
    resource_version: str = ""
    annotations: RequestAnnotations | None = None


class RequestPort(Lenient):
    """One entry of `spec.ports`."""

    port: Annotated[int, Meta(ge=1, le=65535)]
    protocol: str | None = None


class RequestSpec(Lenient):
    """`spec` of a Service."""

    type: str | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = msgspec.field(default=None, name="loadBalancerIP")
    external_traffic_policy: str | None = None
    ip_families: list[str] | None = None
    ip_family_policy: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: list[str] | None = msgspec.field(default=None, name="clusterIPs")
    selector: dict[str, str] | None = None
    ports: list[RequestPort] | None = None


class RequestIngress(Lenient):
    """One entry of `status.loadBalancer.ingress`."""

    ip: str | None = None
    ip_mode: str | None = None


class RequestBalancer(Lenient):
    """`status.loadBalancer` of a Service."""

    ingress: list[RequestIngress] | None = None


class RequestCondition(Lenient):
    """One entry of `status.conditions`."""

    type: str | None = None
    status: str | None = None


class RequestStatus(Lenient):
    """`status` of a Service."""

    load_balancer: RequestBalancer | None = None
    conditions: list[RequestCondition] | None = None


class RequestedService(Lenient):
    """A Service that may ask for addresses."""

    metadata: RequestMetadata
    spec: RequestSpec | None = None
    status: RequestStatus | None = None


class Namespace(Lenient):
    """A Namespace: pools choose by its labels."""

    metadata: Metadata
