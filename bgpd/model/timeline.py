"""What a failover leaves behind: cause, decision, command, flush, in milliseconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened on the way from a cause to a changed router."""

    name: str
    """`cause`, `decision`, `command` or `flushed`."""
    milliseconds: float
    """Since the cause."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """One change of what the routers hear from us that was not merely configuration."""

    kind: str
    """`raise`, `adopt`, `withdraw`, `drain`, `doubt`."""
    at: float
    """Wall clock of the cause, seconds since the epoch: for people, never for decisions."""
    cause: str
    """A sentence: `member n3 silent for 152 ms`."""
    generation: int
    routes: int
    """How many routes were sent because of it."""
    steps: tuple[Step, ...] = ()
