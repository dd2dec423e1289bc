"""A dashboard as one page that needs nothing else: no Grafana, no network, no file beside it.

The page is laid out as Grafana lays out a dashboard, on 24 columns, and drawn here. It is for
pictures and for tests, and says so itself. A panel of a type that is not known here is an error.
The browser that shows the page looks at it too: its script counts in each panel what shows data,
and names texts that cover each other or are cut off.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from tests.chart import pageplot
from tests.chart.pagedata import Line, Shown
from tests.chart.pagetiles import legend, table, tiles

WIDTH: Final = 1400
_COLUMNS: Final = 24
_GAP: Final = 8
_CELL: Final = 38
"""A row of the grid, with the gap below it."""
_SIDE: Final = 16
_COLUMN: Final = (WIDTH - 2 * _SIDE + _GAP) / _COLUMNS
_HEADER: Final = 92
_TITLE: Final = 32
_PADDING: Final = 10
_LETTERS: Final = (13.0, 0.57)
"""The size of a title, and the width of a letter by that; titles that are long are smaller."""
_NOTE: Final = "Our own page over series recorded in the lab; this is not Grafana"

_STYLE: Final = """
* { box-sizing: border-box; margin: 0; }
body { background: #111217; color: #ccccdc; font: 13px Inter, 'DejaVu Sans', sans-serif;
  position: relative; overflow: hidden; }
