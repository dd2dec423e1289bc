"""Cherry Servers' API: a server knows its region's routers, its project knows its ASN.

The document is one server (`/v1/servers/ID`) or the list of a project's servers
(`/v1/projects/ID/servers`), of which a node finds itself by name or by address; so one BGPPeer
serves a whole cluster.
"""

from typing import Final

from bgpd.model.prefix import Address, Family
from bgpd.model.provider import ProviderPeer
from bgpd.provider.adapter import Adapter, Asker, Fetched
from bgpd.provider.reading import Field, root

MULTIHOP_TTL: Final = 255
"""The provider names none; the routers are several hops away."""


def parse(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return the peers of the region, if BGP is enabled for the server."""
    server = _server(root(document), asker)
    if not server.member("region").present:
        raise server.member("region").refuse("an object, as a server has it and a project does not")
    region = server.member("region").member("bgp")
    bgp = server.member("bgp")
    enabled = bgp.member("enabled")
    if not enabled.filled:
        raise enabled.refuse("true or false")
    if not enabled.flag(default=False):
        return ()
    peer_asn = region.member("asn").asn()
    local_asn = server.member("project").member("bgp").member("local_asn").asn()
    limit = bgp.member("limit")
    return tuple(
        ProviderPeer(
            address=address,
            peer_asn=peer_asn,
            local_asn=local_asn,
            local_address=_source(server.member("ip_addresses")),
            ttl=MULTIHOP_TTL,
            max_prefixes=(limit.number(0, 2**31) if limit.filled else 0) or None,
        )
        for address in dict.fromkeys(one.address() for one in region.member("hosts").items())
    )


def _server(document: Field, asker: Asker) -> Field:
    if not isinstance(document.value, list):
        return document
    for one in document.items():
        if asker.node and one.member("hostname").value == asker.node:
            return one
    ours = set(asker.addresses)
    for one in document.items():
        if ours.intersection(_addresses(one.member("ip_addresses"))):
            return one
    raise document.refuse(
        f"the servers of the project, and none of them is {asker.node or 'this node'} by hostname"
        " or by an InternalIP of the Node"
    )


def _addresses(field: Field) -> list[str]:
    if not field.present:
        return []
    found = (one.member("address").value for one in field.items())
    return [one for one in found if isinstance(one, str)]


def _source(field: Field) -> Address | None:
    for one in field.items() if field.present else ():
        if one.member("type").value == "primary-ip":
            return one.member("address").address(Family.IPV4)
    return None


ADAPTER: Final = Adapter(
    parse=parse,
    origin=Fetched(),
    empty="BGP is not enabled for this server: enable it for the project and for the server",
)
