"""What a node knows about itself, as shown by `bgpctl status` and sent over the sockets."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState, Lever, PeerName, PeerState
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.reason import Withheld
from bgpd.model.timeline import Failover


class MemberState(StrEnum):
    """What this speaker believes of another member."""

    UNHEARD = "Unheard"
    """Listed, but never heard by us since we started: it does not count yet."""
    ALIVE = "Alive"
    SUSPECT = "Suspect"
    RESTARTING = "Restarting"
    """Its process is gone or said goodbye, but its kernel answers."""
    DEAD = "Dead"
    QUARANTINED = "Quarantined"


SINCE: Final = "; since then "
"""What a session's last error has between what ended it and what has kept it from returning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One session with one peer."""

    peer: PeerName
    address: Address
    peer_asn: int
    local_asn: int
    state: PeerState
    since: float | None = None
    """Wall clock of the last change of state, seconds since the epoch."""
    hold_time: int | None = None
    """Negotiated, seconds; None before the session is established."""
    peer_router_id: Address | None = None
    lever: Lever = Lever.MED
    advertised: int = 0
    """Prefixes that this peer is offered now; 0 while the session is down."""
    max_prefixes: int | None = None
    last_error: str = ""
    """Why the session last went down, in a sentence."""
    transitions: int = 0
    damping_budget: int | None = None
    """Changes of the generation that a peer which dampens flaps may hear now; None elsewhere."""
    graceful_restart: bool = False
    """Whether both ends offered it, so that the peer keeps our routes over a restart."""
    bfd: "BFDStatus | None" = None
    """None: no BFD is wanted."""
    lever_probed: dict[str, bool] = field(default_factory=dict)
    """Lever, or community -> whether `bgpctl probe` saw traffic follow it; empty: never probed."""
    probed_at: float | None = None
    """Wall clock of that probe, seconds since the epoch."""
    local_address: Address | None = None
    """Source of the session; None: a speaker of another version, which does not say."""
    port: int = 179
    families: tuple[Family, ...] = ()
    """Negotiated; empty before the session is established."""
    wanted_families: tuple[Family, ...] = ()
    wanted_hold_time: int | None = None
    """Seconds, as configured."""
    signed: bool | None = None
    """Whether the configuration has a TCP MD5 key (RFC 2385) for it."""
    gateway: str = ""
    """As in `Peer`."""
    document: str = ""
    """As in `Peer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BFDStatus:
    """The BFD session beside a BGP session."""

    state: BFDState
    since: float | None = None
    """Wall clock of the last change of state, seconds since the epoch."""
    detection_milliseconds: float | None = None
    """Negotiated: silence of the peer for so long is the end of the session."""
    remote_detection_milliseconds: float | None = None
    """Negotiated: after so long without us the peer calls us dead."""
    transmit_milliseconds: float | None = None
    transitions: int = 0
    dampened: bool = False
    """Whether it flapped so often that its word does not count for a while."""
    last_error: str = ""
    """Why it last went down, in a sentence."""
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """One member of the mesh as this speaker sees it."""

    name: str
    address: Address
    state: MemberState
    last_heard_milliseconds: float | None = None
    loss_percent: float = 0.0
    """Heartbeats lost from this member over the last 256."""
    misses_allowed: int = 3
    """Silent heartbeats before suspicion; grows with the loss."""
    generation: int | None = None
    version: int | None = None
    """The heartbeat version that it speaks."""
    agent_alive: bool = True
    draining: bool = False
    doubtful: bool = False
    """Whether its agent was away for so long that its routes rank behind all others, or nearly."""
    partial: bool = False
    """Whether it does not advertise all that others expect of it: it has just started, or health
    withholds a Service there. A drain leaves nothing to it."""
    hears_us: bool = False
    round_trip_milliseconds: float | None = None
    """Of the last echo where its kernel answers them, else of heartbeats, to a millisecond."""
    late_heartbeats: int = 0
    """Heartbeats that came half an interval late or later, since this speaker knows it."""
    suspicions: int = 0
    """How often this speaker suspected it, since it knows it."""
    router_ids: tuple[Address, ...] = ()
    """The BGP identifiers of the routers that it has sessions with, as it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshStatus:
    """The mesh and the takeover as this speaker sees them."""

    node: str
    generation: int
    armed: bool
    """Whether a death would be answered by a raise right now."""
    reachable: int
    """Members alive, ourselves included."""
    counted: int
    """Members that count for the quorum, ourselves included."""
    members: tuple[MemberStatus, ...] = ()
    raises: int = 0
    """Raises that this speaker itself decided since it started."""
    counters: dict[str, int] = field(default_factory=dict)
    """Datagrams ignored and other things counted, by name."""
    conditions: tuple["Condition", ...] = ()
    interval_milliseconds: float | None = None
    """Time between heartbeats; None: a speaker of another version, which does not say."""
    quarantined: bool = False
    """Whether the others hold this node in quarantine, so that its routes rank behind theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that a person should know, in Kubernetes' shape."""

    type: str
    status: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus:
    """One prefix that is offered now."""

    prefix: Prefix
    peers: tuple[PeerName, ...]
    """Those whose session is established: nobody else has heard of it."""
    rank: int
    med: int | None = None
    services: tuple[str, ...] = ()


