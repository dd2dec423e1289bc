"""The wire form of a failover in a BGPNodeStatus: what a node did when, for any node to read.

Times are whole microseconds and clocks are told beside them, so that whoever has the statuses of
several nodes can put what they did on one clock.
"""

from typing import Annotated, Final

from msgspec import Meta, field

from bgpd.kube.statusform import LONG, MOST_INT, Form, Name, TimeText, Word, number, says

MOST_FAILOVERS: Final = 6
MOST_STEPS: Final = 40
MOST_CLOCKS: Final = 32
MOST_DEAD: Final = 20
"""Of the nodes that one takeover answers for."""


class StepForm(Form, kw_only=True):
    """One step of a failover."""

    name: Annotated[
        Word, Meta(description="What was done: cause, decision, command, flushed, sent or last.")
    ]
    microseconds: Annotated[int, number("Since the cause.")]
    peer: Annotated[Name, Meta(description="Whose step it is; absent: everybody's.")] = ""


class ClockForm(Form, kw_only=True):
    """How the monotonic clock of another member stood to this node's."""

    member: Annotated[Name, Meta(description="Name of its Node.")]
    microseconds: Annotated[
        int, Meta(description="Its clock minus ours.", ge=-MOST_INT, le=MOST_INT)
    ]
    uncertainty: Annotated[int, number("Microseconds; the truth is no further from that.")]


class FailoverForm(Form, kw_only=True):
    """A takeover, withdrawal, return or drain, step by step."""

    kind: Annotated[
        Word,
        Meta(description="What happened: raise, adopt, withdraw, return, drain, doubt or bfd."),
    ]
    at: Annotated[TimeText, Meta(description="Wall clock of the cause.")]
    cause: Annotated[str, says("Why, in a sentence.", most=LONG)]
    generation: Annotated[int, number("The cluster's generation that its routes carry.")]
    routes: Annotated[int, number("How many were sent.")]
    boot: Annotated[Word, Meta(description="The kernel's boot ID: the clock is of this boot.")] = ""
    clock: (
        Annotated[int, number("The node's monotonic clock at the cause, microseconds.")] | None
    ) = None
    members: Annotated[list[Name], says("The nodes whose death it answers.", most=MOST_DEAD)] = (
        field(default_factory=list)
    )
    due: (
        Annotated[int, number("After so many microseconds their next sign of life was due.")] | None
    ) = None
    changes: Annotated[int, number("How many causes it sums up; absent: one.")] | None = None
    slowest: (
        Annotated[int, number("Of several: the longest until flushed, microseconds.")] | None
    ) = None
    steps: Annotated[
        list[StepForm], says("What was done when, of the first cause.", most=MOST_STEPS)
    ] = field(default_factory=list)
    clocks: Annotated[
        list[ClockForm],
        says("How the other members' clocks stood to this one's.", most=MOST_CLOCKS),
    ] = field(default_factory=list)
