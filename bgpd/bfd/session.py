"""One BFD session: its state, its intervals, and when it speaks or gives up (RFC 5880, 6.8).

Theory of operation: stimuli are `receive`, `handle_timer`, `configure` and `disable`, each with
the time as an argument; afterwards the driver takes what is to be sent from `packets` and what
happened from `events`, and calls `handle_timer` at `deadline`. Nothing here knows a socket or
a clock, and randomness is an argument. Times are seconds, intervals microseconds.

A session says everything in every packet, so that nothing has to be repeated: what the periodic
packets say is what the peer knows. Only a change of intervals waits for the peer's word
(`intervals`).

*The one who slept.* Silence is judged by when the kernel received packets, not by when we looked.
Yet a machine that stood still received nothing: a judgement that comes late is put off once, by
an interval, and whoever is alive has been heard by then.

Supported standards: RFC 5880 asynchronous mode (6.8.1 to 6.8.7, 6.8.16), the active and the
passive role; demand mode as the peer's wish only; no echo function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.bfd.intervals import Intervals
from bgpd.bfd.memory import Memory
from bgpd.bfd.packet import ControlPacket, Diag, Refusal, State, encode
from bgpd.bfd.seal import Key, Seal

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
        self._random = random
        self._seal = None if settings.key is None else Seal(settings.key, sequence=sequence)
        self._remote_demand = False
        self._intervals = Intervals(
            desired_min_tx=settings.desired_min_tx, required_min_rx=settings.required_min_rx
        )
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
        self._intervals.remote_desired_min_tx = packet.desired_min_tx
        self._intervals.remote_detect_mult = packet.detect_mult
        self._note_heard(at)
        if packet.final and self.polling:
            self._final(at)
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
            self._excused_until = now + self._intervals.receive

    def configure(self, settings: Settings, now: float) -> bool:
        """Change the intervals by a Poll Sequence; return False where only a new session can."""
        if settings.key != self.settings.key or settings.passive != self.settings.passive:
            return False
        changed = settings.detect_mult != self.settings.detect_mult
        self.settings = settings
        if self._want_intervals() or changed:
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
        detection = self._intervals.detection
        if detection is None or self._heard is None or self.state is State.ADMIN_DOWN:
            return None
        return max(self._heard + detection, self._excused_until)

    @property
    def polling(self) -> bool:
        """Whether the peer has yet to say that it knows our intervals."""
        return self._intervals.polling

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
        return self._intervals.detection

    @property
    def remote_detection_time(self) -> float | None:
        """Seconds of our silence after which the peer gives up, by what we told it last."""
        return self._intervals.remote_detection(self.settings.detect_mult)

    @property
    def transmit_interval(self) -> float | None:
        """Seconds between our packets, before jitter; None while none are sent."""
        if not self._intervals.remote_min_rx or (self.settings.passive and not self.remote_discr):
            return None
        if self._remote_demand and self.state is self.remote_state is State.UP and not self.polling:
            return None
        return self._intervals.transmit

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
            remote_detect_mult=self._intervals.remote_detect_mult,
            remote_desired_min_tx=self._intervals.remote_desired_min_tx,
            remote_min_rx=self._intervals.remote_min_rx,
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

    def _final(self, at: float) -> None:
        if self._intervals.answered() and self.transmit_interval is None:
            self._plan(at)

    def _hear_min_rx(self, value: int, at: float) -> None:
        before, self._intervals.remote_min_rx = self._intervals.remote_min_rx, value
        if value < before or (value != before and self._tx_due is None):
            # Section 6.8.3: what may be faster from now on is, at once.
            self._plan(self._sent, earliest=at)

    # Silence

    def _judge(self, due: float, now: float) -> None:
        detection = self._intervals.detection or 0.0
        if now - due > _LATE_SHARE * detection and not self._excused:
            self.slept(now)
            return
        # Section 6.8.1: with the peer gone, so is what it said, its discriminator above all: a
        # peer that restarted answers only to packets that name none, or its new one.
        self.remote_state = State.DOWN
        self.remote_discr = 0
        self._intervals.forget()
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
            self._intervals.stop_polling()
        self._want_intervals()
        self._send(at)

    def _want_intervals(self) -> bool:
        """Want what the settings say in this state; return whether the peer must hear of it."""
        return self._intervals.want(
            desired_min_tx=self.settings.desired_min_tx,
            required_min_rx=self.settings.required_min_rx,
            up=self.state is State.UP,
        )

    def _resume(self, memory: Memory, now: float) -> None:
        self.my_discr, self.remote_discr = memory.my_discr, memory.your_discr
        self._intervals.remote_detect_mult = memory.remote_detect_mult
        self._intervals.remote_desired_min_tx = memory.remote_desired_min_tx
        self._intervals.remote_min_rx = memory.remote_min_rx
        self.state = State.UP
        self._heard = now
        # What the settings say now may differ from what the process before us told the peer.
        self._want_intervals()
        self._intervals.polling = True
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
            desired_min_tx=self._intervals.desired_min_tx,
            required_min_rx=self._intervals.required_min_rx,
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
