"""A place to put what is wrong with one document, so that all of it is reported at once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from bgpd.kube.fields import legal
from bgpd.kube.problem import Problem, Standing, sentence, shown

_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class Faults:
    """The problems of one document."""

    source: str
    kind: str
    name: str
    lenient: bool = False
    """Whether a field that is not known is a newer one of somebody else's, not a misspelled one."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether one of the problems forbids the document."""
        return any(problem.refused for problem in self.problems)

    def told(self, path: str) -> bool:
        """Return whether there is a problem at *path*: what was refused is missing afterwards."""
        return any(problem.path == path for problem in self.problems)

    def value(self, path: str, value: object, why: str = "") -> None:
        """Report that *value* is not allowed at *path*; the legal range comes from the table."""
        range_ = legal(self.kind, path)
        text = shown(value, path)
        what = f"{text} {why or 'is not allowed'}"
        if range_:
            what += f"; must be {range_}"
        if isinstance(value, str) and _NUMBERS.fullmatch(range_) and _NUMBER.fullmatch(value):
            what += " without quotes, which make it a text"
        self._add(path, what, value=text, range_=range_)

    def rule(self, path: str, what: str, value: object = None) -> None:
        """Report that *path* breaks a rule that is about more than its own range."""
        text = "" if value is None else shown(value, path)
        self._add(path, what, value=text, range_=legal(self.kind, path))

    def notice(self, path: str, what: str) -> None:
        """Report that *path* has no effect although the document holds."""
        self._add(path, what, value="", range_="", standing=Standing.IGNORED)

    def unsupported(self, path: str, what: str, value: object = None) -> None:
        """Report that the document asks at *path* for what bgpd does not do."""
        text = "" if value is None else shown(value, path)
        self._add(path, what, value=text, range_="", standing=Standing.UNSUPPORTED)

    def parsed(self, path: str, value: str | None, parse: Callable[[str], _T]) -> _T | None:
        """Return *value* parsed, or None where it is unset, empty or refused (and reported)."""
        if not value:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.value(path, value, _short(str(error)))
            return None

    def _add(
        self,
        path: str,
        what: str,
        *,
        value: str,
        range_: str,
        standing: Standing = Standing.REFUSED,
    ) -> None:
        if path and self.told(path):
            return
        where = sentence(source=self.source, kind=self.kind, name=self.name, path=path, what=what)
        self.problems.append(
            Problem(
                source=self.source,
                kind=self.kind,
                name=self.name,
                path=path,
                value=value,
                legal=range_,
                message=where,
                standing=standing,
            )
        )


_NUMBER: Final = re.compile(r"-?\d+")
_NUMBERS: Final = re.compile(r"-?\d+\.\.-?\d+")
"""A legal range of whole numbers, as people read it."""
_OURS: Final = ("is ", "has ", "mixes ", "runs ", "cannot ")


def _short(text: str) -> str:
    """Return the words of an error of ours; those of `ipaddress` repeat the value."""
    return text if text.startswith(_OURS) else "is not allowed"
