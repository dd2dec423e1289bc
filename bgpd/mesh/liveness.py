"""Whether one member is alive: what we heard of it, and what follows from that.

A member is alive when it is heard *and* hears: it echoes us, or a majority. A `Track` holds
what was heard of one member; `read_sign` turns that into one `Sign`, and the table below is
the only way from state to state.

Silence is measured from the kernel's receive time of the last heartbeat. How long it may last
follows the loss measured on the pair: on a clean one it is the policy's multiplier, on a lossy
one enough that random loss alone makes one silence in a million heartbeats.
"""

import math
from collections.abc import Mapping
from enum import Enum
from typing import Final

from bgpd.mesh.packet import Echo, Heartbeat, Sight, member_id
from bgpd.model.member import Member, NodeName
from bgpd.model.status import MemberState

LOSS_WINDOW: Final = 256
"""Heartbeats over which the loss of a pair is measured."""
OUTAGE: Final = 20
"""A gap of more heartbeats than this is an outage, not loss."""
RARE: Final = 1e-6
"""How likely random loss alone may look like a silence."""
LATE_SHARE: Final = 0.25
"""Part of an interval by which the last heartbeat may be late: scheduling, not death."""
REFUSAL_LASTS: Final = 5.0
"""Seconds for which a refusal says that the process is gone; we ask once a second."""
GRACE_LIMIT: Final = 60.0
"""Seconds: the longest a goodbye or a refusal is believed; after that the member has left."""
PING_MEMORY: Final = 120.0
"""Seconds for which an echo reply proves that this kernel answers pings at all."""
WOKE: Final = 3
"""Intervals: a loop that is later than this slept, and knows nothing of the others."""

_CHALLENGE: Final = int(Sight.CHALLENGE)
_SLOWED: Final = int(Sight.SILENT | Sight.SUSPECT | Sight.RESTARTING)
"""Whoever says this of us does not send to us at full rate: gaps are not losses."""


class Sign(Enum):
    """What the evidence about a member says now."""

    BEATING = "beating"
    """Heard, and it hears."""
    FLAPPING = "flapping"
    """As beating, but it was raised against too often."""
    QUIET = "quiet"
    """Nothing new, and not for long."""
    SILENT = "silent"
    """Not heard for too long."""
    DEAF = "deaf"
    """Heard, but it hears neither us nor a majority."""
    LEAVING = "leaving"
    """It said goodbye or its port refuses, and its kernel answers."""
    RAISED = "raised"
    """Silent or deaf, and a raise covers it."""
    LEFT = "left"
    """Gone for good by its own word: nothing of it can still be on a router."""


_S = MemberState
NEXT_STATE: Final[Mapping[MemberState, Mapping[Sign, MemberState]]] = {
    _S.UNHEARD: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.UNHEARD,
        Sign.SILENT: _S.UNHEARD,
        Sign.DEAF: _S.UNHEARD,
        Sign.LEAVING: _S.UNHEARD,
        Sign.RAISED: _S.UNHEARD,
        Sign.LEFT: _S.UNHEARD,
    },
    _S.ALIVE: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.ALIVE,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.SUSPECT: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.ALIVE,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.RESTARTING: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.RESTARTING,
        Sign.SILENT: _S.SUSPECT,
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.RESTARTING,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.DEAD: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.DEAD,
        Sign.SILENT: _S.DEAD,
        # It was heard at the generation of its raise, and so is not covered any longer.
        Sign.DEAF: _S.SUSPECT,
        Sign.LEAVING: _S.DEAD,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
    _S.QUARANTINED: {
        Sign.BEATING: _S.ALIVE,
        Sign.FLAPPING: _S.QUARANTINED,
        Sign.QUIET: _S.QUARANTINED,
        Sign.SILENT: _S.QUARANTINED,
        Sign.DEAF: _S.QUARANTINED,
        Sign.LEAVING: _S.QUARANTINED,
        Sign.RAISED: _S.DEAD,
        Sign.LEFT: _S.DEAD,
    },
}


