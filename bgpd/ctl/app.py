"""`bgpctl`: see on a node what bgpd does and why.

Commands import what they need when they run, so that `--help` and completion stay instant.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgpd.ctl import doctorcommand, draincommands, probecommand
from bgpd.ctl.hostcommands import get_app
from bgpd.ctl.migrate import migrate_app
from bgpd.ctl.program import SETTINGS, ListOutput, complain, run, version, version_option

if TYPE_CHECKING:
    from bgpd.ctl.view import State

MAX_GENERATION: Final = 2**23 - 1
"""Beyond it the default lever has no values left: MED = 2^31 - 256 x generation + rank."""

_EXIT_CODES: Final = (
    "Exit status: 0 fine, 1 failed, 2 usage, 3 degraded, 4 down, 75 try again, "
    "78 change the configuration, 130 interrupted."
)

app = typer.Typer(
    help="See on a node what bgpd advertises, and why.\n\n"
    "Examples: `bgpctl status`, `bgpctl timeline --last 3`, `bgpctl status -o json`.",
    epilog=_EXIT_CODES,
    context_settings=SETTINGS,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
generation_app = typer.Typer(
    help="The number that every route carries, and that takeovers raise.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(generation_app, name="generation")
app.add_typer(migrate_app, name="migrate")
app.add_typer(get_app, name="get")


class Output(StrEnum):
    """How a command prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


RunDir = Annotated[
    Path,
    typer.Option(
        "--run-dir",
        envvar="BGPD_RUN_DIR",
        help="Where agent.sock and speaker.sock are.",
        metavar="PATH",
    ),
]
Socket = Annotated[
    str,
    typer.Option("--socket", help="Ask only this socket, agent's or speaker's.", metavar="PATH"),
]
Agent = Annotated[
    str, typer.Option("--agent", help="The agent's socket, if elsewhere.", metavar="PATH")
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds to wait for each answer.")
]
RUN_DIR: Final = Path("/run/bgpd")


@app.callback()
def every_command(
    *,
    _version: Annotated[bool, version_option("bgpctl")] = False,
) -> None:
    """See on a node what bgpd advertises, and why.

    Examples: `bgpctl status`, `bgpctl timeline --last 3`, `bgpctl status -o json`.
    """


@app.command("status", epilog=_EXIT_CODES)
def status_command(
    *,
    output: Annotated[Output, typer.Option("-o", "--output", help="The form.")] = Output.TABLE,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    agent: Agent = "",
    timeout: Timeout = 3.0,
    no_color: Annotated[bool, typer.Option("--no-color", help="No color on a terminal.")] = False,
) -> None:
    """Show this node's sessions, elastic IPs and mesh.

    Problems come first. The agent answers; when it is dead, the speaker does.
    """
    from bgpd.ctl import document, observe, table  # noqa: PLC0415
    from bgpd.ctl.view import EXIT_CODES, verdict  # noqa: PLC0415

    if socket:
        view = observe.observe_one(_path(socket), timeout=timeout)
    else:
        view = observe.observe(
            agent=_path(agent) if agent else run_dir / observe.AGENT_SOCKET,
            speaker=run_dir / observe.SPEAKER_SOCKET,
            timeout=timeout,
        )
    state = verdict(view).state
    if output in {Output.JSON, Output.YAML}:
        if view.agent is None and view.speaker is not None and view.agent_asked:
            _note(f"the agent does not answer ({view.agent_error}); this is the speaker's word")
        sys.stdout.write(document.dump(document.status_document(view), output.value))
    else:
        text = table.status_table(view, now=_wall(), wide=output is Output.WIDE)
        sys.stdout.write(_painted(text, state, no_color=no_color))
    raise typer.Exit(EXIT_CODES[state])


@app.command("explain", epilog=_EXIT_CODES)
def explain_command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="An elastic IP, a Service, a HealthCheck, a peer or a member."
        ),
    ] = "",
    *,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: Timeout = 3.0,
) -> None:
    """Say why this node does what it does with WHAT; alone: with all that is not well.

    Objects may be named without their namespace. Exit status 1: nothing is known of WHAT.
    """
    from bgpd.ctl import document, explain, observe  # noqa: PLC0415

    view = observe.observe(
        agent=_path(agent) if agent else run_dir / observe.AGENT_SOCKET,
        speaker=run_dir / observe.SPEAKER_SOCKET,
        timeout=timeout,
    )
    facts = explain.explain(view, what, now=_wall())
    if output is ListOutput.TABLE:
        sys.stdout.write(explain.report(facts))
    else:
        sys.stdout.write(document.dump(explain.document(facts), output.value))
    if what and not facts:
        _note(f"nothing is known of {what} here")
        raise typer.Exit(1)


