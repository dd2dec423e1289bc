"""The routes of a report, one row a prefix, made piece by piece.

Ten thousand prefixes towards four routers are 50 ms of work, in which no heartbeat would be sent
or heard. So what is on the wire is copied in one go, which costs little, and the rows are made of
the copy in pieces: they tell one moment, and the loop has its turn between them.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import Advertisement, Attributes
from bgpd.model.status import RouteStatus
from bgpd.policy.lever import Stance

PIECE: Final = 250
"""Prefixes of one piece."""


class Rows:
    """One row for each prefix that is on the wire; see `go_on`."""

    def __init__(
        self,
        actual: Mapping[PeerName, Mapping[Prefix, Attributes]],
        wanted: Mapping[PeerName, Mapping[Prefix, Advertisement]],
        up: frozenset[PeerName],
        *,
        stance: Stance | None = None,
    ) -> None:
        """Remember what is offered, what is wanted, whose session is *up*, and our *stance*."""
        self._stance = stance or Stance(generation=0)
        self._actual = {name: dict(actual[name]) for name in sorted(actual)}
        self._wanted = {name: dict(wanted.get(name, {})) for name in self._actual}
        self._up = up
        self._made: list[RouteStatus] = []
        self._left: Iterator[Prefix] | None = None
        self.complete = False
        """Whether there is a row for each prefix."""

    @property
    def rows(self) -> tuple[RouteStatus, ...]:
        """What was made so far, in the order of the prefixes."""
        return tuple(self._made)

    def go_on(self, most: int = PIECE) -> None:
        """Put the prefixes in order, or make *most* more rows."""
        if self._left is None:
            self._left = iter(sorted(set().union(*self._actual.values())))
            self.complete = not any(self._actual.values())
            return
        some = list(islice(self._left, most))
        self._made.extend(map(self._row, some))
        self.complete = len(some) < most

    def _floor(self, prefix: Prefix) -> int:
        stance = self._stance
        return stance.as_is_floor if prefix in stance.as_is else stance.floor

    def _row(self, prefix: Prefix) -> RouteStatus:
        """Return the row of *prefix*; peers that hear different ranks show the best of them.

        A session that is not up carries nothing: its peer is not named, though its routes wait.
        """
        names = [name for name, routes in self._actual.items() if prefix in routes]
        ranks = [self._wanted[n][prefix].rank for n in names if prefix in self._wanted[n]]
        return RouteStatus(
            prefix=prefix,
            peers=tuple(name for name in names if name in self._up),
            rank=max(min(ranks, default=0), self._floor(prefix)),
            med=self._actual[names[0]][prefix].med,
        )
