"""A wrong command line is answered in one sentence: the word, its value, what is legal.

The parser answers with four lines, of which the third is the answer, and names neither the value
nor the range. What it knows is in its error; the sentence is made here.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from typer.exceptions import TyperException

_MEANT: Final[Mapping[str, str]] = {"-A": "--all-nodes"}
"""What people type who come from kubectl, where a command has no such option itself."""
_SUGGESTED: Final = re.compile(r"\. Did you mean '([^']+)'\?$")
_EXTRA: Final = re.compile(r"got unexpected extra arguments?(?:\(s\))? \((.*)\)$", re.DOTALL)


def is_help(error: TyperException) -> bool:
    """Return whether *error* is no error but the help that a bare group of commands shows."""
    return type(error).__name__ == "NoArgsIsHelpError"


def asked(error: TyperException, program: str) -> str:
    """Return the command that was typed, as far as it was understood."""
    context = getattr(error, "ctx", None)
    return program if context is None else str(context.command_path)


def sentence(error: TyperException, program: str) -> str:
    """Return what is wrong with the command line, and what would be right."""
    match type(error).__name__:
        case "NoSuchOption":
            return _no_option(error, asked(error, program))
        case "MissingParameter":
            return _missing(error)
        case "BadParameter":
            return _bad_value(error)
        case "BadOptionUsage":
            return _usage(error)
        case _:
            return _other(error, asked(error, program))


def _other(error: TyperException, command: str) -> str:
    text = _lowered(error.format_message())
    if (extra := _EXTRA.match(text)) is not None:
        text = f"nothing more is asked for, so what is {extra[1]!r}?"
    text = _SUGGESTED.sub(r"; did you mean `\1`?", text)
    help_hint = f"; `{command} --help` lists what there is"
    return text if text.endswith("?") else f"{text}{help_hint}"


def _no_option(error: Any, command: str) -> str:
    name = _printable(error.option_name)
    known = {option for one in error.ctx.command.params for option in one.opts}
    near = [*get_close_matches(name, known, n=1, cutoff=0.7), *({_MEANT.get(name, "")} & known)]
    hint = (
        f"did you mean {' or '.join(f'`{one}`' for one in near)}?"
        if near
        else f"`{command} --help` lists them"
    )
    return f"there is no option {name}; {hint}"


def _usage(error: Any) -> str:
    takes = "takes no value" if "does not take" in error.message else "needs a value"
    return f"{_printable(error.option_name)} {takes}"


def _missing(error: Any) -> str:
    said = (error.param.help or "").split("  [default", maxsplit=1)[0].rstrip(".")
    return f"{_label(error.param)} is missing{f': {_lowered(said)}' if said else ''}"


def _bad_value(error: Any) -> str:
    if error.param_hint is not None or error.param is None:
        # Written by a command of ours: a sentence already, perhaps with the option's name.
        return f"{error.param_hint}: {error.message}" if error.param_hint else str(error.message)
    legal = _legal(error.param)
    value = _value(error)
    if not legal or value is None:
        return f"{_label(error.param)}: {_lowered(error.message)}"
    return f"{_label(error.param)}: {value!r} is not allowed; must be {legal}"


def _value(error: Any) -> object:
    """Return what was typed, where the parser has kept it."""
    cause = error.__cause__
    errors = cause.errors() if hasattr(cause, "errors") else []
    return errors[0].get("input") if errors else None


def _legal(param: Any) -> str:
    """Return what *param* accepts, in words; nothing where that cannot be said in general."""
    kind = param.type_descriptor
    if kind.choices:
        *most, last = (str(getattr(one, "value", one)) for one in kind.choices)
        return f"{', '.join(most)} or {last}" if most else last
    if kind.annotation not in {int, float}:
        return ""
    number = "a whole number" if kind.annotation is int else "a number"
    low, high = kind.parameter_info.min, kind.parameter_info.max
    if low is not None and high is not None:
        return f"{number}, {low:g}..{high:.10g}"
    return number if low is None else f"{number}, {low:g} or more"


def _label(param: Any) -> str:
    """Return what people call *param*: its long option, or its place in the usage line."""
    if param.param_type_name == "option":
        return str(max(param.opts, key=len))
    return str(param.metavar or param.name.upper()).strip("[]").removesuffix("...")


def _lowered(text: str) -> str:
    stripped = _printable(text.strip()).removesuffix(".").removeprefix("Value error, ")
    return stripped[:1].lower() + stripped[1:]


def _printable(text: str) -> str:
    """Return *text* without what would move a terminal's cursor."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
