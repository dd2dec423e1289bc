"""The table of samples: what each document of a provider means, and what each field of it does.

A new adapter gets its documents into `samples/` (with the public source of each), a line in
`SAMPLES` for each, and rules for the fields that it reads. A field without a rule is not read:
whatever stands there, the peers are the same.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Prefix
from bgpd.model.provider import Accepted, ProviderKind, ProviderPeer
from bgpd.provider.adapter import Asker

SAMPLES_AT: Final = Path(__file__).parent / "samples"
PACKET_KEY: Final = "Provider-Key-1"
PHOENIX_KEY: Final = "Group-Key-2!"
ANNOTATED_KEY: Final = "password"
KEYS: Final = (PACKET_KEY, PHOENIX_KEY)
"""Passwords that no sentence, log or status may hold."""

SAME: Final = "same"
"""The peers are those of the whole document."""
REFUSED: Final = "refused"
"""One sentence that names the place, or one that it is in."""
FEWER: Final = "fewer"
"""Some of the peers of the whole document, as they are there."""
OTHER: Final = "other"
"""The same routers, with other facts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a document in which *place* is spoiled; `[*]` stands for any index."""

    place: str
    missing: str
    null: str
    wrong: str = REFUSED

    def matches(self, path: str) -> bool:
        """Return whether *path* is meant."""
        pattern = re.escape(self.place).replace(r"\[\*\]", r"\[\d+\]")
        return re.fullmatch(pattern, path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One document, and what it means."""

    name: str
    kind: ProviderKind
    peers: tuple[ProviderPeer, ...] = ()
    error: str = ""
    """The sentence, where the document is of no use."""
    rules: tuple[Rule, ...] = ()
    asker: Asker = field(default_factory=Asker)

    @property
    def document(self) -> object:
        """The document itself."""
        return _read(self.name)["document"]


