"""Options that several commands share: one name, one meaning, one line of help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from bgpd.ctl.program import complain

EXIT_CODES: Final = (
    "Exit status: 0 fine, 1 failed, 2 usage, 3 degraded, 4 down, 75 try again, "
    "78 change the configuration, 130 interrupted."
)
PLUGIN: Final = "kubectl-bgpd"
"""Our name as kubectl starts us, where no node may be at hand: then every node is meant."""
RUN_DIR: Final = Path("/run/bgpd")
ANSWER_SECONDS: Final = 1.0
"""How long a question may wait: with it, `status` ends within 2 s when nobody answers."""
API_SECONDS: Final = 5.0
"""The same for the API, which may be far away."""
ACT_SECONDS: Final = 3.0
"""The same for what changes something: an answer that comes late is worth more there."""


class Form(StrEnum):
    """How a list prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


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
        readable=False,  # who may not look there is told so by name, and it is no wrong usage
    ),
]
Socket = Annotated[
    str,
    typer.Option("--socket", help="Ask only this socket, agent's or speaker's.", metavar="PATH"),
]
Agent = Annotated[
    str, typer.Option("--agent", help="The agent's socket, if elsewhere.", metavar="PATH")
]
LONGEST: Final = 86400
"""Seconds of the longest wait that may be asked for: a socket refuses some 9,000,000,000."""
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=LONGEST, help="Seconds to wait for each answer."),
]
EitherTimeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        max=LONGEST,
        help="Seconds to wait for each answer.  [default: 1; for the API 5]",
        show_default=False,
    ),
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on with what changes.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No color on a terminal.")]
NoHeaders = Annotated[bool, typer.Option("--no-headers", help="Rows alone.")]
AllNodes = Annotated[
    bool, typer.Option("--all-nodes", help="Every node of the cluster, through the API.")
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="The cluster.  [default: $KUBECONFIG, the pod's account, ~/.kube/config]",
        metavar="PATH",
        readable=False,  # what cannot be read is for a person to change, not wrong usage
    ),
]
Context = Annotated[
    str, typer.Option("--context", help="One of the kubeconfig's contexts.", metavar="NAME")
]


def given(value: str | None) -> str | None:
    """Refuse a name that is empty: a script meant one, and its variable was never set."""
    if value == "":
        raise typer.BadParameter("is empty; name one, or leave the word out")
    return value


def socket_path(text: str) -> Path:
    """Return the path in *text*, which may be written as `unix:PATH`."""
    return Path(text.removeprefix("unix:"))


def note(sentence: str) -> None:
    """Tell a person something on standard error."""
    complain("bgpctl", sentence)
