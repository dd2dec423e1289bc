"""What a controller shows at its metrics port: its metrics, and whether it can work."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from bgpd.controller.metrics import Books, Pool, Reading, families
from bgpd.controller.term import Term
from bgpd.model.status import Condition
from bgpd.telemetry.exposition import Family
from bgpd.telemetry.httprequest import Check
from bgpd.telemetry.metric import Process
from bgpd.telemetry.selfreport import self_report


class Pages:
    """What `bgpd.telemetry.http` asks a controller for."""

    def __init__(
        self,
        log: logging.Logger,
        *,
        conditions: Callable[[], Iterable[Condition]],
        stuck: Callable[[], str],
    ) -> None:
        """Say that we are not ready while *stuck* says why nobody knows who leads."""
        self.term: Term | None = None
        """The one that we lead; None: we do not."""
        self.writes: Counter[str] = Counter()
        """Writes of all terms, by how they ended; those who write count."""
        self._log = log
        self._conditions = conditions
        self._stuck = stuck
        self._errors: Counter[str] = Counter()
        """Of the terms that are over."""

    def over(self) -> None:
        """Note that the term is over."""
        if self.term is not None:
            self._errors.update(self.term.errors)
        self.term = None

    def families(self) -> Iterator[Family]:
        """Return the metrics as of now."""
        yield from self_report(Process.CONTROLLER, self._log, self._conditions())
        yield from families(self._read())

    def live(self) -> Iterable[Check]:
        """Return nothing: that the loop turns is all that a restart could mend."""
        return ()

    def ready(self) -> Iterator[Check]:
        """Yield what has to be so before this controller does what it is there for.

        One that stands by is ready; the leader is once it knows everything.
        """
        yield Check("leader-election", self._stuck())
        behind = self.term is not None and not self.term.synced
        yield Check("source", "not everything was read once" if behind else "")

    def _read(self) -> Reading:
        term = self.term
        if term is None:
            return Reading(errors=dict(self._errors), writes=dict(self.writes))
        return Reading(
            books=_read(term),
            errors=self._errors + Counter(term.errors),
            writes=dict(self.writes),
        )


def _read(term: Term) -> Books:
    books = term.books
    silence = term.silence(asyncio.get_running_loop().time())
    kept = books.kept
    return Books(
        synced=term.synced,
        pools=tuple(_pool(term, one.name) for one in books.pools),
        waiting={
            "NoAddress": sum(key not in kept for key in books.pending),
            "NoOtherAddress": len(kept),
        },
        heard=None if silence is None else time.time() - silence,
    )


def _pool(term: Term, name: str) -> Pool:
    counters = term.books.allocator.counters(name)
    return Pool(
        name=name,
        assigned=counters.assigned_ipv4 + counters.assigned_ipv6,
        available=counters.available_ipv4 + counters.available_ipv6,
    )
