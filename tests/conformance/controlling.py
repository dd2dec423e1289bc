"""Areas `controller`, `dualstack` and `sharing`, as far as a controller looks at Services."""

from collections.abc import Mapping
from typing import Any

from bgpd.controller.converge import Decision
from bgpd.kube.vanish import SETTLE
from bgpd.model.prefix import Address, family_of
from tests.conformance.asking import WORD, request_of
from tests.conformance.managed import NOTED, ONLY, ManagedRoom
from tests.conformance.room import (
    Fields,
    InexpressibleError,
    distinct,
    in_order,
    listed,
    word,
)


class ControllerRoom(ManagedRoom):
    """Services that come, change and go, and pools that do."""

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
        noted = {key: one for key, one in old["annotations"].items() if NOTED in key}
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

    op_unassign = op_release = op_remove = op_delete

    def op_set_pools(self, step: Fields) -> None:
        """Replace the pools; a step without any sets those of `given` for the first time."""
        begun = len(self.decided)
        self._configure(step.take("pools", self._pools))
        self._decide_all()
        # What a pool loses may be another one's in a moment: so long nobody moves.
        self.now += SETTLE
        if "converge" not in self._left[1:]:
            self._settle()
        self.ok()
        self._done("set_pools", begun)
        again = {one.request.name for one in self.decided[begun:]}
        if again >= self._documents.keys():
            self._syncs["set_pools_sync"] = "reprocess_all"

    def op_read_sharing_key(self, _step: Fields) -> None:
        """Read the key off the Service's annotations."""
        self._key = request_of(self.service(ONLY, Fields(self._fields[ONLY], "given"))).sharing_key

    # What is seen

    def see_ingress(self, expected: Any) -> object:
        """Return the addresses of the only Service, or of each by name."""
        if isinstance(expected, Mapping):
            return {name: self.ingress(name) for name in expected}
        return self.ingress(self._only)

    def see_ingress_after(self, _expected: list[Any]) -> object:
        """Return the addresses of the only Service after each step."""
        if len(self._fields) != 1:
            raise InexpressibleError("there is more than one Service")
        return [one[0] for one in self.after]

    def see_same_ip(self, expected: list[str]) -> object:
        """Return all Services that have the address of the first."""
        first = self.ingress(expected[0])
        sharing = [name for name in self._documents if first and self.ingress(name) == first]
        return in_order(sharing, expected)

    def see_ip_in(self, expected: list[str]) -> object:
        """Return *expected* where it holds every address of the Service."""
        found = self.ingress(self._last)
        self.must_be_had(expected, lambda one: self._owner(str(one)))
        holds = bool(found) and set(found) <= set(expected) and distinct(expected)
        return expected if holds else found

    def see_ip_in_pools(self, expected: list[str]) -> object:
        """Return *expected* where the Service's addresses are of one of these pools."""
        self.must_be_had(expected, self._pools.__contains__)
        found = self.see_pool(None)
        return expected if found in expected and distinct(expected) else found

    def see_pool(self, expected: Any) -> object:
        """Return the pool of the last Service's addresses, or of each Service's by name."""
        if isinstance(expected, Mapping):
            return {name: self._pool_of(name) for name in expected}
        return self._pool_of(self._last)

    def _pool_of(self, name: str) -> str | None:
        if name not in self._documents:
            return None
        return self.original(self.books.allocator.pool_of(request_of(self._documents[name]).key))

    see_assigned = see_ingress

    def see_distinct(self, _expected: bool) -> object:
        """Return whether no address is in the status of two Services."""
        found = [one for name in self._documents for one in self.ingress(name)]
        return bool(found) and len(found) == len(set(found))

    def see_families(self, _expected: list[str]) -> object:
        """Return the families of the only Service's addresses."""
        return [WORD[family_of(Address(one))] for one in self.ingress(self._only)]

    def see_warning(self, _expected: bool) -> object:
        """Return whether an Event of type Warning was told of the Service."""
        return any(one.warning for name, one in self.news if name == self._last)

    def see_event(self, expected: Any) -> object:
        """Return *expected* where such an Event was told of the Service, else all that were."""
        reasons = [one.reason.value for name, one in self.news if name == self._last]
        if expected in (None, "none"):
            return reasons or expected
        told = {word(one).replace("_", "") for one in reasons}
        wanted = {word(one).replace("_", "") for one in listed(expected)}
        return expected if wanted and wanted <= told else reasons

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

    def see_sync(self, _expected: str) -> object:
        """Return how the last step ended: `success`, `no_retry`, `reprocess_all` or `error`."""
        return list(self._syncs.values())[-1]

    def see_set_pools_sync(self, _expected: str) -> object:
        """Return how the pools were taken."""
        return self._syncs.get("set_pools_sync")

    def see_converge_sync(self, _expected: str) -> object:
        """Return how the Service was taken."""
        return self._syncs.get("converge_sync")

    def _sync(self, decided: list[Decision]) -> str:
        if self.books.failures or self.books.due(self.now) is not None:
            return "error"
        before = self.after[-2] if len(self.after) > 1 else list(self._before.values())
        had = dict(zip(self._fields, before, strict=False)).get(self._last)
        if had and not self.ingress(self._last):
            return "reprocess_all"
        if self._last in {key.partition("/")[2] for key in self.books.pending}:
            return "no_retry"
        return "success" if decided else "no_retry"

    def see_freed(self, _expected: list[str]) -> object:
        """Return the addresses that a Service had, and that can be given to another one now."""
        now = {one for name in self._documents for one in self.ingress(name)}
        held = {str(a) for r in self.books.requests() for a in self._holds(r.key)}
        before = {one for has in self._before.values() for one in has}
        return sorted(before - now - held)

    def _holds(self, key: str) -> tuple[Address, ...]:
        return self.books.allocator.addresses_of(key)

    def see_key(self, _expected: str) -> object:
        """Return the sharing key."""
        return self._key
