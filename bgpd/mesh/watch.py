"""Who watches whom in a mesh of more than sixteen members.

Each member is watched by five others, and by the same five whoever computes it: the members
stand on five rings, each in the order of its own hash, and a member's watchers are its
successors, one on each ring. Unlike plain rendezvous hashing this gives every member the same
number of charges, costs n log n instead of n squared (5 ms for a thousand members, where a
million hashes would stop the reflex for a second), and still moves only a few watchers when
the list changes.

A member with too few watchers (they are dead, or their list is older than ours) recruits the
next on its rings. Watchers of one charge learn of each other from the charge's own heartbeats.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import unpack
from typing import Final

WATCHERS: Final = 5
CANDIDATES: Final = 10
"""The watchers, and those who are asked when they are missing."""
SUBSCRIBERS: Final = 32
"""Members that one member heartbeats to because they asked for it."""
SUBSCRIBED_FOR: Final = 3.0
"""Seconds that a subscription, or a request to be watched, lasts."""


@lru_cache(maxsize=4096)
def _places(name: str) -> tuple[int, ...]:
    digest = hashlib.blake2b(name.encode(), digest_size=8 * WATCHERS, person=b"bgpd rings").digest()
    return tuple(unpack(f"!{WATCHERS}Q", digest))


def candidates(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return for each of *names* who watches it, first five, and who would be asked next."""
    everybody = sorted(set(names))
    rings = [
        sorted(everybody, key=lambda name, ring=ring: (_places(name)[ring], name))  # type: ignore[misc]
        for ring in range(WATCHERS)
    ]
    where = [{name: at for at, name in enumerate(ring)} for ring in rings]
    wanted = min(CANDIDATES, len(everybody) - 1)
    chosen: dict[str, Sequence[str]] = {}
    for name in everybody:
        watchers: list[str] = []
        steps = [places[name] for places in where]
        while len(watchers) < wanted:
            for at, ring in enumerate(rings):
                steps[at] = _next(ring, steps[at], name, watchers)
                watchers.append(ring[steps[at]])
                if len(watchers) == wanted:
                    break
        chosen[name] = tuple(watchers)
    return chosen


def _next(ring: Sequence[str], at: int, name: str, taken: Sequence[str]) -> int:
    at = (at + 1) % len(ring)
    while ring[at] == name or ring[at] in taken:
        at = (at + 1) % len(ring)
    return at
