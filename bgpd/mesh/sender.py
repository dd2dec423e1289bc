"""What leaves this node: heartbeats at their rates, raises at once, probes for silent kernels."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from bgpd.mesh.compose import Draft, compose, draft, echoes_of
from bgpd.mesh.events import Datagram
from bgpd.mesh.packet import DeathRecord, Echo, Flag, Heartbeat, as_routine, encode
from bgpd.mesh.report import Ourselves
from bgpd.mesh.roster import COUNTS, Roster
from bgpd.mesh.seal import Sealer, key_id
from bgpd.mesh.settings import Keys, MeshSettings
from bgpd.mesh.step import in_step
from bgpd.mesh.takeover import Docket, Quarantine, Register, fresh
from bgpd.mesh.track import ACQUAINTED_EVERY, Role, Track
from bgpd.model.prefix import Address
from bgpd.model.status import MemberState

REFUSED_PAUSE: Final = 1.0
"""Seconds between heartbeats to a port that refuses: kernels refuse once a second per asker."""
DEAD_PAUSE: Final = 0.5
"""Seconds between heartbeats to a member that is dead or was never heard."""
EAGER: Final = 5.0
"""Seconds after our start in which members that were never heard get the full rate."""
PING_EVERY: Final = 30.0
"""Seconds between the probes that tell whether a member's kernel answers pings at all."""
_REMEMBERED: Final = 64
"""Datagrams of which we know when they left: more than two seconds of them."""
NEWS_LASTS: Final = 1.0
"""Seconds for which whatever is new is urgent: one loss must not delay it."""


