"""Area `reconcile`: what is done again, by a controller's term and for an agent's configuration.

Upstream's handler is what we do about one Service: decide and write. How it ends is brought about:
`success` is a document written, `error` a write that failed, `error_no_retry` a request that no
retry can fulfill, `reprocess_all` an address that becomes free while another Service waits for one.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.term import Term
from bgpd.controller.written import End
from bgpd.kube.documents import read
from bgpd.kube.nodestatus import document as status_document
from bgpd.kube.store import Changes, Store
from bgpd.kube.view import Objects
from bgpd.kube.vocabulary import CONTROLLER
from bgpd.model.status import Condition
from tests.conformance import documents
from tests.conformance.agent import Agent
from tests.conformance.asking import AskingRoom
from tests.conformance.cluster import NodeRoom
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, flag

_TURNS: Final = 200
"""More turns of a loop than anything here needs to come to rest."""
_POOL: Final = {"p": {"addresses": ["198.51.100.1/32"]}}
_ADDRESS: Final = "198.51.100.1"
CONDITIONS: Final = {"configReconcilerValid": "ConfigurationValid"}
STATUS_REASONS: Final = {"ConfigurationError": "Refused", "Reconciled": "Accepted"}
"""Upstream's words for conditions and their reasons, and ours."""
GAUGES: Final = {
    "config_loaded_bool": "a configuration is in force",
    "config_stale_bool": "a newer document, or part of one, is refused",
}
"""Upstream's gauges, and the facts that they stand for here."""


class _Source:
    """What a controller reads, and when it has read everything."""

    def __init__(self) -> None:
        self.store = Store()
        self.synced = False
        self.conditions: tuple[Condition, ...] = ()
        self._changed: Callable[[Changes], None] | None = None

    @property
    def objects(self) -> Objects:
        """What was read."""
        return self.store.objects

    async def run(self, changed: Callable[[Changes], None]) -> NoReturn:
        """Tell *changed* of everything, for ever."""
        self._changed = changed
        await asyncio.Event().wait()
        raise AssertionError

    def say(self, *found: Document, gone: tuple[str, ...] = ()) -> None:
        """Let documents come and go, in one go."""
        changes = Changes()
        for one in found:
            name = f"{one['kind']}-{one['metadata']['name']}.json"
            now = self.store.apply(name, read(name, json.dumps(one).encode(), CONTROLLER))
            changes = changes.then(now)
        for name in gone:
            changes = changes.then(self.store.remove(f"Service-{name}.json"))
        assert self._changed is not None
        self._changed(changes)


class _Desk:
    """Writes with one end, whatever it is."""

    conditions: tuple[Condition, ...] = ()

    def __init__(self, books: Books) -> None:
        self.end = End.WRITTEN
        self._books = books

    def wake(self) -> None:
        """Write everything that is wanted."""
        now = asyncio.get_running_loop().time()
        while (decision := self._books.next_write()) is not None:
            self._books.ended(decision, self.end, now, chance=0.5)

    async def run(self) -> NoReturn:
        """Have nothing to do between wakes."""
        await asyncio.Event().wait()
        raise AssertionError

    async def drain(self, seconds: float) -> None:
        """Have nothing under way."""


