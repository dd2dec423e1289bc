"""From the wire form of pools and advertisements to validated configuration.

What the wire form cannot say by itself is checked here: texts with a grammar of their own, and
lists whose entries must differ. Peers, speaker policies and health checks have files to themselves.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Sequence

from bgpd.kube import objects
from bgpd.kube.convert import labels_of, selector, selectors
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import (
    parse_alias,
    parse_blocks,
    parse_community,
    parse_delay,
    parse_large_community,
)
from bgpd.model.configuration import (
    BGPAdvertisement,
    Distribution,
    IPAddressPool,
    NodePreference,
    ServiceAllocation,
    Weight,
)
from bgpd.model.migration import MIGRATING
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix


def pool(wire: objects.IPAddressPool, faults: Faults) -> IPAddressPool:
    """Return a pool; its own blocks may not overlap."""
    prefixes: list[Prefix] = []
    largest: list[Prefix] = []
    taken = _Taken()
    for index, text in enumerate(wire.spec.addresses):
        path = f"spec.addresses[{index}]"
        blocks = faults.parsed(path, text, parse_blocks) or ()
        if not text:
            faults.value(path, text)
        twin = taken.take(blocks, text) if blocks else None
        if twin is not None:
            faults.rule(path, f"{text} overlaps {twin} of the same pool; remove one", text)
        prefixes += blocks
        largest += sorted(blocks, key=_length)[:1]
    allocation = _allocation(wire.spec.service_allocation, faults)
    return IPAddressPool(
        name=wire.metadata.name,
        labels=labels_of(wire.metadata),
        prefixes=tuple(prefixes),
        largest=tuple(largest),
        auto_assign=wire.spec.auto_assign is not False,
        avoid_buggy_ips=bool(wire.spec.avoid_buggy_ips),
        allocation=allocation,
        reserved=_reserved(wire.spec.reserved or (), prefixes, faults),
        reuse_delay=faults.parsed("spec.reuseDelay", wire.spec.reuse_delay, parse_delay) or 0,
        bind=bool(wire.spec.bind_on_host),
        migrating=bool((wire.metadata.annotations or {}).get(MIGRATING)),
    )


def _length(block: Prefix) -> int:
    return int(block.rpartition("/")[2])


def _reserved(
    texts: Sequence[str], prefixes: Sequence[Prefix], faults: Faults
) -> tuple[Prefix, ...]:
    """Return the addresses that nobody is given; those of no pool are a slip."""
    found: list[Prefix] = []
    networks = [ipaddress.ip_network(one) for one in prefixes]
    for index, text in enumerate(texts):
        path = f"spec.reserved[{index}]"
        blocks = faults.parsed(path, text, parse_blocks) or ()
        if not text:
            faults.value(path, text)
        if blocks and not any(_overlap(block, networks) for block in blocks):
            faults.notice(path, f"{text} has no effect: it has no address of this pool")
        found += blocks
    return tuple(found)


def _overlap(
    block: Prefix, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    network = ipaddress.ip_network(block)
    return any(one.version == network.version and one.overlaps(network) for one in networks)


class _Taken:
    """The entries of one pool so far, in the order of their addresses.

    A range can be a hundred prefixes, and comparing each with each would stall the agent.
    """

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, int, str]] = []

    def take(self, blocks: Sequence[Prefix], text: str) -> str | None:
        """Take the adjacent *blocks* of one entry; return the entry that has some of it already."""
        first, last = ipaddress.ip_network(blocks[0]), ipaddress.ip_network(blocks[-1])
        low, high = int(first.network_address), int(last.broadcast_address)
        place = bisect_right(self._spans, (int(first.version), high), key=_beginning)
        # Entries that overlap are refused, so those taken are apart: only the nearest can touch.
        version, _, end, name = self._spans[place - 1] if place else (0, 0, 0, "")
        if version == first.version and end >= low:
            return name
        name = str(blocks[0]) if len(blocks) == 1 else text
        self._spans.insert(place, (first.version, low, high, name))
        return None


def _beginning(span: tuple[int, int, int, str]) -> tuple[int, int]:
    return span[:2]


def _allocation(wire: objects.ServiceAllocation | None, faults: Faults) -> ServiceAllocation | None:
    """Return who may have the addresses; None where everybody may."""
    if wire is None:
        return None
    path = "spec.serviceAllocation"
    return ServiceAllocation(
        priority=wire.priority or 0,
        namespaces=_names(f"{path}.namespaces", wire.namespaces, faults),
        namespace_selectors=selectors(
            f"{path}.namespaceSelectors", wire.namespace_selectors, faults
        ),
        service_selectors=selectors(f"{path}.serviceSelectors", wire.service_selectors, faults),
    )


def advertisement(wire: objects.BGPAdvertisement, faults: Faults) -> BGPAdvertisement:
    """Return an advertisement."""
    spec = wire.spec or objects.BGPAdvertisementSpec()
    standard, large, aliases = _communities(spec, faults)
    _whole(spec, faults)
    return BGPAdvertisement(
        name=wire.metadata.name,
        pools=_names("spec.ipAddressPools", spec.ip_address_pools, faults),
        pool_selectors=selectors(
            "spec.ipAddressPoolSelectors", spec.ip_address_pool_selectors, faults
        ),
        node_selectors=selectors("spec.nodeSelectors", spec.node_selectors, faults),
        service_selectors=selectors("spec.serviceSelectors", spec.service_selectors, faults),
        peers=tuple(PeerName(name) for name in _names("spec.peers", spec.peers, faults)),
        local_pref=spec.local_pref or 0,
        communities=standard,
        large_communities=large,
        aliases=aliases,
        as_path_prepend=spec.as_path_prepend or 0,
        med=spec.med,
        aggregation_length=spec.aggregation_length or 32,
        aggregation_length_v6=spec.aggregation_length_v6 or 128,
        distribution=spec.distribution or Distribution.ECMP,
        preferred_nodes=_preferences(spec, faults),
        weight=spec.weight or Weight.NONE,
        priority=spec.priority or 0,
    )


def _whole(spec: objects.BGPAdvertisementSpec, faults: Faults) -> None:
    """Refuse to choose Services where addresses leave together: an aggregate stands for all."""
    lengths = {
        "aggregationLength": (spec.aggregation_length, 32),
        "aggregationLengthV6": (spec.aggregation_length_v6, 128),
    }
    for name, (length, whole) in lengths.items():
        if spec.service_selectors and length not in {None, whole}:
            what = f"must be {whole} where spec.serviceSelectors choose Services"
            faults.rule(f"spec.{name}", what, length)


def _preferences(spec: objects.BGPAdvertisementSpec, faults: Faults) -> tuple[NodePreference, ...]:
    path = "spec.preferredNodes"
    if spec.preferred_nodes and spec.distribution is not Distribution.ACTIVE_STANDBY:
        faults.rule(path, "needs spec.distribution activeStandby: with ecmp all nodes are equal")
    return tuple(
        NodePreference(
            weight=one.weight,
            selector=selector(f"{path}[{index}].preference", one.preference, faults),
        )
        for index, one in enumerate(spec.preferred_nodes or ())
    )


def _names(path: str, names: Sequence[str] | None, faults: Faults) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names or ()):
        if name in seen:
            faults.rule(f"{path}[{index}]", f"{name} stands twice in the list; remove one", name)
        seen[name] = index
    return tuple(seen)


def _communities(
    spec: objects.BGPAdvertisementSpec, faults: Faults
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return communities, large ones, and names that policy resolves."""
    standard: list[str] = []
    large: list[str] = []
    aliases: list[str] = []
    for index, text in enumerate(spec.communities or ()):
        path = f"spec.communities[{index}]"
        if text.startswith("large:"):
            _collect(path, text.removeprefix("large:"), large, faults, parse_large_community)
        elif ":" in text:
            _collect(path, text, standard, faults, parse_community)
        else:
            _collect(path, text, aliases, faults, parse_alias)
    for index, text in enumerate(spec.large_communities or ()):
        _collect(f"spec.largeCommunities[{index}]", text, large, faults, parse_large_community)
    return tuple(sorted(standard)), tuple(sorted(large)), tuple(sorted(aliases))


def _collect(
    path: str, text: str, found: list[str], faults: Faults, parse: Callable[[str], str]
) -> None:
    community = faults.parsed(path, text, parse)
    if community is None:
        if not text:
            faults.value(path, text)
        return
    if community in found:
        faults.rule(path, f"{text} stands twice in the list; remove one", text)
    found.append(community)
