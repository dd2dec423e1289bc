"""A controller, its pools, and the documents of Services that it writes and sees again.

The books of the controller decide; what they would write is written into the documents here, and
seen by the controller again, as with an API server.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Final

from bgpd.controller.books import Books
from bgpd.controller.converge import Decision
from bgpd.controller.written import End
from tests.conformance.asking import AskingRoom, namespaces_of, request_of
from tests.conformance.documents import Document
from tests.conformance.room import (
    Fields,
    InexpressibleError,
    listed,
)

_POOL: Final = {"default": {"addresses": ["198.51.100.0/24", "2001:db8:100::/120"]}}
ONLY: Final = "svc"
"""The name of a Service that a case does not name."""
_SAME: Final = "same as "
_ROUNDS: Final = 50
"""More than any case needs until nothing is left to decide."""
NOTED: Final = "ip-allocated-from-pool"


class ManagedRoom(AskingRoom):
    """A controller, its pools, and the documents of Services."""

    def begin(self) -> None:
        """Let the controller see what there is before the steps, but for what they are about."""
        given = self.given
        self.now = 1000.0
        self.news: list[Any] = []
        self.decided: list[Decision] = []
        self.written: list[str] = []
        self.after: list[Any] = []
        self._syncs: dict[str, str] = {}
        self._namespaces = given.take("namespaces") or {}
        self._pools = dict(given.take("pools", _POOL) or {})
        self._documents: dict[str, Document] = {}
        services = {name: dict(one or {}) for name, one in given.map("services").items()}
        if "service" in given:
            only = dict(given.take("service") or {})
            services[only.pop("name", ONLY)] = only
        if "annotations" in given and not services:
            services[ONLY] = {"annotations": given.take("annotations")}
        self._fields = services
        self._only = list(services)[-1] if services else ONLY
        named = [str(step["svc"]) for step in self.case.steps if "svc" in step]
        self._last = named[-1] if named else self._only
        self.books = Books()
        self._look_first(given.take("before_pools"))

    def _look_first(self, before_pools: Any) -> None:
        """Show the controller what was there before, first of all what has addresses."""
        if before_pools not in (None, "none"):
            raise InexpressibleError(f"given.before_pools {before_pools!r} is not `none`")
        self._configure({} if before_pools == "none" else self._pools)
        later = self._shown_later()
        names = [name for name in self._fields if name not in later]
        for name in sorted(names, key=lambda one: not self._fields[one].get("has")):
            self._see(name, self._fields[name])
        self._settle()
        self._must_have()
        self._forget()

    def _must_have(self) -> None:
        for name in self._documents:
            has = listed(self._fields[name].get("has"))
            if has and self.ingress(name) != has:
                raise InexpressibleError(f"{name} shall have {has} and has {self.ingress(name)}")

    def _forget(self) -> None:
        self._before = {name: self.ingress(name) for name in self._fields}
        for book in (self.news, self.decided, self.written):
            book.clear()

    def _shown_later(self) -> set[str]:
        """Return the Services that a `converge` shows to the controller for the first time.

        Where new pools come first, a Service that has addresses was there before them.
        """
        found: set[str] = set()
        shown: set[str] = set()
        for step in self.case.steps:
            name = str(step.get("svc", self._only))
            if step.get("op") == "converge" and name not in shown:
                found.add(name)
            if step.get("op") == "set_pools":
                shown |= {one for one in self._fields if self._fields[one].get("has")}
            shown.add(name)
        return found

    def _configure(self, pools: Mapping[str, Any]) -> None:
        names = {one.get("namespace", "default") for one in self._fields.values()} | {"default"}
        self._blocks = self.read_pools(pools, "pools")
        self.books.configure(self._blocks, namespaces_of(self._namespaces, names))

    def _see(self, name: str, fields: Mapping[str, Any]) -> None:
        wanted = str(fields.get("loadBalancerIP") or "")
        if wanted.startswith(_SAME):
            other = self.ingress(wanted.removeprefix(_SAME))
            if len(other) != 1:
                raise InexpressibleError(f"{wanted!r}: that has {other}")
            fields = {**fields, "loadBalancerIP": other[0]}
        document = self.service(name, Fields(fields, f"given.{name}"))
        annotations = document["metadata"]["annotations"]
        owners = {self._owner(str(one)) for one in listed(fields.get("has"))} - {None}
        if len(owners) == 1 and not any(NOTED in key for key in annotations):
            # Whoever gave it the addresses has noted where they are from.
            annotations[f"metallb.io/{NOTED}"] = owners.pop()
        self._show(name, document)

    def _owner(self, address: str) -> str | None:
        number = ip_address(address)
        found = (p for p in self._blocks for b in p.prefixes if number in ip_network(b))
        return next((one.name for one in found), None)

    def _show(self, name: str, document: Document) -> None:
        self._documents[name] = document
        self.books.seen(request_of(document), self.now)

    def _settle(self) -> None:
        """Decide and write until there is nothing left to do."""
        for _ in range(_ROUNDS):
            self._decide_all()
            found = self.books.next_write()
            if found is None:
                if self.books.settled:
                    return
                continue
            self.books.ended(found, End.WRITTEN, self.now, chance=0.5)
            self._write(found)
        raise InexpressibleError("the controller does not come to rest")

    def _decide_all(self) -> None:
        while (decision := self.books.decide(self.now)) is not None:
            self.decided.append(decision)
            self.news += [(decision.request.name, one) for one in decision.news]

    def _write(self, decision: Decision) -> None:
        name = decision.request.name
        self.written.append(name)
        old = self._documents[name]
        metadata = old["metadata"]
        noted = {key: one for key, one in metadata["annotations"].items() if NOTED not in key}
        if decision.pool:
            noted[f"bgpd.io/{NOTED}"] = decision.pool
        self._show(
            name,
            {
                **old,
                "metadata": {
                    **metadata,
                    "resourceVersion": str(int(metadata["resourceVersion"]) + 1),
                    "annotations": noted,
                },
                "status": {
                    "loadBalancer": {"ingress": [{"ip": one} for one in decision.addresses or ()]}
                },
            },
        )

    def ingress(self, name: str) -> list[str]:
        """Return the addresses in the status of the Service's document."""
        if name not in self._documents:
            return []
        status = self._documents[name]["status"]["loadBalancer"]
        return [one["ip"] for one in status["ingress"]]
