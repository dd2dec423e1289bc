"""What a user's preference means on a peer whose takeover uses the same attribute: a rank.

The lever's attribute carries the generation, so a number of the user's cannot stand there as it is.
It becomes a rank within the generation, which every router compares in the same way:

| lever       | `med`          | `localPref`                               | `asPathPrepend` |
| ----------- | -------------- | ----------------------------------------- | --------------- |
| `med`       | rank, 0..200   | as it is                                  | as it is        |
| `localPref` | as it is       | how much it is below the greatest, 0..200 | as it is        |
| `asPath`    | as it is       | as it is                                  | refused         |
| others      | as it is       | as it is                                  | as it is        |

A peer with `takeover: Never` hears no generation, so everything goes out as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from bgpd.model.configuration import BGPAdvertisement, Distribution
from bgpd.model.peer import Lever, Peer, Takeover
from bgpd.model.route import RANK_STANDBY

USUAL_LOCAL_PREF: Final = 100
"""What a router takes where no local preference is given."""


def lever_of(peer: Peer) -> Lever:
    """Return the attribute that carries the generation to *peer*."""
    return Lever.NONE if peer.takeover is Takeover.NEVER else peer.lever


def misfit(advertisement: BGPAdvertisement, peer: Peer) -> str | None:
    """Return why *peer*'s lever has no room for what *advertisement* wants, in a sentence."""
    lever = lever_of(peer)
    if lever is Lever.MED and (advertisement.med or 0) > RANK_STANDBY:
        return (
            f"BGPAdvertisement {advertisement.name}: spec.med {advertisement.med}: must be "
            f"0..{RANK_STANDBY}, because BGPPeer {peer.name} has the takeover lever med, where it "
            "is a rank within the generation; choose another, or another lever"
        )
    if lever is Lever.AS_PATH and advertisement.as_path_prepend:
        return (
            f"BGPAdvertisement {advertisement.name}: spec.asPathPrepend "
            f"{advertisement.as_path_prepend}: has no room beside the takeover lever asPath of "
            f"BGPPeer {peer.name}; remove it, or choose another lever"
        )
    return None


def too_far_apart(one: BGPAdvertisement, other: BGPAdvertisement, peer: Peer) -> str | None:
    """Return why the local preferences of both cannot be ranks towards *peer*, in a sentence."""
    if lever_of(peer) is not Lever.LOCAL_PREF:
        return None
    mine, theirs = local_pref(one), local_pref(other)
    if abs(mine - theirs) <= RANK_STANDBY:
        return None
    return (
        f"BGPAdvertisement {one.name}: spec.localPref {mine}: must be within {RANK_STANDBY} of the "
        f"{theirs} of BGPAdvertisement {other.name}, because BGPPeer {peer.name} has the takeover "
        "lever localPref, where the difference is a rank within the generation; bring them closer, "
        "or choose another lever"
    )


def local_pref(advertisement: BGPAdvertisement) -> int:
    """Return the local preference that routers end up with."""
    return advertisement.local_pref or USUAL_LOCAL_PREF


def disagreement(one: BGPAdvertisement, other: BGPAdvertisement, peer: str) -> str | None:
    """Return why the two cannot both hold for one prefix towards *peer*, in a sentence."""
    for what, field, mine, theirs in _compared(one, other):
        if mine != theirs:
            return (
                f"BGPAdvertisement {one.name} wants {what} {mine} and BGPAdvertisement "
                f"{other.name} {theirs} towards BGPPeer {peer}; give both the same spec.{field}, "
                "or let them reach different peers"
            )
    both = one.distribution is other.distribution is Distribution.ACTIVE_STANDBY
    if both and one.preferred_nodes != other.preferred_nodes:
        return (
            f"BGPAdvertisement {one.name} and BGPAdvertisement {other.name} prefer different nodes "
            f"towards BGPPeer {peer}; give both the same spec.preferredNodes, or let them reach "
            "different peers"
        )
    return None


def med_of(advertisements: Iterable[BGPAdvertisement]) -> int | None:
    """Return the MED that they want together."""
    return next((one.med for one in advertisements if one.med is not None), None)


def prepend_of(advertisements: Iterable[BGPAdvertisement]) -> int:
    """Return how often they want our ASN repeated: the longest path is what all can live with."""
    return max(one.as_path_prepend for one in advertisements)


def standby_of(advertisements: Iterable[BGPAdvertisement]) -> BGPAdvertisement | None:
    """Return the one that says which node is the active one, if any does."""
    wanted = (one for one in advertisements if one.distribution is Distribution.ACTIVE_STANDBY)
    return next(wanted, None)


def _compared(
    one: BGPAdvertisement, other: BGPAdvertisement
) -> Sequence[tuple[str, str, object, object]]:
    """Return what both speak of; who says nothing of it leaves it to the other.

    An absent local preference counts as a value, as MetalLB has it.
    """
    found: list[tuple[str, str, object, object]] = [
        ("local preference", "localPref", one.local_pref or "unset", other.local_pref or "unset")
    ]
    if None not in {one.med, other.med}:
        found.append(("MED", "med", one.med, other.med))
    return found