class ReconcileRoom(AskingRoom, NodeRoom):
    """A controller's term with one Service that matters, or an agent with a configuration."""

    service = AskingRoom.service

    def begin(self) -> None:
        """Read what is given; the steps bring it about."""
        given = self.given
        self._loaded = flag(given.take("initial_load_done", False), "given.initial_load_done")
        self._handler = given.take("handler", "success")
        self._config = given.take("config")
        self._previously = given.take("previously", "valid")
        self._unrelated = given.take("unrelated_secret")
        self._related = given.take("referenced_secret")
        self.decided: list[Decision] = []
        self._told = False

    # A controller's term

    def op_service_event(self, _step: Fields) -> None:
        """Let one Service change."""
        asyncio.run(self._story(full=False))

    def op_full_pass(self, _step: Fields) -> None:
        """Let the controller look at everything for the first time."""
        asyncio.run(self._story(full=True))

    def op_pool_event(self, step: Fields) -> None:
        """Let the pools change, so that a Service that waited gets an address."""
        self._must_change(step.take("config", "valid"))
        asyncio.run(self._pools_story())

    @staticmethod
    def _must_change(config: Any) -> None:
        if config != "valid":
            raise InexpressibleError(f"pools that are {config!r}")

    async def _pools_story(self) -> None:
        """Let pools that nobody can use become pools that all can."""
        if self._handler not in {"success", "error", "reprocess_all"}:
            raise InexpressibleError(f"given.handler {self._handler!r} of pools")
        none = self.pools(
            Fields({"p": {"addresses": [f"{_ADDRESS}/32"], "autoAssign": False}}, "p")
        )
        self._loaded = True
        services = [self._service("svc"), self._service("waits")]
        usable = self.pools(Fields({"p": {"addresses": ["198.51.100.0/24"]}}, "p"))
        await self._tell([*none, *services], usable)

    async def _story(self, *, full: bool) -> None:
        first, then, gone = self._world()
        await self._tell(first, then, gone, full=full)

    async def _tell(
        self,
        first: list[Document],
        then: list[Document],
        gone: tuple[str, ...] = (),
        *,
        full: bool = False,
    ) -> None:
        """Let a term see what was *first* there, and *then* what comes; look what it does."""
        self.books = Books()
        source, desk = _Source(), _Desk(self.books)
        term = Term(
            source,  # type: ignore[arg-type] # all of it that a term uses
            self.books,
            desk,
            tell=self.decided.append,
            on_conditions=lambda: None,
        )
        task = asyncio.create_task(term.run())  # noqa: TID251 - cancelled below, whatever comes
        try:
            await _rest()
            source.synced = self._loaded and not full
            if not full:
                source.say(*first)
                await _rest()
            self.decided.clear()
            desk.end = End.FAILED if self._handler == "error" else End.WRITTEN
            source.synced = source.synced or full
            source.say(*(first if full else ()), *then)
            if gone:
                source.say(gone=gone)
            await _rest()
            self._look(term)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _look(self, term: Term) -> None:
        now = asyncio.get_running_loop().time()
        self._retry = self.books.due(now) is not None
        self._done = term.synced
        about = {one.request.name for one in self.decided}
        self._all = "waits" in about
        self._told = bool(about)

    def _world(self) -> tuple[list[Document], list[Document], tuple[str, ...]]:
        """Return what is there before, what comes with the event, and what goes with it."""
        first = self.pools(Fields(_POOL, "pools"))
        plain = self._service("svc")
        match self._handler:
            case "success" | "error":
                return first, [plain], ()
            case "error_no_retry":
                return first, [self._service("svc", loadBalancerIP="192.0.2.99")], ()
            case "reprocess_all":
                holds = self._service("svc", has=[_ADDRESS])
                return [*first, holds, self._service("waits")], [], ("svc",)
            case _:
                raise InexpressibleError(f"given.handler {self._handler!r} is none that is known")

    def _service(self, name: str, **fields: Any) -> Document:
        return self.service(name, Fields(fields, name))

    def see_retry(self, _expected: bool) -> object:
        """Return whether a clock will bring it up again."""
        return self._retry

    def see_reprocess_all(self, _expected: bool) -> object:
        """Return whether other Services were decided again because of it."""
        return self._all

    def see_initial_load_done(self, _expected: bool) -> object:
        """Return whether the controller knows everything and acts."""
        return self._done

    # An agent's configuration

    def op_config_event(self, _step: Fields) -> None:
        """Let the configuration change to what is given, from what it was before."""
        if self._handler == "error":
            # An agent does nothing that could fail; pools are a controller's configuration.
            self._must_change(self._config)
            asyncio.run(self._pools_story())
            return
        if self._handler not in {"success", "reprocess_all", "error_no_retry"}:
            raise InexpressibleError(f"given.handler {self._handler!r} of a configuration")
        self._configure(self._previously)
        self._before = self.agent.planner.context
        self._served = self.agent.routes
        self.agent.spoken = 0
        if self._config == "unchanged":
            self.agent.put(self.agent.document("IPAddressPool", "p"))
        elif self._config in ("valid", "parse error"):
            self.agent.put(self._pool_document(self._config))
        else:
            raise InexpressibleError(f"given.config {self._config!r} is none that is known")
        if self._handler == "error_no_retry":
            # It can be read, but not hold: only a person can help.
            twin = Fields({"addresses": ["198.51.100.0/25"]}, "pool")
            self.agent.put(documents.pool("twin", twin, {}))
        self._told, self._retry = bool(self.agent.spoken), self.agent.planner.busy
        self._all = self.agent.planner.context is not self._before

    def op_secret_event(self, _step: Fields) -> None:
        """Let a Secret change."""
        self._configure("valid")
        named = "unrelated" if self._unrelated else "key"
        if not (self._unrelated or self._related):
            raise InexpressibleError("which Secret changes?")
        if self._related:
            peer = {"passwordSecret": {"name": "key"}}
            self.agent.put(*self.peers(Fields({"peer1": peer}, "peers")), self._secret("key", "a"))
        self.agent.put(self._secret(named, "b"))
        self.agent.spoken = 0
        self.agent.put(self._secret(named, "c"))
        self._told, self._retry = bool(self.agent.spoken), self.agent.planner.busy

    def _secret(self, name: str, password: str) -> Document:
        fields = {"type": "kubernetes.io/basic-auth", "data": {"password": password}}
        return documents.secret(name, Fields(fields, name), documents.NAMESPACE)

    def _configure(self, state: str) -> None:
        if state not in ("valid", "invalid"):
            raise InexpressibleError(f"given.previously {state!r} is none that is known")
        self.agent = Agent(self.me)
        self.agent.put(
            documents.node(self.me),
            self._pool_document("valid"),
            *self.peers(Fields({"peer1": {}}, "peers")),
            *self.advertisements(Fields({"ad": {}}, "advertisements")),
        )
        self.must_hold()
        service = NodeRoom.service(self, "svc", Fields({"ingress": [_ADDRESS]}, "svc"))
        self.agent.put(service, self.slice_of(service))
        self.must_announce({"svc": None})
        if state == "invalid":
            self.agent.put(self._pool_document("parse error"))

    def _pool_document(self, state: str) -> Document:
        # A valid configuration that is new is another one than that before it.
        self._versions = getattr(self, "_versions", 0) + 1
        blocks = ["198.51.100.0/24", f"192.0.2.{self._versions}/32"]
        addresses = ["198.51.100.0/33"] if state == "parse error" else blocks
        return documents.pool("p", Fields({"addresses": addresses}, "pool"), {})

    def see_handler_called(self, _expected: bool) -> object:
        """Return whether anything was decided or told because of it."""
        return self._told

    def see_previous_config_kept(self, _expected: bool) -> object:
        """Return whether the configuration in force, and every route, is as before."""
        context, before = self.agent.planner.context, self._before
        assert context is not None
        assert before is not None
        same = context.in_force == before.in_force and self.agent.routes == self._served
        return same and any(self._served.values())

    def see_condition(self, expected: Mapping[str, str]) -> object:
        """Return the condition of the node's status that says so, in upstream's words."""
        kind = CONDITIONS.get(expected.get("type", ""))
        if kind is None or expected.keys() - {"type", "status", "reason"}:
            raise InexpressibleError(f"condition {expected} has no counterpart")
        status = status_document(self.agent.status, now=1e9, problems=self.agent.store.problems)[
            "status"
        ]
        (found,) = [one for one in status["conditions"] if one["type"] == kind]
        back = {ours: theirs for theirs, ours in STATUS_REASONS.items()}
        values = {
            "type": expected["type"],
            "status": found["status"],
            "reason": back.get(found["reason"], found["reason"]),
        }
        return {key: values[key] for key in expected}

    def see_gauge(self, expected: Mapping[str, int]) -> object:
        """Return whether a configuration is in force, and whether a newer one is refused."""
        values = {
            "config_loaded_bool": int(self.agent.planner.context is not None),
            "config_stale_bool": int(bool(self.agent.store.outdated or self.agent.refusals)),
        }
        unknown = expected.keys() - values.keys()
        if unknown:
            raise InexpressibleError(f"there is no gauge {', '.join(sorted(unknown))}")
        return {key: values[key] for key in expected}


async def _rest() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
