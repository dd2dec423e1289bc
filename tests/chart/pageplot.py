"""Graphs of a dashboard's page: lines over time and states over time, as SVG within the page.

`mark` is the class of what shows data and `label` that of text: the page's script counts the ones,
and looks for others that cover each other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from tests.chart.pagedata import Line, Mark
from tests.chart.pagetext import PALETTE, look, ticks, written
from tests.chart.prometheus import STEP_SECONDS

LETTER: Final = 6.7
"""Pixels of a letter of a label, rather too many."""
_BELOW: Final = 24
_ABOVE: Final = 6
_RIGHT: Final = 8
_TICK_HEIGHT: Final = 38
_TICK_WIDTH: Final = 78
_ROW_LABEL: Final = 13
_EMPTY: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where within the picture the graph is, and what its edges are."""

    left: float
    top: float
    width: float
    height: float
    start: float
    end: float
    low: float = 0.0
    high: float = 1.0

    def x(self, at: float) -> float:
        """Return where a moment is."""
        return round(self.left + self.width * (at - self.start) / (self.end - self.start), 2)

    def y(self, value: float) -> float:
        """Return where a number is."""
        part = (value - self.low) / (self.high - self.low)
        return round(self.top + self.height * (1 - part), 2)


Size = tuple[float, float]
Span = tuple[float, float]


def lines(
    shown: Sequence[Line], panel: Mapping[str, Any], size: Size, span: Span, marks: Sequence[Mark]
) -> str:
    """Return the graph of a panel of numbers over time."""
    defaults = panel["fieldConfig"]["defaults"]
    low, high = _range(shown, defaults)
    wanted = max(2, round((size[1] - _ABOVE - _BELOW) / _TICK_HEIGHT))
    steps = ticks(low, high, wanted, defaults["unit"])
    names = [written(step, defaults["unit"]) for step in steps]
    left = max(map(len, names)) * LETTER + 10
    frame = _frame(size, span, left, low=low, high=high)
    return _svg(
        size,
        *_grid(frame, steps, names),
        *_moments(frame),
        *(part for mark in marks for part in _marked(frame, mark)),
        *(
            part
            for index, line in enumerate(shown)
            for part in _line(frame, line, PALETTE[index % len(PALETTE)], defaults["custom"])
        ),
    )


def states(shown: Sequence[Line], panel: Mapping[str, Any], size: Size, span: Span) -> str:
    """Return the graph of a panel of states over time: a row for each series."""
    defaults, options = panel["fieldConfig"]["defaults"], panel["options"]
    left = max(len(line.legend) for line in shown) * LETTER + 12
    frame = _frame(size, (span[0], span[1] + STEP_SECONDS), left)
    height = frame.height / len(shown)
    every = math.ceil(_ROW_LABEL / height)
    parts = list(_moments(frame))
    for index, line in enumerate(shown):
        middle = frame.top + height * (index + 0.5)
        if index % every == 0:
            parts.append(_text(frame.left - 8, middle + 4, line.legend, anchor="end"))
        box = (round(middle - height * options["rowHeight"] / 2, 2), height * options["rowHeight"])
        parts += _row(frame, line, defaults, box)
    return _svg(size, *parts)


def _frame(size: Size, span: Span, left: float, **edges: float) -> Frame:
    return Frame(
        left=left,
        top=_ABOVE,
        width=size[0] - left - _RIGHT,
        height=size[1] - _ABOVE - _BELOW,
        start=span[0],
        end=span[1],
        **edges,
    )


def _range(shown: Sequence[Line], defaults: Mapping[str, Any]) -> Span:
    """Return the lowest and the highest number of the axis; 0 is on it."""
    values = [value for line in shown for _, value in line.points]
    low = defaults.get("min", min(0.0, *values))
    high = defaults.get("max", max(0.0, *values) * 1.08)
    return (low, high) if high - low > _EMPTY else (low, low + 1.0)


def _svg(size: Size, *parts: str) -> str:
    width, height = (round(one) for one in size)
    inside = "".join(parts)
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">{inside}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "label") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'


