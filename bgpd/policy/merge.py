"""From decisions about Services to one route for each peer and prefix.

Several Services may share an address: its route stays while any of them wants it, and their
attributes are joined in a way that does not depend on order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Withheld
from bgpd.model.route import Advertisement
from bgpd.model.status import Condition

RouteKey: TypeAlias = tuple[PeerName, Prefix]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one node does for one Service."""

    advertisements: tuple[Advertisement, ...] = ()
    withheld: tuple[Withheld, ...] = ()


class Merged:
    """The desired routes of all Services, kept up to date one Service at a time."""

    def __init__(self) -> None:
        self.advertisements: dict[RouteKey, Advertisement] = {}
        """What is desired now; read it, do not change it."""
        self._decisions: dict[str, Decision] = {}
        self._wanted: dict[RouteKey, dict[str, Advertisement]] = {}
        """Who wants a route: Service -> its own version of it."""
        self._shared: set[RouteKey] = set()
        """The routes that several want: conditions are asked for at every change."""

    def replace(self, service: str, decision: Decision | None) -> frozenset[RouteKey]:
        """Take *decision* for *service* (None: it is gone); return the routes that changed."""
        before = self._decisions.get(service, _NOTHING)
        after = decision or _NOTHING
        if decision is None:
            self._decisions.pop(service, None)
        else:
            self._decisions[service] = decision
        old = {(one.peer, one.prefix): one for one in before.advertisements}
        new = {(one.peer, one.prefix): one for one in after.advertisements}
        touched = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
        return frozenset(key for key in touched if self._set(key, service, new.get(key)))

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """Everything that is not advertised, in the order of the Services' names."""
        return tuple(
            one for service in sorted(self._decisions) for one in self._decisions[service].withheld
        )

    @property
    def services(self) -> dict[Prefix, tuple[str, ...]]:
        """Which Services each desired prefix stands for."""
        found: dict[Prefix, set[str]] = {}
        for (_, prefix), wanting in self._wanted.items():
            found.setdefault(prefix, set()).update(wanting)
        return {prefix: tuple(sorted(found[prefix])) for prefix in sorted(found)}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """A condition for each shared address whose Services disagree on its local preference."""
        return tuple(_conditions({key: self._wanted[key] for key in self._shared}))

    def _set(self, key: RouteKey, service: str, wanted: Advertisement | None) -> bool:
        versions = self._wanted.setdefault(key, {})
        if wanted is None:
            versions.pop(service, None)
        else:
            versions[service] = wanted
        if len(versions) > 1:
            self._shared.add(key)
        else:
            self._shared.discard(key)
        before = self.advertisements.get(key)
        if not versions:
            del self._wanted[key]
            self.advertisements.pop(key, None)
            return before is not None
        after = _join(versions.values())
        self.advertisements[key] = after
        return before != after


_NOTHING = Decision()


def merge(decisions: Mapping[str, Decision]) -> Mapping[RouteKey, Advertisement]:
    """Return the routes that *decisions*, by Service, want together."""
    merged = Merged()
    for service, decision in decisions.items():
        merged.replace(service, decision)
    return merged.advertisements


def _join(versions: Iterable[Advertisement]) -> Advertisement:
    first, *others = versions
    if not others:
        return first
    every = (first, *others)
    return replace(
        first,
        rank=min(one.rank for one in every),
        # Unset counts as least, so the greatest value that somebody asked for holds.
        local_pref=max(one.local_pref or 0 for one in every) or None,
        communities=tuple(sorted({text for one in every for text in one.communities})),
        large_communities=tuple(sorted({text for one in every for text in one.large_communities})),
        as_path_prepend=max(one.as_path_prepend for one in every),
        carriers=_carriers(every),
    )


def _carriers(every: Iterable[Advertisement]) -> tuple[str, ...] | None:
    found: set[str] = set()
    for one in every:
        if one.carriers is None:
            return None
        found.update(one.carriers)
    return tuple(sorted(found))


def _conditions(wanted: Mapping[RouteKey, Mapping[str, Advertisement]]) -> Iterator[Condition]:
    for peer, prefix in sorted(wanted):
        versions = wanted[peer, prefix]
        preferences = {service: one.local_pref for service, one in sorted(versions.items())}
        if len(set(preferences.values())) < 2:
            continue
        wishes = ", ".join(f"{name} {value or 'unset'}" for name, value in preferences.items())
        yield Condition(
            type="ConflictingAdvertisements",
            status=True,
            reason="SharedAddress",
            message=(
                f"Services that share {prefix} want different local preferences towards BGPPeer "
                f"{peer} ({wishes}); the greatest holds"
            ),
        )
