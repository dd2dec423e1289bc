"""Which routes of a node that is drained stay, and as what: decided prefix by prefix.

Theory of operation. A drain has causes: a person's request, the agent's word on the node, the end
of the process. While there is one, each prefix has a *fate*, and `next_fate` is the only way from
one to the next. A prefix that another live member carries, which is not drained itself, is first
demoted, so that routers move its traffic (RFC 8326), and withdrawn when they had their time. One
that nobody else carries stays, less wanted than any other path that may appear; and a withdrawn
one returns the moment the last other carrier dies or is drained, too.

So two nodes that are drained at one moment never both withdraw what only they carry: each hears of
the other's drain before its own routes are due to go (`least_wait`), and neither counts the other.
"""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bgpd.model.member import DrainTrigger, MeshPolicy, SpeakerPolicy
from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase

MOVE_SECONDS: Final = 1.0
"""How long routers get to move traffic, where the drain's time is for connections to end."""
ASK_SECONDS: Final = 2.0
"""How long the agent may take to say which prefixes have open connections."""


class Fate(Enum):
    """What becomes of one prefix while the node is drained."""

    AS_IS = "as is"
    """Connections are open: nothing about it changes yet."""
    DEMOTED = "demoted"
    """Another node carries it, too: routers move its traffic there."""
    ALONE = "alone"
    """Nobody else carries it: it stays, ranked behind whoever may come."""
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Kept:
    """The fate of a prefix, and since when."""

    fate: Fate
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all prefixes of a drain go by at one moment."""

    forced: bool = False
    """Whether what nobody else carries goes, too."""
    busy: AbstractSet[Prefix] | None = frozenset()
    """Prefixes with open connections; None: perhaps all, nobody has said yet."""
    busy_until: float = -math.inf
    """When open connections stop counting."""
    wait: float = 0.0
    """Seconds between a prefix's demotion and its withdrawal."""


def next_fate(
    before: Kept | None, *, prefix: Prefix, carried: bool, on_wire: bool, terms: Terms, now: float
) -> Kept:
    """Return the fate of *prefix* at *now*.

    *carried* says that another live, undrained member carries it; *on_wire* that routers have it.
    """
    untouched = before is None or before.fate is Fate.AS_IS
    if untouched and now < terms.busy_until and (terms.busy is None or prefix in terms.busy):
        return before or Kept(Fate.AS_IS, now)
    if not carried and not terms.forced:
        return before if before and before.fate is Fate.ALONE else Kept(Fate.ALONE, now)
    if before is None and not on_wire:
        # It was never there, or went before we restarted: nobody needs to be led away.
        return Kept(Fate.WITHDRAWN, now)
    if before is None or before.fate in {Fate.AS_IS, Fate.ALONE}:
        return Kept(Fate.DEMOTED, now)
    if before.fate is Fate.DEMOTED and now >= before.since + terms.wait:
        return Kept(Fate.WITHDRAWN, now)
    return before


def least_wait(mesh: MeshPolicy) -> float:
    """Return after how long every member that lives, as far as we know, has heard of a drain.

    A member whose heartbeats are lost for longer is suspected, and then counts for nobody.
    """
    return (2 * mesh.multiplier + 2) * mesh.interval_milliseconds / 1000


def waits(policy: SpeakerPolicy, *, ends: bool) -> tuple[float, float]:
    """Return how long connections are waited for, and then routers, in seconds.

    A process that *ends* cannot stay for others; one that stays makes sure that they know.
    """
    whole = policy.drain_milliseconds / 1000
    patient = policy.drain is DrainTrigger.WAIT_FOR_CONNECTIONS
    wait = min(whole, MOVE_SECONDS) if patient else whole
    return whole, wait if ends else max(wait, least_wait(policy.mesh))


class Drain:
    """The fates of all prefixes for as long as the node is drained."""

    def __init__(self) -> None:
        self.since: float | None = None
        """When the drain began; None while there is none."""
        self.deadline: float | None = None
        """When time alone changes a fate."""
        self._fates: dict[Prefix, Kept] = {}
        self._sets: dict[Fate, frozenset[Prefix]] = {}

    @property
    def active(self) -> bool:
        """Whether the node is drained, or on its way there."""
        return self.since is not None

    def begin(self, now: float) -> None:
        """Drain from now on; a second call changes nothing."""
        if self.since is None:
            self.since = now

    def end(self) -> None:
        """Let every route be what it was."""
        self.since = self.deadline = None
        self._fates, self._sets = {}, {}

    def of(self, fate: Fate) -> frozenset[Prefix]:
        """Return the prefixes whose fate is *fate*."""
        return self._sets.get(fate, frozenset())

    @property
    def phase(self) -> DrainPhase:
        """How far it is, as people see it."""
        if not self.active:
            return DrainPhase.NOT_DRAINING
        if self.of(Fate.AS_IS) or self.of(Fate.ALONE):
            return DrainPhase.WAITING
        return DrainPhase.DEMOTED if self.of(Fate.DEMOTED) else DrainPhase.DRAINED

    def due(self, now: float) -> bool:
        """Return whether `review` would find a fate that time has changed."""
        return self.deadline is not None and now >= self.deadline

    def review(
        self,
        carried: Mapping[Prefix, bool],
        *,
        on_wire: AbstractSet[Prefix],
        terms: Terms,
        now: float,
    ) -> None:
        """Give each prefix of *carried*, which says what others carry, its fate."""
        self._fates = {
            prefix: next_fate(
                self._fates.get(prefix),
                prefix=prefix,
                carried=also,
                on_wire=prefix in on_wire,
                terms=terms,
                now=now,
            )
            for prefix, also in carried.items()
        }
        # Sets that say the same stay the same objects: they are compared often.
        sets = {fate: frozenset(self._with(fate)) for fate in Fate}
        self._sets = {fate: now_in if now_in != self.of(fate) else self.of(fate)
                      for fate, now_in in sets.items()}  # fmt: skip
        self.deadline = min(self._deadlines(terms), default=None)

    def _with(self, fate: Fate) -> Iterable[Prefix]:
        return (prefix for prefix, kept in self._fates.items() if kept.fate is fate)

    def _deadlines(self, terms: Terms) -> Iterable[float]:
        if self.of(Fate.AS_IS):
            yield terms.busy_until
        for kept in self._fates.values():
            if kept.fate is Fate.DEMOTED:
                yield kept.since + terms.wait