def misses_allowed(*, multiplier: int, lost: int, of: int) -> int:
    """Return how many heartbeats of a pair may be missing, given its measured loss.

    Bounded by twice the multiplier plus one: at 50 ms x 3 that is 7, so that detection stays
    under 400 ms however lossy the network is.
    """
    if lost < 2:
        return multiplier
    rate = lost / max(of, LOSS_WINDOW // 4)
    if rate >= 1:
        return 2 * multiplier + 1
    needed = math.ceil(math.log(RARE) / math.log(rate))
    return max(multiplier, min(needed, 2 * multiplier + 1))


class LossWindow:
    """Which of the last 256 heartbeats of one member arrived."""

    __slots__ = ("_highest", "_size", "_window")

    def __init__(self) -> None:
        self._highest: int | None = None
        self._window = 0
        self._size = 0

    def arrived(self, beat: int, *, whole: bool) -> None:
        """Count *beat*; unless *whole*, the gap before it says nothing about loss."""
        if self._highest is None:
            self._highest, self._window, self._size = beat, 1, 1
            return
        gap = (beat - self._highest) & 0xFFFFFFFF
        if gap >= 1 << 31:
            behind = (self._highest - beat) & 0xFFFFFFFF
            if behind < self._size:
                self._window |= 1 << behind
            return
        self._highest = beat
        if gap == 0:
            return
        if not whole or gap > OUTAGE:
            gap = 1
        self._window = ((self._window << gap) | 1) & ((1 << LOSS_WINDOW) - 1)
        self._size = min(self._size + gap, LOSS_WINDOW)

    @property
    def size(self) -> int:
        """How many heartbeats the window knows of."""
        return self._size

    @property
    def lost(self) -> int:
        """How many of them did not arrive."""
        return self._size - self._window.bit_count()


class Track:
    """All that we know of one member."""

    __slots__ = (
        "beat",
        "confirmed_at",
        "echoes",
        "flags",
        "floor",
        "generation",
        "goodbye_until",
        "heard_at",
        "hears_majority",
        "hears_us",
        "id",
        "incarnation",
        "interval",
        "key_ids",
        "left_since",
        "listed",
        "loss",
        "mark",
        "member",
        "misses",
        "multiplier",
        "pending",
        "pending_at",
        "pending_sequence",
        "pinged_at",
        "ponged_at",
        "recent",
        "refused_at",
        "sent_at",
        "sequence",
        "sight",
        "slept",
        "state",
        "suspected_at",
        "vital_at",
        "whole",
    )  # fmt: skip

    def __init__(self, member: Member, *, now: float, mark: int, multiplier: int) -> None:
        self.member = member
        self.id = member_id(member.name)
        self.state = MemberState.UNHEARD
        self.listed = True
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
        self.refused_at = -math.inf
        self.goodbye_until = -math.inf
        self.left_since = math.inf
        self.pinged_at = -math.inf
        self.ponged_at = -math.inf
        self.sent_at = -math.inf
        self.suspected_at = math.inf
        self.confirmed_at = math.inf
        """Since when nothing but a delay stands between the suspicion and a raise."""
        self.sight = 0
        """What it says about us."""
        self.whole = False
        self._forget_incarnation()

    def _forget_incarnation(self) -> None:
        self.sequence = 0
        self.recent = 0
        self.beat: Heartbeat | None = None
        self.echoes: dict[int, Echo] = {}
        self.interval = 0.0
        self.misses = self.multiplier
        self.loss = LossWindow()
        self.flags = 0
        self.key_ids: tuple[int, ...] = ()

    @property
    def name(self) -> NodeName:
        """The member's name."""
        return self.member.name

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

    def hear(self, beat: Heartbeat, us: Echo | None, now: float) -> None:
        """Take in the newest heartbeat; *us* is its echo of us, of our present incarnation."""
        self.beat = beat
        self.echoes = {
            echo.member: echo for echo in beat.echoes if not echo.sight & Sight.CHALLENGE
        }
        self.generation = max(self.generation, beat.generation)
        self.heard_at = max(self.heard_at, now)
        self.slept = 0.0
        self.interval = beat.interval / 1000
        self.key_ids = beat.key_ids
        self.flags = beat.flags
        self.hears_us = us is not None and not us.sight & Sight.SILENT
        self.sight = 0 if us is None else us.sight
        whole = us is not None and not us.sight & _SLOWED
        self.loss.arrived(beat.beat, whole=whole and self.whole)
        self.whole = whole
        self.misses = misses_allowed(
            multiplier=self.multiplier, lost=self.loss.lost, of=self.loss.size
        )
        self.refused_at = -math.inf
        self.left_since = math.inf

    def silence(self, now: float) -> float:
        """Return for how many seconds it has been silent, as far as that is its own doing."""
        return now - max(self.heard_at, self.floor) - self.slept

    def allowed(self, interval: float) -> float:
        """Return how many seconds of silence are allowed, our own *interval* given."""
        return (self.misses + LATE_SHARE) * max(interval, self.interval)

    def base_allowed(self, interval: float) -> float:
        """Return the silence that supports another member's suspicion: clean links assumed."""
        return self.multiplier * max(interval, self.interval)

    def kernel_answers(self, now: float, interval: float) -> bool:
        """Return whether its kernel gave a sign of life lately: a reply, a refusal, anything."""
        pingable = now - self.ponged_at < PING_MEMORY
        last = max(self.ponged_at, self.refused_at, self.heard_at)
        window = self.allowed(interval) if pingable else REFUSAL_LASTS
        return now - last - self.slept <= window or now - self.floor <= window

    def leaving(self, now: float) -> bool:
        """Return whether its process is gone or going, by its own or its kernel's word."""
        refused = self.refused_at > self.heard_at and now - self.refused_at <= REFUSAL_LASTS
        return refused or now < self.goodbye_until

    def read_sign(self, now: float, interval: float, *, covered: bool, flapping: bool) -> Sign:
        """Return what the evidence says at *now*."""
        silent = self.silence(now) > self.allowed(interval)
        deaf = not (self.hears_us or self.hears_majority)
        if not silent and not deaf and not self.leaving(now):
            return Sign.FLAPPING if flapping else Sign.BEATING
        if self.leaving(now) and self.kernel_answers(now, interval):
            return Sign.LEFT if now - self.left_since > GRACE_LIMIT else Sign.LEAVING
        if covered and (silent or deaf):
            return Sign.RAISED
        if silent:
            return Sign.SILENT
        return Sign.DEAF if deaf else Sign.QUIET
