"""The command lines of `bgpctl drain` and `bgpctl undrain`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgpd.ctl.options import RUN_DIR as _RUN_DIR
from bgpd.ctl.options import Kubeconfig, RunDir, given
from bgpd.ctl.program import INTERRUPTED, complain
from bgpd.model.errors import BgpdError, ConfigError

if TYPE_CHECKING:
    from bgpd.ctl.drain import Here

EXIT_CODES: Final = (
    "Exit status: 0 done, 1 refused, or taken back while it was waited for, 2 usage, "
    "75 not within --timeout, or try again, 78 change the configuration, 130 interrupted."
)

Node = Annotated[
    str | None,
    typer.Argument(
        metavar="NODE", help="Its name; another node than this needs the API.", callback=given
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def drain_command(  # noqa: PLR0913 - one for each option
    node: Node = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Show how it goes, until it is.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also withdraw what nobody else carries.")
    ] = False,
    patient: Annotated[
        bool, typer.Option("--patient", help="Keep that until another node carries it.")
    ] = False,
    until_boot: Annotated[
        bool, typer.Option("--until-boot", help="The next boot ends it, and not only undrain.")
    ] = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="Most seconds for --wait.  [default: no limit]"),
    ] = None,
    kubeconfig: Kubeconfig = None,
    run_dir: RunDir = _RUN_DIR,
) -> None:
    """Take a node's routes off it: traffic is led to other nodes first.

    Sessions and mesh stay. It holds over restarts and reboots until undrain. The last node
    that carries something is refused.
    """
    from bgpd.ctl import drain  # noqa: PLC0415

    node = node or ""
    near = _near(node, run_dir)
    at = _named(near, node)
    if at is None:
        if force or until_boot:
            raise typer.BadParameter("works on the node itself only", param_hint="--force")
        _reachable(node, near, kubeconfig)
        _there(node, kubeconfig, on=True, dry_run=dry_run, wait=wait, timeout=timeout)
        return
    if dry_run:
        _rehearse(at, allowed=force or patient)
        return
    if force and not yes and not _agreed(at):
        raise typer.Exit(1)
    wish = drain.Wish(force=force, patient=patient, until_boot=until_boot)
    drain.say(drain.begin(at, wish))
    if wait:
        _tell(at.name, drain.until_drained(at, seconds=timeout))


def undrain_command(
    node: Node = None,
    *,
    dry_run: DryRun = False,
    kubeconfig: Kubeconfig = None,
    run_dir: RunDir = _RUN_DIR,
) -> None:
    """Give a node its routes back: end what bgpctl drain began."""
    from bgpd.ctl import drain  # noqa: PLC0415

    node = node or ""
    near = _near(node, run_dir)
    at = _named(near, node)
    if at is None:
        _reachable(node, near, kubeconfig)
        _there(node, kubeconfig, on=False, dry_run=dry_run)
    elif dry_run:
        drain.say(f"the request for a drain of {at.name} would be taken back")
    else:
        drain.say(drain.end(at))


def _near(node: str, run_dir: Path) -> "Here | None":
    """Return the node at hand; None where there is none and another one is meant."""
    from bgpd.ctl import drain, observe  # noqa: PLC0415

    try:
        return drain.here(
            speaker=run_dir / observe.SPEAKER_SOCKET, agent=run_dir / observe.AGENT_SOCKET
        )
    except BgpdError as error:
        if node and not isinstance(error, ConfigError):
            return None
        raise


def _named(near: "Here | None", node: str) -> "Here | None":
    """Return the node at hand if it is *node*, or if none is named; None for another."""
    return near if near is not None and node in {"", near.name} else None


def _reachable(node: str, near: "Here | None", kubeconfig: Path | None) -> None:
    from bgpd.ctl import drain  # noqa: PLC0415
    from bgpd.ctl.cluster import has_access  # noqa: PLC0415

    if not has_access(kubeconfig):
        raise drain.out_of_reach(node, near)


def _there(
    node: str,
    kubeconfig: Path | None,
    *,
    on: bool,
    dry_run: bool,
    wait: bool = False,
    timeout: float | None = None,
) -> None:
    from bgpd.ctl import drain  # noqa: PLC0415
    from bgpd.ctl.cluster import Cluster, access_of  # noqa: PLC0415

    with Cluster(access_of(kubeconfig)) as cluster:
        drain.say(drain.taint(cluster, node, on=on, dry_run=dry_run))
        if wait and not dry_run:
            _tell(node, drain.until_reported(cluster, node, seconds=timeout))


def _rehearse(at: "Here", *, allowed: bool) -> None:
    from bgpd.ctl import drain, drainview  # noqa: PLC0415

    left = drain.alone(at)
    if left and not allowed:
        raise drain.NotDrainedError(drainview.refusal(at.name, left, at.names))
    only = f"; nobody else carries {drainview.named(left, at.names)}" if left else ""
    drain.say(f"{at.name} would be drained{only}")


def _agreed(at: "Here") -> bool:
    """Return whether a person at a terminal wants even that; a script has said so."""
    from bgpd.ctl import drain, drainview  # noqa: PLC0415

    if not sys.stdin.isatty():
        return True
    left = drain.alone(at)
    if not left:
        return True
    return typer.confirm(
        f"Nobody else carries {drainview.named(left, at.names)}. Withdraw all the same?", err=True
    )


def _tell(name: str, sentences: Iterator[str]) -> None:
    from bgpd.ctl import drain  # noqa: PLC0415

    try:
        for sentence in sentences:
            drain.say(sentence)
    except KeyboardInterrupt:
        complain("bgpctl", f"not waited for any longer; the drain of {name} goes on")
        raise typer.Exit(INTERRUPTED) from None
