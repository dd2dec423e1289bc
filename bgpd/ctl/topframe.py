"""What `bgpctl top` shows: sessions, the mesh, elastic IPs and who carries them, what happened.

Pure functions of one look: `frame` fills a screen of a given size and no more, `changes` tells two
looks apart for whoever reads lines. Where room is short each part gets its share of it, what is
not well comes first, and what is left out is counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias

from bgpd.ctl import eventlist, listing
from bgpd.ctl.columns import NONE, UNKNOWN, columns, counted, duration, printable
from bgpd.ctl.healthtable import bfd_cell
from bgpd.ctl.items import ElasticIP, Member, Session, Stand
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.table import heard
from bgpd.ctl.view import Verdict, armed, verdict
from bgpd.model.event import Event
from bgpd.model.peer import PeerState
from bgpd.model.status import MemberState, MeshStatus

_AIRY: Final = 20
"""Lines, from which on parts are set apart by empty ones."""
_LEAST: Final = 20
"""Columns; on a screen that is narrower, lines are cut."""


class Tone(StrEnum):
    """How a line is meant: a terminal may color it, and says the same in words."""

    PLAIN = "plain"
    TITLE = "title"
    FINE = "fine"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a screen."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one moment."""

    scene: Scene
    at: float
    """Wall clock, seconds since the epoch."""
    events: tuple[Event, ...] = ()
    """Oldest first."""
    missing: tuple[str, ...] = ()
    """Who did not answer, and why, in sentences."""