@app.command("timeline", epilog=_EXIT_CODES)
def timeline_command(
    *,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    last: Annotated[int, typer.Option("--last", min=1, help="How many failovers.")] = 10,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    timeout: Timeout = 3.0,
) -> None:
    """Show the last failovers, step by step.

    From cause to decision, command and flushed session, in milliseconds.
    """
    from bgpd.ctl import document, observe, table  # noqa: PLC0415

    found = observe.failovers(
        agent=_path(socket) if socket else run_dir / observe.AGENT_SOCKET,
        speaker=_path(socket) if socket else run_dir / observe.SPEAKER_SOCKET,
        timeout=timeout,
    )[-last:]
    if output is ListOutput.TABLE:
        sys.stdout.write(table.timeline_table(found))
    else:
        sys.stdout.write(document.dump(document.timeline_document(found), output.value))


app.command("drain", epilog=draincommands.EXIT_CODES)(draincommands.drain_command)
app.command("probe", epilog=probecommand.EXIT_CODES)(probecommand.probe_command)
app.command("undrain", epilog=draincommands.EXIT_CODES)(draincommands.undrain_command)
app.command("doctor", epilog=doctorcommand.EXIT_CODES)(doctorcommand.doctor_command)


@generation_app.command("reset", epilog=_EXIT_CODES)
def reset_command(
    *,
    to: Annotated[
        int, typer.Argument(metavar="TO", min=1, max=MAX_GENERATION, help="The new generation.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    timeout: Timeout = 3.0,
) -> None:
    """Start counting generations at TO again, on this node.

    Until every node has been reset, the highest number still wins.
    """
    from bgpd.ctl import observe  # noqa: PLC0415

    if not yes and not _agreed(f"Reset the generation of this node to {to}?"):
        raise typer.Exit(1)
    speaker = _path(socket) if socket else run_dir / observe.SPEAKER_SOCKET
    observe.reset_generation(speaker, to=to, timeout=timeout)
    print(f"generation reset to {to}")  # noqa: T201


@app.command("accept", epilog=_EXIT_CODES)
def accept_command(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: Timeout = 3.0,
) -> None:
    """Accept on this node that configuration which vanished is gone.

    All pools, all peers or a CRD at once, and what goes within 2 s of them, change
    nothing until then.
    """
    from bgpd.ctl import observe  # noqa: PLC0415

    if not yes and not _agreed("Let this node forget the configuration that vanished?"):
        raise typer.Exit(1)
    path = _path(agent) if agent else run_dir / observe.AGENT_SOCKET
    count = observe.accept_vanished(path, timeout=timeout)
    print(f"accepted: {count} objects are gone" if count else "nothing had vanished")  # noqa: T201


@app.command("validate", epilog=_EXIT_CODES)
def validate_command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Files, directories of them, or - for standard input.",
            # What cannot be read is an error beside others, not the end of the command.
            readable=False,
        ),
    ],
    *,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
) -> None:
    """Check documents as the agent would read them: YAML or JSON.

    Other people's kinds are skipped, and named on standard error; where nothing else
    is found, that is an error.
    """
    from bgpd.ctl import validate  # noqa: PLC0415
    from bgpd.ctl.document import dump  # noqa: PLC0415

    findings = validate.validate(paths)
    if output is not ListOutput.TABLE:
        sys.stdout.write(dump(validate.document(findings), output.value))
    else:
        for line in validate.report(findings):
            print(line)  # noqa: T201
    if skipped := validate.skipped(findings):
        _note(skipped)
    raise typer.Exit(1 if findings.errors else 0)


@app.command("version")
def version_command() -> None:
    """Show the version of this bgpctl."""
    print(f"bgpctl {version()}")  # noqa: T201


@app.command(
    "show",
    hidden=True,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def show_command(context: typer.Context) -> None:  # noqa: ARG001 - what follows does not matter
    """Point people who know OpenBGPD's bgpctl to ours."""
    _note("no `show` here (that is OpenBGPD's); try `bgpctl status`")
    raise typer.Exit(2)


def main() -> None:
    """Run bgpctl and exit."""
    run("bgpctl", lambda: app(prog_name="bgpctl"))


def _note(sentence: str) -> None:
    complain("bgpctl", sentence)


def _path(text: str) -> Path:
    return Path(text.removeprefix("unix:"))


def _wall() -> float:
    import time  # noqa: PLC0415

    return time.time()


def _painted(text: str, state: "State", *, no_color: bool) -> str:
    """Return *text* with its first line in color, for a person at a terminal who wants that."""
    plain = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    if plain or not sys.stdout.isatty():
        return text
    color = {"fine": typer.colors.GREEN, "degraded": typer.colors.YELLOW}.get(
        state.value, typer.colors.RED
    )
    first, newline, rest = text.partition("\n")
    return typer.style(first, fg=color) + newline + rest


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        _note("nobody to ask here; say --yes")
        raise typer.Exit(2)
    return typer.confirm(question, err=True)


if __name__ == "__main__":
    main()
