"""The command line of `bgpctl top`: what goes on, as it goes on."""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bgpd.ctl.options import ANSWER_SECONDS, LONGEST, RUN_DIR, NoColor, RunDir, Timeout

if TYPE_CHECKING:
    from bgpd.ctl.topframe import Look

_LEAVE: Final = frozenset({"q", "Q", "\x04"})
"""Also what a terminal sends for the end of input."""
_EVENTS: Final = 200
"""Of so many, the last ones that find room are seen."""
_REDRAW_SECONDS: Final = 0.2
"""How soon a screen of another size is drawn anew."""


def top_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    all_nodes: Annotated[
        bool, typer.Option("--all-nodes", help="All nodes, from what their agents tell the API.")
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.1, max=LONGEST, help="Seconds between two looks."),
    ] = 1.0,
    count: Annotated[
        int, typer.Option("--count", min=0, help="End after so many looks; 0: go on.")
    ] = 0,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="For --all-nodes.", metavar="PATH")
    ] = None,
    run_dir: RunDir = RUN_DIR,
    timeout: Timeout = ANSWER_SECONDS,
    no_color: NoColor = False,
) -> None:
    """Watch sessions, the mesh, elastic IPs and events of this node, or of all; q ends it.

    Where the output is no terminal, a line tells of each change.
    """
    from bgpd.ctl.way import Way  # noqa: PLC0415

    whole = Way(run_dir=run_dir, all_nodes=all_nodes, kubeconfig=kubeconfig).whole

    def look() -> "Look":
        if whole:
            return _of_cluster(kubeconfig)
        return _of_node(run_dir, timeout)

    color = not (no_color or os.environ.get("NO_COLOR"))
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        _draw(_looks(look, count), interval, color=color)
    else:
        _tell(_looks(look, count), interval)


def _looks(look: Callable[[], "Look"], count: int) -> Iterator["Look"]:
    """Yield *count* looks, or looks without end."""
    for _ in range(count) if count else itertools.count():
        yield look()


def _draw(looks: Iterator["Look"], interval: float, *, color: bool) -> None:
    """Show each look on the screen until a key ends it; what changes size is drawn anew at once."""
    from bgpd.ctl.screen import Screen  # noqa: PLC0415
    from bgpd.ctl.topframe import frame  # noqa: PLC0415

    with Screen(color=color) as screen:
        for look in looks:
            until = time.monotonic() + interval
            while True:
                width, height = screen.size
                screen.show(frame(look, width=width, height=height))
                left = until - time.monotonic()
                if left <= 0:
                    break
                if screen.key(min(left, _REDRAW_SECONDS)) in _LEAVE:
                    return


def _tell(looks: Iterator["Look"], interval: float) -> None:
    """Print what changes from look to look."""
    from bgpd.ctl.topframe import changes  # noqa: PLC0415

    before: Look | None = None
    for look in looks:
        if before is not None:
            time.sleep(interval)
        for line in changes(before, look):
            print(line)  # noqa: T201
        sys.stdout.flush()
        before = look


def _of_node(run_dir: Path, timeout: float) -> "Look":
    from bgpd.ctl import observe  # noqa: PLC0415
    from bgpd.ctl.eventscommand import gather  # noqa: PLC0415
    from bgpd.ctl.scene import Place, Scene  # noqa: PLC0415
    from bgpd.ctl.topframe import Look  # noqa: PLC0415

    view = observe.observe(
        agent=run_dir / observe.AGENT_SOCKET,
        speaker=run_dir / observe.SPEAKER_SOCKET,
        timeout=timeout,
    )
    # Who is missing here is missing in the view, which says why.
    events, _ = gather(run_dir, timeout=timeout)
    scene = Scene(places=(Place(node=view.node, view=view),))
    return Look(scene=scene, at=time.time(), events=events[-_EVENTS:])


def _of_cluster(kubeconfig: Path | None) -> "Look":
    """Return what all nodes told the API; where that does not answer, why not."""
    from bgpd.ctl import fleetlook  # noqa: PLC0415
    from bgpd.ctl.scene import Place, Scene  # noqa: PLC0415
    from bgpd.ctl.topframe import Look  # noqa: PLC0415
    from bgpd.model.errors import TransientError  # noqa: PLC0415

    try:
        fleet = fleetlook.look(kubeconfig)
    except TransientError as error:
        return Look(scene=Scene(places=(), whole=True), at=time.time(), missing=(str(error),))
    places = tuple(Place(node=one.name, view=one.view, seen=one) for one in fleet.nodes)
    scene = Scene(places=places, whole=True)
    return Look(scene=scene, at=time.time(), missing=fleet.unread)
