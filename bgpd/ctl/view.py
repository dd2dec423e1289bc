"""What one node says of itself, and whether a person has to do something about it.

The agent knows most, and the speaker what matters when the agent is dead; a `View` holds
whatever could be had. `verdict` is the one place that decides what counts as a problem, for
the headline, the exit status and the JSON alike.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bgpd.ctl.columns import counted
from bgpd.ctl.drainview import progress
from bgpd.ctl.healthtable import bfd_problem, health_problems
from bgpd.model.peer import PeerState
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import (
    Condition,
    DrainPhase,
    MemberState,
    MemberStatus,
    MeshStatus,
    NodeStatus,
    RouteStatus,
    SessionStatus,
    SpeakerStatus,
)


class State(StrEnum):
    """The node in one word."""

    FINE = "fine"
    DEGRADED = "degraded"
    DOWN = "down"


QUARANTINED: Final = (
    "the others took over from this node three times within ten minutes and hold it in quarantine"
)
EXIT_CODES: Final = {State.FINE: 0, State.DEGRADED: 3, State.DOWN: 4}

_FAULTS: Final = frozenset(
    {
        Reason.INVALID_ADDRESS,
        Reason.ADDRESS_NOT_IN_POOL,
        Reason.CONFLICTING_ADVERTISEMENTS,
        Reason.NODE_NETWORK_UNAVAILABLE,
        Reason.HEALTH_CHECK_FAILED,
        Reason.STARTING_UP,
        Reason.FLAPPING,
        Reason.FAMILY_NOT_NEGOTIATED,
        Reason.OUTSIDE_POOLS,
        Reason.PREFIX_TOO_SHORT,
        Reason.PREFIX_LIMIT,
        Reason.UNKNOWN_PEER,
        Reason.NOT_STARTED,
    }
)
"""Reasons that somebody has to act on; the others are how a healthy cluster looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The answers of a node's two sockets; an error in place of each that did not answer."""

    agent: NodeStatus | None = None
    agent_error: str = ""
    speaker: SpeakerStatus | None = None
    """From the speaker itself; where it does not answer, what the agent heard of it last."""
    speaker_error: str = ""
    secondhand: bool = False
    """Whether the speaker's part is the agent's copy, which is some seconds old."""
    agent_asked: bool = True
    """False when a person asked for the speaker alone: then no agent is no problem."""
    unasked: str = ""
    """Why one of the two was not asked, in a sentence: that we may not says nothing of the node."""

    @property
    def node(self) -> str:
        """The node's name, or the empty string when nobody says it."""
        if self.agent is not None:
            return self.agent.node
        return self.speaker.node if self.speaker is not None else ""

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What is not advertised, by the agent's word and by the last gate's, each once."""
        agent = self.agent.withheld if self.agent else ()
        speaker = self.speaker.withheld if self.speaker else ()
        every = dict.fromkeys((*agent, *speaker))
        return tuple(
            sorted(
                every, key=lambda one: (one.service, one.prefix or "", one.peer or "", one.reason)
            )
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of agent, speaker and mesh, each once, sorted by type."""
        mesh = self.speaker.mesh if self.speaker else None
        every = dict.fromkeys(
            condition
            for part in (self.agent, self.speaker, mesh)
            if part is not None
            for condition in part.conditions
        )
        return tuple(sorted(every, key=lambda one: (one.type, one.reason, one.message)))


def arranged(speaker: SpeakerStatus) -> SpeakerStatus:
    """Return *speaker* with everything in the order in which people look for it."""
    mesh = speaker.mesh
    if mesh is not None:
        mesh = replace(mesh, members=tuple(sorted(mesh.members, key=lambda one: one.name)))
    return replace(
        speaker,
        sessions=tuple(sorted(speaker.sessions, key=lambda one: one.peer)),
        routes=tuple(sorted(speaker.routes, key=_prefix_order)),
        mesh=mesh,
    )


