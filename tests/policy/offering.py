"""What a provider offers, and a document that asks for it, as the tests of policy have them."""

from typing import Any

from bgpd.model.configuration import BGPPeer
from bgpd.model.peer import Asn, PeerName
from bgpd.model.prefix import Address, Family
from bgpd.model.provider import Discovery, ProviderChoice, ProviderKind, ProviderPeer

FIRST, SECOND = Address("169.254.255.1"), Address("169.254.255.2")
SIXTH = Address("fc00::e")
HOST = frozenset({Address("10.0.0.1"), Address("127.0.0.1"), Address("fe80::1")})
BOTH_FAMILIES = HOST | {Address("2001:db8::1")}


def document(name: str = "packet", **changes: Any) -> BGPPeer:
    """Return a document that says `provider: packet` and nothing else, but for *changes*."""
    fields: dict[str, Any] = {
        "address": Address("0.0.0.0"),
        "peer_asn": Asn(0),
        "local_asn": Asn(0),
        "families": (Family.IPV4,),
        "provider": ProviderChoice(kind=ProviderKind.PACKET),
        **changes,
    }
    return BGPPeer(name=PeerName(name), **fields)


def offered(address: Address = FIRST, **changes: Any) -> ProviderPeer:
    """Return a session as Packet offers it."""
    fields: dict[str, Any] = {
        "peer_asn": Asn(65530),
        "local_asn": Asn(65000),
        "local_address": Address("10.0.0.1"),
        "ttl": 5,
        "password": "secret",
        "gateway": "10.0.0.254",
        "hold_time": 30,
        "max_prefixes": 10,
        **changes,
    }
    return ProviderPeer(address=address, **fields)


def known(*peers: ProviderPeer, **changes: Any) -> Discovery:
    """Return what is known where the provider offers *peers*."""
    return Discovery(peers=peers, known=True, **changes)
