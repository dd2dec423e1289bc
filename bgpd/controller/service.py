"""The driver of the controller: who may write is decided here, then a term begins.

Over the Kubernetes API that is whoever holds the Lease; over a directory, whoever holds its lock.
The controller's absence changes no address and no route.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bgpd.controller import files
from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.deadline import Deadline, now
from bgpd.controller.election import End, Leadership
from bgpd.controller.lease import REQUEST
from bgpd.controller.metricspages import Pages
from bgpd.controller.patch import happenings
from bgpd.controller.reviewer import Reviewer
from bgpd.controller.telling import Telling
from bgpd.controller.term import Term
from bgpd.controller.wish import with_cluster_ips
from bgpd.controller.writers import Writers
from bgpd.kube.access import Access, reach
from bgpd.kube.directory import DirectorySource
from bgpd.kube.kept import KeptSource
from bgpd.kube.source import KubernetesSource
from bgpd.kube.vocabulary import CONTROLLER, configuring
from bgpd.model.errors import ConfigError
from bgpd.model.status import Condition
from bgpd.telemetry import logs
from bgpd.telemetry.conditions import ConditionLog
from bgpd.telemetry.http import Http
from bgpd.telemetry.metricsoptions import UNSERVED, MetricsOptions

_LOCK_SECONDS: Final = 1.0
_WAY_OUT: Final = "the controller is restarted"
"""`bgpctl accept` speaks to agents alone."""
_KNOWN: Final = "directory:PATH, kubernetes or kubernetes:KUBECONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of the controller."""

    source: str
    """`directory:PATH`, `kubernetes` or `kubernetes:KUBECONFIG`."""
    identity: str
    """What no other process is called, also not our next one."""
    program: str
    documents: Path | None = None
    """A directory of documents beside the Kubernetes API."""
    load_balancer_class: str = ""
    log_level: str = "info"
    log_format: str = "text"
    """`auto`, `text` or `json`."""
    metrics: MetricsOptions = UNSERVED
    """Where metrics and health are served."""


