"""Why a node does what it does with one thing: every fact that its agent and speaker have about it.

A fact has names that a person may ask for: a prefix or its address, a Service or a HealthCheck
with or without its namespace, a peer, a member. Without a name, what is not well is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bgpd.ctl.columns import duration, wrapped
from bgpd.ctl.explainrank import why_rank
from bgpd.ctl.table import lever_cell
from bgpd.ctl.view import View, verdict
from bgpd.model.health import Health
from bgpd.model.peer import PeerState
from bgpd.model.reason import Reason
from bgpd.model.route import RANK_STANDBY
from bgpd.model.status import SINCE, MemberState, SessionStatus, SpeakerStatus

_ORDINARY = frozenset({Reason.NOT_LOAD_BALANCER, Reason.OTHER_LOAD_BALANCER_CLASS})
"""Services that nobody meant us with: told when they are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One sentence about one thing."""

    names: frozenset[str]
    """Whoever asks for one of these is told."""
    subject: str
    sentence: str
    well: bool = True
    """Whether it is as it should be."""
    routing: bool = False
    """Whether it is about a route: where the chain of decisions is shown, that says more."""


def explain(view: View, what: str, *, now: float) -> tuple[Fact, ...]:
    """Return the facts about *what*; about nothing in particular, those that are not well."""
    facts = tuple(_facts(view, now))
    if not what:
        return tuple(fact for fact in facts if not fact.well)
    asked = what.lower()
    found = [fact for fact in facts if asked in fact.names]
    # Whoever asks for an address means its Service as well, and the other way round.
    kin = frozenset[str]().union(*(fact.names for fact in found if fact.names & _routes(view)))
    return tuple(fact for fact in facts if asked in fact.names or fact.names & kin)


def report(facts: Sequence[Fact]) -> str:
    """Return *facts* for people, one paragraph each."""
    lines = (f"{fact.subject}: {fact.sentence}" for fact in facts)
    return "".join(f"{wrapped(line, indent='  ')}\n" for line in lines)


def document(facts: Sequence[Fact], chains: Sequence[object] = ()) -> dict[str, object]:
    """Return *facts* for programs, and *chains* of decisions beside them."""
    items = [{"about": f.subject, "what": f.sentence, "well": f.well} for f in facts]
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "ExplanationList",
        "items": items,
        "chains": list(chains),
    }


def _facts(view: View, now: float) -> Iterator[Fact]:
    yield from _advertised(view)
    yield from _withheld(view)
    yield from _probes(view, now)
    if view.speaker is not None:
        for session in view.speaker.sessions:
            yield from _session(session, now)
        yield from _members(view.speaker)
    yield from _node(view)


def _names(*words: str) -> frozenset[str]:
    found = set()
    for word in filter(None, words):
        whole = word.lower()
        found |= {whole, *_parts(whole)}
    return frozenset(found)


def _parts(word: str) -> Iterator[str]:
    """Yield what people leave out: the length of a prefix, the namespace of an object."""
    left, slash, right = word.partition("/")
    if slash:
        yield left if right.isdecimal() else right


def _routes(view: View) -> frozenset[str]:
    """Return the prefixes and Services that are known, whole."""
    services = view.agent.services if view.agent is not None else {}
    prefixes = {prefix.lower() for prefix in services}
    prefixes |= {one.prefix.lower() for one in view.withheld if one.prefix}
    prefixes |= {one.prefix.lower() for one in (view.speaker.routes if view.speaker else ())}
    return frozenset(prefixes)


def _advertised(view: View) -> Iterator[Fact]:
    speaker = view.speaker
    if speaker is None:
        return
    services = view.agent.services if view.agent is not None else {}
    doubt = view.agent.health.doubt if view.agent is not None else ()
    for route in speaker.routes:
        owners = route.services or services.get(route.prefix, ())
        med = f", MED {route.med}" if route.med is not None else ""
        where = f"advertised to {', '.join(route.peers)}" if route.peers else "waits for a session"
        why = why_rank(route.rank, route.prefix, speaker, doubt)
        yield Fact(
            names=_names(route.prefix, *owners),
            subject=f"{route.prefix} ({', '.join(owners)})" if owners else route.prefix,
            sentence=f"{where} at rank {route.rank}{med}{f': {why}' if why else ''}",
            well=bool(route.peers) and route.rank <= RANK_STANDBY,
            routing=True,
        )


def _withheld(view: View) -> Iterator[Fact]:
    for one in view.withheld:
        to = f" to {one.peer}" if one.peer else ""
        yield Fact(
            names=_names(one.service, one.prefix or "", one.peer or ""),
            subject=" ".join(filter(None, (one.service, one.prefix))),
            sentence=f"not advertised{to}: {one.reason.value}: {one.message}",
            well=one.reason in _ORDINARY,
            routing=True,
        )


def _probes(view: View, now: float) -> Iterator[Fact]:
    for one in view.agent.health.probes if view.agent is not None else ():
        name = f"HealthCheck {one.check}" if one.check else "healthCheckNodePort"
        since = f" for {duration(now - one.since)}" if one.since else ""
        said = f": {one.message}" if one.message else ""
        # A BGPNodeStatus tells that it fails, and not how often it was asked.
        told = one.probes or one.health is Health.UNKNOWN
        count = f" ({one.failures} of {one.probes} failed)" if told else ""
        yield Fact(
            names=_names(one.service, one.check),
            subject=f"{name} of {one.service}",
            sentence=f"{one.health.value}{since}{said}{count}",
            well=one.health is Health.HEALTHY,
        )


def _last_error(session: SessionStatus) -> str:
    """Return why a session is down; of one that is up, why the one before it ended."""
    if not session.last_error:
        return ""
    if session.state is PeerState.ESTABLISHED:
        return f"; it had ended before: {session.last_error.partition(SINCE)[0]}"
    return f"; last error: {session.last_error}"


def _session(session: SessionStatus, now: float) -> Iterator[Fact]:
    names = _names(session.peer, session.address)
    since = f" for {duration(now - session.since)}" if session.since is not None else ""
    keeps = ", keeps our routes over a restart" if session.graceful_restart else ""
    error = _last_error(session)
    lever = f", lever {lever_cell(session)}" if session.lever_probed else ""
    routes = f"{session.advertised} advertised"
    yield Fact(
        names=names,
        subject=f"session {session.peer} ({session.address})",
        sentence=f"{session.state.value}{since}, {routes}{lever}{keeps}{error}",
        well=session.state is PeerState.ESTABLISHED,
    )
    bfd = session.bfd
    if bfd is None:
        return
    counted = ", ".join(f"{name} {count}" for name, count in sorted(bfd.counters.items()) if count)
    parts = (
        f"{bfd.state.value}{', dampened' if bfd.dampened else ''}",
        f"last error: {bfd.last_error}" if bfd.last_error else "",
        f"counted: {counted}" if counted else "",
    )
    yield Fact(
        names=names,
        subject=f"BFD {session.peer}",
        sentence="; ".join(filter(None, parts)),
        well=not bfd.dampened and not (bfd.last_error and bfd.state.value != "Up"),
    )


def _members(speaker: SpeakerStatus) -> Iterator[Fact]:
    for member in speaker.mesh.members if speaker.mesh is not None else ():
        says = [
            word
            for word, true in (
                ("drained", member.draining),
                ("in doubt", member.doubtful),
                ("without its agent", not member.agent_alive),
                ("does not hear us", not member.hears_us),
            )
            if true
        ]
        yield Fact(
            names=_names(member.name, member.address),
            subject=f"member {member.name}",
            sentence=", ".join((member.state.value, *says)),
            well=member.state is MemberState.ALIVE and not says,
        )


def _node(view: View) -> Iterator[Fact]:
    """Yield what is wrong with the node as a whole, and the conditions, by what they name.

    Of a session or a member, its own fact has told it.
    """
    own = tuple(_own(view))
    for problem in verdict(view).problems:
        if problem.startswith(own):
            continue
        words = (word.strip("()[]{}:;,.'\"") for word in problem.split())
        node = (view.node,) if view.node else ()
        yield Fact(names=_names(*words, *node), subject="node", sentence=problem, well=False)


def _own(view: View) -> Iterator[str]:
    """Yield how problems begin that a fact of their own tells."""
    if view.speaker is not None:
        yield from (f"session {one.peer} is " for one in view.speaker.sessions)
        if view.speaker.mesh is not None:
            yield from (f"member {one.name} is " for one in view.speaker.mesh.members)
