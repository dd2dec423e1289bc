"""The mesh of speakers: who is alive, and which generation the cluster is at.

Theory of operation. `Mesh` owns no socket and no clock. Whoever drives it feeds datagrams,
refusals, echo replies and timer calls, each with its time, and after each of them drains
`events`, sends `datagrams_to_send` and `probes_to_send`, and re-arms one timer for `deadline`.
Before `handle_timer` the driver must have drained the socket, with the kernel's receive times:
a process that slept judges nobody by what still waits in its buffer.

`liveness` says what one member's silence means, `takeover` who may raise the generation,
`packet` and `seal` what goes over the wire; this file only joins them. The rules and their
reasons are in docs/mesh.md.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bgpd.mesh.compose import compose
from bgpd.mesh.events import (
    ConditionChanged,
    Datagram,
    GenerationChanged,
    KeyChanged,
    Kind,
    MemberDead,
    MemberRemoved,
    MemberRestarting,
    MemberSuspected,
    MemberUp,
    MeshEvent,
    QuarantineEnded,
    QuarantineStarted,
    RaiseRefused,
)
from bgpd.mesh.liveness import GRACE_LIMIT, NEXT_STATE, WOKE, Sign, Track
from bgpd.mesh.packet import (
    VERSION,
    DeathRecord,
    Echo,
    Flag,
    Heartbeat,
    MalformedHeartbeatError,
    Sight,
    decode,
    encode,
    member_id,
)
from bgpd.mesh.report import Self, conditions, status
from bgpd.mesh.seal import Refusal, Sealer, key_id
from bgpd.mesh.settings import MAX_FULL_MESH, Keys, MeshSettings
from bgpd.mesh.takeover import JOIN_WITHIN, Docket, Hearing, Quarantine, Register, objection
from bgpd.mesh.watch import Watch
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, MemberState, MeshStatus

START_WAIT: Final = 0.5
"""Seconds to wait for a member that knows the generation, once the member list is known."""
START_LIMIT: Final = 2.0
"""Seconds: the longest wait, when a member is in reach but does not believe us yet."""
REPEATS: Final = (0.0, 0.002, 0.004)
"""When a raise is sent, in seconds after the decision."""
SUSPICION_REPEATS: Final = (0.0, 0.002)
REFUSED_PAUSE: Final = 1.0
"""Seconds between heartbeats to a port that refuses: kernels refuse once a second per asker."""
DEAD_PAUSE: Final = 0.5
"""Seconds between heartbeats to a member that is dead or was never heard."""
EAGER: Final = 5.0
"""Seconds after our start in which members that were never heard get the full rate."""
PING_EVERY: Final = 30.0
"""Seconds between the probes that tell whether a member's kernel answers pings at all."""
PENDING_LASTS: Final = 2.0
"""Seconds for which a heartbeat that must prove itself is challenged."""
HOUSEKEEPING: Final = 1.0
"""Seconds between looks at conditions, quarantines, keys and watchers."""

FORGET_AFTER: Final = 10.0
"""Seconds of silence after which a member that is not listed is forgotten: until then the
others must hear from us that it died."""

_GONE: Final = frozenset({MemberState.UNHEARD, MemberState.DEAD})
_COUNTS: Final = frozenset({MemberState.ALIVE, MemberState.SUSPECT})


