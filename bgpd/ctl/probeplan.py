"""What `bgpctl probe` tries, when traffic counts as moved, and what follows from it. No I/O.

A lever works when the traffic follows it both ways: to one node while that one is better, and to
the other while the other is. The beginning of each is both nodes at the worse value, where a router
may spread flows or send all to one of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from bgpd.model.errors import BgpdError
from bgpd.model.peer import Lever
from bgpd.model.prefix import Address
from bgpd.model.route import GRACEFUL_SHUTDOWN

QUIET_SECONDS: Final = 0.4
"""So long nothing may come to the wrong node before traffic counts as moved."""

LEAST: Final = 20
"""So many datagrams must come to the right node meanwhile."""
_RECENT_SECONDS: Final = 0.3
"""Whoever got a datagram so shortly before a change got the traffic, or a part of it."""


SHORTEST_MILLISECONDS: Final = 5.0
"""What is shorter cannot be told: datagrams leave every 4 ms."""


class ProbeError(BgpdError):
    """The probe could not be done; nothing is left of it."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came to one node by one way."""

    count: int = 0
    last: float | None = None
    """When, by the clock of whoever reads this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that may move a router."""

    name: str
    """As people and the status call it."""
    lever: Lever = Lever.NONE
    worse: str = ""
    """Communities that say "less wanted", with blanks between them."""
    better: str = ""

    @property
    def community(self) -> bool:
        """Whether it is about a community: no lever of ours, but worth knowing."""
        return self.lever is Lever.NONE

    def arguments(self, *, better: bool) -> dict[str, str]:
        """Return what the speaker is asked for."""
        said = {"lever": self.lever.value, "communities": self.better if better else self.worse}
        return said | ({"better": "true"} if better else {})


PLAIN: Final = Question(name="none")
"""No attribute at all."""


def questions(*, internal: bool, communities: Iterable[str]) -> tuple[Question, ...]:
    """Return what to try, the best lever first; *communities* are `WORSE` or `BETTER=WORSE`."""
    levers = (Lever.LOCAL_PREF,) if internal else ()
    found = [
        Question(name=lever.value, lever=lever)
        for lever in (*levers, Lever.MED, Lever.AS_PATH, Lever.ORIGIN)
    ]
    for text in (GRACEFUL_SHUTDOWN, *communities):
        better, equals, worse = text.partition("=")
        found.append(
            Question(name=text, worse=worse if equals else text, better=better if equals else "")
        )
    return tuple(found)


class Follow:
    """Whether the traffic of one way has moved to one node, seen again and again."""

    def __init__(self, began: float, right: Tally, wrong: Tally) -> None:
        """Begin at *began*, when this is what both nodes have seen."""
        self._began = began
        self._was_wrong = wrong.last is not None and began - wrong.last < _RECENT_SECONDS
        self._quiet_since = began
        self._right = right.count
        self._wrong = wrong.count
        self._right_at_quiet = right.count
        self.settled = False

    def look(self, now: float, right: Tally, wrong: Tally) -> None:
        """Take in what both have seen by *now*."""
        if self.settled:
            return
        if wrong.count != self._wrong:
            self._wrong = wrong.count
            self._quiet_since = max(self._quiet_since, wrong.last or now)
            self._right_at_quiet = right.count
        enough = right.count - self._right_at_quiet >= LEAST
        self.settled = enough and now - self._quiet_since >= QUIET_SECONDS

    @property
    def moved_milliseconds(self) -> float | None:
        """How long after the change the last datagram came to the wrong node.

        None: not settled, or nothing went there before the change.
        """
        moved = self._was_wrong or self._quiet_since > self._began
        if not self.settled or not moved:
            return None
        return round((self._quiet_since - self._began) * 1000, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one question found out about one router."""

    question: str
    moves: bool
    community: bool = False
    milliseconds: tuple[float, ...] = ()
    """For each move that was seen, how long it took."""
    refused: bool = False
    """Whether nothing arrived at all: the router takes no route with such attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFinding:
    """What was found out about one router, or several that one way leads to."""

    peers: tuple[str, ...]
    router_ids: tuple[Address, ...]
    configured: tuple[str, ...]
    """The levers of *peers*."""
    findings: tuple[Finding, ...] = ()

    @property
    def moves(self) -> dict[str, bool]:
        """As the speaker keeps it."""
        return {finding.question: finding.moves for finding in self.findings}

    @property
    def recommended(self) -> str | None:
        """The first lever that works; None where none does."""
        usable = (one.question for one in self.findings if one.moves and not one.community)
        return next(usable, None)

    @property
    def works(self) -> bool:
        """Whether the configured lever does what it is for."""
        return bool(self.configured) and all(self.moves.get(name) for name in self.configured)


def shown(milliseconds: float) -> str:
    """Return *milliseconds* for people, no finer than they are known."""
    return "<5" if milliseconds < SHORTEST_MILLISECONDS else f"{milliseconds:.0f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole probe."""

    address: Address
    nodes: tuple[str, str]
    routers: tuple[RouterFinding, ...] = ()
    withdrawn_milliseconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: what is configured works; 1: it does not."""
        return 0 if all(router.works for router in self.routers) else 1


def sentences(outcome: Outcome) -> Sequence[str]:
    """Return what a person should do, one sentence for each router."""
    return [_sentence(router) for router in outcome.routers]


def _sentence(router: RouterFinding) -> str:
    names, configured = ", ".join(router.peers), ", ".join(router.configured)
    if router.works:
        return f"{names}: lever {configured}, which is configured, moves the traffic"
    if router.recommended is None:
        communities = [one.question for one in router.findings if one.moves]
        only = f"; only community {communities[0]} does" if communities else ""
        return (
            f"{names}: no lever moves the traffic{only}: a dead node is left when its hold time,"
            " or BFD, says so"
        )
    return (
        f"{names}: lever {configured}, which is configured, does not move the traffic;"
        f" {router.recommended} does: set spec.takeover.lever: {router.recommended}"
    )
