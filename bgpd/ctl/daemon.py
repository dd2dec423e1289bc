"""`bgpd`: start one of the node's processes, after checking what a person may have got wrong.

Each command validates its options and then becomes the process with `exec`: nothing of typer
stays in the memory of what runs for months.
"""

import os
import resource
import shlex
import socket
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from bgpd.ctl.hostcommands import host_app
from bgpd.ctl.program import run, version, version_option
from bgpd.model.errors import ConfigError

_EXIT_CODES: Final = (
    "Exit status: 2 usage, 75 try again, 78 change the configuration; then that of the process."
)
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "terminal_width": 80}
_DIRECTORY_MODE: Final = 0o750
_MAX_NODE: Final = 253

app = typer.Typer(
    help="Start the speaker or the agent of this node, or the controller of the cluster.",
    epilog=_EXIT_CODES,
    context_settings=_SETTINGS,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(host_app, name="host")


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Node = Annotated[
    str,
    typer.Option(
        "--node",
        envvar="BGPD_NODE",
        help="This node's name.  [default: the host name]",
        metavar="NAME",
    ),
]
# What cannot be read is for a person to change (78), not wrong usage (2): hence `readable=False`.
RunDir = Annotated[
    Path,
    typer.Option(
        "--run-dir",
        envvar="BGPD_RUN_DIR",
        help="For the sockets.",
        metavar="PATH",
        readable=False,
    ),
]
StateDir = Annotated[
    Path,
    typer.Option(
        "--state-dir",
        envvar="BGPD_STATE_DIR",
        help="For what outlives a restart.",
        metavar="PATH",
        readable=False,
    ),
]
Level = Annotated[
    LogLevel, typer.Option("--log-level", envvar="BGPD_LOG_LEVEL", help="How much is logged.")
]
SocketGroup = Annotated[
    str,
    typer.Option(
        "--socket-group",
        envvar="BGPD_SOCKET_GROUP",
        help="Group that may use the socket, by name or number.",
        metavar="GROUP",
    ),
]
RUN_DIR: Final = Path("/run/bgpd")
STATE_DIR: Final = Path("/var/lib/bgpd")
MESH_KEY_FILE: Final = Path("/etc/bgpd/mesh-key")


@app.callback()
def every_command(
    *,
    _version: Annotated[bool, version_option("bgpd")] = False,
) -> None:
    """Start the speaker or the agent of this node, or the controller of the cluster."""


@app.command("speaker", epilog=_EXIT_CODES)
def speaker_command(
    *,
    node: Node = "",
    mesh_key_file: Annotated[
        Path,
        typer.Option(
            "--mesh-key-file",
            envvar="BGPD_MESH_KEY_FILE",
            help="File or mounted Secret with the key that authenticates heartbeats.",
            readable=False,
            metavar="PATH",
        ),
    ] = MESH_KEY_FILE,
    run_dir: RunDir = RUN_DIR,
    state_dir: StateDir = STATE_DIR,
    log_level: Level = LogLevel.INFO,
    socket_group: SocketGroup = "",
) -> None:
    """Hold the BGP sessions of this node, and take over for others."""
    from bgpd.mesh import keys  # noqa: PLC0415

    name = _node(node)
    try:
        loaded = keys.load_with_warnings(mesh_key_file)
    except ConfigError as error:
        raise ConfigError(f"--mesh-key-file: {error}") from None
    for warning in loaded.warnings:
        print(f"bgpd: {warning}", file=sys.stderr)  # noqa: T201
    _writable(state_dir, "--state-dir")
    _creatable(run_dir, "--run-dir")
    _become(
        speaker_line(
            node=name,
            run_dir=run_dir.absolute(),
            state_dir=state_dir.absolute(),
            mesh_key_file=mesh_key_file.absolute(),
            log_level=log_level,
            socket_group=socket_group,
        )
    )


@app.command("agent", epilog=_EXIT_CODES)
def agent_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            envvar="BGPD_SOURCE",
            help="Where documents come from: directory:PATH, kubernetes or kubernetes:KUBECONFIG."
            "  [default: kubernetes in a pod]",
            metavar="SOURCE",
        ),
    ] = "",
    cluster_uid: Annotated[
        str,
        typer.Option(
            "--cluster-uid",
            envvar="BGPD_CLUSTER_UID",
            help="What keeps the meshes of two clusters apart: any text, the same on every node.",
            metavar="UID",
        ),
    ],
    node: Node = "",
    load_balancer_class: Annotated[
        str,
        typer.Option(
            "--load-balancer-class",
            envvar="BGPD_LOAD_BALANCER_CLASS",
            help="Serve only Services of this class.",
            metavar="CLASS",
        ),
    ] = "",
    ignore_exclude_lb: Annotated[
        bool,
        typer.Option(
            "--ignore-exclude-lb",
            envvar="BGPD_IGNORE_EXCLUDE_LB",
            help="Attract traffic also on nodes with the label"
            " node.kubernetes.io/exclude-from-external-load-balancers; the same on every node.",
        ),
    ] = False,
    run_dir: RunDir = RUN_DIR,
    state_dir: StateDir = STATE_DIR,
    log_level: Level = LogLevel.INFO,
    socket_group: SocketGroup = "",
) -> None:
    """Read documents, decide what this node advertises, and tell the speaker."""
    source = source or _mounted_source()
    _check_source(source)
    if not cluster_uid:
        raise ConfigError("--cluster-uid: empty; give every node of the cluster the same text")
    _writable(state_dir, "--state-dir")
    _creatable(run_dir, "--run-dir")
    _become(
        _module(
            "bgpd.agent",
            node=_node(node),
            source=source,
            cluster_uid=cluster_uid,
            load_balancer_class=load_balancer_class,
            ignore_exclude_lb="yes" if ignore_exclude_lb else "",
            run_dir=run_dir.absolute(),
            state_dir=state_dir.absolute(),
            log_level=log_level,
            socket_group=socket_group,
        )
    )


