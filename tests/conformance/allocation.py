"""Areas `allocator`, `sharing` and `dualstack`, as far as they are calls of an allocator."""

import ipaddress
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, Final

from bgpd.allocator import MOST, Allocator, Assigned, Outcome
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Address, family_of, parse_address
from tests.conformance.asking import FAMILIES, WORD, AskingRoom, namespaces_of, request_of
from tests.conformance.room import Fields, InexpressibleError, distinct, in_order, listed
from tests.conformance.selector import selector

_DELAY: Final = 60


class AllocationRoom(AskingRoom):
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
            raise InexpressibleError(str(error)) from None
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

    # What is seen of Services

    def addresses(self, name: str) -> list[str]:
        """Return what a Service has."""
        key = self._known.get(name, f"default/{name}")
        return [str(one) for one in self.allocator.addresses_of(key)]

    def given_now(self) -> list[str]:
        """Return the addresses of all Services of the steps."""
        return [one for name in dict.fromkeys(self.touched) for one in self.addresses(name)]

    def see_assigned(self, expected: Mapping[str, Any]) -> object:
        """Return what each Service has."""
        return {name: self.addresses(name) for name in expected}

    def see_pool(self, expected: Mapping[str, Any]) -> object:
        """Return the pool of each Service's addresses."""
        return {name: self._pool_of(name) for name in expected}

    def _pool_of(self, name: str) -> str | None:
        return self.original(self.allocator.pool_of(self._known.get(name, f"default/{name}")))

    def see_distinct(self, _expected: bool) -> object:
        """Return whether no address was given twice, of those that the steps gave."""
        found = self._some()
        return len(found) == len(set(found))

    def _some(self) -> list[str]:
        found = self.given_now()
        if not found:
            raise InexpressibleError("no Service of the steps has an address")
        return found

    def see_ip_in(self, expected: list[str]) -> object:
        """Return *expected* where it holds every address; where none was left, exactly those."""
        found = self._some()
        self.must_be_had(expected, lambda one: self._owner(str(one)))
        full = "error" in self.results or len(found) == len(expected)
        holds = set(found) <= set(expected) and (not full or set(found) == set(expected))
        return expected if holds and distinct(expected) else found

    def see_ip_in_pools(self, expected: list[str]) -> object:
        """Return *expected* where each address is of one of these pools."""
        self.must_be_had(expected, self._given.__contains__)
        found = {self._owner(one) for one in self._some()}
        holds = found <= set(expected) and distinct(expected)
        return expected if holds else sorted(map(str, found))

    def _owner(self, address: str) -> str | None:
        number = ipaddress.ip_address(address)
        found = (p for p in self.pools for b in p.prefixes if number in ipaddress.ip_network(b))
        return self.original(next((one.name for one in found), None))

    def see_same_ip(self, expected: list[str]) -> object:
        """Return all Services that have the address of the first."""
        first = self.addresses(expected[0])
        sharing = [name for name in self._known if first and self.addresses(name) == first]
        return in_order(sharing, expected)

    def see_one_of_each_family(self, _expected: bool) -> object:
        """Return whether each Service that got something has one address of each family."""
        has = [self.addresses(name) for name in self.touched if self.addresses(name)]
        families = [sorted(WORD[family_of(Address(one))] for one in found) for found in has]
        return bool(families) and all(one == ["IPv4", "IPv6"] for one in families)

    def see_families(self, _expected: list[str]) -> object:
        """Return the families of what the Service of the last step has."""
        return [WORD[family_of(Address(one))] for one in self.addresses(self.touched[-1])]

    def see_same_pool_per_service(self, _expected: bool) -> object:
        """Return whether no Service has addresses of two pools."""
        self._some()
        return all(len({self._owner(one) for one in self.addresses(n)}) <= 1 for n in self.touched)

    # What is seen of pools

    def _only_pool(self) -> IPAddressPool:
        if len(self._before_pools) != 1:
            raise InexpressibleError("there is more than one pool")
        return self._before_pools[0]

    def _pool_given(self) -> dict[str, Any]:
        (found,) = self._given.values()
        return dict(found)

    def see_total(self, expected: Any) -> object:
        """Return how many addresses the pool has, in words of all orders of its blocks."""
        pool = self._only_pool()
        if expected != "saturates whatever the order":
            return self.allocator.capacity(pool.name).total
        blocks = listed(self._pool_given()["addresses"])
        totals = set()
        for order in permutations(blocks):
            given = {pool.name: {**self._pool_given(), "addresses": list(order)}}
            allocator = Allocator()
            allocator.set_pools(self.read_pools(given, "given.pool"), [])
            totals.add(allocator.capacity(pool.name).total)
        return expected if totals == {MOST} else sorted(totals)

    def see_v4(self, _expected: int) -> object:
        """Return how many IPv4 addresses the pool has."""
        return self.allocator.capacity(self._only_pool().name).ipv4

    def see_v6(self, _expected: int) -> object:
        """Return how many IPv6 addresses the pool has."""
        return self.allocator.capacity(self._only_pool().name).ipv6

    see_capacity = see_total

    def see_counters(self, expected: Mapping[str, Any]) -> object:
        """Return the numbers of the pool's status, or of several pools' by name."""
        if all(isinstance(one, Mapping) for one in expected.values()):
            return {name: self._status(self.plain(name), one) for name, one in expected.items()}
        return self._status(self._only_pool().name, expected)

    def _status(self, pool: str, wanted: Mapping[str, Any]) -> dict[str, int]:
        found = self.allocator.counters(pool)
        numbers = {
            "assignedIPv4": found.assigned_ipv4,
            "assignedIPv6": found.assigned_ipv6,
            "availableIPv4": found.available_ipv4,
            "availableIPv6": found.available_ipv6,
        }
        unknown = wanted.keys() - numbers.keys()
        if unknown:
            raise InexpressibleError(f"a pool has no counters {', '.join(sorted(unknown))}")
        return {key: numbers[key] for key in wanted}

    def see_in_use_after_each(self, _expected: list[Any]) -> object:
        """Return how many addresses were in use after each step."""
        pool = self._only_pool().name
        return [one[pool] for one in self.used]

    def see_change_notifications(self, _expected: int) -> object:
        """Return how often the numbers of a pool's status changed: then they are written."""
        return sum(self.changed)

    def see_notification_per_change(self, _expected: bool) -> object:
        """Return whether each step changed the numbers of a pool's status."""
        return bool(self.changed) and all(self.changed)

    def see_metrics_series_removed(self, _expected: list[str]) -> object:
        """Return the pools of before that have no numbers any more."""
        capacity = self.allocator.capacity
        names = [one.name for one in self._before_pools if not capacity(one.name).total]
        return [self.original(one) for one in names]

    def see_pools_object_unchanged(self, _expected: bool) -> object:
        """Return whether calls left the pools that they were given as they were."""
        return repr(self.pools) == self._frozen

    def see_configurable_reuse_delay(self, _expected: bool) -> object:
        """Return whether with `reuseDelay` a released address waits before it is given again.

        The steps run anew in pools that are no larger than what was released, and then later.
        """
        freed = [one for one in self._history["allocated"].values() for one in listed(one)]
        narrow = {"addresses": [f"{one}/{128 if ':' in str(one) else 32}" for one in freed]}
        self._start({**narrow, "reuseDelay": f"{_DELAY}s"})
        self._again()
        early = self.given_now()
        self.now += _DELAY + 1
        self._again()
        return not early and bool(self.given_now())

    def _again(self) -> None:
        results, said = list(self.results), list(self.said)
        self.touched.clear()
        self.act()
        self.results[:], self.said[:] = results, said
