"""When to ask, so that thousands of probes never ask at one instant.

Each thing has a place of its own in its period, a hash of its key moved by *salt*: a number that
each process draws once, so that nodes which ask the same thing do not do so together. Whoever is
new is asked within a second, at random, and takes its place after that.

Being woken costs more than asking, so the places are slots of 10 ms and more, and what waits for
an answer is looked at on such a grid: a few at a time.
"""

import math
from collections.abc import Hashable
from hashlib import blake2b
from typing import Final

SOON: Final = 1.0
"""Seconds within which a new thing is asked for the first time, however long its period."""

_SLOT: Final = 0.01
_SLOTS: Final = (10, 100)
"""A period has so many slots, of 10 ms where that fits."""


def place(key: Hashable, salt: float) -> float:
    """Return where in its period *key* is asked, 0 <= place < 1; *salt* is such a number, too."""
    digest = blake2b(repr(key).encode(), digest_size=6).digest()
    return (int.from_bytes(digest) / 2**48 + salt) % 1.0


def first_due(now: float, period: float, jitter: float) -> float:
    """Return when something new is asked first; *jitter* is random, 0 <= jitter < 1."""
    return now + min(period, SOON) * jitter


def next_due(now: float, period: float, place: float) -> float:
    """Return the first moment after *now* that is *place* of a period; moments missed are gone."""
    due = (math.floor(now / period - place) + 1.0 + place) * period
    return due if due > now else due + period


def slotted(place: float, period: float) -> float:
    """Return where the slot begins that holds *place* of *period*."""
    least, most = _SLOTS
    slots = min(max(round(period / _SLOT), least), most)
    return math.floor(place * slots) / slots


def looked_at(deadline: float, timeout: float) -> float:
    """Return when to look whether *deadline*, that of a wait of *timeout* seconds, has passed."""
    slot = min(_SLOT, timeout / _SLOTS[0])
    return max(deadline, math.ceil(deadline / slot) * slot)
