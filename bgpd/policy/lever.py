"""The lever: how generation and rank become a path attribute that the router compares.

Every route carries the cluster's generation and a rank within it. Any path of generation g + 1
must beat any path of generation g, whatever the ranks, and within one generation the lower rank
must win (RFC 4271, section 9.1.2.2, compares the lowest MED and the shortest AS path).

| lever       | attribute                                   | room for ranks |
| ----------- | ------------------------------------------- | -------------- |
| `med`       | MED = 2^31 - 256 x generation + rank         | yes            |
| `localPref` | LOCAL_PREF = base + 256 x generation - rank  | yes (iBGP)     |
| `asPath`    | 2 - generation mod 3 extra copies of our ASN | no             |
| `origin`    | ORIGIN = 2 - generation mod 3                | no             |
| `none`      | nothing                                     | no             |

A peer with `takeover: Never` hears ranks, added to what the user wants, and no generation.

A lever without room for ranks says nothing of a standby: it is withheld as long as a node that
comes before it carries routes to that peer (`Stance.present`).

The two levers with three steps wrap. A wrap makes everybody's paths worse at once, so a path
that a dead node left behind would win again: `effective_generation` holds the wrap back while
a listed member is unheard.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.model.peer import Lever, Peer, Takeover
from bgpd.model.prefix import Address, Family, Prefix, family_of
from bgpd.model.reason import Reason
from bgpd.model.route import (
    GRACEFUL_SHUTDOWN,
    RANK_NORMAL,
    RANK_SLOW_START,
    Advertisement,
    Attributes,
    Origin,
)

BASE: Final = 2**31
"""MED of generation 0 and rank 0: half of the attribute's range."""
STRIDE: Final = 256
"""Distance between two generations: one more than the worst rank."""
LOCAL_PREF_BASE: Final = 100
"""The local preference that routers assume when none is given."""
STEPS: Final = 3
"""How many values `asPath` and `origin` have before they wrap."""
MAX_GENERATION: Final = BASE // STRIDE - 1
"""The last generation that a MED can express; 8 million raises away."""

_MOST: Final = 2**32 - 1
"""The greatest MED and local preference (RFC 4271, section 4.3)."""
_MOST_BASE: Final = _MOST - STRIDE * MAX_GENERATION
"""The greatest base of a local preference that has room for every generation above it."""

RANKED: Final = frozenset({Lever.MED, Lever.LOCAL_PREF})
"""Levers that can say "worse, but still here"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What the speaker as a whole says with every route right now."""

    generation: int
    floor: int = 0
    """Least rank of every route: 250 in doubt, 255 while draining, else 0."""
    as_is: frozenset[Prefix] = frozenset()
    """While we drain, the prefixes that do not yet: for them the least rank is `as_is_floor`."""
    as_is_floor: int = 0
    withdrawn: frozenset[Prefix] = frozenset()
    """While we drain, the prefixes whose traffic was moved to others."""
    others: frozenset[str] = frozenset()
    """While we drain, the members that stay: GRACEFUL_SHUTDOWN (RFC 8326) goes with each route
    that one of them carries, too."""
    withdraw_unranked: bool = True
    """Whether a peer whose lever has no ranks is withdrawn from instead of ranked in doubt."""
    better: frozenset[str] | None = None
    """While we are in doubt, the members that are not: what none of them carries stays there, too.
    None: whoever carries it is taken to be one."""
    present: frozenset[str] = frozenset()
    """Of the nodes that come before us somewhere, those that this peer hears, too."""
    unranked: bool = False
    """Whether the ranks are those of a lever to come: with the present one they mean nothing."""


Verdict: TypeAlias = Attributes | Reason


def effective_generation(previous: int, generation: int, *, unheard: bool) -> int:
    """Return the generation that a lever with three steps may express now.

    *previous* is what it expressed last; *unheard* says that a listed member is silent. Only a
    person's reset lowers the generation: all follow at once, or they would express unlike ones.
    """
    if unheard and generation // STEPS > previous // STEPS:
        return previous // STEPS * STEPS + STEPS - 1
    return generation


