"""What each peer is to hear and what ExaBGP was told, prefix by prefix: for whoever compares.

As with `bgpd.speaker.rows`, everything is copied in one go and put together in pieces, because
ten thousand prefixes at once would keep heartbeats waiting.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.route import Advertisement, Attributes
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.rows import PIECE

T = TypeVar("T")
_Key = tuple[PeerName, Prefix]
MOST: Final = 2_000
"""Rows of one answer: more would take longer to encode than a heartbeat may wait."""


class Offered:
    """One row for each peer and prefix that is wanted or on the wire; see `go_on`."""

    def __init__(
        self,
        reflex: Reflex,
        arguments: Mapping[str, str],
        *,
        up: frozenset[PeerName],
        withheld: tuple[Withheld, ...],
    ) -> None:
        """Remember what *arguments* ask for: a `peer`, a `prefix`, or all where they name none.

        An answer has `MOST` rows; whoever wants the next ones says `after` which, `PEER PREFIX`.
        """
        self._asked = arguments.get("peer", ""), arguments.get("prefix", "")
        self._after = arguments.get("after", "").partition(" ")[::2]
        desired, rib = reflex.desired, reflex.offer.rib
        wanted = {} if desired is None else desired.advertisements
        self._node = reflex.node
        self._settled = reflex.offer.settled
        self._up = tuple(sorted(up))
        self._wanted: Mapping[PeerName, Mapping[Prefix, Advertisement]] = self._part(wanted)
        self._told: Mapping[PeerName, Mapping[Prefix, Attributes]] = self._part(rib.actual)
        self._refused = self._part(rib.refused)
        self._withheld = withheld
        self._why: dict[tuple[PeerName | None, Prefix | None], Withheld] = {}
        self._made: list[PeerRoute] = []
        self._peers = iter(sorted({*self._wanted, *self._told}))
        self._keys: list[_Key] = []
        self._left: Iterator[_Key] | None = None
        self._more = False
        self.complete = False
        """Whether there is a row for everything."""

    @property
    def found(self) -> SpeakerRoutes:
        """What was made so far."""
        return SpeakerRoutes(
            node=self._node,
            routes=tuple(self._made),
            established=self._up,
            settled=self._settled,
            more=self._more,
        )

    def go_on(self, most: int = PIECE) -> None:
        """Put one peer's rows in order, or make *most* more of them."""
        if self._left is None:
            self._plan()
            return
        some = list(islice(self._left, most))
        self._made.extend(map(self._row, some))
        self.complete = len(some) < most

    def _plan(self) -> None:
        """Take the next peer's prefixes into the page; with none left, or no room, end it."""
        name = next(self._peers, None)
        if name is None or len(self._keys) > MOST:
            self._why = {(one.peer, one.prefix): one for one in self._withheld}
            self._more = len(self._keys) > MOST
            self._left = iter(self._keys[:MOST])
            self.complete = not self._keys
            return
        peer, last = self._after
        if name >= peer:
            prefixes = self._wanted.get(name, {}).keys() | self._told.get(name, {}).keys()
            left = sorted(one for one in prefixes if name > peer or one > last)
            self._keys += [(name, one) for one in left]

    def _part(
        self, whole: Mapping[PeerName, Mapping[Prefix, T]]
    ) -> dict[PeerName, dict[Prefix, T]]:
        """Return a copy of what was asked for of *whole*."""
        peer, prefix = self._asked
        if prefix:
            wanted = Prefix(prefix)
            return {
                name: {wanted: routes[wanted]}
                for name, routes in whole.items()
                if peer in {"", name} and wanted in routes
            }
        return {name: dict(routes) for name, routes in whole.items() if peer in {"", name}}

    def _row(self, key: _Key) -> PeerRoute:
        name, prefix = key
        told = self._told.get(name, {}).get(prefix)
        return PeerRoute(
            peer=name,
            prefix=prefix,
            wanted=self._wanted.get(name, {}).get(prefix),
            told=told,
            refused=prefix in self._refused.get(name, {}),
            withheld=self._why.get((name, prefix)) or self._why.get((None, prefix)),
        )
