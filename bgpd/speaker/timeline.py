"""The record of failovers: from the last sign of life to the router's acknowledgement.

Two rings, so that endpoints that come and go all day push no takeover out; within a second (ten,
where it goes on) further causes of a kind that may come all day join the record that is there. So
both memory and disk are bounded by time, whatever happens. Times are monotonic seconds.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Final

from bgpd.model.timeline import PASSING, Cause, Failover, PairClock, Step, StepName
from bgpd.speaker.traces import Arrival, Traces

KEPT: Final = 50
"""How many failovers are remembered, and how many of what passes."""
NEWEST: Final = 4
"""How many of those the cluster is told of."""
NEWEST_PASSING: Final = 2
MOST_OPEN: Final = 16
"""Failovers that wait for routers at one time; the oldest waits no longer."""
SENT_SECONDS: Final = 60.0
"""How long a router may take to acknowledge, or a session to come up, before nobody waits."""
JOIN_SECONDS: Final = 1.0
"""For how long further causes of its kind join a record that passes."""
RESTLESS_SECONDS: Final = 10.0
"""The same while causes follow each other faster than this."""
OLDEST_SECONDS: Final = 600.0
"""A cause that is said to be older, or to come, is taken for one of now: somebody errs."""
LONGEST_CAUSE: Final = 300
"""Characters of a sentence."""
_ONLY_WITH_ROUTES: Final = frozenset({"withdraw", "return"})
"""Kinds that are nothing where no router hears of them."""
MOST_PEERS: Final = 16
"""Peers of one record that have steps of their own."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A failover that goes on: not all is sent, or others may join."""

    serial: int
    kind: str
    cause: str
    cause_at: float
    wall: float
    generation: int
    decided_at: float
    members: tuple[str, ...] = ()
    due_at: float | None = None
    joins_until: float = float("-inf")
    commanded_at: float | None = None
    routes: int = 0
    waiting: set[int] = field(default_factory=set)
    """Updates that ExaBGP has not answered."""
    owed: set[tuple[int, str]] = field(default_factory=set)
    """Updates that a router has not acknowledged."""
    flushed: dict[str, float] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    later: dict[int, float] = field(default_factory=dict)
    """Updates of the causes that joined, without an answer, and when each cause was."""
    changes: int = 1
    slowest: float = 0.0
    last: float | None = None
    clocks: tuple[PairClock, ...] = ()

    def closed(self, *, node: str, boot: str) -> Failover:
        several = self.changes > 1
        return Failover(
            kind=self.kind,
            at=self.wall,
            cause=self.cause,
            generation=self.generation,
            routes=self.routes,
            steps=tuple(self._steps()),
            node=node,
            boot=boot,
            clock=round(self.cause_at, 6),
            members=self.members,
            due_milliseconds=None if self.due_at is None else self._since(self.due_at),
            changes=self.changes,
            slowest_milliseconds=round(self.slowest * 1000, 3) if several and self.last else None,
            clocks=self.clocks,
        )

    def _steps(self) -> Iterable[Step]:
        yield self._step(StepName.CAUSE, self.cause_at, self.cause)
        yield self._step(StepName.DECISION, self.decided_at)
        if self.commanded_at is not None:
            yield self._step(StepName.COMMAND, self.commanded_at)
        found = [(at, StepName.FLUSHED, peer) for peer, at in _few(self.flushed)]
        found += [(at, StepName.SENT, peer) for peer, at in _few(self.sent)]
        for at, name, peer in sorted(found):
            yield self._step(name, at, peer)
        if self.last is not None:
            yield self._step(StepName.LAST, self.last)

    def _step(self, name: StepName, at: float, detail: str = "") -> Step:
        return Step(name=name.value, milliseconds=self._since(at), detail=detail)

    def _since(self, at: float) -> float:
        return round((at - self.cause_at) * 1000, 3)


