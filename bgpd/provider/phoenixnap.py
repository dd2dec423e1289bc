"""phoenixNAP's API: the BGP peer group of a location has everything but the routers' ASN.

`ipPrefixes` replaced `ipv4Prefixes`; documents have one or both.
"""

from collections.abc import Iterator
from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import Accepted, ProviderPeer
from bgpd.provider.adapter import Adapter, Asker, Fetched
from bgpd.provider.reading import Field, root

PEER_ASN: Final = Asn(65400)
"""Of the routers in every location; documented, and not in the document."""
_IN_FORCE: Final = frozenset({"READY", "PENDING", "BUSY"})
"""States in which what is active works; the others are errors, or the group's end."""
_LOOPBACKS: Final = (("peeringLoopbacksV4", Family.IPV4), ("peeringLoopbacksV6", Family.IPV6))


def parse(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return the peers of the group at the node's location."""
    group = _group(root(document), asker.site)
    if group is None:
        return ()
    status = group.member("status")
    if status.filled and status.text() not in _IN_FORCE:
        raise status.refuse(f"one of {', '.join(sorted(_IN_FORCE))}")
    password = group.member("password")
    ttl, hold = group.member("eBgpMultiHop"), group.member("holdTimerSeconds")
    local_asn = group.member("activeAsnDetails").member("asn").asn()
    addresses = list(_routers(group))
    return tuple(
        ProviderPeer(
            address=address,
            peer_asn=PEER_ASN,
            local_asn=local_asn,
            ttl=ttl.number(1, 255) if ttl.filled else None,
            password=password.password() if password.filled else None,
            hold_time=hold.number(3, 65535) if hold.filled else None,
            accepts=tuple(_accepted(group)),
        )
        for address in dict.fromkeys(addresses)
    )


def _group(document: Field, site: str) -> Field | None:
    """Return the group that is meant, None where there is none at all."""
    if not isinstance(document.value, list):
        return document
    groups = list(document.items())
    if site:
        groups = [one for one in groups if one.member("location").text() == site]
    if len(groups) > 1:
        raise document.refuse(
            "one BGP peer group; set spec.providerSite to the location of this node"
            if not site
            else f"a list with one BGP peer group at {site}"
        )
    return groups[0] if groups else None


def _routers(group: Field) -> Iterator[Address]:
    listed = [(group.member(name), family) for name, family in _LOOPBACKS]
    if not any(field.present for field, _ in listed):
        raise listed[0][0].refuse("a list of addresses")
    for field, family in listed:
        if field.present:
            yield from (one.address(family) for one in field.items())


def _accepted(group: Field) -> Iterator[Accepted]:
    newer, older = group.member("ipPrefixes"), group.member("ipv4Prefixes")
    listed = newer if newer.present else older
    for one in listed.items() if listed.present else ():
        yield Accepted(prefix=one.member("cidr").prefix())


ADAPTER: Final = Adapter(
    parse=parse,
    origin=Fetched(
        urls=(
            "https://api.phoenixnap.com/networks/v1/bgp-peer-groups?location={site}",
            "https://api.phoenixnap.com/networks/v1/bgp-peer-groups",
        ),
    ),
    empty="there is no BGP peer group at this location: create one, and set spec.providerSite",
)