class DrainPhase(StrEnum):
    """How far a drain is."""

    NOT_DRAINING = "NotDraining"
    WAITING = "Waiting"
    """Some routes wait: for another node that carries them, or for their connections to end."""
    DEMOTED = "Demoted"
    """All routes are less wanted than any other's; routers move the traffic."""
    DRAINED = "Drained"
    """All routes are withdrawn; sessions and mesh stay."""
    LEAVING = "Leaving"
    """The process ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainStatus:
    """A drain, and what it waits for."""

    phase: DrainPhase = DrainPhase.NOT_DRAINING
    cause: str = ""
    """Why, in a sentence; several causes are joined."""
    since: float | None = None
    """Wall clock, seconds since the epoch."""
    alone: tuple[Prefix, ...] = ()
    """Prefixes that stay because no other live, undrained member carries them."""
    busy: tuple[Prefix, ...] = ()
    """Prefixes that stay as they are because connections are open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    """What the agent knows of its node's health."""

    node: dict[str, Health] = field(default_factory=dict)
    """`carrier`, `gateway`, `kubelet`, `kube-proxy` -> what is believed of it."""
    details: dict[str, str] = field(default_factory=dict)
    """A sentence for each of *node* that has one."""
    doubt: tuple[str, ...] = ()
    """Why the node's routes rank 250, a sentence each; empty: they do not."""
    probes: tuple[ProbeResult, ...] = ()


class HostState(StrEnum):
    """How it stands with something that this node is to have."""

    PRESENT = "Present"
    MISSING = "Missing"
    LEFT_ALONE = "LeftAlone"
    """Somebody else has put one there; it is not ours to touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRouteStatus:
    """One host route to a peer."""

    destination: Prefix
    via: tuple[str, ...] = ()
    """Next hops, `10.0.0.1 dev eth0`."""
    source: Address | None = None
    peer: PeerName | None = None
    """None: no peer wants it (any more), or nobody says so."""
    state: HostState = HostState.PRESENT
    detail: str = ""
    """Why it is not there, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddressStatus:
    """One elastic IP on an interface of this node."""

    address: Address
    state: HostState = HostState.PRESENT
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """What was added to this node's network, and what became of it."""

    interface: str = ""
    """Where elastic IPs are bound: `bgpd0` or `lo`; empty: nowhere."""
    interface_kind: str = ""
    """`dummy`, `bridge` or `loopback`."""
    routes: tuple[HostRouteStatus, ...] = ()
    addresses: tuple[HostAddressStatus, ...] = ()
    restored: dict[str, int] = field(default_factory=dict)
    """What another program took away and we put back: `routes`, `addresses`, `interface`."""
    quarrel: bool = False
    """Whether another program takes it away so often that it is put back more slowly."""
    problems: tuple[str, ...] = ()
    """What could not be done, or would keep packets from arriving, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerStatus:
    """Everything that the speaker can say without the agent."""

    node: str
    version: str
    started: float
    """Wall clock, seconds since the epoch."""
    agent_connected: bool
    agent_absent_since: float | None
    exabgp_pid: int | None
    sessions: tuple[SessionStatus, ...] = ()
    routes: tuple[RouteStatus, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    mesh: MeshStatus | None = None
    counters: dict[str, int] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    draining: bool = False
    drain: DrainStatus = DrainStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """The agent's view of its node, with the speaker's inside; what `bgpctl status` prints."""

    node: str
    version: str
    source: str
    """Where documents come from: `directory:PATH` or `kubernetes`."""
    synced: bool
    speaker: SpeakerStatus | None
    """None when the speaker cannot be reached."""
    withheld: tuple[Withheld, ...] = ()
    conditions: tuple[Condition, ...] = ()
    documents: int = 0
    sources: dict[str, str] = field(default_factory=dict)
    """Object -> the file that it comes from; those that come from files beside the API."""
    services: dict[Prefix, tuple[str, ...]] = field(default_factory=dict)
    """Which Services each desired prefix stands for."""
    health: HealthStatus = HealthStatus()
    providers: dict[PeerName, str] = field(default_factory=dict)
    """BGPPeer -> the provider that it names; those that name one."""
    host: HostStatus = HostStatus()
    failovers: tuple[Failover, ...] = ()
    """The last few that are over, for the cluster; people on the node ask for the timeline."""
    silence_seconds: float | None = None
    """Since everything that is followed of the API was heard; it says something each minute. None:
    documents come from files, or nothing was ever heard."""
