"""`bgpctl get host` and `bgpd host cleanup`: what was added to the host, and taking it back."""

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgpd.ctl.program import SETTINGS, ListOutput, complain
from bgpd.model.errors import BgpdError, ConfigError, TransientError

if TYPE_CHECKING:
    from bgpd.ctl.hostview import HostView
    from bgpd.model.status import HostStatus

_GET_EXIT_CODES: Final = (
    "Exit status: 0 fine, 1 failed, 2 usage, 3 degraded, 78 change the configuration."
)
_EXIT_CODES: Final = (
    "Exit status: 0 nothing of ours is left (or would be), 1 something is, 2 usage, "
    "75 the agent runs: end it first."
)
_AGENT_SOCKET: Final = "agent.sock"
_LOOK_SECONDS: Final = 1.0
RUN_DIR: Final = Path("/run/bgpd")
STATE_DIR: Final = Path("/var/lib/bgpd")

RunDir = Annotated[
    Path,
    typer.Option("--run-dir", envvar="BGPD_RUN_DIR", help="Where agent.sock is.", metavar="PATH"),
]

get_app = typer.Typer(
    help="List what a node has.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)
host_app = typer.Typer(
    help="The routes, addresses and the interface that bgpd adds to this host.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@get_app.callback()
def every_get() -> None:
    """List what a node has."""


@host_app.callback()
def every_host() -> None:
    """Take back the routes, addresses and the interface that bgpd adds to this host."""


@get_app.command("host", epilog=_GET_EXIT_CODES)
def get_host_command(
    *,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    run_dir: RunDir = RUN_DIR,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for the agent.")
    ] = 3.0,
) -> None:
    """Show the routes to peers and the bound elastic IPs that bgpd added to this host.

    The agent answers; when it is dead, the kernel says what is there.
    """
    from bgpd.ctl.document import dump  # noqa: PLC0415
    from bgpd.ctl.hostview import host_document, host_table  # noqa: PLC0415

    view = _view(run_dir / _AGENT_SOCKET, timeout=timeout)
    if output is ListOutput.TABLE:
        sys.stdout.write(host_table(view))
    else:
        sys.stdout.write(dump(host_document(view), output.value))
    raise typer.Exit(3 if view.status.problems else 0)


@host_app.command("cleanup", epilog=_EXIT_CODES)
def cleanup_command(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also while the agent runs, which then adds it all again."),
    ] = False,
    run_dir: RunDir = RUN_DIR,
    state_dir: Annotated[
        Path,
        typer.Option(
            "--state-dir",
            envvar="BGPD_STATE_DIR",
            help="Where the agent remembers default routes that it changed.",
            readable=False,  # it is root's, and not to be read is no wrong usage
            metavar="PATH",
        ),
    ] = STATE_DIR,
) -> None:
    """Remove from this host all routes, addresses and interfaces that bgpd has added.

    Default routes that host.egress changed are put back. Nothing else is touched.
    """
    from bgpd.disk import Write, carry_out  # noqa: PLC0415
    from bgpd.host.cleanup import clean  # noqa: PLC0415
    from bgpd.host.netlink import because  # noqa: PLC0415

    if not (force or dry_run) and _answers(run_dir / _AGENT_SOCKET):
        raise TransientError(
            f"the agent runs ({run_dir / _AGENT_SOCKET} answers) and would add everything again:"
            " end it first, or say --force"
        )

    def write(path: Path, content: bytes) -> str:
        return carry_out(Write(path=path, content=lambda: (content,), done=_ignore))

    try:
        found = clean(state_dir, write=write, dry_run=dry_run)
    except OSError as error:
        raise BgpdError(f"this host's network cannot be looked at: {because(error)}") from None
    for line in found.done:
        print(f"would {line}" if dry_run else _past(line))  # noqa: T201
    if not found.done and not found.problems:
        print("nothing of ours is there")  # noqa: T201
    for problem in found.problems:
        complain("bgpd", problem)
    raise typer.Exit(1 if found.problems else 0)


def _view(agent: Path, *, timeout: float) -> "HostView":
    """Return what the agent says, else what the kernel has."""
    from bgpd.ctl.hostview import HostView  # noqa: PLC0415
    from bgpd.ctl.observe import observe_agent  # noqa: PLC0415

    try:
        node = observe_agent(agent, timeout=timeout)
    except ConfigError:
        raise
    except BgpdError as error:
        return HostView(status=_kernel(), node=socket.gethostname(), agent_error=str(error))
    return HostView(status=node.host, node=node.node)


def _kernel() -> "HostStatus":
    from bgpd.host.look import Looking  # noqa: PLC0415
    from bgpd.host.netlink import because  # noqa: PLC0415
    from bgpd.host.outcome import kernel_status  # noqa: PLC0415

    try:
        with Looking() as looking:
            return kernel_status(looking.look())
    except OSError as error:
        raise BgpdError(f"this host's network cannot be looked at: {because(error)}") from None


def _answers(path: Path) -> bool:
    """Return whether somebody listens there; one that we may not ask is there, too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(_LOOK_SECONDS)
        try:
            one.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True


def _past(line: str) -> str:
    """Return an imperative as what was done: `remove` and `put back` are all there is."""
    return line.replace("remove", "removed", 1) if line.startswith("remove") else line


def _ignore(_: str) -> None:
    """Whoever writes hears what became of it by itself."""