@cache
def _read(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((SAMPLES_AT / f"{name}.json").read_text())
    return found


def _accepts(*prefixes: str) -> tuple[Accepted, ...]:
    return tuple(Accepted(prefix=Prefix(one)) for one in prefixes)


_ROUTES_V4: Final = _accepts("10.1.0.0/31", "10.2.0.0/29")
_ROUTES_V6: Final = _accepts("2604:1380:1:7400::/56", "2604:1380:4111:2300::/56")


def _packet(
    last: str,
    *,
    source: str = "10.99.182.129",
    gateway: str = "10.99.182.128",
    multihop: bool = True,
    password: str | None = PACKET_KEY,
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

_PACKET: Final = (
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

_VULTR: Final = (
    Sample(
        name="vultr_filled",
        kind=ProviderKind.VULTR,
        peers=(
            ProviderPeer(
                address=Address("169.254.169.254"),
                peer_asn=Asn(64515),
                local_asn=Asn(64496),
                local_address=Address("192.0.2.2"),
                ttl=2,
                password_required=True,
            ),
            ProviderPeer(
                address=Address("2001:19f0:ffff::1"),
                peer_asn=Asn(64515),
                local_asn=Asn(64496),
                local_address=Address("2001:db8:7400:7ccf:5428:d5ff:fe28:1910"),
                ttl=2,
                password_required=True,
                gateway="default",
            ),
        ),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            *(
                rule
                for section in ("bgp.ipv4", "bgp.ipv6")
                for rule in (
                    Rule(section, FEWER, FEWER),
                    Rule(f"{section}.my-address", OTHER, OTHER),
                    Rule(f"{section}.my-asn", REFUSED, REFUSED),
                    Rule(f"{section}.peer-address", REFUSED, REFUSED),
                    Rule(f"{section}.peer-asn", REFUSED, REFUSED),
                )
            ),
        ),
    ),
    Sample(
        # Disabled is not unknown: the document was understood, and offers nothing.
        name="vultr_empty",
        kind=ProviderKind.VULTR,
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.ipv4", SAME, SAME),
            Rule("bgp.ipv6", SAME, SAME),
            *(
                Rule(f"bgp.{family}.{name}", SAME, SAME)
                for family in ("ipv4", "ipv6")
                for name in ("my-address", "my-asn", "peer-address", "peer-asn")
            ),
        ),
    ),
)


def _cherry(last: int) -> ProviderPeer:
    return ProviderPeer(
        address=Address(f"46.166.166.{last}"),
        peer_asn=Asn(16125),
        local_asn=Asn(65001),
        local_address=Address("46.166.169.95"),
        ttl=255,
        max_prefixes=2,
    )


_CHERRY: Final = (
    Sample(
        name="cherry_enabled",
        kind=ProviderKind.CHERRY,
        peers=(_cherry(122), _cherry(123)),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("region", REFUSED, REFUSED),
            Rule("region.bgp", REFUSED, REFUSED),
            Rule("region.bgp.asn", REFUSED, REFUSED),
            Rule("region.bgp.hosts", REFUSED, REFUSED),
            Rule("region.bgp.hosts[*]", FEWER, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.enabled", REFUSED, REFUSED),
            Rule("bgp.limit", OTHER, OTHER),
            Rule("project", REFUSED, REFUSED),
            Rule("project.bgp", REFUSED, REFUSED),
            Rule("project.bgp.local_asn", REFUSED, REFUSED),
            Rule("ip_addresses", OTHER, OTHER),
            Rule("ip_addresses[0]", OTHER, REFUSED),
            Rule("ip_addresses[0].address", REFUSED, REFUSED),
            # Another word than primary-ip is another address.
            Rule("ip_addresses[0].type", OTHER, OTHER, OTHER),
        ),
    ),
    Sample(
        name="cherry_disabled",
        kind=ProviderKind.CHERRY,
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("region", REFUSED, REFUSED),
            Rule("bgp", REFUSED, REFUSED),
            Rule("bgp.enabled", REFUSED, REFUSED),
        ),
    ),
    Sample(
        name="cherry_servers",
        kind=ProviderKind.CHERRY,
        asker=Asker(node="model-thrush"),
        peers=(_cherry(122), _cherry(123)),
        rules=(
            Rule("", REFUSED, REFUSED),
            Rule("[0]", SAME, REFUSED),
            Rule("[1]", REFUSED, REFUSED),
            Rule("[1].hostname", REFUSED, REFUSED),
            *(
                Rule(f"[1].{one}", REFUSED, REFUSED)
                for one in (
                    "region", "region.bgp", "region.bgp.asn", "region.bgp.hosts", "bgp",
                    "bgp.enabled", "project", "project.bgp", "project.bgp.local_asn",
                    "ip_addresses[0].address",
                )
            ),
            Rule("[1].region.bgp.hosts[*]", FEWER, REFUSED),
            Rule("[1].bgp.limit", OTHER, OTHER),
            Rule("[1].ip_addresses", OTHER, OTHER),
            Rule("[1].ip_addresses[0]", OTHER, REFUSED),
            Rule("[1].ip_addresses[0].type", OTHER, OTHER, OTHER),
        ),
    ),
    Sample(
        name="cherry_project",
        kind=ProviderKind.CHERRY,
        error="region is missing; it must be an object, as a server has it and a project does not",
    ),
)  # fmt: skip


def _phoenix(address: str, *accepts: str) -> ProviderPeer:
    return ProviderPeer(
        address=Address(address),
        peer_asn=Asn(65400),
        local_asn=Asn(65401),
        ttl=7,
        password=PHOENIX_KEY,
        hold_time=30,
        accepts=_accepts("10.111.14.40/29", *accepts),
    )


_PHOENIX_RULES: Final = (
    Rule("", REFUSED, REFUSED),
    Rule("[0].location", REFUSED, REFUSED),
    Rule("[0].status", SAME, SAME),
    Rule("[0].activeAsnDetails", REFUSED, REFUSED),
    Rule("[0].activeAsnDetails.asn", REFUSED, REFUSED),
    Rule("[0].password", OTHER, OTHER),
    Rule("[0].eBgpMultiHop", OTHER, OTHER),
    Rule("[0].holdTimerSeconds", OTHER, OTHER),
    Rule("[0].peeringLoopbacksV4[*]", FEWER, REFUSED),
    Rule("[0].peeringLoopbacksV6[*]", FEWER, REFUSED),
)
_V6_PREFIX: Final = "2607:ff00:313:80c0::/58"
_PHOENIX: Final = (
    Sample(
        name="phoenixnap_pending",
        kind=ProviderKind.PHOENIXNAP,
        asker=Asker(site="ASH"),
        peers=(_phoenix("169.254.247.0"), _phoenix("169.254.247.1")),
        rules=(
            *_PHOENIX_RULES,
            Rule("[0]", FEWER, REFUSED),
            Rule("[0].peeringLoopbacksV4", REFUSED, REFUSED),
            Rule("[0].ipv4Prefixes", OTHER, OTHER),
            Rule("[0].ipv4Prefixes[0]", OTHER, REFUSED),
            Rule("[0].ipv4Prefixes[0].cidr", REFUSED, REFUSED),
        ),
    ),
    Sample(
        name="phoenixnap_v6",
        kind=ProviderKind.PHOENIXNAP,
        asker=Asker(site="ASH"),
        peers=(
            _phoenix("169.254.247.0", _V6_PREFIX),
            _phoenix("169.254.247.1", _V6_PREFIX),
            _phoenix("fd00:0:0:1005::1", _V6_PREFIX),
            _phoenix("fd00:0:0:1005::2", _V6_PREFIX),
        ),
        rules=(
            *_PHOENIX_RULES,
            Rule("[0]", FEWER, REFUSED),
            Rule("[0].peeringLoopbacksV4", FEWER, FEWER),
            Rule("[0].peeringLoopbacksV6", FEWER, FEWER),
            # The older list says less.
            Rule("[0].ipPrefixes", OTHER, OTHER),
            Rule("[0].ipPrefixes[*]", OTHER, REFUSED),
            Rule("[0].ipPrefixes[*].cidr", REFUSED, REFUSED),
        ),
    ),
)


