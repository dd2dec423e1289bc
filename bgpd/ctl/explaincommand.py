"""The command line of `bgpctl explain`."""

import re
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bgpd.ctl.options import (
    RUN_DIR,
    Agent,
    AllNodes,
    Context,
    EitherTimeout,
    Kubeconfig,
    RunDir,
    given,
    note,
    socket_path,
)
from bgpd.ctl.program import ListOutput
from bgpd.model.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from bgpd.ctl.explainask import Node
    from bgpd.ctl.explainshown import Shown
    from bgpd.ctl.fleet import Fleet, NodeSeen
    from bgpd.ctl.way import Way

EXIT_CODES = (
    "Exit status: 0 fine, 1 nothing is known of it, 2 usage, 3 of a node: a reboot would cost "
    "something, 75 nobody answers now; try again, 78 change the configuration, 130 interrupted."
)
NODE = "node"
"""What is asked for to hear of a node as a whole."""


def explain_command(  # noqa: PLR0913 - each is an option of the command line
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="An elastic IP, a Service, a HealthCheck, a peer, a member; or: node.",
            callback=given,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NODE", help="After node: which.  [default: this one]", callback=given
        ),
    ] = None,
    *,
    peer: Annotated[
        str, typer.Option("--peer", help="Only what this peer hears.", metavar="PEER")
    ] = "",
    node: Annotated[
        str,
        typer.Option("--node", help="On this node; if not ours, by its status.", metavar="NODE"),
    ] = "",
    all_nodes: AllNodes = False,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            help="With --all-nodes: also who carried it so long ago: 30m, 1h.",
            metavar="AGE",
        ),
    ] = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: EitherTimeout = None,
) -> None:
    """Say why this node does what it does with WHAT; alone: with all that is not well.

    Of a Service or elastic IP: every gate on the way to the routers, the first that stops
    it, and what would change it. Of a node: what happens if it dies or is rebooted now.
    """
    from bgpd.ctl.document import dump  # noqa: PLC0415
    from bgpd.ctl.way import Way  # noqa: PLC0415

    way = Way(
        run_dir=run_dir,
        agent=socket_path(agent) if agent else None,
        timeout=timeout,
        all_nodes=all_nodes,
        kubeconfig=kubeconfig,
        context=context,
    )
    if since and not way.whole:
        raise typer.BadParameter("--since: goes with --all-nodes: Events are the cluster's")
    if since and peer:
        raise typer.BadParameter("--since: goes without --peer: Events do not tell of peers")
    if name and what != NODE:
        raise typer.BadParameter(f"{name!r}: only `explain node` takes a second word")
    shown = (
        _of_node(way, name or node)
        if what == NODE
        else _of_route(way, what or "", node=node, peer=peer, since=since)
    )
    if output is ListOutput.TABLE:
        sys.stdout.write(shown.text)
    else:
        sys.stdout.write(dump(shown.document, output.value))
    if not shown.known and not shown.silent:
        note(f"nothing is known of {what} {'in the cluster' if way.whole else 'here'}")
        raise typer.Exit(1)
    if shown.silent:
        raise typer.Exit(TransientError.exit_code)
    if not shown.well:
        raise typer.Exit(3)


def _of_route(way: "Way", what: str, *, node: str, peer: str, since: str) -> "Shown":
    now = time.time()
    if not way.whole and (not node or _is_here(way, node)):
        from bgpd.ctl.explainrun import here  # noqa: PLC0415

        return here(_node(way), what, peer=peer, now=now, look=lambda: _try_fleet(way))
    from bgpd.ctl import explaineverywhere  # noqa: PLC0415

    if node:
        return explaineverywhere.there(_seen(_fleet(way), node), what, peer=peer, now=now)
    if not what:
        raise typer.BadParameter("--all-nodes: name an elastic IP or a Service")
    began = now - _seconds(since) if since else None
    fleet = _fleet(way, everything=True, events=bool(since))
    return explaineverywhere.everywhere(fleet, what, now=now, peer=peer, since=began)


def _of_node(way: "Way", name: str) -> "Shown":
    if not name and way.whole and not way.at_hand:
        raise typer.BadParameter("node: name one; there is none at hand")
    if not name or _is_here(way, name):
        from bgpd.ctl.explainrun import of_node  # noqa: PLC0415

        return of_node(_node(way))
    from bgpd.ctl import explaineverywhere  # noqa: PLC0415

    fleet = _fleet(way)
    return explaineverywhere.of_other_node(fleet, _seen(fleet, name), time.time())


def _is_here(way: "Way", name: str) -> bool:
    """Return whether *name* is the node at hand: that answers without the API, and knows more."""
    try:
        return way.at_hand and name == _node(way).view().node
    except ConfigError:  # who may not ask it may ask the API
        return False


def _node(way: "Way") -> "Node":
    from bgpd.ctl.explainask import Node  # noqa: PLC0415

    return Node(way.run_dir, agent=way.agent, timeout=way.near_seconds)


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", age)
    if found is None:
        raise typer.BadParameter(f"--since: {age!r} must be a number with s, m, h or d: 30m")
    return int(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}[found[2]]


def _paths(*, everything: bool, events: bool = False) -> Iterable[str]:
    from bgpd.ctl.fleetlook import EVENTS, NAMESPACES, NODES, POOLS, SERVICES  # noqa: PLC0415

    if not everything:
        return NODES
    return (*NODES, *SERVICES, *POOLS, *NAMESPACES, *(EVENTS if events else ()))


def _fleet(way: "Way", *, everything: bool = False, events: bool = False) -> "Fleet":
    from bgpd.ctl.fleetlook import look  # noqa: PLC0415

    paths = _paths(everything=everything, events=events)
    return look(way.kubeconfig, paths, context=way.context, within=way.far_seconds)


def _try_fleet(way: "Way") -> "Fleet | str":
    from bgpd.ctl.fleetlook import try_look  # noqa: PLC0415

    return try_look(_paths(everything=True), within=way.far_seconds)


def _seen(fleet: "Fleet", name: str) -> "NodeSeen":
    seen = fleet.node(name)
    if seen is None:
        known = ", ".join(one.name for one in fleet.nodes) or "none"
        raise ConfigError(f"{fleet.where}: there is no node {name}; there are {known}")
    return seen
