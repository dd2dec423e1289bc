"""Every way to spoil one place of a document: it is missing, null, or of another type."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Steps = tuple[str | int, ...]

_WRONG: Final[dict[type, tuple[object, ...]]] = {
    str: (-7, True, [], {}),
    bool: (-7, "perhaps", [], {}),
    int: ("x", True, 1.5, -7, [], {}),
    list: (-7, "x", True, {}),
    dict: (-7, "x", True, []),
    type(None): (-7, True, [], {}),
}
_FLAGS: Final = ("true", "false")
"""A text that means yes or no is as good as the word itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One place, what was done to it, and the document after that."""

    steps: Steps
    kind: str
    """`missing`, `null` or `wrong`."""
    value: object = None
    document: object = None

    @property
    def path(self) -> str:
        """The place as sentences name it."""
        return path_of(self.steps)


def path_of(steps: Steps) -> str:
    """Return *steps* as sentences name a place; the root is the empty text."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def places(document: object, steps: Steps = ()) -> Iterator[Steps]:
    """Yield every place in *document*, the root first."""
    yield steps
    if isinstance(document, dict):
        for name, value in document.items():
            yield from places(value, (*steps, name))
    elif isinstance(document, list):
        for at, value in enumerate(document):
            yield from places(value, (*steps, at))


def mutations(document: object) -> Iterator[Mutation]:
    """Yield *document* with each place spoiled in each way."""
    for steps in places(document):
        if steps:
            yield Mutation(steps=steps, kind="missing", document=_without(document, steps))
        yield Mutation(steps=steps, kind="null", document=_with(document, steps, None))
        before = _at(document, steps)
        for value in _WRONG[bool if before in _FLAGS else type(before)]:
            yield Mutation(
                steps=steps, kind="wrong", value=value, document=_with(document, steps, value)
            )


def _at(document: Any, steps: Steps) -> object:
    for step in steps:
        document = document[step]
    found: object = document
    return found


def _with(document: object, steps: Steps, value: object) -> object:
    if not steps:
        return value
    changed = copy.deepcopy(document)
    place: Any = _at(changed, steps[:-1])
    place[steps[-1]] = value
    return changed


def _without(document: object, steps: Steps) -> object:
    changed = copy.deepcopy(document)
    place: Any = _at(changed, steps[:-1])
    del place[steps[-1]]
    return changed
