"""Where bgpctl starts: with one command alone where its name is known, with all of them otherwise.

Whoever asks for the status waits for it. What the other commands import and declare is a twentieth
of that wait, and grows with each of them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer

from bgpd.ctl.options import PLUGIN
from bgpd.ctl.program import SETTINGS, run

ALONE: Final = {
    "status": ("bgpd.ctl.statuscommand", "status_command"),
    "get": ("bgpd.ctl.getcommand", "get_command"),
    "describe": ("bgpd.ctl.getcommand", "describe_command"),
}
"""Module and function of the commands that start alone; their module may have `EXIT_CODES`."""


def main() -> None:
    """Run bgpctl and exit; kubectl starts it as a plugin by another name."""
    plugin = Path(sys.argv[0]).name == PLUGIN
    name = "kubectl bgpd" if plugin else "bgpctl"
    run("bgpctl", lambda: program(sys.argv[1:])(prog_name=name, standalone_mode=False))


def program(words: Sequence[str]) -> typer.Typer:
    """Return what understands *words*: the one command that they begin with, or all."""
    if not words or words[0] not in ALONE:
        from bgpd.ctl.app import app  # noqa: PLC0415 - the point of this module

        return app
    module, function = ALONE[words[0]]
    found: Any = import_module(module)
    alone = typer.Typer(
        context_settings=SETTINGS,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # With a callback it is a program with commands, and not a command: usage says the same.
    alone.callback()(_nothing)
    alone.command(words[0], epilog=found.EXIT_CODES)(getattr(found, function))
    return alone


def _nothing() -> None:
    """Do nothing before the command."""
