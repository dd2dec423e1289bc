"""A picture of a terminal: lines of text in, one SVG out, the same bytes each time.

Each line has the width that its characters have in the terminal, so that columns stand below each
other whatever monospaced font the reader has.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from bgpd.ctl.topframe import Line, Tone

COLUMNS: Final = 80
_CELL: Final = 7.8
_LINE: Final = 17
_FONT: Final = 13
_SIDE: Final = 16
_TOP: Final = 34
_BOTTOM: Final = 16
_BACKGROUND: Final = "#1b1f24"
_TEXT: Final = "#d7dde4"
_BULLETS: Final = "#4a525c"
_COLORS: Final[Mapping[Tone, str]] = {
    Tone.PLAIN: _TEXT,
    Tone.TITLE: "#ffffff",
    Tone.FINE: "#7ee08a",
    Tone.BAD: "#ff9b8f",
}


def picture(title: str, lines: Sequence[Line]) -> str:
    """Return *lines* as a terminal shows them; *title* is what a screen reader says first."""
    height = _TOP + _LINE * len(lines) + _BOTTOM
    width = round(2 * _SIDE + COLUMNS * _CELL)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" font-size="{_FONT}"'
            ' font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{_BACKGROUND}"/>',
        *(f'<circle cx="{_SIDE + 4 + 16 * n}" cy="16" r="5" fill="{_BULLETS}"/>' for n in range(3)),
        *(part for row, line in enumerate(lines) for part in _line(row, line)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(row: int, line: Line) -> Iterator[str]:
    text = line.text.lstrip(" ")
    if not text:
        return
    if len(line.text) > COLUMNS:
        raise ValueError(f"{line.text!r} is wider than a terminal of {COLUMNS} columns")
    x = _SIDE + _CELL * (len(line.text) - len(text))
    y = _TOP + _LINE * row + _FONT
    weight = ' font-weight="bold"' if line.tone is Tone.TITLE else ""
    yield (
        f'<text x="{x:.1f}" y="{y}" fill="{_COLORS[line.tone]}"{weight} xml:space="preserve"'
        f' textLength="{_CELL * len(text):.1f}">{escape(text)}</text>'
    )
