"""What holds whatever happens, in whatever order: against rules that look at every address."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bgpd.allocator import Allocator, Assigned
from bgpd.model.allocation import FamilyPolicy, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.prefix import Address, Family, Prefix, family_of
from tests.allocator.build import BOTH, SIX_FIRST, V4, V6, label
from tests.allocator.oracle import World, compatible

_CHUNKS = (
    *(f"192.0.2.{248 + 4 * n}/30" for n in range(2)),
    *(f"192.0.3.{4 * n}/30" for n in range(2)),
    "2001:db8::/126",
    "2001:db8::10/126",
    "2001:db8::20/126",
)
"""What the pools are made of: enough for a few Services, with addresses in .0 and .255."""

_RESERVED = ("192.0.3.1/32", "192.0.2.250/31", "2001:db8::11/128", "2001:db8::/127")

_ADDRESSES = (
    *(f"192.0.2.{n}" for n in range(248, 256)),
    *(f"192.0.3.{n}" for n in range(9)),
    *(f"2001:db8::{n}{m}" for n in (1, 2) for m in range(5)),
)

_RULES = st.none() | st.builds(
    ServiceAllocation,
    priority=st.integers(0, 2),
    namespaces=st.sampled_from([(), ("ns-a",), ("ns-a", "ns-b")]),
    service_selectors=st.sampled_from([(), (label("team", "edge"),)]),
)


@st.composite
def _pools(draw: st.DrawFn) -> list[IPAddressPool]:
    """Return pools that share out the chunks, in any order; some chunks are nobody's."""
    owned: dict[str, list[Prefix]] = {}
    for chunk in draw(st.permutations(_CHUNKS)):
        owned.setdefault(draw(st.sampled_from(["a", "b", "c", "nobody"])), []).append(Prefix(chunk))
    owned.pop("nobody", None)
    return [
        IPAddressPool(
            name=name,
            prefixes=tuple(chunks),
            auto_assign=draw(st.integers(0, 4)) > 0,
            avoid_buggy_ips=draw(st.booleans()),
            allocation=draw(_RULES),
            reserved=tuple(Prefix(text) for text in draw(st.sets(st.sampled_from(_RESERVED)))),
            reuse_delay=draw(st.sampled_from([0, 0, 10])),
        )
        for name, chunks in owned.items()
    ]


_PORTS = st.frozensets(
    st.integers(1, 3).map(lambda number: ServicePort(protocol="TCP", number=number)), max_size=2
)


@st.composite
def _requests(draw: st.DrawFn) -> ServiceRequest:
    number = draw(st.integers(0, 7))
    return ServiceRequest(
        namespace="ns-a" if number % 2 else "ns-b",
        name=f"s{number}",
        labels={"team": "edge"} if number % 3 else {},
        family_policy=draw(st.sampled_from(FamilyPolicy)),
        sharing_key=draw(st.sampled_from(["", "k", "k"])),
        local=draw(st.integers(0, 5)) == 0,
        selector={"app": "x"},
        ports=draw(_PORTS),
    )


_WANTED = st.lists(st.sampled_from(_ADDRESSES), min_size=1, max_size=2).map(
    lambda texts: tuple(Address(text) for text in texts)
)
_FAMILIES = st.sampled_from([V4, V6, BOTH, SIX_FIRST])


