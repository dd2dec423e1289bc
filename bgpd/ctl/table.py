"""The same facts for people: 80 columns, no boxes, the bad news first.

Pure functions of a value and of *now*, so that every screen has a golden test.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from bgpd.ctl.columns import NONE, UNKNOWN, WIDTH, columns, counted, duration, wrapped
from bgpd.ctl.drainview import Names, named
from bgpd.ctl.healthtable import bfd_cell, health_block
from bgpd.ctl.view import View, advertised, armed, verdict
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    MemberStatus,
    MeshStatus,
    SessionStatus,
    SpeakerStatus,
)

_Columns: TypeAlias = tuple[str, ...]
_SESSION: Final[_Columns] = ("PEER", "ADDRESS", "ASN", "STATE", "SINCE", "HOLD", "ADVERTISED")
_SESSION_WIDE: Final = ("LEVER", "ROUTER-ID", "LOCAL-ASN", "TRANSITIONS", "LAST-ERROR")
_SESSION_BFD: Final = ("BFD",)
"""Shown where a peer is watched by BFD."""
_SESSION_DAMPING: Final = ("DAMPING",)
_SESSION_PROVIDED: Final = ("BGPPEER", "GATEWAY", "SOURCE")
"""Shown where a peer dampens flaps: what is left of its budget of changes."""
_MEMBER: Final[_Columns] = ("MEMBER", "ADDRESS", "STATE", "HEARD", "LOSS", "GENERATION", "VERSION")
_MEMBER_WIDE: Final = ("MISSES", "AGENT", "HEARS-US")


def status_table(view: View, *, now: float, wide: bool = False) -> str:
    """Return `bgpctl status` for people; *now* is the wall clock."""
    width = None if wide else WIDTH
    blocks = [_head(view, now=now)]
    if view.speaker is not None:
        blocks.append(_sessions(view.speaker.sessions, now=now, width=width))
        blocks.append(_routes(view, view.speaker, width=width))
    blocks.append(_withheld(view, width=width))
    if view.agent is not None:
        blocks.append(health_block(view.agent.health, now=now, width=width))
    if view.speaker is not None and view.speaker.mesh is not None:
        blocks.append(_mesh(view.speaker.mesh, width=width))
    blocks.append(_conditions(view, wide=wide))
    return "\n".join(block for block in blocks if block)


def _head(view: View, *, now: float) -> str:
    judged = verdict(view)
    name = view.node or "this node"
    lines = [f"{name} is {judged.state.value}: {_summary(view)}"]
    lines.extend(f"- {problem}" for problem in judged.problems)
    text = "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)
    if view.unasked:
        text += f"{wrapped(f'not asked: {view.unasked}', indent='  ')}\n"
    if view.agent is None and view.speaker is None:
        return text
    return text + f"{wrapped(_programs(view, now=now), indent='  ')}\n"


def _summary(view: View) -> str:
    speaker = view.speaker
    if speaker is None:
        return "the speaker does not answer" if view.agent else "nothing answers"
    established = sum(session.state.value == "Established" for session in speaker.sessions)
    parts = [
        f"{established} of {counted(len(speaker.sessions), 'session')} established",
        counted(advertised(speaker), "elastic IP"),
    ]
    if speaker.mesh is not None:
        parts.append(f"takeover {'armed' if speaker.mesh.armed else 'not armed'}")
    return ", ".join(parts)


def _programs(view: View, *, now: float) -> str:
    parts = []
    if view.agent is not None:
        source = f"{view.agent.source}, {counted(view.agent.documents, 'document')}"
        if view.agent.sources:
            source += f", {len(view.agent.sources)} of them from files beside it"
        parts.append(f"agent {view.agent.version} ({source})")
    elif view.agent_asked:
        parts.append(f"{_absence(view, now=now)}: this is the speaker's own word")
    if view.speaker is not None:
        parts.append(f"speaker {view.speaker.version}, up {duration(now - view.speaker.started)}")
    if view.secondhand:
        parts.append("its part as the agent heard it last, some seconds ago")
    return ", ".join(parts)


def _absence(view: View, *, now: float) -> str:
    """Return what became of an agent that does not answer: the speaker knows since when."""
    since = view.speaker.agent_absent_since if view.speaker is not None else None
    return "agent silent" if since is None else f"agent silent for {duration(now - since)}"


def _sessions(sessions: Sequence[SessionStatus], *, now: float, width: int | None) -> str:
    if not sessions:
        return "SESSIONS: none\n"
    rows = [_session(session, now=now) for session in sessions]
    header = _SESSION
    if any(one.bfd is not None for one in sessions):
        header = (*header, *_SESSION_BFD)
        rows = [(*row, bfd_cell(one)) for row, one in zip(rows, sessions, strict=True)]
    if width is None:
        header += _SESSION_WIDE
        rows = [row + _session_wide(one) for row, one in zip(rows, sessions, strict=True)]
        if any(one.damping_budget is not None for one in sessions):
            header += _SESSION_DAMPING
            rows = [(*row, _damping(one)) for row, one in zip(rows, sessions, strict=True)]
        if any(one.document or one.gateway for one in sessions):
            header += _SESSION_PROVIDED
            rows = [row + _provided(one) for row, one in zip(rows, sessions, strict=True)]
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
    )


def _session_wide(session: SessionStatus) -> tuple[str, ...]:
    return (
        lever_cell(session),
        session.peer_router_id or UNKNOWN,
        str(session.local_asn),
        str(session.transitions),
        session.last_error or NONE,
    )


def _provided(session: SessionStatus) -> tuple[str, ...]:
    """Return who told of a session, and the way there."""
    return session.document or NONE, session.gateway or NONE, session.local_address or UNKNOWN


def lever_cell(session: SessionStatus) -> str:
    """Return the lever, and what a probe found out about it."""
    moves = session.lever_probed.get(session.lever.value)
    found = {None: "", True: " (moves)", False: " (moves nothing)"}
    return f"{session.lever.value}{found[moves]}"


def _damping(session: SessionStatus) -> str:
    """Return how many changes of the generation the router may still hear."""
    return NONE if session.damping_budget is None else f"{session.damping_budget} left"


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
            _list(route.services or names.get(route.prefix, ())) if view.agent else UNKNOWN,
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
    names = view.agent.services if view.agent else {}
    header = ("SERVICE", "PREFIX", "PEER", "REASON", "MESSAGE")
    drained = [one for one in view.withheld if one.reason is Reason.DRAINED and one.prefix]
    rows = [
        (
            one.service or _list(names.get(one.prefix, ()) if one.prefix else ()),
            one.prefix or NONE,
            one.peer or "all",
            one.reason.value,
            one.message,
        )
        for one in view.withheld
        if width is None or one not in drained
    ]
    if width is None:
        return "NOT ADVERTISED\n" + columns(header, rows, width=None)
    text = ["NOT ADVERTISED"]
    if rows:
        short = columns(header[:3], [row[:3] for row in rows], width=width, flexible=(2, 0))
        first, *lines = short.splitlines()
        text.append(first)
        for line, row in zip(lines, rows, strict=True):
            why = f"  {row[3]}: {row[4]}" if row[4] else f"  {row[3]}"
            text += [line, wrapped(why, indent="  ")]
    if drained:
        text.append(wrapped(_left(drained, names), indent="  "))
    return "\n".join(text) + "\n"


def _left(drained: Sequence[Withheld], names: Names) -> str:
    """Return in one sentence what a drain took back: it is much at once, for one reason."""
    prefixes = tuple(dict.fromkeys(one.prefix for one in drained if one.prefix))
    verb = "was" if len(prefixes) == 1 else "were"
    who = f"{counted(len(prefixes), 'elastic IP')} {verb} left to the other nodes"
    return f"Drained: {who}: {named(prefixes, names)}"


def _mesh(mesh: MeshStatus, *, width: int | None) -> str:
    text = f"MESH\ntakeover generation {mesh.generation}\ntakeover armed: {armed(mesh)}\n"
    if not mesh.members:
        return text + "members: only this node\n"
    header = _MEMBER
    rows = [_member(member) for member in mesh.members]
    if width is None:
        header += _MEMBER_WIDE
        rows = [row + _member_wide(one) for row, one in zip(rows, mesh.members, strict=True)]
    return text + columns(header, rows, width=width, flexible=(1, 0))


def _member(member: MemberStatus) -> tuple[str, ...]:
    return (
        member.name,
        member.address,
        ",".join((member.state.value, *member_words(member))),
        heard(member.last_heard_milliseconds),
        f"{member.loss_percent:.1f}%",
        str(member.generation) if member.generation is not None else UNKNOWN,
        str(member.version) if member.version is not None else UNKNOWN,
    )


def member_words(member: MemberStatus) -> Iterator[str]:
    """Yield what is remarkable about *member*, beside its state."""
    if member.draining:
        yield "draining"
    if member.doubtful:
        yield "doubtful"
    if member.partial:
        yield "partial"


def _member_wide(member: MemberStatus) -> tuple[str, ...]:
    return (
        str(member.misses_allowed),
        "alive" if member.agent_alive else "silent",
        "yes" if member.hears_us else "no",
    )


def heard(milliseconds: float | None) -> str:
    """Return how long ago a member was heard."""
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
