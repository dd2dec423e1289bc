"""Instance metadata as at Packet, later Equinix Metal: `bgp_neighbors`, one for each family.

The API's `GET /devices/{id}/bgp/neighbors` has the same list. The routers (169.254.255.1 and .2)
are not on the server's own network: they are reached over the gateway of its *private* management
address, and what comes from its public one is dropped. A private elastic /32 stands in the same
list of addresses with itself as gateway, hence the look at `management`.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.provider import Accepted, ProviderPeer
from bgpd.provider.adapter import Adapter, Asker, Fetched
from bgpd.provider.reading import Field, root

MULTIHOP_TTL: Final = 5
"""What the provider's own templates send with."""
MAX_PREFIXES: Final = 10
"""Of a server, unless the provider was asked for more (`max_prefix` of the BGP configuration)."""
_FAMILIES: Final = {4: Family.IPV4, 6: Family.IPV6}


@dataclass(frozen=True, slots=True)
class _Local:
    """An address of the server: `network.addresses[]`."""

    address: Address
    gateway: Address
    network: ipaddress.IPv4Network


def parse(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return the peers that metadata, or the API's list of neighbors, offers."""
    whole = root(document)
    listed = whole.member("bgp_neighbors")
    if not listed.present:
        raise listed.refuse("a list, which there is once BGP is enabled for this server")
    neighbors = list(listed.items())
    found: dict[Address, ProviderPeer] = {}
    for neighbor in neighbors:
        for peer in _peers(neighbor, whole, asker):
            found.setdefault(peer.address, peer)
    if neighbors and not found:
        raise neighbors[0].member("peer_ips").refuse("a list with at least one address")
    return tuple(found.values())


def _peers(neighbor: Field, whole: Field, asker: Asker) -> Iterator[ProviderPeer]:
    family = _family(neighbor.member("address_family"))
    addresses = [one.address(family) for one in neighbor.member("peer_ips").items()]
    local_asn = neighbor.member("customer_as").asn()
    peer_asn = neighbor.member("peer_as").asn()
    source = _source(neighbor.member("customer_ip"), family, addresses)
    password = _password(neighbor)
    multihop = neighbor.member("multihop").flag(default=True)
    accepts = tuple(_accepted(neighbor.member("routes_in")))
    for address in addresses:
        yield ProviderPeer(
            address=address,
            peer_asn=peer_asn,
            local_asn=local_asn,
            local_address=source,
            ttl=MULTIHOP_TTL if multihop else None,
            password=password,
            gateway=_gateway(address, source, whole, asker),
            max_prefixes=MAX_PREFIXES,
            accepts=accepts,
        )


def _family(field: Field) -> Family | None:
    if not field.filled:
        return None
    number = field.number(4, 6)
    if number not in _FAMILIES:
        raise field.refuse("4 or 6")
    return _FAMILIES[number]


def _source(field: Field, family: Family | None, peers: list[Address]) -> Address | None:
    if not field.filled:
        return None
    if family is None and peers:
        family = family_of(peers[0])
    return field.address(family)


def _password(neighbor: Field) -> str | None:
    password = neighbor.member("md5_password")
    enabled = neighbor.member("md5_enabled").flag(default=password.filled)
    return password.password() if enabled else None


def _accepted(field: Field) -> Iterator[Accepted]:
    if field.present:
        for route in field.items():
            exact = route.member("exact").flag(default=False)
            yield Accepted(prefix=route.member("route").prefix(), exact=exact)


def _gateway(peer: Address, source: Address | None, whole: Field, asker: Asker) -> str:
    """Return the way to *peer*; IPv6 takes the default route, which is the same way."""
    if asker.gateway or family_of(peer) is Family.IPV6:
        return ""
    places = list(_private(whole))
    if not places:
        raise _addresses(whole).refuse(
            "a list with a private IPv4 address that is for management, because its gateway is"
            f" the way to {peer}; or set spec.gateway"
        )
    if any(ipaddress.IPv4Address(peer) in one.network for one in places):
        return ""
    ours = [one for one in places if one.address == source]
    return (ours or places)[0].gateway


def _private(whole: Field) -> Iterator[_Local]:
    """Yield the private management addresses of the server."""
    listed = _addresses(whole)
    for one in listed.items() if listed.present else ():
        ipv4 = _family(one.member("address_family")) is Family.IPV4
        private = not one.member("public").flag(default=True)
        if ipv4 and private and one.member("management").flag(default=False):
            address = one.member("address").address(Family.IPV4)
            gateway = one.member("gateway").address(Family.IPV4)
            cidr = one.member("cidr")
            length = cidr.number(0, 32) if cidr.filled else 32
            network = ipaddress.IPv4Network((address, length), strict=False)
            yield _Local(address, gateway, network)


def _addresses(whole: Field) -> Field:
    """Return the list of addresses, which the API's document of a device calls otherwise."""
    of_device = whole.member("ip_addresses")
    return of_device if of_device.present else whole.member("network").inside("addresses")


ADAPTER: Final = Adapter(
    parse=parse,
    origin=Fetched(
        urls=(
            "http://metadata.packet.net/metadata",
            "http://metadata.platformequinix.com/metadata",
        ),
        header="X-Auth-Token",
        scheme="",
    ),
    empty="the metadata lists no bgp_neighbors: enable BGP for the project and for this server",
)
