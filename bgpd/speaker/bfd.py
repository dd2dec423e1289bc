"""Whether each peer lives, by BFD, and what follows for its BGP session (RFC 5882).

A peer whose BFD session fails has its BGP session closed at once and held back until BFD is up
again, though not for long: many routers begin with BFD only when BGP is established, and each end
would wait for the other. It is held back for nothing else: not because BFD was never up (the
router may not speak it), and not because the router says AdminDown, which is a person's act and
no failure (RFC 5882, section 3.2). A peer whose BFD flaps is believed less and less: its word does
not count for a while, and BGP decides by its own timers.

The machines are in `bgpd.bfd`; sockets and clocks in `bfdwire`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from bgpd.bfd.endpoint import Endpoint, Line, Way
from bgpd.bfd.memory import Memory
from bgpd.bfd.packet import State
from bgpd.bfd.seal import Key
from bgpd.bfd.session import Session, Settings, StateChanged
from bgpd.exabgp.command import Hold
from bgpd.ipc.message import Silent
from bgpd.model.peer import BFD, BFDState, Peer, Takeover
from bgpd.model.prefix import Address
from bgpd.model.status import BFDStatus
from bgpd.speaker.bfdpeer import HOLD_SECONDS, Watch
from bgpd.speaker.effect import SaveBFD, Tell
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.timeline import Timeline

TAKEOVER_MARGIN: Final = 0.1
"""Seconds that a router gets, beyond its detection time, to drop a dead node's routes itself."""
_FAREWELLS: Final = 3

_STATES: Final = {
    State.ADMIN_DOWN: BFDState.ADMIN_DOWN,
    State.DOWN: BFDState.DOWN,
    State.INIT: BFDState.INIT,
    State.UP: BFDState.UP,
}


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
        self._watches: dict[Address, Watch] = {}
        self._held: frozenset[Address] = frozenset()
        """Whom ExaBGP holds back, as it was told or as it said."""
        self._gone: frozenset[Address] = frozenset()
        self.review_at: float | None = None
        """When `settle` wants to be called, though nothing happened."""
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
        self.settle(now)

    def slept(self, now: float) -> None:
        """Note that the driver came late: nobody is called silent for our own sleep."""
        self.endpoint.slept(now)

    def shown(self, held: Iterable[Address], now: float) -> None:
        """Take over whom ExaBGP holds back, perhaps for a process before us."""
        self._held = frozenset(held)
        for address in self._held:
            watch = self._watches.get(address)
            if watch is not None and not watch.failed:
                watch.failed, watch.held_until = True, now + HOLD_SECONDS
        self._hold(now)

    def established(self, address: Address, now: float) -> None:
        """Note that BGP came up with a peer that was let go: the path works, BFD or not."""
        watch = self._watches.get(address)
        if watch is not None and watch.failed and not watch.holds_back(now):
            watch.failed = False
            self._hold(now)

    def settle(self, now: float) -> bool:
        """Act on what happened to the sessions; return whether anything did."""
        happened = False
        for watch in self._watches.values():
            session = watch.line.session
            if session.state is session.remote_state is State.UP:
                watch.confirmed = True
            if session.has_events:
                happened = True
                for event in session.events():
                    self._changed(watch, event, now)
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
        self.settle(now)

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

    def entered(self, address: Address) -> Mapping[BFDState, int]:
        """Return how often the session with *address* came into each state since we know it."""
        watch = self._watches.get(address)
        return {} if watch is None else watch.entered

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
        watch = Watch(peer=peer, line=Line(way=_way(peer), session=session))
        if memory is not None:
            watch.since = now
            self._outbox.note("info", "bfd_resumed", peer=peer.name)
        self._watches[peer.address] = watch
        self.endpoint.add(watch.line)

    def _change(self, watch: Watch, peer: Peer, now: float) -> bool:
        """Let *watch* become what *peer* wants; return False where only a new session can."""
        before, watch.peer = watch.peer, peer
        if before.bfd == peer.bfd and before.local_address == peer.local_address:
            return True
        way = _way(peer)
        if replace(way, minimum_ttl=watch.line.way.minimum_ttl) != watch.line.way:
            return False
        watch.line.way = way
        return watch.line.session.configure(_settings(_wanted(peer)), now)

    def _drop(self, watch: Watch, now: float) -> None:
        session = watch.line.session
        session.disable(now)
        for _ in range(_FAREWELLS - 1):
            session.repeat(now)
        self._farewells += [(watch.line, packet) for packet in session.packets()]
        self.endpoint.remove(watch.line)
        del self._watches[watch.peer.address]

    # What happened

    def _changed(self, watch: Watch, event: StateChanged, now: float) -> None:
        watch.since = now
        watch.entered[_STATES[event.new]] += 1
        name = watch.peer.name
        if event.new is State.UP:
            watch.failed = False
            watch.transitions += 1
            self._outbox.note("info", "bfd_up", peer=name)
        elif event.old is State.UP:
            watch.transitions += 1
            watch.error = watch.reason(event)
            failure = watch.has_failed(event)
            level = "warning" if failure else "info"
            self._outbox.note(level, "bfd_down", peer=name, reason=watch.error)
            if failure:
                self._failed(watch, event, now)
            watch.confirmed = False

    def _failed(self, watch: Watch, event: StateChanged, now: float) -> None:
        self._outbox.count("bfd_failures")
        self._timeline.record(
            kind="bfd",
            cause=f"BFD with {watch.peer.name}: {watch.error}",
            cause_at=event.at,
            decided_at=now,
        )
        pause = watch.fail(now)
        if pause is not None:
            self._outbox.note("warning", "bfd_dampened", peer=watch.peer.name, seconds=pause)
            self._outbox.count("bfd_dampened")

    def _hold(self, now: float) -> None:
        """Have ExaBGP hold back whom we do, and tell the agent who is gone, when that changes."""
        watches = self._watches.items()
        gone = frozenset(address for address, watch in watches if watch.is_gone(now))
        if gone != self._gone:
            self._gone = gone
            self._outbox.put(Tell(Silent(peers=tuple(sorted(gone)))))
        held = frozenset(address for address in gone if self._watches[address].holds_back(now))
        ends = (self._watches[address].held_until for address in held)
        self.review_at = min(ends, default=None)
        if held == self._held:
            return
        for address in sorted(held ^ self._held):
            event = "session_held" if address in held else "session_released"
            watch = self._watches.get(address)  # a peer may be configured no more
            name = address if watch is None else watch.peer.name
            self._outbox.note("info", event, peer=name)
        self._held = held
        self._outbox.send(Hold(id=self._outbox.number(), peers=tuple(sorted(held))))


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


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
