"""What people configure, validated: pools, advertisements, communities, peers, speaker policies.

One value for each document. References between them are names, resolved by policy for one node.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bgpd.model.member import SpeakerPolicy
from bgpd.model.peer import Asn, Lever, PeerName, Takeover
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.provider import ProviderChoice
from bgpd.model.selector import Selector, Selectors


class Distribution(StrEnum):
    """How the nodes of an advertisement share its traffic."""

    ECMP = "ecmp"
    """All are equal, and the router spreads flows over them."""
    ACTIVE_STANDBY = "activeStandby"
    """One is best; the others advertise with worse attributes, in an order that all compute."""


class Weight(StrEnum):
    """Whether a node tells routers how much of the traffic it can take."""

    NONE = "none"
    ENDPOINTS = "endpoints"
    """In proportion to its ready local endpoints, as a link-bandwidth community."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePreference:
    """How much an active node is wanted: the weights of all matching selectors add up."""

    weight: int
    """1..100."""
    selector: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAllocation:
    """Which Services may have a pool's addresses: namespaces and Services must both match."""

    priority: int = 0
    """The smaller wins; 0 comes last."""
    namespaces: tuple[str, ...] = ()
    namespace_selectors: Selectors = ()
    service_selectors: Selectors = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IPAddressPool:
    """Addresses that Services may have."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[Prefix, ...]
    """The fewest blocks that hold exactly the pool's addresses, in the document's order."""
    largest: tuple[Prefix, ...] = ()
    """The largest block of each entry of the document; empty: each of *prefixes* is an entry."""
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    """IPv4 addresses that end in .0 or .255 are not the pool's."""
    allocation: ServiceAllocation | None = None
    """None: every Service may have its addresses."""
    reserved: tuple[Prefix, ...] = ()
    """Addresses of the pool that nobody is given, though whoever has one keeps it."""
    reuse_delay: int = 0
    """Seconds for which a released address is not given to another Service."""
    bind: bool = False
    """Whether nodes that may advertise an address of it also have it on an interface of ours."""
    migrating: bool = False
    """Whether MetalLB still carries a part of the traffic (`bgpd.model.migration`)."""


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
    aliases: tuple[str, ...] = ()
    """Communities by their names in Community documents, resolved by policy."""
    as_path_prepend: int = 0
    med: int | None = None
    """A rank within the generation where the peer's lever is MED (0..200), else the MED itself."""
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    distribution: Distribution = Distribution.ECMP
    preferred_nodes: tuple[NodePreference, ...] = ()
    weight: Weight = Weight.NONE
    priority: int = 0
    """Which routes go first where a peer takes a limited number: the larger, 0..1000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """Names for communities."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    """Alias -> `a:b` or `large:a:b:c`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BFDProfile:
    """How fast a session's BFD is.

    Intervals are milliseconds; the defaults are FRR's.
    """

    name: str
    receive_interval: int = 300
    transmit_interval: int = 300
    detect_multiplier: int = 3
    echo_interval: int = 50
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int = 254
    """Of sessions over several hops; over one it is always 255 (RFC 5881, section 5)."""
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None
    key_id: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Advertisement:
    """MetalLB's layer 2 mode; known, so that a person hears that it is not done."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A TCP MD5 key that peers refer to."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPPeer:
    """A router, and the nodes that speak with it."""

    name: PeerName
    address: Address
    peer_asn: Asn
    local_asn: Asn
    """What the session speaks with: `spec.localASN` where there is one, else `spec.myASN`."""
    my_asn: Asn | None = None
    """`spec.myASN`, which the peers of a node have in common; None: the same as *local_asn*."""
    port: int = 179
    source_address: Address | None = None
    router_id: Address | None = None
    hold_time: int = 90
    families: tuple[Family, ...]
    node_selectors: Selectors = ()
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None
    password_secret: str = ""
    """The Secret that *password* comes from; empty where it comes from none."""
    ttl: int | None = None
    ttl_security: int | None = None
    graceful_restart: int | None = None
    max_prefixes: int | None = None
    lever: Lever = Lever.MED
    takeover: Takeover = Takeover.AUTO
    damping: bool = False
    next_hop_v4: Address | None = None
    next_hop_v6: Address | None = None
    bfd_profile: str = ""
    vrf: str = ""
    interface: str = ""
    """Of an unnumbered peer, whose *address* then means nothing."""
    dynamic_asn: str = ""
    """`internal` or `external` where the peer's ASN is whatever it says; *peer_asn* means nothing.
    """
    gateway: str = ""
    """An address, or `default`: reach the peer by a host route over it; empty: no route of ours."""
    provider: ProviderChoice | None = None
    """Where the peers come from; *address* and the ASNs then mean nothing, unless they are set."""
    stated: frozenset[str] = frozenset()
    """Beside *provider*: the names of the fields here that the document sets itself, of `address`,
    `local_asn`, `peer_asn`, `hold_time`, `families`, `max_prefixes` and `lever`."""
    document: str = ""
    """The BGPPeer that this one was discovered for; empty: it is a document itself."""
    communities: tuple[str, ...] = ()
    """Added to every route for this peer, as `a:b`."""

    @property
    def without_session(self) -> bool:
        """Whether it asks for a session that bgpd cannot have, and so gets none."""
        return bool(self.vrf or self.interface or self.dynamic_asn)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePolicy:
    """A SpeakerPolicy document: how the speakers of the selected nodes behave."""

    name: str
    node_selectors: Selectors = ()
    policy: SpeakerPolicy = field(default_factory=SpeakerPolicy)
