"""What arrives: heartbeats are checked, believed or not, and passed on to whoever judges them."""

import math
from collections import Counter
from typing import Final

from bgpd.mesh.judge import Judge
from bgpd.mesh.liveness import GRACE_LIMIT
from bgpd.mesh.offset import EVERY
from bgpd.mesh.packet import (
    MAX_AGE,
    VERSION,
    Echo,
    Flag,
    Heartbeat,
    MalformedHeartbeatError,
    Sight,
    decode,
    member_id,
)
from bgpd.mesh.repeat import INCARNATION, Repeat, is_repeatable, numbers
from bgpd.mesh.roster import COUNTS, Roster
from bgpd.mesh.seal import Refusal
from bgpd.mesh.sender import Sender
from bgpd.mesh.takeover import Hearing, Register
from bgpd.mesh.track import Role, Track
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState

_TOLD: Final = Flag.AGENT_ALIVE | Flag.DRAINING | Flag.DOUBTFUL | Flag.PARTIAL
"""What routes of ours may depend on at once, or people are told at once."""


class Ear:
    """Takes in datagrams, whoever sent them."""

    def __init__(
        self,
        *,
        roster: Roster,
        register: Register,
        sender: Sender,
        judge: Judge,
        counters: Counter[str],
    ) -> None:
        self._roster = roster
        self._register = register
        self._sender = sender
        self._judge = judge
        self.counters = counters
        """Why datagrams were ignored, and other things worth counting."""
        self.jumped_at = -math.inf
        """When a generation was last heard that is too far ahead."""
        self.unheard = False
        """Whether the sender of the last news does not accept the key that we send under."""
        self._me = member_id(sender.settings.node)
        self._repeats: dict[bytes, Repeat] = {}

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take in *data*, whatever it is; *now* is when the kernel received it."""
        opened = self._sender.sealer.open(data)
        if isinstance(opened, Refusal):
            self.counters[opened] += 1
            return
        known = self._repeats.get(opened[INCARNATION])
        if (
            known is not None
            and source == known.track.member.address
            and known.says(opened)
            and self._take_again(known, opened, now)
        ):
            return
        try:
            beat = decode(opened)
        except MalformedHeartbeatError:
            self.counters[Refusal.MALFORMED] += 1
            return
        if beat.version > VERSION:
            self.counters["future_version"] += 1
        if beat.sender == self._sender.settings.node:
            self.counters[Refusal.OURSELVES] += 1
            return
        track = self._roster.tracks.get(NodeName(beat.sender))
        if track is None:
            self.counters[Refusal.UNKNOWN_MEMBER] += 1
            return
        if source != track.member.address:
            self.counters["other_source"] += 1
        self._take(beat, track, now)
        if track.beat is beat:
            self._repeats.pop(opened[INCARNATION], None)
            if is_repeatable(beat):
                us = self._echo_of_us(beat)
                self._repeats[opened[INCARNATION]] = Repeat(track, beat, us, opened)

    def decide(self, now: float) -> None:
        """Raise for whom that is due, with all that was heard."""
        if not [t for t in self._roster.contacts if t.state is MemberState.SUSPECT]:
            return
        for known in self._repeats.values():
            known.read()
        self._judge.decide(now)

    def tidy(self) -> None:
        """Forget what processes said that are gone."""
        for key, known in list(self._repeats.items()):
            if not self._is_current(known):
                del self._repeats[key]

    def forget_repeats(self) -> None:
        """Read every heartbeat again: after our own sleep old ages prove nothing."""
        self._repeats.clear()

    def _is_current(self, known: Repeat) -> bool:
        track = known.track
        return (
            track.incarnation == known.beat.incarnation
            and self._roster.by_id.get(track.id) is track
        )

    def _take_again(self, known: Repeat, body: bytes, now: float) -> bool:
        """Take in what says nothing new, if nothing new happened here either."""
        track, register = known.track, self._register
        if (
            track.state is not MemberState.ALIVE
            or not track.hears_us
            or not register.learned
            or (known.beat.resets, known.beat.generation) > (register.resets, register.generation)
            or self._judge.is_busy
            or not self._is_current(known)
        ):
            return False
        sequence, beat = numbers(body)
        if sequence <= track.sequence:
            return False
        if now >= track.offset.due:
            self._compare_clocks(known.clocks(body), track, now)
        known.keep(body)
        track.is_new(sequence)
        track.mark = self._sender.sequence
        if self._roster.full and beat > track.beats:
            self._sender.keep_step(now)
        track.hear_number(beat, whole=track.whole, members=1 + len(self._roster.tracks), now=now)
        track.vital_at = now
        self._roster.hear(track, known.us, now)
        return True

    def _take(self, beat: Heartbeat, track: Track, now: float) -> None:
        us = self._echo_of_us(beat)
        if beat.incarnation != track.incarnation and not self._believe(beat, track, us, now):
            if track.role is not Role.PARTNER:
                self._take_hearsay(beat, track, now)
            return
        if not track.is_new(beat.sequence):
            self.counters[Refusal.REPLAYED] += 1
            return
        if beat.sequence != track.sequence:
            self.counters["reordered"] += 1
            track.loss.arrived(beat.beat, whole=False)
            return
        track.mark = self._sender.sequence
        if self._roster.full and 0 < track.beats < beat.beat:
            self._sender.keep_step(now)
        before = track.flags
        track.hear(beat, us, members=1 + len(self._roster.tracks), now=now)
        self.unheard = bool(beat.key_ids) and self._sender.key not in beat.key_ids
        if now >= track.offset.due:
            told = None if us is None or not beat.clock else (beat.clock, us.sequence, us.age)
            self._compare_clocks(told, track, now)
        if (before ^ beat.flags) & _TOLD:
            self._judge.tell_of(track, now)
        track.hears_majority = track.hears_us or self._hears_majority(track)
        if track.hears_us or track.hears_majority:
            track.vital_at = now
        goodbye = beat.flags & Flag.GOODBYE
        grace = min(beat.grace or GRACE_LIMIT, GRACE_LIMIT)
        track.goodbye_until = now + grace if goodbye else -math.inf
        self._roster.hear(track, us, now)
        self._hear_generation(beat, track, hears_us=track.hears_us, now=now)
        self._judge.judge_ourselves(now)
        self._judge.take_opinions(beat, now)
        self._judge.step(track, now)
        if now <= self._sender.next_beat + self._sender.settings.interval:
            # Later than that we slept and are being drained: handle_timer will judge.
            self.decide(now)

    def _compare_clocks(self, told: tuple[int, int, int] | None, track: Track, now: float) -> None:
        """Learn how the sender's clock stands to ours, from what `Repeat.clocks` returns."""
        track.offset.due = now + EVERY
        if told is None:
            return
        clock, sequence, age = told
        sent = self._sender.sent_at(sequence)
        if sent is not None and age < MAX_AGE:
            track.offset.heard(clock=clock / 1e6, at=now, sent=sent, age=age / 1000)

    def _take_hearsay(self, beat: Heartbeat, track: Track, now: float) -> None:
        """Believe a generation without knowing its sender (beyond sixteen members).

        It is authentic, so it was true once; a recording of it cannot be higher than what was
        reached since. Whether we are heard, our own partners must tell.
        """
        partners = [t for t in self._roster.contacts if t.state in COUNTS]
        hearing = sum(1 for t in partners if t.hears_us)
        heard = hearing > 0 and 2 * hearing >= len(partners)
        if beat.resets == self._register.resets:
            self._hear_generation(beat, track, hears_us=heard, now=now)

    def _hear_generation(
        self, beat: Heartbeat, track: Track, *, hears_us: bool, now: float
    ) -> None:
        hearing = self._judge.hear(beat, track, hears_us=hears_us, now=now)
        if hearing is Hearing.JUMP:
            self.counters["generation_jump"] += 1
            self.jumped_at = now
        elif hearing is Hearing.WITHHELD:
            self.counters["generation_withheld"] += 1
        if hears_us and beat.flags & Flag.LEARNED and not self._register.learned:
            self._sender.become_learned()

    def _echo_of_us(self, beat: Heartbeat) -> Echo | None:
        incarnation = self._sender.incarnation
        for echo in beat.echoes:
            if echo.member == self._me and echo.incarnation == incarnation:
                return echo
        return None

    def _believe(self, beat: Heartbeat, track: Track, us: Echo | None, now: float) -> bool:
        """Accept a new incarnation if it echoes something we sent after we last heard the old.

        A recording cannot: it was made before, or for another incarnation of ours.
        """
        if us is not None and track.mark < us.sequence <= self._sender.sequence:
            if track.incarnation:
                self.counters["incarnations"] += 1
            track.welcome(beat.incarnation)
            return True
        self.counters["unproven" if not track.incarnation else Refusal.OLD_INCARNATION] += 1
        if track.role is not Role.STRANGER:
            track.pending = beat.incarnation
            track.pending_sequence = beat.sequence
            track.pending_at = now
            self._sender.answer(track, now)
        return False

    def _hears_majority(self, track: Track) -> bool:
        heard = total = 1
        counting = {one.id for one in self._roster.counting()} | {self._me}
        for echo in track.echoes.values():
            if self._roster.full and echo.member not in counting:
                continue
            total += 1
            if echo.incarnation and not echo.sight & Sight.SILENT:
                heard += 1
        return 2 * heard > total
