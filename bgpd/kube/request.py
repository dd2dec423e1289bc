"""From the wire form of what an allocator reads to the values that it decides on.

Three prefixes of each annotation are read. The newest that is there counts, even where its value
is empty: whoever writes `bgpd.io/allow-shared-ip: ""` takes an older key back.
"""

from sys import intern
from typing import Final

from bgpd.kube import requestform
from bgpd.kube.convert import labels_of
from bgpd.kube.faults import Faults
from bgpd.model.allocation import FamilyPolicy, Namespace, ServicePort, ServiceRequest
from bgpd.model.prefix import Family

DEPRECATED: Final = "metallb.universe.tf/"
"""Prefix of annotations that MetalLB itself calls deprecated."""
OUTSIDE_POOLS: Final = "AddressOutsidePools"
"""The condition of a Service that keeps an address which no pool has any more."""
_FAMILIES: Final = {"IPv4": Family.IPV4, "IPv6": Family.IPV6}
_NO_ANNOTATIONS: Final = requestform.RequestAnnotations()


def service_request(wire: requestform.RequestedService, faults: Faults) -> ServiceRequest:
    """Return what a Service asks for."""
    spec = wire.spec or requestform.RequestSpec()
    noted = wire.metadata.annotations or _NO_ANNOTATIONS
    policy = spec.external_traffic_policy or "Cluster"
    if policy not in {"Cluster", "Local"}:
        what = f"{policy!r} is not allowed; must be one of Cluster, Local"
        faults.rule("spec.externalTrafficPolicy", what, policy)
    status = wire.status.load_balancer if wire.status else None
    ingress = (status and status.ingress) or ()
    return ServiceRequest(
        namespace=intern(wire.metadata.namespace or "default"),
        name=wire.metadata.name,
        uid=wire.metadata.uid or "",
        resource_version=wire.metadata.resource_version,
        labels=labels_of(wire.metadata),
        load_balancer=spec.type == "LoadBalancer",
        load_balancer_class=spec.load_balancer_class or None,
        cluster_ips=_cluster_ips(spec),
        ip_families=_families(spec, faults),
        family_policy=_family_policy(spec, faults),
        load_balancer_ip=spec.load_balancer_ip or "",
        addresses_wanted=_newest(noted.addresses, noted.addresses_v1, noted.addresses_v0),
        pool_wanted=_newest(noted.address_pool, noted.address_pool_v1, noted.address_pool_v0) or "",
        sharing_key=_newest(noted.sharing_key, noted.sharing_key_v1, noted.sharing_key_v0) or "",
        local=policy == "Local",
        selector=spec.selector or _NOTHING,
        ports=frozenset(
            ServicePort(protocol=intern(one.protocol or "TCP"), number=one.port)
            for one in spec.ports or ()
        ),
        ingress=tuple(entry.ip or "" for entry in ingress),
        ingress_modes=tuple(intern(entry.ip_mode or "") for entry in ingress),
        pool_noted=_newest(noted.pool_noted, noted.pool_noted_v1, noted.pool_noted_v0) or "",
        kept=_kept(wire.status),
        deprecated=_deprecated(noted),
    )


def namespace(wire: requestform.Namespace, faults: Faults) -> Namespace:
    """Return a Namespace."""
    del faults  # one that decodes has nothing left to refuse
    return Namespace(name=wire.metadata.name, labels=labels_of(wire.metadata))


_NOTHING: Final[dict[str, str]] = {}


def _newest(*values: str | None) -> str | None:
    return next((one for one in values if one is not None), None)


def _deprecated(noted: requestform.RequestAnnotations) -> tuple[str, ...]:
    old = {
        "address-pool": noted.address_pool_v0,
        "loadBalancerIPs": noted.addresses_v0,
        "allow-shared-ip": noted.sharing_key_v0,
    }
    # The pool of the current address is a note of MetalLB's own; no person can replace it.
    return tuple(f"{DEPRECATED}{name}" for name, value in old.items() if value is not None)


def _kept(wire: requestform.RequestStatus | None) -> bool:
    return any(
        one.type == OUTSIDE_POOLS and one.status == "True"
        for one in (wire and wire.conditions) or ()
    )


def _cluster_ips(spec: requestform.RequestSpec) -> tuple[str, ...]:
    found = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    return tuple(one for one in found if one != "None")


def _families(spec: requestform.RequestSpec, faults: Faults) -> tuple[Family, ...]:
    found: list[Family] = []
    for index, text in enumerate(spec.ip_families or ()):
        family = _FAMILIES.get(text)
        if family is None:
            path = f"spec.ipFamilies[{index}]"
            faults.rule(path, f"{text!r} is not allowed; must be one of IPv4, IPv6", text)
        else:
            found.append(family)
    return tuple(found)


def _family_policy(spec: requestform.RequestSpec, faults: Faults) -> FamilyPolicy:
    text = spec.ip_family_policy
    if not text:
        return FamilyPolicy.SINGLE_STACK
    try:
        return FamilyPolicy(text)
    except ValueError:
        known = ", ".join(FamilyPolicy)
        faults.rule("spec.ipFamilyPolicy", f"{text!r} is not allowed; must be one of {known}", text)
        return FamilyPolicy.SINGLE_STACK
