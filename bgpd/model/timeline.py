"""What a failover leaves behind: cause, decision, command, flush, acknowledgement, in milliseconds.

Times are monotonic, so that a clock that somebody sets spoils none of them; each is worth
something only within the boot in which it was read. The wall clock stands beside them for people.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

KINDS: Final = ("raise", "adopt", "withdraw", "return", "drain", "doubt", "bfd")
"""What leaves a record; `docs/concepts/takeover.md` says when."""
TAKEOVERS: Final = frozenset({"raise", "adopt"})
"""The kinds that nodes share: one raises, the others adopt, all under one generation."""
PASSING: Final = frozenset({"withdraw", "return", "bfd"})
"""The kinds that may come all day: what follows soon joins the record that is there."""


class StepName(StrEnum):
    """What happens on the way from a cause to a changed router, in this order."""

    CAUSE = "cause"
    """What happened was seen: the last sign of life, an event read from the API's socket."""
    DECISION = "decision"
    COMMAND = "command"
    """ExaBGP was told, on its pipe."""
    FLUSHED = "flushed"
    """ExaBGP has handed the last UPDATE for a peer to its own kernel."""
    SENT = "sent"
    """The TCP send queue towards a peer is empty: that router's kernel has acknowledged it all."""
    LAST = "last"
    """Of a record that sums up several causes: the last change of it was flushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened on the way from a cause to a changed router."""

    name: str
    """One of `StepName`."""
    milliseconds: float
    """Since the cause."""
    detail: str = ""
    """The peer, where the step is one peer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairClock:
    """How another member's monotonic clock stands to ours, as far as heartbeats can tell."""

    member: str
    milliseconds: float
    """Its clock minus ours, at one moment."""
    uncertainty_milliseconds: float
    """The truth lies no further than so much from that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why the agent's routes change, when that is a fact about the world and no configuration.

    Both times are the monotonic clock of the kernel that agent and speaker share. Nothing is
    decided by them: they are shown.
    """

    kind: str
    """`withdraw` or `return`."""
    sentence: str
    at: float
    """When the agent had it in its hands: read from the API's socket, answered to a probe."""
    decided_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """One change of what the routers hear from us that was not merely configuration."""

    kind: str
    """One of `KINDS`."""
    at: float
    """Wall clock of the cause, seconds since the epoch: for people, never for decisions."""
    cause: str
    """A sentence: `member n3 silent for 152 ms`."""
    generation: int
    routes: int
    """How many routes were sent because of it."""
    steps: tuple[Step, ...] = ()
    node: str = ""
    """Who saw it; empty in records of older versions."""
    boot: str = ""
    """The kernel's boot ID: *clock* means nothing in another boot."""
    clock: float | None = None
    """The monotonic clock of *node* at the cause, seconds."""
    members: tuple[str, ...] = ()
    """Whose death it answers."""
    due_milliseconds: float | None = None
    """When their next sign of life was due, after the cause: before that they died."""
    changes: int = 1
    """How many causes it sums up; the steps are those of the first."""
    slowest_milliseconds: float | None = None
    """Of several causes: the longest that one of them took until it was flushed."""
    clocks: tuple[PairClock, ...] = ()
    """How the other members' clocks stood to *clock*, by name."""
