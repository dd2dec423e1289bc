"""A terminal that is drawn over again and again without flicker, and left as it was found.

Only lines that changed are written, all of a frame in one write, on the terminal's other screen;
so what was there before comes back at the end, also after an error, Ctrl-C or SIGTERM.
"""

import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn, Self, TextIO

from bgpd.ctl.topframe import Line, Tone

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_CLEAR: Final = "\x1b[2J"
_REST: Final = "\x1b[K"
_COLORS: Final[Mapping[Tone, str]] = {
    Tone.TITLE: "\x1b[1m",
    Tone.FINE: "\x1b[32m",
    Tone.BAD: "\x1b[31m",
}
_PLAIN: Final = "\x1b[0m"


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


class Screen:
    """The terminal at *output*, with keys from *keys*; use it as a context."""

    def __init__(self, *, color: bool, output: TextIO = sys.stdout, keys: int = 0) -> None:
        self._color = color
        self._output = output
        self._keys = keys
        self._before: termios._AttrReturn | None = None
        self._size = (0, 0)
        self._shown: tuple[Line, ...] = ()
        self._on_end: Callable[[int, FrameType | None], object] | int | None = None

    def __enter__(self) -> Self:
        if os.isatty(self._keys):
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        # `timeout 60 bgpctl top` ends it so: then, too, the terminal is left as it was found.
        self._on_end = signal.signal(signal.SIGTERM, _end)
        self._write(_ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        self._write(_LEAVE)
        signal.signal(signal.SIGTERM, self._on_end)
        if self._before is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now: a person may change them at any time."""
        found = shutil.get_terminal_size()
        with suppress(OSError):
            found = os.get_terminal_size(self._output.fileno())
        return found.columns, found.lines

    def show(self, lines: Sequence[Line]) -> None:
        """Make *lines* what is seen."""
        text = ""
        if self.size != self._size:
            self._size = self.size
            self._shown = ()
            text = _CLEAR
        for row in range(max(len(lines), len(self._shown))):
            new = lines[row] if row < len(lines) else Line("")
            old = self._shown[row] if row < len(self._shown) else Line("")
            if new != old:
                text += f"\x1b[{row + 1};1H{self._painted(new)}{_REST}"
        self._shown = tuple(lines)
        if text:
            self._write(text)

    def key(self, seconds: float) -> str:
        """Return the key that is pressed within *seconds*, or the empty string."""
        if self._before is None:
            select.select([], [], [], seconds)
            return ""
        ready, _, _ = select.select([self._keys], [], [], seconds)
        return os.read(self._keys, 1).decode(errors="replace") if ready else ""

    def _painted(self, line: Line) -> str:
        color = _COLORS.get(line.tone, "") if self._color else ""
        return f"{color}{line.text}{_PLAIN}" if color else line.text

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
