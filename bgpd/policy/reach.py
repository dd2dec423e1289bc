"""What the advertisements of one pool say from one node: which prefixes, to whom, with what.

Resolved once for each configuration, so that a decision about one Service only looks up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from bgpd.model.cluster import EXCLUDE_LABEL, Node
from bgpd.model.configuration import BGPAdvertisement, BGPPeer, IPAddressPool, Weight
from bgpd.model.peer import Lever, Peer, PeerName
from bgpd.model.prefix import Family
from bgpd.model.route import RANK_STANDBY
from bgpd.policy import wish
from bgpd.policy.selector import matches_any
from bgpd.policy.standby import Contest

MOST_CARRIERS: Final = 16
"""With more nodes than that, another one lives for all practical purposes."""
HOST_LENGTH: Final = {Family.IPV4: 32, Family.IPV6: 128}
"""The length of a prefix that is a single address."""
_NOTHING_ADDED: Final[Mapping[PeerName, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one peer hears about an address: the attributes, merged from several advertisements."""

    peer: Peer
    length: int
    """Of the prefix that is offered: the address itself, or a block around it."""
    rank: int = 0
    med: int | None = None
    local_pref: int | None
    communities: tuple[str, ...]
    large_communities: tuple[str, ...]
    as_path_prepend: int
    priority: int = 0
    """Who goes first where the peer takes a limited number."""
    weighted: bool = False
    """Whether routers are told how many endpoints we have."""
    contest: Contest | None = None
    """Which node is the active one; None: all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the advertisements of one Service lead from this node, in one family."""

    offers: tuple[Offer, ...] = ()
    conflict: str | None = None
    """Why the advertisements cannot hold at once, in a sentence."""
    nodes: tuple[str, ...] | None = None
    """The nodes that they select, sorted; None: all of them."""


