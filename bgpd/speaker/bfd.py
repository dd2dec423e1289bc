"""Whether each peer lives, by BFD, and what follows for its BGP session (RFC 5882).

A peer whose BFD session fails has its BGP session closed at once and held back until BFD is up
again. It is held back for nothing else: not because BFD was never up (the router may not speak
it), and not because the router says AdminDown, which is a person's act and no failure (RFC 5882,
section 3.2). A peer whose BFD flaps is believed less and less: its word does not count for a
while, and BGP decides by its own timers.

The machines are in `bgpd.bfd`; sockets and clocks in `bfdwire`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bgpd.bfd.endpoint import Endpoint, Line, Way
from bgpd.bfd.packet import Diag, State
from bgpd.bfd.seal import Key
from bgpd.bfd.session import Memory, Session, Settings, StateChanged
from bgpd.exabgp.command import Hold
from bgpd.ipc.message import Silent
from bgpd.model.peer import BFD, BFDState, Peer, Takeover
from bgpd.model.prefix import Address
from bgpd.model.status import BFDStatus
from bgpd.speaker.effect import SaveBFD, Tell
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.timeline import Timeline

FLAPS: Final = 3
FLAP_SECONDS: Final = 30.0
"""So many failures in so many seconds are flapping."""
FIRST_PAUSE: Final = 30.0
MOST_PAUSE: Final = 600.0
"""For how long the word of a session that flaps does not count: twice as long each time."""
CALM_SECONDS: Final = 600.0
"""Without a failure for so long, flapping is forgiven."""
TAKEOVER_MARGIN: Final = 0.1
"""Seconds that a router gets, beyond its detection time, to drop a dead node's routes itself."""
_FAREWELLS: Final = 3

_STATES: Final = {
    State.ADMIN_DOWN: BFDState.ADMIN_DOWN,
    State.DOWN: BFDState.DOWN,
    State.INIT: BFDState.INIT,
    State.UP: BFDState.UP,
}
_DIAGS: Final = {
    Diag.NONE: "it says nothing of why",
    Diag.DETECTION_TIME_EXPIRED: "it heard nothing of us for its detection time",
    Diag.ECHO_FAILED: "its echo function failed",
    Diag.NEIGHBOR_SIGNALED_DOWN: "it heard that we were down",
    Diag.FORWARDING_PLANE_RESET: "its forwarding plane was reset",
    Diag.PATH_DOWN: "its path is down",
    Diag.CONCATENATED_PATH_DOWN: "a path behind it is down",
    Diag.ADMINISTRATIVELY_DOWN: "a person shut it down",
    Diag.REVERSE_CONCATENATED_PATH_DOWN: "a path behind it towards us is down",
}


@dataclass(slots=True, kw_only=True, eq=False)
class _Watch:
    """What is known of one peer."""

    peer: Peer
    line: Line
    since: float | None = None
    """Monotonic, like all times here."""
    failed: bool = False
    """Whether it failed since it was up, so that the BGP session is held back."""
    confirmed: bool = False
    """Whether the peer itself has said that it is up, since we run."""
    transitions: int = 0
    error: str = ""
    failed_at: float | None = None
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FLAPS))
    pause: float = FIRST_PAUSE
    dampened_until: float = 0.0

    def holds_back(self, now: float) -> bool:
        session = self.line.session
        return (
            self.failed
            and session.state is not State.UP
            and session.remote_state is not State.ADMIN_DOWN
            and now >= self.dampened_until
        )


