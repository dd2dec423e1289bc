"""Where in a file a mistake stands: line and column of a field, or of what is no YAML at all.

The readers of `bgpd.kube` name a document and a path; a person looks for a line. This reads the
text once more for its marks alone, after something was found to be wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

_STEP: Final = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)')
_NUMBERED: Final = re.compile(r"\b(document|item) (\d+)")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_LINE: Final = re.compile(r"\bline (\d+)")
_HEADS: Final = ("apiVersion", "kind", "metadata.name")
"""Fields that a sentence names where the document could not be read further."""


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """One place in a text, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return it as compilers do."""
        return f"{self.line}:{self.column}"


class Marks:
    """Every place of one file."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._broken: Spot | None = None
        self._documents = list(self._composed(text))

    def of(self, place: str, path: str, message: str) -> Spot | None:
        """Return where the field *path* of the document at *place* stands, as far as it exists.

        *place* may name a document and an item of it; *message* may name a byte or a line, where
        there is no path.
        """
        found = self._said(message)
        if found is not None:
            return found
        numbers = dict(_NUMBERED.findall(place))
        at = int(numbers.get("document", 1)) - 1
        if at >= len(self._documents):
            return self._broken
        node = self._documents[at]
        if "item" in numbers:
            node = _below(_below(node, "items") or node, int(numbers["item"]) - 1) or node
        return _spot(_last(node, path or _head(message)))

    def _said(self, message: str) -> Spot | None:
        if byte := _BYTE.search(message):
            before = self._text[: int(byte[1])].decode(errors="replace")
            return Spot(before.count("\n") + 1, len(before) - before.rfind("\n"))
        if " is not YAML" in message and self._broken is not None:
            return self._broken
        if line := _LINE.search(message):
            text = self._text.decode(errors="replace").splitlines()
            row = int(line[1])
            words = text[row - 1] if row <= len(text) else ""
            return Spot(row, len(words) - len(words.lstrip()) + 1)
        return None

    def _composed(self, text: bytes) -> Iterator[Any]:
        try:
            yield from yaml.compose_all(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            self._broken = Spot(mark.line + 1, mark.column + 1) if mark else None
        except (yaml.YAMLError, ValueError, RecursionError):
            return


def _head(message: str) -> str:
    return next((one for one in _HEADS if f": {one}: " in message), "")


def _last(node: Any, path: str) -> Any:
    """Return the last node on the way to *path* that there is."""
    for name, number, word in _STEP.findall(path):
        found = _below(node, int(number) if number else name or word)
        if found is None:
            break
        node = found
    return node


def _below(node: Any, step: str | int) -> Any:
    """Return what is below *node* under a key or at a place; None: nothing."""
    if isinstance(node, yaml.MappingNode):
        pairs = (value for key, value in node.value if key.value == str(step))
        return next(pairs, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def _spot(node: Any) -> Spot:
    return Spot(node.start_mark.line + 1, node.start_mark.column + 1)