class Mesh:
    """One member's view of the mesh: feed it, drain it, ask it for the generation."""

    def __init__(  # noqa: PLR0913 - what a restart must bring back, each by its name
        self,
        settings: MeshSettings,
        *,
        keys: Keys,
        incarnation: int,
        generation: int = 1,
        resets: int = 0,
        now: float,
        random: Callable[[], float],
        members: Iterable[Member] | None = None,
    ) -> None:
        """Start at *now*; *incarnation* is random and not 0, *generation* as kept on disk."""
        self._settings = settings
        self._me = member_id(settings.node)
        self._incarnation = incarnation
        self._interval = settings.interval
        self._started = now
        self._random = random
        self._register = Register(generation=generation, resets=resets)
        self._docket = Docket()
        self._quarantine = Quarantine(started=now)
        self._watch = Watch(settings.node)
        self._tracks: dict[NodeName, Track] = {}
        self._by_id: dict[int, Track] = {}
        self._members: tuple[Member, ...] | None = None
        self._members_at = math.inf
        self._sequence = 0
        self._beat = 0
        self._next_beat = now + random() * self._interval * 0.1
        self._extra: list[float] = []
        self._wake_at = math.inf
        self._tidy_at = now
        self._hold = 0.0
        self._raises = 0
        self._flags = Flag.AGENT_ALIVE
        self._grace = 0
        self._router_ids: tuple[Address, ...] = ()
        self._quarantined = False
        self._conditions: dict[str, Condition] = {}
        self._out: list[Datagram] = []
        self._probes: list[Address] = []
        self._events: list[MeshEvent] = []
        self.counters: Counter[str] = Counter()
        self._keys = keys
        self._sealer = Sealer(keys=keys.accepted, cluster_uid=settings.cluster_uid)
        self._key_id = key_id(keys.sending)
        self.configure(members=members, now=now)

    # What the driver tells us.

    def configure(
        self,
        *,
        now: float,
        settings: MeshSettings | None = None,
        keys: Keys | None = None,
        members: Iterable[Member] | None = None,
    ) -> None:
        """Take over what changed; None leaves a thing as it is.

        *members* is the whole list. One that is no longer in it is forgotten once it is
        silent, too: a list that is wrong must not hide a death.
        """
        if settings is not None:
            self._settings = settings
            self._interval = settings.interval
            for track in self._tracks.values():
                track.multiplier = settings.policy.multiplier
        if keys is not None or settings is not None:
            self._keys = keys or self._keys
            self._sealer = Sealer(keys=self._keys.accepted, cluster_uid=self._settings.cluster_uid)
            self._choose_key(now)
        if members is not None:
            self._take_members(tuple(members), now)

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take in *data*, whatever it is; *now* is when the kernel received it."""
        opened = self._sealer.open(data)
        if isinstance(opened, Refusal):
            self.counters[opened] += 1
            return
        try:
            beat = decode(opened)
        except MalformedHeartbeatError:
            self.counters[Refusal.MALFORMED] += 1
            return
        if beat.version > VERSION:
            self.counters["future_version"] += 1
        track = self._tracks.get(NodeName(beat.sender))
        if beat.sender == self._settings.node:
            self.counters[Refusal.OURSELVES] += 1
        elif track is None:
            self.counters[Refusal.UNKNOWN_MEMBER] += 1
        else:
            if source != track.member.address:
                self.counters["other_source"] += 1
            self._take(beat, track, now)

    def refused(self, address: Address, now: float) -> None:
        """Note that the kernel at *address* refused a heartbeat (ECONNREFUSED)."""
        for track in self._tracks.values():
            if track.member.address == address:
                self.counters["refused"] += 1
                track.refused_at = max(track.refused_at, now)
                self._probe(track, now)
                self._step(track, now)

    def echo_reply(self, address: Address, now: float) -> None:
        """Note that the kernel at *address* answered an ICMP echo request."""
        for track in self._tracks.values():
            if track.member.address == address:
                track.ponged_at = max(track.ponged_at, now)

    def handle_timer(self, now: float) -> None:
        """Judge silence and send what is due; the driver has drained the socket before."""
        self._notice_lateness(now)
        self._learn_alone(now)
        if now >= self._tidy_at:
            self._tidy_at = now + HOUSEKEEPING
            self._tidy(now)
        for track in list(self._tracks.values()):
            self._step(track, now)
        self._decide(now)
        if now >= self._next_beat:
            self._next_beat = max(self._next_beat + self._interval, now + self._interval / 2)
            self._send_beat(now)
            for track in self._tracks.values():
                self._consider_probe(track, now)
        elif self._extra and now >= self._extra[0]:
            self._send_extra(now)
        self._extra = [due for due in self._extra if due > now]
        self._plan_wake(now)

    def say_goodbye(self, grace_seconds: float, now: float) -> None:
        """Tell everybody that our process ends and is back within *grace_seconds*."""
        self._flags |= Flag.GOODBYE
        self._grace = math.ceil(min(max(grace_seconds, 1.0), GRACE_LIMIT))
        self._send_soon(REPEATS, now)

    def set_local(
        self,
        *,
        agent_alive: bool,
        draining: bool,
        peer_router_ids: Iterable[Address],
        now: float,
    ) -> None:
        """Set what our heartbeats say about this node."""
        learned = self._flags & (Flag.GOODBYE | Flag.LEARNED)
        self._flags = learned | (Flag.AGENT_ALIVE if agent_alive else 0)
        self._flags |= Flag.DRAINING if draining else 0
        self._router_ids = tuple(sorted(peer_router_ids))
        self._tidy_at = min(self._tidy_at, now)

    def hold_raises(self, seconds: float) -> None:
        """Wait *seconds* longer before a raise: the routers' own BFD may be faster."""
        self._hold = max(0.0, seconds)

    def reset_generation(self, to: int, now: float) -> None:
        """Begin again at generation *to* everywhere, by a person's wish."""
        old = self._register.generation
        self._register.reset(to)
        self._docket.clear()
        self._report_change(old, Kind.RESET, f"reset to {to} by a person", (), now)
        self._send_soon(REPEATS, now)

    # What the driver asks for.

    def datagrams_to_send(self) -> list[Datagram]:
        """Return what must be sent now, once."""
        out, self._out = self._out, []
        return out

    def probes_to_send(self) -> list[Address]:
        """Return the addresses to send an ICMP echo request to now, once."""
        probes, self._probes = self._probes, []
        return probes

    def events(self) -> list[MeshEvent]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Return when `handle_timer` must be called next."""
        due = min(self._next_beat, self._wake_at)
        return min(due, self._extra[0]) if self._extra else due

    @property
    def generation(self) -> int:
        """The generation that our routes carry."""
        return self._register.generation

    @property
    def resets(self) -> int:
        """How often a person reset the generation, as far as we know."""
        return self._register.resets

    @property
    def members(self) -> tuple[Member, ...] | None:
        """The member list as last told; None as long as nobody told it."""
        return self._members

    @property
    def quarantined(self) -> bool:
        """Whether the others hold us in quarantine: our routes rank 250."""
        return self._quarantined

    @property
    def all_listed_heard(self) -> bool:
        """Whether every listed member has been heard: levers without room wrap only then."""
        return self._members is not None and not any(
            track.state is MemberState.UNHEARD for track in self._tracks.values()
        )

    def may_advertise(self, now: float) -> bool:
        """Return whether the generation is known well enough to advertise under it."""
        self._learn_alone(now)
        return self._register.learned

    def status(self, now: float) -> MeshStatus:
        """Return the mesh as `bgpctl status` shows it."""
        return status(self._self_view(), self._tracks.values(), self._conditions.values(), now)

    def persistent(self) -> dict[str, Any]:
        """Return what must survive a restart, ready for JSON; `restore` reads it."""
        return {
            "version": 1,
            "generation": self._register.generation,
            "resets": self._register.resets,
            "members": None
            if self._members is None
            else [
                {"name": one.name, "address": one.address, "port": one.port}
                for one in self._members
            ],
        }

    # Hearing.

    def _take(self, beat: Heartbeat, track: Track, now: float) -> None:
        us = self._echo_of_us(beat)
        if beat.incarnation != track.incarnation and not self._believe(beat, track, us, now):
            return
        if not track.is_new(beat.sequence):
            self.counters[Refusal.REPLAYED] += 1
            return
        if beat.sequence != track.sequence:
            self.counters["reordered"] += 1
            track.loss.arrived(beat.beat, whole=False)
            return
        track.mark = self._sequence
        track.hear(beat, us, now)
        track.hears_majority = track.hears_us or self._echoes_majority(track)
        if track.hears_us or track.hears_majority:
            track.vital_at = now
        if beat.flags & Flag.GOODBYE:
            track.goodbye_until = now + min(beat.grace or GRACE_LIMIT, GRACE_LIMIT)
        else:
            track.goodbye_until = -math.inf
        self._watch.heard(track, us, now)
        self._take_generation(beat, track, now)
        self._take_opinions(beat, track, now)
        self._step(track, now)
        if now <= self._next_beat + self._interval:
            # Later than that we are asleep and draining: handle_timer will judge.
            self._decide(now)

    def _echo_of_us(self, beat: Heartbeat) -> Echo | None:
        for echo in beat.echoes:
            if echo.member == self._me and echo.incarnation == self._incarnation:
                return echo
        return None

    def _believe(self, beat: Heartbeat, track: Track, us: Echo | None, now: float) -> bool:
        """Accept a new incarnation if it echoes something we sent after we last heard the old.

        A recording cannot: it was made before, or by another incarnation of ours.
        """
        if us is not None and track.mark < us.sequence <= self._sequence:
            if track.incarnation:
                self.counters["incarnations"] += 1
            track.welcome(beat.incarnation)
            self._answer(track, now)
            return True
        self.counters["unproven" if not track.incarnation else Refusal.OLD_INCARNATION] += 1
        track.pending = beat.incarnation
        track.pending_sequence = beat.sequence
        track.pending_at = now
        self._answer(track, now)
        return False

    def _echoes_majority(self, track: Track) -> bool:
        counted = 1 + len(self._counting())
        if track.state not in _COUNTS:
            counted += 1
        heard = 1
        for echo in track.echoes.values():
            if (
                not echo.sight & Sight.SILENT
                and echo.incarnation
                and (echo.member == self._me or echo.member in self._by_id)
            ):
                heard += 1
        return 2 * heard > counted

    def _take_generation(self, beat: Heartbeat, track: Track, now: float) -> None:
        old = self._register.generation
        news = [self._by_id.get(record.member) for record in self._new_records(beat, now)]
        hearing = self._register.hear(beat.resets, beat.generation, hears_us=track.hears_us)
        if hearing is Hearing.JUMP:
            self.counters["generation_jump"] += 1
        elif hearing is Hearing.WITHHELD:
            self.counters["generation_withheld"] += 1
        elif hearing is Hearing.ADOPTED:
            dead = [one for one in news if one is not None]
            self._adopted(old, beat, track, dead, now)
        if track.hears_us and beat.flags & Flag.LEARNED and not self._register.learned:
            self._become_learned()

    def _adopted(
        self, old: int, beat: Heartbeat, track: Track, dead: list[Track], now: float
    ) -> None:
        # A raise that we adopt joins ours like one of our own.
        if dead:
            self._register.raised_at = now
        if beat.generation < old:
            self._docket.clear()
            self._report_change(old, Kind.RESET, f"{track.name} passes on a reset", (), now)
            return
        names = " and ".join(one.name for one in dead)
        cause = f"{track.name} says that {names} died" if dead else f"{track.name} is ahead"
        self._report_change(old, Kind.ADOPTED, cause, dead, now)

    def _new_records(self, beat: Heartbeat, now: float) -> list[DeathRecord]:
        news = []
        for record in beat.records:
            track = self._by_id.get(record.member)
            if track is None or beat.resets != self._register.resets:
                continue
            if self._docket.add(record, track):
                news.append(record)
                self._accuse(track, record.generation, now)
        return news

    def _take_opinions(self, beat: Heartbeat, track: Track, now: float) -> None:
        if self._docket:
            self._docket.survived(track.id, beat.generation)
            for echo in beat.echoes:
                self._docket.survived(echo.member, echo.generation)
        self._judge_ourselves(now)
        for echo in beat.echoes:
            if not echo.sight & (Sight.SUSPECT | Sight.QUARANTINED):
                continue
            other = self._by_id.get(echo.member)
            if other is None:
                continue
            if echo.sight & Sight.QUARANTINED:
                if self._quarantine.hearsay(other.id, now):
                    self._events.append(QuarantineStarted(member=other.name, at=now))
            elif self._can_support(other, now) and now - other.sent_at > self._interval / 10:
                other.sent_at = now
                self._send_soon((0.0,), now)

    def _can_support(self, suspect: Track, now: float) -> bool:
        """Return whether another member's suspicion of *suspect* is news that we can support."""
        return suspect.state is MemberState.ALIVE and suspect.silence(now) >= suspect.base_allowed(
            self._interval
        )

    # Judging.

    def _step(self, track: Track, now: float) -> None:
        sign = track.read_sign(
            now,
            self._interval,
            covered=self._docket.covers(track),
            flapping=track.id in self._quarantine,
        )
        old = track.state
        if not track.listed and old is MemberState.RESTARTING and sign is Sign.SILENT:
            # It said goodbye, was taken off the list, and was switched off: as planned.
            sign = Sign.LEFT
        if old is MemberState.UNHEARD and not track.incarnation:
            return
        new = NEXT_STATE[old][sign]
        if new is not old:
            track.state = new
            self._entered(track, old, sign, now)

    def _entered(self, track: Track, old: MemberState, sign: Sign, now: float) -> None:
        if old is MemberState.SUSPECT:
            track.suspected_at = track.confirmed_at = math.inf
        self._quarantine.changed(track.id, now)
        match track.state:
            case MemberState.ALIVE | MemberState.QUARANTINED:
                if old is not MemberState.QUARANTINED:
                    self._events.append(MemberUp(member=track.name, at=now))
                    self._answer(track, now)
            case MemberState.SUSPECT:
                track.suspected_at = now
                self._events.append(
                    MemberSuspected(member=track.name, at=now, reason=_why(track, sign, now))
                )
                self._send_soon(SUSPICION_REPEATS, now)
            case MemberState.RESTARTING:
                track.left_since = min(track.left_since, now)
                self._events.append(
                    MemberRestarting(member=track.name, at=now, reason=_why(track, sign, now))
                )
            case MemberState.DEAD:
                self._events.append(
                    MemberDead(member=track.name, at=now, reason=_why(track, sign, now))
                )
            case MemberState.UNHEARD:
                pass

    def _decide(self, now: float) -> None:
        suspects = [t for t in self._tracks.values() if t.state is MemberState.SUSPECT]
        if not suspects or not self._register.learned or self._flags & Flag.GOODBYE:
            return
        counting = self._counting()
        dead = []
        for track in suspects:
            if self._docket.covers(track):
                self._step(track, now)
                continue
            if track.id in self._quarantine:
                continue
            reason = objection(track, counting, now, self._interval)
            if reason:
                self._refuse(track, reason, now)
                continue
            track.confirmed_at = min(track.confirmed_at, now)
            if now - track.confirmed_at >= self._hold:
                dead.append(track)
        if dead:
            self._raise(dead, now)

    def _refuse(self, track: Track, reason: str, now: float) -> None:
        track.confirmed_at = math.inf
        if now - track.suspected_at >= 2 * self._interval:
            # Said once: by now the others have had the time to agree.
            track.suspected_at = math.inf
            self._events.append(RaiseRefused(member=track.name, at=now, reason=reason))

    def _raise(self, dead: list[Track], now: float) -> None:
        register = self._register
        old = register.generation
        joined = now - register.raised_at <= JOIN_WITHIN and all(
            register.raised_at - track.vital_at >= 2 * self._interval for track in dead
        )
        if not joined:
            register.raise_once(now)
            self._raises += 1
        causes = [_why(track, Sign.SILENT, now) for track in dead]
        for track in dead:
            record = DeathRecord(track.id, track.incarnation, register.generation)
            self._docket.add(record, track)
            self._accuse(track, register.generation, now)
            self._step(track, now)
        if not joined:
            self._report_change(old, Kind.RAISED, "; ".join(causes), dead, now)
        self._send_soon(REPEATS, now)

    def _accuse(self, track: Track, generation: int, now: float) -> None:
        if self._quarantine.accuse(track.id, generation, now):
            self._events.append(QuarantineStarted(member=track.name, at=now))

    def _judge_ourselves(self, now: float) -> None:
        """We are in quarantine when half of the members that are alive say so."""
        alive = [t for t in self._tracks.values() if t.state in _COUNTS and t.hears_us]
        accusers = sum(1 for t in alive if t.sight & Sight.QUARANTINED)
        quarantined = accusers > 0 and 2 * accusers >= len(alive)
        if quarantined and not self._quarantined:
            self._events.append(QuarantineStarted(member=self._settings.node, at=now))
        elif self._quarantined and alive and not quarantined:
            self._events.append(QuarantineEnded(member=self._settings.node, at=now))
        else:
            return
        self._quarantined = quarantined

    def _counting(self) -> list[Track]:
        """Return the members that count: alive, suspected, or in quarantine and beating."""
        return [
            track
            for track in self._tracks.values()
            if track.state in _COUNTS or (track.state is MemberState.QUARANTINED and track.hears_us)
        ]

    def _notice_lateness(self, now: float) -> None:
        late = now - self._next_beat
        if late <= self._interval:
            return
        if late <= WOKE * self._interval:
            for track in self._tracks.values():
                track.slept += late - self._interval
            return
        self.counters["woke"] += 1
        for track in self._tracks.values():
            track.floor = now
            track.slept = 0.0
            track.echoes = {}
            if track.state is MemberState.SUSPECT:
                track.state = MemberState.ALIVE
                track.suspected_at = track.confirmed_at = math.inf

    # Starting.

    def _learn_alone(self, now: float) -> None:
        if self._register.learned or self._members is None:
            return
        waited = now - self._members_at
        if (
            not self._tracks
            or waited >= START_LIMIT
            or (
                waited >= START_WAIT
                and not any(
                    now - max(t.pending_at, t.heard_at) < START_WAIT for t in self._tracks.values()
                )
            )
        ):
            self._become_learned()
        elif (
            waited >= START_WAIT
            and all(
                t.beat is None or not t.beat.flags & Flag.LEARNED for t in self._tracks.values()
            )
            and not any(now - t.pending_at < START_WAIT for t in self._tracks.values())
        ):
            # Everybody starts at once, and nobody knows more than its own disk.
            self._become_learned()

    def _become_learned(self) -> None:
        self._register.learned = True
        self._flags |= Flag.LEARNED

    # Sending.

    def _send_beat(self, now: float) -> None:
        self._beat += 1
        targets = [t for t in self._tracks.values() if self._is_due(t, now)]
        self._send(targets, now)

    def _send_extra(self, now: float) -> None:
        refusing = MemberState.RESTARTING
        self._send([t for t in self._tracks.values() if t.state is not refusing], now)

    def _is_due(self, track: Track, now: float) -> bool:
        pause = 0.0
        if track.refused_at > track.heard_at and now - track.refused_at < 2 * REFUSED_PAUSE:
            pause = REFUSED_PAUSE
        elif track.state is MemberState.DEAD or (
            track.state is MemberState.UNHEARD and now - self._started > EAGER
        ):
            pause = DEAD_PAUSE
        return now - track.sent_at >= pause - self._interval / 2

    def _answer(self, track: Track, now: float) -> None:
        """Send to one member at once, unless we did a moment ago."""
        if now - track.sent_at >= self._interval / 10:
            self._send([track], now)

    def _send_soon(self, delays: Iterable[float], now: float) -> None:
        """Send to everybody now if *delays* says so, and again after each of them."""
        for delay in delays:
            if delay == 0.0:
                self._send_extra(now)
            else:
                self._extra.append(now + delay)
        self._extra.sort()

    def _send(self, targets: list[Track], now: float) -> None:
        if not targets:
            return
        self._sequence += 1
        beat = compose(
            self._self_view(),
            self._tracks.values(),
            self._docket.newest() if self._docket else (),
            now,
        )
        payload = self._sealer.seal(encode(beat), self._key_id)
        for track in targets:
            track.sent_at = now
            self._out.append(Datagram(track.member.address, track.member.port, payload))

    def _self_view(self) -> Self:
        return Self(
            settings=self._settings,
            id=self._me,
            incarnation=self._incarnation,
            sequence=self._sequence,
            beat=self._beat,
            register=self._register,
            quarantine=self._quarantine,
            flags=int(self._flags),
            grace=self._grace,
            router_ids=self._router_ids,
            key_id=self._key_id,
            key_ids=self._sealer.key_ids,
            started=self._started,
            raises=self._raises,
            counters=self.counters,
        )

    def _consider_probe(self, track: Track, now: float) -> None:
        if track.state in {MemberState.UNHEARD, MemberState.DEAD}:
            return
        missed = track.silence(now) > 1.5 * max(self._interval, track.interval)
        if missed or track.leaving(now) or now - track.pinged_at >= PING_EVERY:
            self._probe(track, now)

    def _probe(self, track: Track, now: float) -> None:
        if now - track.pinged_at >= self._interval / 2:
            track.pinged_at = now
            self._probes.append(track.member.address)

    def _plan_wake(self, now: float) -> None:
        """Find the next moment before the next heartbeat at which a silence grows too long."""
        wake = math.inf
        for track in self._tracks.values():
            if track.state is MemberState.ALIVE:
                allowed = track.allowed(self._interval)
                # A hair later, so that rounding never wakes us a moment too early.
                due = max(track.heard_at, track.floor) + track.slept + allowed + 1e-6
                wake = min(wake, due)
            elif track.confirmed_at < math.inf:
                wake = min(wake, track.confirmed_at + self._hold + 1e-6)
        self._wake_at = max(wake, now + 1e-3)

    # Housekeeping.

    def _tidy(self, now: float) -> None:
        for member in self._quarantine.ended(now):
            track = self._by_id.get(member)
            if track is not None:
                self._events.append(QuarantineEnded(member=track.name, at=now))
                if track.state is MemberState.QUARANTINED and not track.hears_us:
                    track.state = MemberState.DEAD
        for track in list(self._tracks.values()):
            if not track.listed and track.state in _GONE and track.silence(now) > FORGET_AFTER:
                self._remove(track, now)
        self._choose_key(now)
        self._watch.tidy(self._tracks, now)
        fresh = {c.type: c for c in conditions(self._self_view(), self._tracks.values(), now)}
        for name, condition in fresh.items():
            before = self._conditions.get(name)
            if condition != before if before else condition.status:
                self._events.append(ConditionChanged(condition=condition, at=now))
        self._conditions = fresh

    def _choose_key(self, now: float) -> None:
        """Send under the newest key that every member that is alive says it knows."""
        alive = [t for t in self._tracks.values() if t.state in _COUNTS and t.key_ids]
        known = [k for k in self._sealer.key_ids if all(k in t.key_ids for t in alive)]
        chosen = key_id(self._keys.sending)
        if alive and known:
            chosen = known[0]
        elif chosen not in self._sealer.key_ids:
            chosen = self._sealer.key_ids[0]
        if chosen != self._key_id:
            self._key_id = chosen
            self._events.append(KeyChanged(key_id=chosen, at=now))

    def _take_members(self, members: tuple[Member, ...], now: float) -> None:
        if self._members is None:
            self._members_at = now
        self._members = members
        listed = {one.name: one for one in members if one.name != self._settings.node}
        for name, member in listed.items():
            track = self._tracks.get(name)
            if track is None:
                track = Track(
                    member,
                    now=now,
                    mark=self._sequence,
                    multiplier=self._settings.policy.multiplier,
                )
                self._tracks[name] = track
                self._by_id[track.id] = track
            track.member = member
            track.listed = True
        for name, track in self._tracks.items():
            track.listed = name in listed
        self._watch.members(self._tracks)

    def _remove(self, track: Track, now: float) -> None:
        self._tracks.pop(track.name, None)
        self._by_id.pop(track.id, None)
        self._docket.forget(track.id)
        self._quarantine.forget(track.id)
        self._events.append(MemberRemoved(member=track.name, at=now))

    def _report_change(
        self, old: int, kind: Kind, cause: str, dead: Iterable[Track], now: float
    ) -> None:
        covered = list(dead)
        signs = [track.vital_at for track in covered if track.vital_at > -math.inf]
        self._events.append(
            GenerationChanged(
                old=old,
                new=self._register.generation,
                kind=kind,
                cause=cause,
                members=tuple(sorted(track.name for track in covered)),
                cause_at=min(signs, default=now),
                decided_at=now,
            )
        )


