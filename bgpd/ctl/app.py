"""`bgpctl`: see on a node what bgpd does and why.

This module only composes: each command is in a module of its own, which imports what it needs when
the command runs, so that `--help` and completion stay instant.
"""

from typing import Annotated, Final

import typer

from bgpd.ctl import (
    diffcommand,
    doctorcommand,
    draincommands,
    explaincommand,
    getcommand,
    probecommand,
)
from bgpd.ctl.bundlecommand import debug_app
from bgpd.ctl.completecommand import HIDDEN_COMMAND, complete_command, completion_command
from bgpd.ctl.eventscommand import events_command
from bgpd.ctl.migrate import migrate_app
from bgpd.ctl.options import EXIT_CODES
from bgpd.ctl.program import SETTINGS, version, version_option
from bgpd.ctl.repaircommands import accept_command, generation_app
from bgpd.ctl.showcommand import show_command
from bgpd.ctl.statuscommand import status_command
from bgpd.ctl.timelinecommand import timeline_command
from bgpd.ctl.topcommand import top_command
from bgpd.ctl.validatecommand import validate_command

_HELP: Final = (
    "See what bgpd advertises, and why: on a node, or with --all-nodes everywhere.\n\n"
    "Examples: `bgpctl status`, `bgpctl get elasticips`, `bgpctl explain SERVICE`,\n"
    "`bgpctl status --all-nodes -o json`; as a plugin of kubectl's: `kubectl bgpd status`."
)


app = typer.Typer(
    help=_HELP,
    epilog=EXIT_CODES,
    context_settings=SETTINGS,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def every_command(
    *,
    _version: Annotated[bool, version_option("bgpctl")] = False,
) -> None:
    """See what bgpd advertises, and why."""


# In the order of `--help`: look, ask why, act, prepare; typer puts groups last.
app.command("status", epilog=EXIT_CODES)(status_command)
app.command("get", epilog=getcommand.EXIT_CODES)(getcommand.get_command)
app.command("describe", epilog=getcommand.EXIT_CODES)(getcommand.describe_command)
app.command(
    "explain",
    epilog=explaincommand.EXIT_CODES,
    short_help="Say why an address, a peer or a node is as it is.",
)(explaincommand.explain_command)
app.command(
    "diff",
    epilog=diffcommand.EXIT_CODES,
    short_help="Compare what is wanted, what was sent, what the router has.",
)(diffcommand.diff_command)
app.command(
    "top",
    epilog=EXIT_CODES,
    short_help="Watch sessions, mesh, elastic IPs and events as they go on.",
)(top_command)
app.command("timeline", epilog=EXIT_CODES)(timeline_command)
app.command(
    "events", epilog=EXIT_CODES, short_help="Show the last events of this node's agent and speaker."
)(events_command)
app.command(
    "drain",
    epilog=draincommands.EXIT_CODES,
    short_help="Take a node's routes off it, before maintenance.",
)(draincommands.drain_command)
app.command("undrain", epilog=draincommands.EXIT_CODES)(draincommands.undrain_command)
app.command(
    "probe",
    epilog=probecommand.EXIT_CODES,
    short_help="Find out which attribute moves the router's traffic.",
)(probecommand.probe_command)
app.command(
    "doctor",
    epilog=doctorcommand.EXIT_CODES,
    short_help="Check this node from its documents to its packets.",
)(doctorcommand.doctor_command)
app.add_typer(generation_app, name="generation")
app.command("accept", epilog=EXIT_CODES)(accept_command)
app.command("validate", epilog=EXIT_CODES)(validate_command)
app.add_typer(
    migrate_app, name="migrate", short_help="Move a cluster from MetalLB to bgpd, step by step."
)
app.add_typer(debug_app, name="debug")


@app.command("version")
def version_command() -> None:
    """Show the version of this bgpctl."""
    print(f"bgpctl {version()}")  # noqa: T201


app.command("completion")(completion_command)
app.command(
    HIDDEN_COMMAND,
    hidden=True,
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    },
)(complete_command)
app.command(
    "show",
    hidden=True,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)(show_command)


def main() -> None:
    """Run bgpctl and exit, where an installation of an earlier version still begins here."""
    from bgpd.ctl import start  # noqa: PLC0415 - it imports this module where it needs it

    start.main()
