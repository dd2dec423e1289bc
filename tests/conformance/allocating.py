"""An allocator, and what a case does to it."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from bgpd.allocator import Allocator, Assigned, Outcome, Refused
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Address, parse_address
from tests.conformance.asking import FAMILIES, AskingRoom, namespaces_of, request_of
from tests.conformance.room import Fields, InexpressibleError, listed
from tests.conformance.selector import selector


class AllocatingRoom(AskingRoom):
    """An allocator, and the Services that it was told of."""

    def begin(self) -> None:
        """Set the pools, and give the addresses that are given away already."""
        given = self.given
        self._policy = given.take("policy")
        service = given.map("service")
        self._about = dict(service.items())
        self._named = self._about.pop("name", None)
        self._namespaces = given.take("namespaces") or {}
        self._given = self._given_pools()
        self.now = 1000.0
        self.touched: list[str] = []
        """The Services of the steps."""
        self.released: list[tuple[Address, ...]] = []
        self.used: list[dict[str, int]] = []
        self.changed: list[bool] = []
        self._known: dict[str, str] = {}
        self._history = {
            key: given.take(key) or {}
            for key in ("allocated", "shared", "exhausted", "exhausted_v6")
        }
        self._start({})

    def _given_pools(self) -> dict[str, Any]:
        given = self.given
        if "pool" not in given:
            return dict(given.take("pools") or {})
        one = dict(given.take("pool") or {})
        return {one.pop("name", "pool"): one}

    def _start(self, more: Mapping[str, Any]) -> None:
        """Make the allocator of `given`; every pool has the fields *more*, too."""
        self.allocator = Allocator()
        self._known = {}
        self.pools = self.read_pools(self._given, "given.pools", **more)
        self._before_pools = list(self.pools)
        lazily = [step for step in self.case.steps if step.get("op") == "set_pools"]
        if len(self.case.steps) == 1 and lazily and "pools" not in lazily[0]:
            return
        self._set(self.pools)
        self._give()
        self._last = self._counts()

    def _set(self, pools: Sequence[IPAddressPool]) -> None:
        self.pools = list(pools)
        names = {self._about.get("namespace") or "default", "default"}
        self.allocator.set_pools(pools, namespaces_of(self._namespaces, names))

    def _give(self) -> None:
        for name, one in self._history["allocated"].items():
            fields = Fields(one if isinstance(one, dict) else {"ips": one}, f"allocated.{name}")
            ips = fields.need("ips")
            more = Fields(fields.rest() | self._admitted(name, self._owner(ips[0])), fields.place)
            self._must(self._assign(name, ips, more), f"given.allocated.{name}")
        if self._history["shared"]:
            self._share(Fields(self._history["shared"], "given.shared"))
        for key, family in (("exhausted", "IPv4"), ("exhausted_v6", "IPv6")):
            for pool, names in self._history[key].items():
                for name in names:
                    fields = Fields(self._admitted(name, pool), f"given.{key}")
                    request = self._request(name, fields, family)
                    answer = self.allocator.allocate(
                        request, FAMILIES[family], self.now, pool=self.plain(pool)
                    )
                    self._must(answer, f"given.{key}.{pool}")
                if getattr(
                    self.allocator.counters(self.plain(pool)), f"available_{family.lower()}"
                ):
                    raise InexpressibleError(f"given.{key}.{pool} is not exhausted")

    def _admitted(self, name: str, pool: str | None) -> dict[str, Any]:
        """Return namespace and labels for a Service that has addresses of *pool* already.

        A case says nothing of them where they do not matter; such a Service may have them.
        """
        chosen = (self._given.get(pool or "") or {}).get("serviceAllocation") or {}
        if name == self._named:
            return {}
        found: dict[str, Any] = {}
        for one in listed(chosen.get("serviceSelectors"))[:1]:
            found["labels"] = selector(one).get("matchLabels", {})
        for one in listed(chosen.get("namespaces"))[:1]:
            found["namespace"] = one
        for one in listed(chosen.get("namespaceSelectors"))[:1]:
            labels = selector(one).get("matchLabels", {})
            fits = [
                n for n, has in self._namespaces.items() if labels.items() <= (has or {}).items()
            ]
            found["namespace"] = next(iter(fits), "default")
        return found

    def _share(self, shared: Fields) -> None:
        ip, key, backend = shared.need("ip"), shared.take("key"), shared.take("backend")
        for name, ports in shared.need("users").items():
            fields = {"ports": ports, "sharing_key": key, "backend_key": backend}
            answer = self._assign(name, [ip], Fields(fields, f"shared.{name}"))
            self._must(answer, "given.shared")
        shared.end()

    def _must(self, answer: Outcome, place: str) -> None:
        if not isinstance(answer, Assigned):
            raise InexpressibleError(f"{place} cannot be: {answer.sentence}")

    def _request(self, name: str, fields: Fields, family: str = "IPv4") -> ServiceRequest:
        about = dict(self._about) if self._named in (None, name) else {}
        ips = {"IPv4": ["10.96.0.1"], "IPv6": ["fd00::1"], "DualStack": ["10.96.0.1", "fd00::1"]}
        about.setdefault("clusterIPs", ips[family])
        if self._policy is not None:
            about.setdefault("policy", self._policy)
        fields = Fields(about | fields.rest(), f"service {name}")
        document = self.service(name, fields)
        request = request_of(document)
        self._known[name] = request.key
        return request

    def _assign(self, name: str, ips: Any, fields: Fields) -> Outcome:
        try:
            addresses = [parse_address(str(one)) for one in listed(ips)]
        except ConfigError as error:
            fields.rest()
            return Refused(why=str(error))
        return self.allocator.assign(self._request(name, fields), addresses, self.now)

    # What happens

    def op_assign(self, step: Fields) -> None:
        """Ask for addresses by name."""
        name, ips = step.need("svc"), step.need("ips")
        self._watch(name, lambda: self._assign(name, ips, step))

    def op_allocate(self, step: Fields) -> None:
        """Ask for any address."""
        self._allocate(step, None)

    def op_allocate_from_pool(self, step: Fields) -> None:
        """Ask for any address of one pool."""
        self._allocate(step, self.plain(step.need("pool")))

    def _allocate(self, step: Fields, pool: str | None) -> None:
        family = step.take("family", "IPv4")
        if family not in FAMILIES:
            raise InexpressibleError(f"family {family!r} is none of {', '.join(FAMILIES)}")
        names = [*listed(step.take("svcs")), *listed(step.take("svc"))]
        rest = step.rest()
        for name in names:
            request = self._request(name, Fields(rest, "action"), family)
            self._watch(
                name,
                lambda request=request: self.allocator.allocate(
                    request, FAMILIES[family], self.now, pool=pool
                ),
            )

    def op_unassign(self, step: Fields) -> None:
        """Take everything back from a Service, or from several."""
        for name in [*listed(step.take("svcs")), *listed(step.take("svc"))]:
            key = self._known.get(name, f"default/{name}")
            self.allocator.release(key, self.now)
            self.ok()
            self._note()

    def op_set_pools(self, step: Fields) -> None:
        """Replace the pools; a step without any sets those of `given` for the first time."""
        pools = step.take("pools")
        before = self._counts()
        self._set(self.pools if pools is None else self.read_pools(pools, "action.pools"))
        self.ok()
        self._note(before)

    def op_count(self, step: Fields) -> None:
        """Look at how many addresses the pool has."""

    def op_any(self, _step: Fields) -> None:
        """Make one call of each kind that succeeds, and one that is refused."""
        self._frozen = repr(self.pools)
        first = next(iter(self.pools))
        request = self._request(
            "any", Fields(self._admitted("any", self.original(first.name)), "any")
        )
        found = self.allocator.allocate(request, FAMILIES["IPv4"], self.now, pool=first.name)
        self._must(found, "a call")
        if isinstance(self.allocator.assign(request, [Address("0.0.0.1")], self.now), Assigned):
            raise InexpressibleError("an address that is in no pool was given")
        self.allocator.release(request.key, self.now)
        self.allocator.set_pools(self.pools[1:], [])

    def _watch(self, name: str, call: Any) -> None:
        before = self._counts()
        answer: Outcome = call()
        self.touched.append(name)
        if isinstance(answer, Assigned):
            self.ok()
        else:
            self.error(answer.sentence)
        self._note(before)

    def _counts(self) -> dict[str, Any]:
        names = {one.name for one in (*self._before_pools, *self.pools)}
        return {name: self.allocator.counters(name) for name in sorted(names)}

    def _note(self, before: Mapping[str, Any] | None = None) -> None:
        counts = self._counts()
        self.used.append({n: c.assigned_ipv4 + c.assigned_ipv6 for n, c in counts.items()})
        self.changed.append(counts != (before if before is not None else self._last))
        self._last = counts

    def addresses(self, name: str) -> list[str]:
        """Return what a Service has."""
        key = self._known.get(name, f"default/{name}")
        return [str(one) for one in self.allocator.addresses_of(key)]

    def given_now(self) -> list[str]:
        """Return the addresses of all Services of the steps."""
        return [one for name in dict.fromkeys(self.touched) for one in self.addresses(name)]

    def _owner(self, address: str) -> str | None:
        number = ipaddress.ip_address(address)
        found = (p for p in self.pools for b in p.prefixes if number in ipaddress.ip_network(b))
        return self.original(next((one.name for one in found), None))