def _prefix_order(route: RouteStatus) -> tuple[int, int, int]:
    network = ipaddress.ip_network(route.prefix)
    return network.version, int(network.network_address), network.prefixlen


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state, and a sentence for each thing that is not well."""

    state: State
    problems: tuple[str, ...] = ()


def verdict(view: View) -> Verdict:
    """Return how the node fares."""
    problems = tuple(dict.fromkeys(_problems(view)))
    if view.speaker is None or _carries_nothing(view.speaker):
        return Verdict(state=State.DOWN, problems=problems)
    return Verdict(state=State.DEGRADED if problems else State.FINE, problems=problems)


def advertised(speaker: SpeakerStatus) -> int:
    """Return how many prefixes some router hears of."""
    return sum(bool(route.peers) for route in speaker.routes)


def _carries_nothing(speaker: SpeakerStatus) -> bool:
    """Return whether the node is cut off; without a peer there is nothing to be cut off from."""
    up = (session.state is PeerState.ESTABLISHED for session in speaker.sessions)
    return bool(speaker.sessions) and not any(up)


def _problems(view: View) -> Iterator[str]:
    if view.agent is None and view.agent_asked:
        yield f"the agent does not answer ({view.agent_error})"
    elif view.agent is not None and not view.agent.synced:
        yield f"the agent has not read {view.agent.source} yet"
    if view.agent is not None:
        yield from health_problems(view.agent.health)
    if view.speaker is None:
        yield f"the speaker does not answer ({view.speaker_error})"
    else:
        if view.speaker_error:
            yield f"the speaker does not answer ({view.speaker_error}); the agent does for it"
        yield from _speaker(view.speaker, alone=view.agent is None and view.agent_asked)
    faults = [one for one in view.withheld if one.reason in _FAULTS]
    if faults:
        reasons = ", ".join(sorted({one.reason.value for one in faults}))
        verb = "is" if len(faults) == 1 else "are"
        yield f"{counted(len(faults), 'route')} that should be advertised {verb} not: {reasons}"
    for condition in view.conditions:
        if condition.status:
            yield f"{condition.type}: {condition.message or condition.reason}"


def _speaker(speaker: SpeakerStatus, *, alone: bool) -> Iterator[str]:
    if speaker.draining:
        yield _drain(speaker)
    if not alone and not speaker.agent_connected:
        yield "the agent is not connected to the speaker"
    if not speaker.sessions:
        yield "there is no BGP session, because no peer is configured"
    for session in speaker.sessions:
        if session.state is not PeerState.ESTABLISHED:
            yield _session(session)
        if session.bfd is not None:
            yield from bfd_problem(session.peer, session.bfd)
    if speaker.mesh is None:
        yield "the mesh is off: nobody would take over"
    else:
        yield from _mesh(speaker.mesh)


def _drain(speaker: SpeakerStatus) -> str:
    drain = speaker.drain
    if drain.phase is DrainPhase.NOT_DRAINING:
        return "the node is draining"
    names = {route.prefix: route.services for route in speaker.routes}
    how = progress(drain, len(speaker.routes), names)
    return f"the node is draining ({drain.cause}): {how}"


def _session(session: SessionStatus) -> str:
    why = f" ({session.last_error})" if session.last_error else ""
    return f"session {session.peer} is {session.state.value}{why}"


def _mesh(mesh: MeshStatus) -> Iterator[str]:
    if mesh.quarantined:
        yield f"{QUARANTINED}: its routes rank 250 until it was steady for ten minutes"
    for member in mesh.members:
        if member.state is not MemberState.ALIVE and member.name != mesh.node:
            yield f"member {member.name} is {member.state.value}"
        elif not member.agent_alive:
            yield f"the agent of member {member.name} is silent"
    alone = not _others(mesh)
    if not mesh.armed and not alone:
        yield f"takeover is not armed ({_too_few(mesh)})"


def armed(mesh: MeshStatus) -> str:
    """Return whether a death would be answered, and why not."""
    if mesh.armed:
        return f"yes ({reachable(mesh)})"
    return f"no: {_too_few(mesh) if _others(mesh) else 'this node is alone'}"


def _too_few(mesh: MeshStatus) -> str:
    """Return why a death would not be answered; who was never heard does not count."""
    alive = [one for one in _others(mesh) if one.state is MemberState.ALIVE]
    if mesh.counted > 2 and alive and not any(one.hears_us for one in alive):
        return "no member that we hear hears us"
    return "no other member is heard" if mesh.counted == 1 else reachable(mesh)


def reachable(mesh: MeshStatus) -> str:
    """Return how many members are heard, as people say it."""
    return f"{mesh.reachable} of {counted(mesh.counted, 'member')} reachable"


def _others(mesh: MeshStatus) -> tuple[MemberStatus, ...]:
    return tuple(member for member in mesh.members if member.name != mesh.node)
