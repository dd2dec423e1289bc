"""Which of several nodes is the active one for a prefix, and in which order the others stand by.

Every node works this out alone and comes to the same answer, because all see the same Nodes,
endpoints and members: first by preference, then by a rendezvous hash of node and prefix, so that
different prefixes have different active nodes and a node that goes moves only its own prefixes.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nlargest
from typing import Final

from bgpd.model.cluster import Node
from bgpd.model.configuration import NodePreference
from bgpd.model.prefix import Prefix
from bgpd.policy.selector import matches

MOST_AHEAD: Final = 16
"""With more nodes than that before us, one of them lives for all practical purposes."""
_BITS: Final = 64
_MASK: Final = 2**_BITS - 1
# An odd number spreads a 64-bit value over the upper bits (Knuth's multiplicative hashing): a
# digest for each pair of node and prefix would take a second for 1,000 nodes and 1,000 prefixes.
_SPREAD: Final = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node stands for one prefix: 0 is the active one."""

    position: int
    ahead: tuple[str, ...]
    """The best of those that come before it, best first."""


@dataclass(frozen=True, slots=True)
class _Contender:
    name: str
    weight: int
    seed: int

    def key(self, seed: int) -> tuple[int, str]:
        """Return what is compared for the prefix with *seed*: the greatest is the active one."""
        return (self.weight << _BITS | (self.seed ^ seed) * _SPREAD & _MASK, self.name)


class Contest:
    """The nodes that compete for the prefixes of one advertisement, ourselves among them."""

    def __init__(self, node: str, nodes: Iterable[Node], wanted: Iterable[NodePreference]) -> None:
        """Let *nodes* compete under the preferences *wanted*; *node* is the one that asks."""
        self._node = node
        preferences = tuple(wanted)
        self._contenders: dict[str, _Contender] = {
            one.name: _Contender(one.name, _weight(one, preferences), _seed(one.name))
            for one in nodes
        }

    def place(self, prefix: Prefix, serving: Collection[str] | None) -> Place:
        """Return our place for *prefix*; only the nodes of *serving* compete, if it matters."""
        mine = self._contenders.get(self._node)
        if mine is None:
            return _ACTIVE
        seed = _seed(prefix)
        own = mine.key(seed)
        if serving is None:
            others: Iterable[_Contender] = self._contenders.values()
        else:
            others = (self._contenders[one] for one in set(serving) if one in self._contenders)
        ahead = [(key, one.name) for one in others if (key := one.key(seed)) > own]
        if not ahead:
            return _ACTIVE
        best = tuple(name for _, name in nlargest(MOST_AHEAD, ahead))
        return Place(position=len(ahead), ahead=best)


_ACTIVE: Final = Place(position=0, ahead=())


def _weight(node: Node, preferences: Iterable[NodePreference]) -> int:
    return sum(one.weight for one in preferences if matches(one.selector, node.labels))


def _seed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=_BITS // 8).digest(), "big")
