"""docs/questions.md as a test needs it: the questions, and the commands that are printed below."""

import re
from typing import Final

from tests.lab.nodes import ROOT

PAGE: Final = ROOT / "docs" / "questions.md"
_SECTION: Final = re.compile(r"^## (\d+)$", re.MULTILINE)
_ROW: Final = re.compile(r"^\| \[(\d+)\]\(#\1\) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_COMMAND: Final = re.compile(r"^\$ (.+)$", re.MULTILINE)


def questions() -> dict[int, str]:
    """Return each question of the table by its number."""
    return {int(number): asked for number, asked, _ in _ROW.findall(PAGE.read_text())}


def answers() -> dict[int, str]:
    """Return what the table says to type, by the number of the question."""
    return {int(number): typed for number, _, typed in _ROW.findall(PAGE.read_text())}


def printed() -> dict[int, tuple[str, ...]]:
    """Return the commands of each section, as they are to be typed."""
    _, *parts = _SECTION.split(PAGE.read_text())
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {int(number): tuple(_COMMAND.findall(text)) for number, text in pairs}


def bgpctl(number: int) -> list[str]:
    """Return the commands of *number* that are ours, each alone."""
    parts = [part.strip() for line in printed()[number] for part in line.split(";")]
    return [part for part in parts if part.startswith("bgpctl ")]
