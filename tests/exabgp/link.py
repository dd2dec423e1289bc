"""What is on the link between node and router: addresses, peers and routes."""

from collections.abc import Sequence

from bgpd.exabgp.command import PeerUpdate, RouteGroup, Update, encode
from bgpd.model.peer import Asn, Peer, PeerName
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Attributes

NODE_V4, ROUTER_V4 = Address("10.9.0.1"), Address("10.9.0.2")
NODE_V6, ROUTER_V6 = Address("fd09::1"), Address("fd09::2")
GHOST = Address("10.9.0.66")
"""An address on the link that nobody has."""
EIP, OTHER = "203.0.113.7/32", "203.0.113.8/32"


def peer(
    address: str = ROUTER_V4,
    *,
    name: str = "router",
    hold_time: int = 90,
    password: str | None = None,
    graceful_restart: int | None = None,
    families: tuple[Family, ...] = (Family.IPV4,),
    router_id: str = NODE_V4,
) -> Peer:
    """Return a peer on the link."""
    return Peer(
        name=PeerName(name),
        address=Address(address),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=NODE_V6 if ":" in address else NODE_V4,
        router_id=Address(router_id),
        hold_time=hold_time,
        password=password,
        graceful_restart=graceful_restart,
        families=families,
    )


def offer(*prefixes: str, med: int | None = None, next_hop: str = NODE_V4) -> RouteGroup:
    """Return routes to advertise."""
    return RouteGroup(
        attributes=Attributes(next_hop=Address(next_hop), med=med),
        prefixes=tuple(Prefix(prefix) for prefix in prefixes),
    )


def to(
    address: str = ROUTER_V4, *advertise: RouteGroup, withdraw: Sequence[str] = ()
) -> PeerUpdate:
    """Return what one peer is offered from now on."""
    return PeerUpdate(
        peer=Address(address),
        withdraw=tuple(Prefix(prefix) for prefix in withdraw),
        advertise=advertise,
    )


def update_line(number: int, prefixes: list[str]) -> bytes:
    """Return the command, as bytes, that offers *prefixes* to the router."""
    return encode(Update(id=number, peers=(to(ROUTER_V4, offer(*prefixes)),)))
