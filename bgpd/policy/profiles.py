"""What is wrong with the BFD profiles that peers name: one is not there, or cannot go with IPv6.

bgpd does not do BFD yet, so neither costs a session; a person hears of it all the same.
"""

from collections.abc import Iterable, Iterator, Mapping

from bgpd.model.configuration import BFDProfile, BGPAdvertisement, BGPPeer, IPAddressPool
from bgpd.model.prefix import Family, family_of
from bgpd.policy.reach import names_peer, names_pool


def without_profile(
    peers: Iterable[BGPPeer], profiles: Mapping[str, BFDProfile] | None
) -> Iterator[str]:
    """Yield a sentence for each BFDProfile that a peer names and nobody has; None: not known."""
    for one in peers:
        if one.bfd_profile and profiles is not None and one.bfd_profile not in profiles:
            yield (
                f"BGPPeer {one.name}: spec.bfdProfile names BFDProfile {one.bfd_profile}, which "
                "does not exist; correct the name or add it"
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
        heard = (rule for rule in rules if names_peer(rule, peer.name))
        pool = next((p.name for rule in heard for p in six if names_pool(rule, p)), None)
        if pool is not None:
            yield (
                f"BGPPeer {peer.name}: spec.bfdProfile {profile.name} has echoMode, which there is "
                f"for IPv4 alone, and IPAddressPool {pool} has IPv6 addresses for this peer; use a "
                "profile without echoMode, or let another peer hear of that pool"
            )
