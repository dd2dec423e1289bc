"""The command lines that end what only a person may end: a jump, a loss of documents."""

import sys
from typing import Annotated, Final

import typer

from bgpd.ctl.options import (
    ACT_SECONDS,
    EXIT_CODES,
    RUN_DIR,
    Agent,
    RunDir,
    Socket,
    Timeout,
    note,
    socket_path,
)
from bgpd.ctl.program import SETTINGS

MAX_GENERATION: Final = 2**23 - 1
"""Beyond it the default lever has no values left: MED = 2^31 - 256 x generation + rank."""

generation_app = typer.Typer(
    help="The number that every route carries, and that takeovers raise.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@generation_app.command("reset", epilog=EXIT_CODES)
def reset_command(
    *,
    to: Annotated[
        int, typer.Argument(metavar="TO", min=1, max=MAX_GENERATION, help="The new generation.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    timeout: Timeout = ACT_SECONDS,
) -> None:
    """Start counting generations at TO again, on this node.

    Until every node has been reset, the highest number still wins.
    """
    from bgpd.ctl import observe  # noqa: PLC0415

    if not yes and not _agreed(f"Reset the generation of this node to {to}?"):
        raise typer.Exit(1)
    speaker = socket_path(socket) if socket else run_dir / observe.SPEAKER_SOCKET
    observe.reset_generation(speaker, to=to, timeout=timeout)
    print(f"generation reset to {to}")  # noqa: T201


def accept_command(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: Timeout = ACT_SECONDS,
) -> None:
    """Accept on this node that configuration which vanished is gone.

    All pools, all peers or a CRD at once, and what goes within 2 s of them, change
    nothing until then.
    """
    from bgpd.ctl import observe  # noqa: PLC0415

    if not yes and not _agreed("Let this node forget the configuration that vanished?"):
        raise typer.Exit(1)
    path = socket_path(agent) if agent else run_dir / observe.AGENT_SOCKET
    count = observe.accept_vanished(path, timeout=timeout)
    print(f"accepted: {count} objects are gone" if count else "nothing had vanished")  # noqa: T201


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        note("nobody to ask here; say --yes")
        raise typer.Exit(2)
    return typer.confirm(question, err=True)
