"""One period in which it is ours to give addresses: documents in, decisions out.

Everything is read anew when it begins, so that nothing that another controller gave is unknown.
Until Services, pools and Namespaces are all known, nothing is decided.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Protocol

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.kube.documents import Key
from bgpd.kube.kept import KeptSource
from bgpd.kube.store import Changes
from bgpd.kube.transport import SLICE
from bgpd.model.allocation import ServiceRequest
from bgpd.model.status import Condition
from bgpd.policy.conditions import refusals

_SHOWN: Final = 5
_LOOK: Final = 1.0
"""Seconds after which to look what became of writes that wait for an answer."""
_DECISIVE: Final = frozenset({"IPAddressPool", "Namespace"})
"""What every decision depends on."""


class Desk(Protocol):
    """Who writes what the books want."""

    def wake(self) -> None:
        """Note that there may be something to write."""

    async def run(self) -> None:
        """Write until cancelled."""

    async def drain(self, seconds: float) -> None:
        """Begin no more, and wait for what has begun."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know."""


class Term:
    """Books, kept by what a source says."""

    def __init__(  # noqa: PLR0913 - what comes in, what goes out, who hears of it
        self,
        source: KeptSource,
        books: Books,
        desk: Desk,
        *,
        tell: Callable[[Decision], None],
        on_conditions: Callable[[], None],
        complete: Callable[[ServiceRequest], ServiceRequest] = lambda one: one,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        """*complete* adds to a Service what only an API server would have added.

        *heard* is told that some other object changed.
        """
        self.desk = desk
        self.books = books
        self._source = source
        self._tell = tell
        self._complete = complete
        self._heard = heard
        self._on_conditions = on_conditions
        self._some = asyncio.Event()
        self._begun = False

    @property
    def synced(self) -> bool:
        """Whether everything is known."""
        return self._begun

    @property
    def errors(self) -> Mapping[str, int]:
        """How often the source could not be followed, by why."""
        return self._source.errors

    def silence(self, now: float) -> float | None:
        """Return for how many seconds a part of the source said nothing; None: it never does."""
        return self._source.silence(now)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know or correct."""
        return (
            *self._source.conditions,
            *refusals("IPAddressPoolRefused", (why for _, why in self.books.clashes)),
            *self.desk.conditions,
            *_lacking(self.books),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._source.run(self._changed), name="source")
            group.create_task(self._decide(), name="decide")
            group.create_task(self.desk.run(), name="write")

    def _changed(self, changes: Changes) -> None:
        if changes.conditions:
            self._on_conditions()
        if not self._source.synced:
            return
        now = asyncio.get_running_loop().time()
        objects = self._source.objects
        # In an order that all controllers share: sets have none.
        for key in sorted(changes.removed):
            if key.kind == "Service":
                self.books.gone(_name(key), now)
        for key in sorted(changes.added | changes.changed):
            if key.kind == "Service":
                request = objects.request(_name(key))
                if request is not None:
                    self.books.seen(self._complete(request), now)
        if changes.configuration or changes.conditions:
            self._heard()
        if not self._begun or any(key.kind in _DECISIVE for key in changes.keys):
            self._begun = True
            self.books.configure(objects.pools, objects.namespaces)
        self._some.set()

    async def _decide(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            # Before the first look: what comes while others have their turn is not to be missed.
            self._some.clear()
            while self.books.note(loop.time()):  # noqa: ASYNC110 - others have their turn
                await asyncio.sleep(0)
            # A documented slice at a time: a Lease must be renewed while ten thousand wait.
            until = loop.time() + SLICE
            decision: Decision | None = None
            decided: list[Decision] = []
            while (now := loop.time()) < until and (decision := self.books.decide(now)) is not None:
                decided.append(decision)
            self.desk.wake()
            # What is decided is on its way before anybody is told: traffic waits for it.
            await asyncio.sleep(0)
            for one in decided:
                self._tell(one)
            if decision is not None:
                await asyncio.sleep(0)
                continue
            self._on_conditions()
            try:
                async with asyncio.timeout_at(self._due(loop.time())):
                    await self._some.wait()
            except TimeoutError:
                pass

    def _due(self, now: float) -> float | None:
        """Return when to look again although nothing changes."""
        due = self.books.due(now)
        if self.books.settled:
            return due
        # A write that fails is to be tried again, and nobody says when it has.
        return now + _LOOK if due is None else min(due, now + _LOOK)


def _name(key: Key) -> str:
    return f"{key.namespace}/{key.name}"


def _lacking(books: Books) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for reason, keys, what in (
        ("NoAddress", sorted(set(books.pending) - set(books.kept)), "waits for addresses"),
        ("NoOtherAddress", sorted(books.kept), "keeps an address that is in no pool"),
    ):
        if keys and books.pools:
            more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            message = f"{', '.join(keys[:_SHOWN])}{more}: {what}; the Events of each say why"
            type_ = "AddressesLacking" if reason == "NoAddress" else "AddressOutsidePools"
            found.append(Condition(type=type_, status=True, reason=reason, message=message))
    return tuple(found)