def _annotated(
    address: str, *, peer: int = 65530, local: int = 65000, source: str = "10.66.142.17"
) -> ProviderPeer:
    return ProviderPeer(
        address=Address(address),
        peer_asn=Asn(peer),
        local_asn=Asn(local),
        local_address=Address(source),
        ttl=255,
    )


def _with_key(peer: ProviderPeer) -> ProviderPeer:
    return ProviderPeer(
        address=peer.address,
        peer_asn=peer.peer_asn,
        local_asn=peer.local_asn,
        local_address=peer.local_address,
        ttl=peer.ttl,
        password=ANNOTATED_KEY,
    )


def _of_annotations(prefix: str, *, optional: str = OTHER) -> tuple[Rule, ...]:
    """Return the rules of annotations with *prefix*; whole paths, of which `*` ends the index."""
    return (
        Rule("", REFUSED, REFUSED),
        Rule(f"{prefix}peer-ip", REFUSED, REFUSED),
        Rule(f"{prefix}node-asn", optional, optional),
        Rule(f"{prefix}peer-asn", OTHER, OTHER),
        Rule(f"{prefix}src-ip", OTHER, OTHER),
        Rule(f"{prefix}bgp-pass", OTHER, OTHER),
        Rule(f"{prefix}gateway", OTHER, OTHER),
    )


def _numbered(prefix: str) -> tuple[Rule, ...]:
    return tuple(rule for at in (0, 1) for rule in _of_annotations(f"{prefix}bgp-peers-{at}-"))


def _own(at: int, gateway: str) -> ProviderPeer:
    return ProviderPeer(
        address=Address(f"10.8.{at}.1"), peer_asn=Asn(64601), ttl=None, gateway=gateway
    )


_ANNOTATIONS: Final = (
    Sample(
        name="annotations_indexed",
        kind=ProviderKind.ANNOTATIONS,
        peers=(
            _with_key(_annotated("169.254.255.1")),
            _with_key(_annotated("169.254.255.2")),
        ),
        rules=_numbered("metal.equinix.com/"),
    ),
    Sample(
        name="annotations_legacy",
        kind=ProviderKind.ANNOTATIONS,
        peers=(_annotated("169.254.255.1"), _annotated("169.254.255.2")),
        rules=_of_annotations("metal.equinix.com/"),
    ),
    Sample(
        name="annotations_cherry",
        kind=ProviderKind.ANNOTATIONS,
        peers=tuple(
            _annotated(address, peer=16125, local=65001, source="46.166.169.95")
            for address in ("46.166.166.122", "46.166.166.123")
        ),
        rules=(
            *_numbered("cherryservers.com/"),
            *(
                Rule(f"cherryservers.com/bgp-peers-{at}-peer-multi-hop", SAME, SAME)
                for at in (0, 1)
            ),
        ),
    ),
    Sample(
        name="annotations_own",
        kind=ProviderKind.ANNOTATIONS,
        peers=(_own(0, "10.8.9.1"), _own(1, "default")),
        rules=(
            *_numbered("bgpd.io/"),
            *(Rule(f"bgpd.io/bgp-peers-{at}-peer-multi-hop", OTHER, OTHER) for at in (0, 1)),
        ),
    ),
)

SAMPLES: Final = (*_PACKET, *_VULTR, *_CHERRY, *_PHOENIX, *_ANNOTATIONS)
