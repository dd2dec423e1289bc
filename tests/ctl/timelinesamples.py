"""One takeover as three nodes tell it, whose clocks are days apart, and a withdrawal."""

from typing import Final

from bgpd.model.timeline import Failover, PairClock, Step

AT: Final = 1_795_428_084.5
"""Wall clock of the last sign of life."""
BOOTED: Final = {"n1": 1000.0, "n2": 501_000.25, "n4": 77_000.5}
"""What each monotonic clock said then."""


def clock(of: str, by: str, *, wrong: float = 0.05, within: float = 0.2) -> PairClock:
    """Return what *by* knows of the clock of *of*: *wrong* milliseconds off, and so sure."""
    return PairClock(
        member=of,
        milliseconds=(BOOTED[of] - BOOTED[by]) * 1000 + wrong,
        uncertainty_milliseconds=within,
    )


def seen(
    node: str,
    *,
    decided: float,
    flushed: float,
    sent: float | None,
    saw: float = 0.0,
    kind: str = "adopt",
    knows: tuple[PairClock, ...] = (),
    wall: float = 0.0,
) -> Failover:
    """Return what *node* recorded; all times are milliseconds after the last sign of life."""
    steps = [
        Step(name="cause", milliseconds=0.0, detail="member n3 silent for 131 ms"),
        Step(name="decision", milliseconds=decided - saw),
        Step(name="command", milliseconds=decided - saw + 0.25),
        Step(name="flushed", milliseconds=flushed - saw, detail="tor-a"),
    ]
    if sent is not None:
        steps.append(Step(name="sent", milliseconds=sent - saw, detail="tor-a"))
    return Failover(
        kind=kind,
        at=AT + saw / 1000 + wall,
        cause="member n3 silent for 131 ms" if kind == "raise" else "n1 says that n3 died",
        generation=8,
        routes=12,
        steps=tuple(steps),
        node=node,
        boot=f"boot-{node}",
        clock=BOOTED[node] + saw / 1000,
        members=("n3",),
        due_milliseconds=40.0,
        clocks=knows,
    )


N1: Final = seen(
    "n1", kind="raise", decided=131.0, flushed=132.5, sent=133.25, saw=-0.5,
    knows=(clock("n2", "n1"), clock("n4", "n1", wrong=-0.1)),
)  # fmt: skip
N2: Final = seen("n2", decided=131.5, flushed=133.0, sent=140.0, knows=(clock("n1", "n2"),))
N4: Final = seen("n4", decided=131.75, flushed=134.0, sent=None, knows=(clock("n1", "n4"),))
TAKEOVER: Final = (N1, N2, N4)

WITHDRAWN: Final = Failover(
    kind="withdraw",
    at=AT + 60,
    cause="default/web: NoLocalEndpoints: no endpoint on node n2 is ready",
    generation=8,
    routes=37,
    steps=(
        Step(name="cause", milliseconds=0.0),
        Step(name="decision", milliseconds=0.31),
        Step(name="command", milliseconds=0.62),
        Step(name="flushed", milliseconds=1.08, detail="tor-a"),
        Step(name="sent", milliseconds=1.9, detail="tor-a"),
        Step(name="last", milliseconds=812.4),
    ),
    node="n2",
    boot="boot-n2",
    clock=BOOTED["n2"] + 60,
    changes=37,
    slowest_milliseconds=4.21,
)
