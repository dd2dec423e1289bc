"""What `bgpctl explain` shows on this node."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bgpd.ctl.columns import wrapped
from bgpd.ctl.explainask import Node, prefix_of
from bgpd.ctl.explainchain import chains
from bgpd.ctl.explaineven import unevenness
from bgpd.ctl.explainlink import Chain, Subject
from bgpd.ctl.explainnode import outlook, outlook_document, outlook_text
from bgpd.ctl.explainroom import room
from bgpd.ctl.explainshown import Shown, shown_of
from bgpd.ctl.explainsubject import must_know, subjects
from bgpd.ctl.view import View
from bgpd.model.grounds import Grounds, PeerRoute, SpeakerRoutes
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason

if TYPE_CHECKING:
    from bgpd.ctl.explainpending import Pending
    from bgpd.ctl.fleet import Fleet

Look = Callable[[], "Fleet | str"]
"""Reads the cluster, or says why it cannot be read."""


def here(node: Node, what: str, *, peer: str, now: float, look: Look) -> Shown:
    """Return why this node does what it does with *what*."""
    view = node.view()
    must_know((view,), peer, where=f"on node {view.node}")
    found, grounds = _chains(node, view, what, peer, look) if what else ((), ())
    prefixes = {one.prefix for one in found if one.prefix}
    notes = (*dict.fromkeys(_even(grounds, prefixes)), *_room(node, view, what))
    waiting = _waiting(found, what, look, "".join({one.class_served for one in grounds}))
    shown = shown_of(view, what, found, now=now, notes=notes, waiting=waiting)
    shown = replace(shown, silent=_silent(view))
    if shown.known or view.agent is not None:
        return shown
    why = f"only the agent knows Services, and it does not answer ({view.agent_error}): ask for "
    instead = "the address" if view.speaker is not None else "the cluster, by --all-nodes"
    return replace(shown, text=f"{wrapped(why + instead, indent='  ')}\n")


def of_node(node: Node) -> Shown:
    """Return what happens if this node dies or is rebooted now."""
    view = node.view()
    found = outlook(view, node.alone())
    return Shown(
        text=outlook_text(found),
        document=outlook_document(found),
        well=found.safe,
        silent=_silent(view),
    )


def _silent(view: View) -> bool:
    """Return whether nobody answered whom we may ask."""
    return view.agent is None and view.speaker is None


def _chains(
    node: Node, view: View, what: str, peer: str, look: Look
) -> tuple[tuple[Chain, ...], tuple[Grounds, ...]]:
    """Return the chains of what *what* names, and what the agent's decisions rest on."""
    prefix = prefix_of(what)
    grounds = node.grounds(what) if view.agent is not None else ()
    known = () if isinstance(grounds, str) else grounds
    named = subjects(view, what, prefix, known)
    if not named and view.agent is None and prefix is None:
        named = _by_cluster(view, what, look())
    if not named:
        return (), ()
    told = _told(node, {one.prefix for one in named if one.prefix})
    unknown = [one for one in (grounds, told) if isinstance(one, str)]
    if view.agent is None:
        unknown.insert(
            0, f"what the agent decides now ({view.agent_error}); it let this pass before"
        )
    routes = None if isinstance(told, str) else told
    return chains(view, named, routes, peer=peer, unknown="; ".join(unknown)), known


def _told(node: Node, prefixes: set[Prefix]) -> SpeakerRoutes | str:
    """Return what the speaker told its peers of *prefixes*: of all it may be a lot."""
    found = SpeakerRoutes(node="")
    for prefix in sorted(prefixes):
        told = node.told(prefix=prefix)
        if isinstance(told, str):
            return told
        found = replace(told, routes=(*found.routes, *told.routes))
    return found


def _room(node: Node, view: View, what: str) -> tuple[str, ...]:
    """Return how near the peer that *what* names is to its prefix limit."""
    sessions = view.speaker.sessions if view.speaker is not None else ()
    services = view.agent.services if view.agent is not None else {}
    return tuple(
        f"{session.peer}: {sentence}"
        for session in sessions
        if session.max_prefixes is not None and what in {session.peer, session.address}
        for sentence in room(session, _routes_of(node, session.peer), services)
    )


def _routes_of(node: Node, peer: str) -> tuple[PeerRoute, ...]:
    told = node.told(peer)
    return () if isinstance(told, str) else told.routes


def _by_cluster(view: View, what: str, fleet: "Fleet | str") -> tuple[Subject, ...]:
    """Return the addresses of a Service as the API has them: a speaker knows only prefixes."""
    from bgpd.migrate.found import ingress_of, key_of, name_of  # noqa: PLC0415

    services = () if isinstance(fleet, str) else fleet.of("Service")
    return tuple(
        replace(one, service=key_of(service))
        for service in services
        if what.lower() in {key_of(service), name_of(service)}
        for address in ingress_of(service)
        for one in subjects(view, address, prefix_of(address), ())
    )


def _even(grounds: Sequence[Grounds], prefixes: set[str]) -> list[str]:
    return [
        f"{one.service}: {sentence}"
        for one in grounds
        for prefix in sorted(prefixes)
        for sentence in unevenness(one, prefix)
    ]


def _waiting(found: Sequence[Chain], what: str, look: Look, class_: str) -> "tuple[Pending, ...]":
    """Return what the allocator says, where a Service waits for an address."""
    stops = [one.stop for one in found if one.stop is not None]
    if not any(one.reason is Reason.NO_ADDRESS for one in stops):
        return ()
    from bgpd.ctl.explainpending import Pending, waiting  # noqa: PLC0415

    fleet = look()
    if isinstance(fleet, str):
        why = f"which pools were tried is not known here: {fleet}"
        return (Pending(service=what, why=why),)
    return waiting(fleet, what, load_balancer_class=class_)
