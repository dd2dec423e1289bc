"""What is configured on a node and how much of it is in use, for people who ask for it by name.

It is no part of the status: to count the use of pools takes a look at every Service, which is
worth it when somebody asks, and not each time that the cluster is told how the node is.
"""

from dataclasses import dataclass

from bgpd.model.health import ProbeTarget
from bgpd.model.peer import Lever, PeerName, Takeover
from bgpd.model.prefix import Address, Family, Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """One IPAddressPool, and how many of its addresses Services have."""

    name: str
    prefixes: tuple[Prefix, ...]
    in_force: bool = True
    """Whether it holds; False: it was refused, and no earlier version of it holds either."""
    total_ipv4: int = 0
    """Addresses that can be given; `2^62` stands for as many or more."""
    total_ipv6: int = 0
    used_ipv4: int = 0
    """Addresses that Services have; one that is shared counts once."""
    used_ipv6: int = 0
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    reserved: tuple[Prefix, ...] = ()
    bind: bool = False
    migrating: bool = False
    services: int = 0
    """Services that have an address of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDocument:
    """One BGPPeer as it is written, without its password."""

    name: PeerName
    selected: bool
    """Whether its node selectors choose this node."""
    in_force: bool
    """Whether this node has, or would have, a session because of it."""
    address: Address | None = None
    """None where a provider tells of it."""
    port: int = 179
    peer_asn: int | None = None
    local_asn: int | None = None
    hold_time: int = 90
    families: tuple[Family, ...] = ()
    lever: Lever = Lever.MED
    takeover: Takeover = Takeover.AUTO
    max_prefixes: int | None = None
    bfd_profile: str = ""
    signed: bool = False
    """Whether it names a TCP MD5 key (RFC 2385)."""
    damping: bool = False
    gateway: str = ""
    provider: str = ""
    """Who tells of its sessions; empty: the document itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDocument:
    """One HealthCheck as it is written."""

    name: str
    """`namespace/name`."""
    probe: str
    """`httpGet`, `tcpSocket`, `dns`, `ntp`, `grpc` or `exec`."""
    target: ProbeTarget = ProbeTarget.ENDPOINT
    period_milliseconds: int = 1000
    timeout_milliseconds: int = 1000
    failure_threshold: int = 3
    success_threshold: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that was asked for, each in the order of names."""

    pools: tuple[PoolUse, ...] = ()
    peers: tuple[PeerDocument, ...] = ()
    checks: tuple[CheckDocument, ...] = ()
