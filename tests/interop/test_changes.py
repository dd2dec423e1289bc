"""Two peers at once, both with both families: what changes at one is nothing to the other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.model.peer import Peer
from bgpd.model.prefix import Address, Family, Prefix
from tests.exabgp.space import eventually, need
from tests.interop.cases import BOTH, Case, Make, Neighbor
from tests.interop.routers import Bird
from tests.interop.silence import Pair, facts, pair

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def _case(number: int) -> Case:
    ours = {"families": BOTH, "next_hop_v6": Address(f"fd09:{number}::1")}
    return Case(number=number, title="both", theirs=Neighbor(families=BOTH), ours=ours)


FIRST, SECOND = _case(1), _case(2)
FOUR = {prefix for prefix in FIRST.wanted if ":" not in prefix}
SIX = set(FIRST.wanted) - FOUR

CHANGES: list[tuple[str, dict[str, Any], set[Prefix]]] = [
    ("IPv4 alone", {"families": (Family.IPV4,)}, FOUR),
    ("both families", {}, FOUR | SIX),
    ("IPv6 alone, over IPv4", {"families": (Family.IPV6,)}, SIX),
    ("graceful restart", {"graceful_restart": 60}, FOUR | SIX),
    ("IPv4 alone, still so", {"graceful_restart": 60, "families": (Family.IPV4,)}, FOUR),
    ("both again, still so", {"graceful_restart": 60}, FOUR | SIX),
    ("no graceful restart any more", {"families": (Family.IPV4,)}, FOUR),
    ("another hold time and TTL", {"hold_time": 30, "ttl": 5}, FOUR | SIX),
]


def test_a_peer_that_changes_is_nothing_to_the_other(tmp_path: Path) -> None:
    """Each change re-establishes one session with the right routes; the other stays as it is.

    BIRD 2.0 takes no connection any more after a session that restarted gracefully, followed by
    one with fewer families: such a change closes with a reason, so that it keeps nothing.
    """
    need("ip", "ss", "unshare", *Bird.programs, unproven="changes of one of two peers")
    with pair(Make.BIRD, tmp_path, (FIRST, SECOND)) as world:
        _add_ipv6(world)
        for router in world.routers.values():
            router.start()
        world.node.start()
        _want(world, FIRST.peer)
        for case in (FIRST, SECOND):
            _has(world, case, set(case.wanted), 1, "at first")
        before = facts(world, SECOND)
        for what, changes, routes in CHANGES:
            seen = world.node.sessions()[FIRST.name].transitions
            _want(world, replace(FIRST.peer, **changes))
            _has(world, FIRST, routes, seen + 2, what)
            assert facts(world, SECOND) == before, what
        _want(world, None)
        eventually(lambda: not world.routers[FIRST.name].routes(), "the peer is removed")
        _want(world, FIRST.peer)
        _has(world, FIRST, set(FIRST.wanted), 0, "added again")
        assert facts(world, SECOND) == before


def _want(world: Pair, first: Peer | None) -> None:
    peers = [SECOND.peer, *([] if first is None else [first])]
    cases = [case for case in (FIRST, SECOND) if case.name in {peer.name for peer in peers}]
    world.node.want(peers, [case.advertisement(p) for case in cases for p in case.wanted])


def _has(world: Pair, case: Case, routes: set[Prefix], transitions: int, what: str) -> None:
    def there() -> bool:
        session = world.node.sessions().get(case.name)
        return (
            session is not None
            and session.state.value == "Established"
            and session.transitions >= transitions
            and world.routers[case.name].routes().keys() == routes
        )

    eventually(there, what, 20.0)


def _add_ipv6(world: Pair) -> None:
    """Give both ends of each link an IPv6 address, the next hop of IPv6 routes."""
    for case in world.cases:
        for space, device, end in (("node", case.name, 1), (case.name, "uplink", 2)):
            address = f"fd09:{case.number}::{end}/64"
            world.spaces[space].run("ip", "addr", "add", address, "dev", device, "nodad")
