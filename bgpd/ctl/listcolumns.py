"""One column of a list, and a table of some: what is shown of it, what yields, what is news.

Pure functions of items and of *now*. No line of a table is wider than 80 columns; `-o wide` has no
such bound, and more columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bgpd.ctl.columns import NONE, WIDTH, columns

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[T]):
    """One column: its header, and the cell of an item."""

    header: str
    cell: Callable[[T, float], str]
    wide: bool = False
    """Whether it is only shown with `-o wide`."""
    whole: bool | None = None
    """Only shown for all nodes of a cluster (True), or only for one of them (False)."""
    spaced: bool | None = None
    """Only shown where namespaces have a column of their own (True), or where they have none."""
    restless: bool = False
    """Whether it changes by itself: then a change is no news to who watches."""
    yields: int = 0
    """How soon it is cut where a line would be too wide: the largest first; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a person wants of a table."""

    wide: bool = False
    whole: bool = False
    """Whether it lists what all nodes of a cluster have."""
    spaced: bool = False
    """Whether namespaces have a column of their own."""
    headers: bool = True


def render(every: Sequence[Column[T]], items: Iterable[T], *, now: float, shape: Shape) -> str:
    """Return *items* as a table; *now* is the wall clock."""
    shown = [
        one
        for one in every
        if (shape.wide or not one.wide)
        and one.whole in {None, shape.whole}
        and one.spaced in {None, shape.spaced}
    ]
    rows = [tuple(one.cell(item, now) or NONE for one in shown) for item in items]
    giving = sorted((i for i, one in enumerate(shown) if one.yields), key=lambda i: shown[i].yields)
    header = [one.header for one in shown]
    text = columns(header, rows, width=None if shape.wide else WIDTH, flexible=giving)
    return text if shape.headers else text.partition("\n")[2]


def mark(every: Sequence[Column[T]], item: T) -> tuple[str, ...]:
    """Return what of *item* is news when it changes."""
    return tuple(one.cell(item, 0.0) for one in every if not one.restless)
