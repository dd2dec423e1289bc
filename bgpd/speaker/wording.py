"""What is said with the routes to each peer, and whether all of them still say it.

A route goes with a generation, a least rank and what a drain makes of it, in the lever of its
peer. All of that follows from the mesh, the drain and time, whatever the routes are: so it can
change for all of them at once, and a new route can go with what the others were said with last.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from bgpd.model.peer import Peer, PeerName
from bgpd.model.status import Condition, MemberState, MemberStatus
from bgpd.policy.lever import Stance
from bgpd.speaker import stance
from bgpd.speaker.adoption import Adoption
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.levers import Headroom, Levers
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.rib import Rib
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides how routes look, at one moment."""

    base: Stance
    """What is said with every route."""
    present: dict[PeerName, frozenset[str]]
    """Which nodes that come before us each peer hears."""
    unheard: bool
    """Whether a member is not heard."""


class Wording:
    """Knows what to say with routes, and what was said last."""

    def __init__(
        self,
        *,
        situation: Situation,
        sessions: Sessions,
        rib: Rib,
        adoption: Adoption,
        outbox: Outbox,
    ) -> None:
        self.stances = stance.Stances()
        self.patience: Callable[[Peer, float], float | None] = lambda _peer, _now: None
        """How long a peer gets to notice a dead node itself, by BFD, before it hears a raise."""
        self._levers = Levers()
        self._headroom = Headroom()
        self._situation = situation
        self._sessions = sessions
        self._rib = rib
        self._adoption = adoption
        self._outbox = outbox
        self._said: Facts | None = None
        """What all routes were said with last."""

    @property
    def stance(self) -> Stance | None:
        """What was said last with every route, to whomever it was not said otherwise."""
        return None if self._said is None else self._said.base

    # Stances

    def facts(self, desired: DesiredState, now: float) -> Facts:
        """Look at what decides how routes look now."""
        self._situation.review_drain(desired, self._rib.actual, now)
        # One look for all: it costs more than what follows from it.
        members = self._situation.mesh_status(now).members
        return Facts(
            base=self._situation.base_stance(members, now),
            present=self._rivals_present(desired, members),
            unheard=self._situation.mourns
            or any(member.state is not MemberState.ALIVE for member in members),
        )

    def said_last(self, desired: DesiredState) -> Facts | None:
        """Return what routes went with last, for new ones to go with; None: look at it again.

        Whatever changes it has them all said anew at once, or within a tick what time changes. But
        a look at it takes as long as all else that an endpoint needs on its way to the wire.
        """
        plain = not (desired.rivals or self._situation.drain.active)
        return self._said if plain else None

    def is_old(self, facts: Facts, now: float) -> bool:
        """Return whether some route on the wire says something else than it should now."""
        return (
            self._said is None
            or (facts.base, facts.present) != (self._said.base, self._said.present)
            or self.stances.catch_up_due(now, unheard=facts.unheard)
        )

    def anew(self, desired: DesiredState, now: float) -> dict[PeerName, Stance]:
        """Return the stance of each peer that ExaBGP has, for all routes to be said with."""
        self._release_levers(desired)
        lagged = self.stances.lagging
        self._said = facts = self.facts(desired, now)
        stances = self.under(facts, desired, desired.peers, now)
        for address in sorted(self.stances.lagging - lagged):
            peer = desired.peer_names([address])[0]
            self._outbox.note("warning", "damping_budget_spent", peer=peer)
        return stances

    def under(
        self, facts: Facts, desired: DesiredState, names: Iterable[PeerName], now: float
    ) -> dict[PeerName, Stance]:
        """Return the stance of each peer of *names* that ExaBGP has."""
        found = {}
        for name in names:
            peer = desired.peers.get(name)
            if peer is not None and self._adoption.holds(peer):
                found[name] = self.stances.of(
                    peer,
                    self._base_of(name, facts),
                    unheard=facts.unheard,
                    offered=self._hears_routes(peer),
                    now=now,
                    patience=self.patience(peer, now),
                )
        return found

    def recall(self, desired: DesiredState) -> None:
        """Note what ExaBGP says with the routes that it announced before we were there."""
        for name, peer in desired.peers.items():
            said, wanted = self._rib.actual.get(name, {}), desired.advertisements.get(name, {})
            self.stances.recall(peer, said, wanted, self._situation.generation)

    def conditions(
        self, desired: DesiredState | None, *, now: float, wall_offset: float
    ) -> Iterator[Condition]:
        """Yield what a person should know; *wall_offset* makes times that people read."""
        peers = () if desired is None else tuple(desired.peers.values())
        yield from self.stances.conditions(peers, now=now, wall_offset=wall_offset)

    # Levers

    def hold_levers(self, before: DesiredState, desired: DesiredState, now: float) -> None:
        """Keep the levers that are on the wire until all nodes change them at one generation."""
        generation = self._situation.generation
        desired.peers = self._levers.hold(
            before.peers, desired.peers, generation=generation, now=now
        )
        if self._levers.waiting:
            names = ", ".join(sorted(self._levers.waiting))
            self._outbox.note("info", "levers_wait", peers=names, generation=generation)

    def raise_for_levers(self, desired: DesiredState, now: float, *, advertising: bool) -> None:
        """Raise the generation where a lever waits for it, or has no step left."""
        mesh = self._situation.mesh
        if mesh is None:
            return
        generation, differ = mesh.generation, mesh.settings_differ
        if self._levers.raise_due(now, generation=generation, others_differ=differ):
            mesh.raise_generation("the lever changes", now)
            return
        if advertising and self._headroom.raise_due(
            now,
            generation=generation,
            peers=desired.peers.values(),
            listed=frozenset(member.name for member in desired.members) - {self._situation.node},
            alive=lambda: stance.living(
                self._situation.mesh_status(now).members, self._situation.node
            ),
        ):
            mesh.raise_generation("the lever has no step left for a death", now)

    def _release_levers(self, desired: DesiredState) -> None:
        generation = self._situation.generation
        names = ", ".join(sorted(self._levers.waiting))
        peers = self._levers.release(desired.peers, generation=generation)
        if peers is not None:
            desired.peers = peers
            self._outbox.note("info", "levers_changed", peers=names, generation=generation)

    # For one peer

    def _base_of(self, name: PeerName, facts: Facts) -> Stance:
        """Return what we say to everybody, as it is meant for one peer."""
        base = facts.base
        if facts.present:
            base = replace(base, present=facts.present[name])
        return replace(base, unranked=True) if name in self._levers.waiting else base

    def _rivals_present(
        self, desired: DesiredState, members: tuple[MemberStatus, ...]
    ) -> dict[PeerName, frozenset[str]]:
        """Return which nodes that come before us each peer hears; empty where none ever does."""
        if not desired.rivals:
            return {}
        return {
            name: stance.present(members, desired.rivals, self._sessions.router_id(peer))
            for name, peer in desired.peers.items()
        }

    def _hears_routes(self, peer: Peer) -> bool:
        return bool(self._rib.actual.get(peer.name)) and self._sessions.established(peer)
