"""Who is dead, and what we do about it: the decisions of the mesh, in one place.

The judge reads tracks, steps them through the table of `liveness`, asks `takeover` whether
anything speaks against a raise, and raises. What it decides it puts into *events* and into
the sender's outbox.
"""

import math
from collections.abc import Iterable
from typing import Final

from bgpd.mesh.events import (
    GenerationChanged,
    Kind,
    MemberChanged,
    MemberDead,
    MemberRestarting,
    MemberSuspected,
    MemberUp,
    MeshEvent,
    QuarantineEnded,
    QuarantineStarted,
    RaiseRefused,
)
from bgpd.mesh.liveness import NEXT_STATE, Sign, read_sign
from bgpd.mesh.packet import DeathRecord, Flag, Heartbeat, Sight
from bgpd.mesh.roster import COUNTS, Roster
from bgpd.mesh.sender import Sender
from bgpd.mesh.takeover import JOIN_WITHIN, Docket, Hearing, Quarantine, Register, objection
from bgpd.mesh.track import Role, Track
from bgpd.model.status import MemberState

REPEATS: Final = (0.0, 0.002, 0.004)
"""When a raise is sent, in seconds after the decision; twice, where everybody is many."""
SUSPICION_REPEATS: Final = (0.0, 0.002)
BYSTANDER_AFTER: Final = 10.0
"""Seconds of silence after which a member that we do not watch stops counting."""
WOKE: Final = 3
"""Intervals: a loop that is later than this slept, and knows nothing of the others."""


