"""Short ways to say what the allocator's tests need."""

import ipaddress
from collections.abc import Mapping

from bgpd.allocator import Allocator, Assigned, Outcome, Refused
from bgpd.model.allocation import FamilyPolicy, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.prefix import Address, Family, Prefix, parse_address
from bgpd.model.selector import Operator, Requirement, Selector

V4 = (Family.IPV4,)
V6 = (Family.IPV6,)
BOTH = (Family.IPV4, Family.IPV6)
SIX_FIRST = (Family.IPV6, Family.IPV4)


def blocks(*entries: str) -> tuple[Prefix, ...]:
    """Return the blocks of *entries*, each a prefix or a range `a-b`, in their order."""
    found: list[Prefix] = []
    for entry in entries:
        if "-" in entry:
            first, last = (ipaddress.IPv4Address(end) for end in entry.split("-"))
            parts = ipaddress.summarize_address_range(first, last)
            found += [Prefix(str(network)) for network in parts]
        else:
            found.append(Prefix(entry))
    return tuple(found)


def pool(
    name: str,
    *entries: str,
    allocation: ServiceAllocation | None = None,
    auto_assign: bool = True,
    avoid_buggy_ips: bool = False,
    reserved: tuple[str, ...] = (),
    reuse_delay: int = 0,
) -> IPAddressPool:
    """Return a pool of *entries*."""
    return IPAddressPool(
        name=name,
        prefixes=blocks(*entries),
        allocation=allocation,
        auto_assign=auto_assign,
        avoid_buggy_ips=avoid_buggy_ips,
        reserved=blocks(*reserved),
        reuse_delay=reuse_delay,
    )


def service(
    name: str,
    *ports: str,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    policy: FamilyPolicy = FamilyPolicy.SINGLE_STACK,
    key: str = "",
    local: str = "",
    pool_wanted: str = "",
    ingress: tuple[str, ...] = (),
) -> ServiceRequest:
    """Return a Service with *ports* such as `tcp/80`; *local* selects pods under policy Local."""
    return ServiceRequest(
        namespace=namespace,
        name=name,
        labels=labels or {},
        family_policy=policy,
        sharing_key=key,
        local=bool(local),
        selector={"app": local} if local else {},
        ports=frozenset(_port(port) for port in ports or ("tcp/80",)),
        pool_wanted=pool_wanted,
        ingress=ingress,
    )


def label(key: str, value: str) -> Selector:
    """Return the selector of objects whose label *key* is *value*."""
    return (Requirement(key=key, operator=Operator.IN, values=frozenset({value})),)


def having(*pools: IPAddressPool) -> Allocator:
    """Return an allocator of *pools*, in a cluster without namespaces worth a word."""
    allocator = Allocator()
    allocator.set_pools(pools, ())
    return allocator


def addresses(*texts: str) -> tuple[Address, ...]:
    """Return *texts* as addresses."""
    return tuple(parse_address(text) for text in texts)


def got(outcome: Outcome) -> tuple[str, ...]:
    """Return the addresses of *outcome*, which must not be a refusal."""
    assert isinstance(outcome, Assigned), outcome
    return tuple(outcome.addresses)


def refused(outcome: Outcome) -> str:
    """Return the sentence of *outcome*, which must be a refusal."""
    assert isinstance(outcome, Refused), outcome
    return outcome.sentence


def put(allocator: Allocator, request: ServiceRequest, *texts: str, now: float = 0.0) -> None:
    """Assign *texts* to *request*, which must work."""
    got(allocator.assign(request, addresses(*texts), now))


def _port(text: str) -> ServicePort:
    protocol, number = text.split("/")
    return ServicePort(protocol=protocol.upper(), number=int(number))
