"""What both command lines share: the version, and one place that turns errors into statuses."""

import codecs
import io
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NoReturn

import typer
from typer.exceptions import TyperException

from bgpd.ctl.columns import wrapped
from bgpd.model.errors import BgpdError

INTERRUPTED = 130
_SIGNS: Final = "bgpctl"
_INSTEAD: Final = {"✓": "+", "✗": "x", "·": "-", "…": "~", "±": "~"}
"""A question mark is no sign for one that is missing: it means that nobody knows."""
SETTINGS: Final = {"help_option_names": ["-h", "--help"], "terminal_width": 80}
"""What every command line of ours has in common."""


class ListOutput(StrEnum):
    """How a command without a wide form prints."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def version() -> str:
    """Return the installed version."""
    # Imported late: it costs more than all of the rest of `--help`.
    from importlib import metadata  # noqa: PLC0415

    try:
        return metadata.version("bgpd")
    except metadata.PackageNotFoundError:
        return "unknown"


def version_option(program: str) -> Any:
    """Return the option of *program* that shows its version and ends."""

    def show(asked: bool) -> None:
        if asked:
            print(f"{program} {version()}")  # noqa: T201
            raise typer.Exit

    return typer.Option(
        "--version", callback=show, is_eager=True, help="Show the version and exit."
    )


def complain(program: str, sentence: str) -> None:
    """Tell a person on standard error: folded at a terminal, one line in a log or for a script."""
    text = f"{program}: {sentence}"
    if sys.stderr.isatty():
        text = "\n".join(wrapped(line, indent="  ") for line in text.splitlines())
    print(text, file=sys.stderr)  # noqa: T201


def run(program: str, command: Callable[[], object]) -> NoReturn:
    """Run *command* and exit; an error of ours is one sentence on stderr, never a traceback.

    A parser of command lines is called with `standalone_mode=False`: then it returns its exit
    status, and what is wrong with the command line is said here, in one sentence as well.
    """
    _open_what_is_closed()
    _print_what_can_be()
    try:
        status = command()
        sys.stdout.flush()
    except BgpdError as error:
        complain(program, str(error))
        sys.exit(error.exit_code)
    except TyperException as error:
        sys.exit(_misused(program, error))
    except typer.Abort:
        # Ctrl-C or Ctrl-D where a yes or no was asked for.
        complain(program, "no answer, so nothing was done")
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader, `head` say, has seen enough.
        _forget_output()
        sys.exit(1)
    except OSError as error:
        _forget_output()
        complain(program, f"{error.filename or 'the answer cannot be written'}: {error.strerror}")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _open_what_is_closed() -> None:
    """Let what is written to a stream that the caller has closed (`>&-`) go nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - until we exit
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - until we exit


def _print_what_can_be() -> None:
    """Let a locale without our signs have others in their place, and no traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error(_SIGNS, _in_other_signs)
        sys.stdout.reconfigure(errors=_SIGNS)


def _in_other_signs(error: UnicodeError) -> tuple[str, int]:
    """Return as many letters as cannot be encoded, so that columns stay columns."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_INSTEAD.get(one, "?") for one in letters), error.end


def _forget_output() -> None:
    """Let the interpreter's own flush, at its end, have nothing to complain of."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _misused(program: str, error: TyperException) -> int:
    """Say what is wrong with a command line, and return the exit status."""
    from bgpd.ctl import usage  # noqa: PLC0415 - for wrong command lines alone

    if usage.is_help(error):
        print(error.format_message(), file=sys.stderr)  # noqa: T201
    else:
        complain(usage.asked(error, program), usage.sentence(error, program))
    return error.exit_code
