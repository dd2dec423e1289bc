"""What hands out addresses: a Service's request, and the address it may end up with.

Whoever only advertises keeps a smaller view of the same Service, `bgpd.model.cluster.Service`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bgpd.model.prefix import Family


class FamilyPolicy(StrEnum):
    """`spec.ipFamilyPolicy` of a Service (KEP-563)."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ServicePort:
    """One port of a Service; two Services that share an address may not share one."""

    protocol: str
    """`TCP`, `UDP` or `SCTP`."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """One Service, as far as its addresses depend on it."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    load_balancer: bool = True
    """Whether `spec.type` is LoadBalancer."""
    load_balancer_class: str | None = None
    cluster_ips: tuple[str, ...] = ()
    ip_families: tuple[Family, ...] = ()
    """`spec.ipFamilies`; empty where the document says none."""
    family_policy: FamilyPolicy = FamilyPolicy.SINGLE_STACK
    load_balancer_ip: str = ""
    """`spec.loadBalancerIP`, as written."""
    addresses_wanted: str | None = None
    """The annotation `loadBalancerIPs`, as written; None where there is none."""
    pool_wanted: str = ""
    """The annotation `address-pool`."""
    sharing_key: str = ""
    """The annotation `allow-shared-ip`."""
    local: bool = False
    """Whether `spec.externalTrafficPolicy` is Local."""
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: frozenset[ServicePort] = frozenset()
    ingress: tuple[str, ...] = ()
    """`status.loadBalancer.ingress[].ip`, as written; empty text where an entry has none."""
    ingress_modes: tuple[str, ...] = ()
    """`ipMode` of each entry of *ingress* (KEP-1860); empty text where an entry has none."""
    pool_noted: str = ""
    """The annotation `ip-allocated-from-pool`, which the controller writes."""
    kept: bool = False
    """Whether the condition `AddressOutsidePools` is true, which the controller writes."""
    deprecated: tuple[str, ...] = ()
    """Annotations in use whose prefix is deprecated, in full."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def backend(self) -> str:
        """What two Services on one address must have in common, beside the sharing key.

        With `externalTrafficPolicy: Local` they must select the same pods, or a node would attract
        traffic for one that it cannot deliver.
        """
        if not self.local:
            return ""
        return ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace and its labels: pools choose namespaces by them."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
