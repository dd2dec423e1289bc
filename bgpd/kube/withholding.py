"""Why a node stopped to advertise a Service, or never began, between two looks at it: for Events.

The reason of the Event is the `Reason` itself, the word of `bgpctl explain`, of the log and of the
metric. What passes (no endpoint here, a check that fails) is news only where the node advertised
the route before; what a person has to mend is news wherever it is new.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from bgpd.kube.happening import MOST, Happening, Regarding
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.reason import BY_HEALTH, MISTAKES, Reason, Withheld
from bgpd.model.status import NodeStatus

_TOLD_OF_THE_NODE: Final = frozenset({Reason.DRAINED})
"""What is an Event of the Node by the same word already: see `bgpd.kube.wellbeing`."""
SAME_EVERYWHERE: Final = frozenset(
    {
        Reason.NOT_LOAD_BALANCER,
        Reason.OTHER_LOAD_BALANCER_CLASS,
        Reason.NO_ADDRESS,
        Reason.INVALID_ADDRESS,
        Reason.ADDRESS_NOT_IN_POOL,
        Reason.NO_MATCHING_ADVERTISEMENT,
        Reason.CONFLICTING_ADVERTISEMENTS,
        Reason.NO_ENDPOINTS,
    }
)
"""What every node sees alike; then one of them is enough to tell it."""
_WARNINGS: Final = MISTAKES | BY_HEALTH | {Reason.NODE_NETWORK_UNAVAILABLE, Reason.NO_PEER}

_Key: TypeAlias = tuple[str, str, str, Reason]


def withholding(before: NodeStatus | None, after: NodeStatus) -> tuple[Happening, ...]:
    """Return what became withheld between two looks; the first one is no news."""
    if before is None or before.speaker is None or after.speaker is None:
        return ()
    candidates = [one for one in _all(after) if one.reason not in _TOLD_OF_THE_NODE]
    if not candidates:
        return ()
    gone = _Gone(before, after)
    known = {_key(one) for one in _all(before) if one.reason in MISTAKES}
    found = [
        one
        for one in candidates
        if one in gone or (one.reason in MISTAKES and _key(one) not in known)
    ]
    return tuple(
        happening
        for reason in Reason
        for happening in _told([one for one in found if one.reason is reason], after)
    )


class _Gone:
    """The routes that are on the wire no more, though the sessions that had them are up."""

    def __init__(self, before: NodeStatus, after: NodeStatus) -> None:
        down = _down(after)
        old, new = _carried(before), _carried(after)
        old = {prefix: peers for prefix, peers in old.items() if not down.issuperset(peers)}
        self._prefixes = old.keys() - new.keys()
        self._services = _services(before, self._prefixes)
        if self._services:
            self._services -= _services(after, new)
        self._pairs = {
            (prefix, peer)
            for prefix, peers in old.items()
            if peers != new.get(prefix)
            for peer in set(peers) - down - set(new.get(prefix, ()))
        }

    def __contains__(self, one: Withheld) -> bool:
        if one.prefix is None:
            return one.service in self._services
        if one.peer is None:
            return one.prefix in self._prefixes
        return (one.prefix, one.peer) in self._pairs


def _all(status: NodeStatus) -> Iterator[Withheld]:
    yield from status.withheld
    if status.speaker is not None:
        yield from status.speaker.withheld


def _carried(status: NodeStatus) -> dict[Prefix, Sequence[str]]:
    """Return who hears each prefix; a route that no session carries attracts nothing."""
    routes = status.speaker.routes if status.speaker is not None else ()
    return {one.prefix: one.peers for one in routes if one.peers}


def _down(status: NodeStatus) -> frozenset[str]:
    sessions = status.speaker.sessions if status.speaker is not None else ()
    return frozenset(one.peer for one in sessions if one.state is not PeerState.ESTABLISHED)


def _services(status: NodeStatus, prefixes: Iterable[Prefix]) -> set[str]:
    routes = status.speaker.routes if status.speaker is not None else ()
    named = {one.prefix: one.services for one in routes}
    return {
        service
        for prefix in prefixes
        for service in named.get(prefix) or status.services.get(prefix, ())
    }


def _key(one: Withheld) -> _Key:
    return one.service, one.prefix or "", one.peer or "", one.reason


def _told(found: Sequence[Withheld], node: NodeStatus) -> Iterator[Happening]:
    if len(found) > MOST:
        first = found[0]
        note = f"node {node.node} withholds {len(found)} routes; the first: {first.message}"
        yield _happening(first, Regarding(kind="Node", name=node.node), note)
        return
    for one in found:
        services = node.services.get(one.prefix, ()) if one.prefix else ()
        namespace, _, name = (one.service or next(iter(services), "")).partition("/")
        regarding = Regarding(kind="Node", name=node.node)
        if name:
            regarding = Regarding(kind="Service", namespace=namespace, name=name)
        if one.reason in MISTAKES | SAME_EVERYWHERE:
            yield _happening(one, regarding, one.message)
            continue
        note = f"node {node.node} does not advertise {one.prefix or 'it'} any more: {one.message}"
        yield _happening(one, regarding, note)


def _happening(one: Withheld, regarding: Regarding, note: str) -> Happening:
    shared = one.reason in SAME_EVERYWHERE and regarding.kind != "Node"
    return Happening(
        reason=one.reason.value,
        action="Advertise",
        regarding=regarding,
        note=note,
        warning=one.reason in _WARNINGS,
        # Each router has a limit, and families, of its own.
        about=note if shared else f"{one.prefix} {one.peer or ''}".strip(),
        shared=shared,
    )
