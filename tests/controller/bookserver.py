"""A server's documents, and books that are told of them sooner or later."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.written import End
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import IPAddressPool
from tests.controller.build import pool, service

POOLS: dict[str, tuple[IPAddressPool, ...]] = {
    "one": (pool("p", "192.0.2.0/30"),),
    "less": (pool("p", "192.0.2.0/31"),),
    "other": (pool("q", "198.51.100.0/31"),),
    "two": (pool("p", "192.0.2.0/31"), pool("q", "198.51.100.0/31")),
    "none": (),
    "both": (pool("p", "192.0.2.0/31", "2001:db8::/127"),),
    "renumbered": (pool("p", "192.0.2.0/31", "2001:db8:1::/127"), pool("q", "198.51.100.0/31")),
    "parted": (pool("p", "192.0.2.0/31"), pool("q", "2001:db8::/127", "198.51.100.0/31")),
}


class Server:
    """Documents with versions, and books that are told of them sooner or later."""

    def __init__(self) -> None:
        self.books = Books()
        self.documents: dict[str, ServiceRequest] = {}
        self.faults: list[str] = []
        self.now = 0.0
        self.under_way: list[Decision] = []
        self._version = 0
        self._untold: list[Callable[[], None]] = []

    def put(self, name: str, **fields: Any) -> None:
        """Create or change a document."""
        before = self.documents.get(f"default/{name}", service(name))
        self._store(replace(before, **fields))

    def delete(self, name: str) -> None:
        """Delete a document."""
        key = f"default/{name}"
        if self.documents.pop(key, None) is not None:
            self._untold.append(lambda: self.books.gone(key, self.now))

    def configure(self, *pools: IPAddressPool) -> None:
        """Change the pools."""
        self.books.configure(pools, ())

    def tell(self, most: int = 1000) -> None:
        """Tell the books of what happened, the oldest first."""
        for _ in range(min(most, len(self._untold))):
            self._untold.pop(0)()

    def decide(self) -> None:
        """Decide on everything that is known."""
        while self.books.decide(self.now) is not None:
            pass

    def take(self) -> Decision | None:
        """Let the books begin a write."""
        decision = self.books.next_write()
        if decision is not None:
            self.under_way.append(decision)
        return decision

    def land(self, decision: Decision) -> End:
        """Apply a write as a server does: with the version that it was meant for, or not at all."""
        request = decision.request
        document = self.documents.get(request.key)
        if document is None:
            return End.GONE
        if document.resource_version != request.resource_version:
            return End.CONFLICT
        self._store(
            replace(
                document,
                ingress=decision.addresses or (),
                pool_noted=decision.pool,
                kept=decision.kept,
            )
        )
        return End.WRITTEN

    def settle(self) -> None:
        """Let everything become quiet."""
        for one in [*self.under_way]:
            self.answer(one, self.land(one))
        for again in range(100):
            self.now += 60.0
            self.tell()
            self.decide()
            while (decision := self.take()) is not None:
                self.answer(decision, self.land(decision))
                self.tell()
                self.decide()
            # What waits for the pools to change once more is decided on the second time.
            if again and self.books.settled and not self._untold:
                return

    def answer(self, decision: Decision, end: End) -> None:
        """Tell the books what became of a write."""
        self.under_way.remove(decision)
        self.books.ended(decision, end, self.now, chance=0.5)

    def _store(self, document: ServiceRequest) -> None:
        self._version += 1
        document = replace(document, resource_version=str(self._version))
        self.documents[document.key] = document
        self._untold.append(lambda: self.books.seen(document, self.now))
        users: dict[str, str] = {}
        for one in self.documents.values():
            for address in one.ingress:
                user = users.setdefault(address, one.key)
                if user != one.key:
                    self.faults.append(f"{address}: {user} and {one.key}")
