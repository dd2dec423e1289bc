"""Areas `controller`, `dualstack` and `sharing`, as far as a controller looks at Services.

The books of the controller decide; what it would write is written into the documents here, and
seen again by the controller, as with an API server.
"""

from collections.abc import Mapping
from typing import Any, Final

from bgpd.controller.books import Books, End
from bgpd.controller.converge import Decision
from bgpd.model.prefix import Address, family_of
from tests.conformance.asking import WORD, AskingRoom, namespaces_of, request_of
from tests.conformance.documents import Document
from tests.conformance.room import Fields, InexpressibleError, listed

_POOL: Final = {"default": {"addresses": ["198.51.100.0/24", "2001:db8:100::/120"]}}
_ONLY: Final = "svc"
"""The name of a Service that a case does not name."""
_SAME: Final = "same as "
_ROUNDS: Final = 50
"""More than any case needs until nothing is left to decide."""
_NOTED: Final = "ip-allocated-from-pool"


class ControllerRoom(AskingRoom):
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
            services[only.pop("name", _ONLY)] = only
        if "annotations" in given:
            services[_ONLY] = {"annotations": given.take("annotations")}
        self._fields = services
        self._only = list(services)[-1] if services else _ONLY
        self.books = Books()
        self._look_first(given.take("before_pools"))

    def _look_first(self, before_pools: Any) -> None:
        """Show everything to the controller: first what has addresses, last what a step is about."""
        if before_pools not in (None, "none"):
            raise InexpressibleError(f"given.before_pools {before_pools!r} is not `none`")
        self._configure({} if before_pools == "none" else self._pools)
        subject = self._subject()
        early = self.case.steps[0].get("op") in {"update", "set_pools", "delete"}
        names = [name for name in self._fields if early or name != subject]
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
        self._before = {name: self.ingress(name) for name in self._documents}
        for book in (self.news, self.decided, self.written):
            book.clear()

    def _subject(self) -> str:
        named = [step["svc"] for step in self.case.steps if "svc" in step]
        return str(named[0]) if named else self._only

    def _configure(self, pools: Mapping[str, Any]) -> None:
        names = {one.get("namespace", "default") for one in self._fields.values()} | {"default"}
        found = self.read_pools(pools, "pools")
        self.books.configure(found, namespaces_of(self._namespaces, names))

    def _see(self, name: str, fields: Mapping[str, Any]) -> None:
        wanted = str(fields.get("loadBalancerIP") or "")
        if wanted.startswith(_SAME):
            other = self.ingress(wanted.removeprefix(_SAME))
            if len(other) != 1:
                raise InexpressibleError(f"{wanted!r}: that has {other}")
            fields = {**fields, "loadBalancerIP": other[0]}
        self._show(name, self.service(name, Fields(fields, f"given.{name}")))

    def _show(self, name: str, document: Document) -> None:
        self._documents[name] = document
        self.books.seen(request_of(document), self.now)

    def _settle(self) -> None:
        """Decide and write until there is nothing left to do."""
        for _ in range(_ROUNDS):
            while (decision := self.books.decide(self.now)) is not None:
                self.decided.append(decision)
                self.news += [(decision.request.name, one) for one in decision.news]
            found = self.books.next_write()
            if found is None:
                if self.books.settled:
                    return
                continue
            self.books.ended(found, End.WRITTEN, self.now, chance=0.5)
            self._write(found)
        raise InexpressibleError("the controller does not come to rest")

    def _write(self, decision: Decision) -> None:
        name = decision.request.name
        self.written.append(name)
        old = self._documents[name]
        metadata = old["metadata"]
        noted = {key: one for key, one in metadata["annotations"].items() if _NOTED not in key}
        if decision.pool:
            noted[f"bgpd.io/{_NOTED}"] = decision.pool
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

    # What happens

    def act(self) -> None:
        """Carry out the steps; what follows from new pools waits for a `converge` after them."""
        self._left = [step.get("op") for step in self.case.steps]
        super().act()

    def _done(self, op: str, begun: int) -> None:
        self._left.pop(0)
        self.after.append([self.ingress(name) for name in self._fields])
        self._syncs[f"{op}_sync"] = self._sync(self.decided[begun:])

    def op_converge(self, step: Fields) -> None:
        """Show the Service to the controller."""
        name = step.take("svc", self._only)
        begun = len(self.decided)
        if name not in self._documents:
            self._see(name, self._fields[name])
        self._settle()
        if self.ingress(name):
            self.ok()
        else:
            self.error("; ".join(one.note for _, one in self.news) or "no address")
        self._done("converge", begun)

    def op_update(self, step: Fields) -> None:
        """Change fields of a Service."""
        name = step.take("svc", self._only)
        begun = len(self.decided)
        fields = {**self._fields[name], **step.rest(), "has": self.ingress(name)}
        if "etp" in fields:
            fields.pop("externalTrafficPolicy", None)
        self._fields[name] = fields
        document = self.service(name, Fields(fields, "action"))
        old = self._documents[name]["metadata"]
        noted = {key: one for key, one in old["annotations"].items() if _NOTED in key}
        document["metadata"]["annotations"] |= noted
        document["metadata"]["resourceVersion"] = str(int(old["resourceVersion"]) + 1)
        self._show(name, document)
        self._settle()
        self.ok()
        self._done("update", begun)

    def op_delete(self, step: Fields) -> None:
        """Delete a Service."""
        name = step.take("svc", self._only)
        begun = len(self.decided)
        self.books.gone(request_of(self._documents.pop(name)).key, self.now)
        self._settle()
        self.ok()
        self._done("delete", begun)

    def op_set_pools(self, step: Fields) -> None:
        """Replace the pools; without any in the step, those of `given` are set for the first time."""
        begun = len(self.decided)
        self._configure(step.take("pools", self._pools))
        if "converge" in self._left[1:]:
            again = {one.request.name for one in self._decide_all()}
            self._left.pop(0)
            self.after.append([self.ingress(name) for name in self._fields])
            whole = again >= self._documents.keys()
            self._syncs["set_pools_sync"] = "reprocess_all" if whole else "success"
            return
        self._settle()
        self.ok()
        self._done("set_pools", begun)

    def _decide_all(self) -> list[Decision]:
        found = []
        while (decision := self.books.decide(self.now)) is not None:
            found.append(decision)
            self.news += [(decision.request.name, one) for one in decision.news]
        self.decided += found
        return found

    def op_read_sharing_key(self, step: Fields) -> None:
        """Read the key off the Service's annotations."""
        self._key = request_of(
            self.service(_ONLY, Fields(self._fields[_ONLY], "given"))
        ).sharing_key

    # What is seen

    def ingress(self, name: str) -> list[str]:
        """Return the addresses in the status of the Service's document."""
        if name not in self._documents:
            return []
        status = self._documents[name]["status"]["loadBalancer"]
        return [one["ip"] for one in status["ingress"]]

    def see_ingress(self, expected: Any) -> object:
        """Return the addresses of the only Service, or of each by name."""
        if isinstance(expected, Mapping):
            return {name: self.ingress(name) for name in expected}
        return self.ingress(self._only)

    def see_ingress_after(self, expected: list[Any]) -> object:
        """Return the addresses of the only Service after each step."""
        del expected
        if len(self._fields) != 1:
            raise InexpressibleError("there is more than one Service")
        return [one[0] for one in self.after]

    def see_same_ip(self, expected: list[str]) -> object:
        """Return *expected* where these Services have the same addresses."""
        found = {name: self.ingress(name) for name in expected}
        first = found[expected[0]]
        return expected if first and all(one == first for one in found.values()) else found

    def see_families(self, expected: list[str]) -> object:
        """Return the families of the only Service's addresses."""
        del expected
        return [WORD[family_of(Address(one))] for one in self.ingress(self._only)]

    def see_warning(self, expected: bool) -> object:
        """Return whether an Event of type Warning was told of the Service."""
        del expected
        return any(one.warning for name, one in self.news if name == self._subject())

    def see_event(self, expected: Any) -> object:
        """Return *expected* where such an Event was told of the Service, else all that were."""
        reasons = [one.reason.value for name, one in self.news if name == self._subject()]
        wanted = [str(one) for one in listed(expected)]
        if expected in (None, "none"):
            return reasons[0] if reasons else expected
        return expected if set(wanted) <= set(reasons) else reasons

    def see_annotations(self, expected: Mapping[str, str]) -> object:
        """Return annotations of the document; ours have a prefix of our own for MetalLB's."""
        noted = self._documents[self._only]["metadata"]["annotations"]
        return {
            key: self.original(noted.get(key, noted.get(f"bgpd.io/{key.partition('/')[2]}")))
            for key in expected
        }

    def see_mutation(self, expected: str) -> object:
        """Return `none` where no document was written, else which were."""
        if expected != "none":
            raise InexpressibleError(f"mutation {expected!r} is not `none`")
        return self.written or "none"

    def see_sync(self, expected: str) -> object:
        """Return how the last step ended: `success`, `no_retry`, `reprocess_all` or `error`."""
        del expected
        return list(self._syncs.values())[-1]

    def see_set_pools_sync(self, expected: str) -> object:
        """Return how the pools were taken."""
        del expected
        return self._syncs.get("set_pools_sync")

    def see_converge_sync(self, expected: str) -> object:
        """Return how the Service was taken."""
        del expected
        return self._syncs.get("converge_sync")

    def _sync(self, decided: list[Decision]) -> str:
        if self.books.failures or self.books.due(self.now) is not None:
            return "error"
        subject = [one for one in decided if one.request.name == self._subject()]
        if len({one.request.name for one in decided}) > 1 and any(one.freed for one in decided):
            return "reprocess_all"
        if self._subject() in {key.partition("/")[2] for key in self.books.pending}:
            return "no_retry"
        return "success" if subject or decided else "no_retry"

    def see_freed(self, expected: list[str]) -> object:
        """Return the addresses that a Service had, and that can be given to another one now."""
        del expected
        now = {one for name in self._documents for one in self.ingress(name)}
        held = {str(a) for r in self.books.requests() for a in self._holds(r.key)}
        before = {one for has in self._before.values() for one in has}
        return sorted(before - now - held)

    def _holds(self, key: str) -> tuple[Address, ...]:
        return self.books.allocator.addresses_of(key)

    def see_key(self, expected: str) -> object:
        """Return the sharing key."""
        del expected
        return self._key
