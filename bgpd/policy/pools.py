"""Which pool owns an address, and which pools cannot stand beside each other."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family, Prefix, family_of, host_prefix
from bgpd.policy.admission import Admission, admit

_Block = tuple[int, int, str]
"""First address, last address, pool."""
_Span = tuple[int, int, int]
"""IP version, first address, last address."""

_BUGGY: Final = frozenset({0, 255})
_MOST_PLACES: Final = 16_384
"""Addresses that are remembered: nobody limits what the Services of a cluster may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One address, and who owns it."""

    address: Address
    prefix: Prefix
    """The route to exactly this address."""
    family: Family
    pool: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolIndex:
    """All pools of a cluster, asked for one address at a time."""

    blocks: Mapping[int, tuple[_Block, ...]]
    """Disjoint blocks in the order of addresses, by IP version."""
    buggy_avoided: frozenset[str]
    """Pools that do not own addresses ending in .0 or .255."""
    _places: dict[str, Place | None] = field(default_factory=dict, repr=False, compare=False)

    def place(self, text: str) -> Place | None:
        """Return what there is to know of the address *text*, None where it is none.

        The answer is remembered: a Service's endpoints come and go, its address stays.
        """
        places = self._places
        if text in places:
            return places[text]
        if len(places) >= _MOST_PLACES:
            places.clear()
        found = places[text] = self._look_up(text)
        return found

    def _look_up(self, text: str) -> Place | None:
        parsed = parse_ingress(text)
        if parsed is None:
            return None
        address = Address(str(parsed))
        return Place(
            address=address,
            prefix=host_prefix(address),
            family=family_of(address),
            pool=self.pool_of(parsed),
        )

    def block_length(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
        """Return the length of the block that holds *address*, which must be some pool's."""
        blocks = self.blocks[address.version]
        number = int(address)
        first, last, _ = blocks[bisect_right(blocks, number, key=lambda block: block[0]) - 1]
        return address.max_prefixlen - (last - first + 1).bit_length() + 1

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


def parse_ingress(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address *text*, as a Service's status has it; None where it is none."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


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
    mine = _spans(candidate.prefixes)
    for other in others:
        shared = _first_shared(mine, _spans(other.prefixes))
        if shared is not None:
            return _sentence(
                candidate, _block_of(candidate, shared), other, _block_of(other, shared)
            )
    return None


@lru_cache(maxsize=4096)
def _spans(prefixes: tuple[Prefix, ...]) -> tuple[_Span, ...]:
    """Return the addresses of *prefixes* in order, neighbors joined.

    A range of addresses is many prefixes and one span, so two pools of many ranges are compared
    in no time. Kept, because every change of any object asks for all pools again, and each is
    compared with all others: one pool more than are kept, and every comparison counts anew.
    """
    spans: list[_Span] = []
    for version, first, last in sorted(_span(prefix) for prefix in prefixes):
        if spans and spans[-1][0] == version and first <= spans[-1][2] + 1:
            spans[-1] = (version, spans[-1][1], max(last, spans[-1][2]))
        else:
            spans.append((version, first, last))
    return tuple(spans)


def _span(prefix: Prefix) -> _Span:
    network = ipaddress.ip_network(prefix)
    return network.version, int(network.network_address), int(network.broadcast_address)


def _first_shared(mine: Sequence[_Span], theirs: Sequence[_Span]) -> tuple[int, int] | None:
    """Return IP version and number of the first address that is in both, or None."""
    left, right = 0, 0
    while left < len(mine) and right < len(theirs):
        version, first, last = mine[left]
        other_version, other_first, other_last = theirs[right]
        begin, end = max(first, other_first), min(last, other_last)
        if version == other_version and begin <= end:
            return version, begin
        if (version, last) < (other_version, other_last):
            left += 1
        else:
            right += 1
    return None


def _block_of(pool: IPAddressPool, address: tuple[int, int]) -> Prefix:
    """Return the block of *pool* that holds *address*, which is one of the pool's."""
    version, number = address
    for prefix in pool.prefixes:
        found, first, last = _span(prefix)
        if found == version and first <= number <= last:
            return prefix
    raise ValueError(f"pool {pool.name} does not hold address {number}")


def _sentence(candidate: IPAddressPool, block: Prefix, other: IPAddressPool, theirs: Prefix) -> str:
    return (
        f"IPAddressPool {candidate.name}: {block} overlaps {theirs} of IPAddressPool {other.name}; "
        "an address may belong to one pool only"
    )
