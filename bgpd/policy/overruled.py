"""Where a router decides before it looks at the lever: there a dead node keeps its traffic.

RFC 4271 (section 9.1.2.2) compares local preference first, then the length of the AS path, then
ORIGIN, then MED. If nodes differ in something that is compared before the lever, the generation
of the survivors is never looked at.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPAdvertisement, IPAddressPool
from bgpd.model.peer import Lever, Peer
from bgpd.model.prefix import family_of
from bgpd.policy import wish
from bgpd.policy.reach import length_in, may_attract, names_peer, names_pool
from bgpd.policy.selector import matches_any

_BEFORE_PREPEND: Final = frozenset({Lever.LOCAL_PREF, Lever.AS_PATH, Lever.NONE})
"""Levers that are compared no later than the AS path, or that nobody compares."""
_BEFORE_LOCAL_PREF: Final = frozenset({Lever.LOCAL_PREF, Lever.NONE})
_Finding: TypeAlias = tuple[tuple[str, str], str]
"""The peer and the attribute, and the sentence about them."""


def overruled(
    advertisements: Iterable[BGPAdvertisement],
    pools: Iterable[IPAddressPool],
    peers: Iterable[Peer],
    nodes: Iterable[Node],
) -> Iterator[str]:
    """Yield a sentence for each peer whose router would decide before it sees the generation.

    It is said of one pool, and once for both families: a person who mends it finds the others.
    """
    said: set[tuple[str, str]] = set()
    for what, sentence in _overruled(tuple(advertisements), pools, tuple(peers), tuple(nodes)):
        if what not in said:
            said.add(what)
            yield sentence


def _overruled(
    advertisements: tuple[BGPAdvertisement, ...],
    pools: Iterable[IPAddressPool],
    peers: tuple[Peer, ...],
    nodes: tuple[Node, ...],
) -> Iterator[_Finding]:
    if not any(one.as_path_prepend or one.local_pref for one in advertisements):
        return
    kinds = _kinds(advertisements, nodes)
    for pool in pools:
        about = [one for one in advertisements if names_pool(one, pool) and _for_all(one)]
        for family in sorted({family_of(block) for block in pool.prefixes}):
            for peer in peers:
                mine = [one for one in about if names_peer(one, peer)]
                for length in sorted({length_in(one, family) for one in mine}):
                    same = [one for one in mine if length_in(one, family) == length]
                    yield from _of_peer(peer, pool, _by_node(same, kinds))


def _for_all(advertisement: BGPAdvertisement) -> bool:
    return not advertisement.service_selectors


def _kinds(
    advertisements: Iterable[BGPAdvertisement], nodes: Iterable[Node]
) -> dict[frozenset[str], str]:
    """Return the first node for each set of advertisements that select one: there are few sets."""
    found: dict[frozenset[str], str] = {}
    advertisements = tuple(advertisements)
    for node in nodes:
        if may_attract(node):
            names = frozenset(
                one.name for one in advertisements if matches_any(one.node_selectors, node.labels)
            )
            found.setdefault(names, node.name)
    return found


def _by_node(
    advertisements: Iterable[BGPAdvertisement], kinds: Mapping[frozenset[str], str]
) -> dict[str, list[BGPAdvertisement]]:
    advertisements = tuple(advertisements)
    found = {
        node: [one for one in advertisements if one.name in names] for names, node in kinds.items()
    }
    return {node: rules for node, rules in found.items() if rules}


def _of_peer(
    peer: Peer, pool: IPAddressPool, by_node: Mapping[str, list[BGPAdvertisement]]
) -> Iterator[_Finding]:
    lever = wish.lever_of(peer)
    if peer.internal and lever not in _BEFORE_LOCAL_PREF:
        prefs = {name: wish.local_pref(rules[0]) for name, rules in by_node.items()}
        yield from _differ("local preference", prefs, peer, pool)
    if lever not in _BEFORE_PREPEND:
        prepends = {name: wish.prepend_of(rules) for name, rules in by_node.items()}
        yield from _differ("AS path prepend", prepends, peer, pool)


def _differ(
    what: str, values: Mapping[str, int], peer: Peer, pool: IPAddressPool
) -> Iterator[_Finding]:
    if len(set(values.values())) < 2:
        return
    one = min(values, key=lambda name: (values[name], name))
    other = max(values, key=lambda name: (values[name], name))
    sentence = (
        f"BGPPeer {peer.name} hears the addresses of IPAddressPool {pool.name} with {what} "
        f"{values[one]} from node {one} and {values[other]} from {other}; routers compare that "
        f"before the takeover lever {peer.lever.value}, so the better of them keeps its traffic "
        "after its death until the hold timer ends; give all nodes the same, or prefer nodes by "
        "the lever's own attribute or by spec.distribution activeStandby"
    )
    yield (peer.name, what), sentence
