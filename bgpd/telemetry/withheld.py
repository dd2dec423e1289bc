"""What the log says of routes that are not advertised: a line for each Reason, never one for each.

A line says how many routes a Reason withholds now, how many were added and ended since the last
one, and names the first of those that were added. Nothing is decided here; *now* is an argument.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.model.reason import MISTAKES, Reason, Withheld

PAUSE_SECONDS: Final = 2.0
"""How long after the line of a Reason its next one comes at the earliest; twice as long each time
that it changes again, so that what never rests is a line a minute."""
MOST_SECONDS: Final = 64.0
QUIET: Final = 4
"""After so many pauses without a change the next line is at once, and the pause short again."""
LONG_SECONDS: Final = 3_600.0
"""The same for what is not ours to advertise: Services of other kinds come and go all day."""
SETTLE_SECONDS: Final = 1.0
"""What withholds routes for less is how a process starts, and no news."""
LOOK_SECONDS: Final = 1.0
"""How long after a look the next one comes; longer with thousands that are withheld."""
NOT_OURS: Final = frozenset({Reason.NOT_LOAD_BALANCER, Reason.OTHER_LOAD_BALANCER_CLASS})
_PER_SECOND: Final = 1_000
"""Withheld routes that may be looked at in a second."""

_Key: TypeAlias = tuple[str, str, str]
Keys: TypeAlias = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the log."""

    level: str
    event: str
    keys: Keys


class WithheldLog:
    """What the log was told of routes that are withheld."""

    def __init__(self, *, without: frozenset[Reason] = frozenset(), settle: float = 0.0) -> None:
        """Leave out the Reasons in *without*: somebody else tells of them, one by one.

        What comes and goes within *settle* seconds, as at every start, is no news.
        """
        self._without = without
        self._settle = settle
        self._since: dict[Reason, float] = {}
        """Since when a Reason is not as it was told."""
        self._seen: tuple[Withheld, ...] = ()
        self._told: dict[Reason, frozenset[_Key]] = {}
        self._pauses: dict[Reason, tuple[float, float]] = {}
        """When a Reason had its last line, and how long the pause after it is."""
        self._next = 0.0
        self._behind = False
        """Whether something changed that no line says yet."""

    def look(self, withheld: tuple[Withheld, ...], now: float) -> tuple[Line, ...]:
        """Return the lines to write now that *withheld* is all that is withheld."""
        if now < self._next or (withheld is self._seen and not self._behind):
            return ()
        self._next = now + max(LOOK_SECONDS, len(withheld) / _PER_SECOND)
        self._seen = withheld
        by_reason: dict[Reason, dict[_Key, Withheld]] = {}
        for one in withheld:
            if one.reason not in self._without:
                key = (one.service, one.prefix or "", one.peer or "")
                by_reason.setdefault(one.reason, {})[key] = one
        return tuple(self._lines(by_reason, now))

    def _lines(
        self, by_reason: Mapping[Reason, Mapping[_Key, Withheld]], now: float
    ) -> Iterator[Line]:
        self._behind = False
        for reason in Reason:
            found, told = by_reason.get(reason, {}), self._told.get(reason, frozenset())
            if found.keys() == told:
                self._since.pop(reason, None)
                continue
            settled = now >= self._since.setdefault(reason, now) + self._settle
            if not settled or not self._has_rested(reason, now):
                self._behind = True
                continue
            del self._since[reason]
            added = sorted(found.keys() - told)
            ended = len(told - found.keys())
            self._told[reason] = frozenset(found)
            yield _line(reason, len(found), len(added), ended, found[added[0]] if added else None)

    def _has_rested(self, reason: Reason, now: float) -> bool:
        """Return whether *reason* may have a line *now*; then it counts as written."""
        last, pause = self._pauses.get(reason, (None, 0.0))
        if last is not None and now < last + pause:
            return False
        if reason in NOT_OURS:
            pause = LONG_SECONDS
        elif last is None or now >= last + QUIET * pause:
            pause = PAUSE_SECONDS
        else:
            pause = min(MOST_SECONDS, 2 * pause)
        self._pauses[reason] = now, pause
        return True


def _line(reason: Reason, count: int, added: int, ended: int, first: Withheld | None) -> Line:
    counts = (("reason", reason.value), ("routes", count), ("added", added), ("ended", ended))
    if first is None:
        return Line("info", "routes_released", counts)
    level = "warning" if reason in MISTAKES else "info"
    named = (("first", first.service or first.prefix), ("peer", first.peer))
    return Line(level, "routes_withheld", (*counts, *named, ("message", first.message)))
