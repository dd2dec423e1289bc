"""What a lab at a provider looks like: its routers, its addresses, its constants. Pure.

```
                        ┌─ router  169.254.255.1 ─┐           n1: one interface, at Packet with a
client ─ upstream ──────┤                         ├─ fabric ─ n2  public and a private address
           ▲            └─ router2 169.254.255.2 ─┘  │        n3
           └──────────── answers leave here ─────────┘
```

The fabric is every node's gateway: sessions pass it, so they are of several hops. For elastic IPs
the routers reach a node over a segment of its own, on which they have no address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ProviderName(StrEnum):
    """The providers that a lab can stand for."""

    PACKET = "packet"
    VULTR = "vultr"
    LINODE = "linode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One provider's network, as its documentation has it."""

    name: ProviderName
    sentence: str
    router_asn: int
    node_asn: int
    routers: Mapping[int, tuple[str, ...]]
    """IP version of a session -> the address of each router."""
    transports: Mapping[int, int]
    """IP version of routes -> that of the session that carries them."""
    multihop: int
    """TTL of the routers' packets."""
    password: str = ""
    told: bool = True
    """Whether the metadata tells the password."""
    max_prefixes: int | None = None
    metadata: str = ""
    """The documented name of the metadata server; an address stands for itself; empty: none."""
    metadata_address: str = ""

    @property
    def count(self) -> int:
        """How many routers there are."""
        return max(map(len, self.routers.values()))

    @property
    def told_by_a_router(self) -> bool:
        """Whether the metadata is served at a router's own address."""
        return self.metadata_address in self.routers.get(4, ())

    @property
    def private(self) -> bool:
        """Whether a node also has a private address, by which alone the routers are reached."""
        return self.name is ProviderName.PACKET

    def versions(self, families: tuple[int, ...]) -> tuple[int, ...]:
        """Return the IP versions of the sessions that carry routes of *families*."""
        return tuple(dict.fromkeys(self.transports[family] for family in families))

    def node(self, number: int, version: int) -> str:
        """Return the address of node *number* from which its sessions come."""
        if version == 4 and self.private:
            return f"10.99.182.{127 + 2 * number}"
        return self.public(number, version)

    def gateway(self, number: int, version: int) -> str:
        """Return the gateway by which node *number* reaches the routers."""
        if version == 4 and self.private:
            return f"10.99.182.{126 + 2 * number}"
        return self.public_gateway(number, version)

    def public(self, number: int, version: int) -> str:
        """Return the public address of node *number*."""
        if version == 6:
            return _PUBLIC_6[self.name].format(number)
        return f"147.75.65.{29 + 2 * number}" if self.private else f"192.0.2.{2 * number}"

    def public_gateway(self, number: int, version: int) -> str:
        """Return the default gateway of node *number*."""
        if version == 6:
            return LINK_LOCAL
        return f"147.75.65.{28 + 2 * number}" if self.private else f"192.0.2.{2 * number + 1}"


LINK_LOCAL: Final = "fe80::1"
"""The gateway of IPv6 everywhere."""
_PUBLIC_6: Final = {
    ProviderName.PACKET: "2604:1380:1:5f00:{:x}::1",
    ProviderName.VULTR: "2001:db8:7400:{:x}::1",
    ProviderName.LINODE: "2600:3c01:0:{:x}::1",
}
LINODE_SITE: Final = 6
"""Newark, as Linode counts its data centers."""

SITES: Final[Mapping[ProviderName, Site]] = {
    site.name: site
    for site in (
        Site(
            name=ProviderName.PACKET,
            sentence="Packet: two top-of-rack routers behind a private gateway, MD5, ten prefixes",
            router_asn=65530,
            node_asn=65000,
            routers={4: ("169.254.255.1", "169.254.255.2")},
            transports={4: 4},
            multihop=5,
            password="ValidPassword123",  # noqa: S106 - that of the sample documents
            max_prefixes=10,
            metadata="metadata.packet.net",
            metadata_address="192.80.8.124",
        ),
        Site(
            name=ProviderName.VULTR,
            sentence="Vultr: one router at the metadata's own address, MD5 by file",
            router_asn=64515,
            node_asn=64496,
            routers={4: ("169.254.169.254",), 6: ("2001:19f0:ffff::1",)},
            transports={4: 4, 6: 6},
            multihop=2,
            password="sixteen-bytes-16",  # noqa: S106 - of the lab alone
            told=False,
            metadata="169.254.169.254",
            metadata_address="169.254.169.254",
        ),
        Site(
            name=ProviderName.LINODE,
            sentence="Linode: four routers, IPv4 routes over IPv6 sessions (RFC 8950), no MD5",
            router_asn=65000,
            node_asn=65001,
            routers={6: tuple(f"2600:3c0f:{LINODE_SITE}:34::{i}" for i in range(1, 5))},
            transports={4: 6, 6: 6},
            multihop=16,
        ),
    )
}