def attributes(advertisement: Advertisement, peer: Peer, stance: Stance) -> Verdict:
    """Return the attributes that *advertisement* carries to *peer*, or why it cannot go."""
    next_hop = next_hop_of(peer, family_of(advertisement.prefix))
    if next_hop is None:
        return Reason.FAMILY_NOT_NEGOTIATED
    own = _own_rank(advertisement, peer, stance)
    rank = max(own, stance.floor)
    stands_by = 0 < own < RANK_SLOW_START
    if rank and peer.lever not in RANKED and (stands_by or _withdraws(advertisement, stance)):
        return Reason.STANDBY
    communities = advertisement.communities
    if carried_by(stance.others, advertisement):
        communities = tuple(sorted({*communities, GRACEFUL_SHUTDOWN}))
    if peer.takeover is Takeover.NEVER:
        lever = Lever.NONE
        med, local_pref = _plain(advertisement, peer, rank)
    else:
        lever = peer.lever
        med = _med(advertisement, lever, stance.generation, rank)
        local_pref = _local_pref(advertisement, peer, lever, stance.generation, rank)
    step = STEPS - 1 - stance.generation % STEPS
    return Attributes(
        next_hop=next_hop,
        origin=Origin(step) if lever is Lever.ORIGIN else Origin.IGP,
        med=med,
        local_pref=local_pref,
        communities=communities,
        large_communities=advertisement.large_communities,
        as_path_prepend=advertisement.as_path_prepend + (step if lever is Lever.AS_PATH else 0),
        link_bandwidth=advertisement.link_bandwidth,
    )


def _own_rank(advertisement: Advertisement, peer: Peer, stance: Stance) -> int:
    """Return the rank that the agent wants, unless all who come before us are gone."""
    if stance.unranked and advertisement.rank < RANK_SLOW_START:
        return RANK_NORMAL
    if peer.lever in RANKED or not advertisement.ahead:
        return advertisement.rank
    return advertisement.rank if stance.present.intersection(advertisement.ahead) else RANK_NORMAL


def _withdraws(advertisement: Advertisement, stance: Stance) -> bool:
    """Return whether doubt, where it cannot be said, takes the route back."""
    left = stance.better is None or carried_by(stance.better, advertisement)
    return stance.withdraw_unranked and left


def carried_by(others: AbstractSet[str], advertisement: Advertisement) -> bool:
    """Return whether one of *others* carries the prefix, too."""
    if advertisement.carriers is None:
        return bool(others)
    return not others.isdisjoint(advertisement.carriers)


def step_of(said: Attributes, advertisement: Advertisement, lever: Lever) -> int | None:
    """Return which of its three steps *lever* is at in what was *said*; None: it is at none."""
    step = -1
    if lever is Lever.ORIGIN:
        step = int(said.origin)
    elif lever is Lever.AS_PATH:
        step = said.as_path_prepend - advertisement.as_path_prepend
    return step if 0 <= step < STEPS else None


def next_hop_of(peer: Peer, family: Family) -> Address | None:
    """Return our next hop for *family* at *peer*, or None when the family is not spoken."""
    if family not in peer.families:
        return None
    explicit = peer.next_hop_v6 if family is Family.IPV6 else peer.next_hop_v4
    if explicit is not None:
        return explicit
    if family_of(peer.local_address) is family:
        return peer.local_address
    # RFC 8950: IPv4 routes may carry the IPv6 source; the reverse has no encoding.
    return peer.local_address if family is Family.IPV4 else None


def _plain(advertisement: Advertisement, peer: Peer, rank: int) -> tuple[int | None, int | None]:
    """Return MED and local preference with a rank, but without a generation."""
    med, local_pref = advertisement.med, _local_pref(advertisement, peer, Lever.NONE, 0, 0)
    if rank and peer.lever is Lever.MED:
        med = min((med or 0) + rank, _MOST)
    if rank and peer.lever is Lever.LOCAL_PREF and local_pref is not None:
        local_pref = max(local_pref - rank, 0)
    return med, local_pref


def _med(advertisement: Advertisement, lever: Lever, generation: int, rank: int) -> int | None:
    if lever is not Lever.MED:
        return advertisement.med
    return BASE - STRIDE * min(generation, MAX_GENERATION) + rank


def _local_pref(
    advertisement: Advertisement, peer: Peer, lever: Lever, generation: int, rank: int
) -> int | None:
    if not peer.internal:
        return None
    base = LOCAL_PREF_BASE if advertisement.local_pref is None else advertisement.local_pref
    if lever is not Lever.LOCAL_PREF:
        return base
    # Who stands by has a worse rank, and the same base: no order is lost where it is cut.
    return min(base, _MOST_BASE) + STRIDE * min(generation, MAX_GENERATION) - rank
