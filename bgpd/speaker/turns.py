"""Rows made over as many turns of the loop as they ask for: heartbeats come and go in between."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from bgpd.speaker.rows import PIECE

_AT_ONCE: Final = 2
"""Pieces of one turn."""


class Pieces(Protocol):
    """Something that is made piece by piece."""

    complete: bool

    def go_on(self, most: int = PIECE) -> None:
        """Make the next piece."""


P = TypeVar("P", bound=Pieces)


def make(rows: P, done: Callable[[P, float], None], spent: float = 0.0) -> None:
    """Make *rows*, in one go where they are few, then call *done*.

    It also hears how many CPU seconds that took: *spent* and the pieces.
    """
    began = time.thread_time()
    for _ in range(_AT_ONCE):
        if not rows.complete:
            rows.go_on(PIECE)
    spent += time.thread_time() - began
    if rows.complete:
        done(rows, spent)
    else:
        asyncio.get_running_loop().call_soon(make, rows, done, spent)
