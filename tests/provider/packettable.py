"""What the documents of Packet, and of Equinix Metal after it, mean."""

from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import Accepted, ProviderKind, ProviderPeer
from tests.provider.sample import FEWER, OTHER, REFUSED, SAME, Rule, Sample, accepting

KEY: Final = "Provider-Key-1"
_ROUTES_V4: Final = accepting("10.1.0.0/31", "10.2.0.0/29")
_ROUTES_V6: Final = accepting("2604:1380:1:7400::/56", "2604:1380:4111:2300::/56")


def _packet(
    last: str,
    *,
    source: str = "10.99.182.129",
    gateway: str = "10.99.182.128",
    multihop: bool = True,
    password: str | None = KEY,
    accepts: tuple[Accepted, ...] = _ROUTES_V4,
) -> ProviderPeer:
    ipv6 = last in "ef"
    if ipv6 and accepts:
        accepts = _ROUTES_V6
    if ipv6 and source == "10.99.182.129":
        source = "2604:1380:4111:2300::1"
    return ProviderPeer(
        address=Address(f"fc00::{last}" if ipv6 else f"169.254.255.{last}"),
        peer_asn=Asn(65530),
        local_asn=Asn(65000),
        local_address=Address(source),
        ttl=5 if multihop else None,
        password=password,
        gateway="" if ipv6 else gateway,
        max_prefixes=10,
        accepts=accepts,
    )


def _of_neighbors(*, password: bool = True, multihop: bool = True, one: bool = False) -> list[Rule]:
    """Return the rules of `bgp_neighbors`; *one*: there is one neighbor with one router."""
    return [
        Rule("", REFUSED, REFUSED),
        Rule("bgp_neighbors", REFUSED, REFUSED),
        Rule("bgp_neighbors[*]", FEWER, REFUSED),
        Rule("bgp_neighbors[*].address_family", SAME, SAME),
        Rule("bgp_neighbors[*].customer_as", REFUSED, REFUSED),
        Rule("bgp_neighbors[*].customer_ip", OTHER, OTHER),
        Rule("bgp_neighbors[*].md5_enabled", SAME, SAME),
        Rule("bgp_neighbors[*].md5_password", *((REFUSED,) * 3 if password else (SAME,) * 3)),
        Rule("bgp_neighbors[*].multihop", *((SAME,) * 2 if multihop else (OTHER,) * 2)),
        Rule("bgp_neighbors[*].peer_as", REFUSED, REFUSED),
        Rule("bgp_neighbors[*].peer_ips", REFUSED, REFUSED),
        Rule("bgp_neighbors[*].peer_ips[*]", REFUSED if one else FEWER, REFUSED),
        Rule("bgp_neighbors[*].routes_in", OTHER, OTHER),
        Rule("bgp_neighbors[*].routes_in[*]", OTHER, REFUSED),
        Rule("bgp_neighbors[*].routes_in[*].exact", SAME, SAME),
        Rule("bgp_neighbors[*].routes_in[*].route", REFUSED, REFUSED),
    ]


def _of_addresses(private: int) -> list[Rule]:
    """Return the rules of `network`, where the address with the index *private* is the way."""
    mine = f"network.addresses[{private}]"
    return [
        Rule("network", REFUSED, REFUSED),
        Rule("network.addresses", REFUSED, REFUSED),
        Rule(mine, REFUSED, REFUSED),
        Rule("network.addresses[*]", SAME, REFUSED),
        Rule(f"{mine}.address_family", REFUSED, REFUSED),
        Rule("network.addresses[*].address_family", SAME, SAME),
        Rule(f"{mine}.public", REFUSED, REFUSED),
        Rule("network.addresses[*].public", SAME, SAME),
        Rule(f"{mine}.management", REFUSED, REFUSED),
        Rule(f"{mine}.address", REFUSED, REFUSED),
        Rule(f"{mine}.gateway", REFUSED, REFUSED),
        Rule(f"{mine}.cidr", SAME, SAME),
        # A private elastic IP in the fixtures: it is looked at, and is not for management.
        Rule("network.addresses[3].management", SAME, SAME, REFUSED if private == 2 else SAME),
    ]


_MULTIHOP: Final = (*_of_neighbors(), *_of_addresses(2))
_V6: Final = tuple(_of_neighbors())
_TALOS_GATEWAY: Final = "10.66.142.16"
SAMPLES: Final = (
    Sample(
        name="packet_v4_multihop_md5",
        kind=ProviderKind.PACKET,
        peers=(_packet("1"), _packet("2")),
        rules=_MULTIHOP,
    ),
    Sample(
        name="packet_v4v6_multihop_md5",
        kind=ProviderKind.PACKET,
        peers=(_packet("1"), _packet("2"), _packet("e"), _packet("f")),
        rules=_MULTIHOP,
    ),
    Sample(
        name="packet_v6_multihop_md5",
        kind=ProviderKind.PACKET,
        peers=(_packet("e"), _packet("f")),
        rules=_V6,
    ),
    Sample(
        name="packet_v4_singlehop_nomd5",
        kind=ProviderKind.PACKET,
        peers=(_packet("1", multihop=False, password=None),),
        rules=(
            *_of_neighbors(password=False, multihop=False, one=True),
            *_of_addresses(2),
        ),
    ),
    Sample(
        name="packet_v4v6_singlehop_md5",
        kind=ProviderKind.PACKET,
        peers=(_packet("1", multihop=False), _packet("e", multihop=False)),
        rules=(*_of_neighbors(multihop=False), *_of_addresses(2)),
    ),
    Sample(
        name="packet_v6_singlehop_md5",
        kind=ProviderKind.PACKET,
        peers=(_packet("e", multihop=False),),
        rules=tuple(_of_neighbors(multihop=False, one=True)),
    ),
    Sample(
        # Its customer_ip is on no interface: what to make of that is for who knows the host.
        name="packet_equinix_multihop",
        kind=ProviderKind.PACKET,
        peers=tuple(
            _packet(
                last,
                source="2604:1380:45e1:5000::1" if last in "ef" else "10.67.50.1",
                gateway=_TALOS_GATEWAY,
                password=None,
                accepts=(),
            )
            for last in "12ef"
        ),
        rules=(
            Rule("bgp_neighbors[*].routes_in", SAME, SAME),
            *_of_neighbors(password=False),
            *_of_addresses(3),
        ),
    ),
    Sample(
        name="packet_equinix_without_bgp",
        kind=ProviderKind.PACKET,
        error="bgp_neighbors is missing; it must be a list, which there is once BGP is enabled for"
        " this server",
    ),
    Sample(
        name="packet_errors",
        kind=ProviderKind.PACKET,
        error="the document: it is an error of the provider's ('Not found'), not what was asked"
        " for",
    ),
    Sample(
        name="packet_without_family",
        kind=ProviderKind.PACKET,
        error="bgp_neighbors[0].customer_as is missing; it must be a whole number, 1..4294967295",
    ),
    Sample(
        name="packet_without_routers",
        kind=ProviderKind.PACKET,
        error="bgp_neighbors[0].peer_ips: a list of 0 must be a list with at least one address",
    ),
    Sample(
        name="packet_without_private_address",
        kind=ProviderKind.PACKET,
        error="network.addresses: a list of 4 must be a list with a private IPv4 address that is"
        " for management, because its gateway is the way to 169.254.255.1; or set spec.gateway",
    ),
)
