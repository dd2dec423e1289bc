"""What happened in the mesh, for whoever must act on it or tell about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import Condition


class Kind(StrEnum):
    """How we came to a new generation."""

    RAISED = "raised"
    """We decided it: a member died."""
    PLANNED = "planned"
    """We decided it, and nothing failed: a member that had left is off, or the lever changes."""
    ADOPTED = "adopted"
    """A member told us."""
    RESET = "reset"
    """A person asked for it, here or at another member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationChanged:
    """Advertise everything again, now."""

    old: int
    new: int
    kind: Kind
    cause: str
    """A sentence: `member n3 silent for 152 ms`."""
    members: tuple[NodeName, ...]
    """Whose death it covers, as far as we know."""
    cause_at: float
    """Monotonic: the last sign of life of the first of them."""
    decided_at: float
    due_at: float | None = None
    """When its next heartbeat was due: it died before that, as far as one was lost to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberUp:
    """A member is heard, and hears."""

    member: NodeName
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged:
    """A member says something new of itself: drained, doubtful, partial, without its agent."""

    member: NodeName
    at: float
    draining: bool
    doubtful: bool
    partial: bool = False
    agent_alive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSuspected:
    """A member is silent, or hears nobody."""

    member: NodeName
    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDead:
    """A member does not count any longer."""

    member: NodeName
    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRestarting:
    """A member's process is gone, its kernel answers: nothing is raised."""

    member: NodeName
    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved:
    """A member is neither listed nor heard: forgotten."""

    member: NodeName
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseRefused:
    """A member is suspected, but nothing is raised."""

    member: NodeName
    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineStarted:
    """*member* (perhaps we) was raised against too often: rank 250 until it is steady."""

    member: NodeName
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEnded:
    """*member* (perhaps we) has been steady for long enough."""

    member: NodeName
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionChanged:
    """Something that a person should know began or ended."""

    condition: Condition
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanged:
    """We send under another key now."""

    key_id: int
    at: float


MeshEvent: TypeAlias = (
    GenerationChanged
    | MemberUp
    | MemberChanged
    | MemberSuspected
    | MemberDead
    | MemberRestarting
    | MemberRemoved
    | RaiseRefused
    | QuarantineStarted
    | QuarantineEnded
    | ConditionChanged
    | KeyChanged
)


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram to send."""

    address: Address
    port: int
    payload: bytes
