"""Any source, with configuration that vanished held back (`bgpd.kube.vanish`)."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from bgpd.kube.access import Access
from bgpd.kube.documents import Key, Object
from bgpd.kube.problem import Problem
from bgpd.kube.store import Changes
from bgpd.kube.vanish import WAY_OUT, Keeper
from bgpd.kube.view import Objects
from bgpd.model.status import Condition


class Source(Protocol):
    """Where objects come from."""

    synced: bool
    read_at: float | None
    """When what is told now was read, by the kernel's monotonic clock; None: nobody noted it."""

    @property
    def objects(self) -> Objects:
        """The objects in force."""

    @property
    def sources(self) -> dict[Key, str]:
        """Where each object in force comes from."""

    @property
    def files(self) -> Mapping[Key, str]:
        """The file of each object in force that comes from one beside the API."""

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version."""

    @property
    def missing(self) -> frozenset[str]:
        """The kinds whose CRDs are not installed."""

    @property
    def newest(self) -> dict[str, int]:
        """The newest version seen of each kind, where there are versions."""

    @property
    def access(self) -> Access | None:
        """How to write there, where one can."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with objects."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know or correct."""

    @property
    def errors(self) -> Mapping[str, int]:
        """How often it could not be followed, by why."""

    def silence(self, now: float) -> float | None:
        """Return for how many seconds a part of it said nothing; None: it never says anything."""

    def accept(self) -> None:
        """Believe what is doubted."""

    async def run(self, on_change: Callable[[Changes], None]) -> None:
        """Follow the source until cancelled."""


class KeptSource:
    """A source like any other, in which pools and peers do not vanish all at once."""

    def __init__(
        self,
        source: Source,
        remembered: Mapping[Key, Object] | None = None,
        *,
        held: Collection[Key] = (),
        way_out: str = WAY_OUT,
    ) -> None:
        """Wrap *source*; *remembered* is what an earlier process had in force.

        *held* is what of it had vanished; *way_out* says what a person can do who wants gone what
        vanished.
        """
        self._source = source
        self._keeper = Keeper(source.objects, remembered, held=held, way_out=way_out)
        self._on_change: Callable[[Changes], None]
        self._due = asyncio.Event()

    @property
    def synced(self) -> bool:
        """Whether everything is known once."""
        return self._source.synced

    @property
    def read_at(self) -> float | None:
        """When what is told now was read, by the kernel's monotonic clock."""
        return self._source.read_at

    @property
    def objects(self) -> Objects:
        """The objects in force."""
        if not self._source.synced:
            self._keeper.wait()
        return self._keeper.objects

    @property
    def held(self) -> frozenset[Key]:
        """What vanished and holds, for the next process."""
        return self._keeper.held

    @property
    def sources(self) -> dict[Key, str]:
        """Where each object in force comes from."""
        return self._source.sources

    @property
    def files(self) -> Mapping[Key, str]:
        """The file of each object in force that comes from one beside the API."""
        return self._source.files

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version."""
        return self._source.outdated

    @property
    def newest(self) -> dict[str, int]:
        """The newest version seen of each kind, where there are versions."""
        return self._source.newest

    @property
    def access(self) -> Access | None:
        """How to write there, where one can."""
        return self._source.access

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with objects."""
        return self._source.problems

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know, correct or accept."""
        # Until everything is known once, what is missing may only be late.
        kept = self._keeper.conditions if self._source.synced else ()
        return (*kept, *self._source.conditions)

    @property
    def errors(self) -> Mapping[str, int]:
        """How often it could not be followed, by why."""
        return self._source.errors

    def silence(self, now: float) -> float | None:
        """Return for how many seconds a part of it said nothing; None: it never says anything."""
        return self._source.silence(now)

    def accept(self) -> int:
        """Let go of what vanished, because a person says so; return how much that was."""
        self._source.accept()
        changes = self._keeper.accept()
        if changes:
            self._on_change(changes)
        return len(changes.removed)

    async def run(self, on_change: Callable[[Changes], None]) -> None:
        """Follow the source until cancelled; call *on_change* when synced and after changes."""
        self._on_change = on_change
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._source.run(self._changed), name="said")
                group.create_task(self._settle(), name="vanished")
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _changed(self, changes: Changes) -> None:
        if not self._source.synced:
            self._on_change(changes)
            return
        if self._keeper.lets_pass(changes):
            # The way of an endpoint that goes: what vanishes elsewhere is not looked at for it.
            self._on_change(changes)
            return
        now = asyncio.get_running_loop().time()
        self._on_change(self._keeper.take(changes, now=now, missing=self._source.missing))
        if self._keeper.due is not None:
            self._due.set()

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._due.wait()
            while (due := self._keeper.due) is not None:
                await asyncio.sleep(max(0.0, due - loop.time()))
                changes = self._keeper.settle(now=loop.time(), missing=self._source.missing)
                if changes:
                    self._on_change(changes)
            self._due.clear()
