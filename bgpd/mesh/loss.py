"""How many heartbeats of a pair may be missing, given how many it loses anyway."""

import math
from typing import Final

from bgpd.mesh.settings import MAX_FULL_MESH

LOSS_WINDOW: Final = 256
"""Heartbeats over which the loss of a pair is measured."""
OUTAGE: Final = 20
"""A gap of more heartbeats than this is an outage, not loss."""
RARE_ALONE: Final = 1e-6
"""How likely random loss may look like a silence where nobody else is asked: in a mesh of
two, at twenty heartbeats a second, once in seven hours."""
RARE_TOGETHER: Final = 2e-7
"""The same for a whole mesh and one heartbeat, where a second member must agree."""
OBSERVERS: Final = 5
"""Members that judge one member beyond sixteen."""


def misses_allowed(*, multiplier: int, lost: int, of: int, members: int) -> int:
    """Return how many heartbeats of a pair may be missing, given its measured loss.

    Enough that random loss alone raises less than once in some hours for the whole mesh of
    *members*. Where a second member must agree it must have missed *multiplier* heartbeats
    itself; but the more members, the more there are to be accused, and to agree.

    Bounded by twice the multiplier plus one: at 50 ms x 3 that is 7, so that detection stays
    under 400 ms however lossy the network is.
    """
    most = 2 * multiplier + 1
    if lost < 2:
        return multiplier
    rate = lost / max(of, LOSS_WINDOW // 4)
    if rate >= 1:
        return most
    needed = math.ceil(math.log(_rare(rate, multiplier, members)) / math.log(rate))
    return max(multiplier, min(needed, most))


def _rare(rate: float, multiplier: int, members: int) -> float:
    if members <= 2:
        return RARE_ALONE
    observers = members - 1 if members <= MAX_FULL_MESH else OBSERVERS
    agreeing = min(1.0, (observers - 1) * rate**multiplier)
    return min(RARE_TOGETHER / (multiplier * members * observers * agreeing), 1.0)


class LossWindow:
    """Which of the last 256 heartbeats of one member arrived."""

    __slots__ = ("_highest", "_size", "_window")

    def __init__(self) -> None:
        self._highest: int | None = None
        self._window = 0
        self._size = 0

    def arrived(self, beat: int, *, whole: bool) -> None:
        """Count *beat*; unless *whole*, the gap before it says nothing about loss."""
        if self._highest is None:
            self._highest, self._window, self._size = beat, 1, 1
            return
        gap = (beat - self._highest) & 0xFFFFFFFF
        if gap >= 1 << 31:
            behind = (self._highest - beat) & 0xFFFFFFFF
            if behind < self._size:
                self._window |= 1 << behind
            return
        self._highest = beat
        if gap == 0:
            return
        if not whole or gap > OUTAGE:
            gap = 1
        self._window = ((self._window << gap) | 1) & ((1 << LOSS_WINDOW) - 1)
        self._size = min(self._size + gap, LOSS_WINDOW)

    @property
    def size(self) -> int:
        """How many heartbeats the window knows of."""
        return self._size

    @property
    def lost(self) -> int:
        """How many of them did not arrive."""
        return self._size - self._window.bit_count()