class Judge:
    """Decides on members and on the generation."""

    def __init__(
        self,
        *,
        roster: Roster,
        register: Register,
        docket: Docket,
        quarantine: Quarantine,
        sender: Sender,
    ) -> None:
        self._roster = roster
        self._register = register
        self._docket = docket
        self._quarantine = quarantine
        self._sender = sender
        self.raises = 0
        self.quarantined = False
        """Whether our routes shall rank behind the others', because those hold us in quarantine."""
        self._accused = False
        """Whether they hold us in quarantine, be it of use or not."""
        self.events: list[MeshEvent] = []

    @property
    def _interval(self) -> float:
        return self._sender.settings.interval

    @property
    def is_busy(self) -> bool:
        """Whether a death or a quarantine is remembered, so that every word counts."""
        return self.quarantined or bool(self._docket) or bool(self._quarantine)

    # Members.

    def step(self, track: Track, now: float) -> None:
        """Move *track* to the state that the evidence asks for."""
        old = track.state
        if not track.incarnation:
            return
        if old is MemberState.ALIVE and not self._quarantine and track.is_well(now, self._interval):
            # All of what follows comes to this, twenty-five times a second for each member.
            track.steady = True
            return
        covered = self._docket.covers(track)
        held = track.id in self._quarantine
        flapping = held and self._quarantine_is_of_use()
        sign = read_sign(track, now, self._interval, covered=covered, flapping=flapping)
        switched_off = sign is Sign.SILENT and not track.keeps
        if not track.listed and old is MemberState.RESTARTING and switched_off:
            # It said goodbye, was taken off the list, and was switched off: as planned.
            sign = Sign.LEFT
        beating = sign is Sign.BEATING or sign is Sign.FLAPPING
        if held and beating is not track.steady:
            self._quarantine.changed(track.id, now)
        track.steady = beating
        new = NEXT_STATE[old][sign]
        if new is MemberState.RESTARTING:
            track.left_since = min(track.left_since, now)
        if new is MemberState.SUSPECT and self._is_bystander(track, now):
            new = MemberState.UNHEARD
        if new is not old:
            track.state = new
            self._entered(track, old, sign, now)

    @staticmethod
    def _is_bystander(track: Track, now: float) -> bool:
        """Return whether the silence of *track* means only that it does not beat to us.

        Beyond sixteen members an acquaintance may have lost interest in us, and a watcher
        of ours may have another list; neither is ours to judge.
        """
        if track.charge:
            return False
        return track.role is not Role.PARTNER or track.silence(now) > BYSTANDER_AFTER

    def _entered(self, track: Track, old: MemberState, sign: Sign, now: float) -> None:
        if old is MemberState.SUSPECT:
            track.suspected_at = math.inf
        name, why = track.name, _why(track, sign, now)
        match track.state:
            case MemberState.ALIVE | MemberState.QUARANTINED:
                if old is not MemberState.QUARANTINED:
                    self.events.append(MemberUp(member=name, at=now))
                    self._sender.answer(track, now)
            case MemberState.SUSPECT:
                track.suspected_at = now
                track.suspicions += 1
                self.events.append(MemberSuspected(member=name, at=now, reason=why))
                self._sender.soon(SUSPICION_REPEATS, now)
            case MemberState.RESTARTING:
                self.events.append(MemberRestarting(member=name, at=now, reason=why))
            case MemberState.DEAD:
                self.events.append(MemberDead(member=name, at=now, reason=why))
            case MemberState.UNHEARD:
                pass

    def tell_of(self, track: Track, now: float) -> None:
        """Tell that *track* says something new of itself."""
        self.events.append(
            MemberChanged(
                member=track.name,
                at=now,
                draining=bool(track.flags & Flag.DRAINING),
                doubtful=bool(track.flags & Flag.DOUBTFUL),
                partial=bool(track.flags & Flag.PARTIAL),
                agent_alive=bool(track.flags & Flag.AGENT_ALIVE),
            )
        )

    def notice_lateness(self, now: float) -> None:
        """Take our own loop's sleep out of everybody's silence; a long one proves nothing."""
        late = now - self._sender.next_beat
        if late <= self._interval:
            return
        for track in self._roster.contacts:
            if late <= WOKE * self._interval:
                track.slept += late - self._interval
                continue
            track.floor = now
            track.slept = 0.0
            track.echoes = {}
            if track.state is MemberState.SUSPECT:
                track.state = MemberState.ALIVE
                track.suspected_at = math.inf

    # The generation.

    def hear(self, beat: Heartbeat, track: Track, *, hears_us: bool, now: float) -> Hearing:
        """Take over what *beat* says of the generation, of deaths, and of other members."""
        old, resets = self._register.generation, self._register.resets
        if beat.resets > resets and hears_us:
            self._begin_again()
        dead = self._new_records(beat, now)
        hearing = self._register.hear(beat.resets, beat.generation, hears_us=hears_us)
        if hearing is not Hearing.JUMP and beat.resets == self._register.resets:
            track.generation = max(track.generation, beat.generation)
        if hearing is Hearing.ADOPTED:
            self._adopted(old, track, dead, reset=beat.resets > resets, now=now)
        if beat.resets == self._register.resets and self._docket:
            self._docket.survived(track.id, beat.generation)
            for echo in beat.echoes:
                self._docket.survived(echo.member, echo.generation)
        for one in dead:
            self.step(one, now)
        return hearing

    def _new_records(self, beat: Heartbeat, now: float) -> list[Track]:
        if not beat.records or beat.resets < self._register.resets:
            return []
        news = []
        for record in beat.records:
            track = self._roster.by_id.get(record.member)
            if track is not None and self._docket.add(record, track):
                news.append(track)
                self._accuse(track, record.generation, now)
        return news

    def _adopted(
        self, old: int, track: Track, dead: list[Track], *, reset: bool, now: float
    ) -> None:
        if reset:
            self._report(old, Kind.RESET, f"{track.name} passes on a reset", (), now)
        else:
            names = " and ".join(one.name for one in dead)
            cause = f"{track.name} says that {names} died" if dead else f"{track.name} is ahead"
            self._report(old, Kind.ADOPTED, cause, dead, now)
        if dead:
            # A raise that we adopt joins ours like one of our own.
            self._register.raised_at = now
        if not self._roster.full:
            self._sender.soon((0.0,), now)

    def raise_for(self, cause: str, now: float) -> None:
        """Raise for *cause*, which is no death."""
        old = self._register.generation
        self._register.raise_once(now)
        self.raises += 1
        self._report(old, Kind.PLANNED, cause, (), now)
        repeats = REPEATS if self._roster.full else REPEATS[:2]
        self._sender.soon(repeats, now, everyone=True)

    def reset(self, to: int, now: float) -> None:
        """Begin again at *to*, by a person's wish."""
        old = self._register.generation
        self._register.reset(to)
        self._begin_again()
        self._report(old, Kind.RESET, f"reset to {to} by a person", (), now)
        self._sender.soon(REPEATS, now, everyone=True)

    def _begin_again(self) -> None:
        self._docket.clear()
        for track in self._roster.tracks.values():
            track.generation = 0

    def take_opinions(self, beat: Heartbeat, now: float) -> None:
        """Support a suspicion that we share, and believe in a quarantine."""
        for echo in beat.echoes:
            if not echo.sight & (Sight.SUSPECT | Sight.QUARANTINED):
                continue
            other = self._roster.by_id.get(echo.member)
            if other is None:
                continue
            if echo.sight & Sight.QUARANTINED:
                if self._quarantine.hearsay(other.id, now):
                    self.events.append(QuarantineStarted(member=other.name, at=now))
            elif self._supports(other, now):
                other.supported_at = now
                self._sender.soon((0.0,), now)

    def _supports(self, suspect: Track, now: float) -> bool:
        """Return whether we should say at once that *suspect* is silent for us, too."""
        return (
            suspect.state is MemberState.ALIVE
            and suspect.silence(now) >= suspect.base_allowed(self._interval)
            and now - suspect.supported_at >= self._interval / 2
        )

    def decide(self, now: float) -> None:
        """Raise for every suspect against whose death nothing speaks."""
        suspects = [t for t in self._roster.contacts if t.state is MemberState.SUSPECT and t.charge]
        if not suspects or not self._register.learned or self._sender.flags & Flag.GOODBYE:
            return
        dead = []
        for track in suspects:
            if self._docket.covers(track):
                self.step(track, now)
            elif not self._held_back(track) and self._confirmed(track, now):
                dead.append(track)
        if dead:
            self._raise(dead, now)

    def _confirmed(self, track: Track, now: float) -> bool:
        roster = self._roster
        reason = objection(
            track, counting=roster.counting(), witnesses=roster.contacts, now=now,
            interval=self._interval,
        )  # fmt: skip
        if not reason:
            return True
        if now - track.suspected_at >= 2 * self._interval:
            # Said once, and not before the others have had the time to agree.
            track.suspected_at = math.inf
            self.events.append(RaiseRefused(member=track.name, at=now, reason=reason))
        return False

    def _raise(self, dead: list[Track], now: float) -> None:
        register = self._register
        old = register.generation
        joined = now - register.raised_at <= JOIN_WITHIN and all(
            register.raised_at - track.vital_at >= 2 * self._interval
            and track.generation < register.generation
            for track in dead
        )
        if not joined:
            register.raise_once(now)
            self.raises += 1
            causes = "; ".join(_why(track, Sign.SILENT, now) for track in dead)
            planned = all(track.departed for track in dead)
            self._report(old, Kind.PLANNED if planned else Kind.RAISED, causes, dead, now)
        for track in dead:
            self._docket.add(DeathRecord(track.id, track.incarnation, register.generation), track)
            self._accuse(track, register.generation, now)
            self.step(track, now)
        self._sender.soon(REPEATS if self._roster.full else REPEATS[:2], now, everyone=True)

    def _report(self, old: int, kind: Kind, cause: str, dead: Iterable[Track], now: float) -> None:
        covered = list(dead)
        heard = [track for track in covered if track.vital_at > -math.inf]
        signs = [track.vital_at for track in heard]
        dues = [track.vital_at + max(track.interval, self._interval) for track in heard]
        self.events.append(
            GenerationChanged(
                old=old,
                new=self._register.generation,
                kind=kind,
                cause=cause,
                members=tuple(sorted(track.name for track in covered)),
                cause_at=min(signs, default=now),
                decided_at=now,
                due_at=min(dues, default=None),
            )
        )

    # Quarantine.

    def _accuse(self, track: Track, generation: int, now: float) -> None:
        if self._quarantine.accuse(track.id, generation, now):
            self.events.append(QuarantineStarted(member=track.name, at=now))

    def _held_back(self, track: Track) -> bool:
        return track.id in self._quarantine and self._quarantine_is_of_use()

    def _quarantine_is_of_use(self) -> bool:
        """Return whether at least half of those that live would be left to carry the traffic.

        Where most flap it is the network, or the machines' lack of time. A rank that most have
        is no rank, and nobody would raise for the few that then carry everything; so nobody is
        apart until enough are steady again.
        """
        live = self._roster.counting()
        bad = self._accused + sum(1 for track in live if track.id in self._quarantine)
        return 2 * bad <= 1 + len(live)

    def judge_ourselves(self, now: float) -> None:
        """Go into quarantine when half of the members alive say that we are, and out again."""
        alive = [t for t in self._roster.contacts if t.state in COUNTS and t.hears_us]
        if not alive:
            return
        accusers = sum(1 for t in alive if t.sight & Sight.QUARANTINED)
        self._accused = accusers > 0 and 2 * accusers >= len(alive)
        quarantined = self._accused and self._quarantine_is_of_use()
        if quarantined == self.quarantined:
            return
        self.quarantined = quarantined
        node = self._sender.settings.node
        event = QuarantineStarted if quarantined else QuarantineEnded
        self.events.append(event(member=node, at=now))

    def end_quarantines(self, now: float) -> None:
        """Take back those who were steady long enough; who was silent so long is dead."""
        for member in self._quarantine.ended(now):
            track = self._roster.by_id.get(member)
            if track is None:
                continue
            self.events.append(QuarantineEnded(member=track.name, at=now))
            silent = track.silence(now) > track.allowed(self._interval)
            if track.state is MemberState.QUARANTINED and silent:
                track.state = MemberState.DEAD


def _why(track: Track, sign: Sign, now: float) -> str:
    if sign in {Sign.LEAVING, Sign.LEFT}:
        if track.said_goodbye:
            return f"member {track.name} said goodbye"
        return f"member {track.name} refuses heartbeats"
    silence = track.silence(now)
    if track.overdue(now):
        away = now - track.left_since
        return f"member {track.name} is away for {away:.0f} s, and routers keep its routes"
    if sign is Sign.DEAF or silence < track.allowed(track.interval):
        return f"member {track.name} hears nobody"
    told = " after its goodbye" if track.departed else ""
    return f"member {track.name} silent for {silence * 1000:.0f} ms{told}"
