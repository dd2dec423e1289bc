"""The last gate before the wire: what is refused whatever the agent says.

A prefix outside the configured pools, shorter than the pool's advertisements allow (a single
address, unless they aggregate), for a peer that nobody configured, or beyond a peer's prefix limit
never reaches the wire: it is refused, counted and shown. The gate trusts nothing but the pools,
how they may be aggregated, and the peers. A router that hears more than its limit ends the session
and with it every route, so the limit is held here.
"""

import ipaddress
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from bgpd.model.peer import Peer
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement
from bgpd.model.status import Condition

_ADDRESS_BITS: Final = {4: 32, 6: 128}
_NONE: Final[Mapping[Prefix, int]] = {}
_UNKNOWN: Final[Mapping[Prefix, Advertisement]] = {}
_Block = tuple[int, int, int]
"""First address, last address, length of the shortest prefix that may pass."""


class Fence:
    """The union of all pools, asked for one prefix at a time."""

    def __init__(self, pools: Iterable[Prefix], aggregates: Mapping[Prefix, int] = _NONE) -> None:
        """Let single addresses of *pools* pass, and in a block of *aggregates* what is as long.

        Raise `ValueError` for a block that is none, or that is in no pool.
        """
        networks = [ipaddress.ip_network(pool) for pool in pools]
        self._ranges = {version: _ranges(networks, version) for version in _ADDRESS_BITS}
        self._blocks = {version: self._permitted(aggregates, version) for version in _ADDRESS_BITS}
        self._verdicts: dict[Prefix, Reason | None] = {}

    def refusal(self, prefix: Prefix) -> Reason | None:
        """Return why *prefix* may not pass, or None."""
        if prefix not in self._verdicts:
            self._verdicts[prefix] = self._judge(prefix)
        return self._verdicts[prefix]

    def _judge(self, prefix: Prefix) -> Reason | None:
        try:
            network = ipaddress.ip_network(prefix)
        except ValueError:
            return Reason.OUTSIDE_POOLS
        first, last = int(network.network_address), int(network.broadcast_address)
        if first == last:
            return None if self._inside(network.version, first, last) else Reason.OUTSIDE_POOLS
        blocks = self._blocks[network.version]
        position = bisect_right(blocks, first, key=lambda block: block[0]) - 1
        if position < 0 or last > blocks[position][1] or network.prefixlen < blocks[position][2]:
            return Reason.PREFIX_TOO_SHORT
        return None

    def _inside(self, version: int, first: int, last: int) -> bool:
        starts, ends = self._ranges[version]
        position = bisect_right(starts, first) - 1
        return position >= 0 and last <= ends[position]

    def _permitted(self, aggregates: Mapping[Prefix, int], version: int) -> list[_Block]:
        found: list[_Block] = []
        for text, least in aggregates.items():
            block = ipaddress.ip_network(text)
            if block.version != version:
                continue
            first, last = int(block.network_address), int(block.broadcast_address)
            if not self._inside(version, first, last):
                raise ValueError(f"{text} is in no pool")
            found.append((first, last, least))
        return sorted(found)


def admit(
    wanted: Iterable[Prefix],
    *,
    peer: Peer,
    fence: Fence,
    present: AbstractSet[Prefix],
    known: Mapping[Prefix, Advertisement] = _UNKNOWN,
) -> tuple[tuple[Prefix, ...], tuple[Withheld, ...]]:
    """Return the prefixes of *wanted* that may go to *peer*, and those refused with reasons.

    At a prefix limit the larger priority goes first, as *known* has it. Among equals what is
    *present* on the wire already stays, and the rest is taken in order; so the choice does not
    depend on the order of arrival and nothing flaps.
    """
    refused: list[Withheld] = []
    passed: list[Prefix] = []
    for prefix in wanted:
        reason = fence.refusal(prefix)
        if reason is None:
            passed.append(prefix)
        else:
            refused.append(_withheld(prefix, peer, reason))
    limit = peer.max_prefixes
    if limit is None or len(passed) <= limit:
        return tuple(passed), tuple(refused)
    ranks = {prefix: known[prefix].priority if prefix in known else 0 for prefix in passed}
    passed.sort(key=lambda prefix: (-ranks[prefix], prefix not in present, prefix))
    refused += _without_room(passed[limit:], peer, ranks)
    return tuple(passed[:limit]), tuple(refused)


def limited(withheld: Iterable[Withheld]) -> int:
    """Return how many routes find no room at their peer."""
    return sum(one.reason is Reason.PREFIX_LIMIT for one in withheld)


def over_limit(withheld: Iterable[Withheld], peers: Iterable[Peer]) -> tuple[Condition, ...]:
    """Return a condition for each of *peers* that takes fewer prefixes than there are for it."""
    counts = Counter(one.peer for one in withheld if one.reason is Reason.PREFIX_LIMIT)
    return tuple(
        Condition(
            type=Reason.PREFIX_LIMIT.value,
            status=True,
            reason="TooManyPrefixes",
            message=(
                f"peer {one.name} takes {one.max_prefixes} of {one.max_prefixes + counts[one.name]}"
                f" prefixes ({_whose(one)}), so {counts[one.name]} of the least priority are "
                f"withheld, and its session stays; {_REMEDY}"
            ),
        )
        for one in sorted(peers, key=lambda one: one.name)
        if one.max_prefixes is not None and counts[one.name]
    )


_REMEDY: Final = (
    "give what must be heard a larger spec.priority in its BGPAdvertisement (0..1000), advertise "
    "fewer addresses to this peer, or have its limit raised and then spec.maxPrefixes"
)


def _whose(peer: Peer) -> str:
    """Return where the limit of *peer* comes from."""
    if not peer.document:
        return "BGPPeer spec.maxPrefixes"
    return f"the provider's limit, or spec.maxPrefixes, of BGPPeer {peer.document}"


_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.OUTSIDE_POOLS: "{prefix} is in no IPAddressPool; nothing else is advertised",
    Reason.PREFIX_TOO_SHORT: "{prefix} is more than a single address, and no BGPAdvertisement "
    "aggregates an IPAddressPool to prefixes as short as that one there",
}


def _withheld(prefix: Prefix, peer: Peer, reason: Reason) -> Withheld:
    message = _SENTENCES[reason].format(prefix=prefix)
    return Withheld(service="", prefix=prefix, reason=reason, message=message, peer=peer.name)


def _without_room(
    prefixes: Sequence[Prefix], peer: Peer, ranks: Mapping[Prefix, int]
) -> Iterator[Withheld]:
    """Yield why *peer* does not hear *prefixes*; there may be thousands, at every change."""
    head = (
        f"peer {peer.name} accepts at most {peer.max_prefixes} prefixes ({_whose(peer)}) and "
        f"{len(ranks)} are wanted; "
    )
    tail = f", is not among the first {peer.max_prefixes}; {_REMEDY}"
    for prefix in prefixes:
        message = f"{head}{prefix}, of priority {ranks[prefix]}{tail}"
        yield Withheld(
            service="", prefix=prefix, reason=Reason.PREFIX_LIMIT, message=message, peer=peer.name
        )


def _ranges(
    networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network], version: int
) -> tuple[list[int], list[int]]:
    """Return the sorted starts and inclusive ends of disjoint ranges that cover *networks*."""
    spans = sorted(
        (int(network.network_address), int(network.broadcast_address))
        for network in networks
        if network.version == version
    )
    starts: list[int] = []
    ends: list[int] = []
    for start, end in spans:
        if ends and start <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends
