"""The gates towards each peer: the speaker's, and what ExaBGP and the session make of it."""

from collections.abc import Iterable, Iterator

from bgpd.ctl.explainlink import Link, PeerChain, Step, Subject, stopping, unreached
from bgpd.ctl.explainrank import attributes_text, why_rank
from bgpd.ctl.gates import PEER_GATES, Gate, gate_of
from bgpd.ctl.view import View
from bgpd.model.grounds import PeerRoute
from bgpd.model.peer import PeerState
from bgpd.model.reason import Withheld
from bgpd.model.status import SessionStatus


def peer_chains(
    view: View,
    subject: Subject,
    sessions: Iterable[SessionStatus],
    rows: list[PeerRoute],
    *,
    whole: bool = True,
) -> Iterator[PeerChain]:
    """Yield the chain of *subject* towards each of *sessions*, and towards who has none.

    *rows* that are not *whole* are a status': of a session that is down it tells no routes.
    """
    known = set()
    for session in sessions:
        known.add(session.peer)
        yield _peer_chain(view, subject, session, rows, whole=whole)
    for row in rows:
        if row.peer not in known and row.withheld is not None:
            gate = gate_of(row.withheld.reason)
            links = (stopping(gate, row.withheld), *unreached(PEER_GATES[1:]))
            yield PeerChain(peer=row.peer, session="no such session", links=links)


def _peer_chain(
    view: View, subject: Subject, session: SessionStatus, rows: list[PeerRoute], *, whole: bool
) -> PeerChain:
    row = next((one for one in rows if one.peer == session.peer), None)
    stop = _peer_stop(view, subject, session, row)
    is_down = session.state is not PeerState.ESTABLISHED
    if stop is None and row is None and is_down and not whole:
        links = tuple(_unheard(session))
    else:
        links = tuple(_peer_links(session, row, stop))
    heard = all(one.step is Step.PASSED for one in links)
    rank = _rank(view, subject) if heard else None
    why = ""
    if rank is not None and subject.prefix and view.speaker is not None:
        doubt = view.agent.health.doubt if view.agent is not None else ()
        why = why_rank(rank, subject.prefix, view.speaker, doubt)
    return PeerChain(
        peer=session.peer,
        session=f"{session.address}, {session.state.value}",
        links=links,
        sent=attributes_text(session, row) if heard and row is not None else "",
        rank=rank,
        because=why,
    )


def _rank(view: View, subject: Subject) -> int | None:
    for one in view.speaker.routes if view.speaker is not None else ():
        if one.prefix == subject.prefix:
            return one.rank
    return None


def _unheard(session: SessionStatus) -> Iterator[Link]:
    """Yield the gates towards a session that is down: whether it is meant for it nobody tells."""
    offer, *between, _ = PEER_GATES
    yield Link(gate=offer.name, step=Step.UNKNOWN, sentence=offer.question)
    yield from unreached(between)
    yield _session(session, None)


def _peer_links(
    session: SessionStatus, row: PeerRoute | None, stop: Withheld | None
) -> Iterator[Link]:
    if stop is None and row is None:
        yield Link(
            gate=PEER_GATES[0].name,
            step=Step.STOPS,
            sentence=f"no BGPAdvertisement of it names peer {session.peer}",
            change="Name the peer in `spec.peers` of the BGPAdvertisement, or name none there.",
        )
        yield from unreached(PEER_GATES[1:])
        return
    last = None if stop is None else gate_of(stop.reason)
    for index, gate in enumerate(PEER_GATES):
        if gate is last and stop is not None:
            yield stopping(gate, stop)
            yield from unreached(PEER_GATES[index + 1 :])
            return
        if gate is not PEER_GATES[-1]:
            yield Link(gate=gate.name, step=Step.PASSED, sentence=_passed(gate, session))
    yield _session(session, row)


def _peer_stop(
    view: View, subject: Subject, session: SessionStatus, row: PeerRoute | None
) -> Withheld | None:
    if row is not None and row.withheld is not None:
        return row.withheld
    for one in view.withheld:
        if one.prefix == subject.prefix and one.prefix and one.peer == session.peer:
            return one
    if row is not None and row.told is not None:
        return None
    return next(
        (one for one in view.withheld if one.prefix == subject.prefix and not one.service), None
    )


def _passed(gate: Gate, session: SessionStatus) -> str:
    if gate.name == "room":
        limit = session.max_prefixes
        return "it has no limit" if limit is None else f"{session.advertised} of {limit} are taken"
    if gate.name == "family" and session.families:
        return ", ".join(one.value for one in session.families)
    return ""


def _session(session: SessionStatus, row: PeerRoute | None) -> Link:
    name = PEER_GATES[-1].name
    if row is not None and row.refused:
        return Link(
            gate=name,
            step=Step.STOPS,
            sentence="ExaBGP would not take the route; it is said again when the session changes",
            change="`bgpctl events` has what ExaBGP said of it.",
        )
    if session.state is not PeerState.ESTABLISHED:
        why = f": {session.last_error}" if session.last_error else ""
        return Link(
            gate=name,
            step=Step.STOPS,
            sentence=f"the session is {session.state.value}{why}",
            change=f"`bgpctl explain {session.peer}` and `bgpctl doctor` say why it is down.",
        )
    if row is not None and row.wanted is not None and row.told is None:
        return Link(
            gate=name,
            step=Step.STOPS,
            sentence="ExaBGP was not told of it yet",
            change="Nothing but a moment; `bgpctl diff` shows whether it stays so.",
        )
    return Link(gate=name, step=Step.PASSED, sentence="established")
