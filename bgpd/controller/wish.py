"""What a Service asks for, in words that an allocator understands, or why that makes no sense.

The families come from `spec.clusterIPs`: an address of a family in which the Service cannot be
reached inside the cluster would lead nowhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from bgpd.model.allocation import FamilyPolicy, ServiceRequest
from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Address, Family, family_of, parse_address

Families: TypeAlias = frozenset[Family]


class Reason(StrEnum):
    """The reason of an Event on a Service, as MetalLB's users know them where there is one."""

    IP_ALLOCATED = "IPAllocated"
    CLEAR_ASSIGNMENT = "ClearAssignment"
    ALLOCATION_FAILED = "AllocationFailed"
    ADDITIONAL_ASSIGN_FAILED = "AdditionalAssignFailed"
    LOAD_BALANCER_FAILED = "LoadBalancerFailed"
    NOT_ENOUGH_CLUSTER_IPS = "not enough clusterips"
    CLUSTER_IPS_FAMILY = "noclusterIPsIPFamily"
    STATUS_FAMILY = "nolbIPsIPFamily"
    DEPRECATED_ANNOTATION = "deprecatedAnnotation"
    ADDRESS_OUTSIDE_POOLS = "AddressOutsidePools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a Service asks for."""

    families: tuple[Family, ...]
    """The families to have, the primary one first."""
    prefers: bool = False
    """Whether one of two families will do until there is room for both."""
    addresses: tuple[Address, ...] = ()
    """Asked for by name; empty where any will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonsense:
    """Why a request cannot be fulfilled, whatever the pools hold."""

    reason: Reason
    sentence: str


def wish_of(request: ServiceRequest) -> Wish | Nonsense:
    """Return what *request* asks for."""
    families = _families(request)
    if isinstance(families, Nonsense):
        return families
    if request.family_policy is FamilyPolicy.REQUIRE_DUAL_STACK and len(families) < 2:
        return Nonsense(
            reason=Reason.NOT_ENOUGH_CLUSTER_IPS,
            sentence="not enough clusterips: ipFamilyPolicy is RequireDualStack and"
            f" spec.clusterIPs has {len(families)}; let the cluster give it both families",
        )
    addresses = _addresses(request)
    if isinstance(addresses, Nonsense):
        return addresses
    prefers = request.family_policy is FamilyPolicy.PREFER_DUAL_STACK and len(families) > 1
    first = [one for one in request.ip_families if one in families]
    order = tuple(dict.fromkeys((*first, *sorted(families))))
    return Wish(families=order, prefers=prefers, addresses=addresses)


def mismatch(wish: Wish) -> str:
    """Return why the addresses that were asked for by name cannot be had, or the empty text."""
    found = families_of(wish.addresses)
    if not wish.addresses or found == frozenset(wish.families):
        return ""
    return (
        f"{', '.join(wish.addresses)}: asked for {words(found)}, but the ClusterIPs of the Service"
        f" are {words(wish.families)}; ask for one address of each family of spec.clusterIPs"
    )


def shown(request: ServiceRequest) -> tuple[Address, ...]:
    """Return the addresses in the status of *request*, as far as they are addresses."""
    found = (_parsed(text) for text in request.ingress if text)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def one_of_each(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Return the first of *addresses* of each family."""
    first: dict[Family, Address] = {}
    for one in addresses:
        first.setdefault(family_of(one), one)
    return tuple(first.values())


def families_of(addresses: Iterable[Address]) -> Families:
    """Return the families of *addresses*."""
    return frozenset(map(family_of, addresses))


def words(families: Iterable[Family]) -> str:
    """Return *families* for a sentence."""
    return " and ".join("IPv4" if one is Family.IPV4 else "IPv6" for one in sorted(families))


def _families(request: ServiceRequest) -> Families | Nonsense:
    found = [_parsed(text) for text in request.cluster_ips]
    known = [one for one in found if one is not None]
    families = families_of(known)
    if len(known) == len(found) == len(families):
        return families
    return Nonsense(
        reason=Reason.CLUSTER_IPS_FAMILY,
        sentence=f"spec.clusterIPs {', '.join(request.cluster_ips)}: must be one address, or one of"
        " each family",
    )


def _addresses(request: ServiceRequest) -> tuple[Address, ...] | Nonsense:
    text = request.addresses_wanted or ""
    if text and request.load_balancer_ip:
        return _failed("spec.loadBalancerIP and the annotation loadBalancerIPs: set only one")
    found: list[Address] = []
    for part in (text or request.load_balancer_ip).split(","):
        if not part.strip() and not text.strip():
            continue
        address = _parsed(part.strip())
        if address is None:
            where = "the annotation loadBalancerIPs" if text else "spec.loadBalancerIP"
            return _failed(f"{where}: {part.strip()[:80]!r} is not an IPv4 or IPv6 address")
        found.append(address)
    if len(families_of(found)) < len(found):
        return _failed(f"{', '.join(found)}: at most one address of each family can be asked for")
    return tuple(found)


def _failed(sentence: str) -> Nonsense:
    return Nonsense(reason=Reason.LOAD_BALANCER_FAILED, sentence=sentence)


def _parsed(text: str) -> Address | None:
    try:
        return parse_address(text)
    except ConfigError:
        return None


def with_cluster_ips(request: ServiceRequest) -> ServiceRequest:
    """Return *request* with the ClusterIPs that an API server would have given it.

    Documents in a directory rarely have any, and the families are all that matters about them.
    """
    if request.cluster_ips or not request.load_balancer:
        return request
    families = request.ip_families
    if not families:
        single = request.family_policy is FamilyPolicy.SINGLE_STACK
        families = (Family.IPV4,) if single else (Family.IPV4, Family.IPV6)
    made = tuple("192.0.2.1" if one is Family.IPV4 else "2001:db8::1" for one in families)
    return replace(request, cluster_ips=made)
