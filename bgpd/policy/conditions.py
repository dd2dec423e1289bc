"""What a person should know about the configuration of one node, as conditions."""

from collections.abc import Iterable, Iterator
from typing import Final

from bgpd.model.configuration import BGPAdvertisement, BGPPeer, IPAddressPool
from bgpd.model.migration import MIGRATING
from bgpd.model.prefix import Family
from bgpd.model.status import Condition
from bgpd.policy.admission import Admission
from bgpd.policy.advertisements import Surroundings, dangling, fitted
from bgpd.policy.communities import sentences_of
from bgpd.policy.family import WORD
from bgpd.policy.peers import PeerSet, titled

REFUSED: Final = "ConfigurationRefused"
"""Type of the conditions that a person must act on; at a start they are a `ConfigError`."""


def sentences_in(
    admission: Admission[IPAddressPool] | Admission[BGPAdvertisement],
) -> tuple[str, ...]:
    """Return why documents were not admitted."""
    return tuple(sentence for _, sentence in admission.refused)


def refusals(reason: str, sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Return a condition for each document that was refused."""
    return tuple(
        Condition(type=REFUSED, status=True, reason=reason, message=sentence)
        for sentence in sentences
    )


def last_good(
    advertisements: Admission[BGPAdvertisement], around: Surroundings
) -> tuple[Condition, ...]:
    """Return what holds because it held before, and would be refused today."""
    found = [("WouldBeRefused", one) for one in fitted(advertisements.admitted, around)]
    found += [("DocumentGone", one) for one in sentences_of(around.aliases.outlived)]
    return tuple(
        Condition(type="LastGoodInForce", status=True, reason=reason, message=sentence)
        for reason, sentence in found
    )


def takeover_overruled(sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Return where routers decide before they look at the lever."""
    return tuple(
        Condition(type="TakeoverOverruled", status=True, reason="ComparedBefore", message=one)
        for one in sentences
    )


def takeover_held(pools: Iterable[IPAddressPool]) -> tuple[Condition, ...]:
    """Return the condition that says why no peer has a lever, while there is a reason.

    MetalLB sends no MED, which routers read as the best one: whatever a lever says loses to it.
    """
    names = sorted({one.name for one in pools})
    if not names:
        return ()
    message = (
        f"IPAddressPool {', '.join(names)} has the annotation {MIGRATING}: MetalLB may still carry "
        "traffic, so no peer has a lever and nothing is taken over; `bgpctl migrate finish` ends it"
    )
    return (Condition(type="TakeoverHeld", status=True, reason="Migrating", message=message),)


def families_left_out(peers: PeerSet) -> tuple[Condition, ...]:
    """Return which families a peer is not offered, though its document names them."""
    found: list[Condition] = []
    for peer in peers.peers:
        lost = set(peers.sessions[peer.name].families) - set(peer.families)
        for family in sorted(lost):
            message = (
                f"{titled(peer)}: no {WORD[family]} routes are offered, because this node has "
                f"no {WORD[family]} InternalIP for a next hop; set spec.nextHop"
                f"{'V4' if family is Family.IPV4 else 'V6'}"
            )
            found.append(
                Condition(type="FamilyLeftOut", status=True, reason="NoNextHop", message=message)
            )
    return tuple(found)


def filtered(sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Return the pools whose addresses a provider's routers do not accept."""
    return tuple(
        Condition(type="PrefixNotAccepted", status=True, reason="ProviderFilters", message=one)
        for one in sentences
    )


def dangling_of(
    advertisements: Admission[BGPAdvertisement],
    pools: Admission[IPAddressPool],
    peers: Iterable[BGPPeer],
) -> Iterator[str]:
    """Yield a sentence for each pool or peer that an advertisement names and that is not there."""
    pool_names = {one.name for one in pools.admitted}
    return dangling(advertisements.admitted, pool_names, {one.name for one in peers})


def left_out(peers: PeerSet) -> tuple[Condition, ...]:
    """Return which sessions that a provider offers cannot be, and why."""
    return tuple(
        Condition(type="ProviderPeerLeftOut", status=True, reason="Incomplete", message=message)
        for message in peers.unprovided
    )


def unfit(sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Return the BFD profiles that cannot do what their peers need."""
    return tuple(
        Condition(type="ProfileUnfit", status=True, reason="EchoModeWithIPv6", message=sentence)
        for sentence in sentences
    )


def missing(sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Return the references that lead nowhere."""
    return tuple(
        Condition(type="ReferenceMissing", status=True, reason="NoSuchObject", message=sentence)
        for sentence in sentences
    )