class Service:
    """One running controller."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = logs.start(
            "controller", options.log_level, options.log_format, runs=options.program
        )
        self._conditions_log = ConditionLog(self._log, lambda: self.conditions)
        self._leadership: Leadership | None = None
        self._telling: Telling | None = None
        self._waits: Condition | None = None
        self._pages = Pages(
            self._log,
            conditions=lambda: self.conditions,
            stuck=lambda: "" if self._leadership is None else self._leadership.stuck,
        )
        self._http = Http(options.metrics, self._pages, self._log)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a person should know or correct."""
        parts = (self._leadership, self._term, self._telling)
        found = tuple(one for part in parts if part is not None for one in part.conditions)
        waits = () if self._waits is None else (self._waits,)
        return (*found, *waits, *self._http.conditions())

    async def run(self) -> None:
        """Serve until a signal ends it."""
        match self._options.source.partition(":"):
            case "directory", _, path if path:
                serving = self._over_directory(Path(path))
            case "kubernetes", colon, path if path or not colon:
                serving = self._over_kubernetes(reach(path, os.environ))
            case _:
                raise ConfigError(f"--source {self._options.source!r}: must be {_KNOWN}")
        self._http.open()
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(serving, name="serve")
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(
                        number, lambda: group.create_task(self._leave(task))
                    )
        finally:
            self._http.close()
            self._conditions_log.close()

    @property
    def _term(self) -> Term | None:
        return self._pages.term

    async def _leave(self, task: asyncio.Task[None]) -> None:
        """End in order: what has begun to be written is waited for."""
        logs.write(self._log, "info", "stopping")
        if self._term is not None:
            await self._term.desk.drain(REQUEST)
        task.cancel()

    # Over the Kubernetes API

    async def _over_kubernetes(self, access: Access) -> None:
        options = self._options
        agent = f"{options.program} ({options.identity})"
        leadership = Leadership(
            access,
            identity=options.identity,
            agent=agent,
            end=self._end(),
            clock=now,
            on_conditions=self._tell_conditions,
        )
        self._leadership = leadership
        writes = self._pages.writes
        self._telling = Telling(access, identity=options.identity, agent=agent, writes=writes)
        open_books: list[Books] = []

        async def lead() -> None:
            books = Books(load_balancer_class=options.load_balancer_class)
            open_books[:] = [books]
            source = KeptSource(self._source(access), way_out=_WAY_OUT)
            desk = self._desk(access, books, leadership)
            reviewer = Reviewer(
                access,
                source,
                agent=agent,
                may_begin=leadership.may_begin,
                clashes=lambda: books.clashes,
                writes=writes,
            )
            term = Term(
                source,
                books,
                desk,
                tell=self._tell,
                on_conditions=self._tell_conditions,
                heard=reviewer.wake,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(reviewer.run(), name="review")
                await self._serve(term)

        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._telling.run(), name="telling")
            try:
                logs.write(self._log, "info", "standing_by", [("identity", options.identity)])
                await leadership.run(
                    lead, clean=lambda: not any(one.under_way for one in open_books)
                )
            finally:
                telling.cancel()

    def _source(self, access: Access) -> KubernetesSource:
        path = self._options.documents
        if path is None:
            return KubernetesSource(access, vocabulary=CONTROLLER)
        files = DirectorySource(path, vocabulary=configuring(CONTROLLER), option="--documents")
        return KubernetesSource(access, vocabulary=CONTROLLER, documents=files)

    def _end(self) -> End:
        """Return what ends this process where it overstays."""
        return Deadline()

    def _desk(self, access: Access, books: Books, leadership: Leadership) -> Writers:
        """Return who writes during one term."""
        return Writers(
            access,
            books,
            agent=f"{self._options.program} ({self._options.identity})",
            may_begin=leadership.may_begin,
            on_change=self._tell_conditions,
            writes=self._pages.writes,
        )

    # Over a directory

    async def _over_directory(self, path: Path) -> None:
        books = Books(load_balancer_class=self._options.load_balancer_class)
        source = KeptSource(DirectorySource(path, vocabulary=CONTROLLER), way_out=_WAY_OUT)
        desk = files.Files(
            path,
            books,
            lambda: source.sources,
            on_change=self._tell_conditions,
            writes=self._pages.writes,
        )
        number = await self._locked(path)
        try:
            await self._serve(
                Term(
                    source,
                    books,
                    desk,
                    tell=self._tell,
                    on_conditions=self._tell_conditions,
                    complete=with_cluster_ips,
                )
            )
        finally:
            os.close(number)

    async def _locked(self, path: Path) -> int:
        while True:
            try:
                number = files.lock(path)
            except OSError as error:
                raise ConfigError(
                    f"directory {path} cannot be written to: {error.strerror}; the controller"
                    " writes addresses into its files"
                ) from None
            if number is not None:
                self._waits = None
                self._tell_conditions()
                return number
            if self._waits is None:
                self._waits = Condition(
                    type="StandingBy",
                    status=True,
                    reason="DirectoryLocked",
                    message=f"another controller writes in {path}; this one waits for its end",
                )
                self._tell_conditions()
            await asyncio.sleep(_LOCK_SECONDS)

    # Both

    async def _serve(self, term: Term) -> None:
        self._pages.term = term
        logs.write(self._log, "info", "leading")
        try:
            await term.run()
        finally:
            self._pages.over()
            logs.write(self._log, "info", "not_leading")

    def _tell(self, decision: Decision) -> None:
        for one in decision.news:
            level = "warning" if one.warning else "info"
            key, reason = decision.request.key, one.reason.value
            keys = [("service", key), ("reason", reason), ("message", one.note)]
            logs.write(self._log, level, "service_event", keys)
        if self._telling is not None:
            self._telling.tell(happenings(decision))

    def _tell_conditions(self) -> None:
        self._conditions_log.soon(synced=self._term is not None and self._term.synced)
