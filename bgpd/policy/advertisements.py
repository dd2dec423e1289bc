"""Which advertisements hold on this node, and what a person should know of those that do not.

What is new or edited is refused where it cannot hold, and the last good version stays. What was
accepted before is never refused because something else changed beside it: it is fitted, and said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPAdvertisement, IPAddressPool
from bgpd.model.peer import Peer
from bgpd.model.prefix import Family, Prefix, family_of
from bgpd.policy import wish
from bgpd.policy.admission import Admission, admit
from bgpd.policy.communities import Aliases
from bgpd.policy.reach import HOST_LENGTH, length_in, names_peer, names_pool
from bgpd.policy.selector import matches_any

_FIELDS = {Family.IPV4: "aggregationLength", Family.IPV6: "aggregationLengthV6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an advertisement has to fit to, on one node."""

    node: Node
    pools: Sequence[IPAddressPool]
    peers: Sequence[Peer]
    aliases: Aliases


def admit_advertisements(
    wanted: Iterable[BGPAdvertisement],
    in_force: Mapping[str, BGPAdvertisement],
    around: Surroundings,
) -> Admission[BGPAdvertisement]:
    """Return the advertisements that hold together on a node.

    Two that reach one pool, one peer and every Service must agree on what goes with the same
    prefix. With service selectors the question is asked for each Service.
    """

    def clash(candidate: BGPAdvertisement, others: Sequence[BGPAdvertisement]) -> str | None:
        sentence = next(_clashes(candidate, others, around), None)
        if sentence is not None or in_force.get(candidate.name) == candidate:
            return sentence
        misfits = (*_misfits(candidate, around), *_too_far_apart(candidate, others, around))
        return next(iter(misfits), None)

    return admit(wanted, in_force, clash)


def fitted(advertisements: Iterable[BGPAdvertisement], around: Surroundings) -> Iterator[str]:
    """Yield a sentence for each of *advertisements* that would be refused if it were new."""
    before: list[BGPAdvertisement] = []
    for one in advertisements:
        yield from _misfits(one, around)
        yield from _too_far_apart(one, before, around)
        before.append(one)


def aggregates_of(
    advertisements: Iterable[BGPAdvertisement], pools: Iterable[IPAddressPool], node: Node
) -> dict[Prefix, int]:
    """Return how short a prefix may be inside each block of *pools*, where not single addresses."""
    here = [one for one in advertisements if matches_any(one.node_selectors, node.labels)]
    found: dict[Prefix, int] = {}
    for pool in pools:
        rules = [one for one in here if names_pool(one, pool)]
        if not rules:
            continue
        shortest = {family: min(length_in(one, family) for one in rules) for family in Family}
        for block in pool.prefixes:
            family = family_of(block)
            least = max(shortest[family], length_of(block))
            if least < HOST_LENGTH[family]:
                found[block] = least
    return found


def length_of(prefix: Prefix) -> int:
    """Return the length of *prefix*."""
    return int(prefix.rpartition("/")[2])


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


def _misfits(advertisement: BGPAdvertisement, around: Surroundings) -> Iterator[str]:
    for alias in around.aliases.unknown(advertisement):
        yield (
            f"BGPAdvertisement {advertisement.name}: spec.communities names {alias}, which is no "
            "community and which no Community document defines; correct the name or define it"
        )
    for pool in around.pools:
        if names_pool(advertisement, pool):
            yield from _too_short(advertisement, pool)
    if matches_any(advertisement.node_selectors, around.node.labels):
        for peer in around.peers:
            if names_peer(advertisement, peer):
                sentence = wish.misfit(advertisement, peer)
                if sentence is not None:
                    yield sentence


def _too_short(advertisement: BGPAdvertisement, pool: IPAddressPool) -> Iterator[str]:
    """Yield why an aggregate would reach beyond an entry of *pool*."""
    for block in pool.largest or pool.prefixes:
        family = family_of(block)
        length = length_in(advertisement, family)
        if length < length_of(block):
            yield (
                f"BGPAdvertisement {advertisement.name}: spec.{_FIELDS[family]} {length}: must be "
                f"{length_of(block)}..{HOST_LENGTH[family]}, because {block} is the largest block "
                f"of an entry of IPAddressPool {pool.name}"
            )
            return


def _clashes(
    candidate: BGPAdvertisement, others: Sequence[BGPAdvertisement], around: Surroundings
) -> Iterator[str]:
    if _selective(candidate, around.node):
        return
    for other in others:
        if _selective(other, around.node):
            continue
        for pool, peer in _shared(candidate, other, around):
            sentence = wish.disagreement(candidate, other, peer.name)
            if sentence is not None:
                yield f"{sentence}, for every address of IPAddressPool {pool.name}"


def _too_far_apart(
    candidate: BGPAdvertisement, others: Sequence[BGPAdvertisement], around: Surroundings
) -> Iterator[str]:
    """Yield why the preferences of two, which may select different nodes, cannot be ranks."""
    for other in others:
        for _, peer in _shared(candidate, other, around):
            sentence = wish.too_far_apart(candidate, other, peer)
            if sentence is not None:
                yield sentence


def _shared(
    one: BGPAdvertisement, other: BGPAdvertisement, around: Surroundings
) -> Iterator[tuple[IPAddressPool, Peer]]:
    """Yield each peer to which both lead, with a pool of which both make the same prefixes."""
    pool = next((pool for pool in around.pools if _same_routes(one, other, pool)), None)
    if pool is None:
        return
    for peer in sorted(around.peers, key=lambda peer: peer.name):
        if names_peer(one, peer) and names_peer(other, peer):
            yield pool, peer


def _same_routes(one: BGPAdvertisement, other: BGPAdvertisement, pool: IPAddressPool) -> bool:
    """Return whether both make the same prefixes of some address of *pool*."""
    if not (names_pool(one, pool) and names_pool(other, pool)):
        return False
    families = {family_of(block) for block in pool.prefixes}
    return any(length_in(one, family) == length_in(other, family) for family in families)


def _selective(advertisement: BGPAdvertisement, node: Node) -> bool:
    return bool(advertisement.service_selectors) or not matches_any(
        advertisement.node_selectors, node.labels
    )
