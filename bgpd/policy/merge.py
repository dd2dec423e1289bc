"""From decisions about Services to one route for each peer and prefix.

Several Services may share an address, or a block that is advertised as one: its route stays while
any of them wants it. Their attributes are joined in a way that does not depend on order: all
communities, the longest path, and of what else can be preferred the most preferred.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import BY_HEALTH, Withheld
from bgpd.model.route import MAX_BANDWIDTH, Advertisement
from bgpd.model.status import Condition

RouteKey: TypeAlias = tuple[PeerName, Prefix]
_SHOWN: Final = 5
"""How many Services a condition names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one node does for one Service."""

    advertisements: tuple[Advertisement, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    kept: bool = False
    """Whether it has some of *advertisements* only for a moment: see `bgpd.policy.lingering`."""


NOTHING: Final = Decision()
"""What holds of a Service that asks for nothing, or that nobody decided on."""


class Merged:
    """The desired routes of all Services, kept up to date one Service at a time."""

    def __init__(self) -> None:
        self.advertisements: dict[RouteKey, Advertisement] = {}
        """What is desired now; read it, do not change it."""
        self._decisions: dict[str, Decision] = {}
        self._wanted: dict[RouteKey, dict[str, Advertisement]] = {}
        """Who wants a route: Service -> its own version of it."""
        self._disputed: set[RouteKey] = set()
        """The routes that several want differently: conditions are asked for at every change."""
        self.unwell: dict[str, Withheld] = {}
        """The Services that health alone withholds here, with the first answer; only read it."""
        self._withholding: dict[str, tuple[Withheld, ...]] = {}
        """What is withheld of the Services of which anything is."""
        self._withheld: tuple[Withheld, ...] | None = ()
        """What `withheld` returned last, as long as it holds: people are told each second."""
        self._services: dict[Prefix, tuple[str, ...]] = {}
        self._stale: dict[Prefix, None] = {}
        """The prefixes about which `_services` may be wrong."""
        self._peers: set[PeerName] = set()
        """All who were ever wanted to hear of a route."""

    def replace(self, service: str, decision: Decision | None) -> frozenset[RouteKey]:
        """Take *decision* for *service* (None: it is gone); return the routes that changed."""
        return self.settle(self.put(service, decision))

    def put(self, service: str, decision: Decision | None) -> list[RouteKey]:
        """As `replace`, but leave the routes as they are: `settle` what is returned.

        A block of a thousand Services is then joined once, not once for each.
        """
        before = self._decisions.get(service, NOTHING)
        after = decision or NOTHING
        if decision is None:
            self._decisions.pop(service, None)
        else:
            self._decisions[service] = decision
        if before.withheld or after.withheld:
            self._withhold(service, after.withheld)
        return self._want(service, before.advertisements, after.advertisements)

    def _withhold(self, service: str, withheld: tuple[Withheld, ...]) -> None:
        self._withheld = None
        self.unwell.pop(service, None)
        self._withholding.pop(service, None)
        if withheld:
            self._withholding[service] = withheld
            for one in withheld:
                if one.reason in BY_HEALTH:
                    self.unwell[service] = one
                    break

    def _want(
        self, service: str, before: tuple[Advertisement, ...], after: tuple[Advertisement, ...]
    ) -> list[RouteKey]:
        """Note that *service* wants the routes *after* in place of those *before*."""
        touched = []
        # Two addresses of a Service in one block are one route.
        old = {(one.peer, one.prefix): one for one in before}
        new = {(one.peer, one.prefix): one for one in after}
        for key, one in old.items():
            wanted = new.pop(key, None)
            if wanted is None:
                self._wanted[key].pop(service, None)
            elif wanted == one:
                continue
            else:
                self._wanted[key][service] = wanted
            touched.append(key)
        for key, wanted in new.items():
            self._wanted.setdefault(key, {})[service] = wanted
            touched.append(key)
        return touched

    def advertises(self, service: str) -> bool:
        """Return whether *service* wants any route."""
        return bool(self._decisions.get(service, NOTHING).advertisements)

    def decision(self, service: str) -> Decision | None:
        """Return the decision on *service*; None: there is none."""
        return self._decisions.get(service)

    @property
    def withheld_services(self) -> frozenset[str]:
        """The Services of which anything is withheld."""
        return frozenset(self._withholding)

    def knows(self, service: str) -> bool:
        """Return whether there is a decision on *service*."""
        return service in self._decisions

    def decision_on(self, service: str) -> Decision | None:
        """Return what was decided on *service*; None: there is no such Service."""
        return self._decisions.get(service)

    def settle(self, touched: Iterable[RouteKey]) -> frozenset[RouteKey]:
        """Work out the routes that were *touched*; return those that changed."""
        return frozenset([key for key in touched if self._join(key)])

    @property
    def withholds(self) -> bool:
        """Whether any route is withheld that the documents alone would have us advertise."""
        return bool(self.unwell)

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """Everything that is not advertised, in the order of the Services' names."""
        if self._withheld is None:
            found = self._withholding
            self._withheld = tuple(one for service in sorted(found) for one in found[service])
        return self._withheld

    @property
    def services(self) -> dict[Prefix, tuple[str, ...]]:
        """Which Services each desired prefix stands for."""
        self.keep_up()
        return self._services.copy()

    def keep_up(self) -> None:
        """Find out which Services the prefixes stand for that changed since the last time."""
        for prefix in self._stale:
            names: tuple[str, ...] = ()
            for peer in self._peers:
                wanting = self._wanted.get((peer, prefix))
                if wanting:
                    # Most prefixes stand for one Service, whoever hears of it.
                    found = tuple(wanting)
                    names = names if names == found else (*names, *found)
            if names:
                self._services[prefix] = _each(names)
            else:
                self._services.pop(prefix, None)
        self._stale.clear()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """A condition for each shared prefix whose Services disagree on how it is preferred."""
        return tuple(_conditions({key: self._wanted[key] for key in self._disputed}))

    def _join(self, key: RouteKey) -> bool:
        """Join what is wanted of the route *key*; return whether it changed."""
        versions = self._wanted.get(key)
        before = self.advertisements.get(key)
        self._disputed.discard(key)
        self._stale[key[1]] = None
        if not versions:
            self._wanted.pop(key, None)
            self.advertisements.pop(key, None)
            return before is not None
        self._peers.add(key[0])
        after = _joined(versions.values())
        self.advertisements[key] = after
        if len(versions) > 1 and any(_disputes(versions)):
            self._disputed.add(key)
        return before != after


