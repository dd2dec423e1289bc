"""Text in columns for a terminal of 80, and for pipes: no boxes, nothing that drives a terminal."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 80
NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
_LEAST: Final = 6
"""No column is cut below this."""


def columns(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int | None = WIDTH,
    flexible: Sequence[int] = (),
) -> str:
    """Return rows below a header, two blanks between columns, no line over *width*.

    The columns in *flexible* give way, the last one first; what is cut ends in an ellipsis.
    """
    table = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    if width is not None:
        for index in reversed(flexible):
            excess = sum(widths) + 2 * (len(widths) - 1) - width
            widths[index] -= max(0, min(excess, widths[index] - max(_LEAST, len(header[index]))))
    return "".join(f"{_row(row, widths)}\n" for row in table)


def duration(seconds: float | None) -> str:
    """Return *seconds* with the two largest units, as kubectl shows ages."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    for (unit, size), (below, small) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("m", 60)),
        (("m", 60), ("s", 1)),
    ):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit}{rest}{below}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"


def counted(number: int, noun: str) -> str:
    """Return `1 route` or `2 routes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """Return *text* without what could drive a terminal: some of it comes from routers."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def wrapped(text: str, *, width: int = WIDTH, indent: str = "") -> str:
    """Return *text* broken into lines of at most *width*, all but the first indented."""
    lines = textwrap.wrap(
        printable(text),
        width,
        subsequent_indent=indent,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return "\n".join(lines)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell if len(cell) <= width else cell[: width - 1] + "…"
        for cell, width in zip(row, widths, strict=True)
    )
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
