"""What `bgpctl explain` shows of other nodes, and of the whole cluster."""

from dataclasses import replace
from typing import Final

from bgpd.ctl.columns import duration, wrapped
from bgpd.ctl.document import API_VERSION
from bgpd.ctl.explainask import prefix_of
from bgpd.ctl.explainchain import chains
from bgpd.ctl.explainfleet import Spread, spread_document, spread_text, spreads
from bgpd.ctl.explainhistory import History, history, history_document, history_text
from bgpd.ctl.explainnode import outlook, outlook_document, outlook_text
from bgpd.ctl.explainpending import waiting
from bgpd.ctl.explainshown import Shown, shown_of, waiting_document, waiting_text
from bgpd.ctl.explainsubject import must_know, subjects
from bgpd.ctl.fleet import Fleet, NodeSeen
from bgpd.model.prefix import Prefix

_EVENTS: Final = "/apis/events.k8s.io/v1/events"
_HEAD: Final = {"apiVersion": API_VERSION, "kind": "ExplanationList"}


def there(seen: NodeSeen, what: str, *, peer: str, now: float) -> Shown:
    """Return why another node does what it does with *what*, as its agent wrote it last."""
    must_know((seen.view,), peer, where=f"on node {seen.name}")
    named = subjects(seen.view, what, prefix_of(what), ()) if what else ()
    found = chains(seen.view, named, None, peer=peer, unknown=_limits(seen))
    shown = shown_of(seen.view, what, found, now=now)
    doubts = _doubts(seen, now)
    return Shown(
        # Of a node that may be dead people have to know that before they read what it wrote.
        text=doubts + shown.text if seen.doubts else shown.text + doubts,
        document={**shown.document, "node": seen.name, "doubts": list(seen.doubts)},
        known=shown.known,
    )


def everywhere(
    fleet: Fleet, what: str, *, now: float, peer: str = "", since: float | None = None
) -> Shown:
    """Return which nodes carry *what*, where its traffic goes, and why the others do not.

    With *peer* only what that one hears counts. With *since*, a wall clock, also who carried it
    then, and what happened from there on.
    """
    must_know([one.view for one in fleet.nodes], peer, where="on any node")
    found = spreads(fleet, what, prefix_of(what), peer=peer)
    asking = waiting(fleet, what) if not found or not all(one.prefix for one in found) else ()
    with_address = [one for one in found if one.prefix]
    # Events that could not be read are unknown: none would mean that nothing ever moved.
    silent = any(_EVENTS in one for one in fleet.unread)
    told = () if silent else with_address
    past = {} if since is None else {one.prefix: _past(fleet, one, since) for one in told}
    text = "\n".join(
        spread_text(one, now=now)
        + (history_text(past[one.prefix], now=now) if one.prefix in past else "")
        for one in with_address
    )
    text += waiting_text(asking)
    if since is not None and silent:
        text += "who carried it before is not known: that is in Events\n"
    unread = "".join(f"{wrapped(f'not read: {one}', indent='  ')}\n" for one in fleet.unread)
    return Shown(
        text=text + unread,
        document={
            **_HEAD,
            "elasticIPs": [spread_document(one) for one in with_address],
            "pending": waiting_document(asking),
            "unread": list(fleet.unread),
            "history": [
                {"prefix": prefix, **history_document(one)} for prefix, one in past.items()
            ],
        },
        known=bool(with_address or asking),
    )


def of_other_node(fleet: Fleet, seen: NodeSeen, now: float) -> Shown:
    """Return the same of a node of the cluster, by what all of them advertise."""
    found = outlook(seen.view, alone_of(fleet, seen.name))
    if seen.doubts:
        found = replace(found, sure=False)
    text = outlook_text(found) + _doubts(seen, now)
    return Shown(text=text, document=outlook_document(found), well=found.safe)


def alone_of(fleet: Fleet, name: str) -> tuple[Prefix, ...]:
    """Return what *name* advertises and no other live, undrained node does."""
    carried: dict[str, set[Prefix]] = {}
    for one in fleet.nodes:
        speaker = one.view.speaker
        if speaker is not None and (one.name == name or not (one.gone or speaker.draining)):
            carried[one.name] = {route.prefix for route in speaker.routes if route.peers}
    others = set[Prefix]().union(*(routes for node, routes in carried.items() if node != name))
    return tuple(sorted(carried.get(name, set()) - others))


def _past(fleet: Fleet, spread: Spread, since: float) -> History:
    return history(
        fleet.of("Event"),
        spread.service,
        spread.prefix,
        nodes={one.node: one.carries for one in spread.seats},
        since=since,
    )


def _limits(seen: NodeSeen) -> str:
    """Return what a status cannot tell of another node."""
    counts = seen.status.counts if seen.status is not None else None
    if counts is None or seen.status is None:
        return ""
    cut = len(seen.status.withheld) < counts.withheld
    return "its BGPNodeStatus has no room for everything that is withheld there" if cut else ""


def _doubts(seen: NodeSeen, now: float) -> str:
    age = f"{seen.name} wrote this {duration(now - seen.written)} ago" if seen.written else ""
    lines = [*filter(None, [age]), *(f"{seen.name}: {one}" for one in seen.doubts)]
    return "".join(f"{wrapped(one, indent='  ')}\n" for one in lines)