@dataclass(slots=True, kw_only=True)
class PoolRules:
    """The advertisements of one pool, seen from one node."""

    pool: str
    node: str = ""
    here: tuple[BGPAdvertisement, ...]
    """Those that select this node."""
    elsewhere: tuple[BGPAdvertisement, ...] = ()
    """Those that select only other nodes."""
    peers: tuple[Peer, ...]
    added: Mapping[PeerName, tuple[str, ...]] = field(default_factory=dict)
    """Communities that a peer's routes always have."""
    nodes: tuple[Node, ...] = ()
    """Every node of the cluster."""
    carrying: tuple[Node, ...] = ()
    """Those that may attract traffic and that have a speaker, as far as is known."""
    _reaches: dict[tuple[str, ...], Reach] = field(default_factory=dict, repr=False, compare=False)
    _carriers: dict[tuple[str, ...], tuple[str, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def matching(self, labels: Mapping[str, str]) -> tuple[BGPAdvertisement, ...]:
        """Return the advertisements of this node that want a Service with *labels*."""
        return tuple(one for one in self.here if matches_any(one.service_selectors, labels))

    def reach(self, advertisements: tuple[BGPAdvertisement, ...], family: Family) -> Reach:
        """Return what *advertisements* together offer; the answer is remembered."""
        key = (family, *(one.name for one in advertisements))
        found = self._reaches.get(key)
        if found is None:
            found = self._reaches[key] = self._reach(advertisements, family)
        return found

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

    def _reach(self, advertisements: Sequence[BGPAdvertisement], family: Family) -> Reach:
        offers: list[Offer] = []
        for peer in self.peers:
            mine = [one for one in advertisements if names_peer(one, peer)]
            for length, rules in _by_length(mine, family):
                conflict = _conflict(rules, peer)
                if conflict is not None:
                    return Reach(conflict=conflict)
                offers.append(self._offer(peer, length, rules, family))
        return Reach(offers=tuple(offers), nodes=_selected(advertisements, self.nodes))

    def _offer(
        self, peer: Peer, length: int, rules: Sequence[BGPAdvertisement], family: Family
    ) -> Offer:
        rank, med, local_pref = self._preference(peer, length, rules, family)
        prepend = wish.prepend_of(rules)
        return Offer(
            peer=peer,
            length=length,
            rank=rank,
            med=med,
            local_pref=local_pref,
            communities=_union(
                (self.added.get(peer.name, ()), *(rule.communities for rule in rules))
            ),
            large_communities=_union(rule.large_communities for rule in rules),
            as_path_prepend=0 if wish.lever_of(peer) is Lever.AS_PATH else prepend,
            priority=max(rule.priority for rule in rules),
            weighted=any(rule.weight is Weight.ENDPOINTS for rule in rules),
            contest=self._contest(rules),
        )

    def _preference(
        self, peer: Peer, length: int, rules: Sequence[BGPAdvertisement], family: Family
    ) -> tuple[int, int | None, int | None]:
        """Return rank, MED and local preference: what the lever carries becomes the rank."""
        med, own = wish.med_of(rules), rules[0].local_pref or None
        match wish.lever_of(peer):
            case Lever.MED:
                return min(med or 0, RANK_STANDBY), None, own
            case Lever.LOCAL_PREF:
                # Every node takes the same base, whatever it may itself advertise.
                best = max(
                    wish.local_pref(one)
                    for one in (*self.here, *self.elsewhere)
                    if length_in(one, family) == length and names_peer(one, peer)
                )
                rank = min(best - wish.local_pref(rules[0]), RANK_STANDBY)
                return rank, med, best if rank else own
            case Lever.AS_PATH | Lever.ORIGIN | Lever.NONE:
                return 0, med, own
            case other:
                assert_never(other)

    def _contest(self, rules: Sequence[BGPAdvertisement]) -> Contest | None:
        wanted = wish.standby_of(rules)
        if wanted is None:
            return None
        nodes = (
            node
            for node in self.carrying
            if any(matches_any(rule.node_selectors, node.labels) for rule in rules)
        )
        return Contest(self.node, nodes, wanted.preferred_nodes)


NO_RULES: Final = PoolRules(pool="", here=(), peers=())
"""What holds for a pool that no advertisement names."""


def rules_of(  # noqa: PLR0913 - the nodes matter to some advertisements only
    node: Node,
    pools: Iterable[IPAddressPool],
    advertisements: Sequence[BGPAdvertisement],
    peers: tuple[Peer, ...],
    *,
    nodes: tuple[Node, ...] = (),
    members: Collection[str] = (),
    added: Mapping[PeerName, tuple[str, ...]] = _NOTHING_ADDED,
) -> dict[str, PoolRules]:
    """Return the rules of each pool; *nodes* are all of the cluster, *members* those that speak."""
    found: dict[str, PoolRules] = {}
    carrying = tuple(one for one in nodes if may_attract(one) and one.name in members)
    for pool in pools:
        about = [one for one in advertisements if names_pool(one, pool)]
        here = [one for one in about if matches_any(one.node_selectors, node.labels)]
        names = {one.name for one in here}
        found[pool.name] = PoolRules(
            pool=pool.name,
            node=node.name,
            here=tuple(here),
            elsewhere=tuple(one for one in about if one.name not in names),
            peers=peers,
            added=added,
            nodes=nodes,
            carrying=carrying,
        )
    return found


def may_attract(node: Node) -> bool:
    """Return whether *node* attracts traffic at all."""
    return not node.network_unavailable and EXCLUDE_LABEL not in node.labels


def names_pool(advertisement: BGPAdvertisement, pool: IPAddressPool) -> bool:
    """Return whether *advertisement* is about the addresses of *pool*."""
    if pool.name in advertisement.pools:
        return True
    if advertisement.pool_selectors:
        return matches_any(advertisement.pool_selectors, pool.labels)
    return not advertisement.pools


def names_peer(advertisement: BGPAdvertisement, peer: Peer | BGPPeer) -> bool:
    """Return whether *advertisement* is for *peer*: it may name the document of its provider."""
    names = advertisement.peers
    return not names or peer.name in names or (bool(peer.document) and peer.document in names)


def length_in(advertisement: BGPAdvertisement, family: Family) -> int:
    """Return the length of the prefixes that *advertisement* makes of addresses of *family*."""
    if family is Family.IPV6:
        return advertisement.aggregation_length_v6
    return advertisement.aggregation_length


def _by_length(
    advertisements: Iterable[BGPAdvertisement], family: Family
) -> Iterator[tuple[int, list[BGPAdvertisement]]]:
    """Yield *advertisements* by the prefixes that they make, single addresses first."""
    found: dict[int, list[BGPAdvertisement]] = {}
    for one in advertisements:
        found.setdefault(length_in(one, family), []).append(one)
    yield from sorted(found.items(), reverse=True)


def _conflict(rules: Sequence[BGPAdvertisement], peer: Peer) -> str | None:
    for index, other in enumerate(rules):
        for one in rules[:index]:
            sentence = wish.disagreement(one, other, peer.name)
            if sentence is not None:
                return sentence
    return None


def _selected(
    advertisements: Sequence[BGPAdvertisement], nodes: Sequence[Node]
) -> tuple[str, ...] | None:
    found = tuple(
        sorted(
            one.name
            for one in nodes
            if may_attract(one)
            and any(matches_any(rule.node_selectors, one.labels) for rule in advertisements)
        )
    )
    return None if len(found) == len(nodes) else found


def _union(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({one for found in lists for one in found}))
