"""The addresses of one family of one pool, numbered in the order in which they are given.

The order is that of the document: its entries as written, and the lowest address of an entry
first. An address is an *ordinal* here, its place in that order, so that "the first free one" is
one number, however many blocks there are. Nothing counts addresses one by one: a pool may have
2^128.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from bgpd.allocator.outcome import MOST
from bgpd.model.prefix import Address, Family, Prefix, family_of

Range = tuple[int, int]
"""First and last, as numbers."""

_HUGE: Final = 2**62
"""A block of so many addresses counts as `MOST`, as in MetalLB's status."""


def range_of(prefix: Prefix) -> Range:
    """Return the first and the last address of *prefix*."""
    network = ipaddress.ip_network(prefix)
    return int(network.network_address), int(network.broadcast_address)


def render(number: int, family: Family) -> Address:
    """Return the text of the address *number*."""
    if family is Family.IPV4:
        return Address(f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    return Address(str(ipaddress.IPv6Address(number)))


def number_of(address: Address) -> int:
    """Return *address* as a number."""
    return int(ipaddress.ip_address(address))


def buggy(number: int) -> bool:
    """Return whether an IPv4 address ends in .0 or .255."""
    return number & 255 in {0, 255}


class Layout:
    """Which addresses there are, in which order, and which of them nobody is given."""

    __slots__ = (
        "_blocks",
        "_family",
        "_held_back",
        "_lookup",
        "_offsets",
        "_wary",
        "count",
        "size",
    )

    def __init__(
        self,
        family: Family,
        prefixes: Iterable[Prefix],
        *,
        reserved: Iterable[Prefix] = (),
        avoid_buggy: bool = False,
    ) -> None:
        ranges = [range_of(prefix) for prefix in prefixes if family_of(prefix) is family]
        self._family = family
        self._wary: Final = avoid_buggy and family is Family.IPV4
        self._blocks = _joined(ranges)
        self._offsets: list[int] = []
        self.size = 0
        """Ordinals are 0..size-1."""
        for first, last in self._blocks:
            self._offsets.append(self.size)
            self.size += last - first + 1
        self._lookup = sorted(
            (first, last, offset)
            for (first, last), offset in zip(self._blocks, self._offsets, strict=True)
        )
        self._held_back = self._ordinals(reserved)
        self.count = self._count(huge=any(last - first + 1 >= _HUGE for first, last in ranges))
        """How many addresses can be given, at most `MOST`."""

    def number_at(self, ordinal: int) -> int:
        """Return the address that has the place *ordinal*."""
        block = bisect_right(self._offsets, ordinal) - 1
        return self._blocks[block][0] + ordinal - self._offsets[block]

    def address_at(self, ordinal: int) -> Address:
        """Return the text of the address that has the place *ordinal*."""
        return render(self.number_at(ordinal), self._family)

    def ordinal_of(self, number: int) -> int | None:
        """Return the place of the address *number*, or None where it is none of these."""
        if self._wary and buggy(number):
            return None
        at = bisect_right(self._lookup, number, key=lambda block: block[0]) - 1
        if at < 0:
            return None
        first, last, offset = self._lookup[at]
        return offset + number - first if number <= last else None

    def reserved(self, ordinal: int) -> bool:
        """Return whether nobody is given the address at *ordinal*."""
        return self._after_reserved(ordinal) != ordinal

    def usable_from(self, ordinal: int) -> int:
        """Return the first place from *ordinal* on that can be given; `size` if there is none."""
        while ordinal < self.size:
            beyond = self._after_reserved(ordinal)
            if beyond == ordinal and not (self._wary and buggy(self.number_at(ordinal))):
                return ordinal
            ordinal = max(beyond, ordinal + 1) if beyond == ordinal else beyond
        return self.size

    def _after_reserved(self, ordinal: int) -> int:
        """Return *ordinal*, or the first one behind the reserved addresses that it is among."""
        if not self._held_back:
            return ordinal
        at = bisect_right(self._held_back, ordinal, key=lambda piece: piece[0]) - 1
        if at < 0 or ordinal > self._held_back[at][1]:
            return ordinal
        return self._held_back[at][1] + 1

    def _ordinals(self, prefixes: Iterable[Prefix]) -> list[Range]:
        """Return where *prefixes* lie among the ordinals, in order, apart from each other."""
        pieces: list[Range] = []
        for prefix in prefixes:
            if family_of(prefix) is not self._family:
                continue
            begin, end = range_of(prefix)
            at = max(bisect_right(self._lookup, begin, key=lambda block: block[0]) - 1, 0)
            for first, last, offset in self._lookup[at:]:
                if first > end:
                    break
                low, high = max(begin, first), min(end, last)
                if low <= high:
                    pieces.append((offset + low - first, offset + high - first))
        return _merged(pieces)

    def _count(self, *, huge: bool) -> int:
        if huge:
            return MOST
        count = self.size
        if self._wary:
            count -= sum(_buggy_within(first, last) for first, last in self._blocks)
        for low, high in self._held_back:
            count -= high - low + 1
            if self._wary:
                count += sum(_buggy_within(*piece) for piece in self._numbers(low, high))
        return min(count, MOST)

    def _numbers(self, low: int, high: int) -> Iterable[Range]:
        """Yield the addresses of the ordinals *low*..*high*, block by block."""
        ends = [*self._offsets[1:], self.size]
        for (first, _), offset, end in zip(self._blocks, self._offsets, ends, strict=True):
            begin, last = max(low, offset), min(high, end - 1)
            if begin <= last:
                yield first + begin - offset, first + last - offset


def _joined(ranges: list[Range]) -> list[Range]:
    """Return *ranges* with those made one that follow each other in the document and in number.

    A range `a-b` of a document is many blocks, and one here.
    """
    joined: list[Range] = []
    for first, last in ranges:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _merged(pieces: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for low, high in sorted(pieces):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _buggy_within(first: int, last: int) -> int:
    """Return how many of the addresses *first*..*last* end in .0 or .255."""
    zeros = last // 256 - (first - 1) // 256
    return zeros + (last + 1) // 256 - first // 256
