"""`bgpctl get host` and `bgpd host cleanup`: what was added to the host, and taking it back."""

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bgpd.ctl.options import LONGEST
from bgpd.ctl.program import SETTINGS, complain
from bgpd.model.errors import BgpdError, ConfigError, TransientError

if TYPE_CHECKING:
    from bgpd.ctl.hostview import HostView
    from bgpd.model.status import HostStatus

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

host_app = typer.Typer(
    help="The routes, addresses and the interface that bgpd adds to this host.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@host_app.callback()
def every_host() -> None:
    """Take back the routes, addresses and the interface that bgpd adds to this host."""


def show_host(agent: Path, form: str, *, timeout: float) -> NoReturn:
    """Show the routes to peers and the bound elastic IPs that bgpd added to this host, and exit.

    The agent answers; when it is dead, the kernel says what is there.
    """
    from bgpd.ctl.document import dump  # noqa: PLC0415
    from bgpd.ctl.hostview import host_document, host_table  # noqa: PLC0415

    view = _view(agent, timeout=timeout)
    if form in {"json", "yaml"}:
        sys.stdout.write(dump(host_document(view), form))
    else:
        sys.stdout.write(host_table(view))
    raise typer.Exit(3 if view.status.problems else 0)


@host_app.command(
    "prepare",
    epilog="Exit status: 0 done, 2 usage, 78 it takes root or CAP_CHOWN.",
    short_help="Give directories to the user of our processes.",
)
def prepare_command(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(help="Directories; those that are missing are made.", metavar="PATH"),
    ],
    user: Annotated[
        int, typer.Option("--user", min=1, help="The number of the user, and of its group.")
    ] = 65532,
    wrapper: Annotated[
        str,
        typer.Option(
            "--wrapper",
            help="Put a script bgpctl there that enters the speaker's container.",
            metavar="DIR",
        ),
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", help="For the script: where the speaker's pod is.")
    ] = "bgpd-system",
) -> None:
    """Give directories of this host to the user that our processes run as.

    Where no script can be put, that is said, and nothing else fails.
    """
    from bgpd.ctl.prepare import prepare  # noqa: PLC0415

    prepare(paths, user)
    if wrapper:
        from bgpd.ctl import wrapper as script  # noqa: PLC0415

        try:
            script.write(Path(wrapper), namespace)
        except ConfigError as error:
            complain("bgpd", f"--wrapper: {error}")


@host_app.command(
    "cleanup", epilog=_EXIT_CODES, short_help="Take back all that bgpd has added to this host."
)
def cleanup_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    all_nodes: Annotated[
        bool,
        typer.Option(
            "--all-nodes",
            help="Have the agents of all nodes withdraw their routes and do this, and wait.",
        ),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=1, max=LONGEST, help="With --all-nodes: seconds to wait."),
    ] = 120.0,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig", help="With --all-nodes: how to reach the API.", metavar="PATH"
        ),
    ] = None,
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
    if all_nodes:
        _clean_everywhere(timeout, kubeconfig)
        return
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


def _clean_everywhere(seconds: float, kubeconfig: Path | None) -> None:
    from bgpd.ctl.cluster import Cluster, access_of  # noqa: PLC0415
    from bgpd.ctl.everywhere import leave  # noqa: PLC0415

    with Cluster(access_of(kubeconfig)) as api:
        left = leave(api, seconds=seconds, say=_say)
    if not left.unclean:
        _say(f"{len(left.cleaned)} nodes are clean: no route, and nothing of ours on the host")
        return
    for node, why in left.unclean.items():
        complain("bgpd", f"{node} is not clean: {why}")
    complain(
        "bgpd",
        f"{len(left.unclean)} of {len(left.unclean) + len(left.cleaned)} nodes are not clean after"
        f" {seconds:g} s: {', '.join(left.unclean)}; `helm uninstall --no-hooks` goes on all the"
        " same, then run bgpd host cleanup on them",
    )
    raise typer.Exit(1)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


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
