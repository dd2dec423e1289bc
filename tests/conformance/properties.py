"""What a document that holds says, in the words of a case."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from bgpd.model.configuration import BGPAdvertisement, BGPPeer, IPAddressPool
from bgpd.model.prefix import Family, family_of
from tests.conformance.room import InexpressibleError

PEER: Final[Mapping[str, Callable[[BGPPeer], Any]]] = {
    "holdTime": lambda one: f"{one.hold_time}s",
    "keepaliveTime": lambda one: f"{one.hold_time // 3}s",
    "myASN": lambda one: one.my_asn or one.local_asn,
    "localASN": lambda one: one.local_asn,
    "peerASN": lambda one: one.peer_asn,
    "peerAddress": lambda one: str(one.address),
    "peerPort": lambda one: one.port,
    "routerID": lambda one: one.router_id,
    "sourceAddress": lambda one: one.source_address,
    "password": lambda one: one.password,
    "bfdProfile": lambda one: one.bfd_profile or None,
    "ebgpMultiHop": lambda one: one.ttl is not None,
    "enableGracefulRestart": lambda one: one.graceful_restart is not None,
    "dualStackAddressFamily": lambda one: len(one.families) > 1,
    "families": lambda one: ["IPv4" if f is Family.IPV4 else "IPv6" for f in one.families],
    "nodeSelectors": lambda one: ["everything"] if not any(one.node_selectors) else "some",
}


def advertisement_as(one: BGPAdvertisement, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *wanted* asks of an advertisement."""
    values = {
        "localPref": one.local_pref,
        "aggregationLength": one.aggregation_length,
        "aggregationLengthV6": one.aggregation_length_v6,
        "asPathPrepend": one.as_path_prepend,
        "communities": [*one.communities, *(f"large:{large}" for large in one.large_communities)],
        "peers": list(one.peers),
        "ipAddressPools": list(one.pools),
    }
    unknown = sorted(wanted.keys() - values.keys())
    if unknown:
        raise InexpressibleError(f"an advertisement has no {', '.join(unknown)} to look at")
    return {key: values[key] for key in wanted}


def inside(one: IPv4Network | IPv6Network, block: IPv4Network | IPv6Network) -> bool:
    """Return whether *block* holds all of *one*."""
    if isinstance(one, IPv4Network) and isinstance(block, IPv4Network):
        return one.subnet_of(block)
    if isinstance(one, IPv6Network) and isinstance(block, IPv6Network):
        return one.subnet_of(block)
    return False


def pool_as(one: IPAddressPool, wanted: Any) -> Any:
    """Return what *wanted* asks of a pool: some of its fields, or its blocks."""
    if not isinstance(wanted, Mapping):
        return [str(block) for block in one.prefixes]
    values = {
        "cidrs": [str(block) for block in one.prefixes],
        "autoAssign": one.auto_assign,
        "avoidBuggyIPs": one.avoid_buggy_ips,
        "labels": dict(one.labels),
        "families": sorted(
            {"IPv6" if family_of(b) is Family.IPV6 else "IPv4" for b in one.prefixes}
        ),
    }
    unknown = wanted.keys() - values.keys()
    if unknown:
        raise InexpressibleError(f"a pool has no {', '.join(sorted(unknown))} to look at")
    return {key: values[key] for key in wanted}
