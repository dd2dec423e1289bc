"""What the BFD profiles that peers name make of a session, and what is wrong with them.

One that is not there, or that cannot go with IPv6, costs no session; a person hears of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bgpd.model.configuration import BFDProfile, BGPAdvertisement, BGPPeer, IPAddressPool
from bgpd.model.peer import BFD
from bgpd.model.prefix import Family, family_of
from bgpd.policy.reach import names_peer, names_pool

_NEAR: Final = 255
"""The TTL of what a neighbor sent (RFC 5881, section 5)."""
_LONGEST_KEY: Final = 20
"""Bytes of a SHA1 key (RFC 5880, section 6.7.4)."""


def bfd_of(profile: BFDProfile, *, multihop: bool, password_of: Mapping[str, str]) -> BFD | str:
    """Return the BFD that *profile* asks for, or why there cannot be any, in a sentence."""
    password, path = profile.password, profile.password_file
    if path is not None:
        password = password_of.get(path)
        if not password:
            return (
                f"BFDProfile {profile.name}: spec.passwordFile {path} is missing, unreadable or "
                "empty; without its key the router hears nothing from us"
            )
    if password is not None and len(password.encode()) > _LONGEST_KEY:
        return (
            f"BFDProfile {profile.name}: the password must have 1..{_LONGEST_KEY} bytes, it has "
            f"{len(password.encode())}"
        )
    return BFD(
        receive_milliseconds=profile.receive_interval,
        transmit_milliseconds=profile.transmit_interval,
        multiplier=profile.detect_multiplier,
        passive=profile.passive_mode,
        multihop=multihop,
        minimum_ttl=profile.minimum_ttl if multihop else _NEAR,
        password=password,
        key_id=profile.key_id,
    )


def without_profile(
    peers: Iterable[BGPPeer], profiles: Mapping[str, BFDProfile] | None
) -> Iterator[str]:
    """Yield a sentence for each BFDProfile that a peer names and nobody has; None: not known."""
    for one in peers:
        if one.bfd_profile and profiles is not None and one.bfd_profile not in profiles:
            yield (
                f"BGPPeer {one.name}: spec.bfdProfile names BFDProfile {one.bfd_profile}, which "
                "does not exist; correct the name or add it; until then the session has no BFD"
            )


def echoing(
    peers: Iterable[BGPPeer],
    profiles: Mapping[str, BFDProfile] | None,
    advertisements: Iterable[BGPAdvertisement],
    pools: Iterable[IPAddressPool],
) -> Iterator[str]:
    """Yield a sentence for each peer with echo mode that is to hear of IPv6, as MetalLB refuses."""
    six = [one for one in pools if any(family_of(p) is Family.IPV6 for p in one.prefixes)]
    rules = tuple(advertisements)
    for peer in peers:
        profile = (profiles or {}).get(peer.bfd_profile)
        if profile is None or not profile.echo_mode:
            continue
        heard = (rule for rule in rules if names_peer(rule, peer))
        pool = next((p.name for rule in heard for p in six if names_pool(rule, p)), None)
        if pool is not None:
            yield (
                f"BGPPeer {peer.name}: spec.bfdProfile {profile.name} has echoMode, which there is "
                f"for IPv4 alone, and IPAddressPool {pool} has IPv6 addresses for this peer; use a "
                "profile without echoMode, or let another peer hear of that pool"
            )
