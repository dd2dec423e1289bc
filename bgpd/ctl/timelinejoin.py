"""One takeover as several nodes saw it, on one scale, and how sure that scale is.

Every node's record is in its own monotonic time. Nodes that exchange heartbeats know how their
clocks stand to each other within a bound (`bgpd.mesh.offset`), and each record says so; so the
records that share a generation are put on the clock of one of them. Two nodes that never heard
each other are joined through a third; where nobody knows anything, by their wall clocks, which is
said, because nobody can tell how wrong those are. Pure: from failovers to a value.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from bgpd.model.timeline import TAKEOVERS, Failover, StepName

TOGETHER_SECONDS: Final = 60.0
"""Wall clocks of records of one generation differ by less; a reset may bring one back later."""
BY_WALL: Final = "wall clocks"
BY_HEARTBEATS: Final = "heartbeats"


@dataclass(frozen=True, slots=True)
class Pair:
    """How the clock of *node* stands to the one that everything is counted by."""

    node: str
    milliseconds: float
    """Its clock minus that one; by wall clocks: of no meaning beyond this boot."""
    uncertainty: float | None
    """Milliseconds; None: nobody can tell."""
    how: str
    """`heartbeats`, `heartbeats, via n2`, or `wall clocks`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step of one node."""

    milliseconds: float
    """Since the last sign of life that anybody heard, or since the cause."""
    uncertainty: float | None
    """As of the pair; 0 for the node whose clock counts."""
    node: str
    step: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What happened once in the cluster, as one or several nodes tell it."""

    kind: str
    """`takeover`, or the kind of the only record."""
    at: float
    """Wall clock of the zero of all rows, by the node whose clock counts."""
    cause: str
    generation: int
    members: tuple[str, ...]
    nodes: tuple[str, ...]
    """Who tells of it; whose clock counts comes first."""
    routes: int
    """Of all these nodes."""
    rows: tuple[Row, ...]
    """In the order of time."""
    pairs: tuple[Pair, ...] = ()
    due_milliseconds: float | None = None
    """When the next sign of life was due, as for the rows: the dead died before that."""
    changes: int = 1
    slowest_milliseconds: float | None = None

    def first(self, step: StepName) -> Row | None:
        """Return when anybody was first at *step*."""
        return next((row for row in self.rows if row.step == step), None)

    def last(self, step: StepName) -> Row | None:
        """Return when the last one was at *step*."""
        return next((row for row in reversed(self.rows) if row.step == step), None)


def join(failovers: Iterable[Failover]) -> tuple[Joined, ...]:
    """Return what happened, the oldest first; takeovers of one generation are one."""
    known = _each_once(failovers)
    takeovers = [one for one in known if one.kind in TAKEOVERS]
    others = [one for one in known if one.kind not in TAKEOVERS]
    groups = [*_by_generation(takeovers), *([one] for one in others)]
    return tuple(sorted((_joined(group) for group in groups), key=lambda one: one.at))


def _each_once(failovers: Iterable[Failover]) -> list[Failover]:
    """Return every record once, as whoever knows most of it tells it."""
    known: dict[tuple[object, ...], Failover] = {}
    for one in failovers:
        key = (one.node, one.boot, one.clock if one.boot else one.at, one.kind, one.generation)
        before = known.get(key)
        if before is None or len(one.steps) > len(before.steps):
            known[key] = one
    return list(known.values())


def _by_generation(takeovers: Iterable[Failover]) -> Iterator[list[Failover]]:
    by_generation: dict[int, list[Failover]] = {}
    for one in takeovers:
        by_generation.setdefault(one.generation, []).append(one)
    for generation in sorted(by_generation):
        group: list[Failover] = []
        for one in sorted(by_generation[generation], key=lambda each: each.at):
            again = any(one.node == other.node for other in group)
            if group and (again or not _is_together(one, group)):
                yield group
                group = []
            group.append(one)
        yield group


def _is_together(one: Failover, group: Sequence[Failover]) -> bool:
    """Return whether *one* was when *group* was; a wall clock may be wrong, so heartbeats count."""
    if one.at - group[-1].at <= TOGETHER_SECONDS:
        return True
    pairs = ((other, _pairs(other, [one])[one.node]) for other in group)
    return any(
        abs(_start(one, other, pair)) <= TOGETHER_SECONDS * 1000
        for other, pair in pairs
        if pair.how != BY_WALL
    )


