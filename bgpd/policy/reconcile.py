"""The difference between what peers should be offered and what they are offered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import AdjRibOut, Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlan:
    """What one peer is told: withdrawals first, then routes grouped by their attributes."""

    peer: PeerName
    withdraw: tuple[Prefix, ...] = ()
    advertise: tuple[tuple[Attributes, tuple[Prefix, ...]], ...] = ()

    def __len__(self) -> int:
        """Return how many prefixes the plan touches."""
        return len(self.withdraw) + sum(len(prefixes) for _, prefixes in self.advertise)


def plan(desired: AdjRibOut, actual: AdjRibOut) -> tuple[PeerPlan, ...]:
    """Return the fewest changes that turn *actual* into *desired*, in a stable order.

    A peer that only *actual* knows gets nothing: its session goes, and its routes with it.
    """
    plans = (_peer_plan(peer, desired[peer], actual.get(peer, {})) for peer in sorted(desired))
    return tuple(one for one in plans if one.withdraw or one.advertise)


def applied(
    actual: AdjRibOut, plans: Iterable[PeerPlan]
) -> dict[PeerName, dict[Prefix, Attributes]]:
    """Return *actual* after *plans* were carried out."""
    after = {peer: dict(routes) for peer, routes in actual.items()}
    for peer_plan in plans:
        routes = after.setdefault(peer_plan.peer, {})
        for prefix in peer_plan.withdraw:
            routes.pop(prefix, None)
        for attributes, prefixes in peer_plan.advertise:
            routes.update(dict.fromkeys(prefixes, attributes))
    return after


def _peer_plan(
    peer: PeerName, desired: Mapping[Prefix, Attributes], actual: Mapping[Prefix, Attributes]
) -> PeerPlan:
    groups: dict[Attributes, list[Prefix]] = {}
    for prefix, attributes in desired.items():
        known = actual.get(prefix)
        if known is not attributes and known != attributes:
            groups.setdefault(attributes, []).append(prefix)
    return PeerPlan(
        peer=peer,
        withdraw=tuple(sorted(actual.keys() - desired.keys())),
        advertise=tuple(
            (attributes, tuple(sorted(prefixes)))
            for attributes, prefixes in sorted(groups.items(), key=lambda item: item[1][0])
        ),
    )
