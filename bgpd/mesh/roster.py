"""The members, and how much of each we want to hear."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from bgpd.mesh.packet import Echo, Sight
from bgpd.mesh.settings import MAX_FULL_MESH
from bgpd.mesh.track import Role, Track
from bgpd.mesh.watch import SUBSCRIBED_FOR, SUBSCRIBERS, WATCHERS, candidates
from bgpd.model.member import Member, NodeName
from bgpd.model.status import MemberState

COUNTS: Final = frozenset({MemberState.ALIVE, MemberState.SUSPECT})


class Roster:
    """Every member that is listed, or still heard."""

    def __init__(self, node: NodeName) -> None:
        self._node = node
        self.tracks: dict[NodeName, Track] = {}
        self.by_id: dict[int, Track] = {}
        self.contacts: list[Track] = []
        """Those that we exchange heartbeats with: everybody, in a mesh of up to sixteen."""
        self.members: tuple[Member, ...] | None = None
        """The list as last told; None as long as nobody told it."""
        self.known_at = math.inf
        """When the first list came."""
        self._candidates: Mapping[str, Sequence[str]] = {}
        self._lingering: dict[str, float] = {}

    @property
    def full(self) -> bool:
        """Whether everybody beats to everybody."""
        return len(self.tracks) < MAX_FULL_MESH

    def take(
        self, members: tuple[Member, ...], now: float, new_track: Callable[[Member], Track]
    ) -> None:
        """Make *members* the list; those that it lacks stay as long as they are heard."""
        if self.members is None:
            self.known_at = now
        self.members = members
        listed = {one.name: one for one in members if one.name != self._node}
        for name, member in listed.items():
            track = self.tracks.get(name)
            if track is None:
                track = self.tracks[name] = new_track(member)
                self.by_id[track.id] = track
            track.member = member
        for name, track in self.tracks.items():
            track.listed = name in listed
        self._candidates = {}
        self.tune(now)

    def remove(self, track: Track, now: float) -> None:
        """Forget *track*."""
        self.tracks.pop(track.name, None)
        self.by_id.pop(track.id, None)
        self._candidates = {}
        self.tune(now)

    def counting(self) -> list[Track]:
        """Return the members that count: alive, suspected, or in quarantine and beating.

        A suspect whose process was away before its kernel fell silent did not count then, and
        does not now: what it cannot say anything about must not hang on its word.
        """
        return [
            track
            for track in self.contacts
            if track.role is Role.PARTNER
            and not track.away
            and (track.state in COUNTS or (track.state is MemberState.QUARANTINED and track.steady))
        ]

    def hear(self, track: Track, us: Echo | None, now: float) -> None:
        """Note what *track* asks of us: heartbeats, or to be watched."""
        if us is None or self.full:
            return
        changed = False
        if us.sight & Sight.WATCHING:
            changed = track.watching_until < now
            if changed and self._subscribers(now) >= SUBSCRIBERS:
                return
            track.watching_until = now + SUBSCRIBED_FOR
        if us.sight & Sight.RECRUIT:
            changed = changed or track.recruited_until < now
            track.recruited_until = now + SUBSCRIBED_FOR
        if changed:
            self.tune(now)

    def _subscribers(self, now: float) -> int:
        return sum(1 for track in self.contacts if track.watching_until >= now)

    def tune(self, now: float) -> None:
        """Decide whom we beat to and whom we watch; called once a second, and on changes."""
        if self.full:
            for track in self.tracks.values():
                track.take_role(Role.PARTNER, charge=True, now=now)
            self.contacts = list(self.tracks.values())
            return
        if not self._candidates:
            self._candidates = candidates([self._node, *self.tracks])
        charges = self._charges(now)
        partners = charges | self._watchers(now)
        acquainted = self._fellow_watchers(charges)
        for name, track in self.tracks.items():
            if name in partners:
                track.take_role(Role.PARTNER, charge=name in charges, now=now)
            elif name in acquainted:
                track.take_role(Role.ACQUAINTANCE, charge=False, now=now)
            elif track.role is not Role.STRANGER:
                track.take_role(Role.STRANGER, charge=False, now=now)
        self.contacts = [t for t in self.tracks.values() if t.role is not Role.STRANGER]

    def _charges(self, now: float) -> set[str]:
        """Return whom we watch; a charge that the list takes from us is kept for a while."""
        mine = {
            name for name, watchers in self._candidates.items() if self._node in watchers[:WATCHERS]
        }
        mine |= {t.name for t in self.contacts if t.recruited_until >= now}
        for name in mine:
            self._lingering[name] = now + SUBSCRIBED_FOR
        self._lingering = {
            name: until
            for name, until in self._lingering.items()
            if until >= now and name in self.tracks
        }
        return set(self._lingering)

    def _watchers(self, now: float) -> set[str]:
        """Return who watches us, and whom we ask to, because too many of those are silent."""
        wanted = self._candidates.get(self._node, ())
        subscribed = {t.name for t in self.tracks.values() if t.watching_until >= now}
        asked: set[str] = set()
        missing = WATCHERS - len(subscribed)
        settled = now - self.known_at > SUBSCRIBED_FOR
        for name in wanted[WATCHERS:]:
            track = self.tracks[NodeName(name)]
            # One that we recruited stays recruited while it watches us and others are missing.
            needed = missing > 0 or (track.recruit and len(subscribed) <= WATCHERS)
            track.recruit = settled and needed
            if track.recruit:
                asked.add(name)
                missing -= name not in subscribed
        return {*wanted[:WATCHERS], *subscribed, *asked}

    def _fellow_watchers(self, charges: Iterable[str]) -> set[str]:
        """Return who else watches our charges, by the charges' own word."""
        fellows: set[str] = set()
        for name in charges:
            fellows.update(self._candidates.get(name, ())[:WATCHERS])
            for echo in self.tracks[NodeName(name)].echoes.values():
                fellow = self.by_id.get(echo.member)
                if fellow is not None and echo.sight & Sight.SUBSCRIBED:
                    fellows.add(fellow.name)
        fellows.discard(self._node)
        return fellows