class BFDSessions:
    """One BFD session for each peer that wants one."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        timeline: Timeline,
        random: Callable[[], float],
        memories: Mapping[Address, Memory] | None = None,
    ) -> None:
        """Go on from *memories*, which `memories` of the process before us returned."""
        self.endpoint = Endpoint()
        self._outbox = outbox
        self._timeline = timeline
        self._random = random
        self._memories = dict(memories or {})
        self._watches: dict[Address, _Watch] = {}
        self._held: frozenset[Address] = frozenset()
        """Whom ExaBGP holds back, as it was told or as it said."""
        self._farewells: list[tuple[Line, bytes]] = []
        self._saved: dict[Address, Memory] = {}

    # Stimuli

    def want(self, peers: Iterable[Peer], now: float) -> None:
        """Have sessions with *peers*, as far as they want one, and with nobody else."""
        wanted = {peer.address: peer for peer in peers if peer.bfd is not None}
        for address in self._watches.keys() - wanted.keys():
            self._drop(self._watches[address], now)
        for address, peer in wanted.items():
            watch = self._watches.get(address)
            if watch is not None and not self._change(watch, peer, now):
                self._drop(watch, now)
                watch = None
            if watch is None:
                self._begin(peer, now)
        self.settle(now, wall_offset=0.0)

    def slept(self, now: float) -> None:
        """Note that the driver came late: nobody is called silent for our own sleep."""
        self.endpoint.slept(now)

    def shown(self, held: Iterable[Address], now: float) -> None:
        """Take over whom ExaBGP holds back, perhaps for a process before us."""
        self._held = frozenset(held)
        for address in self._held:
            watch = self._watches.get(address)
            if watch is not None:
                watch.failed = True
        self._hold(now)

    def settle(self, now: float, *, wall_offset: float) -> bool:
        """Act on what happened to the sessions; return whether anything did."""
        happened = False
        for watch in self._watches.values():
            session = watch.line.session
            if session.state is session.remote_state is State.UP:
                watch.confirmed = True
            if session.has_events:
                happened = True
                for event in session.events():
                    self._changed(watch, event, now, wall_offset)
        self._hold(now)
        memories = self.memories
        if memories != self._saved:
            self._saved = memories
            self._outbox.put(SaveBFD())
        return happened

    def say_goodbye(self, now: float) -> None:
        """Enter AdminDown everywhere: we leave, which is no failure of the path."""
        for watch in tuple(self._watches.values()):
            self._drop(watch, now)
        self.settle(now, wall_offset=0.0)

    # What follows

    def outgoing(self) -> list[tuple[Line, bytes]]:
        """Return what is to be sent, and forget it."""
        found, self._farewells = self._farewells, []
        for line in self.endpoint:
            if packets := line.session.packets():
                found += [(line, packet) for packet in packets]
        return found

    @property
    def ways(self) -> frozenset[tuple[bool, bool]]:
        """The kinds of sockets that are needed: (IPv6, multihop)."""
        return frozenset(
            (":" in watch.peer.address, watch.line.way.multihop) for watch in self._watches.values()
        )

    @property
    def memories(self) -> dict[Address, Memory]:
        """What the process after us needs to go on, by peer."""
        found = {address: watch.line.session.memory for address, watch in self._watches.items()}
        return {address: memory for address, memory in found.items() if memory is not None}

    def patience(self, peer: Peer, now: float) -> float | None:
        """Return how long *peer* may take to notice a dead node by BFD; None: do not wait for it.

        Whether it noticed is not to be seen from here, so this is a delay and no question.
        """
        watch = self._watches.get(peer.address)
        if watch is None or peer.takeover is not Takeover.AUTO or now < watch.dampened_until:
            return None
        session = watch.line.session
        if session.state is not State.UP or session.remote_detection_time is None:
            return None
        return session.remote_detection_time + TAKEOVER_MARGIN

    def status(self, peer: Peer, now: float, *, wall_offset: float) -> BFDStatus | None:
        """Return what people see of BFD with *peer*; None where none is wanted."""
        watch = self._watches.get(peer.address)
        if watch is None:
            return None
        session, line = watch.line.session, watch.line
        interval = session.transmit_interval
        up = session.state is State.UP
        return BFDStatus(
            state=_STATES[session.state],
            since=None if watch.since is None else watch.since + wall_offset,
            detection_milliseconds=_milliseconds(session.detection_time) if up else None,
            remote_detection_milliseconds=(
                _milliseconds(session.remote_detection_time) if up else None
            ),
            transmit_milliseconds=_milliseconds(interval),
            transitions=watch.transitions,
            dampened=now < watch.dampened_until,
            last_error=watch.error if up else line.refused or watch.error,
            counters=dict(line.counters),
        )

    # Peers

    def _begin(self, peer: Peer, now: float) -> None:
        bfd = _wanted(peer)
        memory = self._memories.pop(peer.address, None)
        if bfd.password is not None:
            memory = None
        session = Session(
            _settings(bfd),
            my_discr=self.endpoint.unused_discr(self._random()),
            sequence=int(self._random() * 2**32),
            random=self._random,
            now=now,
            memory=memory,
        )
        watch = _Watch(peer=peer, line=Line(way=_way(peer), session=session))
        if memory is not None:
            watch.since = now
            self._outbox.note("info", "bfd_resumed", peer=peer.name)
        self._watches[peer.address] = watch
        self.endpoint.add(watch.line)

    def _change(self, watch: _Watch, peer: Peer, now: float) -> bool:
        """Let *watch* become what *peer* wants; return False where only a new session can."""
        before, watch.peer = watch.peer, peer
        if before.bfd == peer.bfd and before.local_address == peer.local_address:
            return True
        way = _way(peer)
        if replace(way, minimum_ttl=watch.line.way.minimum_ttl) != watch.line.way:
            return False
        watch.line.way = way
        return watch.line.session.configure(_settings(_wanted(peer)), now)

    def _drop(self, watch: _Watch, now: float) -> None:
        session = watch.line.session
        session.disable(now)
        for _ in range(_FAREWELLS - 1):
            session.repeat(now)
        self._farewells += [(watch.line, packet) for packet in session.packets()]
        self.endpoint.remove(watch.line)
        del self._watches[watch.peer.address]

    # What happened

    def _changed(self, watch: _Watch, event: StateChanged, now: float, wall_offset: float) -> None:
        watch.since = now
        name = watch.peer.name
        if event.new is State.UP:
            watch.failed = False
            watch.transitions += 1
            self._outbox.note("info", "bfd_up", peer=name)
        elif event.old is State.UP:
            watch.transitions += 1
            watch.error = _sentence(watch, event)
            failure = self._is_failure(watch, event)
            level = "warning" if failure else "info"
            self._outbox.note(level, "bfd_down", peer=name, reason=watch.error)
            if failure:
                self._failed(watch, event, now, wall_offset)
            watch.confirmed = False

    @staticmethod
    def _is_failure(watch: _Watch, event: StateChanged) -> bool:
        signaled = event.diag == Diag.NEIGHBOR_SIGNALED_DOWN
        if signaled and event.remote_state is State.ADMIN_DOWN:
            return False
        # We went on where another process stopped, too late: the router has closed its BGP
        # session long ago, and what is established now it has established since.
        return watch.confirmed or not signaled

    def _failed(self, watch: _Watch, event: StateChanged, now: float, wall_offset: float) -> None:
        watch.failed = True
        self._outbox.count("bfd_failures")
        self._timeline.record(
            kind="bfd",
            cause=f"BFD with {watch.peer.name}: {watch.error}",
            cause_at=event.at,
            decided_at=now,
            wall=event.at + wall_offset,
        )
        if watch.failed_at is not None and now - watch.failed_at > CALM_SECONDS:
            watch.pause = FIRST_PAUSE
        watch.failed_at = now
        watch.failures.append(now)
        flapping = len(watch.failures) == FLAPS and now - watch.failures[0] <= FLAP_SECONDS
        if flapping and now >= watch.dampened_until:
            watch.dampened_until = now + watch.pause
            watch.failed = False
            self._outbox.note("warning", "bfd_dampened", peer=watch.peer.name, seconds=watch.pause)
            self._outbox.count("bfd_dampened")
            watch.pause = min(2 * watch.pause, MOST_PAUSE)
            watch.failures.clear()
        elif now < watch.dampened_until:
            # Nothing is closed now, and nothing shall be when its word counts again.
            watch.failed = False

    def _hold(self, now: float) -> None:
        """Have ExaBGP hold back whom we do, when that changes."""
        held = frozenset(
            address for address, watch in self._watches.items() if watch.holds_back(now)
        )
        if held == self._held:
            return
        for address in sorted(held ^ self._held):
            event = "session_held" if address in held else "session_released"
            self._outbox.note("info", event, peer=address)
        self._held = held
        peers = tuple(sorted(held))
        self._outbox.send(Hold(id=self._outbox.number(), peers=peers))
        self._outbox.put(Tell(Silent(peers=peers)))


def _wanted(peer: Peer) -> BFD:
    if peer.bfd is None:  # whoever is here wants one
        raise ValueError(f"peer {peer.name} wants no BFD")
    return peer.bfd


def _settings(bfd: BFD) -> Settings:
    key = None
    if bfd.password is not None:
        key = Key(id=bfd.key_id, secret=bfd.password.encode())
    return Settings(
        desired_min_tx=bfd.transmit_milliseconds * 1000,
        required_min_rx=bfd.receive_milliseconds * 1000,
        detect_mult=bfd.multiplier,
        passive=bfd.passive,
        key=key,
    )


def _way(peer: Peer) -> Way:
    bfd = _wanted(peer)
    return Way(
        address=peer.address,
        local_address=peer.local_address,
        multihop=bfd.multihop,
        # RFC 5881, section 5: over one hop there is nothing to choose.
        minimum_ttl=bfd.minimum_ttl if bfd.multihop else 255,
    )


def _sentence(watch: _Watch, event: StateChanged) -> str:
    """Return why the session went down, for a person."""
    peer = watch.peer.address
    if event.diag == Diag.DETECTION_TIME_EXPIRED:
        return f"{peer} was silent for {(event.silence or 0) * 1000:.0f} ms"
    if event.diag == Diag.NEIGHBOR_SIGNALED_DOWN:
        if event.remote_state is State.ADMIN_DOWN:
            return f"{peer} says that a person shut BFD down there"
        known = event.remote_diag in tuple(Diag)
        said = _DIAGS[Diag(event.remote_diag)] if known else f"diagnostic {event.remote_diag}"
        return f"{peer} says that it is down: {said}"
    return "shut down here"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
