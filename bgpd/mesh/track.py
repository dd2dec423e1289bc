"""All that is known of one member, from what was heard of it."""

import math
from collections.abc import Iterable
from enum import Enum
from typing import Final

from bgpd.mesh.jitter import Jitter
from bgpd.mesh.loss import LossWindow, misses_allowed
from bgpd.mesh.offset import Offset
from bgpd.mesh.packet import Echo, Flag, Heartbeat, Sight, member_id
from bgpd.model.member import Member, NodeName
from bgpd.model.status import MemberState

MAX_INTERVAL: Final = 1000
"""Milliseconds; a member that says that it beats more slowly is not believed."""
REFUSAL_LASTS: Final = 5.0
"""Seconds for which a refusal says that the process is gone; we ask once a second."""
PING_MEMORY: Final = 120.0
"""Seconds for which an echo reply proves that this kernel answers pings at all."""
_SLOWED: Final = Sight.SILENT | Sight.SUSPECT | Sight.RESTARTING
"""Whoever says this of us does not send to us at full rate: gaps are not losses."""


class Role(Enum):
    """How much of a member we want to hear."""

    PARTNER = "partner"
    """Full rate, both ways: in a mesh of up to sixteen everybody is."""
    ACQUAINTANCE = "acquaintance"
    """Once a second: it watches somebody whom we watch, and we may need its word."""
    STRANGER = "stranger"
    """Nothing, but the raises that it sends."""


LATE: Final = 1.5
"""Intervals between two heartbeats, from which on the second one counts as late."""
ACQUAINTED_EVERY: Final = 1.0
"""Seconds between heartbeats of acquaintances."""


