"""`bgpctl timeline --svg`: one thing that happened, a lane for each node, on one clock.

The silence before a decision is a hundred milliseconds and everything after it a few: one straight
scale would show either as nothing. So the axis has two parts, each with its own scale, and says
where the second begins. Uncertain clocks are bars as wide as they are uncertain.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from bgpd.ctl.columns import printable
from bgpd.ctl.timelinejoin import Joined, Row
from bgpd.ctl.timelinetable import clocks, moment, outage, summary, tenths
from bgpd.model.timeline import StepName

WIDTH: Final = 880
_LEFT: Final = 110
_RIGHT: Final = 30
_LANE: Final = 44
_TOP: Final = 96
_BREAK: Final = 0.3
"""The part of the width that the time before the first decision has."""
_COLORS: Final = {
    StepName.CAUSE: "#d55e00",
    StepName.DECISION: "#e69f00",
    StepName.COMMAND: "#56b4e9",
    StepName.FLUSHED: "#0072b2",
    StepName.SENT: "#009e73",
    StepName.LAST: "#999999",
}
"""Told apart by everybody (Okabe and Ito)."""
_WORDS: Final = {
    StepName.CAUSE: "cause seen",
    StepName.DECISION: "decision",
    StepName.COMMAND: "command to ExaBGP",
    StepName.FLUSHED: "flushed",
    StepName.SENT: "acknowledged",
    StepName.LAST: "last of several",
}


def picture(joined: Joined) -> str:
    """Return *joined* as an SVG document."""
    bottom = _TOP + _LANE * len(joined.nodes)
    notes = [*_notes(joined)]
    height = bottom + 84 + 16 * len(notes)
    place = _scale(joined)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
        ),
        f"<title>{_safe(_title(joined))}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(20, 28, _title(joined), size=15, weight="bold"),
        _text(20, 48, _cut(joined.cause, 120)),
        *_axis(joined, place, bottom),
        *(
            part
            for lane, node in enumerate(joined.nodes)
            for part in _lane(joined, node, lane, place)
        ),
        *_legend(joined, bottom + 48),
        *(_text(20, bottom + 76 + 16 * n, note, size=11) for n, note in enumerate(notes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _title(joined: Joined) -> str:
    what = joined.kind
    if joined.kind == "takeover":
        what += f" to generation {joined.generation}"
    return f"{moment(joined.at)} {what}"


def _notes(joined: Joined) -> Iterator[str]:
    if told := summary(joined):
        yield told[:1].upper() + told[1:]
    if lost := outage(joined):
        yield lost
    yield from clocks(joined.pairs, joined.nodes[0])


def _scale(joined: Joined) -> Callable[[float], float]:
    """Return where a moment is: the first part of the width is for the time before decisions."""
    begin = min((row.milliseconds for row in joined.rows), default=0.0)
    end = max((row.milliseconds for row in joined.rows), default=1.0)
    decision = joined.first(StepName.DECISION)
    turn = begin if decision is None else decision.milliseconds
    whole = WIDTH - _LEFT - _RIGHT
    first = whole * _BREAK if turn > begin else 0.0

    def place(at: float) -> float:
        if at <= turn:
            return _LEFT + (first * (at - begin) / (turn - begin) if turn > begin else 0.0)
        return _LEFT + first + (whole - first) * (at - turn) / (end - turn)

    return place


def _axis(joined: Joined, place: Callable[[float], float], bottom: int) -> Iterator[str]:
    marks: dict[float, str] = {}
    for step in (StepName.CAUSE, StepName.DECISION, StepName.FLUSHED, StepName.SENT):
        row = joined.last(step) if step is StepName.SENT else joined.first(step)
        if row is not None:
            marks[row.milliseconds] = f"{tenths(row.milliseconds)} ms"
    taken = float("-inf")
    for at, words in sorted(marks.items()):
        x = place(at)
        yield _line(x, _TOP - 12, x, bottom, "#dddddd")
        row_up = 16 if x - taken < 64 else 0
        taken = x if not row_up else taken
        yield _text(x, _TOP - 16 - row_up, words, size=11, anchor="middle")


def _lane(joined: Joined, node: str, lane: int, place: Callable[[float], float]) -> Iterator[str]:
    y = _TOP + _LANE * lane + _LANE / 2
    rows = [row for row in joined.rows if row.node == node]
    yield _text(20, y + 4, _cut(node or "?", 13), weight="bold")
    if rows:
        yield _line(place(rows[0].milliseconds), y, place(rows[-1].milliseconds), y, "#888888", 2)
    for row in rows:
        yield _mark(row, place, y)


def _mark(row: Row, place: Callable[[float], float], y: float) -> str:
    step = StepName(row.step)
    x, unsure = place(row.milliseconds), row.uncertainty
    sure = "" if unsure == 0 else " ± ?" if unsure is None else f" ± {unsure:.3f}"
    words = f"{row.node} {_WORDS[step]} {row.detail}".rstrip()
    tip = f"<title>{_safe(f'{words}: {row.milliseconds:.3f}{sure} ms')}</title>"
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_COLORS[step]}"/>'
    if unsure:
        low, high = place(row.milliseconds - unsure), place(row.milliseconds + unsure)
        low = max(low, float(_LEFT) - 8)
        shape = (
            f'<rect x="{low:.1f}" y="{y - 9:.1f}" width="{max(high - low, 1):.1f}" height="18"'
            f' fill="{_COLORS[step]}" fill-opacity="0.25"/>{shape}'
        )
    return f"<g>{tip}{shape}</g>"


def _legend(joined: Joined, y: int) -> Iterator[str]:
    there = {row.step for row in joined.rows}
    x = float(_LEFT)
    for step in StepName:
        if step in there:
            yield f'<circle cx="{x:.1f}" cy="{y - 4}" r="5" fill="{_COLORS[step]}"/>'
            yield _text(x + 10, y, _WORDS[step], size=11)
            x += 36 + 6.2 * len(_WORDS[step])


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: int = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"'
        f' stroke-width="{width}"/>'
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    weight: str = "normal",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}" fill="#222222">{_safe(words)}</text>'
    )


def _safe(text: str) -> str:
    return escape(printable(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
