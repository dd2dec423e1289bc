"""What people configure, validated: pools, advertisements, peers and speaker policies.

One value for each document. References between them are names, resolved by policy for one node.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgpd.model.member import SpeakerPolicy
from bgpd.model.peer import Asn, Lever, PeerName, Takeover
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.selector import Selectors


@dataclass(frozen=True, slots=True, kw_only=True)
class IPAddressPool:
    """Addresses that Services may have."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[Prefix, ...]
    """The fewest blocks that hold exactly the pool's addresses, in the document's order."""
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    """IPv4 addresses that end in .0 or .255 are not the pool's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPAdvertisement:
    """Which pools' addresses go to which peers from which nodes, with which attributes."""

    name: str
    pools: tuple[str, ...] = ()
    pool_selectors: Selectors = ()
    """Pools are chosen by name or by label; with neither, every pool is meant."""
    node_selectors: Selectors = ()
    service_selectors: Selectors = ()
    peers: tuple[PeerName, ...] = ()
    """Empty means every peer."""
    local_pref: int = 0
    """0 means that none is set."""
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    as_path_prepend: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPPeer:
    """A router, and the nodes that speak with it."""

    name: PeerName
    address: Address
    peer_asn: Asn
    local_asn: Asn
    port: int = 179
    source_address: Address | None = None
    router_id: Address | None = None
    hold_time: int = 90
    families: tuple[Family, ...]
    node_selectors: Selectors = ()
    password: str | None = None
    password_file: str | None = None
    ttl: int | None = None
    ttl_security: int | None = None
    graceful_restart: int | None = None
    max_prefixes: int | None = None
    lever: Lever = Lever.MED
    takeover: Takeover = Takeover.AUTO
    damping: bool = False
    next_hop_v4: Address | None = None
    next_hop_v6: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePolicy:
    """A SpeakerPolicy document: how the speakers of the selected nodes behave."""

    name: str
    node_selectors: Selectors = ()
    policy: SpeakerPolicy = field(default_factory=SpeakerPolicy)
