"""What every area has in common: ops and expectations by name, and nothing left unread.

A room has a method `op_X` for each op and `see_X` for each key of `expect`; the latter is given
what is expected and returns what is there, in the same form. A key that nobody reads makes the
case inexpressible, which is a failure: a case is never passed by looking away.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tests.conformance.case import Case, Map

_MISSING: Final = object()


class InexpressibleError(Exception):
    """The case says something that this runner cannot bring about or look at."""


class Fields:
    """A map whose keys must all be read."""

    def __init__(self, content: Map, place: str) -> None:
        self.place = place
        self._content = content
        self._read: set[str] = {"note", "why"}

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def take(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, or *default*; it counts as read."""
        self._read.add(key)
        return self._content.get(key, default)

    def need(self, key: str) -> Any:
        """Return the value of *key*, which must be there."""
        found = self.take(key, _MISSING)
        if found is _MISSING:
            raise InexpressibleError(f"{self.place} lacks {key}")
        return found

    def map(self, key: str) -> "Fields":
        """Return the map at *key*; where there is none it is empty."""
        found = self.take(key) or {}
        if not isinstance(found, Mapping):
            raise InexpressibleError(f"{self.place}.{key} is not a map: {found!r}")
        return Fields(found, f"{self.place}.{key}")

    def rest(self) -> dict[str, Any]:
        """Return everything that was not read yet; it counts as read."""
        found = {key: value for key, value in self._content.items() if key not in self._read}
        self._read.update(found)
        return found

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield everything; it counts as read."""
        self._read.update(self._content)
        yield from self._content.items()

    def end(self) -> None:
        """Raise `InexpressibleError` where a key was not read."""
        unread = sorted(str(key) for key in self._content if key not in self._read)
        if unread:
            raise InexpressibleError(f"nobody reads {self.place}.{', '.join(unread)}")


def word(text: object) -> str:
    """Return *text* as part of a method's name."""
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")


class Room:
    """The world of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.given = Fields(case.given, "given")
        self.results: list[str] = []
        """`ok` or `error` for each step, or for each Service of a step."""
        self.said: list[str] = []
        """What the code said about each error."""

    def begin(self) -> None:
        """Make the world of `given`."""

    def end(self) -> None:
        """Let everything go that the case began."""

    def act(self) -> None:
        """Carry out the steps."""
        for place, one in enumerate(self.case.steps):
            step = Fields(one, f"action.steps[{place}]" if len(self.case.steps) > 1 else "action")
            op = step.need("op")
            method: Callable[[Fields], None] | None = getattr(self, f"op_{word(op)}", None)
            if method is None:
                raise InexpressibleError(f"area {self.case.area} has no op {op!r}")
            method(step)
            step.end()
        self.given.end()

    def look(self, key: str, expected: Any) -> object:
        """Return what is there of *key*, in the form of *expected*."""
        method: Callable[[Any], object] | None = getattr(self, f"see_{key}", None)
        if method is None:
            raise InexpressibleError(f"area {self.case.area} has no expectation {key!r}")
        return method(expected)

    # What any area may record and expect

    def ok(self) -> None:
        """Record a step that was accepted."""
        self.results.append("ok")

    def error(self, sentence: str) -> None:
        """Record a step that was refused, and what was said."""
        self.results.append("error")
        self.said.append(sentence)

    def see_result(self, expected: str) -> object:
        """Return `ok` where everything was, else `error`."""
        _one_of("result", expected, ("ok", "error"))
        if not self.results:
            raise InexpressibleError("no step had a result")
        return "error" if "error" in self.results else "ok"

    def see_results(self, expected: list[str]) -> object:
        """Return the result of each step."""
        for one in expected:
            _one_of("results", one, ("ok", "error"))
        return self.results


def _one_of(key: str, value: object, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise InexpressibleError(f"{key}: {value!r} is none of {', '.join(legal)}")


def listed(value: Any) -> list[Any]:
    """Return *value*, or a list of it alone; None is nothing."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def distinct(values: list[Any]) -> bool:
    """Return whether *values* names nothing twice, and something at all."""
    return bool(values) and len(set(map(str, values))) == len(values)


def in_order(got: list[Any], expected: Any) -> list[Any]:
    """Return *got* in the order of *expected*, where it says the same; order means nothing."""
    rest = list(got)
    found = []
    for one in listed(expected):
        if one in rest:
            rest.remove(one)
            found.append(one)
    return found + rest


def flag(value: Any, place: str) -> bool:
    """Return *value*, which must be true or false."""
    if not isinstance(value, bool):
        raise InexpressibleError(f"{place}: {value!r} is neither true nor false")
    return value
