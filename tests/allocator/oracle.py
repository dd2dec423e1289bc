"""The allocator's rules once more, by looking at every address: slow, short, and without state."""

import ipaddress
from dataclasses import dataclass, field, replace

from bgpd.model.allocation import FamilyPolicy, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family, family_of
from bgpd.model.selector import matches_any


@dataclass(slots=True)
class World:
    """What is in force: pools, who has what, and what was released when by whom."""

    pools: dict[str, IPAddressPool] = field(default_factory=dict)
    held: dict[str, tuple[ServiceRequest, tuple[Address, ...]]] = field(default_factory=dict)
    released: dict[Address, tuple[str, float]] = field(default_factory=dict)
    lost: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    """What Services had that may not keep it and have not moved."""

    def pool_of(self, address: Address) -> str | None:
        """Return the pool that gives *address*."""
        return next((name for name in self.pools if address in self.given_by(name)), None)

    def given_by(self, name: str) -> list[Address]:
        """Return all addresses of a pool, in the order in which they are given."""
        pool = self.pools[name]
        every = [
            Address(str(one)) for prefix in pool.prefixes for one in ipaddress.ip_network(prefix)
        ]
        return [one for one in every if not (pool.avoid_buggy_ips and one.endswith((".0", ".255")))]

    def reserved(self, name: str, address: Address) -> bool:
        """Return whether a pool gives *address* to nobody new."""
        return any(
            ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
            for prefix in self.pools[name].reserved
        )

    def admits(self, name: str, request: ServiceRequest) -> bool:
        """Return whether a pool is for a Service."""
        rule = self.pools[name].allocation
        return rule is None or (
            (not rule.namespaces or request.namespace in rule.namespaces)
            and matches_any(rule.service_selectors, request.labels)
        )

    def users(self, address: Address) -> list[ServiceRequest]:
        """Return the Services that have *address*."""
        return [request for request, addresses in self.held.values() if address in addresses]

    def waits(self, address: Address, now: float) -> bool:
        """Return whether *address* was released too short a time ago, or lost."""
        name = self.pool_of(address)
        if name is None or self.reserved(name, address) or self.users(address):
            return False
        return bool(self.losers(address)) or (
            address in self.released
            and self.released[address][1] + self.pools[name].reuse_delay > now
        )

    def losers(self, address: Address) -> list[str]:
        """Return who had *address*, may not keep it, and has not moved."""
        return [key for key, addresses in self.lost.items() if address in addresses]

    def free_for(self, request: ServiceRequest, address: Address, now: float) -> bool:
        """Return whether *request* may have *address*, as far as others have a say."""
        if self.waits(address, now) and request.key not in (
            self.losers(address) or self.released[address][:1]
        ):
            return False
        others = [user for user in self.users(address) if user.key != request.key]
        return all(compatible(request, user) for user in others)

    def may_assign(
        self, request: ServiceRequest, addresses: tuple[Address, ...], now: float
    ) -> bool:
        """Return whether *request* may have exactly *addresses*."""
        owners = {self.pool_of(address) for address in addresses}
        name = next(iter(owners), None)
        if name is None or len(owners) != 1 or not self.admits(name, request):
            return False
        mine = self.held.get(request.key, (request, ()))[1]
        return len({family_of(one) for one in addresses}) == len(addresses) and all(
            self.free_for(request, one, now) and (one in mine or not self.reserved(name, one))
            for one in addresses
        )

    def first(
        self, name: str, request: ServiceRequest, families: tuple[Family, ...], now: float
    ) -> tuple[Address, ...]:
        """Return the first usable address of each of *families* in a pool, as far as there is."""
        found = []
        for family in sorted(families):
            for address in self.given_by(name):
                if (
                    family_of(address) is family
                    and not self.reserved(name, address)
                    and self.free_for(request, address, now)
                ):
                    found.append(address)
                    break
        return tuple(found)

    def choose(
        self,
        tier: list[str],
        request: ServiceRequest,
        families: tuple[Family, ...],
        now: float,
    ) -> tuple[Address, ...] | None:
        """Return what *request* gets of the pools *tier*."""
        offers = [self.first(name, request, families, now) for name in tier]
        for offer in offers:
            if len(offer) == len(families):
                return offer
        if request.family_policy is FamilyPolicy.PREFER_DUAL_STACK:
            for family in families:
                for offer in offers:
                    for address in offer:
                        if family_of(address) is family:
                            return (address,)
        return None

    def allocate(
        self, request: ServiceRequest, families: tuple[Family, ...], pool: str | None, now: float
    ) -> tuple[Address, ...] | None:
        """Return what *request* gets, or None."""
        mine = self.held.get(request.key, (request, ()))[1]
        if any(family_of(address) not in families for address in mine):
            return None
        if mine and pool in {None, self.pool_of(mine[0])}:
            return self._complete(request, mine, families, now)
        fitting = [name for name in self.pools if self.admits(name, request)]
        if pool is not None:
            tiers = [[name for name in fitting if name == pool]]
        else:
            automatic = [name for name in fitting if self.pools[name].auto_assign]
            pinned = [name for name in automatic if self.pools[name].allocation is not None]
            pinned.sort(key=lambda name: (self._priority(name), name))
            tiers = [pinned, sorted(set(automatic) - set(pinned))]
        chosen = (self.choose(tier, request, families, now) for tier in tiers)
        return next((one for one in chosen if one is not None), None)

    def put(self, request: ServiceRequest, addresses: tuple[Address, ...], now: float) -> None:
        """Write down what *request* has."""
        self.take_back(request.key, now, keeping=addresses)
        self.held[request.key] = (replace(request), addresses)
        for address in addresses:
            self.released.pop(address, None)

    def take_back(self, key: str, now: float, keeping: tuple[Address, ...] = ()) -> None:
        """Write down that *key* has nothing."""
        addresses = (*self.held.pop(key, (None, ()))[1], *self.lost.pop(key, ()))
        for address in addresses:
            unused = not self.users(address) and not self.losers(address)
            if unused and address not in keeping:
                self.released[address] = (key, now)

    def lose(self, key: str) -> None:
        """Write down that *key* may not keep what it has."""
        self.lost[key] = self.held.pop(key)[1]

    def _complete(
        self,
        request: ServiceRequest,
        mine: tuple[Address, ...],
        families: tuple[Family, ...],
        now: float,
    ) -> tuple[Address, ...] | None:
        if not self.may_assign(request, mine, now):
            return None
        missing = tuple(
            one for one in families if all(family_of(address) is not one for address in mine)
        )
        added = self.first(str(self.pool_of(mine[0])), request, missing, now)
        if missing and not added and request.family_policy is not FamilyPolicy.PREFER_DUAL_STACK:
            return None
        return (*mine, *added)

    def _priority(self, name: str) -> float:
        rule = self.pools[name].allocation
        return rule.priority if rule is not None and rule.priority else float("inf")


def compatible(one: ServiceRequest, other: ServiceRequest) -> bool:
    """Return whether two Services may be on one address."""
    return (
        bool(one.sharing_key)
        and (one.sharing_key, one.backend) == (other.sharing_key, other.backend)
        and one.ports.isdisjoint(other.ports)
    )
