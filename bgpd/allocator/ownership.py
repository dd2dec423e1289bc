"""Which pool an address is of."""

from bisect import bisect_right
from collections.abc import Iterable

from bgpd.allocator.layout import range_of
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Family, family_of


class Ownership:
    """The blocks of all pools, which must not overlap, in the order of addresses."""

    __slots__ = ("_blocks",)

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        self._blocks: dict[Family, list[tuple[int, int, str]]] = {one: [] for one in Family}
        for pool in pools:
            for prefix in pool.prefixes:
                self._blocks[family_of(prefix)].append((*range_of(prefix), pool.name))
        for blocks in self._blocks.values():
            blocks.sort()

    def owner(self, family: Family, number: int) -> str | None:
        """Return the pool whose document has the address *number*, or None."""
        blocks = self._blocks[family]
        at = bisect_right(blocks, number, key=lambda block: block[0]) - 1
        return blocks[at][2] if at >= 0 and number <= blocks[at][1] else None
