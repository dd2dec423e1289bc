"""Which advertisements reach which pool from this node, and with what.

Resolved once for each configuration, so that a decision about one Service only looks up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from bgpd.model.cluster import EXCLUDE_LABEL, Node
from bgpd.model.configuration import BGPAdvertisement, IPAddressPool
from bgpd.model.peer import Peer, PeerName
from bgpd.policy.admission import Admission, admit
from bgpd.policy.selector import matches_any

MOST_CARRIERS: Final = 16
"""With more nodes than that, another one lives for all practical purposes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one peer hears about an address: the attributes, merged from several advertisements."""

    peer: Peer
    local_pref: int | None
    communities: tuple[str, ...]
    large_communities: tuple[str, ...]
    as_path_prepend: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the advertisements of one Service lead from this node."""

    offers: tuple[Offer, ...] = ()
    conflict: str | None = None
    """Why the advertisements cannot hold at once, in a sentence."""
    nodes: tuple[str, ...] | None = None
    """The nodes that they select, sorted; None: all of them."""


@dataclass(slots=True, kw_only=True)
class PoolRules:
    """The advertisements of one pool, seen from one node."""

    pool: str
    here: tuple[BGPAdvertisement, ...]
    """Those that select this node."""
    elsewhere: tuple[str, ...]
    """Names of those that select only other nodes."""
    peers: tuple[Peer, ...]
    nodes: tuple[Node, ...] = ()
    """Every node of the cluster."""
    _reaches: dict[tuple[str, ...], Reach] = field(default_factory=dict, repr=False, compare=False)
    _carriers: dict[tuple[str, ...], tuple[str, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def matching(self, labels: Mapping[str, str]) -> tuple[BGPAdvertisement, ...]:
        """Return the advertisements of this node that want a Service with *labels*."""
        return tuple(one for one in self.here if matches_any(one.service_selectors, labels))

    def reach(self, advertisements: tuple[BGPAdvertisement, ...]) -> Reach:
        """Return what *advertisements* together offer; the answer is remembered."""
        names = tuple(one.name for one in advertisements)
        if names not in self._reaches:
            nodes = _selected(advertisements, self.nodes)
            self._reaches[names] = replace(_reach(advertisements, self.peers), nodes=nodes)
        return self._reaches[names]

    def carriers(self, reach: Reach, serving: Iterable[str] | None) -> tuple[str, ...] | None:
        """Return the nodes that advertise an address; *serving* has local endpoints, if it matters.

        Equal answers are one value, so that ten thousand of them take no room. Many carriers are
        as good as all.
        """
        if serving is None:
            nodes = reach.nodes
        else:
            found = {name for name in serving if name}
            nodes = tuple(sorted(found if reach.nodes is None else found.intersection(reach.nodes)))
        if nodes is None or len(nodes) > MOST_CARRIERS:
            return None
        return self._carriers.setdefault(nodes, nodes)


NO_RULES: Final = PoolRules(pool="", here=(), elsewhere=(), peers=())
"""What holds for a pool that no advertisement names."""


def rules_of(
    node: Node,
    pools: Iterable[IPAddressPool],
    advertisements: Sequence[BGPAdvertisement],
    peers: tuple[Peer, ...],
    *,
    nodes: tuple[Node, ...] = (),
) -> dict[str, PoolRules]:
    """Return the rules of each pool; *nodes* are all of the cluster."""
    found: dict[str, PoolRules] = {}
    for pool in pools:
        about = [one for one in advertisements if _names_pool(one, pool)]
        here = [one for one in about if matches_any(one.node_selectors, node.labels)]
        names = {one.name for one in here}
        found[pool.name] = PoolRules(
            pool=pool.name,
            here=tuple(here),
            elsewhere=tuple(one.name for one in about if one.name not in names),
            peers=peers,
            nodes=nodes,
        )
    return found


def _selected(
    advertisements: Sequence[BGPAdvertisement], nodes: Sequence[Node]
) -> tuple[str, ...] | None:
    found = tuple(
        sorted(
            one.name
            for one in nodes
            if not one.network_unavailable
            and EXCLUDE_LABEL not in one.labels
            and any(matches_any(rule.node_selectors, one.labels) for rule in advertisements)
        )
    )
    return None if len(found) == len(nodes) else found


def admit_advertisements(
    wanted: Iterable[BGPAdvertisement],
    in_force: Mapping[str, BGPAdvertisement],
    *,
    node: Node,
    pools: Sequence[IPAddressPool],
    peers: AbstractSet[PeerName],
) -> Admission[BGPAdvertisement]:
    """Return the advertisements that hold together on *node*.

    Two that reach one pool, one peer and every Service must agree on the local preference. With
    service selectors the question is asked for each Service.
    """

    def clash(candidate: BGPAdvertisement, others: Sequence[BGPAdvertisement]) -> str | None:
        if _selective(candidate, node):
            return None
        for other in others:
            if other.local_pref == candidate.local_pref or _selective(other, node):
                continue
            pool = next(
                (p for p in pools if _names_pool(candidate, p) and _names_pool(other, p)), None
            )
            peer = next(
                (p for p in sorted(peers) if _names_peer(candidate, p) and _names_peer(other, p)),
                None,
            )
            if pool is not None and peer is not None:
                return (
                    f"{_disagreement(candidate, other, peer)}, for every address of "
                    f"IPAddressPool {pool.name}"
                )
        return None

    return admit(wanted, in_force, clash)


def dangling(
    advertisements: Iterable[BGPAdvertisement],
    pools: AbstractSet[str],
    peers: AbstractSet[str],
) -> Iterator[str]:
    """Yield a sentence for each name of a pool or a peer that nobody has."""
    for one in advertisements:
        for field_, kind, names, known in (
            ("ipAddressPools", "IPAddressPool", one.pools, pools),
            ("peers", "BGPPeer", one.peers, peers),
        ):
            for name in names:
                if name not in known:
                    yield (
                        f"BGPAdvertisement {one.name}: spec.{field_} names {kind} {name}, which "
                        "does not exist; correct the name or add it"
                    )


def _selective(advertisement: BGPAdvertisement, node: Node) -> bool:
    return bool(advertisement.service_selectors) or not matches_any(
        advertisement.node_selectors, node.labels
    )


def _names_pool(advertisement: BGPAdvertisement, pool: IPAddressPool) -> bool:
    if pool.name in advertisement.pools:
        return True
    if advertisement.pool_selectors:
        return matches_any(advertisement.pool_selectors, pool.labels)
    return not advertisement.pools


def _names_peer(advertisement: BGPAdvertisement, peer: PeerName) -> bool:
    return not advertisement.peers or peer in advertisement.peers


def _reach(advertisements: Sequence[BGPAdvertisement], peers: Sequence[Peer]) -> Reach:
    offers: list[Offer] = []
    for peer in peers:
        rules = [one for one in advertisements if _names_peer(one, peer.name)]
        if not rules:
            continue
        other = next((one for one in rules if one.local_pref != rules[0].local_pref), None)
        if other is not None:
            return Reach(conflict=_disagreement(rules[0], other, peer.name))
        offers.append(_offer(peer, rules))
    return Reach(offers=tuple(offers))


def _offer(peer: Peer, rules: Sequence[BGPAdvertisement]) -> Offer:
    return Offer(
        peer=peer,
        local_pref=rules[0].local_pref or None,
        communities=_union(rule.communities for rule in rules),
        large_communities=_union(rule.large_communities for rule in rules),
        as_path_prepend=max(rule.as_path_prepend for rule in rules),
    )


def _union(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({one for found in lists for one in found}))


def _disagreement(one: BGPAdvertisement, other: BGPAdvertisement, peer: str) -> str:
    return (
        f"BGPAdvertisement {one.name} wants local preference {one.local_pref or 'unset'} and "
        f"BGPAdvertisement {other.name} {other.local_pref or 'unset'} towards BGPPeer {peer}; "
        "give both the same spec.localPref, or let them reach different peers"
    )
