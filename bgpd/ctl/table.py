"""The same facts for people: 80 columns, no boxes, the bad news first.

Pure functions of a value and of *now*, so that every screen has a golden test.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from bgpd.ctl.view import State, View, verdict
from bgpd.model.status import (
    MemberStatus,
    MeshStatus,
    SessionStatus,
    SpeakerStatus,
)
from bgpd.model.timeline import Failover

WIDTH: Final = 80
NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"


def status_table(view: View, *, now: float, wide: bool = False) -> str:
    """Return `bgpctl status` for people; *now* is the wall clock."""
    width = None if wide else WIDTH
    blocks = [_head(view, now=now)]
    if view.speaker is not None:
        blocks.append(_sessions(view.speaker.sessions, now=now, width=width))
        blocks.append(_routes(view, view.speaker, width=width))
    blocks.append(_withheld(view, width=width))
    if view.speaker is not None and view.speaker.mesh is not None:
        blocks.append(_mesh(view.speaker.mesh, width=width))
    blocks.append(_conditions(view, wide=wide))
    return "\n".join(block for block in blocks if block)


def timeline_table(failovers: Sequence[Failover]) -> str:
    """Return `bgpctl timeline` for people: the newest last, next to the prompt."""
    if not failovers:
        return "no failover since the speaker started\n"
    return "\n".join(_failover(failover) for failover in failovers)


def columns(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int | None = WIDTH,
    flexible: Sequence[int] = (),
) -> str:
    """Return rows below a header, two blanks between columns, no line over *width*.

    The columns in *flexible* give way, the last one first; what is cut ends in an ellipsis.
    """
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    if width is not None:
        for index in reversed(flexible):
            excess = sum(widths) + 2 * (len(widths) - 1) - width
            widths[index] -= max(0, min(excess, widths[index] - max(8, len(header[index]))))
    return "".join(f"{_row(row, widths)}\n" for row in table)


def duration(seconds: float | None) -> str:
    """Return *seconds* with the two largest units, as kubectl shows ages."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    for (unit, size), (below, small) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("m", 60)),
        (("m", 60), ("s", 1)),
    ):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit}{rest}{below}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell if len(cell) <= width else cell[: width - 1] + "…"
        for cell, width in zip(row, widths, strict=True)
    )
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _head(view: View, *, now: float) -> str:
    judged = verdict(view)
    name = view.node or "this node"
    lines = [f"{name} is {judged.state.value}: {_summary(view)}"]
    lines.extend(f"- {problem}" for problem in judged.problems)
    text = "".join(f"{_wrapped(line, indent='  ')}\n" for line in lines)
    if judged.state is State.DOWN:
        return text
    return text + f"{_wrapped(_programs(view, now=now), indent='  ')}\n"


def _summary(view: View) -> str:
    speaker = view.speaker
    if speaker is None:
        return "the speaker does not answer" if view.agent else "nothing answers"
    established = sum(session.state.value == "Established" for session in speaker.sessions)
    parts = [
        f"{established} of {len(speaker.sessions)} sessions established",
        f"{len(speaker.routes)} elastic IPs",
    ]
    if speaker.mesh is not None:
        parts.append(f"takeover {'armed' if speaker.mesh.armed else 'not armed'}")
    return ", ".join(parts)


def _programs(view: View, *, now: float) -> str:
    parts = []
    if view.agent is not None:
        source = f"{view.agent.source}, {view.agent.documents} documents"
        parts.append(f"agent {view.agent.version} ({source})")
    elif view.agent_asked:
        parts.append("agent gone: this is the speaker's own word")
    if view.speaker is not None:
        parts.append(f"speaker {view.speaker.version}, up {duration(now - view.speaker.started)}")
    return ", ".join(parts)


def _sessions(sessions: Sequence[SessionStatus], *, now: float, width: int | None) -> str:
    if not sessions:
        return "SESSIONS: none\n"
    header: tuple[str, ...] = (
        "PEER",
        "ADDRESS",
        "ASN",
        "STATE",
        "SINCE",
        "HOLD",
        "ADVERTISED",
        "LEVER",
    )
    rows = [_session(session, now=now) for session in sessions]
    if width is None:
        header += ("ROUTER-ID", "LOCAL-ASN", "TRANSITIONS", "LAST-ERROR")
        rows = [row + _session_wide(one) for row, one in zip(rows, sessions, strict=True)]
    return "SESSIONS\n" + columns(header, rows, width=width, flexible=(1, 0))


def _session(session: SessionStatus, *, now: float) -> tuple[str, ...]:
    limit = f"/{session.max_prefixes}" if session.max_prefixes is not None else ""
    return (
        session.peer,
        session.address,
        str(session.peer_asn),
        session.state.value,
        duration(now - session.since if session.since is not None else None),
        f"{session.hold_time}s" if session.hold_time is not None else NONE,
        f"{session.advertised}{limit}",
        session.lever.value,
    )