header { position: absolute; inset: 0 0 auto 0; padding: 12px 16px; }
header div { display: flex; align-items: center; gap: 8px; height: 32px; }
header b { font-size: 16px; font-weight: 500; color: #fff; }
header .box { border: 1px solid #34363d; border-radius: 2px; padding: 0 10px; line-height: 28px;
  background: #181b1f; }
header .name { background: #22252b; color: #6e9fff; border-right: 0; margin-right: -8px; }
header .far { margin-left: auto; }
header .note { color: #9a9aa8; font-style: italic; }
section { position: absolute; background: #181b1f; border: 1px solid #25272d; border-radius: 2px;
  overflow: hidden; padding: 0 10px; }
section h2 { font-size: 13px; font-weight: 500; line-height: 32px; height: 32px;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; color: #d8d9e4; }
section.row { background: none; border: 0; padding: 0 2px; }
section.row h2 { font-size: 15px; line-height: 30px; height: 30px; color: #fff; }
section.row h2::before { content: '⌄'; color: #9a9aa8; margin-right: 8px; }
svg { display: block; font-size: 11px; }
svg text { fill: #a3a4b0; }
svg text.state { fill: #101114; font-weight: 500; }
.grid { stroke: #ccccdc; stroke-opacity: .08; }
.event { stroke: #ff9830; stroke-dasharray: 3 3; }
.flag { fill: #ff9830; }
path.mark { stroke-linejoin: round; }
.tiles { display: flex; gap: 8px; height: calc(100% - 42px); }
.tile { flex: 1; border-radius: 2px; display: flex; flex-direction: column; align-items: center;
  justify-content: center; color: #fff; font-weight: 500; line-height: 1.15; white-space: nowrap;
  background: color-mix(in srgb, var(--color) 78%, #111217); }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th { text-align: left; font-weight: 500; color: #6e9fff; }
th, td { height: 30px; padding: 0 6px; border-bottom: 1px solid #25272d; white-space: nowrap; }
.legend { overflow: hidden; font-size: 12px; line-height: 19px; }
.legend .name { display: inline-block; margin-right: 14px; white-space: nowrap; }
.legend i { display: inline-block; width: 14px; height: 4px; border-radius: 2px;
  margin-right: 6px; vertical-align: 3px; }
.none { color: #9a9aa8; text-align: center; padding-top: 60px; }
"""

_SCRIPT: Final = """
const box = one => one.getBoundingClientRect();
const within = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1
  && a.bottom <= b.bottom + 1;
const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1
  || b.bottom <= a.top + 1;
for (const panel of document.querySelectorAll('section')) {
  const whole = box(panel);
  const seen = [...panel.querySelectorAll('.mark')].filter(
    one => box(one).width + box(one).height > 0 && !apart(box(one), whole));
  const hidden = one => one.closest('table, .legend') && !within(box(one), box(one.closest(
    '.legend') || panel));
  const texts = [...panel.querySelectorAll('.label')].filter(one => !hidden(one));
  const cut = texts.filter(one => !within(box(one), whole));
  const title = panel.querySelector('h2');
  if (title.scrollWidth > title.clientWidth) cut.push(title);
  const covered = [];
  texts.forEach((one, index) => texts.slice(index + 1).forEach(other => {
    if (!apart(box(one), box(other))) covered.push(one.textContent + ' | ' + other.textContent);
  }));
  panel.dataset.marks = seen.length;
  panel.dataset.cut = cut.map(one => one.textContent).join('; ');
  panel.dataset.covered = covered.join('; ');
}
"""


def page(shown: Shown) -> str:
    """Return the dashboard as HTML."""
    panels = "".join(_placed(panel, shown) for panel in shown.board["panels"])
    title = escape(shown.board["title"])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n"
        f'<body style="width:{WIDTH}px;height:{height(shown.board)}px">'
        f"{_header(shown)}{panels}<script>{_SCRIPT}</script></body></html>\n"
    )


def height(board: Mapping[str, Any]) -> int:
    """Return how many pixels high the page of *board* is."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return _HEADER + int(rows) * _CELL + _SIDE - _GAP


def _header(shown: Shown) -> str:
    start, end = (datetime.fromtimestamp(at, UTC) for at in (shown.start, shown.end))
    boxes = "".join(
        f'<span class="box name">{escape(name)}</span><span class="box">{escape(value)}</span>'
        for name, value in shown.choices
    )
    return (
        f"<header><div>Dashboards &rsaquo; <b>{escape(shown.board['title'])}</b>"
        f'<span class="box far">{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC</span></div>'
        f'<div style="margin-top:6px">{boxes}<span class="far note">{_NOTE}</span></div></header>'
    )


def _width(panel: Mapping[str, Any]) -> float:
    return float(panel["gridPos"]["w"] * _COLUMN - _GAP)


def _letters(panel: Mapping[str, Any], board: Mapping[str, Any]) -> float:
    """Return the size of a title's letters: one for all panels that stand beside each other."""
    beside = [one for one in board["panels"] if one["gridPos"]["y"] == panel["gridPos"]["y"]]
    most, wide = _LETTERS
    room = [(_width(one) - 2 * _PADDING - 2) / (len(one["title"]) * wide) for one in beside]
    return min(most, *room)


def _placed(panel: Mapping[str, Any], shown: Shown) -> str:
    place = panel["gridPos"]
    width, tall = _width(panel), place["h"] * _CELL - _GAP
    where = (
        f"left:{_SIDE + place['x'] * _COLUMN:.1f}px;top:{_HEADER + place['y'] * _CELL}px;"
        f"width:{width:.1f}px;height:{tall}px"
    )
    kind = panel["type"]
    size = (width - 2 * _PADDING - 2, tall - _TITLE - _PADDING)
    if kind == "row":
        title, inside = f"<h2>{escape(panel['title'])}</h2>", ""
    else:
        letters = _letters(panel, shown.board)
        title = f'<h2 style="font-size:{letters:.1f}px">{escape(panel["title"])}</h2>'
        inside = _drawn(panel, shown, size)
    return f'\n<section class="{escape(kind)}" style="{where}">{title}{inside}</section>'


def _drawn(panel: Mapping[str, Any], shown: Shown, size: tuple[float, float]) -> str:
    """Return what a panel shows within its title and its edges."""
    if panel["fieldConfig"]["overrides"]:
        raise ValueError(f"{panel['title']}: no overrides in our pictures")
    found, span = shown.lines[panel["id"]], (shown.start, shown.end)
    if not found:
        return '<div class="none">No data</div>'
    match panel["type"]:
        case "stat":
            return tiles(found, panel, size)
        case "table":
            return table(found, panel)
        case "state-timeline":
            return pageplot.states(found, panel, size, span)
        case "timeseries":
            return _timeseries(found, panel, shown, size)
        case other:
            raise ValueError(f"{panel['title']}: no such panel in our pictures: {other!r}")


def _timeseries(
    found: Sequence[Line], panel: Mapping[str, Any], shown: Shown, size: tuple[float, float]
) -> str:
    names, below = "", 0.0
    if panel["options"]["legend"]["showLegend"]:
        names, below = legend(found, size)
    graph = (size[0], size[1] - below)
    return pageplot.lines(found, panel, graph, (shown.start, shown.end), shown.marks) + names
