"""One BFD session: its state, its intervals, and when it speaks or gives up (RFC 5880, 6.8).

Theory of operation: stimuli are `receive`, `handle_timer`, `configure` and `disable`, each with
the time as an argument; afterwards the driver takes what is to be sent from `packets` and what
happened from `events`, and calls `handle_timer` at `deadline`. Nothing here knows a socket or
a clock, and randomness is an argument. Times are seconds, intervals microseconds.

A session says everything in every packet, so that nothing has to be repeated: what the periodic
packets say is what the peer knows. Only a change of intervals waits for the peer's word (Poll
and Final), because each end counts on what the other was told.

*The one who slept.* Silence is judged by when the kernel received packets, not by when we looked.
Yet a machine that stood still received nothing: a judgement that comes late is put off once, by
an interval, and whoever is alive has been heard by then.

Supported standards: RFC 5880 asynchronous mode (6.8.1 to 6.8.7, 6.8.16), the active and the
passive role; demand mode as the peer's wish only; no echo function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.bfd.packet import ControlPacket, Diag, Refusal, State, encode
from bgpd.bfd.seal import Key, Seal
from bgpd.model.errors import in_range

SLOW_INTERVAL: Final = 1_000_000
"""Least bfd.DesiredMinTxInterval while the session is not up (section 6.8.3)."""
_SECOND: Final = 1_000_000
_LARGEST: Final = 2**32 - 1
_LATE_SHARE: Final = 0.1
"""The part of the detection time by which a judgement may be late without being put off."""

_A, _D, _I, _U = State.ADMIN_DOWN, State.DOWN, State.INIT, State.UP

# RFC 5880, section 6.8.6: the next local state, by local and received state.
# AdminDown has no row: while in it, a session discards what it receives.
NEXT_STATE: Final[Mapping[State, Mapping[State, State]]] = {
    _D: {_A: _D, _D: _I, _I: _U, _U: _D},
    _I: {_A: _D, _D: _I, _I: _U, _U: _U},
    _U: {_A: _D, _D: _D, _I: _U, _U: _U},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person decides about a session."""

    desired_min_tx: int
    required_min_rx: int
    detect_mult: int
    passive: bool = False
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a session must know to go on where another process left it."""

    my_discr: int
    your_discr: int
    remote_detect_mult: int
    remote_desired_min_tx: int
    remote_min_rx: int

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no packet can say: it comes from a disk."""
        for name in ("my_discr", "your_discr"):
            in_range(name, getattr(self, name), 1, _LARGEST)
        in_range("remote_detect_mult", self.remote_detect_mult, 1, 255)
        for name in ("remote_desired_min_tx", "remote_min_rx"):
            in_range(name, getattr(self, name), 0, _LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """The session is in another state now."""

    old: State
    new: State
    diag: int
    """Ours: why it is."""
    remote_state: State
    remote_diag: int
    at: float
    """When the cause was: a packet received, or the end of the detection time."""
    silence: float | None = None
    """Seconds that the peer was silent for, where that is why."""


class Session:
    """The machine of one session; see the module's theory."""

    def __init__(
        self,
        settings: Settings,
        *,
        my_discr: int,
        sequence: int = 0,
        random: Callable[[], float],
        now: float,
        memory: Memory | None = None,
    ) -> None:
        """Begin in Down, or, with *memory*, in Up; *sequence* is where authentication starts."""
        self.settings = settings
        self.my_discr = my_discr
        self.state = State.DOWN
        self.diag: int = Diag.NONE
        self.remote_state = State.DOWN
        self.remote_diag = 0
        self.remote_discr = 0
        self.remote_detect_mult = 0
        self.remote_desired_min_tx = 0
        self.remote_min_rx = 1
        self.polling = False
        self._random = random
        self._seal = None if settings.key is None else Seal(settings.key, sequence=sequence)
        self._remote_demand = False
        self._poll_again = False
        self._desired_min_tx = self._used_min_tx = max(SLOW_INTERVAL, settings.desired_min_tx)
        self._required_min_rx = self._used_min_rx = settings.required_min_rx
        self._heard: float | None = None
        self._excused_until = 0.0
        self._excused = False
        self._forget_due: float | None = None
        self._sent = now
        self._tx_due: float | None = now
        self._tx_open = now
        """From when on the next packet may leave: its jitter allows as much."""
        self._usual = b""
        """The last packet, when the next one of the same bytes can change nothing."""
        self._packets: list[bytes] = []
        self._events: list[StateChanged] = []
        if memory is not None:
            self._resume(memory, now)

    # Stimuli

    def repeats(self, data: bytes, at: float) -> bool:
        """Return whether *data* says what the last packet said; it is then received *at*.

        Nearly every packet does, and this is all that it costs.
        """
        if data != self._usual or not data:
            return False
        self._note_heard(at)
        return True

    def receive(self, packet: ControlPacket, data: bytes, at: float) -> Refusal | None:
        """Take *packet*, which is for this session and came as *data*; return why it is refused."""
        refusal = self._refusal(packet, data)
        if refusal is not None:
            return refusal
        self.remote_discr = packet.my_discr
        self.remote_state, self.remote_diag = packet.state, packet.diag
        self._remote_demand = packet.demand
        self.remote_desired_min_tx = packet.desired_min_tx
        self.remote_detect_mult = packet.detect_mult
        self._note_heard(at)
        if packet.final and self.polling:
            self._poll_ends(at)
        self._hear_min_rx(packet.required_min_rx, at)
        if self.state is State.ADMIN_DOWN:
            return Refusal.ADMIN_DOWN
        new = NEXT_STATE[self.state][packet.state]
        if new is not self.state:
            signaled = new is State.DOWN
            self._enter(new, Diag.NEIGHBOR_SIGNALED_DOWN if signaled else Diag.NONE, at)
        if packet.poll:
            self._send(at, final=True)
        elif self._tx_due is None:
            self._plan(at)
        dull = packet.auth is None and not (packet.poll or packet.final)
        self._usual = data if dull and self.state is packet.state is State.UP else b""
        return None

    def handle_timer(self, now: float) -> None:
        """Give up on a silent peer, and send what is due."""
        silent_at = self.silent_at()
        if silent_at is not None and now >= silent_at:
            self._judge(silent_at, now)
        if self._forget_due is not None and now >= self._forget_due:
            self._forget_due = None
            if self._seal is not None:
                self._seal.forget()
        if self._tx_due is not None and now >= self._tx_due:
            self._send(now)

    def join(self, now: float) -> None:
        """Send now if that is within the jitter: the driver is awake for another session."""
        if self._tx_due is not None and self._tx_open <= now and self.state is State.UP:
            self._send(now)

    def slept(self, now: float) -> None:
        """Note that the driver came late: silence up to *now* is not judged at once."""
        if not self._excused:
            self._excused = True
            self._excused_until = now + self._interval_in() / _SECOND

    def configure(self, settings: Settings, now: float) -> bool:
        """Change the intervals by a Poll Sequence; return False where only a new session can."""
        if settings.key != self.settings.key or settings.passive != self.settings.passive:
            return False
        changed = settings.detect_mult != self.settings.detect_mult
        self.settings = settings
        if self._set_intervals(now) or changed:
            self._send(now)
        return True

    def disable(self, now: float, diag: Diag = Diag.ADMINISTRATIVELY_DOWN) -> None:
        """Enter AdminDown: the peer shall not take our silence, or our leaving, for a failure."""
        if self.state is not State.ADMIN_DOWN:
            self._enter(State.ADMIN_DOWN, diag, now)

    def repeat(self, now: float) -> None:
        """Send what was sent last once more: it may have been lost, and there is no later."""
        self._send(now)

    # What follows

    def deadline(self) -> float | None:
        """Return when `handle_timer` wants to be called."""
        due = self._tx_due
        silent_at = self.silent_at()
        if silent_at is not None and (due is None or silent_at < due):
            due = silent_at
        if self._forget_due is not None and (due is None or self._forget_due < due):
            due = self._forget_due
        return due

    def silent_at(self) -> float | None:
        """Return when the peer's silence is long enough; None while none would be noticed."""
        detection = self.detection_time
        if detection is None or self._heard is None or self.state is State.ADMIN_DOWN:
            return None
        return max(self._heard + detection, self._excused_until)

    def packets(self) -> list[bytes]:
        """Return what is to be sent, and forget it."""
        found, self._packets = self._packets, []
        return found

    @property
    def has_events(self) -> bool:
        """Whether the state changed since `events` was called."""
        return bool(self._events)

    def events(self) -> list[StateChanged]:
        """Return what happened, and forget it."""
        found, self._events = self._events, []
        return found

    @property
    def detection_time(self) -> float | None:
        """Seconds of the peer's silence that end the session; None while nothing is known."""
        if not self.remote_detect_mult:
            return None
        return self.remote_detect_mult * self._interval_in() / _SECOND

    @property
    def remote_detection_time(self) -> float | None:
        """Seconds of our silence after which the peer gives up, by what we told it last."""
        if not self.remote_detect_mult:
            return None
        return self.settings.detect_mult * max(self._desired_min_tx, self.remote_min_rx) / _SECOND

    @property
    def transmit_interval(self) -> float | None:
        """Seconds between our packets, before jitter; None while none are sent."""
        if not self.remote_min_rx or (self.settings.passive and not self.remote_discr):
            return None
        if self._remote_demand and self.state is self.remote_state is State.UP and not self.polling:
            return None
        return max(self._used_min_tx, self.remote_min_rx) / _SECOND

    @property
    def memory(self) -> Memory | None:
        """What another process needs to go on; None while there is nothing to go on with.

        An authenticated session has none: its sequence numbers grow with every packet, and a
        peer refuses those that are old.
        """
        if self.state is not State.UP or self._seal is not None:
            return None
        return Memory(
            my_discr=self.my_discr,
            your_discr=self.remote_discr,
            remote_detect_mult=self.remote_detect_mult,
            remote_desired_min_tx=self.remote_desired_min_tx,
            remote_min_rx=self.remote_min_rx,
        )

    # Receiving

    def _refusal(self, packet: ControlPacket, data: bytes) -> Refusal | None:
        if not packet.your_discr and packet.state not in {State.DOWN, State.ADMIN_DOWN}:
            return Refusal.YOUR_DISCR
        if packet.auth is None:
            return None if self._seal is None else Refusal.AUTH_MISSING
        if self._seal is None:
            return Refusal.AUTH_UNEXPECTED
        return self._seal.refusal(packet.auth, data, packet.detect_mult)

    def _note_heard(self, at: float) -> None:
        # A datagram that was read late is not newer than one that was read before it.
        if self._heard is None or at > self._heard:
            self._heard = at
        self._excused = False
        self._excused_until = 0.0
        self._forget_due = None

    def _hear_min_rx(self, value: int, at: float) -> None:
        if value != self.remote_min_rx:
            before, self.remote_min_rx = self.remote_min_rx, value
            if value < before or self._tx_due is None:
                # Section 6.8.3: what may be faster from now on is, at once.
                self._plan(self._sent, earliest=at)

    # Silence

    def _interval_in(self) -> int:
        return max(self._used_min_rx, self.remote_desired_min_tx)

    def _judge(self, due: float, now: float) -> None:
        detection = self.detection_time or 0.0
        if now - due > _LATE_SHARE * detection and not self._excused:
            self.slept(now)
            return
        # Section 6.8.1: with the peer gone, so is what it said, its discriminator above all: a
        # peer that restarted answers only to packets that name none, or its new one.
        self.remote_state = State.DOWN
        self.remote_discr = self.remote_detect_mult = self.remote_desired_min_tx = 0
        self.remote_min_rx = 1
        self._remote_demand = False
        self._usual = b""
        heard, self._heard = due if self._heard is None else self._heard, None
        self._forget_due = now + detection
        if self.state in {State.INIT, State.UP}:
            self._enter(State.DOWN, Diag.DETECTION_TIME_EXPIRED, due, silence=due - heard)
        if self.settings.passive:
            self._tx_due = None

    # States and intervals

    def _enter(self, new: State, diag: Diag, at: float, silence: float | None = None) -> None:
        self._events.append(
            StateChanged(
                old=self.state,
                new=new,
                diag=diag,
                remote_state=self.remote_state,
                remote_diag=self.remote_diag,
                at=at,
                silence=silence,
            )
        )
        self.state, self.diag = new, diag
        self._usual = b""
        if new is not State.UP:
            self.polling = self._poll_again = False
        self._set_intervals(at)
        self._send(at)

    def _set_intervals(self, now: float) -> bool:
        """Take over what the settings and the state want; return whether that changes anything."""
        up = self.state is State.UP
        tx = self.settings.desired_min_tx
        tx = tx if up else max(SLOW_INTERVAL, tx)
        rx = self.settings.required_min_rx
        if (tx, rx) == (self._desired_min_tx, self._required_min_rx):
            return False
        self._desired_min_tx, self._required_min_rx = tx, rx
        # Section 6.8.3: slower sending, and a shorter time to detect, wait until the peer knows.
        if not up or tx < self._used_min_tx:
            self._used_min_tx = tx
            self._plan(self._sent, earliest=now)
        if not up or rx > self._used_min_rx:
            self._used_min_rx = rx
        if up:
            # A Final that is on its way answers the poll before this one.
            self._poll_again = self.polling
            self.polling = True
        return True

    def _poll_ends(self, at: float) -> None:
        self.polling, self._poll_again = self._poll_again, False
        if not self.polling:
            self._used_min_tx, self._used_min_rx = self._desired_min_tx, self._required_min_rx
            if self.transmit_interval is None:
                self._plan(at)

    def _resume(self, memory: Memory, now: float) -> None:
        self.my_discr, self.remote_discr = memory.my_discr, memory.your_discr
        self.remote_detect_mult = memory.remote_detect_mult
        self.remote_desired_min_tx = memory.remote_desired_min_tx
        self.remote_min_rx = memory.remote_min_rx
        self.state = State.UP
        self._heard = now
        # What the settings say now may differ from what the process before us told the peer.
        self._set_intervals(now)
        self.polling = True
        self._tx_due = now

    # Sending

    def _send(self, now: float, *, final: bool = False) -> None:
        if self.settings.passive and not self.remote_discr:
            self._tx_due = None
            return
        packet = ControlPacket(
            diag=self.diag,
            state=self.state,
            poll=self.polling and not final,
            final=final,
            detect_mult=self.settings.detect_mult,
            my_discr=self.my_discr,
            your_discr=self.remote_discr,
            desired_min_tx=self._desired_min_tx,
            required_min_rx=self._required_min_rx,
        )
        self._packets.append(encode(packet) if self._seal is None else self._seal.sign(packet))
        if not final or self._tx_due is None:
            self._sent = now
            self._plan(now)

    def _plan(self, base: float, earliest: float | None = None) -> None:
        interval = self.transmit_interval
        if interval is None:
            self._tx_due = None
            return
        # Section 6.8.7: a quarter less at most; with a multiplier of one, a tenth at least.
        most = 0.9 if self.settings.detect_mult == 1 else 1.0
        due = base + interval * (0.75 + (most - 0.75) * self._random())
        self._tx_open = base + interval * 0.75
        self._tx_due = due if earliest is None else max(due, earliest)
