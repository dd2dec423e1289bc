"""Two documents that cannot both hold: the one in force stays, the newcomer is refused.

A newcomer must not take down what works, so objects that are unchanged are admitted before those
that are new or edited. An edit that clashes leaves the last good version of its object in force.
At a start nothing is in force yet; then the order of names decides, on every node alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """Anything with a `metadata.name`."""

    @property
    def name(self) -> str:
        """The name that is unique within its kind."""
        ...


_T = TypeVar("_T", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Generic[_T]):
    """What holds, in the order of names, and a sentence for each document that does not."""

    admitted: tuple[_T, ...]
    refused: tuple[tuple[_T, str], ...]


def admit(
    wanted: Iterable[_T],
    in_force: Mapping[str, _T],
    clash: Callable[[_T, Sequence[_T]], str | None],
) -> Admission[_T]:
    """Return which of *wanted* hold together; *clash* says why one cannot join the others."""
    admitted: list[_T] = []
    refused: list[tuple[_T, str]] = []
    for candidate in sorted(wanted, key=lambda one: (in_force.get(one.name) != one, one.name)):
        sentence = clash(candidate, admitted)
        if sentence is None:
            admitted.append(candidate)
            continue
        refused.append((candidate, sentence))
        previous = in_force.get(candidate.name)
        if previous is not None and clash(previous, admitted) is None:
            admitted.append(previous)
    admitted.sort(key=lambda one: one.name)
    return Admission(admitted=tuple(admitted), refused=tuple(refused))
