"""The command line of `bgpctl diff`."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bgpd.ctl.options import (
    ANSWER_SECONDS,
    RUN_DIR,
    Agent,
    Context,
    Kubeconfig,
    RunDir,
    Timeout,
    note,
    socket_path,
)
from bgpd.ctl.program import ListOutput
from bgpd.model.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from bgpd.ctl.explainask import Node
    from bgpd.ctl.routertable import RouterPath
    from bgpd.model.prefix import Family

    _Table = tuple[tuple[RouterPath, ...] | None, frozenset[Family]]

EXIT_CODES: Final = (
    "Exit status: 0 nothing differs, 1 something does, 2 usage, 75 try again, "
    "78 change the configuration, 130 interrupted."
)
_ROUTER_SECONDS: Final = 30.0
_ERROR_LINES: Final = 3
_DIRECTORY: Final = "directory:"


def diff_command(  # noqa: PLR0913 - each is an option of the command line
    peer: Annotated[
        str, typer.Argument(metavar="PEER", help="Only towards this peer.  [default: all]")
    ] = "",
    *,
    router: Annotated[
        Path | None,
        typer.Option(
            "--router",
            help="The router's table, as it prints it: a file, or - for standard input.",
            metavar="FILE",
            readable=False,
        ),
    ] = None,
    router_exec: Annotated[
        str,
        typer.Option(
            "--router-exec",
            help="A command that prints it: ssh tor-a vtysh -c 'show bgp ipv4 unicast json'.",
            metavar="CMD",
        ),
    ] = "",
    filename: Annotated[
        list[Path] | None,
        typer.Option(
            "-f",
            "--filename",
            help="Documents that you are about to apply: what would they change?",
            metavar="PATH",
            readable=False,
        ),
    ] = None,
    base: Annotated[
        list[Path] | None,
        typer.Option(
            "--base",
            help="With -f: documents to apply them to.  [default: the cluster]",
            metavar="PATH",
            readable=False,
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    every: Annotated[bool, typer.Option("--all", help="Also what is the same.")] = False,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: Timeout = ANSWER_SECONDS,
) -> None:
    """Compare what the agent wants, what was sent to routers, and what a router has of it.

    A router cannot be asked over BGP: --router takes what BIRD, FRR or GoBGP print. With
    -f: compare what is advertised with what would be, once these documents are applied.
    """
    from bgpd.ctl import document  # noqa: PLC0415
    from bgpd.ctl.explainask import Node  # noqa: PLC0415

    node = Node(run_dir, agent=socket_path(agent) if agent else None, timeout=timeout)
    if filename:
        text, found, status = _rehearsed(filename, _present(base, kubeconfig, context, node))
    else:
        text, found, status = _compared(node, peer, _table(router, router_exec), every=every)
    if output is ListOutput.TABLE:
        sys.stdout.write(text)
    else:
        sys.stdout.write(document.dump(found, output.value))
    raise typer.Exit(status)


def _compared(
    node: "Node", peer: str, table: "_Table", *, every: bool
) -> tuple[str, Mapping[str, object], int]:
    from bgpd.ctl import diffrows, difftext  # noqa: PLC0415

    view = node.view()  # first, for it ends where we may ask neither
    told = node.told(peer)
    if isinstance(told, str):
        error = ConfigError if told == view.unasked else TransientError
        raise error(f"what was sent is not known: {told}")
    sessions = view.speaker.sessions if view.speaker is not None else ()
    if peer and peer not in {one.peer for one in sessions}:
        known = ", ".join(sorted(one.peer for one in sessions)) or "none"
        raise ConfigError(f"there is no peer {peer} on node {told.node}; there are {known}")
    own = [one.local_address for one in sessions if one.local_address and peer in {"", one.peer}]
    paths, families = table
    found = diffrows.difference(told, node.wanted(peer), paths, own=own, families=families)
    text = difftext.difference_text(found, every=every)
    return text, difftext.difference_document(found), 1 if found.differs else 0


def _rehearsed(
    files: list[Path], present: list[Mapping[str, Any]]
) -> tuple[str, Mapping[str, object], int]:
    from bgpd.ctl.rehearsal import rehearse  # noqa: PLC0415
    from bgpd.ctl.rehearsaltext import rehearsal_document, rehearsal_text  # noqa: PLC0415
    from bgpd.ctl.survey import of_files  # noqa: PLC0415

    new = of_files(files).documents
    found = rehearse(present, new)
    if not found.nodes:
        raise ConfigError("there is no Node in what the documents would be applied to")
    status = ConfigError.exit_code if found.refused else 1 if found.turns else 0
    return rehearsal_text(found), rehearsal_document(found), status


def _present(
    base: list[Path] | None, kubeconfig: Path | None, context: str, node: "Node"
) -> list[Mapping[str, Any]]:
    """Return what is there: named files, the cluster, or the directory that this agent reads."""
    from bgpd.ctl import fleetlook  # noqa: PLC0415
    from bgpd.ctl.cluster import has_access  # noqa: PLC0415
    from bgpd.ctl.survey import of_files  # noqa: PLC0415

    if base:
        return list(of_files(base).documents)
    agent = None if kubeconfig is not None or context else node.view().agent
    if agent is not None and agent.source.startswith(_DIRECTORY):
        return list(of_files([Path(agent.source.removeprefix(_DIRECTORY))]).documents)
    if not has_access(kubeconfig):
        raise ConfigError("nothing here names a cluster: name one with --kubeconfig, or --base")
    paths = (
        *fleetlook.NODES,
        *fleetlook.SERVICES,
        *fleetlook.CONFIGURATION,
        *fleetlook.METALLB,
    )
    documents, unread = fleetlook.read_all(kubeconfig, paths, context=context)
    for one in unread:
        note(f"not read: {one}")
    return [dict(one) for one in documents]


def _table(file: Path | None, command: str) -> "_Table":
    """Return what the router has, and of which families it tells; None: nobody has named it."""
    from bgpd.ctl.routertable import families_of, parse  # noqa: PLC0415

    if file is not None and command:
        raise typer.BadParameter("--router or --router-exec, not both")
    text = _printed(command) if command else _read(file)
    paths = None if text is None else parse(text)
    return paths, families_of(text or "", paths or ())


def _read(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read().decode(errors="replace")
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"--router: {file}: {error.strerror}") from None


def _printed(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--router-exec: {command!r}: {error}") from None
    if not words:
        raise ConfigError("--router-exec: is empty; name a command that prints the table")
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a description at a router may be in any letters
            timeout=_ROUTER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TransientError(
            f"--router-exec: {words[0]} printed nothing within {_ROUTER_SECONDS:g} s"
        ) from None
    except OSError as error:
        raise ConfigError(f"--router-exec: {words[0]}: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise TransientError(f"--router-exec: {words[0]} ended with {done.returncode}: {said}")
    return done.stdout
