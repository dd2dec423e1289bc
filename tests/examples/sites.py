"""What each provider of an example is to one server there: routers, gateway and documents.

Routers and AS numbers, passwords, sources and limits are those of the provider's sample document,
or of what it documents; a stand-in serves the document where the provider does. Pure, but for
reading them.
"""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_SAMPLES: Final = Path(__file__).parents[1] / "provider" / "samples"


def version_of(address: str) -> int:
    """Return 4 or 6."""
    return ipaddress.ip_interface(address).version


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A document, and where the provider has it."""

    name: str
    """Of its host; an address stands for itself."""
    address: str
    path: str
    document: Any
    token: str = ""
    """Who asks has to bear it, by TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One server at a provider."""

    internal: tuple[str, ...]
    """InternalIPs of the Node."""
    addresses: tuple[str, ...]
    """What the provider's image has on the server's interface."""
    gateways: tuple[str, ...]
    """At the other end of it; the first of each family is the default gateway."""
    sources: Mapping[int, str]
    """IP version -> where the routers expect sessions from."""
    routers: tuple[str, ...]
    ways: Mapping[int, str]
    """IP version -> the gateway by which they are reached."""
    added: tuple[str, ...] = ()
    """Routers that have a host route of ours by that gateway."""
    router_asn: int
    node_asn: int
    ttl: int
    """Of what we send."""
    hold: int
    """Seconds that both ends agree on."""
    password: str = ""
    limit: int | None = None
    """The most prefixes that a router takes."""
    channels: Mapping[int, Mapping[int, str]]
    """IP version of a session -> of routes -> what a router takes, in BIRD's words."""
    communities: frozenset[tuple[int, int]] = frozenset()
    """Of every route."""
    told: Told | None = None
    """None: what the provider documents is all."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """File below /etc/bgpd/passwords -> what the customer put there."""
    objects: tuple[Mapping[str, Any], ...] = ()
    """What the customer made at the API besides."""

    def next_hop(self, prefix: str) -> str:
        """Return where packets for *prefix* have to go: where its session comes from."""
        carried = version_of(prefix)
        (source,) = (
            self.sources[session]
            for session, families in self.channels.items()
            if carried in families
        )
        return source


def _sample(name: str) -> Any:
    return json.loads((_SAMPLES / f"{name}.json").read_text())["document"]


def _packet() -> Any:
    """Return the sample with the elastic IPs of the example's project."""
    document = _sample("packet_v4_multihop_md5")
    for neighbor in document["bgp_neighbors"]:
        neighbor["routes_in"].append({"exact": False, "route": "203.0.113.0/29"})
    return document


_PACKET: Final = _packet()
_VULTR_KEY: Final = "sixteen-bytes-16"
_CHERRY_TOKEN: Final = "token-of-the-project"  # noqa: S105 - of the stand-in alone

PACKET: Final = Site(
    internal=("10.99.182.129",),
    addresses=("147.75.65.31/31", "10.99.182.129/31"),
    gateways=("147.75.65.30/31", "10.99.182.128/31"),
    sources={4: "10.99.182.129"},
    routers=("169.254.255.1", "169.254.255.2"),
    ways={4: "10.99.182.128"},
    added=("169.254.255.1", "169.254.255.2"),
    router_asn=65530,
    node_asn=65000,
    ttl=5,
    hold=90,
    password=_PACKET["bgp_neighbors"][0]["md5_password"],
    limit=10,
    channels={4: {4: "net ~ [203.0.113.0/29+]"}},
    told=Told(
        name="metadata.packet.net", address="192.80.8.124", path="/metadata", document=_PACKET
    ),
)
VULTR: Final = Site(
    internal=("10.7.96.3",),
    addresses=("192.0.2.2/31", "10.7.96.3/20", "2001:db8:7400:7ccf:5428:d5ff:fe28:1910/64"),
    gateways=("192.0.2.3/31", "fe80::1/64"),
    sources={4: "192.0.2.2", 6: "2001:db8:7400:7ccf:5428:d5ff:fe28:1910"},
    routers=("169.254.169.254", "2001:19f0:ffff::1"),
    ways={4: "192.0.2.3", 6: "fe80::1"},
    added=("2001:19f0:ffff::1",),
    router_asn=64515,
    node_asn=64496,
    ttl=2,
    hold=90,
    password=_VULTR_KEY,
    channels={4: {4: "(20473, 6000) ~ bgp_community && net.len >= 24"}, 6: {6: "true"}},
    communities=frozenset({(20473, 6000)}),
    told=Told(
        name="169.254.169.254",
        address="169.254.169.254",
        path="/v1.json",
        document=_sample("vultr_filled"),
    ),
    objects=(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/basic-auth",
            "metadata": {"name": "vultr-bgp"},
            "stringData": {"password": _VULTR_KEY},
        },
    ),
)
CHERRY: Final = Site(
    internal=("10.179.192.2",),
    addresses=("46.166.169.95/26", "10.179.192.2/24"),
    gateways=("46.166.169.65/26",),
    sources={4: "46.166.169.95"},
    routers=("46.166.166.122", "46.166.166.123"),
    ways={4: "46.166.169.65"},
    router_asn=16125,
    node_asn=65001,
    ttl=255,
    hold=90,
    limit=2,
    channels={4: {4: "net ~ [203.0.113.10/32, 203.0.113.11/32]"}},
    told=Told(
        name="api.cherryservers.com",
        address="198.51.100.80",
        path="/v1/projects/123456/servers",
        document=_sample("cherry_servers"),
        token=_CHERRY_TOKEN,
    ),
    secrets={"cherry-api/token": _CHERRY_TOKEN},
)
_FIRST_CHOICE: Final = "(65000, 1) ~ bgp_community"
LINODE: Final = Site(
    internal=("192.0.2.2", "2001:db8:3c03::11"),
    addresses=("192.0.2.2/31", "2001:db8:3c03::11/64"),
    gateways=("192.0.2.3/31", "fe80::1/64"),
    sources={6: "2001:db8:3c03::11"},
    routers=tuple(f"2600:3c0f:6:34::{number}" for number in range(1, 5)),
    ways={6: "fe80::1"},
    router_asn=65000,
    node_asn=65001,
    ttl=16,
    hold=9,
    channels={
        6: {
            4: f"net.len = 32 && {_FIRST_CHOICE}",
            6: f"(net.len = 56 || net.len = 64) && {_FIRST_CHOICE}",
        }
    },
    communities=frozenset({(65000, 1)}),
)