def _few(times: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the peers of *times*, the earliest first; of too many the last one all the same."""
    found = sorted(times.items(), key=lambda item: (item[1], item[0]))
    return found if len(found) <= MOST_PEERS else [*found[: MOST_PEERS - 1], found[-1]]


class Timeline:
    """Collects the steps of each failover as they happen; keeps the last of them."""

    def __init__(self, past: Iterable[Failover] = (), *, node: str = "", boot: str = "") -> None:
        """Go on from *past*; what is new happened on *node* in this *boot*."""
        self.wall_offset = 0.0
        """Wall clock minus monotonic clock, for people; the driver keeps it current."""
        self.clocks: Callable[[float], tuple[PairClock, ...]] = _nobodys
        """How the other members' clocks stand to ours at a moment."""
        self.ended: Callable[[Failover], None] = _nobody_counts
        """Hears of each failover that is over."""
        self.unsaved = False
        """Whether the disk is behind."""
        self._node = node
        self._boot = boot
        self._serials = count()
        self._lasting: deque[tuple[int, Failover]] = deque(maxlen=KEPT)
        self._passing: deque[tuple[int, Failover]] = deque(maxlen=KEPT)
        self._open: list[_Open] = []
        self.traces = Traces()
        self._joined: dict[str, float] = {}
        """Until when the last record of each kind could be joined."""
        for failover in past:
            self._keep(next(self._serials), failover)

    @property
    def failovers(self) -> tuple[Failover, ...]:
        """The failovers known, oldest first, those in flight included."""
        found = [*self._lasting, *self._passing]
        found += [(item.serial, self._closed(item)) for item in self._open]
        return tuple(failover for _, failover in sorted(found, key=lambda each: each[0]))

    @property
    def newest(self) -> tuple[Failover, ...]:
        """The last few that are over: of what passes fewer, it comes more often."""
        found = [*list(self._lasting)[-NEWEST:], *list(self._passing)[-NEWEST_PASSING:]]
        return tuple(failover for _, failover in sorted(found, key=lambda each: each[0]))

    def expects(self, now: float) -> bool:
        """Return whether what leaves *now* is part of a failover whose routers are watched."""
        return any(map(_waits_for_command, self._open, repeat(now))) or self.traces.watches(now)

    # Causes

    def begin(  # noqa: PLR0913 - the head of a record
        self,
        *,
        kind: str,
        cause: str,
        cause_at: float,
        decided_at: float,
        generation: int,
        members: tuple[str, ...] = (),
        due_at: float | None = None,
    ) -> None:
        """Open a failover; what the dead would have said next was due at *due_at*."""
        if not decided_at - OLDEST_SECONDS <= cause_at <= decided_at:
            cause_at = decided_at
        self._open.append(
            _Open(
                serial=next(self._serials),
                kind=kind,
                cause=cause if len(cause) <= LONGEST_CAUSE else f"{cause[:LONGEST_CAUSE]}…",
                cause_at=cause_at,
                wall=cause_at + self.wall_offset,
                generation=generation,
                decided_at=decided_at,
                members=members,
                due_at=due_at,
            )
        )
        while len(self._open) > MOST_OPEN:
            self._close(self._open[0])

    def why(self, sequence: int, cause: Cause, *, generation: int, now: float) -> None:
        """Open a failover for what the agent's message *sequence* led to, or let it join one.

        The agent says it afterwards: what has happened since then is caught up with.
        """
        trace = self.traces.take(sequence)
        if trace is None or not trace.commands:
            return  # no router hears of it
        at = cause.at if trace.at - OLDEST_SECONDS <= cause.at <= trace.at else trace.at
        item = self._joinable(cause.kind, trace.at)
        if item is None:
            decided_at = min(max(cause.decided_at, at), trace.at)
            self._open_for(cause, trace.at, at=at, decided_at=decided_at, generation=generation)
            for update, routes in trace.commands:
                self._attach(self._open[-1], update, routes, trace.at)
        else:
            item.changes += 1
            item.routes += sum(routes for _, routes in trace.commands)
            item.later.update((update, at) for update, _ in trace.commands)
        for answer in trace.answers:
            self.done(answer.update, flushed=answer.flushed, owed=answer.owed, now=now)
        for one in trace.arrivals:
            self.arrived(one.update, peer=one.peer, flushed_at=one.flushed_at, at=one.at, now=now)

    def _joinable(self, kind: str, at: float) -> _Open | None:
        return next((one for one in self._open if one.kind == kind and at < one.joins_until), None)

    def _open_for(
        self, cause: Cause, now: float, *, at: float, decided_at: float, generation: int
    ) -> None:
        self.begin(
            kind=cause.kind,
            cause=cause.sentence,
            cause_at=at,
            decided_at=decided_at,
            generation=generation,
        )
        restless = now - self._joined.get(cause.kind, float("-inf")) < RESTLESS_SECONDS
        until = now + (RESTLESS_SECONDS if restless else JOIN_SECONDS)
        self._open[-1].joins_until = self._joined[cause.kind] = until

    def record(self, *, kind: str, cause: str, cause_at: float, decided_at: float) -> None:
        """Note what needed no route to change, and so is over at once."""
        self.begin(kind=kind, cause=cause, cause_at=cause_at, decided_at=decided_at, generation=0)
        self._close(self._open[-1])

    # What follows

    def commanded(self, update: int, *, routes: int, now: float) -> None:
        """Note that *update* left for ExaBGP on behalf of the failovers that wait for one."""
        self.traces.commanded(update, routes)
        for item in self._open:
            if _waits_for_command(item, now):
                self._attach(item, update, routes, now)

    def settle(self) -> None:
        """Close the failovers that needed no command: nothing had to change."""
        for item in [one for one in self._open if one.commanded_at is None]:
            if item.kind in _ONLY_WITH_ROUTES:
                self._open.remove(item)
            else:
                self._close(item)

    def done(
        self, update: int, *, flushed: Mapping[str, float], owed: Iterable[str] = (), now: float
    ) -> None:
        """Note that *update* was written to the sessions *flushed*, each at its time.

        Of those *owed* as well `arrived` tells more, sooner or later. A router whose session is
        down, or that does not read, has not heard of it.
        """
        self.traces.done(update, flushed, owed)
        for item in list(self._open):
            if update in item.later:
                if flushed:
                    item.last = max(flushed.values())
                    item.slowest = max(item.slowest, item.last - item.later[update])
                del item.later[update]
            elif update in item.waiting:
                item.waiting.discard(update)
                item.owed.update((update, peer) for peer in (*flushed, *owed))
                self._note_flushed(item, flushed)
                item.clocks = item.clocks or self.clocks(now)
            else:
                continue
            self._close_if_over(item, now)

    def arrived(self, update: int, *, peer: str, flushed_at: float, at: float, now: float) -> None:
        """Note that the router *peer* has acknowledged *update*."""
        self.traces.arrived(Arrival(update, peer, flushed_at, at))
        for item in list(self._open):
            if (update, peer) in item.owed:
                item.owed.discard((update, peer))
                self._note_flushed(item, {peer: flushed_at})
                item.sent[peer] = max(at, item.sent.get(peer, at))
                self._close_if_over(item, now)

    def failed(self, update: int, now: float) -> None:
        """Note that *update* was refused: nothing waits for it any more."""
        for item in list(self._open):
            if update in item.waiting or update in item.later:
                item.waiting.discard(update)
                item.later.pop(update, None)
                self._close_if_over(item, now)

    def tick(self, now: float) -> None:
        """Wait no longer for what does not come; call it once a second."""
        for item in list(self._open):
            overdue = now >= item.decided_at + SENT_SECONDS
            if overdue and now >= item.joins_until:
                self._close(item)
            else:
                self._close_if_over(item, now)

    def saved(self) -> tuple[Failover, ...]:
        """Return what the disk is to hold."""
        self.unsaved = False
        return self.failovers

    @staticmethod
    def _attach(item: _Open, update: int, routes: int, at: float) -> None:
        item.commanded_at = at
        item.routes += routes
        item.waiting.add(update)

    @staticmethod
    def _note_flushed(item: _Open, flushed: Mapping[str, float]) -> None:
        for peer, at in flushed.items():
            item.flushed[peer] = max(at, item.flushed.get(peer, at))
        if flushed:
            item.slowest = max(item.slowest, max(flushed.values()) - item.cause_at)

    def _close_if_over(self, item: _Open, now: float) -> None:
        ended = item.commanded_at is not None and not (item.waiting or item.owed or item.later)
        if ended and now >= item.joins_until:
            self._close(item)

    def _close(self, item: _Open) -> None:
        self._open.remove(item)
        over = self._closed(item)
        self._keep(item.serial, over)
        self.ended(over)
        self.unsaved = True

    def _closed(self, item: _Open) -> Failover:
        return item.closed(node=self._node, boot=self._boot)

    def _keep(self, serial: int, failover: Failover) -> None:
        ring = self._passing if failover.kind in PASSING else self._lasting
        ring.append((serial, failover))


def _waits_for_command(item: _Open, now: float) -> bool:
    # A large change leaves in several commands at one instant.
    return item.commanded_at is None or (item.commanded_at == now and item.changes == 1)


def _nobodys(_: float) -> tuple[PairClock, ...]:
    return ()


def _nobody_counts(_: Failover) -> None:
    pass
