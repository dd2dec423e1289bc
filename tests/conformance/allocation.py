"""Areas `allocator`, `sharing` and `dualstack`, as far as they are calls of an allocator."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any, Final

from bgpd.allocator import MOST, Allocator
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, family_of
from tests.conformance.allocating import AllocatingRoom
from tests.conformance.asking import WORD
from tests.conformance.room import InexpressibleError, distinct, in_order, listed

_DELAY: Final = 60


class AllocationRoom(AllocatingRoom):
    """What Services have, and what pools have left."""

    # What is seen of Services

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
