"""The generation, and who may raise it: the part of the mesh that must never be wrong twice.

The generation is a max-register. `Register` holds it and what else is known of it, `Docket`
holds the deaths that a raise already covers, `Quarantine` the members that were raised against
too often, and `objection` names the reason, if there is one, not to raise for a suspect.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from bgpd.mesh.packet import DeathRecord, Echo, Sight
from bgpd.mesh.track import Track
from bgpd.model.status import MemberState

MAX_JUMP: Final = 1000
"""A generation further ahead than this is not believed."""
MAX_RESETS: Final = 16
"""Nor are more resets by a person than this at once."""
_IN_REACH: Final = frozenset({MemberState.ALIVE, MemberState.QUARANTINED})
JOIN_WITHIN: Final = 0.020
"""Seconds after a raise within which another death needs none of its own."""
KEPT_RECORDS: Final = 64
"""Deaths that are remembered; an older one stays dead without its record."""
FRESH: Final = 1.5
"""Intervals of silence within which a member is in reach beyond doubt."""
ACCUSATIONS: Final = 3
ONE_DEATH: Final = 1.0
"""Seconds within which two raises for one member are one death that two members saw."""
STEADY: Final = 600.0
"""Seconds: three raises within it begin a quarantine, as long without change ends it."""
FIRST_GENERATION: Final = 1


class Hearing(StrEnum):
    """What became of a generation that a member told us."""

    OLD = "old"
    ADOPTED = "adopted"
    WITHHELD = "withheld"
    """Higher than ours, but whoever told us does not hear us: our paths are meant to lose."""
    JUMP = "jump"
    """Too far ahead to be true."""


class Register:
    """The generation: it only grows, unless a person resets it."""

    def __init__(self, *, generation: int, resets: int) -> None:
        self.generation = max(generation, FIRST_GENERATION)
        self.resets = resets
        self.known = self.generation
        """The highest that any member told us, adopted or not."""
        self.learned = False
        """We heard it from a member that knows it, or found nobody who could."""
        self.raised_at = float("-inf")

    def hear(self, resets: int, generation: int, *, hears_us: bool) -> Hearing:
        """Take note of what a member says; adopt it if that member hears us."""
        if (resets, generation) <= (self.resets, self.generation):
            return Hearing.OLD
        if self.learned and self._jumps(resets, generation):
            return Hearing.JUMP
        if not hears_us:
            if resets == self.resets:
                self.known = max(self.known, generation)
            return Hearing.WITHHELD
        if resets > self.resets:
            self.resets, self.known = resets, generation
        self.generation = generation
        self.known = max(self.known, generation)
        return Hearing.ADOPTED

    def _jumps(self, resets: int, generation: int) -> bool:
        if resets == self.resets:
            return generation - self.generation > MAX_JUMP
        return resets - self.resets > MAX_RESETS

    def raise_once(self, now: float) -> int:
        """Go one beyond everything known, and return that."""
        self.generation = self.known = max(self.known, self.generation) + 1
        self.raised_at = now
        return self.generation

    def reset(self, to: int) -> None:
        """Begin again at *to*, by a person's wish; members follow because resets count first."""
        self.resets += 1
        self.generation = self.known = max(to, FIRST_GENERATION)


class Docket:
    """The deaths that a raise covers: one death, one raise."""

    def __init__(self) -> None:
        self._records: dict[int, DeathRecord] = {}

    def covers(self, track: Track) -> bool:
        """Return whether the death of this incarnation was raised for."""
        record = self._records.get(track.id)
        return record is not None and record.incarnation == track.incarnation

    def add(self, record: DeathRecord, track: Track) -> bool:
        """Take over *record*; return whether it is news.

        It is not when the member was heard at that generation: it survived that raise, and
        whoever still carries the record has not heard so yet.
        """
        known = self._records.get(record.member)
        if record.generation <= track.generation or (
            known and known.generation >= record.generation
        ):
            return False
        self._records[record.member] = record
        if len(self._records) > KEPT_RECORDS:
            oldest = min(self._records.values(), key=lambda r: (r.generation, r.member))
            del self._records[oldest.member]
        return True

    def survived(self, member: int, generation: int) -> None:
        """Delete the record of *member*, which was heard at *generation* by someone."""
        record = self._records.get(member)
        if record is not None and generation >= record.generation:
            del self._records[member]

    def forget(self, member: int) -> None:
        """Delete what is known of *member*."""
        self._records.pop(member, None)

    def clear(self) -> None:
        """Delete everything: the generation was reset."""
        self._records.clear()

    def newest(self) -> tuple[DeathRecord, ...]:
        """Return the records, newest generation first, in a stable order."""
        return tuple(sorted(self._records.values(), key=lambda r: (-r.generation, r.member)))

    def __bool__(self) -> bool:
        return bool(self._records)

    def __contains__(self, member: int) -> bool:
        return member in self._records


