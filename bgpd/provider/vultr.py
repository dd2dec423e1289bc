"""Instance metadata as at Vultr: `bgp.ipv4` and `bgp.ipv6`, all of it text, empty where disabled.

The password is the account's and not in the metadata. The IPv6 router is off the server's own
network, behind the link-local gateway of the default route.
"""

from collections.abc import Iterator
from typing import Final

from bgpd.model.prefix import Family
from bgpd.model.provider import DEFAULT_GATEWAY, ProviderPeer
from bgpd.provider.adapter import Adapter, Asker, Fetched
from bgpd.provider.reading import Field, root

MULTIHOP_TTL: Final = 2
_SECTIONS: Final = {"ipv4": Family.IPV4, "ipv6": Family.IPV6}


def parse(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return the peers that metadata offers."""
    del asker
    bgp = root(document).member("bgp")
    sections = {family: bgp.member(name) for name, family in _SECTIONS.items()}
    if not any(one.present for one in sections.values()):
        raise bgp.refuse("an object with ipv4 or ipv6")
    found: list[ProviderPeer] = []
    for family, section in sections.items():
        if section.present:
            found += _peer(section, family)
    return tuple(found)


def _peer(section: Field, family: Family) -> Iterator[ProviderPeer]:
    address, local_address = section.member("peer-address"), section.member("my-address")
    peer_asn, local_asn = section.member("peer-asn"), section.member("my-asn")
    if not any(one.filled for one in (address, local_address, peer_asn, local_asn)):
        return
    # What is there is read before what is missing is missed: the sentence is about a mistake.
    source = local_address.address(family) if local_address.filled else None
    asns = [one.asn() for one in (peer_asn, local_asn) if one.filled]
    router = address.address(family)
    if len(asns) < 2:
        raise (local_asn if peer_asn.filled else peer_asn).refuse("an AS number, as text")
    yield ProviderPeer(
        address=router,
        peer_asn=asns[0],
        local_asn=asns[1],
        local_address=source,
        ttl=MULTIHOP_TTL,
        password_required=True,
        gateway=DEFAULT_GATEWAY if family is Family.IPV6 else "",
    )


ADAPTER: Final = Adapter(
    parse=parse,
    origin=Fetched(urls=("http://169.254.169.254/v1.json",)),
    empty="the metadata's bgp section is empty: enable BGP for the account and for this server,"
    " then restart the server",
)
