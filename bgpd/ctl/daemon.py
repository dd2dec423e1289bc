"""`bgpd`: start one of the node's processes, after checking what a person may have got wrong.

Each command validates its options and then becomes the process with `exec`: nothing of typer
stays in the memory of what runs for months.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from bgpd import stderr
from bgpd.ctl.daemonchecks import (
    check_creatable,
    check_state,
    checked_node,
    checked_source,
    metrics_words,
)
from bgpd.ctl.daemonline import become, module_line, speaker_line
from bgpd.ctl.daemonoptions import (
    MESH_KEY_FILE,
    RUN_DIR,
    STATE_DIR,
    TERM_SECONDS,
    Documents,
    Form,
    Level,
    LoadBalancerClass,
    LogFormat,
    LogLevel,
    MetricsAddress,
    MetricsTLSCert,
    MetricsTLSKey,
    MetricsTokenFile,
    Node,
    RunDir,
    SocketGroup,
    StateDir,
    TermTimeout,
)
from bgpd.ctl.hostcommands import host_app
from bgpd.ctl.program import run, version, version_option
from bgpd.ipc.occupied import check_alone
from bgpd.model import port as ports
from bgpd.model.errors import ConfigError
from bgpd.telemetry import metricsoptions

_EXIT_CODES: Final = (
    "Exit status: 2 usage, 75 try again, 78 change the configuration; then that of the process."
)
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "terminal_width": 80}

app = typer.Typer(
    help="Start the speaker or the agent of this node, or the controller of the cluster.",
    epilog=_EXIT_CODES,
    context_settings=_SETTINGS,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(host_app, name="host", short_help="What bgpd adds to this host, and how to undo it.")


@app.callback()
def every_command(
    *,
    _version: Annotated[bool, version_option("bgpd")] = False,
) -> None:
    """Start the speaker or the agent of this node, or the controller of the cluster."""


@app.command("speaker", epilog=_EXIT_CODES)
def speaker_command(  # noqa: PLR0913 - each is an option of the command line
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
    term_timeout: TermTimeout = TERM_SECONDS,
    log_level: Level = LogLevel.INFO,
    log_format: Form = LogFormat.AUTO,
    metrics_address: MetricsAddress = f"127.0.0.1:{ports.SPEAKER_METRICS_PORT}",
    metrics_tls_cert: MetricsTLSCert = None,
    metrics_tls_key: MetricsTLSKey = None,
    metrics_token_file: MetricsTokenFile = None,
    socket_group: SocketGroup = "",
) -> None:
    """Hold the BGP sessions of this node, and take over for others."""
    from bgpd.mesh import keys  # noqa: PLC0415

    name = checked_node(node)
    try:
        loaded = keys.load_with_warnings(mesh_key_file)
    except ConfigError as error:
        raise ConfigError(f"--mesh-key-file: {error}") from None
    for warning in loaded.warnings:
        _warn(warning, log_format)
    _warn(check_state(state_dir, "--state-dir"), log_format)
    check_creatable(run_dir, "--run-dir")
    metrics = metrics_words(metrics_address, metrics_tls_cert, metrics_tls_key, metrics_token_file)
    # ExaBGP has sessions before its reflex listens, and would take those of the other one.
    check_alone(run_dir / "speaker.sock", "bgpd speaker")
    become(
        speaker_line(
            node=name,
            run_dir=run_dir.absolute(),
            state_dir=state_dir.absolute(),
            term_timeout=term_timeout,
            mesh_key_file=mesh_key_file.absolute(),
            log_level=log_level,
            log_format=log_format,
            **metrics,
            socket_group=socket_group,
        )
    )


@app.command("agent", epilog=_EXIT_CODES, short_help="Decide what this node advertises.")
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
    documents: Documents = None,
    node: Node = "",
    load_balancer_class: LoadBalancerClass = "",
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
    log_format: Form = LogFormat.AUTO,
    metrics_address: MetricsAddress = f"127.0.0.1:{ports.AGENT_METRICS_PORT}",
    metrics_tls_cert: MetricsTLSCert = None,
    metrics_tls_key: MetricsTLSKey = None,
    metrics_token_file: MetricsTokenFile = None,
    metrics_elastic_ips: Annotated[
        int,
        typer.Option(
            "--metrics-elastic-ips",
            envvar="BGPD_METRICS_ELASTIC_IPS",
            help="Up to so many elastic IPs, and checks, have series of their own.",
            metavar="NUMBER",
            min=0,
        ),
    ] = metricsoptions.MOST_ELASTIC_IPS,
    socket_group: SocketGroup = "",
) -> None:
    """Read documents, decide what this node advertises, and tell the speaker."""
    source = checked_source(source, documents)
    if not cluster_uid:
        raise ConfigError("--cluster-uid: empty; give every node of the cluster the same text")
    _warn(check_state(state_dir, "--state-dir"), log_format)
    check_creatable(run_dir, "--run-dir")
    metrics = metrics_words(metrics_address, metrics_tls_cert, metrics_tls_key, metrics_token_file)
    become(
        module_line(
            "bgpd.agent",
            node=checked_node(node),
            source=source,
            documents="" if documents is None else documents.absolute(),
            cluster_uid=cluster_uid,
            load_balancer_class=load_balancer_class,
            ignore_exclude_lb="yes" if ignore_exclude_lb else "",
            run_dir=run_dir.absolute(),
            state_dir=state_dir.absolute(),
            log_level=log_level,
            log_format=log_format,
            metrics_elastic_ips=metrics_elastic_ips,
            **metrics,
            socket_group=socket_group,
        )
    )


@app.command("controller", epilog=_EXIT_CODES)
def controller_command(  # noqa: PLR0913 - each is an option of the command line
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
    documents: Documents = None,
    load_balancer_class: LoadBalancerClass = "",
    log_level: Level = LogLevel.INFO,
    log_format: Form = LogFormat.AUTO,
    metrics_address: MetricsAddress = f"127.0.0.1:{ports.CONTROLLER_METRICS_PORT}",
    metrics_tls_cert: MetricsTLSCert = None,
    metrics_tls_key: MetricsTLSKey = None,
    metrics_token_file: MetricsTokenFile = None,
) -> None:
    """Give Services of type LoadBalancer addresses out of the pools.

    One a cluster is enough; of several, one works and the others stand by.
    """
    source = checked_source(source, documents)
    metrics = metrics_words(metrics_address, metrics_tls_cert, metrics_tls_key, metrics_token_file)
    become(
        module_line(
            "bgpd.controller",
            source=source,
            documents="" if documents is None else documents.absolute(),
            load_balancer_class=load_balancer_class,
            log_level=log_level,
            log_format=log_format,
            **metrics,
        )
    )


@app.command("mesh-key", epilog=_EXIT_CODES, short_help="Print a new key for the mesh.")
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
    run("bgpd", lambda: app(prog_name="bgpd", standalone_mode=False))


def _warn(sentence: str, form: LogFormat) -> None:
    """Say what a person should know before there is a log, in the form that it will have."""
    if not sentence:
        return
    line = f"bgpd: {sentence}"
    if stderr.chosen(form) == "json":
        line = stderr.as_json("bgpd", "warning", line, time.time())
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
