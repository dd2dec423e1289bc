"""What a fault is: a name, a sentence, what is done, and the promise about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.lab.documents import Document
from tests.lab.plan import Plan
from tests.lab.strikes import Findings, Heal, Strike, nothing

if TYPE_CHECKING:
    from tests.lab.run import Lab


class Loss(Enum):
    """How much UDP loss a fault may cause."""

    NONE = "no packet lost"
    ONE_A_FLOW = "at most one packet lost a flow"
    AFFECTED = "no packet lost by flows of other nodes"
    ANY = "loss is reported"


class Sessions(Enum):
    """What becomes of the affected nodes' sessions, as the router tells it."""

    KEPT = "established when the traffic had moved"
    LOST = "lost, and back without anyone's help"
    ANY = "reported"


def no_documents(_plan: Plan) -> list[Document]:
    """Return what most faults need besides the lab's own documents: nothing."""
    return []


Examine = Callable[["Lab", Mapping[str, Any]], Findings]


def unexamined(_lab: "Lab", _record: Mapping[str, Any]) -> Findings:
    """Find nothing beside what is measured anyway."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which things go wrong, and the promise about it."""

    name: str
    sentence: str
    strike: Strike
    heal: Heal = nothing
    seconds: float = 2.0
    """How long traffic is watched after the strike returned."""
    affected: int = 1
    least_nodes: int = 3
    needs_traffic: bool = True
    """Measured by packets, so it needs a router that forwards."""
    client: bool = True
    """Whether the client sends meanwhile."""
    prepare: Heal = nothing
    """What has to happen before traffic is watched."""
    documents: Callable[[Plan], list[Document]] = no_documents
    """What the agents read besides the lab's own documents, from before *prepare* on."""
    connects: bool = False
    """Whether the client also opens short TCP connections all the time: see `connections`."""
    lasting: bool = False
    """Whether it takes long and promises no milliseconds: then a moment in which this machine
    stood still voids no run that held."""
    api: bool = False
    """Whether it is about the API server, so that there must be one."""
    needs: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the plan that it is about, with the values that they have unless told otherwise."""
    examine: Examine = unexamined
    """What else the client's record says, asked before the harm is undone."""
    moves: bool = False
    """Whether every route must have left the affected nodes when the time is over."""
    bfd_gap: bool = False
    """Whether the router's own detection, and 50 ms, is the target for the worst flow."""
    gap_ms: float | None = None
    """Target for the worst flow; None where the table promises no gap."""
    loss: Loss = Loss.ANY
    sessions: Sessions = Sessions.ANY
    raises: tuple[int, ...] | None = None
    """Raises of the generation that are right; None: reported only."""
    targets: dict[str, float] = field(default_factory=dict)
    """Other targets by finding, in that finding's unit."""
    reported: tuple[str, ...] = ()
    """Findings that are told without a target."""
    scraped_every: float = 1.0
    """Seconds; Prometheus asks every 15 or 30."""
