"""Give each Service its addresses, and never one address to two that may not share it.

Everything is decided from what was said by calls, so two allocators that heard the same pools and
the same assignments decide alike. A call that is refused changes nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from bgpd.allocator import sentences
from bgpd.allocator.eligibility import Eligibility, chooses
from bgpd.allocator.ledger import Holding, Ledger, Place
from bgpd.allocator.outcome import (
    MOST,
    Assigned,
    Capacity,
    Counters,
    Outcome,
    Refused,
    Tried,
)
from bgpd.allocator.sharing import share_of
from bgpd.model.allocation import FamilyPolicy, Namespace, ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family, family_of

_ORDER: Final = (Family.IPV4, Family.IPV6)
"""In which order the addresses of a new Service stand in its status, as with MetalLB."""

_Picks: TypeAlias = list[tuple[Family, int]]
"""An ordinal for each family."""


class Allocator:
    """Which Service has which addresses of which pool.

    Tell it the pools, then `assign` to every Service what its status says, and only then
    `allocate` for those that have nothing: so a restart takes no address away from anybody.
    *now* is a monotonic clock in seconds, the same for all calls.
    """

    def __init__(self) -> None:
        self._eligibility = Eligibility((), ())
        self._ledger = Ledger()
        self.changes = 0
        """How often the pools, or which namespaces they choose, really changed."""

    def set_pools(
        self, pools: Iterable[IPAddressPool], namespaces: Iterable[Namespace]
    ) -> frozenset[str]:
        """Use *pools*, and return the keys of the Services that lost their addresses by it.

        An address stays with its Service wherever its pool still is, by whatever name. It is lost
        where no pool has it any more, where a Service's two addresses are of two pools now, or
        where the pool has become one that the Service may not use. Those that are returned have
        nothing, and still nobody else is given what they had: their status says it, and routers
        have a route to it. Allocate for each anew, or release it, and the address is free.
        *namespaces* are all that exist: call this only once they are known, because
        a selector that chooses none of them excludes everybody. The pools must not overlap.
        """
        ledger = Ledger(pools)
        eligibility = Eligibility(ledger.pools.values(), namespaces)
        before = self._ledger
        if ledger.pools == before.pools and eligibility.chosen == self._eligibility.chosen:
            return frozenset()
        lost = ledger.inherit(
            before, lambda pool, held: eligibility.admits(pool, held.namespace, held.labels)
        )
        self._ledger, self._eligibility = ledger, eligibility
        self.changes += 1
        return lost

    def assign(self, request: ServiceRequest, addresses: Sequence[Address], now: float) -> Outcome:
        """Give *request* exactly *addresses*, or refuse and leave it what it has.

        This is how a Service gets the addresses that it asks for, and how it gets back, after a
        restart, those that its status says it has.
        """
        if not addresses or len({family_of(one) for one in addresses}) != len(addresses):
            return Refused(why=sentences.bad_addresses(request.key, addresses))
        located = self._located(request, addresses)
        if isinstance(located, Refused):
            return located
        pool, places = located
        why = self._barred(request, pool)
        if why is not None:
            return Refused(why=f"Service {request.key}: {why}", tried=(Tried(pool=pool, why=why),))
        self._ledger.settle(pool, now)
        for place in places:
            why = self._obstacle(request, pool, place, now)
            if why is not None:
                return Refused(why=why)
        return self._hold(request, pool, places, now)

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
        held = self._ledger.holdings.get(request.key)
        if held is not None:
            if any(place.family not in wanted for place in held.places):
                return Refused(why=sentences.other_families(request.key, held.addresses, wanted))
            if named in {"", held.pool}:
                return self._complete(request, held, wanted, now)
        if named:
            return self._allocate_named(request, named, families, now)
        return self._allocate_anywhere(request, families, now)

    def release(self, key: str, now: float) -> bool:
        """Take back all addresses of the Service *key*; return whether it had or kept any."""
        return self._ledger.drop(key, now)

    def pool_of(self, key: str) -> str | None:
        """Return the pool of which the Service *key* has addresses, or None."""
        held = self._ledger.holdings.get(key)
        return None if held is None else held.pool

    def addresses_of(self, key: str) -> tuple[Address, ...]:
        """Return the addresses of the Service *key*."""
        held = self._ledger.holdings.get(key)
        return () if held is None else held.addresses

    def services_of(self, pool: str) -> int:
        """Return how many Services have addresses of *pool*."""
        return sum(held.pool == pool for held in self._ledger.holdings.values())

    def counters(self, pool: str) -> Counters:
        """Return the numbers of the status of *pool*: all zero for one that does not exist."""
        stocks = self._ledger.stocks.get(pool, {})
        ipv4, ipv6 = stocks.get(Family.IPV4), stocks.get(Family.IPV6)
        return Counters(
            assigned_ipv4=ipv4.assigned if ipv4 else 0,
            assigned_ipv6=ipv6.assigned if ipv6 else 0,
            available_ipv4=ipv4.available if ipv4 else 0,
            available_ipv6=ipv6.available if ipv6 else 0,
        )

    def capacity(self, pool: str) -> Capacity:
        """Return how many addresses *pool* can give: zero for one that does not exist."""
        stocks = self._ledger.stocks.get(pool, {})
        counts = {family: stock.layout.count for family, stock in stocks.items()}
        return Capacity(
            total=min(MOST, sum(counts.values())),
            ipv4=counts.get(Family.IPV4, 0),
            ipv6=counts.get(Family.IPV6, 0),
        )

    def due(self, now: float) -> float | None:
        """Return when the next released address can be given again; None if none waits."""
        return self._ledger.due(now)

    def _allocate_named(
        self, request: ServiceRequest, name: str, families: Sequence[Family], now: float
    ) -> Outcome:
        pool = self._ledger.pools.get(name)
        if pool is None:
            return Refused(why=sentences.unknown_pool(request.key, name, self._ledger.pools))
        why = self._eligibility.barred(pool, request)
        if why is None:
            found = self._search((pool,), request, families, now)
            if found is not None:
                return self._take(request, *found, now=now)
            why = self._lacking(name, request, families, now)
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
        if not self._ledger.pools:
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
        stocks = self._ledger.stocks[pool]
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
        self, request: ServiceRequest, held: Holding, wanted: Sequence[Family], now: float
    ) -> Outcome:
        """Confirm what *request* has, and add the family that it lacks from the same pool."""
        missing = held.lacks(wanted)
        picks = self._pick(held.pool, request, missing, now)
        if missing and not picks and request.family_policy is not FamilyPolicy.PREFER_DUAL_STACK:
            why = self._lacking(held.pool, request, missing, now)
            return Refused(
                why=sentences.nothing_fits(request.key, wanted),
                tried=(Tried(pool=held.pool, why=why),),
            )
        kept = self.assign(request, held.addresses, now)
        if isinstance(kept, Refused) or not picks:
            return kept
        return self._take(request, held.pool, picks, now=now, beside=held.places)

    def _take(
        self,
        request: ServiceRequest,
        pool: str,
        picks: _Picks,
        *,
        now: float,
        beside: tuple[Place, ...] = (),
    ) -> Assigned:
        stocks = self._ledger.stocks[pool]
        added = tuple(
            Place(family, ordinal, stocks[family].layout.address_at(ordinal))
            for family, ordinal in picks
        )
        return self._hold(request, pool, (*beside, *added), now)

    def _hold(
        self, request: ServiceRequest, pool: str, places: tuple[Place, ...], now: float
    ) -> Assigned:
        """Write down that *request* has *places* of *pool*, and no others."""
        holding = Holding(
            pool, places, share_of(request), request.ports, request.namespace, request.labels
        )
        self._ledger.hold(request.key, holding, now)
        return Assigned(pool=pool, addresses=holding.addresses)

    def _located(
        self, request: ServiceRequest, addresses: Sequence[Address]
    ) -> tuple[str, tuple[Place, ...]] | Refused:
        """Return the one pool that has all *addresses*, and where; or why none has."""
        owners: list[str] = []
        places: list[Place] = []
        for address in addresses:
            found = self._ledger.locate(address)
            if found is None:
                known = self._ledger.pools
                return Refused(why=sentences.in_no_pool(request.key, address, known))
            owner, place = found
            if place is None:
                return Refused(why=sentences.avoided(request.key, address, owner))
            owners.append(owner)
            places.append(place)
        if len(set(owners)) > 1:
            return Refused(why=sentences.two_pools(request.key, addresses, owners))
        if request.pool_wanted not in {"", owners[0]}:
            return Refused(why=sentences.wrong_pool(request.key, owners[0], request.pool_wanted))
        return owners[0], tuple(places)

    def _barred(self, request: ServiceRequest, pool: str) -> str | None:
        return self._eligibility.barred(self._ledger.pools[pool], request)

    def _obstacle(self, request: ServiceRequest, pool: str, place: Place, now: float) -> str | None:
        """Return why *request* cannot have *place* of *pool*, or None."""
        key, address = request.key, place.address
        stock = self._ledger.stocks[pool][place.family]
        users = stock.users(place.ordinal)
        mine = key in users
        if stock.layout.reserved(place.ordinal) and not (mine or address in request.ingress):
            return sentences.reserved(key, address, pool)
        wait = stock.wait_of(place.ordinal)
        if wait is not None and key not in wait.owners:
            left = stock.remaining(wait, now)
            return sentences.waits(key, address, pool, wait.owners, left)
        others = [user for user in users if user != key]
        share = share_of(request)
        if not others:
            return None
        if share is None or share != stock.share(place.ordinal):
            return sentences.not_shared(key, address, others, asks=share is not None)
        holdings = self._ledger.holdings
        own = holdings[key].ports if mine else frozenset()
        clashes = stock.clashes(place.ordinal, request.ports, own=own)
        using = [user for user in others if clashes & holdings[user].ports]
        return sentences.ports_clash(key, address, clashes, using) if clashes else None

    def _tried(
        self, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> tuple[Tried, ...]:
        """Return why each pool refused: those that were asked, then those that were not."""
        queue = self._eligibility.queue(request.namespace)
        asked = {pool.name: pool for pool in (*queue.pinned, *queue.general)}
        tried: list[Tried] = []
        for name, pool in (asked | dict(self._ledger.pools)).items():
            why = self._eligibility.barred(pool, request)
            if why is None and name not in asked:
                why = sentences.not_automatic(pool)
            why = why or self._lacking(name, request, families, now)
            tried.append(Tried(pool=name, why=why))
        return tuple(tried)

    def _lacking(
        self, pool: str, request: ServiceRequest, families: Sequence[Family], now: float
    ) -> str:
        has = {family for family, _ in self._pick(pool, request, families, now)}
        stocks = self._ledger.stocks[pool]
        return sentences.lacks(pool, [(one, stocks.get(one)) for one in families if one not in has])