def _grid(frame: Frame, steps: Sequence[float], names: Sequence[str]) -> Iterator[str]:
    for step, name in zip(steps, names, strict=True):
        y = frame.y(step)
        yield f'<path class="grid" d="M{frame.left:.1f} {y}H{frame.left + frame.width:.1f}"/>'
        yield _text(frame.left - 6, y + 4, name, anchor="end")


def _moments(frame: Frame) -> Iterator[str]:
    """Yield the axis of time: full minutes, so many that their names have room."""
    minutes = (frame.end - frame.start) / 60
    room = max(1, math.floor(frame.width / _TICK_WIDTH))
    every = next(one for one in (1, 2, 5, 10, 15, 30, 60) if minutes / one <= room) * 60
    bottom = frame.top + frame.height
    for at in range(math.ceil(frame.start / every) * every, math.floor(frame.end) + 1, every):
        x = frame.x(at)
        yield f'<path class="grid" d="M{x} {frame.top:.1f}V{bottom:.1f}"/>'
        if frame.left - 4 <= x <= frame.left + frame.width - 12:
            yield _text(x, bottom + 18, f"{datetime.fromtimestamp(at, UTC):%H:%M}")


def _marked(frame: Frame, mark: Mark) -> Iterator[str]:
    x, bottom = frame.x(mark.at), frame.top + frame.height
    yield (
        f'<path class="event" d="M{x} {frame.top:.1f}V{bottom:.1f}">'
        f"<title>{escape(mark.text)}</title></path>"
        f'<path class="flag" d="M{x - 4:.1f} {bottom + 5:.1f}h8l-4 -5z"/>'
    )


def _line(frame: Frame, line: Line, color: str, custom: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line with what is below it, broken where nobody could be asked."""
    if custom["drawStyle"] != "line" or custom["spanNulls"]:
        raise ValueError(f"no such style in our pictures: {custom}")
    base = frame.y(max(frame.low, 0.0))
    for points in _runs(line.points):
        places = [(frame.x(at), frame.y(value)) for at, value in points]
        if len(places) == 1:
            x, y = places[0]
            yield f'<circle class="mark" cx="{x}" cy="{y}" r="2" fill="{color}"/>'
            continue
        way = "L".join(f"{x} {y}" for x, y in places)
        area = f"M{places[0][0]} {base}L{way}V{base}Z"
        yield f'<path d="{area}" fill="{color}" fill-opacity="{custom["fillOpacity"] / 100}"/>'
        width = custom["lineWidth"] + 0.4
        yield f'<path class="mark" d="M{way}" fill="none" stroke="{color}" stroke-width="{width}"/>'


def _runs(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for point in points:
        if run and point[0] - run[-1][0] > STEP_SECONDS:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _row(
    frame: Frame, line: Line, defaults: Mapping[str, Any], box: tuple[float, float]
) -> Iterator[str]:
    """Yield a bar for as long as a state lasts, with its name where that has room."""
    top, height = box
    opacity = defaults["custom"]["fillOpacity"] / 100
    for run in _runs(line.points):
        for value, start, end in _lasting(run):
            text, color = look(value, defaults)
            left, right = frame.x(start), frame.x(end)
            place = f'x="{left}" y="{top:.2f}" width="{right - left:.2f}" height="{height:.2f}"'
            yield f'<rect class="mark" {place} rx="1" fill="{color}" fill-opacity="{opacity}"/>'
            if right - left > len(text) * LETTER + 10 and height >= _ROW_LABEL:
                middle = top + height / 2 + 4
                yield _text((left + right) / 2, middle, text, kind="label state")


def _lasting(run: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """Yield each value with its first moment and the one at which it is another."""
    start = 0
    for index in range(1, len(run) + 1):
        if index == len(run) or run[index][1] != run[start][1]:
            end = run[index][0] if index < len(run) else run[-1][0] + STEP_SECONDS
            yield run[start][1], run[start][0], end
            start = index
