"""Who has what, in which pool: the state that every decision is made from, and nothing decided.

A ledger is for one set of pools. When the pools change, a new one inherits from the old, so that
a change that fails half-way leaves the old one whole.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from bgpd.allocator.layout import Layout, number_of
from bgpd.allocator.ownership import Ownership
from bgpd.allocator.sharing import Ports, Share
from bgpd.allocator.stock import Stock
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family, family_of

Stocks: TypeAlias = Mapping[Family, Stock]


@dataclass(frozen=True, slots=True)
class Place:
    """One address, and where it is in the stock of its family."""

    family: Family
    ordinal: int
    address: Address


@dataclass(frozen=True, slots=True)
class Holding:
    """What a Service has, and what it said when it got it."""

    pool: str
    places: tuple[Place, ...]
    share: Share | None
    ports: Ports
    namespace: str
    labels: Mapping[str, str]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses in the order in which they were given."""
        return tuple(place.address for place in self.places)

    def lacks(self, families: Iterable[Family]) -> list[Family]:
        """Return those of *families* of which the Service has no address."""
        has = {place.family for place in self.places}
        return [family for family in families if family not in has]


class Ledger:
    """The stocks of all pools, and the holding of each Service."""

    __slots__ = ("_ownership", "holdings", "lost", "pools", "stocks")

    def __init__(self, pools: Iterable[IPAddressPool] = ()) -> None:
        self.pools: Mapping[str, IPAddressPool] = {
            pool.name: pool for pool in sorted(pools, key=lambda one: one.name)
        }
        self.stocks: Mapping[str, Stocks] = {
            name: _stocks_of(pool) for name, pool in self.pools.items()
        }
        self.holdings: dict[str, Holding] = {}
        self.lost: dict[str, tuple[Address, ...]] = {}
        """What Services had that may not keep it, until they have something else or are gone."""
        self._ownership = Ownership(self.pools.values())

    def locate(self, address: Address) -> tuple[str, Place | None] | None:
        """Return the pool whose blocks have *address*, and its place; None for no pool.

        There is no place for an address that the pool does not give at all.
        """
        family, number = family_of(address), number_of(address)
        owner = self._ownership.owner(family, number)
        if owner is None:
            return None
        ordinal = self.stocks[owner][family].layout.ordinal_of(number)
        return owner, None if ordinal is None else Place(family, ordinal, address)

    def hold(self, key: str, holding: Holding, now: float) -> None:
        """Let the Service *key* have *holding*, and nothing else."""
        old = self.holdings.get(key)
        if old is not None:
            self._leave(key, old, now)
        self._enter(key, holding)
        self._move_on(key, now)

    def drop(self, key: str, now: float) -> bool:
        """Take everything from the Service *key*; return whether it had anything."""
        held = self.holdings.pop(key, None)
        if held is not None:
            self._leave(key, held, now)
        return self._move_on(key, now) or held is not None

    def settle(self, pool: str, now: float) -> None:
        """Let go of the addresses of *pool* that have waited long enough."""
        for stock in self.stocks[pool].values():
            stock.settle(now)

    def due(self, now: float) -> float | None:
        """Return when the next address has waited long enough; None where none waits."""
        for pool in self.stocks:
            self.settle(pool, now)
        dues = (stock.due() for stocks in self.stocks.values() for stock in stocks.values())
        return min((due for due in dues if due is not None), default=None)

    def inherit(
        self, before: "Ledger", admits: Callable[[IPAddressPool, Holding], bool]
    ) -> frozenset[str]:
        """Take over from the ledger *before* what is still legal; return the keys that lost.

        Each address stays with its Service, in whatever pool it now is.
        """
        lost: dict[str, tuple[Address, ...]] = {}
        for key, held in sorted(before.holdings.items()):
            moved = self._moved(held)
            if moved is not None and admits(self.pools[moved.pool], moved):
                self._enter(key, moved)
            else:
                lost[key] = held.addresses
        self._inherit_waits(before)
        self.lost = before.lost | lost
        for key, addresses in self.lost.items():
            for stock, ordinal in self._unused(addresses):
                stock.wait_for_move(ordinal, key)
        return frozenset(lost)

    def _enter(self, key: str, holding: Holding) -> None:
        self.holdings[key] = holding
        stocks = self.stocks[holding.pool]
        for place in holding.places:
            stocks[place.family].take(place.ordinal, key, holding.share, holding.ports)

    def _leave(self, key: str, held: Holding, now: float) -> None:
        """Take *key* off its places, which wait to be reused; *key* itself may go back to them."""
        stocks = self.stocks[held.pool]
        for place in held.places:
            stock = stocks[place.family]
            if not stock.leave(place.ordinal, key, held.ports):
                continue
            losers = [one for one, lost in self.lost.items() if place.address in lost]
            for loser in losers:
                # It shared the address, lost it together with *key*, and still shows it.
                stock.wait_for_move(place.ordinal, loser)
            if not losers:
                stock.wait(place.ordinal, key, now)

    def _moved(self, held: Holding) -> Holding | None:
        """Return *held* as it is in these pools; None where it is not of one pool any more."""
        found = [self.locate(address) for address in held.addresses]
        places = [place for _, place in filter(None, found) if place is not None]
        owners = {owner for owner, _ in filter(None, found)}
        if len(places) != len(held.places) or len(owners) != 1:
            return None
        return replace(held, pool=owners.pop(), places=tuple(places))

    def _move_on(self, key: str, now: float) -> bool:
        """Let go of what the Service *key* lost; return whether there was something."""
        lost = self.lost.pop(key, ())
        for stock, ordinal in self._unused(lost):
            stock.moved(ordinal, key, now)
        return bool(lost)

    def _inherit_waits(self, before: "Ledger") -> None:
        waits = [
            (since, owner, stock.layout.address_at(ordinal))
            for stocks in before.stocks.values()
            for stock in stocks.values()
            for ordinal, owner, since in stock.waits()
        ]
        for since, owner, address in sorted(waits):
            for stock, ordinal in self._unused((address,)):
                stock.wait(ordinal, owner, since)

    def _unused(self, addresses: Iterable[Address]) -> Iterator[tuple[Stock, int]]:
        """Yield where those of *addresses* are that a pool has and nobody uses."""
        for address in addresses:
            located = self.locate(address)
            if located is None or located[1] is None:
                continue
            place = located[1]
            stock = self.stocks[located[0]][place.family]
            if not stock.users(place.ordinal):
                yield stock, place.ordinal


def _stocks_of(pool: IPAddressPool) -> Stocks:
    """Return the stocks of *pool*, nothing taken, one for each family that it has blocks of."""
    stocks: dict[Family, Stock] = {}
    for family in sorted({family_of(prefix) for prefix in pool.prefixes}):
        layout = Layout(
            family, pool.prefixes, reserved=pool.reserved, avoid_buggy=pool.avoid_buggy_ips
        )
        stocks[family] = Stock(layout, delay=pool.reuse_delay)
    return stocks
