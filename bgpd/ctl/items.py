"""What `bgpctl get` lists, one value an item: what `-o json` prints and its schemas describe.

Each has a `name`, by which a person asks for it, and most have a `node`, which says so. What is
known of a thing in full is the model's own value, inside.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bgpd.model.health import Health
from bgpd.model.inventory import CheckDocument, PeerDocument, PoolUse
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason
from bgpd.model.route import Attributes
from bgpd.model.status import MemberState, MemberStatus, SessionStatus


class Stand(StrEnum):
    """How it stands with an elastic IP, or with a route to one peer."""

    ADVERTISED = "Advertised"
    """A router hears it."""
    UNSENT = "Unsent"
    """It is wanted, but no session is established by which it could leave."""
    WITHHELD = "Withheld"
    """It is not advertised, for the reason that is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A node that advertises an elastic IP, or would if it had a session."""

    node: str
    rank: int
    med: int | None
    peers: tuple[PeerName, ...]
    """Who hears it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Why one node does not advertise an elastic IP, to all peers or to one."""

    node: str
    reason: Reason
    message: str
    peer: PeerName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticIP:
    """One elastic IP: whom it belongs to, and who carries it."""

    name: str
    """The address; a block that is advertised whole has its length."""
    prefix: Prefix
    state: Stand
    services: tuple[str, ...] | None
    """As `namespace/name`; null: nobody who knows could be asked."""
    carriers: tuple[Carrier, ...]
    """Best rank first."""
    withheld: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One prefix towards one peer."""

    name: Prefix
    node: str
    peer: PeerName
    state: Stand
    rank: int | None
    services: tuple[str, ...] | None
    attributes: Attributes | None
    """As they were handed to ExaBGP; null: only the speaker of the node itself knows them."""
    settled: bool
    """Whether ExaBGP has confirmed them."""
    reason: Reason | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One BGP session of one node."""

    name: PeerName
    node: str
    status: SessionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSession:
    """The session that a node has because of a BGPPeer."""

    name: PeerName
    address: Address
    state: PeerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One BGPPeer, and what came of it on a node."""

    name: PeerName
    node: str
    document: PeerDocument | None
    """As it is written; null: the agent could not be asked."""
    sessions: tuple[PeerSession, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeItem:
    """One node as far as whoever was asked knows it."""

    name: str
    state: str
    """`fine`, `degraded` or `down`; `unknown` where nobody who can judge was asked."""
    problems: tuple[str, ...]
    heard: MemberState | None
    """What the speaker that was asked believes of it; null: it is that node, or hears none."""
    sessions: int | None
    established: int | None
    elastic_ips: int | None
    """Prefixes that some router hears from it."""
    armed: bool | None
    """Whether it would take over for others."""
    generation: int | None
    draining: bool | None
    agent: str
    """The version of its agent; empty: unknown, or the agent does not answer."""
    speaker: str
    started: float | None
    """Wall clock of its speaker's start, seconds since the epoch."""
    written: float | None
    """Wall clock of what its agent wrote last for the cluster; null: it was asked itself."""
    doubts: tuple[str, ...]
    """Why what it wrote may be old, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of the mesh as one node sees it."""

    name: str
    node: str
    """Who sees it."""
    status: MemberStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One IPAddressPool, and how much of it is in use."""

    name: str
    use: PoolUse


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckItem:
    """What one HealthCheck, or a healthCheckNodePort, says of one Service on a node."""

    name: str
    """`namespace/name` of the HealthCheck; of the Service where its healthCheckNodePort is asked.
    """
    node: str
    service: str
    """As `namespace/name`; empty: the check chooses no Service with an endpoint here."""
    health: Health
    message: str
    since: float | None
    """Wall clock of the last change, seconds since the epoch."""
    failures: int
    probes: int
    document: CheckDocument | None
    """How it asks; null: a healthCheckNodePort, or the agent could not be asked."""


Item: TypeAlias = ElasticIP | Route | Session | Peer | NodeItem | Member | Pool | CheckItem
