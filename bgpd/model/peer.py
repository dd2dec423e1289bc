"""A peer: the other end of a BGP session, as the configuration wants it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bgpd.model.errors import ConfigError, in_range
from bgpd.model.prefix import Address, Family, parse_address

PeerName = NewType("PeerName", str)
"""The `metadata.name` of a BGPPeer."""

Asn = NewType("Asn", int)
"""An autonomous system number, 1..4294967295 (RFC 6793), printed asplain (RFC 5396)."""


class Lever(StrEnum):
    """The path attribute that carries the generation, and therefore moves the router."""

    MED = "med"
    LOCAL_PREF = "localPref"
    AS_PATH = "asPath"
    ORIGIN = "origin"
    NONE = "none"


class Takeover(StrEnum):
    """When survivors raise the generation for routes that this peer hears."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


class PeerState(StrEnum):
    """The state of a session (RFC 4271, section 8.2.2)."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"


class BFDState(StrEnum):
    """The state of a BFD session (RFC 5880, section 4.1)."""

    ADMIN_DOWN = "AdminDown"
    DOWN = "Down"
    INIT = "Init"
    UP = "Up"


@dataclass(frozen=True, slots=True, kw_only=True)
class BFD:
    """How a session is watched by BFD (RFC 5880, asynchronous mode), complete."""

    receive_milliseconds: int = 300
    """Required Min RX Interval, 10..60000."""
    transmit_milliseconds: int = 300
    """Desired Min TX Interval, 10..60000."""
    multiplier: int = 3
    """Detect Mult, 2..255."""
    passive: bool = False
    """Whether we wait for the other end's first packet."""
    multihop: bool = False
    """RFC 5883 on port 4784 instead of RFC 5881 on 3784."""
    minimum_ttl: int = 255
    """Least TTL that is accepted: 255 where the router is one hop away (RFC 5881, section 5)."""
    password: str | None = field(default=None, repr=False)
    """Key of meticulous keyed SHA1 authentication, 1..20 bytes; None: none."""
    key_id: int = 1
    """0..255, beside *password*."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        in_range("receive_milliseconds", self.receive_milliseconds, 10, 60_000)
        in_range("transmit_milliseconds", self.transmit_milliseconds, 10, 60_000)
        in_range("multiplier", self.multiplier, 2, 255)
        in_range("minimum_ttl", self.minimum_ttl, 1, 255)
        in_range("key_id", self.key_id, 0, 255)
        if self.password is not None:
            in_range("bytes of the password", len(self.password.encode()), 1, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One BGP peer of this node, complete: nothing is looked up elsewhere.

    Sessions are keyed by *address*; two peers of one node never share it. *password* is the
    TCP MD5 key itself (RFC 2385), read from a file by the agent.
    """

    name: PeerName
    address: Address
    peer_asn: Asn
    local_asn: Asn
    local_address: Address
    """Source address of the session; also the next hop when the families agree."""
    router_id: Address
    port: int = 179
    hold_time: int = 90
    """Seconds: 0, or 3..65535 (RFC 4271, section 4.2); keepalives leave at a third of it."""
    families: tuple[Family, ...] = (Family.IPV4,)
    password: str | None = field(default=None, repr=False)
    ttl: int | None = None
    """TTL of what we send; None leaves the kernel's default."""
    ttl_security: int | None = None
    """Least TTL accepted from the peer (RFC 5082); what we send then carries 255."""
    graceful_restart: int | None = None
    """Restart time in seconds offered to the peer, 1..4095 (RFC 4724), or None."""
    max_prefixes: int | None = None
    """Most prefixes that this peer accepts from us; more are refused at the last gate."""
    lever: Lever = Lever.MED
    takeover: Takeover = Takeover.AUTO
    damping: bool = False
    """The router dampens flaps (RFC 2439), so raises share a budget that is shown."""
    next_hop_v4: Address | None = None
    """Next hop of IPv4 routes where the session runs over IPv6 (RFC 8950); else the source."""
    next_hop_v6: Address | None = None
    bfd: BFD | None = None
    gateway: str = ""
    """An address, or `default`: we reach the peer by a host route over it; empty: no route."""
    document: str = ""
    """The BGPPeer that this peer was discovered for; empty: it is one itself."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no session could be configured with."""
        for asn in ("peer_asn", "local_asn"):
            in_range(asn, getattr(self, asn), 1, 2**32 - 1)
        in_range("port", self.port, 1, 65535)
        if self.hold_time:
            in_range("hold_time", self.hold_time, 3, 65535)
        for address in ("address", "local_address", "router_id", "next_hop_v4", "next_hop_v6"):
            _canonical(address, getattr(self, address))

    @property
    def internal(self) -> bool:
        """Whether the session is iBGP, so that local preference is sent."""
        return self.peer_asn == self.local_asn


def _canonical(field: str, address: Address | None) -> None:
    if address is None:
        return
    try:
        canonical = parse_address(address) == address
    except ConfigError:
        canonical = False
    if not canonical:
        raise ValueError(f"{field}: {address!r} must be an address in canonical form")