def _each(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return *names* in order, each once."""
    return names if len(names) == 1 else tuple(sorted(set(names)))


def merge(decisions: Mapping[str, Decision]) -> Mapping[RouteKey, Advertisement]:
    """Return the routes that *decisions*, by Service, want together."""
    merged = Merged()
    for service, decision in decisions.items():
        merged.replace(service, decision)
    return merged.advertisements


def _joined(versions: Iterable[Advertisement]) -> Advertisement:
    first, *others = versions
    if not others:
        return first
    every = (first, *others)
    best = min(every, key=lambda one: (one.rank, one.ahead))
    return replace(
        first,
        rank=best.rank,
        ahead=best.ahead,
        med=min((one.med for one in every if one.med is not None), default=None),
        # Unset counts as least, so the greatest value that somebody asked for holds.
        local_pref=max(one.local_pref or 0 for one in every) or None,
        communities=tuple(sorted({text for one in every for text in one.communities})),
        large_communities=tuple(sorted({text for one in every for text in one.large_communities})),
        as_path_prepend=max(one.as_path_prepend for one in every),
        priority=max(one.priority for one in every),
        carriers=_carriers(every),
        link_bandwidth=_bandwidth(every),
    )


def _carriers(every: Iterable[Advertisement]) -> tuple[str, ...] | None:
    found: set[str] = set()
    for one in every:
        if one.carriers is None:
            return None
        found.update(one.carriers)
    return tuple(sorted(found))


def _bandwidth(every: Iterable[Advertisement]) -> int | None:
    """Return the bandwidths together: each Service's endpoints take a part of the traffic."""
    found = [one.link_bandwidth for one in every if one.link_bandwidth is not None]
    return min(sum(found), MAX_BANDWIDTH) if found else None


def _disputes(wanted: Mapping[str, Advertisement]) -> Iterator[tuple[str, str]]:
    """Yield what the Services of one route want differently: for people, and the field."""
    every = wanted.values()
    yield from (
        (what, field)
        for what, field in _PREFERENCES.items()
        if len({getattr(one, field) for one in every}) > 1
        # Of a block, nodes may stand in another order for each Service: that is nobody's wish.
        and not (field == "rank" and not _is_address(next(iter(every)).prefix))
    )


_PREFERENCES: Final = {
    "local preferences": "local_pref",
    "ranks": "rank",
    "MEDs": "med",
    "AS path prepends": "as_path_prepend",
}
_WHICH_HOLDS: Final = {"local_pref": "greatest", "as_path_prepend": "greatest"}


def _is_address(prefix: Prefix) -> bool:
    return prefix.endswith("/128" if ":" in prefix else "/32")


def _conditions(wanted: Mapping[RouteKey, Mapping[str, Advertisement]]) -> Iterator[Condition]:
    for peer, prefix in sorted(wanted):
        versions = dict(sorted(wanted[peer, prefix].items()))
        for what, field in _disputes(versions):
            values = [(name, getattr(one, field)) for name, one in versions.items()]
            shown = [f"{name} {'unset' if value is None else value}" for name, value in values]
            more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
            yield Condition(
                type="ConflictingAdvertisements",
                status=True,
                reason="SharedAddress",
                message=(
                    f"Services that share {prefix} want different {what} towards BGPPeer {peer} "
                    f"({', '.join(shown[:_SHOWN])}{more}); the "
                    f"{_WHICH_HOLDS.get(field, 'least')} holds"
                ),
            )
