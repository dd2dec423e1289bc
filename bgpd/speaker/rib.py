"""Adj-RIB-Out: desired routes, through the lever and the last gate, against what ExaBGP has.

The rib remembers what ExaBGP was told, or what it said it announces (`adopt`), so that after
a restart of this process nothing is withdrawn that should stay and nothing stays that should go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Family, Prefix, family_of
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from bgpd.policy.gate import admit
from bgpd.policy.lever import Stance, Verdict, attributes
from bgpd.policy.reconcile import PeerPlan, plan
from bgpd.speaker.desired import DesiredState

_SENTENCES: Mapping[Reason, str] = {
    Reason.FAMILY_NOT_NEGOTIATED: "peer {peer} does not speak the family of {prefix}",
    Reason.STANDBY: "the lever of peer {peer} has no room for rank {rank}: kept back",
}

_UNHEARD = (
    "the router of peer {peer} did not agree to {family} routes on this session: activate them"
    " at the router (IPv4 over IPv6 needs RFC 8950 there), or take {family} out of spec.families"
)


class Rib:
    """What each peer is offered now, and why some routes are not."""

    def __init__(
        self, spoken: Callable[[Peer], tuple[Family, ...]] = lambda peer: peer.families
    ) -> None:
        """Offer a peer nothing but the families that *spoken* says it hears."""
        self._spoken = spoken
        self.actual: dict[PeerName, dict[Prefix, Attributes]] = {}
        self._withheld: dict[PeerName, dict[Prefix, Withheld]] = {}
        self._crowded: set[PeerName] = set()
        """The peers that had no room for everything the last time."""
        self.refused: dict[PeerName, dict[Prefix, Attributes | None]] = {}
        """What ExaBGP would not take: it is not said again until `forgive`. None: to withdraw."""
        self.kept: dict[PeerName, set[Prefix]] = {}
        """What a router with a prefix limit may have kept from before ExaBGP started."""
        self.trial: Mapping[PeerName, Mapping[Prefix, Attributes]] = {}
        """What is tried out (`bgpd.speaker.trial`): beside what is desired, never in its place."""

    def refuse(self, plans: Iterable[PeerPlan]) -> None:
        """Note that ExaBGP would not take *plans*."""
        for peer_plan in plans:
            refused = self.refused.setdefault(peer_plan.peer, {})
            refused.update(dict.fromkeys(peer_plan.withdraw))
            for route_attributes, prefixes in peer_plan.advertise:
                refused.update(dict.fromkeys(prefixes, route_attributes))

    def forgive(self) -> None:
        """Say again what ExaBGP would not take."""
        self.refused = {}

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """Routes that were refused here, sorted by peer and prefix."""
        return tuple(
            refused[prefix]
            for _, refused in sorted(self._withheld.items())
            for prefix in sorted(refused)
        )

    def adopt(self, routes: Mapping[PeerName, Mapping[Prefix, Attributes]]) -> None:
        """Take over what ExaBGP says that it announces."""
        self.actual = {peer: dict(prefixes) for peer, prefixes in routes.items()}
        # An ExaBGP that has routes is older than we are: no router had to keep any.
        self.kept = {peer: kept for peer, kept in self.kept.items() if not routes.get(peer)}

    def rebuild(
        self, desired: DesiredState, stances: Mapping[PeerName, Stance]
    ) -> tuple[PeerPlan, ...]:
        """Return what to tell each peer so that it has exactly what *desired* says.

        A peer without a stance is one that ExaBGP does not have: there is nobody to tell.
        """
        wanted = {
            name: self._routes_for(peer, desired, stances[name])
            for name, peer in desired.peers.items()
            if name in stances
        }
        self._withheld = {name: self._withheld.get(name, {}) for name in wanted}
        return self._carry_out(self._taking_back(plan(wanted, self.actual), wanted))

    def refresh(
        self, desired: DesiredState, stances: Mapping[PeerName, Stance]
    ) -> tuple[PeerPlan, ...]:
        """As `rebuild`, for routes that are on the wire: none is added and none is taken back."""
        wanted: dict[PeerName, dict[Prefix, Attributes]] = {}
        known: dict[PeerName, dict[Prefix, Attributes]] = {}
        for name, peer in desired.peers.items():
            if name in stances:
                actual = self.actual.get(name, {})
                routes = self._routes_for(peer, desired, stances[name])
                wanted[name] = {p: routes[p] for p in actual if p in routes}
                known[name] = {p: actual[p] for p in wanted[name]}
        return self._carry_out(plan(wanted, known))

    def touch(
        self,
        changed: Iterable[tuple[PeerName, Prefix]],
        desired: DesiredState,
        stances: Mapping[PeerName, Stance],
    ) -> tuple[PeerPlan, ...]:
        """As `rebuild`, for the *changed* prefixes only; a peer that lacks room is done whole."""
        by_peer: dict[PeerName, set[Prefix]] = {}
        for name, prefix in changed:
            by_peer.setdefault(name, set()).add(prefix)
        wanted: dict[PeerName, dict[Prefix, Attributes]] = {}
        for name, prefixes in tuple(by_peer.items()):
            peer = desired.peers.get(name)
            if peer is None or name not in stances:
                continue
            if self._is_tight(peer, prefixes, desired):
                wanted[name] = self._routes_for(peer, desired, stances[name])
                del by_peer[name]
                continue
            wanted[name] = self._touched(peer, prefixes, desired, stances[name])
        return self._carry_out(plan(wanted, self._around(wanted, by_peer)))

    def withdraw_all(self) -> tuple[PeerPlan, ...]:
        """Return what takes back every route from every peer."""
        empty: dict[PeerName, dict[Prefix, Attributes]] = {name: {} for name in self.actual}
        return self._carry_out(plan(empty, self.actual))

    def attempt(
        self, trial: Mapping[PeerName, Mapping[Prefix, Attributes]], desired: DesiredState
    ) -> tuple[PeerPlan, ...]:
        """Return what to tell peers so that they have *trial* and no earlier one."""
        before, self.trial = self.trial, trial
        wanted: dict[PeerName, dict[Prefix, Attributes]] = {}
        around: dict[PeerName, dict[Prefix, Attributes]] = {}
        for name in sorted(before.keys() | trial.keys()):
            if name not in desired.peers:
                continue
            prefixes = before.get(name, {}).keys() | trial.get(name, {}).keys()
            prefixes -= desired.advertisements.get(name, {}).keys()
            actual = self.actual.get(name, {})
            tried = trial.get(name, {})
            room = {p for p in prefixes if self.has_room(desired.peers[name], p)}
            around[name] = {p: actual[p] for p in prefixes if p in actual}
            wanted[name] = {p: tried[p] for p in prefixes if p in tried and p in room}
        return self._carry_out(plan(wanted, around))

    def has_room(self, peer: Peer, prefix: Prefix) -> bool:
        """Return whether *peer* takes *prefix* beside what it has."""
        others = len(self.actual.get(peer.name, {}).keys() - {prefix})
        return peer.max_prefixes is None or others < peer.max_prefixes

    def _try_out(self, peer: Peer, desired: DesiredState, wanted: dict[Prefix, Attributes]) -> None:
        """Add to *wanted* what is tried out, if nothing else is there, it may pass and has room."""
        known = desired.advertisements.get(peer.name, {})
        for prefix, said in self.trial.get(peer.name, {}).items():
            full = peer.max_prefixes is not None and len(wanted) >= peer.max_prefixes
            # Its pool may be gone since it began.
            if prefix not in known and not full and desired.fence.refusal(prefix) is None:
                wanted[prefix] = said

    def _taking_back(
        self,
        plans: tuple[PeerPlan, ...],
        wanted: Mapping[PeerName, Mapping[Prefix, Attributes]],
    ) -> tuple[PeerPlan, ...]:
        """Return *plans* with what routers may have kept and nobody wants, taken back first.

        A router that keeps our routes over a restart (RFC 4724) counts them against its limit until
        End-of-RIB: beside ten that it kept, one new one ends the session.
        """
        if not self.kept.keys() & wanted.keys():
            return plans
        by_peer = {one.peer: one for one in plans}
        for name in sorted(self.kept.keys() & wanted.keys()):
            gone = self.kept.pop(name) - wanted[name].keys()
            before = by_peer.get(name, PeerPlan(peer=name))
            if gone:
                by_peer[name] = replace(before, withdraw=tuple(sorted({*before.withdraw, *gone})))
        return tuple(by_peer[name] for name in sorted(by_peer))

    def _around(
        self,
        wanted: Mapping[PeerName, Mapping[Prefix, Attributes]],
        by_peer: Mapping[PeerName, set[Prefix]],
    ) -> dict[PeerName, dict[Prefix, Attributes]]:
        """Return the part of the actual routes that `touch` compares with."""
        around: dict[PeerName, dict[Prefix, Attributes]] = {}
        for name in wanted:
            actual = self.actual.get(name, {})
            if name in by_peer:
                actual = {p: actual[p] for p in by_peer[name] if p in actual}
            around[name] = actual
        return around

    def _is_tight(self, peer: Peer, changed: AbstractSet[Prefix], desired: DesiredState) -> bool:
        """Return whether one route of *peer* more or less may decide over another one."""
        limit = peer.max_prefixes
        if limit is None:
            return False
        actual = self.actual.get(peer.name, {}).keys()
        known = desired.advertisements.get(peer.name, {})
        tried = self.trial.get(peer.name, {})
        most = max(len(known) + len(tried), len(actual) + len(changed - actual))
        return peer.name in self._crowded or most > limit

    def _touched(
        self, peer: Peer, prefixes: Iterable[Prefix], desired: DesiredState, stance: Stance
    ) -> dict[Prefix, Attributes]:
        refused = self._withheld.setdefault(peer.name, {})
        known = desired.advertisements.get(peer.name, {})
        wanted: dict[Prefix, Attributes] = {}
        for prefix in prefixes:
            refused.pop(prefix, None)
        candidates = [prefix for prefix in prefixes if prefix in known]
        candidates = self._heard(peer, candidates, refused)
        passed, stopped = admit(candidates, peer=peer, fence=desired.fence, present=frozenset())
        for item in (*stopped, *_drained(passed, peer, stance)):
            self._refuse(refused, item)
        calm = _calm(stance)
        for prefix in (one for one in passed if one not in stance.withdrawn):
            verdict = attributes(known[prefix], peer, calm if prefix in stance.as_is else stance)
            self._judge(verdict, known[prefix], peer, wanted, refused)
        return wanted

    def _routes_for(
        self, peer: Peer, desired: DesiredState, stance: Stance
    ) -> dict[Prefix, Attributes]:
        """Return what *peer* should be offered; record what it should not."""
        known = desired.advertisements.get(peer.name, {})
        refused: dict[Prefix, Withheld] = {}
        present = self.actual.get(peer.name, {}).keys()
        candidates = self._heard(peer, sorted(known), refused)
        passed, stopped = admit(
            candidates, peer=peer, fence=desired.fence, present=present, known=known
        )
        for item in (*stopped, *_drained(passed, peer, stance)):
            self._refuse(refused, item)
        wanted: dict[Prefix, Attributes] = {}
        verdicts: dict[tuple[object, ...], Verdict] = {}
        calm = _calm(stance)
        for prefix in passed:
            if prefix in stance.withdrawn:
                continue
            advertisement = known[prefix]
            ours = calm if prefix in stance.as_is else stance
            key = _template(advertisement, ours)
            verdict = verdicts.get(key)
            if verdict is None:
                verdict = verdicts[key] = attributes(advertisement, peer, ours)
            self._judge(verdict, advertisement, peer, wanted, refused)
        self._withheld[peer.name] = refused
        self._crowded.discard(peer.name)
        if any(one.reason is Reason.PREFIX_LIMIT for one in stopped):
            self._crowded.add(peer.name)
        self._try_out(peer, desired, wanted)
        return wanted

    def _heard(
        self, peer: Peer, prefixes: list[Prefix], refused: dict[Prefix, Withheld]
    ) -> list[Prefix]:
        """Return those of *prefixes* whose family the router agreed to; the rest is refused."""
        spoken = self._spoken(peer)
        unheard = set(peer.families) - set(spoken)
        if not unheard:
            return prefixes
        for prefix in prefixes:
            family = family_of(prefix)
            if family in unheard:
                refused[prefix] = Withheld(
                    service="",
                    prefix=prefix,
                    reason=Reason.FAMILY_NOT_NEGOTIATED,
                    message=_UNHEARD.format(peer=peer.name, family=family.value),
                    peer=peer.name,
                )
        return [prefix for prefix in prefixes if family_of(prefix) not in unheard]

    def _judge(
        self,
        verdict: Verdict,
        advertisement: Advertisement,
        peer: Peer,
        wanted: dict[Prefix, Attributes],
        refused: dict[Prefix, Withheld],
    ) -> None:
        if isinstance(verdict, Attributes):
            wanted[advertisement.prefix] = verdict
            return
        message = _SENTENCES[verdict].format(
            peer=peer.name, prefix=advertisement.prefix, rank=advertisement.rank
        )
        prefix = advertisement.prefix
        refused[prefix] = Withheld(
            service="", prefix=prefix, reason=verdict, message=message, peer=peer.name
        )

    def _refuse(self, refused: dict[Prefix, Withheld], item: Withheld) -> None:
        if item.prefix is not None:
            refused[item.prefix] = item

    def _carry_out(self, plans: tuple[PeerPlan, ...]) -> tuple[PeerPlan, ...]:
        if self.refused:
            plans = tuple(filter(len, map(self._sayable, plans)))
        for peer_plan in plans:
            routes = self.actual.setdefault(peer_plan.peer, {})
            for prefix in peer_plan.withdraw:
                routes.pop(prefix, None)
            for route_attributes, prefixes in peer_plan.advertise:
                routes.update(dict.fromkeys(prefixes, route_attributes))
        return plans

    def _sayable(self, peer_plan: PeerPlan) -> PeerPlan:
        """Return *peer_plan* without what ExaBGP has refused in exactly this form."""
        refused = self.refused.get(peer_plan.peer, {})

        def passes(prefix: Prefix, said: Attributes | None) -> bool:
            return prefix not in refused or refused[prefix] != said

        groups = (
            (said, tuple(prefix for prefix in prefixes if passes(prefix, said)))
            for said, prefixes in peer_plan.advertise
        )
        return PeerPlan(
            peer=peer_plan.peer,
            withdraw=tuple(prefix for prefix in peer_plan.withdraw if passes(prefix, None)),
            advertise=tuple((said, prefixes) for said, prefixes in groups if prefixes),
        )


def _calm(stance: Stance) -> Stance:
    """Return what is said with the routes that a drain does not touch yet."""
    if not stance.as_is:
        return stance
    return replace(stance, floor=stance.as_is_floor, others=frozenset())


def _drained(passed: Iterable[Prefix], peer: Peer, stance: Stance) -> Iterator[Withheld]:
    """Yield why those of *passed* that the drain took back are not advertised."""
    for prefix in passed if stance.withdrawn else ():
        if prefix in stance.withdrawn:
            message = f"this node is drained; {prefix} was left to the other nodes"
            yield Withheld(
                service="", prefix=prefix, reason=Reason.DRAINED, message=message, peer=peer.name
            )


def _template(advertisement: Advertisement, stance: Stance) -> tuple[object, ...]:
    """Return what decides the attributes of *advertisement*: everything but its address."""
    return (
        stance.floor,
        family_of(advertisement.prefix),
        advertisement.rank,
        advertisement.local_pref,
        advertisement.communities,
        advertisement.large_communities,
        advertisement.as_path_prepend,
        advertisement.carriers if stance.others or stance.better is not None else None,
        advertisement.med,
        advertisement.link_bandwidth,
        advertisement.ahead,
    )
