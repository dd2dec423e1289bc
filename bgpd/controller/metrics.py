"""What Prometheus sees of a controller, from what it knows at one moment. Pure.

Pools and Services are told of by the one that leads: whoever stands by knows none, which is not
the same as that there are none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bgpd.telemetry import agentmetrics, controllermetrics
from bgpd.telemetry.exposition import Family, by_label, complete, one


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """How many addresses of one pool are given, and are not."""

    name: str
    assigned: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the leader alone knows."""

    synced: bool | None = None
    pools: tuple[Pool, ...] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Reason -> Services that have no address, or none that they may keep."""
    heard: float | None = None
    """When the quietest watch was heard last, seconds since the epoch; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the controller knows, of what its metrics say."""

    books: Books | None = None
    """None: another one leads, or none."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Rounds of lists and watches that failed, by why, of all terms."""
    writes: Mapping[str, int] = field(default_factory=dict)
    """Writes by how they ended, of all terms."""


def families(reading: Reading) -> Iterator[Family]:
    """Yield everything but what every process says of itself."""
    books = reading.books
    yield one(controllermetrics.LEADER, books is not None)
    yield from _known(books or Books())
    yield Family(agentmetrics.KUBE_ERRORS, by_label(reading.errors))
    yield complete(controllermetrics.WRITES, by_label(reading.writes))


def _known(books: Books) -> Iterator[Family]:
    synced = [] if books.synced is None else [((), float(books.synced))]
    yield Family(agentmetrics.SOURCE_SYNCED, synced)
    heard = [] if books.heard is None else [((), books.heard)]
    yield Family(agentmetrics.KUBE_LAST_HEARD, heard)
    yield Family(
        controllermetrics.POOL_ADDRESSES,
        [
            ((pool.name, state), number)
            for pool in books.pools
            for state, number in (("Assigned", pool.assigned), ("Available", pool.available))
        ],
    )
    yield Family(controllermetrics.SERVICES_WAITING, by_label(books.waiting))
