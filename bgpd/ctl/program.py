"""What both command lines share: the version, and one place that turns errors into statuses."""

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NoReturn

import typer

from bgpd.ctl.columns import wrapped
from bgpd.model.errors import BgpdError

INTERRUPTED = 130
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
    """Run *command* and exit; an error of ours is one sentence on stderr, never a traceback."""
    try:
        command()
        sys.stdout.flush()
    except BgpdError as error:
        complain(program, str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader, `head` say, has seen enough; the interpreter's own flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