class Track:
    """All that we know of one member."""

    def __init__(self, member: Member, *, now: float, mark: int, multiplier: int) -> None:
        self.member = member
        self.id = member_id(member.name)
        self.state = MemberState.UNHEARD
        self.listed = True
        self.role = Role.PARTNER
        self.charge = True
        """Whether we may raise for it: in a mesh beyond sixteen, because we watch it."""
        self.watching_until = -math.inf
        """Until when it has asked to watch us."""
        self.recruited_until = -math.inf
        """Until when it has asked us to watch it."""
        self.recruit = False
        """Whether we ask it to watch us."""
        self.incarnation = 0
        self.mark = mark
        """A new incarnation must echo something that we sent after this sequence."""
        self.multiplier = multiplier
        self.pending = 0
        self.pending_sequence = 0
        self.pending_at = -math.inf
        self.generation = 0
        self.heard_at = -math.inf
        self.vital_at = -math.inf
        """Last time that it was heard and heard us or a majority."""
        self.floor = now
        """Silence is not counted from before this moment."""
        self.slept = 0.0
        """Seconds that our own loop lost since the last heartbeat: not the member's silence."""
        self.hears_us = False
        self.hears_majority = False
        self._forget_times()
        self.supported_at = -math.inf
        """When we last said, being asked, that it is silent for us, too."""
        self.steady = False
        """Whether it was beating when last looked at."""
        self.sight = 0
        """What it says about us."""
        self.whole = False
        self._forget_incarnation()
        self._begin_to_count()

    def _begin_to_count(self) -> None:
        """Set what people see and nothing is decided by."""
        self.late = 0
        """Heartbeats that came half an interval late or later."""
        self.suspicions = 0
        """How often we suspected it."""
        self.round_trip: float | None = None
        """Seconds that the last echo took, to its kernel and back."""

    def _forget_times(self) -> None:
        self.returned_at = -math.inf
        """When it was first heard after a silence: what it says of others is older than that."""
        self.refused_at = -math.inf
        self.goodbye_until = -math.inf
        self.left_since = math.inf
        self.pinged_at = -math.inf
        self.ponged_at = -math.inf
        self.sent_at = -math.inf
        self.suspected_at = math.inf

    def _forget_incarnation(self) -> None:
        self.sequence = 0
        self.recent = 0
        self.beat: Heartbeat | None = None
        self.beats = 0
        """The number of its last regular heartbeat."""
        self.echoes: dict[int, Echo] = {}
        self.interval = 0.0
        self.misses = self.multiplier
        self.loss = LossWindow()
        self.jitter = Jitter()
        self.offset = Offset()
        """How its clock stands to ours."""
        self.flags = Flag.AGENT_ALIVE
        """What it says of itself; before its first word nothing is amiss."""
        self.grace = 0.0
        """Seconds for which routers keep its routes, where they do."""
        self.key_ids: tuple[int, ...] = ()
        self._allowed_for = -1.0
        self._allowed = 0.0
        """What `allowed` said last, and for which interval; worked out once for each beat."""

    @property
    def name(self) -> NodeName:
        """The member's name."""
        return self.member.name

    @property
    def said_goodbye(self) -> bool:
        """Whether the last that we heard of it was a goodbye."""
        return self.goodbye_until > -math.inf

    @property
    def departed(self) -> bool:
        """Whether it left by its own word, and took its routes with it: no traffic is lost."""
        return self.said_goodbye and not self.keeps

    @property
    def keeps(self) -> bool:
        """Whether routers keep its routes while its process is away (RFC 4724)."""
        return bool(self.flags & Flag.KEEPS)

    def overdue(self, now: float) -> bool:
        """Return whether it is away for longer than its routes may be kept."""
        return self.keeps and now - self.left_since >= self.grace

    @property
    def away(self) -> bool:
        """Whether its process was found gone, and has not been heard since: it does not count."""
        return self.left_since < math.inf

    def welcome(self, incarnation: int) -> None:
        """Believe in a new *incarnation*: nothing of the old one is left."""
        self._forget_incarnation()
        self.incarnation = incarnation
        self.pending = 0

    def is_new(self, sequence: int) -> bool:
        """Return whether *sequence* was never heard from this incarnation, and note it."""
        ahead = sequence - self.sequence
        if ahead > 0:
            self.recent = ((self.recent << ahead) | 1) & ((1 << 64) - 1) if ahead < 64 else 1
            self.sequence = sequence
            return True
        bit = 1 << -ahead if ahead > -64 else 0
        if not bit or self.recent & bit:
            return False
        self.recent |= bit
        return True

    def hear(self, beat: Heartbeat, us: Echo | None, *, members: int, now: float) -> None:
        """Take in the newest heartbeat of one of *members*, and *us*, its echo of us."""
        self.beat = beat
        self.take_echoes(beat.echoes)
        self.interval = min(beat.interval, MAX_INTERVAL) / 1000
        self.key_ids = beat.key_ids
        self.flags = beat.flags
        self.grace = float(beat.grace)
        self.hears_us = us is not None and not us.sight & Sight.SILENT
        self.sight = 0 if us is None else us.sight
        whole = us is not None and not us.sight & _SLOWED
        self.hear_number(beat.beat, whole=whole and self.whole, members=members, now=now)
        self.whole = whole

    def take_echoes(self, echoes: Iterable[Echo]) -> None:
        """Remember what the newest heartbeat says about others."""
        self.echoes = {echo.member: echo for echo in echoes if not echo.sight & Sight.CHALLENGE}

    def hear_number(self, beat: int, *, whole: bool, members: int, now: float) -> None:
        """Take in that heartbeat number *beat* arrived; unless *whole*, a gap is not loss."""
        self.beats = max(self.beats, beat)
        gap = now - self.heard_at
        if whole and gap - self.slept > LATE * self.interval:
            self.late += 1
        if gap > self.base_allowed(self.interval):
            self.returned_at = now
        self.heard_at = max(self.heard_at, now)
        self.slept = 0.0
        self.loss.arrived(beat, whole=whole)
        self.jitter.arrived(beat, at=now, interval=self.interval)
        self.misses = misses_allowed(
            multiplier=self.multiplier,
            lost=self.loss.lost,
            of=self.loss.size,
            members=members,
        )
        self._allowed_for = -1.0
        self.refused_at = -math.inf
        self.left_since = math.inf

    def take_role(self, role: Role, *, charge: bool, now: float) -> None:
        """Hear more or less of it from now on; what was heard at another rate proves nothing.

        Suspicion starts after the first heartbeat in the new role.
        """
        self.charge = charge
        if role is self.role:
            return
        self.role = role
        self.floor = now
        self.whole = False
        if self.state is not MemberState.DEAD:
            self.state = MemberState.UNHEARD

    def silence(self, now: float) -> float:
        """Return for how many seconds it has been silent, as far as that is its own doing."""
        return now - max(self.heard_at, self.floor) - self.slept

    def allowed(self, interval: float) -> float:
        """Return how many seconds of silence are allowed, our own *interval* given."""
        if self.role is Role.ACQUAINTANCE:
            return ACQUAINTED_EVERY * self.multiplier + interval
        slowest = max(interval, self.interval)
        if slowest != self._allowed_for:
            self._allowed_for = slowest
            self._allowed = self.misses * slowest + self.jitter.patience(slowest)
        return self._allowed

    def just_returned(self, now: float, interval: float) -> bool:
        """Return whether it was heard again so lately that it may not have heard us yet."""
        return now - self.returned_at <= self.allowed(interval)

    def base_allowed(self, interval: float) -> float:
        """Return the silence that supports another member's suspicion: clean links assumed."""
        return self.multiplier * max(interval, self.interval)

    def kernel_answers(self, now: float, interval: float) -> bool:
        """Return whether its kernel gave a sign of life lately: a reply, a refusal, anything."""
        pingable = now - self.ponged_at < PING_MEMORY
        last = max(self.ponged_at, self.refused_at, self.heard_at)
        window = self.allowed(interval) if pingable else REFUSAL_LASTS
        return now - last - self.slept <= window or now - self.floor <= window

    def is_well(self, now: float, interval: float) -> bool:
        """Return whether it is heard, hears us, and nothing says that it leaves."""
        return (
            self.hears_us
            and self.refused_at <= self.heard_at
            and now >= self.goodbye_until
            and self.silence(now) <= self.allowed(interval)
        )

    def leaving(self, now: float) -> bool:
        """Return whether its process is gone or going, by its own or its kernel's word."""
        refused = self.refused_at > self.heard_at and now - self.refused_at <= REFUSAL_LASTS
        return refused or now < self.goodbye_until