_Row: TypeAlias = tuple[Tone, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of the screen: a header, and rows below it."""

    header: tuple[str, ...]
    rows: tuple[_Row, ...]
    flexible: tuple[int, ...]


def frame(look: Look, *, width: int, height: int) -> tuple[Line, ...]:
    """Return at most *height* lines of at most *width* columns."""
    head = list(_head(look, width))
    parts = [part for part in (_sessions(look), _members(look), _elastic_ips(look)) if part.rows]
    events = [Line(one) for one in _events(look)]
    gap = 1 if height >= _AIRY else 0
    room = height - len(head) - (len(parts) + 1) * (1 + gap)
    wants = [*(len(part.rows) for part in parts), len(events)]
    given = shares(wants, max(0, room))
    lines = head
    for part, rows in zip(parts, given, strict=False):
        lines += [Line("")] * gap
        lines += _drawn(part, rows, width)
    lines += [Line("")] * gap
    lines.append(Line("EVENTS" if events else "EVENTS  none remembered", Tone.TITLE))
    lines += events[len(events) - given[-1] :]
    return tuple(_cut(line, width) for line in lines[:height])


def shares(wants: Sequence[int], room: int) -> tuple[int, ...]:
    """Return how many lines of *room* each gets: what one does not need is left to the others."""
    given = [0] * len(wants)
    left = room
    for done, index in enumerate(sorted(range(len(wants)), key=lambda one: wants[one])):
        given[index] = min(wants[index], left // (len(wants) - done))
        left -= given[index]
    return tuple(given)


def changes(before: Look | None, look: Look) -> Iterator[str]:
    """Yield a line for all that is not as it was *before*; without it, for all that there is."""
    when = _moment(look.at)
    old = {} if before is None else _facts(before)
    new = _facts(look)
    for name, fact in new.items():
        if name not in old:
            yield f"{when} {name}: {fact}"
        elif old[name] != fact:
            yield f"{when} {name}: {old[name]} -> {fact}"
    for name in old.keys() - new.keys():
        yield f"{when} {name}: gone (was {old[name]})"
    seen = () if before is None else before.events
    for one in eventlist.news(seen, look.events):
        yield eventlist.line(one, now=look.at, wide=True)


def _head(look: Look, width: int) -> Iterator[Line]:
    places = look.scene.places
    states = [verdict(place.view) for place in places]
    moment = f"{_moment(look.at)}  q quits"
    if look.scene.whole:
        worst = [one for one, place in zip(states, places, strict=True) if _ill(one, place)]
        name = f"{counted(len(places), 'node')}, {len(places) - len(worst)} fine"
        fine = not worst
        problems = [
            f"{place.node}: {problem}"
            for place, one in zip(places, states, strict=True)
            for problem in (*place.doubts, *one.problems)
        ]
    else:
        name = f"{places[0].node or UNKNOWN}: {states[0].state.value}" if places else UNKNOWN
        fine = bool(states) and not states[0].problems
        problems = [problem for one in states for problem in one.problems]
    problems = [*look.missing, *problems]
    left = f"bgpctl top  {name}"
    yield Line(f"{left}{moment:>{max(len(moment) + 2, width - len(left))}}", _tone(fine=fine))
    yield Line(_takeover(look.scene))
    if problems:
        more = f"  (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        text = printable(problems[0])
        room = max(_LEAST, width - len(more))
        yield Line((text if len(text) <= room else f"{text[: room - 1]}…") + more, Tone.BAD)


def _ill(judged: Verdict, place: Place) -> bool:
    """Return whether a person has to look; what a node told may be old, and others say so."""
    return bool(judged.problems or place.doubts)


def _takeover(scene: Scene) -> str:
    meshes = [
        place.view.speaker.mesh
        for place in scene.places
        if place.view.speaker is not None and place.view.speaker.mesh is not None and not place.gone
    ]
    if not meshes:
        return "no mesh is known: nobody would take over"
    newest = max(mesh.generation for mesh in meshes)
    return f"generation {newest}  takeover armed: {_armed(scene, meshes)}"


def _armed(scene: Scene, meshes: Sequence[MeshStatus]) -> str:
    if not scene.whole:
        return armed(meshes[0])
    return f"on {sum(mesh.armed for mesh in meshes)} of {counted(len(scene.places), 'node')}"


def _sessions(look: Look) -> _Part:
    whole = look.scene.whole
    found = sorted(listing.sessions(look.scene), key=_up)
    rows = tuple(_session(one, look.at, whole=whole) for one in found)
    node = ("NODE",) if whole else ()
    header = ("SESSION", *node, "ADDRESS", "STATE", "SINCE", "HOLD", "ROUTES", "BFD")
    return _Part(header=header, rows=rows, flexible=(1, 0) if whole else (0,))


def _up(one: Session) -> bool:
    return one.status.state is PeerState.ESTABLISHED


def _session(one: Session, now: float, *, whole: bool) -> _Row:
    status = one.status
    since = UNKNOWN if status.since is None else duration(now - status.since)
    hold = NONE if status.hold_time is None else f"{status.hold_time}s"
    node = (one.node,) if whole else ()
    bfd = bfd_cell(status)
    cells = (one.name, *node, status.address, status.state.value, since, hold)
    return _tone(fine=_up(one)), (*cells, str(status.advertised), bfd)


def _members(look: Look) -> _Part:
    whole = look.scene.whole
    every = [one for one in listing.members(look.scene) if one.name != one.node]
    rows = tuple(_member(one, whole=whole) for one in sorted(every, key=_alive))
    # What the milliseconds are only the node itself tells.
    measured = () if whole else ("HEARD", "ROUND-TRIP", "LOSS", "LATE", "GENERATION")
    return _Part(
        header=("MEMBER", *(("SEEN-BY",) if whole else ()), "STATE", *measured),
        rows=rows,
        flexible=(1, 0) if whole else (0,),
    )


def _alive(one: Member) -> bool:
    return one.status.state is MemberState.ALIVE


def _member(one: Member, *, whole: bool) -> _Row:
    status = one.status
    if whole:
        return _tone(fine=_alive(one)), (one.name, one.node, status.state.value)
    generation = UNKNOWN if status.generation is None else str(status.generation)
    cells = (
        one.name,
        status.state.value,
        heard(status.last_heard_milliseconds),
        _round_trip(status.round_trip_milliseconds),
        f"{status.loss_percent:.1f}%",
        str(status.late_heartbeats),
        generation,
    )
    return _tone(fine=_alive(one)), cells


def _round_trip(milliseconds: float | None) -> str:
    return UNKNOWN if milliseconds is None else f"{milliseconds:.2f} ms"


def _elastic_ips(look: Look) -> _Part:
    order = {Stand.UNSENT: 0, Stand.ADVERTISED: 1, Stand.WITHHELD: 2}
    found = sorted(listing.elastic_ips(look.scene), key=lambda one: order[one.state])
    rows = tuple(
        (
            Tone.BAD if one.state is Stand.UNSENT else Tone.PLAIN,
            (one.name, one.state.value, _carriers(one), _services(one)),
        )
        for one in found
    )
    return _Part(
        header=("ELASTIC-IP", "STATE", "CARRIED-BY", "SERVICES"), rows=rows, flexible=(0, 2, 3)
    )


def _carriers(one: ElasticIP) -> str:
    """Return the nodes that carry it, best rank first; of nobody, why not."""
    if one.carriers:
        return ",".join(
            each.node if each.rank == 0 else f"{each.node}({each.rank})"
            for each in listing.carrying(one)
        )
    return ",".join(dict.fromkeys(gap.reason.value for gap in one.withheld)) or NONE


def _services(one: ElasticIP) -> str:
    return UNKNOWN if one.services is None else ",".join(one.services) or NONE


def _events(look: Look) -> Iterator[str]:
    for one in look.events:
        yield eventlist.line(one, now=look.at, wide=False)


def _drawn(part: _Part, rows: int, width: int) -> Iterator[Line]:
    """Yield a part in 1 + *rows* lines; the header counts what is left out."""
    shown = part.rows[:rows]
    hidden = len(part.rows) - len(shown)
    text = columns(
        part.header, [cells for _, cells in shown], width=width, flexible=part.flexible
    ).splitlines()
    more = f"  (and {hidden} more)" if hidden else ""
    yield Line(f"{text[0]}{more}", Tone.TITLE)
    for line, (tone, _) in zip(text[1:], shown, strict=True):
        yield Line(line, Tone.PLAIN if tone is Tone.FINE else tone)


def _cut(line: Line, width: int) -> Line:
    text = printable(line.text)
    return Line(text if len(text) <= width else f"{text[: width - 1]}…", line.tone)


def _facts(look: Look) -> Mapping[str, str]:
    """Return what does not change by itself, by what it is about."""
    whole = look.scene.whole
    found: dict[str, str] = {}
    for place in look.scene.places:
        judged = verdict(place.view)
        state = listing.state_of(place, judged)
        told = (state, *place.doubts, *judged.problems)
        found[f"node {place.node or UNKNOWN}"] = "; ".join(told)
    for session in listing.sessions(look.scene):
        of = f" of {session.node}" if whole else ""
        routes = counted(session.status.advertised, "route")
        found[f"session {session.name}{of}"] = f"{session.status.state.value}, {routes}"
    for member in listing.members(look.scene):
        if member.name != member.node:
            by = f" seen by {member.node}" if whole else ""
            found[f"member {member.name}{by}"] = member.status.state.value
    for one in listing.elastic_ips(look.scene):
        found[f"elastic IP {one.name}"] = f"{one.state.value}: {_carriers(one)}"
    return {printable(name): printable(fact) for name, fact in found.items()}


def _tone(*, fine: bool) -> Tone:
    return Tone.FINE if fine else Tone.BAD


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(int(at), UTC):%H:%M:%S}Z"
