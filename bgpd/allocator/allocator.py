"""Give each Service its addresses, and never one address to two that may not share it.

Everything is decided from what was said by calls, so two allocators that heard the same pools and
the same assignments decide alike. A call that is refused changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.allocator import sentences
from bgpd.allocator.eligibility import Eligibility, chooses
from bgpd.allocator.layout import Layout, number_of
from bgpd.allocator.outcome import (
    MOST,
    Assigned,
    Capacity,
    Counters,
    Outcome,
    Refused,
    Tried,
)
from bgpd.allocator.ownership import Ownership
from bgpd.allocator.sharing import Ports, Share, share_of
from bgpd.allocator.stock import Stock
from bgpd.model.allocation import FamilyPolicy, Namespace, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family, family_of

_ORDER: Final = (Family.IPV4, Family.IPV6)
"""In which order a Service's addresses stand in its status, as with MetalLB."""

_Stocks: TypeAlias = dict[Family, Stock]
_Picks: TypeAlias = list[tuple[Family, int]]
"""An ordinal for each family."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One address that a Service has."""

    family: Family
    ordinal: int
    address: Address


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a Service has, and what it said when it got it."""

    pool: str
    places: tuple[_Place, ...]
    share: Share | None
    ports: Ports
    namespace: str
    labels: Mapping[str, str]

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(place.address for place in self.places)

    def has(self, family: Family, ordinal: int) -> bool:
        return any(place.family is family and place.ordinal == ordinal for place in self.places)


class Allocator:
    """Which Service has which addresses of which pool.

    Tell it the pools, then `assign` to every Service what its status says, and only then
    `allocate` for those that have nothing: so a restart takes no address away from anybody.
    *now* is a monotonic clock in seconds, the same for all calls.
    """

    def __init__(self) -> None:
        self._pools: dict[str, IPAddressPool] = {}
        self._stocks: dict[str, _Stocks] = {}
        self._eligibility = Eligibility((), ())
        self._ownership = Ownership(())
        self._holdings: dict[str, _Holding] = {}

    def set_pools(
        self, pools: Iterable[IPAddressPool], namespaces: Iterable[Namespace]
    ) -> frozenset[str]:
        """Use *pools*, and return the keys of the Services that lost their addresses by it.

        An address stays with its Service wherever its pool still is, by whatever name. It is lost
        where no pool has it any more, where a Service's two addresses are of two pools now, or
        where the pool has become one that the Service may not use. Allocate anew for those that
        are returned. *namespaces* are all that exist: call this only once they are known, because
        a selector that chooses none of them excludes everybody.
        """
        by_name = {pool.name: pool for pool in sorted(pools, key=lambda one: one.name)}
        eligibility = Eligibility(by_name.values(), namespaces)
        if by_name == self._pools and eligibility.chosen == self._eligibility.chosen:
            return frozenset()
        before, holdings = self._stocks, self._holdings
        self._pools, self._eligibility = by_name, eligibility
        self._ownership = Ownership(by_name.values())
        self._stocks = {name: _stocks_of(pool) for name, pool in by_name.items()}
        self._holdings = {}
        lost = {key: held for key, held in sorted(holdings.items()) if not self._keep(key, held)}
        self._carry_waits(before, lost)
        return frozenset(lost)

    def assign(self, request: ServiceRequest, addresses: Sequence[Address], now: float) -> Outcome:
        """Give *request* exactly *addresses*, or refuse and leave it what it has.

        This is how a Service gets the addresses that it asks for, and how it gets back, after a
        restart, those that its status says it has.
        """
        key = request.key
        if not addresses or len({family_of(one) for one in addresses}) != len(addresses):
            return Refused(why=sentences.bad_addresses(key, addresses))
        found = self._find(request, addresses)
        if isinstance(found, Refused):
            return found
        pool, places = found
        self._settle(pool.name, now)
        for place in places:
            why = self._obstacle(request, pool, place, now)
            if why is not None:
                return Refused(why=why)
        return self._hold(request, pool.name, places, now)

    def allocate(
        self,
        request: ServiceRequest,
        families: Sequence[Family],
        now: float,
        *,
        pool: str | None = None,
    ) -> Outcome:
        """Give *request* an address of each of *families* from one pool, the first being primary.

        From the pool that is named, here or by the Service's annotation; else from the first that
        has room, in the order of `bgpd.allocator.eligibility`. A Service that prefers two families
        gets one where no pool has both. One that has addresses keeps them: what it lacks is added
        from the same pool; and a pool that is named moves it as a whole, or not at all.
        """
        wanted = tuple(family for family in _ORDER if family in families)
        if not wanted or len(wanted) != len(families):
            return Refused(why=sentences.no_families(request.key))
        named = pool or request.pool_wanted
        held = self._holdings.get(request.key)
        if held is not None:
            if any(place.family not in wanted for place in held.places):
                return Refused(why=sentences.other_families(request.key, held.addresses, wanted))
            if not named or named == held.pool:
                return self._complete(request, held, wanted, now)
        if named:
            return self._allocate_named(request, named, families, now)
        return self._allocate_anywhere(request, families, now)

    def release(self, key: str, now: float) -> bool:
        """Take back all addresses of the Service *key*; return whether it had any."""
        held = self._holdings.pop(key, None)
        if held is None:
            return False
        self._leave(key, held, keeping=(), now=now)
        return True

    def pool_of(self, key: str) -> str | None:
        """Return the pool of which the Service *key* has addresses, or None."""
        held = self._holdings.get(key)
        return None if held is None else held.pool

    def addresses_of(self, key: str) -> tuple[Address, ...]:
        """Return the addresses of the Service *key*."""
        held = self._holdings.get(key)
        return () if held is None else held.addresses

    def services_of(self, pool: str) -> int:
        """Return how many Services have addresses of *pool*."""
        return sum(held.pool == pool for held in self._holdings.values())

    def counters(self, pool: str) -> Counters:
        """Return the numbers of the status of *pool*: all zero for one that does not exist."""
        stocks = self._stocks.get(pool, {})
        ipv4, ipv6 = stocks.get(Family.IPV4), stocks.get(Family.IPV6)
        return Counters(
            assigned_ipv4=ipv4.assigned if ipv4 else 0,
            assigned_ipv6=ipv6.assigned if ipv6 else 0,
            available_ipv4=ipv4.available if ipv4 else 0,
            available_ipv6=ipv6.available if ipv6 else 0,
        )

    def capacity(self, pool: str) -> Capacity:
        """Return how many addresses *pool* can give: zero for one that does not exist."""
        counts = {
            family: stock.layout.count for family, stock in self._stocks.get(pool, {}).items()
        }
        return Capacity(
            total=min(MOST, sum(counts.values())),
            ipv4=counts.get(Family.IPV4, 0),
            ipv6=counts.get(Family.IPV6, 0),
        )

    def due(self, now: float) -> float | None:
        """Return when the next released address can be given again; None if none waits."""
        found: float | None = None
        for name, stocks in self._stocks.items():
            self._settle(name, now)
            for stock in stocks.values():
                due = stock.due()
                found = due if found is None or (due is not None and due < found) else found
        return found

    def _allocate_named(
        self, request: ServiceRequest, name: str, families: Sequence[Family], now: float
    ) -> Outcome:
        pool = self._pools.get(name)
        if pool is None:
            return Refused(why=sentences.unknown_pool(request.key, name, self._pools))
        why = self._eligibility.barred(pool, request)
        if why is None:
            found = self._search((pool,), request, families, now)
            if found is not None:
                return self._take(request, *found, now=now)
            why = self._lacking(pool, request, families, now)
        return Refused(
            why=sentences.nothing_fits(request.key, families), tried=(Tried(pool=name, why=why),)
        )

    def _allocate_anywhere(
        self, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> Outcome:
        queue = self._eligibility.queue(request.namespace)
        for tier in (queue.pinned, queue.general):
            found = self._search(tier, request, families, now)
            if found is not None:
                return self._take(request, *found, now=now)
        if not self._pools:
            return Refused(why=sentences.no_pools(request.key))
        return Refused(
            why=sentences.nothing_fits(request.key, families),
            tried=self._tried(request, families, now),
        )

    def _search(
        self,
        tier: Iterable[IPAddressPool],
        request: ServiceRequest,
        families: Sequence[Family],
        now: float,
    ) -> tuple[str, _Picks] | None:
        """Return the first pool of *tier* that has all that is wanted, and which addresses.

        For a Service that prefers two families and finds them nowhere: the first that has the
        primary family, else the first that has the other.
        """
        prefer = request.family_policy is FamilyPolicy.PREFER_DUAL_STACK
        second_best: dict[Family, tuple[str, _Picks]] = {}
        for pool in tier:
            if not chooses(pool, request.labels):
                continue
            picks = self._pick(pool.name, request, families, now)
            if len(picks) == len(families):
                return pool.name, picks
            if prefer:
                for pick in picks:
                    second_best.setdefault(pick[0], (pool.name, [pick]))
        return next((second_best[one] for one in families if one in second_best), None)

    def _pick(
        self, pool: str, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> _Picks:
        """Return the first usable address of *pool* for each of *families* that has one."""
        key, share, ports = request.key, share_of(request), request.ports
        picks: _Picks = []
        stocks = self._stocks[pool]
        for family in _ORDER:
            stock = stocks.get(family) if family in families else None
            if stock is None:
                continue
            stock.settle(now)
            ordinal = stock.first_for(key, share, ports)
            if ordinal is not None:
                picks.append((family, ordinal))
        return picks

    def _complete(
        self,
        request: ServiceRequest,
        held: _Holding,
        wanted: Sequence[Family],
        now: float,
    ) -> Outcome:
        """Confirm what *request* has, and add the family that it lacks from the same pool."""
        kept = self.assign(request, held.addresses, now)
        missing = [one for one in wanted if all(place.family is not one for place in held.places)]
        if isinstance(kept, Refused) or not missing:
            return kept
        picks = self._pick(held.pool, request, missing, now)
        if picks:
            return self._take(request, held.pool, picks, now=now, beside=held.places)
        if request.family_policy is FamilyPolicy.PREFER_DUAL_STACK:
            return kept
        why = self._lacking(self._pools[held.pool], request, missing, now)
        return Refused(
            why=sentences.nothing_fits(request.key, wanted),
            tried=(Tried(pool=held.pool, why=why),),
        )

    def _take(
        self,
        request: ServiceRequest,
        pool: str,
        picks: _Picks,
        *,
        now: float,
        beside: tuple[_Place, ...] = (),
    ) -> Assigned:
        stocks = self._stocks[pool]
        added = tuple(
            _Place(family, ordinal, stocks[family].layout.address_at(ordinal))
            for family, ordinal in picks
        )
        return self._hold(request, pool, (*beside, *added), now)

    def _hold(
        self, request: ServiceRequest, pool: str, places: tuple[_Place, ...], now: float
    ) -> Assigned:
        """Write down that *request* has *places* of *pool*, and no others."""
        key = request.key
        holding = _Holding(
            pool, places, share_of(request), request.ports, request.namespace, request.labels
        )
        old = self._holdings.get(key)
        if old is not None:
            self._leave(key, old, keeping=places if old.pool == pool else (), now=now)
        self._holdings[key] = holding
        stocks = self._stocks[pool]
        for place in places:
            stocks[place.family].take(place.ordinal, key, holding.share, holding.ports)
        return Assigned(pool=pool, addresses=holding.addresses)

    def _leave(self, key: str, held: _Holding, *, keeping: Sequence[_Place], now: float) -> None:
        """Take *key* off its places; those that it is not *keeping* wait to be reused."""
        stocks = self._stocks[held.pool]
        for place in held.places:
            free = stocks[place.family].leave(place.ordinal, key, held.ports)
            if free and place not in keeping:
                stocks[place.family].wait(place.ordinal, key, now)

    def _find(
        self, request: ServiceRequest, addresses: Sequence[Address]
    ) -> tuple[IPAddressPool, tuple[_Place, ...]] | Refused:
        """Return the one pool that has all *addresses* and is for *request*, or why none is."""
        key = request.key
        owners: list[str] = []
        places: list[_Place] = []
        for address in addresses:
            family, number = family_of(address), number_of(address)
            owner = self._ownership.owner(family, number)
            if owner is None:
                return Refused(why=sentences.in_no_pool(key, address, self._pools))
            ordinal = self._stocks[owner][family].layout.ordinal_of(number)
            if ordinal is None:
                return Refused(why=sentences.avoided(key, address, owner))
            owners.append(owner)
            places.append(_Place(family, ordinal, address))
        if len(set(owners)) > 1:
            return Refused(why=sentences.two_pools(key, addresses, owners))
        pool = self._pools[owners[0]]
        if request.pool_wanted not in {"", pool.name}:
            return Refused(why=sentences.wrong_pool(key, pool.name, request.pool_wanted))
        why = self._eligibility.barred(pool, request)
        if why is not None:
            return Refused(why=f"Service {key}: {why}", tried=(Tried(pool=pool.name, why=why),))
        return pool, tuple(places)

    def _obstacle(
        self, request: ServiceRequest, pool: IPAddressPool, place: _Place, now: float
    ) -> str | None:
        """Return why *request* cannot have *place* of *pool*, or None."""
        key, address = request.key, place.address
        stock = self._stocks[pool.name][place.family]
        held = self._holdings.get(key)
        mine = held is not None and held.pool == pool.name and held.has(place.family, place.ordinal)
        if stock.layout.reserved(place.ordinal) and not mine and address not in request.ingress:
            return sentences.reserved(key, address, pool.name)
        wait = stock.wait_of(place.ordinal)
        if wait is not None and wait.owner != key:
            seconds = sentences.remaining(wait, stock.delay, now)
            return sentences.waits(key, address, pool.name, seconds)
        others = [user for user in stock.users(place.ordinal) if user != key]
        if not others:
            return None
        share = share_of(request)
        if share is None or share != stock.share(place.ordinal):
            return sentences.not_shared(key, address, others, asks=share is not None)
        own = held.ports if held is not None and mine else frozenset()
        clashes = stock.clashes(place.ordinal, request.ports, own=own)
        if clashes:
            words = [f"{port.protocol}/{port.number}" for port in clashes]
            using = [user for user in others if clashes & self._holdings[user].ports]
            return sentences.ports_clash(key, address, words, using)
        return None

    def _tried(
        self, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> tuple[Tried, ...]:
        """Return why each pool refused: first those that were asked, then those not for all."""
        queue = self._eligibility.queue(request.namespace)
        asked = (*queue.pinned, *queue.general)
        names = {pool.name for pool in asked}
        others = (pool for name, pool in self._pools.items() if name not in names)
        tried: list[Tried] = []
        for pool in (*asked, *others):
            why = self._eligibility.barred(pool, request)
            if why is None and pool.name not in names:
                why = sentences.not_automatic(pool)
            why = why or self._lacking(pool, request, families, now)
            tried.append(Tried(pool=pool.name, why=why))
        return tuple(tried)

    def _lacking(
        self, pool: IPAddressPool, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> str:
        has = {family for family, _ in self._pick(pool.name, request, families, now)}
        stocks = self._stocks[pool.name]
        return sentences.lacks(pool, [(one, stocks.get(one)) for one in families if one not in has])

    def _settle(self, pool: str, now: float) -> None:
        for stock in self._stocks[pool].values():
            stock.settle(now)

    def _keep(self, key: str, held: _Holding) -> bool:
        """Put *key* back where it was, in whatever pool that is now; return whether it could be."""
        owners: set[str] = set()
        places: list[_Place] = []
        for place in held.places:
            number = number_of(place.address)
            owner = self._ownership.owner(place.family, number)
            ordinal = (
                None
                if owner is None
                else self._stocks[owner][place.family].layout.ordinal_of(number)
            )
            if owner is None or ordinal is None:
                return False
            owners.add(owner)
            places.append(_Place(place.family, ordinal, place.address))
        if len(owners) > 1:
            return False
        pool = owners.pop()
        if not self._eligibility.admits(self._pools[pool], held.namespace, held.labels):
            return False
        self._holdings[key] = _Holding(
            pool, tuple(places), held.share, held.ports, held.namespace, held.labels
        )
        for place in places:
            self._stocks[pool][place.family].take(place.ordinal, key, held.share, held.ports)
        return True

    def _carry_waits(self, before: Mapping[str, _Stocks], lost: Mapping[str, _Holding]) -> None:
        """Let what was waiting go on, and what was lost but is still a pool's begin to."""
        waiting = sorted(
            (
                wait.since is None,
                wait.since or 0.0,
                family,
                stock.layout.number_at(wait.ordinal),
                wait.owner,
            )
            for stocks in before.values()
            for family, stock in stocks.items()
            for wait in stock.waits()
        )
        for unknown, since, family, number, owner in waiting:
            self._wait_again(family, number, owner, None if unknown else since)
        for key, held in lost.items():
            for place in held.places:
                self._wait_again(place.family, number_of(place.address), key, None)

    def _wait_again(self, family: Family, number: int, key: str, since: float | None) -> None:
        owner = self._ownership.owner(family, number)
        if owner is None:
            return
        stock = self._stocks[owner][family]
        ordinal = stock.layout.ordinal_of(number)
        if ordinal is not None and not stock.users(ordinal):
            stock.wait(ordinal, key, since)


def _stocks_of(pool: IPAddressPool) -> _Stocks:
    """Return the empty stocks of *pool*, one for each family that it has addresses of."""
    stocks: _Stocks = {}
    for family in sorted({family_of(prefix) for prefix in pool.prefixes}):
        layout = Layout(
            family, pool.prefixes, reserved=pool.reserved, avoid_buggy=pool.avoid_buggy_ips
        )
        stocks[family] = Stock(layout, delay=pool.reuse_delay)
    return stocks
