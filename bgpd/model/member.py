"""A member of the mesh: another node's speaker, and where its heartbeats go."""

from dataclasses import dataclass
from typing import NewType

from bgpd.model.prefix import Address

NodeName = NewType("NodeName", str)

MESH_PORT = 7179
"""UDP port of the mesh; unprivileged, so that a speaker needs no capability for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One node of the mesh as the member list names it."""

    name: NodeName
    address: Address
    port: int = MESH_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPolicy:
    """How the mesh beats and when it speaks up: a part of SpeakerPolicy."""

    interval_milliseconds: int = 50
    """Time between heartbeats, 10..1000."""
    multiplier: int = 3
    """Heartbeats missed before a member is suspected on a clean link, 2..20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerPolicy:
    """What a SpeakerPolicy document says about one node's speaker."""

    mesh: MeshPolicy = MeshPolicy()
    agent_grace_seconds: int = 300
    """How long an absent agent changes nothing, 1..86400; then rank 250."""
    drain_milliseconds: int = 1000
    """How long a drained route stays before it is withdrawn, 0..600000."""