def _joined(group: Sequence[Failover]) -> Joined:
    # Whoever raised it knows best why; of several the first by name, so that it is stable.
    first, *rest = sorted(group, key=lambda one: (one.kind != "raise", one.node))
    pairs = _pairs(first, rest)
    rows = [*_rows(first, 0.0, 0.0)]
    for one in rest:
        pair = pairs[one.node]
        rows += _rows(one, _start(one, first, pair), pair.uncertainty)
    zero = _zero(rows, [first, *rest])
    steps = [
        Row(
            milliseconds=round(row.milliseconds - zero, 3),
            uncertainty=row.uncertainty,
            node=row.node,
            step=row.step,
            detail=row.detail,
        )
        for row in rows
    ]
    order = list(StepName)
    steps.sort(key=lambda row: (row.milliseconds, order.index(StepName(row.step)), row.node))
    return Joined(
        kind="takeover" if first.kind in TAKEOVERS else first.kind,
        at=first.at + zero / 1000,
        cause=first.cause,
        generation=first.generation,
        members=tuple(sorted({name for one in group for name in one.members})),
        nodes=tuple(one.node for one in (first, *rest)),
        routes=sum(one.routes for one in group),
        rows=tuple(steps),
        pairs=tuple(pairs[one.node] for one in rest),
        due_milliseconds=_due(rows, [first, *rest], zero),
        changes=first.changes,
        slowest_milliseconds=first.slowest_milliseconds,
    )


def _rows(one: Failover, start: float, uncertainty: float | None) -> Iterator[Row]:
    names = {step.value for step in StepName}
    for step in one.steps:
        if step.name in names:
            yield Row(
                milliseconds=start + step.milliseconds,
                uncertainty=uncertainty,
                node=one.node,
                step=step.name,
                detail=step.detail,
            )


def _zero(rows: Iterable[Row], group: Iterable[Failover]) -> float:
    """Return where to count from: the last sign of life that anybody heard of who is dead.

    Who merely heard of the raise, and not of whom it is about, saw nothing before.
    """
    saw = {one.node for one in group if one.members}
    causes = [row for row in rows if row.step == StepName.CAUSE]
    return max((row.milliseconds for row in causes if row.node in saw), default=0.0)


def _due(rows: Iterable[Row], group: Iterable[Failover], zero: float) -> float | None:
    """Return when whoever heard the last sign of life waited for the next in vain."""
    dues = {one.node: one.due_milliseconds for one in group}
    last = [r.node for r in rows if r.step == StepName.CAUSE and r.milliseconds == zero]
    return next((dues[node] for node in last if dues[node] is not None), None)


def _start(one: Failover, first: Failover, pair: Pair) -> float:
    """Return where the record *one* begins on the clock of *first*, milliseconds after its own."""
    if pair.how == BY_WALL or one.clock is None or first.clock is None:
        return (one.at - first.at) * 1000
    return (one.clock - first.clock) * 1000 - pair.milliseconds


# Clocks


class _Bounds(NamedTuple):
    low: float
    high: float

    def plus(self, other: "_Bounds") -> "_Bounds":
        return _Bounds(self.low + other.low, self.high + other.high)


def _pairs(first: Failover, rest: Sequence[Failover]) -> Mapping[str, Pair]:
    """Return how the clock of each of *rest* stands to that of *first*."""
    links = _links([first, *rest])
    ways: dict[str, tuple[_Bounds, tuple[str, ...]]] = {first.node: (_Bounds(0.0, 0.0), ())}
    waiting = deque([first.node])
    while waiting:
        here = waiting.popleft()
        bounds, via = ways[here]
        for there in sorted(links.get(here, {})):
            if there not in ways:
                ways[there] = (bounds.plus(links[here][there]), (*via, here))
                waiting.append(there)
    return {one.node: _pair(first, one, ways.get(one.node)) for one in rest}


def _pair(first: Failover, one: Failover, way: tuple[_Bounds, tuple[str, ...]] | None) -> Pair:
    if way is None or one.clock is None or first.clock is None:
        return Pair(one.node, (one.at - first.at) * 1000, None, BY_WALL)
    (low, high), via = way
    through = f", via {', '.join(via[1:])}" if len(via) > 1 else ""
    return Pair(one.node, (low + high) / 2, (high - low) / 2, f"{BY_HEARTBEATS}{through}")


def _links(group: Sequence[Failover]) -> dict[str, dict[str, _Bounds]]:
    """Return what is known of each pair, both ends' word taken together."""
    links: dict[str, dict[str, _Bounds]] = {}
    for one in group:
        for clock in one.clocks:
            low = clock.milliseconds - clock.uncertainty_milliseconds
            high = clock.milliseconds + clock.uncertainty_milliseconds
            _narrow(links, one.node, clock.member, _Bounds(low, high))
            _narrow(links, clock.member, one.node, _Bounds(-high, -low))
    return links


def _narrow(links: dict[str, dict[str, _Bounds]], a: str, b: str, bounds: _Bounds) -> None:
    known = links.setdefault(a, {}).get(b)
    if known is not None:
        both = _Bounds(max(known.low, bounds.low), min(known.high, bounds.high))
        # Two ends that contradict each other looked at different times: then either may be right.
        wide = _Bounds(min(known.low, bounds.low), max(known.high, bounds.high))
        bounds = both if both.low <= both.high else wide
    links[a][b] = bounds


def gaps(joined: Joined) -> Iterator[tuple[Row, float]]:
    """Yield each row with the milliseconds since the one before: where the time went."""
    if joined.rows:
        yield joined.rows[0], 0.0
    for before, row in pairwise(joined.rows):
        yield row, row.milliseconds - before.milliseconds