@app.command("controller", epilog=_EXIT_CODES)
def controller_command(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            envvar="BGPD_SOURCE",
            help="Where Services and pools are: directory:PATH, kubernetes or"
            " kubernetes:KUBECONFIG.  [default: kubernetes in a pod]",
            metavar="SOURCE",
        ),
    ] = "",
    load_balancer_class: Annotated[
        str,
        typer.Option(
            "--load-balancer-class",
            envvar="BGPD_LOAD_BALANCER_CLASS",
            help="Serve only Services of this class.",
            metavar="CLASS",
        ),
    ] = "",
    log_level: Level = LogLevel.INFO,
) -> None:
    """Give Services of type LoadBalancer addresses out of the pools.

    One a cluster is enough; of several, one works and the others stand by.
    """
    source = source or _mounted_source()
    _check_source(source)
    _become(
        _module(
            "bgpd.controller",
            source=source,
            load_balancer_class=load_balancer_class,
            log_level=log_level,
        )
    )


@app.command("mesh-key", epilog=_EXIT_CODES)
def mesh_key_command() -> None:
    """Print a new key for the mesh; every node of a cluster gets the same one.

    Keep it from others: `(umask 077; bgpd mesh-key > FILE)`.
    """
    from bgpd.mesh import keys  # noqa: PLC0415

    print(keys.generate())  # noqa: T201


@app.command("version")
def version_command() -> None:
    """Show the version."""
    print(f"bgpd {version()}")  # noqa: T201


def main() -> None:
    """Run bgpd and exit, or become what was asked for."""
    run("bgpd", lambda: app(prog_name="bgpd"))


def speaker_line(*, state_dir: Path, **options: object) -> tuple[str, ...]:
    """Return the command line of the launcher, with that of the reflex inside as one word.

    ExaBGP starts the reflex by a line of text, so every option is quoted for a shell.
    """
    reflex = _module("bgpd.speaker", state_dir=state_dir, **options)
    return _module(
        "bgpd.exabgp.launcher",
        configuration=state_dir / "exabgp.conf",
        reflex=shlex.join(reflex),
    )


def _node(name: str) -> str:
    node = name or socket.gethostname()
    if not node or len(node) > _MAX_NODE or not node.isprintable() or " " in node:
        raise ConfigError(
            f"--node: {node!r} is not a node's name: 1 to {_MAX_NODE} printable characters,"
            " no blanks"
        )
    return node


def _mounted_source() -> str:
    """Return the source that goes without saying in a pod; elsewhere it must be given."""
    from bgpd.kube.access import mounted  # noqa: PLC0415

    if not mounted():
        raise typer.BadParameter(
            "not given, and this is no pod; use directory:PATH or kubernetes:KUBECONFIG",
            param_hint="--source",
        )
    return "kubernetes"


def _check_kubeconfig(path: str) -> None:
    if not path:
        raise ConfigError(
            "--source: kubernetes: names no file; use kubernetes:KUBECONFIG, or kubernetes alone"
            " in a pod"
        )
    if not Path(path).exists():
        raise ConfigError(f"--source: {path}: no such file; name a kubeconfig")
    if not Path(path).is_file() or not os.access(path, os.R_OK):
        raise ConfigError(f"--source: {path} is no kubeconfig that user {os.geteuid()} can read")


def _check_source(source: str) -> None:
    kind, colon, path = source.partition(":")
    if kind == "kubernetes":
        if colon:
            _check_kubeconfig(path)
        return
    if kind != "directory" or not path:
        raise ConfigError(
            f"--source: {source!r} is not known; use directory:PATH, kubernetes or"
            " kubernetes:KUBECONFIG"
        )
    directory = Path(path)
    if not directory.is_dir():
        raise ConfigError(f"--source: {path} is not a directory; create it or name another")
    if not os.access(directory, os.R_OK | os.X_OK):
        raise ConfigError(f"--source: {path} cannot be read by user {os.geteuid()}")


def _writable(path: Path, option: str) -> None:
    """Make *path* if it is missing, and raise `ConfigError` unless we may write there."""
    try:
        path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option}: cannot create {path}: {error.strerror}") from None
    _creatable(path, option)


def _creatable(path: Path, option: str) -> None:
    """Raise `ConfigError` unless *path* is a directory that we may write to, or could be one.

    It is not made here: the socket's server makes it for the socket's group.
    """
    nearest = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{option}: {nearest} is not a directory; remove it or name another")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{option}: user {os.geteuid()} cannot write to {nearest}; chown it or name another"
        )


def _module(module: str, **options: object) -> tuple[str, ...]:
    """Return the command line of one of our modules; an empty option is left out."""
    line = [sys.executable, "-m", module]
    for name, value in options.items():
        if str(value):
            # One word each, so that a value that begins with a dash stays a value.
            line.append(f"--{name.replace('_', '-')}={value}")
    return tuple(line)


def _leave_no_core() -> None:
    """Let no core dump hold what the process knows: TCP MD5 passwords, the mesh's key.

    Both settings pass on to the program that we become and to whatever that starts. The second
    one counts where the kernel hands cores to a program, which the first does not prevent.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0\n")


def _become(line: tuple[str, ...]) -> NoReturn:
    _leave_no_core()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(line[0], line)  # noqa: S606 - the line is our own
    except OSError as error:
        # An interpreter in a directory that only root may enter.
        raise ConfigError(
            f"{line[0]}: cannot be run by user {os.geteuid()}: {error.strerror}; install bgpd where"
            " this user can read it"
        ) from None


if __name__ == "__main__":
    main()