class Sender:
    """Our half of the conversation: sequence numbers, rates, keys, the outbox."""

    def __init__(  # noqa: PLR0913 - the parts that a heartbeat is composed of, by name
        self,
        settings: MeshSettings,
        *,
        keys: Keys,
        incarnation: int,
        roster: Roster,
        register: Register,
        docket: Docket,
        quarantine: Quarantine,
        started: float,
        first_beat: float,
    ) -> None:
        self.settings = settings
        self.incarnation = incarnation
        self.sequence = 0
        self.flags = Flag.AGENT_ALIVE
        self.grace = 0
        self.router_ids: tuple[Address, ...] = ()
        self.next_beat = first_beat
        self._roster = roster
        self._register = register
        self._docket = docket
        self._quarantine = quarantine
        self._started = started
        self._beat = 0
        self._beaten_at = -math.inf
        self._later: list[tuple[float, bool]] = []
        """Extra heartbeats: when, and whether to everyone."""
        self._now = started
        self._regular = False
        self._extra = False
        self._everyone = False
        self._answers: dict[int, Track] = {}
        self._drafts: dict[Role, Draft] = {}
        self._sent = [(-1, 0.0)] * _REMEMBERED
        """The low half of each sequence that was sent lately, and when."""
        self._told: dict[Role, tuple[object, object, list[bool]]] = {}
        self._news_at = started
        self._probes: list[Address] = []
        self.use_keys(keys)
        self.key = key_id(keys.sending)

    # Keys.

    def use_keys(self, keys: Keys) -> None:
        """Accept *keys* from now on, under the settings in force."""
        self.keys = keys
        self.sealer = Sealer(keys=keys.accepted, cluster_uid=self.settings.cluster_uid)

    def choose_key(self) -> bool:
        """Send under the newest key that all members alive say they know; return if it changed."""
        alive = [t for t in self._roster.contacts if t.state in COUNTS and t.key_ids]
        known = [k for k in self.sealer.key_ids if all(k in t.key_ids for t in alive)]
        chosen = key_id(self.keys.sending)
        if alive and known:
            chosen = known[0]
        elif chosen not in self.sealer.key_ids:
            chosen = self.sealer.key_ids[0]
        changed, self.key = chosen != self.key, chosen
        return changed

    # Heartbeats.

    def due(self) -> float:
        """Return when `send_due` has something to do."""
        return min(self.next_beat, self._later[0][0]) if self._later else self.next_beat

    def send_due(self, now: float) -> bool:
        """Mark what is due for sending; return whether that is a regular heartbeat."""
        self._now = now
        while self._later and self._later[0][0] <= now:
            everyone = self._later.pop(0)[1]
            self._extra, self._everyone = True, self._everyone or everyone
        if now < self.next_beat:
            return False
        interval = self.settings.interval
        self.next_beat = max(self.next_beat + interval, now + interval / 2)
        self._beat += 1
        self._beaten_at = now
        self._regular = True
        return True

    def keep_step(self, now: float) -> None:
        """Beat with the partner that was heard *now*, but never twice in half an interval."""
        interval = self.settings.interval
        step = in_step(self.next_beat, now=now, interval=interval)
        self.next_beat = min(self.next_beat, max(step, self._beaten_at + interval / 2))

    def soon(self, delays: Iterable[float], now: float, *, everyone: bool = False) -> None:
        """Send an extra heartbeat after each of *delays*, 0 being at once.

        To our contacts; to *everyone* when it is a raise.
        """
        self._now = now
        for delay in delays:
            if delay <= 0:
                self._extra, self._everyone = True, self._everyone or everyone
            else:
                self._later.append((now + delay, everyone))
        self._later.sort()

    def answer(self, track: Track, now: float) -> None:
        """Send to one member at once, unless we did a moment ago."""
        self._now = now
        if now - track.sent_at >= self.settings.interval / 10:
            self._answers[track.id] = track

    @property
    def has_datagrams(self) -> bool:
        """Whether anything was marked."""
        return self._regular or self._extra or bool(self._answers)

    def datagrams(self) -> list[Datagram]:
        """Compose what was marked, and return it.

        Composed here and not where it was decided: whoever slept drains hundreds of
        heartbeats at once, and one answer says more than hundreds.
        """
        out: list[Datagram] = []
        if self.has_datagrams:
            everyone = self._everyone and not self._roster.full
            # Fellow watchers first: what we say of our charges is what they wait for.
            for role in (Role.ACQUAINTANCE, Role.PARTNER):
                targets = [t for t in self._roster.contacts if t.role is role and self._wants(t)]
                if targets:
                    self._send(role, targets, self._about(role), out)
            if everyone:
                strangers = [t for t in self._roster.tracks.values() if t.role is Role.STRANGER]
                if strangers:
                    self._send(Role.STRANGER, strangers, (), out)
            self._regular = self._extra = self._everyone = False
            self._answers.clear()
        return out

    def _wants(self, track: Track) -> bool:
        if track.id in self._answers:
            return True
        if self._extra and track.refused_at <= track.heard_at:
            return True
        return self._regular and self._is_due(track, self._now)

    def _about(self, role: Role) -> Sequence[Track]:
        """Return whom a heartbeat to members of *role* speaks about.

        Never a part of them: who is not in it is taken for not heard.
        """
        if role is Role.PARTNER:
            return [t for t in self._roster.contacts if t.role is Role.PARTNER]
        return [t for t in self._roster.contacts if t.role is role or t.charge]

    def _is_due(self, track: Track, now: float) -> bool:
        pause = 0.0
        if track.refused_at > track.heard_at and now - track.refused_at < 2 * REFUSED_PAUSE:
            pause = REFUSED_PAUSE
        elif track.role is Role.ACQUAINTANCE:
            pause = ACQUAINTED_EVERY
        elif track.state is MemberState.DEAD or (
            track.state is MemberState.UNHEARD and now - self._started > EAGER
        ):
            pause = DEAD_PAUSE
        return now - track.sent_at >= pause - self.settings.interval / 2

    def _send(
        self, role: Role, targets: Sequence[Track], about: Sequence[Track], out: list[Datagram]
    ) -> None:
        now = self._now
        self.sequence += 1
        self._sent[self.sequence % _REMEMBERED] = (self.sequence & 0xFFFFFFFF, now)
        records = self._docket.newest() if self._docket else ()
        echoes = echoes_of(
            about,
            records=records,
            quarantine=self._quarantine,
            interval=self.settings.interval,
            started=self._started,
            now=now,
        )
        payload = self.sealer.seal(self._body(role, echoes, records, about), self.key)
        for track in targets:
            track.sent_at = now
            out.append(Datagram(track.member.address, track.member.port, payload))

    def _body(
        self,
        role: Role,
        echoes: tuple[Echo, ...],
        records: tuple[DeathRecord, ...],
        about: Sequence[Track],
    ) -> bytes:
        """Return the next heartbeat to *role*, composed anew if it says anything new."""
        register = self._register
        head = (
            register.generation, register.resets, self.flags, self.grace, self.router_ids,
            self.settings, self.key, self.sealer.key_ids, records,
        )  # fmt: skip
        known = self._drafts.get(role)
        if known is not None and known.says(head, echoes):
            routine = self._is_routine(role, None, about)
            numbers = (self.sequence, register.generation, register.resets, self._beat & 0xFFFFFFFF)
            return known.again(numbers, echoes, clock=_microseconds(self._now), routine=routine)
        beat = compose(self.view(), echoes, records)
        body = encode(beat)
        fresh_draft = draft(head, beat, body)
        if fresh_draft is None:
            self._drafts.pop(role, None)
        else:
            self._drafts[role] = fresh_draft
        return as_routine(body) if self._is_routine(role, beat, about) else body

    def _is_routine(self, role: Role, beat: Heartbeat | None, about: Sequence[Track]) -> bool:
        """Return whether *beat* can wait until those who get it wake for themselves.

        It can if those of this *role* have heard the same for a while, numbers and ages apart.
        A member's overdue heartbeat is news: its age lets the others agree to a suspicion.
        None stands for a heartbeat that says what the last one to *role* said.
        """
        now, interval = self._now, self.settings.interval
        before = self._told.get(role)
        late = [t.role is Role.PARTNER and not fresh(t, now, interval) for t in about]
        if beat is not None:
            told = (*_words(beat), late)
        else:
            assert before is not None
            told = (before[0], before[1], late)
        if told != before:
            self._told[role] = told
            self._news_at = now
        if self._extra or self._answers or not self._register.learned:
            return False
        return not self.flags & Flag.GOODBYE and now - self._news_at >= NEWS_LASTS

    def view(self) -> Ourselves:
        """Return what we say of ourselves."""
        return Ourselves(
            settings=self.settings,
            incarnation=self.incarnation,
            sequence=self.sequence,
            beat=self._beat,
            register=self._register,
            flags=self.flags,
            grace=self.grace,
            router_ids=self.router_ids,
            key_id=self.key,
            key_ids=self.sealer.key_ids,
            started=self._started,
            clock=_microseconds(self._now),
        )

    def sent_at(self, sequence: int) -> float | None:
        """Return when we sent what has *sequence* as the low half of its own, if not long ago."""
        known, at = self._sent[sequence % _REMEMBERED]
        return at if known == sequence else None

    # Probes.

    def consider_probes(self, now: float) -> None:
        """Ask the kernels of those who missed a heartbeat, and now and then of the others."""
        for track in self._roster.contacts:
            if track.state is MemberState.UNHEARD or track.state is MemberState.DEAD:
                continue
            if track.role is not Role.PARTNER:
                continue
            missed = not fresh(track, now, self.settings.interval)
            if missed or track.leaving(now) or now - track.pinged_at >= PING_EVERY:
                self.probe(track, now)

    def probe(self, track: Track, now: float) -> None:
        """Send an echo request, unless one left a moment ago."""
        if now - track.pinged_at >= self.settings.interval / 2:
            track.pinged_at = now
            self._probes.append(track.member.address)

    def probes(self) -> list[Address]:
        """Return the addresses to probe and forget them."""
        probes, self._probes = self._probes, []
        return probes

    # Ourselves.

    def say(
        self,
        *,
        agent_alive: bool,
        draining: bool,
        doubtful: bool,
        partial: bool,
        kept: int,
        router_ids: Iterable[Address],
    ) -> None:
        """Set what our heartbeats say about this node."""
        if not self.flags & Flag.GOODBYE:
            # What a goodbye said of the routes stays true, whatever sessions do now.
            self.flags = self.flags | Flag.KEEPS if kept else self.flags & ~Flag.KEEPS
            self.grace = kept
        self.flags &= Flag.GOODBYE | Flag.LEARNED | Flag.KEEPS
        self.flags |= Flag.AGENT_ALIVE if agent_alive else 0
        self.flags |= Flag.DRAINING if draining else 0
        self.flags |= Flag.DOUBTFUL if doubtful else 0
        self.flags |= Flag.PARTIAL if partial else 0
        self.router_ids = tuple(sorted(router_ids))

    def become_learned(self) -> None:
        """Know the generation from now on, and say so."""
        self._register.learned = True
        self.flags |= Flag.LEARNED

    def say_goodbye(self, seconds: float, *, kept: bool) -> None:
        """Say from now on that our process ends and is back within *seconds*."""
        self.flags |= Flag.GOODBYE
        self.flags = self.flags | Flag.KEEPS if kept else self.flags & ~Flag.KEEPS
        self.grace = math.ceil(seconds)


def _words(beat: Heartbeat) -> tuple[object, object]:
    """Return what *beat* says, numbers and ages apart."""
    return (
        (beat.generation, beat.resets, beat.flags, beat.records, beat.router_ids, beat.key_ids),
        [(echo.member, echo.incarnation, echo.generation, echo.sight) for echo in beat.echoes],
    )


def _microseconds(now: float) -> int:
    return max(0, int(now * 1e6))
