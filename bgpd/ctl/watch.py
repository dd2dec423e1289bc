"""Show something again and again: redrawn at a terminal, only what is new in a pipe."""

import os
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bgpd.ctl.options import note
from bgpd.model.errors import TransientError

NEAR_SECONDS: Final = 1.0
"""Between two looks at a node that is at hand."""
FAR_SECONDS: Final = 5.0
"""Between two looks at a cluster: its agents write at most once a second, and the API has others to
serve."""
_HOME_AND_CLEAR: Final = "\x1b[H\x1b[2J"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A list that is looked at again and again."""

    look: Callable[[], Sequence[Any]]
    text: Callable[[Sequence[Any], bool], str]
    """The text of some items, with headers or without."""
    mark: Callable[[Any], Hashable]
    """What of an item is worth a new line when it changes."""
    name: Callable[[Any], str]
    every: float


def can_redraw() -> bool:
    """Return whether standard output is a terminal that understands how to be cleared."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def follow(watched: Watched) -> None:
    """Print a list, and again what of it changes, until interrupted.

    In a pipe a line is printed for each item that is new or different, as kubectl does.
    """
    redraw, before, headers = can_redraw(), dict[Hashable, str](), True
    for found in _looks(watched):
        if redraw:
            _redraw(watched.text(found, True))
            continue
        now = {watched.mark(one): watched.name(one) for one in found}
        new = [one for one in found if watched.mark(one) not in before]
        if new:
            sys.stdout.write(watched.text(new, headers))
            sys.stdout.flush()
            headers = False
        for name in sorted(set(before.values()) - set(now.values())):
            note(f"{name} is gone")
        before = now


def again(show: Callable[[float], str], *, every: float) -> None:
    """Print what *show* returns of the wall clock, and again when it changes, until interrupted.

    In a pipe, that time passed is no change.
    """
    redraw, before, began = can_redraw(), "", time.time()
    while True:
        now = time.time()
        if redraw:
            _redraw(show(now))
        elif (text := show(began)) != before:
            sys.stdout.write(text if not before else f"\n{text}")
            sys.stdout.flush()
            before = text
        time.sleep(every)


def _looks(watched: Watched) -> Iterator[Sequence[Any]]:
    """Yield each look; one that fails is a sentence, once, and not the end."""
    said = ""
    while True:
        try:
            found = watched.look()
        except TransientError as error:
            if str(error) != said:
                said = str(error)
                note(said)
        else:
            said = ""
            yield found
        time.sleep(watched.every)


def _redraw(text: str) -> None:
    sys.stdout.write(_HOME_AND_CLEAR + text)
    sys.stdout.flush()
