"""What `bgpctl doctor` found out about a node, before anybody judges it.

Everything may be unknown: who has no right to look, or gets no answer, leaves None or
`Answer.NOT_TRIED`, and the checks say so instead of guessing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bgpd.ctl.view import View
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.status import MemberStatus, SessionStatus


class Answer(StrEnum):
    """What came back of one attempt to reach something."""

    NOT_TRIED = "not tried"
    YES = "yes"
    REFUSED = "refused"
    SILENT = "silent"
    FAILED = "failed"
    """It could not even be sent, or what came back was wrong; the detail says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt, and what the system said of it."""

    answer: Answer = Answer.NOT_TRIED
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """An address of this host."""

    address: Address
    length: int
    interface: str
    loopback: bool = False
    """Whether the interface is no cable: lo, a dummy, a bridge without ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the kernel would send to an address now."""

    interface: str
    gateway: Address | None = None
    """None: the address is on the link."""
    source: Address | None = None
    mtu: int | None = None
    """Of the route, or learned of the path; None: that of the link."""
    link_mtu: int | None = None
    carrier: bool | None = None
    ours: bool = False
    """Whether the address is one of this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open TCP connection with a router, as the kernel sees it."""

    path_mtu: int | None = None
    segment: int | None = None
    """Bytes of one segment that we send at most."""
    silence_seconds: float | None = None
    """Since the router's kernel acknowledged anything; ours asks it each second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """One router."""

    name: str
    address: Address
    port: int = 179
    source: Address | None = None
    signed: bool | None = None
    gateway: str = ""
    wanted_hold_time: int | None = None
    wanted_families: tuple[Family, ...] = ()
    session: SessionStatus | None = None
    """None: the speaker does not say."""
    way: Way | None = None
    way_problem: str = ""
    """Why the kernel could not be asked for the way; empty and no way: there is no route."""
    connection: Connection | None = None
    connect: Attempt = Attempt()
    """A plain TCP connect from *source*; not tried while there is a connection."""
    ping: Attempt = Attempt()
    large_ping: Attempt = Attempt()
    """As large as the uplink takes, not to be fragmented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """Another node of the mesh."""

    name: str
    address: Address
    port: int
    status: MemberStatus | None = None
    ping: Attempt = Attempt()
    knock: Attempt = Attempt()
    """An empty datagram to the mesh port: its kernel refuses where no speaker listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFacts:
    """What the provider of one BGPPeer says when it is asked here and now."""

    document: str
    provider: str
    where: str
    """The URL or the place that was asked."""
    peers: int | None = None
    """Sessions in its answer; None: no answer that is understood."""
    problem: str = ""
    empty: str = ""
    """What it means that there are none, and what to do."""
    accepts: Mapping[Address, tuple[Prefix, ...]] = field(default_factory=dict)
    """What each of its routers takes from us; those that do not say are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """One of our processes."""

    what: str
    pid: int
    open_files: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """Who listens on one of our ports on this node."""

    name: str
    """As in `bgpd.model.port.PORTS`."""
    addresses: tuple[str, ...] = ()
    """Where somebody listens, `127.0.0.1:7180`; empty: nobody does."""
    ours: bool = False
    """Whether one of our processes does."""
    holder: str = ""
    """Which other program does, `name (pid 42)`; empty: none, or we may not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFacts:
    """The directory with what outlives a process."""

    path: str
    problem: str = ""
    """Why nothing can be said of it."""
    read_only: bool = False
    free_bytes: int | None = None
    free_files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The kernel of this host."""

    problem: str = ""
    """Why it could not be asked."""
    addresses: tuple[HostAddress, ...] | None = None
    defaults: tuple[Way, ...] | None = None
    """The next hops of the default routes, of both families."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """By name, as `net.ipv4.ip_forward`; what cannot be read is missing."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """The kernel's own, of /proc/net/netstat, by name."""
    synchronized: bool | None = None
    """Whether the kernel says that its clock is being kept right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything."""

    view: View
    now: float
    """Wall clock, seconds since the epoch."""
    user: int = 0
    pod_of: str = ""
    """The node whose pod this runs in; empty: it runs in none."""
    agent_forbidden: bool = False
    """Whether the agent's socket is there, and not for us."""
    speaker_forbidden: bool = False
    kept_problem: str = ""
    """Why the desired state on the disk could not be read, where that was needed."""
    peers: tuple[PeerFacts, ...] = ()
    members: tuple[MemberFacts, ...] = ()
    metadata: tuple[MetadataFacts, ...] = ()
    metadata_problem: str = ""
    """Why it is not known which BGPPeers have a provider."""
    ending_here: frozenset[Prefix] = frozenset()
    """Elastic IPs that the kernel takes for its own: bound, or by a local route."""
    host: HostFacts = HostFacts()
    kube_proxy_url: str = ""
    kube_proxy: Attempt = Attempt()
    state: StateFacts = StateFacts(path="/var/lib/bgpd", problem="nobody looked")
    processes: tuple[ProcessFacts, ...] = ()
    ports: tuple[PortFacts, ...] = ()
