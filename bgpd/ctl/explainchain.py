"""The chain of decisions between one Service and the routers, gate by gate, on one node.

Each gate passed, stopped it, was not reached, or nobody knows: because the agent is silent, or
because a BGPNodeStatus tells no more. What stopped it comes with what would change it.
"""

from collections.abc import Iterable, Iterator

from bgpd.ctl.explainevidence import evidence
from bgpd.ctl.explainlink import Chain, Link, Step, Subject, stopping
from bgpd.ctl.explainpeer import peer_chains
from bgpd.ctl.gates import AGENT_GATES, gate_of
from bgpd.ctl.view import View
from bgpd.model.grounds import PeerRoute, SpeakerRoutes
from bgpd.model.reason import Withheld


def chains(
    view: View,
    subjects: Iterable[Subject],
    routes: SpeakerRoutes | None,
    *,
    peer: str = "",
    unknown: str = "",
) -> tuple[Chain, ...]:
    """Return the chain of each of *subjects*, towards one *peer* or all.

    *unknown* says what could not be asked.
    """
    return tuple(_chain(view, one, routes, peer, unknown) for one in subjects)


def _chain(
    view: View, subject: Subject, routes: SpeakerRoutes | None, peer: str, unknown: str
) -> Chain:
    rows = _rows(view, subject, routes)
    stop = _stop(view, subject)
    # A status names who hears of it, and not with what.
    wanted = any(one.wanted or one.told or routes is None for one in rows)
    wanted = wanted or any(_by_peer(view, subject))
    # It also names what would be advertised, had the node a session.
    wanted = wanted or (routes is None and _is_route(view, subject))
    links = tuple(_agent_links(subject, stop, wanted=wanted))
    passed = all(one.step is Step.PASSED for one in links)
    sessions = view.speaker.sessions if view.speaker is not None else ()
    reached = passed and subject.prefix
    whole = routes is not None
    towards = peer_chains(view, subject, sessions, rows, whole=whole) if reached else ()
    return Chain(
        node=view.node,
        service=subject.service,
        prefix=subject.prefix or "",
        links=links,
        peers=tuple(one for one in towards if peer in {"", one.peer}),
        unknown=unknown,
        sharing=subject.address.sharing if subject.address is not None else (),
    )


def _stop(view: View, subject: Subject) -> Withheld | None:
    """Return the agent's no for every peer."""
    found = subject.grounds.withheld if subject.grounds is not None else view.withheld
    for one in found:
        mine = one.service == subject.service and one.prefix in {None, subject.prefix}
        if mine and one.service and one.peer is None:
            return one
    return None


def _is_route(view: View, subject: Subject) -> bool:
    routes = view.speaker.routes if view.speaker is not None else ()
    return any(one.prefix == subject.prefix for one in routes)


def _by_peer(view: View, subject: Subject) -> Iterator[Withheld]:
    """Yield what is withheld from single peers: whoever says so has let it come so far."""
    for one in view.withheld:
        if one.prefix == subject.prefix and one.prefix and one.peer:
            yield one


def _agent_links(subject: Subject, stop: Withheld | None, *, wanted: bool) -> Iterator[Link]:
    last = None if stop is None else gate_of(stop.reason)
    over = False
    for gate in AGENT_GATES:
        if over:
            yield Link(gate=gate.name, step=Step.NOT_REACHED, sentence=gate.question)
        elif gate is last and stop is not None:
            over = True
            yield stopping(gate, stop)
        elif stop is not None or wanted or subject.grounds is not None:
            seen = "" if subject.grounds is None else evidence(gate.name, subject)
            yield Link(gate=gate.name, step=Step.PASSED, sentence=seen)
        else:
            yield Link(gate=gate.name, step=Step.UNKNOWN, sentence=gate.question)


def _rows(view: View, subject: Subject, routes: SpeakerRoutes | None) -> list[PeerRoute]:
    """Return what is known of *subject* at each peer; a status alone knows who hears it."""
    if routes is not None:
        return [one for one in routes.routes if one.prefix == subject.prefix]
    speaker = view.speaker
    held = {one.peer: one for one in _by_peer(view, subject)}
    found = [
        PeerRoute(peer=name, prefix=one.prefix, withheld=held.pop(name, None))
        for one in (speaker.routes if speaker is not None else ())
        if one.prefix == subject.prefix
        for name in one.peers
    ]
    return found + [
        PeerRoute(peer=name, prefix=one.prefix, withheld=one)
        for name, one in held.items()
        if name is not None and one.prefix is not None
    ]
