"""What may stand next on a command line of bgpctl's: commands, options, their values, names.

Pure: the tree of commands, the words so far and a way to ask for names in, candidates out. It reads
the tree by what every version of typer has, and none of its own completion.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

FILES: Final = ":files"
"""In place of candidates: paths may stand here, which a shell knows best."""
_PATHS: Final = frozenset({"PATH", "FILE"})
_NAMING: Final = frozenset({"get", "describe"})
"""Commands whose first argument is a noun, and all others names."""
_ASKING: Final[Mapping[str, tuple[str, ...]]] = {
    "explain": ("elasticips", "sessions", "members"),
    "drain": ("nodes",),
    "undrain": ("nodes",),
}
"""Commands whose arguments are names, and of what."""

Names = Callable[[str, Mapping[str, str]], Iterable[str]]
"""From a noun, and the options on the line with their values, to the names that there are."""


class Command(Protocol):
    """What is read of a command of typer's."""

    name: str | None
    params: Sequence[Any]
    hidden: bool


@dataclass(slots=True)
class _Line:
    """What was understood of the words before the one that is completed."""

    command: Command
    groups: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    wanting: Any = None
    """The option whose value comes next."""


def candidates(
    root: Command, words: Sequence[str], *, nouns: Sequence[str], names: Names
) -> list[str]:
    """Return what may stand where the last of *words* does, as far as that is written already."""
    *before, last = words or [""]
    line = _read(root, before)
    found = list(dict.fromkeys(_next(line, last, nouns, names)))
    if found == [FILES]:
        return found
    return [one for one in found if one.startswith(last)]


def _read(root: Command, words: Iterable[str]) -> _Line:
    line = _Line(root)
    for word in words:
        if line.wanting is not None:
            line.options[str(line.wanting.name)] = word
            line.wanting = None
        elif word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            option = _option(line.command, name)
            if option is not None and equals:
                line.options[str(option.name)] = value
            elif option is not None and not option.is_flag:
                line.wanting = option
        elif word in _below(line.command) and not line.arguments:
            line.command = _below(line.command)[word]
            line.groups.append(word)
        else:
            line.arguments.append(word)
    return line


def _next(line: _Line, last: str, nouns: Sequence[str], names: Names) -> Iterator[str]:
    if line.wanting is not None:
        yield from _values(line.wanting)
    elif last.startswith("-"):
        for one in _options(line.command):
            yield from (*one.opts, *one.secondary_opts)
    elif _below(line.command) and not line.arguments:
        yield from (name for name, one in _below(line.command).items() if not one.hidden)
    else:
        yield from _arguments(line, nouns, names)


def _arguments(line: _Line, nouns: Sequence[str], names: Names) -> Iterator[str]:
    verb = line.groups[-1] if line.groups else ""
    if verb in _NAMING:
        if not line.arguments:
            yield from nouns
        else:
            there = names(line.arguments[0], line.options)
            yield from (one for one in there if one not in line.arguments)
    elif verb in _ASKING and not line.arguments:
        for noun in _ASKING[verb]:
            yield from names(noun, line.options)
    else:
        for one in line.command.params:
            if one.param_type_name == "argument":
                yield from _values(one)


def _values(parameter: Any) -> Iterator[str]:
    """Yield what *parameter* may be, where that can be listed."""
    if isinstance(parameter.default, Enum):
        yield from (str(one.value) for one in type(parameter.default))
    elif isinstance(parameter.default, Path) or parameter.metavar in _PATHS:
        yield FILES
    elif str(parameter.metavar or "").isupper() and "|" in parameter.metavar:
        yield from parameter.metavar.lower().split("|")


def _options(command: Command) -> Iterator[Any]:
    yield from (one for one in command.params if one.param_type_name == "option" and not one.hidden)


def _option(command: Command, name: str) -> Any:
    every = _options(command)
    return next((one for one in every if name in (*one.opts, *one.secondary_opts)), None)


def _below(command: Command) -> Mapping[str, Command]:
    found: Mapping[str, Command] = getattr(command, "commands", {})
    return found