def restore(document: Mapping[str, Any]) -> tuple[int, int, tuple[Member, ...] | None]:
    """Return generation, resets and members from what `Mesh.persistent` wrote.

    What cannot be read is as good as never written: a torn file must not stop a speaker.
    """
    generation = document.get("generation")
    resets = document.get("resets")
    listed = document.get("members")
    members: tuple[Member, ...] | None = None
    if isinstance(listed, list):
        members = tuple(
            Member(name=NodeName(one["name"]), address=Address(one["address"]), port=one["port"])
            for one in listed
            if isinstance(one, Mapping)
            and isinstance(one.get("name"), str)
            and isinstance(one.get("address"), str)
            and isinstance(one.get("port"), int)
        )
    return (
        generation if isinstance(generation, int) and generation > 0 else 1,
        resets if isinstance(resets, int) and resets >= 0 else 0,
        members,
    )


def _why(track: Track, sign: Sign, now: float) -> str:
    silence = track.silence(now) * 1000
    match sign:
        case Sign.LEAVING | Sign.LEFT:
            if now < track.goodbye_until:
                return f"member {track.name} said goodbye"
            return f"member {track.name} refuses heartbeats"
        case Sign.DEAF:
            return f"member {track.name} hears nobody"
        case _:
            if silence < track.allowed(track.interval) * 1000:
                return f"member {track.name} hears nobody"
            return f"member {track.name} silent for {silence:.0f} ms"


__all__ = ["MAX_FULL_MESH", "Mesh", "restore"]