class Quarantine:
    """The members that died and returned too often: they rank 250 and move nothing."""

    def __init__(self, *, started: float) -> None:
        self._started = started
        self._accusations: dict[int, dict[int, float]] = {}
        self._since: dict[int, float] = {}
        self._served: set[int] = set()

    def accuse(self, member: int, generation: int, now: float) -> bool:
        """Note a raise for *member*; return whether that begins its quarantine."""
        times = self._accusations.setdefault(member, {})
        if all(now - at >= ONE_DEATH for at in times.values()):
            times.setdefault(generation, now)
        for old in [g for g, at in times.items() if now - at > STEADY]:
            del times[old]
        if member in self._since:
            self._since[member] = now
            return False
        if len(times) < ACCUSATIONS:
            return False
        self._since[member] = now
        return True

    def hearsay(self, member: int, now: float) -> bool:
        """Believe another member's word on *member*, while we are too young to know better."""
        if member in self._since or member in self._served or now - self._started > STEADY:
            return False
        self._since[member] = now
        return True

    def changed(self, member: int, now: float) -> None:
        """Note that *member* went silent or came back: steadiness is counted from here."""
        if member in self._since:
            self._since[member] = now

    def ended(self, now: float) -> list[int]:
        """Return the members whose quarantine ends now, and forget their accusations."""
        over = [member for member, since in self._since.items() if now - since >= STEADY]
        for member in over:
            del self._since[member]
            self._accusations.pop(member, None)
            self._served.add(member)
        return over

    def forget(self, member: int) -> None:
        """Delete what is known of *member*."""
        self._since.pop(member, None)
        self._accusations.pop(member, None)

    def __bool__(self) -> bool:
        return bool(self._since)

    def __contains__(self, member: int) -> bool:
        return member in self._since


def supports(suspect: Track, witness: Track, interval: float) -> bool:
    """Return whether the last heartbeat of *witness* agrees that *suspect* is dead.

    It agrees by its own suspicion, or because it has not heard the suspect for as long as
    a clean link allows: two pairs with unlike losses would otherwise wait for the worse one.
    """
    echo: Echo | None = witness.echoes.get(suspect.id)
    if echo is None or echo.incarnation not in {0, suspect.incarnation}:
        return False
    if echo.sight & Sight.RESTARTING:
        return False
    if echo.sight & Sight.SUSPECT:
        return True
    if echo.sight & Sight.QUARANTINED:
        return False
    return bool(echo.incarnation) and echo.age >= suspect.base_allowed(interval) * 1000


def fresh(track: Track, now: float, interval: float) -> bool:
    """Return whether *track* was in reach a moment ago: heard, and not a heartbeat overdue.

    When a partition cuts off several members, the first is suspected some milliseconds before
    the others, which are already silent: whoever merely is not suspected yet is no quorum.
    """
    return track.silence(now) <= FRESH * max(interval, track.interval)


def objection(
    suspect: Track,
    *,
    counting: Iterable[Track],
    witnesses: Iterable[Track],
    now: float,
    interval: float,
) -> str:
    """Return why nobody is raised for *suspect* now, or an empty string.

    *counting* are the members that count, alive or suspected; a suspect that was away before
    does not, but is one more that a witness may know about. The word of one of *witnesses*
    counts only if it hears us, so that a node that nobody hears never raises.
    """
    everybody = list(counting)
    reachable = 1 + sum(1 for track in everybody if _in_reach(track, now, interval))
    counted = 1 + len(everybody)
    if 2 * reachable < counted:
        return f"only {reachable} of {counted} members are in reach"
    if counted + (suspect not in everybody) > 2 and not any(
        one.hears_us and _in_reach(one, now, interval) and supports(suspect, one, interval)
        for one in witnesses
    ):
        return "no second member agrees"
    return ""


def _in_reach(track: Track, now: float, interval: float) -> bool:
    return track.state in _IN_REACH and fresh(track, now, interval)
