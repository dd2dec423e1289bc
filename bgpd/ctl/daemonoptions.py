"""Options of the processes: one name, one meaning, one line of help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


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
Form = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        envvar="BGPD_LOG_FORMAT",
        help="How a line looks; auto: text at a terminal, else one JSON object.",
    ),
]
Documents = Annotated[
    Path | None,
    typer.Option(
        "--documents",
        envvar="BGPD_DOCUMENTS",
        help="Directory of documents beside the API, such as a mounted ConfigMap; an object of the"
        " API holds in place of one of the same name.",
        metavar="PATH",
        readable=False,
    ),
]
LoadBalancerClass = Annotated[
    str,
    typer.Option(
        "--load-balancer-class",
        envvar="BGPD_LOAD_BALANCER_CLASS",
        help="Serve only Services of this class.",
        metavar="CLASS",
    ),
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
TermTimeout = Annotated[
    int,
    typer.Option(
        "--term-timeout",
        envvar="BGPD_TERM_TIMEOUT",
        help="How long after SIGTERM the process ends at the latest; a drain that would take longer"
        " is cut short. Whoever sends SIGKILL has to wait longer than this.",
        metavar="SECONDS",
        min=5,
    ),
]
MetricsAddress = Annotated[
    str,
    typer.Option(
        "--metrics-address",
        envvar="BGPD_METRICS_ADDRESS",
        help="Where /metrics, /livez and /readyz are served: addresses of this host with a port,"
        " commas between them, or none.",
        metavar="ADDRESS:PORT",
    ),
]
MetricsTLSCert = Annotated[
    Path | None,
    typer.Option(
        "--metrics-tls-cert",
        envvar="BGPD_METRICS_TLS_CERT",
        help="Certificate chain in PEM: metrics are served by TLS only.",
        metavar="PATH",
        readable=False,
    ),
]
MetricsTLSKey = Annotated[
    Path | None,
    typer.Option(
        "--metrics-tls-key",
        envvar="BGPD_METRICS_TLS_KEY",
        help="The certificate's key in PEM, not encrypted.",
        metavar="PATH",
        readable=False,
    ),
]
MetricsTokenFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-token-file",
        envvar="BGPD_METRICS_TOKEN_FILE",
        help="File with the bearer token without which nobody reads /metrics.",
        metavar="PATH",
        readable=False,
    ),
]
RUN_DIR: Final = Path("/run/bgpd")
STATE_DIR: Final = Path("/var/lib/bgpd")
TERM_SECONDS: Final = 30
"""As the launcher has it where nothing is said."""
MESH_KEY_FILE: Final = Path("/etc/bgpd/mesh-key")
