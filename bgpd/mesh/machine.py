"""The mesh of speakers: who is alive, and which generation the cluster is at.

Theory of operation. `Mesh` owns no socket and no clock. Whoever drives it feeds datagrams,
refusals, echo replies and timer calls, each with its time, and after each of them drains
`events`, sends `datagrams_to_send` and `probes_to_send`, and re-arms one timer for `deadline`.
Before `handle_timer` the driver must have drained the sockets, with the kernel's receive times:
a process that slept judges nobody by what still waits in its buffer. Unless `must_know_all`,
the routine heartbeats suffice.

`ear` takes in what arrives, `judge` decides with the rules of `liveness` (what one member's
silence means) and `takeover` (who may raise the generation), `sender` says what leaves, and
`packet` and `seal` how; this file only joins them. The rules and their
reasons are in docs/mesh.md.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from bgpd.mesh.ear import Ear
from bgpd.mesh.events import (
    ConditionChanged,
    Datagram,
    KeyChanged,
    MemberRemoved,
    MeshEvent,
)
from bgpd.mesh.judge import REPEATS, Judge
from bgpd.mesh.liveness import GRACE_LIMIT
from bgpd.mesh.packet import Flag
from bgpd.mesh.report import clocks, conditions, settings_differ, status
from bgpd.mesh.roster import Roster
from bgpd.mesh.sender import Sender
from bgpd.mesh.settings import Keys, MeshSettings
from bgpd.mesh.takeover import Docket, Quarantine, Register, fresh
from bgpd.mesh.track import Track
from bgpd.model.member import Member
from bgpd.model.prefix import Address
from bgpd.model.status import Condition, MemberState, MeshStatus
from bgpd.model.timeline import PairClock

START_WAIT: Final = 0.5
"""Seconds to wait for a member that knows the generation, once the member list is known."""
START_LIMIT: Final = 2.0
"""Seconds: the longest wait, when a member is in reach but does not believe us yet."""
HOUSEKEEPING: Final = 1.0
"""Seconds between looks at conditions, quarantines, keys and watchers."""
JUMP_SHOWN: Final = 10.0
"""Seconds for which an unbelievable generation stays a condition."""
FORGET_AFTER: Final = 10.0
"""Seconds of silence after which a member that is not listed is forgotten: until then the
others must hear from us that it died."""
_GONE: Final = frozenset({MemberState.UNHEARD, MemberState.DEAD})


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
        self._register = Register(generation=generation, resets=resets)
        self._docket = Docket()
        self._quarantine = Quarantine(started=now)
        self._roster = Roster(settings.node)
        self._sender = Sender(
            settings,
            keys=keys,
            incarnation=incarnation,
            roster=self._roster,
            register=self._register,
            docket=self._docket,
            quarantine=self._quarantine,
            started=now,
            # Nodes that start together must not beat together.
            first_beat=now + random() * settings.interval / 10,
        )
        self._judge = Judge(
            roster=self._roster,
            register=self._register,
            docket=self._docket,
            quarantine=self._quarantine,
            sender=self._sender,
        )
        self.counters: Counter[str] = Counter()
        self._ear = Ear(
            roster=self._roster,
            register=self._register,
            sender=self._sender,
            judge=self._judge,
            counters=self.counters,
        )
        self._wake_at = math.inf
        self._tidy_at = now
        self._conditions: dict[str, Condition] = {}
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
        sender = self._sender
        if settings is not None:
            if settings.interval > sender.settings.interval:
                # Whoever misses the one heartbeat that says so would miss several by the old pace.
                sender.soon(REPEATS, now)
            sender.settings = settings
            sender.use_keys(keys or sender.keys)
            for track in self._roster.tracks.values():
                track.multiplier = settings.policy.multiplier
        elif keys is not None:
            sender.use_keys(keys)
        if settings is not None or keys is not None:
            self._choose_key(now)
        if members is not None:
            self._roster.take(tuple(members), now, lambda one: self._new_track(one, now))

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take in *data*, whatever it is; *now* is when the kernel received it."""
        self._ear.receive(data, source, now)
        if self._ear.unheard:
            # At once: until then somebody hears nothing of us, and suspects us.
            self._ear.unheard = False
            self._choose_key(now)

    def refused(self, address: Address, now: float) -> None:
        """Note that the kernel at *address* refused a heartbeat (ECONNREFUSED)."""
        for track in self._roster.contacts:
            if track.member.address == address:
                self.counters["refused"] += 1
                track.refused_at = max(track.refused_at, now)
                self._sender.probe(track, now)
                self._judge.step(track, now)

    def echo_reply(self, address: Address, now: float) -> None:
        """Note that the kernel at *address* answered an ICMP echo request."""
        for track in self._roster.contacts:
            if track.member.address == address:
                if track.pinged_at <= now:
                    track.round_trip = now - track.pinged_at
                track.ponged_at = max(track.ponged_at, now)

    def handle_timer(self, now: float) -> None:
        """Judge silence and send what is due; the driver has drained the socket before."""
        if now > self._sender.next_beat + self._sender.settings.interval:
            self._ear.forget_repeats()
        self._judge.notice_lateness(now)
        self._learn_alone(now)
        if now >= self._tidy_at:
            self._tidy_at = now + HOUSEKEEPING
            self._ear.tidy()
            self._tidy(now)
        for track in self._roster.contacts:
            self._judge.step(track, now)
        self._ear.decide(now)
        if self._sender.send_due(now):
            self._sender.consider_probes(now)
        self._plan_wake(now)

    def say_goodbye(self, grace_seconds: float, now: float, *, kept: bool = False) -> None:
        """Tell everybody that our process ends and is back within *grace_seconds*.

        With *kept* routers keep our routes meanwhile: whoever is not back in time is raised for.
        """
        self._sender.say_goodbye(min(max(grace_seconds, 1.0), GRACE_LIMIT), kept=kept)
        self._sender.soon(REPEATS, now)

    def set_local(  # noqa: PLR0913 - each is something that heartbeats say
        self,
        *,
        agent_alive: bool,
        draining: bool,
        doubtful: bool = False,
        partial: bool = False,
        kept_seconds: int = 0,
        peer_router_ids: Iterable[Address],
        now: float,
    ) -> None:
        """Set what our heartbeats say about this node.

        For *kept_seconds* routers would keep our routes if our process ended now; 0: they do not.
        """
        before = self._sender.flags
        self._sender.say(
            agent_alive=agent_alive,
            draining=draining,
            doubtful=doubtful,
            partial=partial,
            kept=min(kept_seconds, int(GRACE_LIMIT)),
            router_ids=peer_router_ids,
        )
        if (before ^ self._sender.flags) & (Flag.DRAINING | Flag.PARTIAL):
            # Others may have to take up what they left to us, or may leave theirs.
            self._sender.soon(REPEATS, now)
        self._tidy_at = min(self._tidy_at, now)

    def raise_generation(self, cause: str, now: float) -> None:
        """Go one generation further for *cause*, which is no death: all act on it at once."""
        if self._register.learned:
            self._judge.raise_for(cause, now)

    def reset_generation(self, to: int, now: float) -> None:
        """Begin again at generation *to* everywhere, by a person's wish."""
        self._judge.reset(to, now)

    # What the driver asks for.

    @property
    def has_datagrams(self) -> bool:
        """Whether there is something to send."""
        return self._sender.has_datagrams

    def datagrams_to_send(self) -> list[Datagram]:
        """Return what must be sent now, once."""
        return self._sender.datagrams()

    def probes_to_send(self) -> list[Address]:
        """Return the addresses to send an ICMP echo request to now, once."""
        return self._sender.probes()

    @property
    def has_events(self) -> bool:
        """Whether `events` has something to return."""
        return bool(self._judge.events)

    def events(self) -> list[MeshEvent]:
        """Return what happened since the last call."""
        events, self._judge.events = self._judge.events, []
        return events

    def deadline(self) -> float:
        """Return when `handle_timer` must be called next."""
        return min(self._sender.due(), self._wake_at)

    def must_know_all(self, now: float) -> bool:
        """Return whether `handle_timer` may come to a verdict: routine does not suffice then."""
        interval = self._sender.settings.interval
        if now > self._sender.next_beat + interval:
            return True
        for track in self._roster.contacts:
            if track.state is not MemberState.DEAD and not fresh(track, now, interval):
                return True
        return False

    @property
    def generation(self) -> int:
        """The generation that our routes carry."""
        return self._register.generation

    @property
    def resets(self) -> int:
        """How often a person reset the generation, as far as we know."""
        return self._register.resets

    @property
    def quarantined(self) -> bool:
        """Whether our routes rank 250, because the others hold us in quarantine."""
        return self._judge.quarantined

    @property
    def mourns(self) -> bool:
        """Whether a raise covers a member that nobody has heard since.

        Its own silence may be too short for us yet, who heard it a moment longer than others.
        """
        return bool(self._docket)

    @property
    def settings_differ(self) -> bool:
        """Whether a member that is alive names another lever than we do, by its last word."""
        return settings_differ(self._sender.view(), self._roster.contacts)

    def may_advertise(self, now: float) -> bool:
        """Return whether the generation is known well enough to advertise under it."""
        self._learn_alone(now)
        return self._register.learned

    def clocks(self, now: float) -> tuple[PairClock, ...]:
        """Return how the other members' clocks stand to ours, where that is known."""
        return clocks(self._roster.contacts, now)

    def status(self, now: float) -> MeshStatus:
        """Return the mesh as `bgpctl status` shows it."""
        seen = status(
            self._sender.view(),
            self._roster.tracks.values(),
            raises=self._judge.raises,
            counters=self.counters,
            current=self._conditions.values(),
            now=now,
        )
        return replace(seen, quarantined=True) if self._judge.quarantined else seen

    def persistent(self) -> dict[str, int]:
        """Return what must survive a restart; the list of members is the driver's to keep."""
        return {"generation": self._register.generation, "resets": self._register.resets}

    # Time.

    def _plan_wake(self, now: float) -> None:
        """Find the next moment before the next heartbeat at which a silence grows too long."""
        wake = math.inf
        interval = self._sender.settings.interval
        for track in self._roster.contacts:
            if track.state is MemberState.ALIVE:
                due = max(track.heard_at, track.floor) + track.slept + track.allowed(interval)
                wake = min(wake, due)
        # A hair later, so that rounding never wakes us a moment too early.
        self._wake_at = max(wake + 1e-6, now + 1e-3)

    def _learn_alone(self, now: float) -> None:
        """End the wait for a member that knows the generation when there is none in reach."""
        if self._register.learned or self._roster.members is None:
            return
        waited = now - self._roster.known_at
        tracks = self._roster.tracks.values()
        if not tracks or waited >= START_LIMIT:
            self._sender.become_learned()
        elif waited >= START_WAIT:
            # One that knows but does not believe us yet is worth waiting for; one that just
            # started, like us, knows no more than its disk.
            near = [t for t in tracks if now - t.pending_at < START_WAIT]
            near += [t for t in tracks if t.flags & Flag.LEARNED and not t.hears_us]
            if not near:
                self._sender.become_learned()

    def _tidy(self, now: float) -> None:
        self._judge.end_quarantines(now)
        for track in list(self._roster.tracks.values()):
            if not track.listed and track.state in _GONE and track.silence(now) > FORGET_AFTER:
                self._roster.remove(track, now)
                self._docket.forget(track.id)
                self._quarantine.forget(track.id)
                self._judge.events.append(MemberRemoved(member=track.name, at=now))
        self._choose_key(now)
        if not self._roster.full:
            self._roster.tune(now)
        view, jumped = self._sender.view(), now - self._ear.jumped_at < JUMP_SHOWN
        for condition in conditions(view, self._roster.contacts, jumped=jumped, now=now):
            before = self._conditions.get(condition.type)
            if condition != before if before else condition.status:
                self._judge.events.append(ConditionChanged(condition=condition, at=now))
            self._conditions[condition.type] = condition

    def _choose_key(self, now: float) -> None:
        if self._sender.choose_key():
            self._judge.events.append(KeyChanged(key_id=self._sender.key, at=now))

    def _new_track(self, member: Member, now: float) -> Track:
        return Track(
            member,
            now=now,
            mark=self._sender.sequence,
            multiplier=self._sender.settings.policy.multiplier,
        )
