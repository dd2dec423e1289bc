"""How near a peer is to its prefix limit, what it leaves out, and what it would leave out next."""

from collections.abc import Iterator, Mapping, Sequence

from bgpd.model.grounds import PeerRoute
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.model.status import SessionStatus

_SHOWN = 5


def room(
    session: SessionStatus,
    routes: Sequence[PeerRoute],
    services: Mapping[Prefix, Sequence[str]],
) -> Iterator[str]:
    """Yield what there is to say of the prefix limit of *session*, by what it is to hear.

    The order is the gate's (`bgpd.policy.gate.admit`): the larger priority goes first, among equals
    what is there already stays, and the rest is taken in order.
    """
    limit = session.max_prefixes
    mine = [one for one in routes if one.peer == session.peer]
    if limit is None or not mine:
        return
    sent = [one for one in mine if one.told is not None]
    left_out = [
        one
        for one in mine
        if one.withheld is not None and one.withheld.reason is Reason.PREFIX_LIMIT
    ]
    left = max(0, limit - len(sent))
    yield f"prefix limit {limit}: {len(sent)} taken, room for {left} more"
    if left_out:
        yield f"left out now: {_named(left_out, services)}"
    if sent:
        last = max(sent, key=lambda one: (-_priority(one), one.prefix))
        yield f"next to be left out, for a higher priority: {_named([last], services)}"


def _priority(route: PeerRoute) -> int:
    return route.wanted.priority if route.wanted is not None else 0


def _named(routes: Sequence[PeerRoute], services: Mapping[Prefix, Sequence[str]]) -> str:
    names = []
    for one in sorted(routes, key=lambda one: one.prefix)[:_SHOWN]:
        owners = ", ".join(services.get(one.prefix, ()))
        said = f"{owners}, priority {_priority(one)}" if owners else f"priority {_priority(one)}"
        names.append(f"{one.prefix} ({said})")
    more = f" and {len(routes) - _SHOWN} more" if len(routes) > _SHOWN else ""
    return "; ".join(names) + more
