"""The command line of `bgpctl status`."""

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bgpd.ctl.options import (
    ANSWER_SECONDS,
    EXIT_CODES,
    RUN_DIR,
    Agent,
    AllNodes,
    Context,
    EitherTimeout,
    Kubeconfig,
    NoColor,
    Output,
    RunDir,
    Socket,
    Watch,
    note,
    socket_path,
)

__all__ = ["EXIT_CODES", "status_command"]

if TYPE_CHECKING:
    from bgpd.ctl.scene import Scene
    from bgpd.ctl.view import State
    from bgpd.ctl.way import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What one look shows."""

    text: str
    state: "State"


def status_command(  # noqa: PLR0913 - one for each option
    *,
    output: Annotated[Output, typer.Option("-o", "--output", help="The form.")] = Output.TABLE,
    watch: Watch = False,
    all_nodes: AllNodes = False,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    run_dir: RunDir = RUN_DIR,
    socket: Socket = "",
    agent: Agent = "",
    timeout: EitherTimeout = None,
    no_color: NoColor = False,
) -> None:
    """Show how this node fares, or with --all-nodes every node.

    Sessions, elastic IPs, the mesh; problems come first. The agent answers; when it is
    dead, the speaker does. Exit status 3: something is not as it should be; 4: the node
    carries nothing; of all nodes, the worst.
    """
    from bgpd.ctl import view  # noqa: PLC0415
    from bgpd.ctl.way import Way  # noqa: PLC0415

    way = Way(
        run_dir=run_dir,
        agent=socket_path(agent) if agent else None,
        timeout=timeout,
        all_nodes=all_nodes,
        kubeconfig=kubeconfig,
        context=context,
    )

    def look(now: float) -> _Shown:
        if way.whole and not socket:
            return _fleet(way, output, now)
        return _node(way, socket, output, now)

    if watch:
        from bgpd.ctl import watch as watching  # noqa: PLC0415

        pause = watching.FAR_SECONDS if way.whole else watching.NEAR_SECONDS
        mark = "---\n" if output is Output.YAML else ""
        watching.again(lambda now: mark + _painted(look(now), no_color=no_color), every=pause)
    shown = look(time.time())
    sys.stdout.write(_painted(shown, no_color=no_color))
    raise typer.Exit(view.EXIT_CODES[shown.state])


def _node(way: "Way", socket: str, output: Output, now: float) -> _Shown:
    """Return the status of the node at hand."""
    from bgpd.ctl import observe, table  # noqa: PLC0415
    from bgpd.ctl.view import verdict  # noqa: PLC0415

    if socket:
        seconds = ANSWER_SECONDS if way.timeout is None else way.timeout
        view = observe.observe_one(socket_path(socket), timeout=seconds)
    else:
        view = observe.observe(
            agent=way.agent_socket, speaker=way.speaker_socket, timeout=way.near_seconds
        )
    state = verdict(view).state
    if output in {Output.TABLE, Output.WIDE}:
        text = table.status_table(view, now=now, wide=output is Output.WIDE)
        return _Shown(text=text, state=state)
    from bgpd.ctl import document  # noqa: PLC0415

    if view.agent is None and view.speaker is not None and view.agent_asked:
        note(f"the agent does not answer ({view.agent_error}); this is the speaker's word")
    return _Shown(text=document.dump(document.status_document(view), output.value), state=state)


def _fleet(way: "Way", output: Output, now: float) -> _Shown:
    """Return the status of the cluster."""
    from bgpd.ctl import document  # noqa: PLC0415
    from bgpd.ctl.fleetstatus import fleet_document, fleet_status, fleet_table  # noqa: PLC0415

    scene, where = _scene(way)
    found = fleet_status(scene, where=where)
    if output in {Output.TABLE, Output.WIDE}:
        text = fleet_table(found, now=now, wide=output is Output.WIDE)
    else:
        text = document.dump(fleet_document(found), output.value)
    return _Shown(text=text, state=found.state)


def _scene(way: "Way") -> "tuple[Scene, str]":
    """Return all nodes; without the API, what the node at hand hears of them."""
    from bgpd.ctl import scenelook  # noqa: PLC0415
    from bgpd.model.errors import TransientError  # noqa: PLC0415

    try:
        return scenelook.far(way)
    except TransientError as error:
        if not way.at_hand:
            raise TransientError(f"{error}; on a node, `bgpctl status` needs no API") from None
        note(f"the API does not answer ({error}); this is what this node hears of the others")
        return scenelook.near(way), ""


def _painted(shown: _Shown, *, no_color: bool) -> str:
    """Return the text with its first line in color, for a person at a terminal who wants that."""
    plain = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    first, newline, rest = shown.text.partition("\n")
    if plain or not sys.stdout.isatty() or first.startswith("{"):
        return shown.text
    color = {"fine": typer.colors.GREEN, "degraded": typer.colors.YELLOW}.get(
        shown.state.value, typer.colors.RED
    )
    return typer.style(first, fg=color) + newline + rest
