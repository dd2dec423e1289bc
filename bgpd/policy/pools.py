"""Which pool owns an address, and which pools cannot stand beside each other."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Prefix
from bgpd.policy.admission import Admission, admit

_Block = tuple[int, int, str]
"""First address, last address, pool."""

_BUGGY: Final = frozenset({0, 255})


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolIndex:
    """All pools of a cluster, asked for one address at a time."""

    blocks: Mapping[int, tuple[_Block, ...]]
    """Disjoint blocks in the order of addresses, by IP version."""
    buggy_avoided: frozenset[str]
    """Pools that do not own addresses ending in .0 or .255."""

    def pool_of(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
        """Return the name of the pool that owns *address*, or None."""
        blocks = self.blocks[address.version]
        number = int(address)
        position = bisect_right(blocks, number, key=lambda block: block[0]) - 1
        if position < 0 or number > blocks[position][1]:
            return None
        pool = blocks[position][2]
        if address.version == 4 and pool in self.buggy_avoided and number & 255 in _BUGGY:
            return None
        return pool


def index_of(pools: Iterable[IPAddressPool]) -> PoolIndex:
    """Return the index of *pools*, which must not overlap."""
    blocks: dict[int, list[_Block]] = {4: [], 6: []}
    buggy_avoided: set[str] = set()
    for pool in pools:
        if pool.avoid_buggy_ips:
            buggy_avoided.add(pool.name)
        for prefix in pool.prefixes:
            network = ipaddress.ip_network(prefix)
            first, last = int(network.network_address), int(network.broadcast_address)
            blocks[network.version].append((first, last, pool.name))
    return PoolIndex(
        blocks={version: tuple(sorted(found)) for version, found in blocks.items()},
        buggy_avoided=frozenset(buggy_avoided),
    )


def admit_pools(
    wanted: Iterable[IPAddressPool], in_force: Mapping[str, IPAddressPool]
) -> Admission[IPAddressPool]:
    """Return the pools that hold together: no address belongs to two of them."""
    return admit(wanted, in_force, _overlap)


def _overlap(candidate: IPAddressPool, others: Sequence[IPAddressPool]) -> str | None:
    mine = [ipaddress.ip_network(prefix) for prefix in candidate.prefixes]
    for other in others:
        for prefix in other.prefixes:
            theirs = ipaddress.ip_network(prefix)
            for network in mine:
                if network.version == theirs.version and network.overlaps(theirs):
                    return _sentence(candidate, str(network), other, prefix)
    return None


def _sentence(candidate: IPAddressPool, block: str, other: IPAddressPool, theirs: Prefix) -> str:
    return (
        f"IPAddressPool {candidate.name}: {block} overlaps {theirs} of IPAddressPool {other.name}; "
        "an address may belong to one pool only"
    )
