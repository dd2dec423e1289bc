"""The last gate before the wire: what is refused whatever the agent says.

A prefix outside the configured pools, shorter than a single address, for a peer that nobody
configured, or beyond a peer's prefix limit never reaches the wire: it is refused, counted and
shown. The gate trusts nothing but the pools and the peers.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from bgpd.model.peer import Peer
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld

_ADDRESS_BITS: Final = {4: 32, 6: 128}


class Fence:
    """The union of all pools, asked for one prefix at a time."""

    def __init__(self, pools: Iterable[Prefix]) -> None:
        networks = [ipaddress.ip_network(pool) for pool in pools]
        self._ranges = {version: _ranges(networks, version) for version in _ADDRESS_BITS}
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
        if network.prefixlen < _ADDRESS_BITS[network.version]:
            return Reason.PREFIX_TOO_SHORT
        starts, ends = self._ranges[network.version]
        address = int(network.network_address)
        position = bisect_right(starts, address) - 1
        return None if position >= 0 and address <= ends[position] else Reason.OUTSIDE_POOLS


def admit(
    wanted: Iterable[Prefix], *, peer: Peer, fence: Fence, present: AbstractSet[Prefix]
) -> tuple[tuple[Prefix, ...], tuple[Withheld, ...]]:
    """Return the prefixes of *wanted* that may go to *peer*, and those refused with reasons.

    At a prefix limit, what is *present* on the wire already stays, and the rest is taken in
    order; so the choice does not depend on the order of arrival and nothing flaps.
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
    passed.sort(key=lambda prefix: (prefix not in present, prefix))
    refused += [_withheld(prefix, peer, Reason.PREFIX_LIMIT) for prefix in passed[limit:]]
    return tuple(passed[:limit]), tuple(refused)


_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.OUTSIDE_POOLS: "{prefix} is in no IPAddressPool; nothing else is advertised",
    Reason.PREFIX_TOO_SHORT: "{prefix} is not a single address; only /32 and /128 are advertised",
    Reason.PREFIX_LIMIT: "peer {peer} accepts at most {limit} prefixes (BGPPeer spec.maxPrefixes)",
}


def _withheld(prefix: Prefix, peer: Peer, reason: Reason) -> Withheld:
    message = _SENTENCES[reason].format(prefix=prefix, peer=peer.name, limit=peer.max_prefixes)
    return Withheld(service="", prefix=prefix, reason=reason, message=message, peer=peer.name)


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
