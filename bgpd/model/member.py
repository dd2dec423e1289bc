"""A member of the mesh: another node's speaker, and where its heartbeats go."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from bgpd.model.errors import in_range
from bgpd.model.health import LocalHealthPolicy, StartupPolicy
from bgpd.model.port import MESH_PORT
from bgpd.model.prefix import Address

NodeName = NewType("NodeName", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One node of the mesh as the member list names it."""

    name: NodeName
    address: Address
    port: int = MESH_PORT

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no heartbeat could be sent to."""
        in_range("port", self.port, 1, 65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPolicy:
    """How the mesh beats and when it speaks up: a part of SpeakerPolicy."""

    interval_milliseconds: int = 40
    """Time between heartbeats, 10..1000."""
    multiplier: int = 3
    """Heartbeats missed before a member is suspected on a clean link, 2..20."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        in_range("interval_milliseconds", self.interval_milliseconds, 10, 1000)
        in_range("multiplier", self.multiplier, 2, 20)


class DrainTrigger(StrEnum):
    """When a node is drained, and how patiently."""

    ON_REQUEST = "OnRequest"
    """By `bgpctl drain`, by the taint, by the end of the node or of the speaker."""
    ON_CORDON = "OnCordon"
    """Also while the Node is unschedulable."""
    WAIT_FOR_CONNECTIONS = "WaitForConnections"
    """As OnCordon; and a route stays as it is while its elastic IP has open TCP connections on
    this node, at most for the time of the drain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerPolicy:
    """What a SpeakerPolicy document says about one node's speaker."""

    mesh: MeshPolicy = MeshPolicy()
    agent_grace_seconds: int = 300
    """How long an absent agent changes nothing, 1..86400; then rank 250."""
    drain_milliseconds: int = 1000
    """How long a drained route stays before it is withdrawn, 0..600000."""
    drain: DrainTrigger = DrainTrigger.ON_REQUEST
    health: LocalHealthPolicy = field(default_factory=LocalHealthPolicy)
    startup: StartupPolicy = field(default_factory=StartupPolicy)
    egress: bool = False
    """Whether the node's default route avoids a router whose BFD session is down."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        in_range("agent_grace_seconds", self.agent_grace_seconds, 1, 86_400)
        in_range("drain_milliseconds", self.drain_milliseconds, 0, 600_000)