def _session_wide(session: SessionStatus) -> tuple[str, ...]:
    return (
        session.peer_router_id or UNKNOWN,
        str(session.local_asn),
        str(session.transitions),
        session.last_error or NONE,
    )


def _routes(view: View, speaker: SpeakerStatus, *, width: int | None) -> str:
    if not speaker.routes:
        return "ELASTIC IPS: none advertised\n"
    every = {session.peer for session in speaker.sessions}
    names = view.agent.services if view.agent else {}
    rows = [
        (
            route.prefix,
            "all" if width and len(every) > 1 and every == set(route.peers) else _list(route.peers),
            str(route.rank),
            str(route.med) if route.med is not None else NONE,
            _list(route.services or names.get(route.prefix, ())),
        )
        for route in speaker.routes
    ]
    header = ("PREFIX", "PEERS", "RANK", "MED", "SERVICES")
    return "ELASTIC IPS\n" + columns(header, rows, width=width, flexible=(1, 4))


def _list(names: Sequence[str]) -> str:
    return ",".join(sorted(names)) or NONE


def _withheld(view: View, *, width: int | None) -> str:
    if not view.withheld:
        return ""
    header = ("SERVICE", "PREFIX", "PEER", "REASON", "MESSAGE")
    rows = [
        (
            one.service or UNKNOWN,
            one.prefix or NONE,
            one.peer or "all",
            one.reason.value,
            one.message,
        )
        for one in view.withheld
    ]
    if width is None:
        return "NOT ADVERTISED\n" + columns(header, rows, width=None)
    lines = columns(
        header[:4], [row[:4] for row in rows], width=width, flexible=(2, 0)
    ).splitlines()
    text = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        text.append(line)
        if row[4]:
            text.append(textwrap.indent(_wrapped(row[4], width=WIDTH - 2), "  "))
    return "NOT ADVERTISED\n" + "\n".join(text) + "\n"


def _mesh(mesh: MeshStatus, *, width: int | None) -> str:
    armed = "yes" if mesh.armed else "no"
    text = (
        "MESH\n"
        f"takeover generation {mesh.generation}\n"
        f"takeover armed: {armed} ({mesh.reachable} of {mesh.counted})\n"
    )
    if not mesh.members:
        return text + "members: only this node\n"
    header: tuple[str, ...] = (
        "MEMBER",
        "ADDRESS",
        "STATE",
        "HEARD",
        "LOSS",
        "GENERATION",
        "VERSION",
    )
    rows = [_member(member) for member in mesh.members]
    if width is None:
        header += ("MISSES", "AGENT", "HEARS-US")
        rows = [row + _member_wide(one) for row, one in zip(rows, mesh.members, strict=True)]
    return text + columns(header, rows, width=width, flexible=(1, 0))


def _member(member: MemberStatus) -> tuple[str, ...]:
    return (
        member.name,
        member.address,
        f"{member.state.value},draining" if member.draining else member.state.value,
        _heard(member.last_heard_milliseconds),
        f"{member.loss_percent:.1f}%",
        str(member.generation) if member.generation is not None else UNKNOWN,
        str(member.version) if member.version is not None else UNKNOWN,
    )


def _member_wide(member: MemberStatus) -> tuple[str, ...]:
    return (
        str(member.misses_allowed),
        "alive" if member.agent_alive else "gone",
        "yes" if member.hears_us else "no",
    )


def _heard(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "never"
    return f"{milliseconds:.0f}ms" if milliseconds < 10_000 else duration(milliseconds / 1000)


def _conditions(view: View, *, wide: bool) -> str:
    shown = [condition for condition in view.conditions if condition.status or wide]
    if not shown:
        return ""
    header = ("TYPE", "STATUS", "REASON", "MESSAGE")
    rows = [(one.type, str(one.status), one.reason, one.message) for one in shown]
    if wide:
        return "CONDITIONS\n" + columns(header, rows, width=None)
    # The problems at the top hold the messages already.
    return "CONDITIONS\n" + columns(header[:3], [row[:3] for row in rows], flexible=(2, 0))


def _failover(failover: Failover) -> str:
    moment = datetime.fromtimestamp(failover.at, tz=UTC).isoformat(timespec="milliseconds")
    head = (
        f"{moment.removesuffix('+00:00')}Z {failover.kind}, generation {failover.generation},"
        f" {failover.routes} routes: {failover.cause}"
    )
    return f"{_wrapped(head, indent='  ')}\n" + "".join(_steps(failover))


def _steps(failover: Failover) -> Iterator[str]:
    for step in failover.steps:
        line = f"  {step.milliseconds:9.1f} ms  {step.name:<8}  {step.detail}".rstrip()
        yield f"{_wrapped(line, indent=' ' * 24)}\n"


def _wrapped(text: str, *, width: int = WIDTH, indent: str = "") -> str:
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
    )
    return "\n".join(lines)
