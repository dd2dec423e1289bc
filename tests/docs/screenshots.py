"""The pictures of README and docs, drawn by the code that answers; `scripts/screenshots`.

What is shown is what the commands print of the sample node of the tests, so a picture changes when
a screen does, and a test says that it has to be drawn anew.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from bgpd.ctl import table, timelinetable
from bgpd.ctl.explainchain import chains
from bgpd.ctl.explainsubject import subjects
from bgpd.ctl.explaintext import chains_text
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.timelinejoin import join
from bgpd.ctl.topframe import Line, Look, Tone, frame
from bgpd.ctl.view import View
from bgpd.model.event import Event
from tests.agent.test_planner import endpoints, ours, service
from tests.ctl.reasonrig import Station
from tests.ctl.samples import FINE, NOW
from tests.ctl.timelinesamples import TAKEOVER
from tests.docs.terminal import COLUMNS, picture

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = "docs/pictures"
_LINES: Final = 24
_HEADER: Final = re.compile(r"[A-Z][A-Z -]+")
EVENTS: Final = (
    ("warning", "member_suspected", (("member", "n3"),)),
    ("warning", "member_dead", (("member", "n3"),)),
    ("info", "generation_adopted", (("generation", "7"), ("member", "n2"))),
    ("info", "member_up", (("member", "n3"),)),
)


def pictures() -> Mapping[str, str]:
    """Return the name and the text of each picture."""
    return {name: draw() for name, draw in _PICTURES.items()}


def drifted(root: Path) -> tuple[str, ...]:
    """Return the pictures below *root* that are not what they should be, also those left over."""
    drawn = pictures()
    folder = root / FOLDER
    there = {one.name: one.read_text() for one in folder.glob("*.svg")}
    names = sorted(drawn.keys() | there.keys())
    return tuple(f"{FOLDER}/{one}" for one in names if drawn.get(one) != there.get(one))


def write(root: Path) -> None:
    """Draw every picture below *root*."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pictures().items():
        (folder / name).write_text(text)


def main(arguments: list[str]) -> int:
    """Draw the pictures, or with `--check` only say which ones differ."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if not parsed.check:
        write(parsed.root)
        return 0
    stale = drifted(parsed.root)
    for one in stale:
        sys.stderr.write(f"{one} is out of date; run scripts/screenshots\n")
    return 1 if stale else 0


def _status() -> str:
    return _shown("bgpctl status", table.status_table(FINE, now=NOW))


def _explain() -> str:
    """Return why the Service that the status withholds is withheld, by a real planner."""
    station = Station().without("peer")
    station.with_(
        pool=ours("IPAddressPool", "public", addresses=["203.0.113.0/24"]),
        service=service("dns", "203.0.113.44"),
        endpoints=endpoints("dns", "n2"),
        tor_a=ours("BGPPeer", "tor-a", myASN=65000, peerASN=65530, peerAddress="169.254.255.1"),
        tor_b=ours("BGPPeer", "tor-b", myASN=65000, peerASN=65530, peerAddress="169.254.255.2"),
    ).write()
    what = "default/dns"
    found = subjects(station.view(), what, None, station.grounds(what))
    return _shown(f"bgpctl explain {what}", chains_text(chains(station.view(), found, None)))


def _timeline() -> str:
    shown = timelinetable.joined_table(join(TAKEOVER))
    return _shown("bgpctl timeline --all-nodes --last 1", shown)


def _top() -> str:
    events = tuple(
        Event(at=NOW - 64.0 + 0.09 * n, level=level, event=event, keys=keys, process="speaker")
        for n, (level, event, keys) in enumerate(EVENTS)
    )
    scene = Scene(places=(Place(node=FINE.node, view=_near()),))
    look = Look(scene=scene, at=NOW, events=events)
    return picture("bgpctl top", frame(look, width=COLUMNS, height=_LINES))


def _near() -> View:
    """Return the sample node, whose members answer echoes as on one switch."""
    assert FINE.speaker is not None
    assert FINE.speaker.mesh is not None
    mesh = FINE.speaker.mesh
    members = tuple(
        replace(one, round_trip_milliseconds=0.21 + 0.08 * n) for n, one in enumerate(mesh.members)
    )
    return replace(FINE, speaker=replace(FINE.speaker, mesh=replace(mesh, members=members)))


def _shown(command: str, text: str) -> str:
    """Return the picture of *command* and of what it prints."""
    lines = [Line(f"$ {command}", Tone.TITLE), *map(_toned, text.splitlines())]
    return picture(command, lines)


def _toned(text: str) -> Line:
    """Return a line with what a glance has to find: headers, what is fine, what is not."""
    if _HEADER.fullmatch(text):
        return Line(text, Tone.TITLE)
    if " is fine: " in text or text.lstrip().startswith("✓"):
        return Line(text, Tone.FINE)
    return Line(text, Tone.BAD if text.lstrip().startswith("✗") else Tone.PLAIN)


_PICTURES: Final[Mapping[str, Callable[[], str]]] = {
    "explain.svg": _explain,
    "status.svg": _status,
    "timeline.svg": _timeline,
    "top.svg": _top,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
