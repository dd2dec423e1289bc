"""Panels of a dashboard's page that are no graphs: numbers in colored tiles, tables, legends."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from tests.chart.pagedata import Line
from tests.chart.pageplot import LETTER
from tests.chart.pagetext import PALETTE, look, written

LEGEND_LINE: Final = 19
_LEGEND_PART: Final = 0.35
"""How much of a panel its legend may have at most."""
_BULLET: Final = 34
"""Pixels of a name in a legend beside its letters."""
_BIGGEST: Final = 56
_DIGIT: Final = 0.62
"""The width of a letter of a big text, by its size."""
_GAP: Final = 8
_NAME: Final = 0.4
"""The size of a tile's name, by that of its number."""


def tiles(shown: Sequence[Line], panel: Mapping[str, Any], size: tuple[float, float]) -> str:
    """Return the panel of numbers as they are now."""
    options, defaults = panel["options"], panel["fieldConfig"]["defaults"]
    known = (options["colorMode"], options["graphMode"], options["reduceOptions"]["calcs"])
    if known != ("background", "none", ["lastNotNull"]):
        raise ValueError(f"no such tiles in our pictures: {known}")
    width = (size[0] - _GAP * (len(shown) - 1)) / len(shown)
    found = "".join(_tile(line, options, defaults, (width, size[1]), len(shown)) for line in shown)
    return f'<div class="tiles">{found}</div>'


def _tile(
    line: Line,
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
    size: tuple[float, float],
    count: int,
) -> str:
    text, color = look(line.last, defaults)
    match options["textMode"]:
        case "name":
            text, name = line.legend, ""
        case "auto":
            name = line.legend if count > 1 else ""
        case other:
            raise ValueError(f"no such text of a tile in our pictures: {other!r}")
    room = (size[0] - 24) / _DIGIT
    biggest = min(_BIGGEST, room / len(text), size[1] * 0.5)
    parts = []
    if name:
        small = min(biggest * _NAME, room / len(name), 18)
        parts.append(f'<span class="label" style="font-size:{small:.0f}px">{escape(name)}</span>')
    parts.append(
        f'<span class="mark label" style="font-size:{biggest:.0f}px">{escape(text)}</span>'
    )
    return f'<div class="tile" style="--color:{color}">{"".join(parts)}</div>'


def table(shown: Sequence[Line], panel: Mapping[str, Any]) -> str:
    """Return the panel of rows: a column for each label and one for the number."""
    hidden: set[str] = set()
    for change in panel["transformations"]:
        match change["id"]:
            case "merge":
                pass
            case "organize":
                told = change["options"]
                if told["indexByName"] or told["renameByName"]:
                    raise ValueError("no such order of columns in our pictures")
                hidden |= {name for name, left_out in told["excludeByName"].items() if left_out}
            case other:
                raise ValueError(f"no such transformation in our pictures: {other!r}")
    columns = sorted({name for line in shown for name in line.labels} - hidden)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    head = "".join(f"<th>{escape(name)}</th>" for name in (*columns, "Value"))
    rows = "".join(
        f'<tr class="mark">{"".join(_cells(line, columns, unit))}</tr>' for line in shown
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(line: Line, columns: Sequence[str], unit: str) -> Iterator[str]:
    for text in (*(line.labels.get(name, "") for name in columns), written(line.last, unit)):
        yield f'<td><span class="label">{escape(text)}</span></td>'


def legend(shown: Sequence[Line], size: tuple[float, float]) -> tuple[str, float]:
    """Return the names of the lines below a graph, and how high that is."""
    rows, used = 1, 0.0
    for line in shown:
        width = len(line.legend) * LETTER + _BULLET
        if used and used + width > size[0]:
            rows, used = rows + 1, 0.0
        used += width
    most = max(1, int(size[1] * _LEGEND_PART / LEGEND_LINE))
    height = min(rows, most) * LEGEND_LINE
    names = "".join(
        f'<span class="name"><i style="background:{PALETTE[index % len(PALETTE)]}"></i>'
        f'<span class="label">{escape(line.legend)}</span></span>'
        for index, line in enumerate(shown)
    )
    return f'<div class="legend" style="height:{height}px">{names}</div>', float(height)
