"""The speaker's numbers for Prometheus, from its status and its meters.

Everything here is about what is there now: the series of a peer or a member that is gone are gone
with it. Counts go through a ratchet, because a mesh or a session may be made anew and the process
goes on; to Prometheus a lower number would be a restart.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar

from bgpd.model.peer import BFDState, Peer, PeerName, PeerState
from bgpd.model.prefix import Family, Prefix
from bgpd.model.status import (
    BFDStatus,
    MemberState,
    MemberStatus,
    MeshStatus,
    SessionStatus,
    SpeakerStatus,
)
from bgpd.speaker.meters import Meters
from bgpd.speaker.reflex import Reflex
from bgpd.telemetry import speakermetrics as m
from bgpd.telemetry.exposition import Family as Series
from bgpd.telemetry.exposition import Samples, complete, one
from bgpd.telemetry.instruments import Histogram

Events: TypeAlias = Mapping[tuple[str, str], int]
"""(event, level) -> how often."""
_GENERATION: Final = "generation_"
_State = TypeVar("_State", PeerState, BFDState)


def families(
    reflex: Reflex, status: SpeakerStatus, meters: Meters, *, events: Events, backlog: int
) -> Iterator[Series]:
    """Yield everything that the speaker exposes of its work.

    *events* is how often each event was logged, *backlog* the bytes that ExaBGP has not read.
    """
    yield from _sessions(status.sessions, reflex, meters)
    yield from _bfd(status.sessions, reflex, meters)
    yield from _prefixes(status.sessions, reflex)
    yield from _routes(status)
    yield from _mesh(status.mesh, meters)
    yield from _takeover(status, meters, events)
    yield from _exabgp(meters, backlog)
    yield from _ourselves(status, meters)


# Sessions


def _sessions(
    sessions: tuple[SessionStatus, ...], reflex: Reflex, meters: Meters
) -> Iterator[Series]:
    up = [each for each in sessions if each.state is PeerState.ESTABLISHED]
    yield Series(
        m.SESSION_UP, [((each.peer,), each.state is PeerState.ESTABLISHED) for each in sessions]
    )
    yield Series(m.SESSION_STATE, _states(sessions))
    entered = ((each.peer, reflex.sessions.entered(each.address)) for each in sessions)
    yield Series(m.SESSION_TRANSITIONS, _transitions("bgp", entered, PeerState, meters))
    yield Series(
        m.SESSION_ESTABLISHED, [((each.peer,), each.since) for each in up if each.since is not None]
    )
    yield Series(
        m.SESSION_HOLD_TIME,
        [((each.peer,), each.hold_time) for each in up if each.hold_time is not None],
    )


def _states(sessions: Iterable[SessionStatus]) -> Samples:
    for each in sessions:
        for state in PeerState:
            yield (each.peer, state), each.state is state


def _transitions(
    what: str,
    entered: Iterable[tuple[PeerName, Mapping[_State, int]]],
    states: Iterable[_State],
    meters: Meters,
) -> Samples:
    return [
        ((peer, state), meters.ratchet((what, peer, state), counts.get(state, 0)))
        for peer, counts in entered
        for state in states
    ]


def _bfd(sessions: Iterable[SessionStatus], reflex: Reflex, meters: Meters) -> Iterator[Series]:
    watched = [(each, each.bfd) for each in sessions if each.bfd is not None]
    yield Series(m.BFD_UP, [((each.peer,), _is_up(bfd)) for each, bfd in watched])
    entered = ((each.peer, reflex.bfd.entered(each.address)) for each, _ in watched)
    yield Series(m.BFD_TRANSITIONS, _transitions("bfd", entered, BFDState, meters))


def _is_up(bfd: BFDStatus) -> bool:
    return bfd.state is BFDState.UP


# Routes


def _prefixes(sessions: tuple[SessionStatus, ...], reflex: Reflex) -> Iterator[Series]:
    desired = reflex.desired
    peers = {} if desired is None else desired.peers
    known = [(each, peers[each.peer]) for each in sessions if each.peer in peers]
    wanted = {} if desired is None else desired.advertisements
    yield Series(
        m.PREFIXES_DESIRED,
        _by_family((peer, wanted.get(each.peer, {})) for each, peer in known),
    )
    offered = reflex.offer.rib.actual
    yield Series(
        m.PREFIXES_ADVERTISED,
        _by_family(
            (peer, offered.get(each.peer, {}) if each.state is PeerState.ESTABLISHED else {})
            for each, peer in known
        ),
    )
    limits = [((each.peer,), each.max_prefixes) for each in sessions]
    yield Series(m.PREFIX_LIMIT, [(labels, most) for labels, most in limits if most is not None])


def _by_family(routes: Iterable[tuple[Peer, Mapping[Prefix, object]]]) -> Samples:
    """Count the prefixes of each family; of thousands only where a peer hears both."""
    found: list[tuple[tuple[str, ...], float]] = []
    for peer, prefixes in routes:
        counts = _count(peer, prefixes)
        found += [((peer.name, family), counts.get(family, 0)) for family in Family]
    return found


def _count(peer: Peer, prefixes: Mapping[Prefix, object]) -> Mapping[Family, int]:
    if len(peer.families) == 1:
        return {peer.families[0]: len(prefixes)}
    six = len([prefix for prefix in prefixes if ":" in prefix])  # ten times as fast as to parse
    return {Family.IPV4: len(prefixes) - six, Family.IPV6: six}


def _routes(status: SpeakerStatus) -> Iterator[Series]:
    counts = Counter(each.reason for each in status.withheld)
    ours = dict.fromkeys(m.AT_THE_LAST_GATE, 0) | counts
    yield Series(m.ROUTES_WITHHELD, [((reason,), count) for reason, count in ours.items()])


# Takeover and mesh


def _takeover(status: SpeakerStatus, meters: Meters, events: Events) -> Iterator[Series]:
    mesh = status.mesh
    if mesh is not None:
        yield one(m.GENERATION, mesh.generation)
    yield one(m.TAKEOVER_ARMED, mesh is not None and mesh.armed)
    generation = {event.removeprefix(_GENERATION): count for (event, _), count in events.items()}
    causes = m.TAKEOVERS.values["cause"]
    yield Series(m.TAKEOVERS, [((cause,), generation.get(cause, 0)) for cause in causes])
    histograms: dict[tuple[str, ...], Histogram] = {
        (cause,): histogram for cause, histogram in meters.failovers.items()
    }
    yield Series(m.FAILOVER_SECONDS, histograms=histograms)
    yield complete(m.DRAIN_STATE, [((status.drain.phase,), 1)])


def _mesh(mesh: MeshStatus | None, meters: Meters) -> Iterator[Series]:
    members = () if mesh is None else mesh.members
    states = Counter(each.state for each in members)
    yield complete(m.MESH_MEMBERS, [((state,), count) for state, count in states.items()])
    if mesh is not None:
        parts = {"counted": mesh.counted, "reachable": mesh.reachable}
        yield complete(m.MESH_COUNTED, [((part,), count) for part, count in parts.items()])
    yield Series(
        m.MESH_MEMBER_UP, [((each.name,), each.state is MemberState.ALIVE) for each in members]
    )
    yield from _pairs(members, meters)
    ignored = {} if mesh is None else mesh.counters
    yield Series(
        m.MESH_DATAGRAMS,
        [
            ((reason,), meters.ratchet(("mesh", reason), count))
            for reason, count in sorted(ignored.items())
        ],
    )


def _pairs(members: tuple[MemberStatus, ...], meters: Meters) -> Iterator[Series]:
    yield Series(
        m.MESH_LATENCY,
        [
            ((each.name,), round(each.round_trip_milliseconds / 1000, 6))
            for each in members
            if each.round_trip_milliseconds is not None
        ],
    )
    yield Series(
        m.MESH_LOSS, [((each.name,), round(each.loss_percent / 100, 3)) for each in members]
    )
    kept = meters.ratchet
    yield Series(
        m.MESH_LATE,
        [((each.name,), kept(("late", each.name), each.late_heartbeats)) for each in members],
    )
    yield Series(
        m.MESH_SUSPICIONS,
        [((each.name,), kept(("suspicions", each.name), each.suspicions)) for each in members],
    )


# ExaBGP and ourselves


def _exabgp(meters: Meters, backlog: int) -> Iterator[Series]:
    talk = meters.dialogue
    yield one(m.EXABGP_QUEUE, talk.waiting)
    yield one(m.EXABGP_QUEUE_BYTES, backlog)
    yield one(m.EXABGP_RESTARTS, meters.starts.exabgp_restarts)
    yield one(m.REFLEX_RESTARTS, meters.starts.reflex_restarts)
    yield Series(m.EXABGP_ANSWER, histograms={(): talk.pings})
    yield complete(m.COMMANDS, talk.counts.items())


def _ourselves(status: SpeakerStatus, meters: Meters) -> Iterator[Series]:
    yield one(m.AGENT_CONNECTED, status.agent_connected)
    yield Series(m.LOOP_LAG, histograms={(): meters.lag})
    failed = status.counters.get("state_writes_failed", 0)
    written = status.counters.get("state_writes", 0) - failed
    yield complete(m.STATE_WRITES, [(("written",), written), (("failed",), failed)])
