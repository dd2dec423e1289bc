"""How many Services a second get an address: `python -m tests.bench.allocate`.

One process, no API: what the allocator alone can do. Each load runs several times, each time from
a new allocator; the median counts, and the slowest and fastest stand beside it.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from bgpd.allocator import Allocator, Assigned
from bgpd.model.allocation import Namespace, ServicePort, ServiceRequest
from bgpd.model.configuration import IPAddressPool, ServiceAllocation
from bgpd.model.prefix import Family, Prefix

_V4: Final = (Family.IPV4,)
_BOTH: Final = (Family.IPV4, Family.IPV6)
_TENANTS: Final = 8


class Rates(NamedTuple):
    """What came of one load: how many were given something, and how many were asked a second."""

    given: int
    median: float
    slowest: float
    fastest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Pools, namespaces and Services of one run."""

    pools: tuple[IPAddressPool, ...]
    namespaces: tuple[Namespace, ...]
    requests: tuple[ServiceRequest, ...]

    def allocator(self) -> Allocator:
        """Return an allocator that has given nothing yet."""
        allocator = Allocator()
        allocator.set_pools(self.pools, self.namespaces)
        return allocator


def world(services: int, pools: int) -> World:
    """Return so many Services and pools, with just enough IPv4 addresses for all of them.

    Some pools are for one tenant's namespace, so that every allocation has pools to pass over.
    """
    each = -(-services // pools)
    first = 10 << 24
    documents = []
    for number in range(pools):
        begin = first + number * 65536
        owned = ServiceAllocation(priority=number + 1, namespaces=(f"tenant-{number}",))
        documents.append(
            IPAddressPool(
                name=f"pool-{number:02}",
                prefixes=(*_cover(begin, each), Prefix(f"2001:db8:{number:x}::/64")),
                allocation=owned if number < _TENANTS // 2 else None,
            )
        )
    return World(
        pools=tuple(documents),
        namespaces=tuple(Namespace(name=f"tenant-{number}") for number in range(_TENANTS)),
        requests=tuple(_request(number, pools, each) for number in range(services)),
    )


def _request(number: int, pools: int, each: int) -> ServiceRequest:
    # The first pools are pinned: as many Services as they hold are of their namespaces.
    pool = number // each
    tenant = pool if pool < min(pools, _TENANTS // 2) else _TENANTS - 1
    return ServiceRequest(
        namespace=f"tenant-{tenant}",
        name=f"service-{number}",
        ports=frozenset({ServicePort(protocol="TCP", number=80)}),
    )


def _cover(begin: int, count: int) -> list[Prefix]:
    """Return the blocks of *count* addresses from *begin*, which is even enough for all."""
    blocks = []
    for bit in reversed(range(17)):
        if count >> bit & 1:
            text = ".".join(str(begin >> shift & 255) for shift in (24, 16, 8, 0))
            blocks.append(Prefix(f"{text}/{32 - bit}"))
            begin += 1 << bit
    return blocks


def fresh(world: World) -> tuple[int, float]:
    """Allocate for all."""
    allocator = world.allocator()
    return _timed(world.requests, lambda one: allocator.allocate(one, _V4, 0.0))


def both(world: World) -> tuple[int, float]:
    """Allocate two families for all."""
    allocator = world.allocator()
    return _timed(world.requests, lambda one: allocator.allocate(one, _BOTH, 0.0))


def shared(world: World) -> tuple[int, float]:
    """Allocate for all, of which every four share one address by different ports."""
    allocator = world.allocator()
    requests = [
        replace(one, sharing_key=f"key-{number // 4}", ports=_port(8000 + number % 4))
        for number, one in enumerate(world.requests)
    ]
    return _timed(requests, lambda one: allocator.allocate(one, _V4, 0.0))


def one_key(world: World) -> tuple[int, float]:
    """Allocate for all, which share one key and one port, so that none can join another."""
    allocator = world.allocator()
    requests = [replace(one, sharing_key="key") for one in world.requests]
    return _timed(requests, lambda one: allocator.allocate(one, _V4, 0.0))


def adopt(world: World) -> tuple[int, float]:
    """Take over what the status of all Services says, in any order, as after a restart."""
    before, after = world.allocator(), world.allocator()
    for request in world.requests:
        before.allocate(request, _V4, 0.0)
    requests = random.Random(1).sample(world.requests, len(world.requests))
    return _timed(requests, lambda one: after.assign(one, before.addresses_of(one.key), 0.0))


def churn(world: World) -> tuple[int, float]:
    """Release and allocate again, at random, with all pools full."""
    allocator = world.allocator()
    for request in world.requests:
        allocator.allocate(request, _V4, 0.0)
    requests = random.Random(1).choices(world.requests, k=len(world.requests))

    def again(request: ServiceRequest) -> object:
        allocator.release(request.key, 0.0)
        return allocator.allocate(request, _V4, 0.0)

    return _timed(requests, again)


def full(world: World) -> tuple[int, float]:
    """Refuse, with a sentence for each pool, as none has room."""
    allocator = world.allocator()
    for request in world.requests:
        allocator.allocate(request, _V4, 0.0)
    late = [replace(one, name=f"late-{one.name}") for one in world.requests[:1000]]
    return _timed(late, lambda one: allocator.allocate(one, _V4, 0.0))


def change(world: World) -> tuple[int, float]:
    """Change one pool, and confirm what everybody has."""
    allocator = world.allocator()
    for request in world.requests:
        allocator.allocate(request, _V4, 0.0)
    last = world.pools[-1]
    grown = replace(last, prefixes=(*last.prefixes, Prefix("192.0.2.0/24")))
    gc.collect()
    begin = time.perf_counter()
    lost = allocator.set_pools([*world.pools[:-1], grown], world.namespaces)
    kept = len(world.requests) - len(lost)
    return kept, kept / (time.perf_counter() - begin)


LOADS: Final[dict[str, Callable[[World], tuple[int, float]]]] = {
    "allocate": fresh,
    "allocate both families": both,
    "allocate, four share an address": shared,
    "allocate, one key and one port": one_key,
    "adopt after a restart": adopt,
    "release and allocate, full": churn,
    "keep, while a pool changes": change,
    "refuse, full": full,
}


def _port(number: int) -> frozenset[ServicePort]:
    return frozenset({ServicePort(protocol="TCP", number=number)})


def _timed(
    requests: Sequence[ServiceRequest], act: Callable[[ServiceRequest], object]
) -> tuple[int, float]:
    """Return how many of *requests* were given something, and the rate of all."""
    gc.collect()
    begin = time.perf_counter()
    outcomes = [act(request) for request in requests]
    rate = len(requests) / (time.perf_counter() - begin)
    return sum(isinstance(outcome, Assigned) for outcome in outcomes), rate


def memory(world: World) -> int:
    """Return how many bytes the allocator needs for each Service."""
    gc.collect()
    tracemalloc.start()
    allocator = world.allocator()
    for request in world.requests:
        allocator.allocate(request, _V4, 0.0)
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used // len(world.requests)


def main(arguments: Sequence[str]) -> int:
    """Print a line for each load; return the exit status."""
    top = argparse.ArgumentParser(prog="python -m tests.bench.allocate", description=__doc__)
    top.add_argument("--services", type=int, default=10_000)
    top.add_argument("--pools", type=int, default=20)
    top.add_argument("--repeat", type=int, default=7)
    top.add_argument("--json", type=Path, metavar="FILE")
    options = top.parse_args(arguments)
    setting = world(options.services, options.pools)
    print(f"{options.services} Services, {options.pools} pools, {options.repeat} repeats")
    print(f"{'load':<34}{'given':>7}{'a second':>11}{'slowest':>11}{'fastest':>11}")
    loads = {}
    for name, load in LOADS.items():
        runs = [load(setting) for _ in range(options.repeat)]
        rates = [rate for _, rate in runs]
        found = Rates(runs[0][0], statistics.median(rates), min(rates), max(rates))
        print(f"{name:<34}{found.given:>7}", *(f"{one:>10.0f}" for one in found[1:]), flush=True)
        loads[name] = found._asdict()
    used = memory(setting)
    print(f"memory: {used} bytes a Service")
    if options.json:
        counts = {"services": options.services, "pools": options.pools, "repeat": options.repeat}
        report = {**counts, "loads": loads, "bytes a Service": used}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
