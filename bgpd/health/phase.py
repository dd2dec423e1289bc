"""When to ask, so that thousands of probes never ask at one instant.

Each thing has a place of its own in its period, a hash of its key moved by *salt*: a number that
each process draws once, so that nodes which ask the same thing do not do so together. Whoever is
new is asked within a second, at random, and takes its place after that.
"""

import math
from collections.abc import Hashable
from hashlib import blake2b
from typing import Final

SOON: Final = 1.0
"""Seconds within which a new thing is asked for the first time, however long its period."""


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
