"""The record of failovers: from the last sign of life to the flushed session."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bgpd.model.timeline import Failover, Step

KEPT = 50
"""How many failovers are remembered."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A failover whose updates are not all flushed yet. Times are monotonic seconds."""

    kind: str
    cause: str
    cause_at: float
    wall: float
    generation: int
    decided_at: float
    commanded_at: float | None = None
    routes: int = 0
    waiting: set[int] = field(default_factory=set)
    flushed: list[Step] = field(default_factory=list)
    flushed_to: set[str] = field(default_factory=set)

    def closed(self) -> Failover:
        steps = [
            Step(name="cause", milliseconds=0.0, detail=self.cause),
            Step(name="decision", milliseconds=self.since(self.decided_at)),
        ]
        if self.commanded_at is not None:
            steps.append(Step(name="command", milliseconds=self.since(self.commanded_at)))
        return Failover(
            kind=self.kind,
            at=self.wall,
            cause=self.cause,
            generation=self.generation,
            routes=self.routes,
            steps=(*steps, *self.flushed),
        )

    def since(self, at: float) -> float:
        return round((at - self.cause_at) * 1000, 3)


class Timeline:
    """Collects the steps of each failover as they happen; keeps the last `KEPT`."""

    def __init__(self, past: Iterable[Failover] = ()) -> None:
        self._past = deque(past, maxlen=KEPT)
        self._open: list[_Open] = []

    @property
    def failovers(self) -> tuple[Failover, ...]:
        """The failovers known, oldest first, those in flight included."""
        return (*self._past, *(item.closed() for item in self._open))

    def begin(
        self,
        *,
        kind: str,
        cause: str,
        cause_at: float,
        decided_at: float,
        wall: float,
        generation: int,
    ) -> None:
        """Open a failover; *wall* is the wall clock at *cause_at*."""
        self._open.append(
            _Open(
                kind=kind,
                cause=cause,
                cause_at=cause_at,
                wall=wall,
                generation=generation,
                decided_at=decided_at,
            )
        )

    def record(
        self, *, kind: str, cause: str, cause_at: float, decided_at: float, wall: float
    ) -> None:
        """Note what needed no route to change, and so is over at once."""
        over = _Open(
            kind=kind,
            cause=cause,
            cause_at=cause_at,
            wall=wall,
            generation=0,
            decided_at=decided_at,
        )
        self._past.append(over.closed())

    def commanded(self, update: int, *, routes: int, now: float) -> None:
        """Note that *update* left for ExaBGP on behalf of the failovers that wait for one."""
        for item in self._open:
            if item.commanded_at is None or item.commanded_at == now:
                # A large change leaves in several commands at one instant.
                item.commanded_at = now
                item.routes += routes
                item.waiting.add(update)

    def settle(self) -> None:
        """Close the failovers that needed no command: nothing had to change."""
        self._close(lambda item: item.commanded_at is None)

    def flushed(self, update: int, *, detail: str, now: float) -> None:
        """Note that *update* was written to the sessions that *detail* names, perhaps to none.

        A router whose session is down, or that does not read, has not heard of it.
        """
        for item in self._open:
            if update not in item.waiting:
                continue
            item.waiting.discard(update)
            item.flushed_to.update(filter(None, detail.split(", ")))
            if item.flushed_to and not item.waiting:
                peers = ", ".join(sorted(item.flushed_to))
                item.flushed.append(
                    Step(name="flushed", milliseconds=item.since(now), detail=peers)
                )
        self._close(lambda item: item.commanded_at is not None and not item.waiting)

    def failed(self, update: int) -> None:
        """Note that *update* was refused: nothing waits for it any more."""
        for item in self._open:
            item.waiting.discard(update)
        self._close(lambda item: item.commanded_at is not None and not item.waiting)

    def _close(self, done: Callable[[_Open], bool]) -> None:
        self._past.extend(item.closed() for item in self._open if done(item))
        self._open = [item for item in self._open if not done(item)]
