"""What is decided goes out at once, what comes meanwhile is not missed, and no failure is final.

The source and the desk are made up; the term and its books are real.
"""

import asyncio
from collections.abc import Callable

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.term import Term
from bgpd.controller.written import End
from bgpd.kube.access import Access
from bgpd.kube.documents import Key, Object
from bgpd.kube.kept import KeptSource
from bgpd.kube.problem import Problem
from bgpd.kube.store import Changes
from bgpd.kube.view import Objects, View
from bgpd.model.status import Condition
from tests.controller.build import pool, service

PATIENCE = 20.0


class Said:
    """A source that says what a test lets it say (`bgpd.kube.kept.Source`)."""

    synced = True
    read_at: float | None = None
    outdated: tuple[Key, ...] = ()
    missing: frozenset[str] = frozenset()
    access: Access | None = None
    problems: tuple[Problem, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def __init__(self) -> None:
        self.sources: dict[Key, str] = {}
        self.files: dict[Key, str] = {}
        self.newest: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self._view = View()
        self._on_change: Callable[[Changes], None] | None = None
        self.put("IPAddressPool", pool("p", "192.0.2.0/24"))

    @property
    def objects(self) -> Objects:
        """The objects."""
        return self._view

    def silence(self, now: float) -> None:
        """Say nothing: nobody asks."""

    def accept(self) -> None:
        """Doubt nothing."""

    async def run(self, on_change: Callable[[Changes], None]) -> None:
        """Say everything."""
        self._on_change = on_change
        on_change(Changes(added=frozenset(self._view)))
        await asyncio.Event().wait()

    def put(self, kind: str, one: Object, namespace: str = "") -> None:
        """Say that there is *one*."""
        key = Key(kind, namespace, one.name)
        self._view.put(key, one)
        if self._on_change is not None:
            self._on_change(Changes(added=frozenset({key})))


class Noting:
    """A desk that notes what it is to write, and lets it end as told (`term.Desk`)."""

    conditions: tuple[Condition, ...] = ()

    def __init__(self, books: Books, log: list[str], ends: list[End]) -> None:
        self._books = books
        self._log = log
        self._ends = ends
        self._some = asyncio.Event()

    def wake(self) -> None:
        """Note that there may be something."""
        self._some.set()

    async def drain(self, seconds: float) -> None:
        """Wait for nothing."""
        del seconds

    async def run(self) -> None:
        """Write."""
        while True:
            while (one := self._books.next_write()) is not None:
                self._log.append(f"write {one.request.name}")
                # The answer takes its time, as a server's does.
                await asyncio.sleep(0.01)
                end = self._ends.pop(0) if self._ends else End.WRITTEN
                self._books.ended(one, end, asyncio.get_running_loop().time(), chance=0.0)
            self._some.clear()
            await self._some.wait()


def run(
    story: Callable[[Said, list[str]], None], ends: list[End], until: Callable[[list[str]], bool]
) -> list[str]:
    """Let *story* happen when the source is heard; return what was done until *until* held."""

    async def play() -> list[str]:
        log: list[str] = []
        said, books = Said(), Books()

        def tell(decision: Decision) -> None:
            log.append(f"tell {decision.request.name}")

        term = Term(
            KeptSource(said),
            books,
            Noting(books, log, ends),
            tell=tell,
            on_conditions=lambda: None,
        )
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            task = group.create_task(term.run(), name="term")
            await asyncio.sleep(0.05)
            story(said, log)
            while not until(log):  # noqa: ASYNC110 - it is a list, and tells nothing by itself
                await asyncio.sleep(0.01)
            task.cancel()
        return log

    return asyncio.run(play())


def test_a_decision_is_on_its_way_before_anybody_is_told() -> None:
    """Traffic waits for the status, and for no log and no Event."""
    log = run(
        lambda said, _: said.put("Service", service("web"), "default"),
        [],
        lambda log: "tell web" in log and "write web" in log,
    )
    assert log.index("write web") < log.index("tell web")


def test_a_write_that_failed_is_tried_again_by_itself() -> None:
    """Nothing else changes, and nobody has to wake the controller."""
    log = run(
        lambda said, _: said.put("Service", service("web"), "default"),
        [End.FAILED, End.UNANSWERED],
        lambda log: log.count("write web") == 3,
    )
    assert log.count("write web") == 3


def test_what_comes_while_others_are_told_is_decided_on() -> None:
    """A Service that comes in the very turn in which another one is told gets its address."""

    def story(said: Said, log: list[str]) -> None:
        said.put("Service", service("first"), "default")
        loop = asyncio.get_running_loop()

        def look() -> None:
            if "write first" in log:
                said.put("Service", service("second"), "default")
            else:
                loop.call_soon(look)

        loop.call_soon(look)

    assert "write second" in run(story, [], lambda log: "write second" in log)
