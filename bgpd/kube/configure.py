"""From the wire form of pools, advertisements and speaker policies to validated configuration.

What the wire form cannot say by itself is checked here: texts with a grammar of their own, and
lists whose entries must differ. Peers have a file to themselves, `bgpd.kube.peering`.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Sequence

from bgpd.kube import objects
from bgpd.kube.convert import labels_of, selectors
from bgpd.kube.faults import Faults
from bgpd.kube.scalar import parse_blocks, parse_community, parse_large_community
from bgpd.model.configuration import (
    BGPAdvertisement,
    IPAddressPool,
    NodePolicy,
    ServiceAllocation,
)
from bgpd.model.member import MeshPolicy, SpeakerPolicy
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix


def pool(wire: objects.IPAddressPool, faults: Faults) -> IPAddressPool:
    """Return a pool; its own blocks may not overlap."""
    prefixes: list[Prefix] = []
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
    allocation = _allocation(wire.spec.service_allocation, faults)
    return IPAddressPool(
        name=wire.metadata.name,
        labels=labels_of(wire.metadata),
        prefixes=tuple(prefixes),
        auto_assign=wire.spec.auto_assign is not False,
        avoid_buggy_ips=bool(wire.spec.avoid_buggy_ips),
        allocation=allocation,
    )


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
    standard, large = _communities(spec, faults)
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
        as_path_prepend=spec.as_path_prepend or 0,
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
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    standard: list[str] = []
    large: list[str] = []
    for index, text in enumerate(spec.communities or ()):
        path = f"spec.communities[{index}]"
        if text.startswith("large:"):
            _collect(path, text.removeprefix("large:"), large, faults, large=True)
        else:
            _collect(path, text, standard, faults, large=False)
    for index, text in enumerate(spec.large_communities or ()):
        _collect(f"spec.largeCommunities[{index}]", text, large, faults, large=True)
    return tuple(sorted(standard)), tuple(sorted(large))


def _collect(path: str, text: str, found: list[str], faults: Faults, *, large: bool) -> None:
    community = faults.parsed(path, text, parse_large_community if large else parse_community)
    if community is None:
        if not text:
            faults.value(path, text)
        return
    if community in found:
        faults.rule(path, f"{text} stands twice in the list; remove one", text)
    found.append(community)


def speaker_policy(wire: objects.SpeakerPolicy, faults: Faults) -> NodePolicy:
    """Return a speaker policy; what it leaves out keeps its default."""
    spec = wire.spec or objects.SpeakerPolicySpec()
    mesh = spec.mesh or objects.MeshSpec()
    usual = SpeakerPolicy()
    return NodePolicy(
        name=wire.metadata.name,
        node_selectors=selectors("spec.nodeSelectors", spec.node_selectors, faults),
        policy=SpeakerPolicy(
            mesh=MeshPolicy(
                interval_milliseconds=mesh.interval_milliseconds
                or usual.mesh.interval_milliseconds,
                multiplier=mesh.multiplier or usual.mesh.multiplier,
            ),
            agent_grace_seconds=spec.agent_grace_seconds or usual.agent_grace_seconds,
            drain_milliseconds=usual.drain_milliseconds
            if spec.drain_milliseconds is None
            else spec.drain_milliseconds,
        ),
    )