class Life(RuleBasedStateMachine):
    """A cluster's Services come, change and go; pools change; the controller restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = Allocator()
        self.world = World()
        self.now = 0.0

    @initialize(pools=_pools())
    def begin(self, pools: list[IPAddressPool]) -> None:
        """Begin with some pools."""
        self.change(pools)

    @rule(request=_requests(), addresses=_WANTED)
    def assign(self, request: ServiceRequest, addresses: tuple[Address, ...]) -> None:
        """Ask for addresses: the Service gets them exactly if it may have them."""
        may = self.world.may_assign(request, addresses, self.now)
        outcome = self.allocator.assign(request, addresses, self.now)
        assert isinstance(outcome, Assigned) is may
        if may:
            self.world.put(request, addresses, self.now)

    @rule(request=_requests(), families=_FAMILIES, pool=st.sampled_from([None, None, "a", "b"]))
    def allocate(
        self, request: ServiceRequest, families: tuple[Family, ...], pool: str | None
    ) -> None:
        """Ask for any addresses: the Service gets those that a search of all finds first."""
        expected = self.world.allocate(request, families, pool, self.now)
        outcome = self.allocator.allocate(request, families, self.now, pool=pool)
        assert (outcome.addresses if isinstance(outcome, Assigned) else None) == expected
        if expected is not None:
            self.world.put(request, expected, self.now)

    @rule(number=st.integers(0, 7))
    def release(self, number: int) -> None:
        """Let a Service go."""
        key = f"ns-a/s{number}" if number % 2 else f"ns-b/s{number}"
        known = key in self.world.held or key in self.world.lost
        assert self.allocator.release(key, self.now) is known
        self.world.take_back(key, self.now)

    @rule(seconds=st.sampled_from([0.5, 5.0, 20.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(pools=_pools())
    def change(self, pools: list[IPAddressPool]) -> None:
        """Change the pools: who may keep what it has keeps it, and the others are named."""
        # The end of a wait counts when it comes, also where the next pools wait longer.
        self.allocator.due(self.now)
        over = [one for one in self.world.released if not self.world.waits(one, self.now)]
        for address in over:
            del self.world.released[address]
        self.world.pools = {pool.name: pool for pool in pools}
        lost = set()
        for key, (request, addresses) in list(self.world.held.items()):
            owners = {self.world.pool_of(address) for address in addresses}
            name = next(iter(owners))
            if name is None or len(owners) != 1 or not self.world.admits(name, request):
                lost.add(key)
        for key in lost:
            self.world.lose(key)
        assert self.allocator.set_pools(pools, ()) == lost
        # What waits in no pool, or in one that does not wait, is forgotten at once.
        for address in list(self.world.released):
            if not self.world.waits(address, self.now):
                del self.world.released[address]
        self.allocator.due(self.now)

    @rule(seed=st.integers(0, 1000))
    def restart(self, seed: int) -> None:
        """Begin anew with what all statuses say, in any order: nothing is different after it."""
        after = Allocator()
        after.set_pools(self.world.pools.values(), ())
        held = list(self.world.held.values())
        random.Random(seed).shuffle(held)
        for request, addresses in held:
            before = replace(request, ingress=addresses)
            assert isinstance(after.assign(before, addresses, self.now), Assigned)
        self.allocator = after
        self.world.released.clear()
        self.world.lost.clear()

    @invariant()
    def everybody_has_what_was_given(self) -> None:
        """Nobody loses or gains an address by what others do."""
        for number in range(8):
            key = f"ns-a/s{number}" if number % 2 else f"ns-b/s{number}"
            _, addresses = self.world.held.get(key, (None, ()))
            assert self.allocator.addresses_of(key) == addresses
            name = self.world.pool_of(addresses[0]) if addresses else None
            assert self.allocator.pool_of(key) == name
            assert {self.world.pool_of(address) for address in addresses} <= {name}

    @invariant()
    def no_address_is_given_twice(self) -> None:
        """Two Services are on one address only if they may share it."""
        for request, addresses in self.world.held.values():
            for address in addresses:
                for other in self.world.users(address):
                    assert other.key == request.key or compatible(request, other)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Find assigned, available and waiting addresses to be all that a pool has."""
        self.allocator.due(self.now)
        for name in self.world.pools:
            every = self.world.given_by(name)
            counters, capacity = self.allocator.counters(name), self.allocator.capacity(name)
            used = [one for one in every if self.world.users(one)]
            usable = [one for one in every if not self.world.reserved(name, one)]
            free = [
                one for one in usable if one not in used and not self.world.waits(one, self.now)
            ]
            for family, assigned, available, count in (
                (Family.IPV4, counters.assigned_ipv4, counters.available_ipv4, capacity.ipv4),
                (Family.IPV6, counters.assigned_ipv6, counters.available_ipv6, capacity.ipv6),
            ):
                assert assigned == _of(family, used)
                assert available == _of(family, free)
                assert count == _of(family, usable)

    @invariant()
    def the_next_address_is_announced(self) -> None:
        """Know when an address is free again, so that nobody has to poll."""
        dues = [
            since + self.world.pools[str(self.world.pool_of(address))].reuse_delay
            for address, (_, since) in self.world.released.items()
            if self.world.waits(address, self.now) and not self.world.losers(address)
        ]
        assert self.allocator.due(self.now) == min(dues, default=None)


def _of(family: Family, addresses: list[Address]) -> int:
    return sum(family_of(address) is family for address in addresses)


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase


@given(_pools(), st.lists(_requests(), max_size=10), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_independent_services_may_come_in_any_order(
    pools: list[IPAddressPool], requests: list[ServiceRequest], shuffle: random.Random
) -> None:
    """Services that ask for addresses that nobody else asks for get them in whatever order."""
    world = World(pools={pool.name: pool for pool in pools})
    asked: dict[str, tuple[ServiceRequest, tuple[Address, ...]]] = {}
    taken: set[Address] = set()
    for request in requests:
        for address in _ADDRESSES:
            one = (Address(address),)
            if (
                request.key not in asked
                and not taken & set(one)
                and world.may_assign(request, one, 0.0)
            ):
                asked[request.key] = (request, one)
                taken |= set(one)
    orders = [list(asked.values()), list(asked.values())]
    shuffle.shuffle(orders[1])
    for order in orders:
        allocator = Allocator()
        allocator.set_pools(pools, ())
        for request, addresses in order:
            assert isinstance(allocator.assign(request, addresses, 0.0), Assigned)
        assert {key: allocator.addresses_of(key) for key in asked} == {
            key: addresses for key, (_, addresses) in asked.items()
        }


@given(_pools(), st.lists(st.integers(0, 30), max_size=60))
@settings(max_examples=60, deadline=None)
def test_release_and_allocate_conserve_a_pool(pools: list[IPAddressPool], names: list[int]) -> None:
    """However Services come and go, all addresses can be given again at the end."""
    allocator = Allocator()
    allocator.set_pools(pools, ())
    now = 0.0
    for number in names:
        key = f"ns-a/s{number}"
        now += 1.0
        if not allocator.release(key, now):
            request = ServiceRequest(namespace="ns-a", name=f"s{number}")
            allocator.allocate(request, V4, now)
    for number in set(names):
        allocator.release(f"ns-a/s{number}", now)
    now += 1000.0
    allocator.due(now)
    for pool in pools:
        capacity, counters = allocator.capacity(pool.name), allocator.counters(pool.name)
        assert (counters.available_ipv4, counters.assigned_ipv4) == (capacity.ipv4, 0)
        order = World(pools={pool.name: pool}).given_by(pool.name)
        count = 0
        while True:
            request = ServiceRequest(
                namespace="ns-a", name=f"t{count}", labels={"team": "edge"}, pool_wanted=pool.name
            )
            outcome = allocator.allocate(request, V4, now)
            if not isinstance(outcome, Assigned):
                break
            assert outcome.addresses[0] in order
            count += 1
        open_here = World(pools={pool.name: pool}).admits(
            pool.name, ServiceRequest(namespace="ns-a", name="t", labels={"team": "edge"})
        )
        assert count == (capacity.ipv4 if open_here else 0)
