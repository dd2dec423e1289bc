"""The command line of `bgpctl timeline`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgpd.ctl.options import (
    ANSWER_SECONDS,
    API_SECONDS,
    RUN_DIR,
    AllNodes,
    Context,
    EitherTimeout,
    Kubeconfig,
    RunDir,
    Socket,
    note,
    socket_path,
)
from bgpd.ctl.program import ListOutput

if TYPE_CHECKING:
    from bgpd.model.timeline import Failover


def timeline_command(  # noqa: PLR0913 - each is an option
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="With --join: the timelines of several nodes.", metavar="FILE"),
    ] = None,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    last: Annotated[int, typer.Option("--last", min=1, help="How many of the newest.")] = 10,
    join: Annotated[
        bool, typer.Option("--join", help="What several nodes saw, on one clock; from FILEs.")
    ] = False,
    all_nodes: AllNodes = False,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Draw the newest one into this file.", metavar="PATH"),
    ] = None,
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    timeout: EitherTimeout = None,
) -> None:
    """Show takeovers, withdrawals, returns and drains, step by step.

    From the cause to the routers' acknowledgement, in milliseconds of the kernel's monotonic clock.
    Those of several nodes are put on one clock; how sure that is, is said.

    Examples: `bgpctl timeline --last 3`, `bgpctl timeline --join n1.json n2.json`,
    `bgpctl timeline --all-nodes --svg takeover.svg`.
    """
    from bgpd.ctl.way import Way  # noqa: PLC0415

    if bool(files) is not join:
        raise typer.BadParameter("--join and files go together", param_hint="--join")
    if join and all_nodes:
        raise typer.BadParameter("either files or --all-nodes", param_hint="--join")
    way = Way(run_dir=run_dir, all_nodes=all_nodes, kubeconfig=kubeconfig, context=context)
    whole = way.whole and not socket
    if join:
        from bgpd.ctl import timelineread  # noqa: PLC0415

        found = timelineread.read_all(files or ())
    elif whole:
        found = _everywhere(kubeconfig, context, timeout or API_SECONDS)
    else:
        found = _here(run_dir, socket, timeout or ANSWER_SECONDS)
    if join or whole:
        _tell_joined(found, output, last)
    else:
        _tell(found, output, last)
    if svg is not None:
        _draw(found, svg)


def _here(run_dir: Path, socket: str, timeout: float) -> "list[Failover]":
    from bgpd.ctl import observe  # noqa: PLC0415

    return list(
        observe.failovers(
            agent=socket_path(socket) if socket else run_dir / observe.AGENT_SOCKET,
            speaker=socket_path(socket) if socket else run_dir / observe.SPEAKER_SOCKET,
            timeout=timeout,
        )
    )


def _everywhere(kubeconfig: Path | None, context: str, timeout: float) -> "list[Failover]":
    from bgpd.ctl import fleetlook  # noqa: PLC0415
    from bgpd.kube.nodetimeline import failovers_of  # noqa: PLC0415

    fleet = fleetlook.look(kubeconfig, fleetlook.STATUSES, context=context, within=timeout)
    for sentence in fleet.unread:
        note(sentence)
    told = [one for one in fleet.nodes if one.status is not None]
    return [found for one in told if one.status for found in failovers_of(one.name, one.status)]


def _tell(found: "list[Failover]", output: ListOutput, last: int) -> None:
    from bgpd.ctl import document, timelinetable  # noqa: PLC0415

    if output is ListOutput.TABLE:
        sys.stdout.write(timelinetable.timeline_table(found[-last:]))
    else:
        sys.stdout.write(document.dump(document.timeline_document(found[-last:]), output.value))


def _tell_joined(found: "list[Failover]", output: ListOutput, last: int) -> None:
    from bgpd.ctl import document, timelinetable  # noqa: PLC0415
    from bgpd.ctl.timelinejoin import join  # noqa: PLC0415

    happened = join(found)[-last:]
    if output is ListOutput.TABLE:
        sys.stdout.write(timelinetable.joined_table(happened))
    else:
        sys.stdout.write(document.dump(document.joined_document(happened), output.value))


def _draw(found: "list[Failover]", path: Path) -> None:
    from bgpd.ctl.timelinejoin import join  # noqa: PLC0415
    from bgpd.ctl.timelinepicture import picture  # noqa: PLC0415
    from bgpd.model.errors import BgpdError, ConfigError  # noqa: PLC0415

    happened = join(found)
    if not happened:
        raise BgpdError(f"{path}: not drawn: no failover is remembered")
    try:
        path.write_text(picture(happened[-1]), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: not written: {error.strerror}") from error
