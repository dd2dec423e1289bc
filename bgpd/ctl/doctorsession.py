"""Each session, from the first SYN to the routes: what is wrong, by what the kernel and ExaBGP say.

A connect by hand proves less than it seems. Where TCP MD5 is used a plain SYN is dropped without a
word, by design; so the state of the session is asked first, and the connect only tells apart what
a session that is down leaves open.
"""

from typing import Final

from bgpd.ctl.columns import duration
from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctoragreed import established
from bgpd.ctl.doctorfacts import Answer, Facts, PeerFacts
from bgpd.model.peer import PeerState
from bgpd.model.status import SINCE, SessionStatus

_UNANSWERED: Final = "does not answer"
_UNREACHED: Final = (
    _UNANSWERED,
    "refuses connections",
    "is not reachable",
    "has no route to",
    "is no address of this host",
    "firewall forbids",
    "acknowledged nothing",
)
"""Words of last errors after which nobody knows whether TCP gets through (`exabgp.refusal`)."""
_TALKING: Final = frozenset({PeerState.OPEN_SENT, PeerState.OPEN_CONFIRM, PeerState.ESTABLISHED})
_DEAF: Final = 6.0
"""Seconds; the kernel asks an idle router each second (`exabgp.transport`), busy ones answer."""
_YOUNG: Final = 5.0
"""Seconds in which a session that is being made may not be there yet."""
_MD5_DROPS: Final = ("TCPMD5Failure", "TCPMD5NotFound", "TCPMD5Unexpected")


def tcp(facts: Facts) -> Findings:
    """Judge whether each router can be connected to."""
    for peer in facts.peers:
        level, sentence, command = _tcp(peer)
        yield _of("tcp", level, peer, sentence, command)


def md5(facts: Facts) -> Findings:
    """Judge whether both ends have the same TCP MD5 key."""
    for peer in facts.peers:
        level, sentence, command = _md5(peer, facts)
        yield _of("md5", level, peer, sentence, command)


def opened(facts: Facts) -> Findings:
    """Judge whether the router accepts our OPEN, and we its."""
    for peer in facts.peers:
        level, sentence, command = _opened(peer, facts.now)
        yield _of("open", level, peer, sentence, command)


def talks(peer: PeerFacts) -> bool:
    """Return whether both ends exchange, or exchanged last, more than SYNs."""
    if peer.connection is not None:
        return True
    if peer.session is None:
        return False
    return peer.session.state in _TALKING or reached(peer.session.last_error)


def reached(error: str) -> bool:
    """Return whether a session that ended with *error* had a TCP connection at its last attempt."""
    last = error.rpartition(SINCE)[2]
    if "NOTIFICATION" in last:
        # What we ended ourselves says nothing of the router.
        return not last.startswith("we ") or "NOTIFICATION 6/" not in last
    return bool(last) and not any(words in last for words in _UNREACHED)


def _of(check: str, level: Level, peer: PeerFacts, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=peer.name, sentence=sentence, next_command=command
    )


_Verdict = tuple[Level, str, str]


def _explain(peer: PeerFacts) -> str:
    return f"bgpctl explain {peer.name}"


def _said(peer: PeerFacts) -> str:
    return peer.session.last_error if peer.session is not None else ""


def _where(peer: PeerFacts) -> str:
    return f"[{peer.address}]:{peer.port}" if ":" in peer.address else f"{peer.address}:{peer.port}"


def _tcp(peer: PeerFacts) -> _Verdict:
    deaf = _deaf(peer)
    if deaf:
        return Level.FAIL, deaf, _ping(peer)
    if talks(peer) or peer.connect.answer is Answer.YES:
        return Level.OK, _through(peer), ""
    return _unreached(peer)


def _deaf(peer: PeerFacts) -> str:
    """Return what is wrong with a connection that seems to be up."""
    silence = peer.connection.silence_seconds if peer.connection is not None else None
    if not established(peer) or silence is None or silence <= _DEAF:
        return ""
    return (
        f"the session with {_where(peer)} is still up, but nothing has been acknowledged for"
        f" {silence:.0f} s: packets are lost on the way, there or back, or the router is dead"
    )


def _through(peer: PeerFacts) -> str:
    if talks(peer):
        return f"there is, or was just now, a connection with {_where(peer)}"
    return f"{_where(peer)} accepts connections{_from(peer)}"


def _from(peer: PeerFacts) -> str:
    return f" from {peer.source}" if peer.source else ""


def _unreached(peer: PeerFacts) -> _Verdict:
    """Judge a router with which there is no connection."""
    answer, detail = peer.connect.answer, peer.connect.detail
    source = _from(peer)
    if answer is Answer.REFUSED:
        sentence = (
            f"{_where(peer)} refuses connections{source}: no BGP runs there, it listens on another"
            " port, or it does not know this source as a neighbor"
        )
        return Level.FAIL, sentence, _explain(peer)
    if answer is Answer.FAILED:
        return Level.FAIL, f"{_where(peer)} cannot be reached{source}: {detail}", _ping(peer)
    if answer is Answer.NOT_TRIED:
        why = detail or _said(peer)
        return Level.SKIP, f"nobody tried to connect to {_where(peer)}{_because(why)}", ""
    return _silent(peer, source)


def _silent(peer: PeerFacts, source: str) -> _Verdict:
    where, ping = _where(peer), peer.ping.answer
    if ping is Answer.YES and peer.signed:
        sentence = (
            f"{where} answers ping but no plain connect{source}, as a router does that expects"
            " TCP MD5: see md5"
        )
        return Level.OK, sentence, ""
    if ping is Answer.YES:
        sentence = (
            f"{where} answers ping but no connect{source}: a filter drops TCP port {peer.port}, or"
            " the router expects a TCP MD5 password, which the BGPPeer does not have"
        )
        return Level.FAIL, sentence, f"nft list ruleset | grep -n -e {peer.port} -e policy"
    unheard = "no ping either" if ping is Answer.SILENT else "and could not be pinged"
    keys = ", or the TCP MD5 passwords differ and it answers no ping" if peer.signed else ""
    sentence = (
        f"{where} does not answer a connect{source}, {unheard}: it is down, the way to it or back"
        f" is broken, or a filter drops packets{keys}"
    )
    return Level.FAIL, sentence, _ping(peer)


def _ping(peer: PeerFacts) -> str:
    source = f" -I {peer.source}" if peer.source else ""
    return f"ping -c 3{source} {peer.address}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _md5(peer: PeerFacts, facts: Facts) -> _Verdict:
    if peer.signed is None:
        return Level.SKIP, "whether the session has a password is not known: nobody says", ""
    if not peer.signed:
        return _unsigned(peer, facts)
    if talks(peer):
        return Level.OK, "signed segments come through, so both ends have the same password", ""
    return _signed(peer, facts)


def _signed(peer: PeerFacts, facts: Facts) -> _Verdict:
    """Judge a session with a password that nothing comes through."""
    if peer.connect.answer is Answer.YES:
        sentence = (
            f"{_where(peer)} accepts a connection without a signature: it has no password for"
            f" {peer.source or 'this node'}, the BGPPeer has one; set it there or remove it here"
        )
        return Level.FAIL, sentence, _explain(peer)
    if _UNANSWERED not in _said(peer):
        return Level.SKIP, "cannot be told: no signed segment was sent that stayed unanswered", ""
    if peer.connect.answer is Answer.SILENT and peer.ping.answer is Answer.YES:
        sentence = (
            f"{_where(peer)} answers ping, but no signed and no plain SYN: most likely the"
            " passwords of both ends differ; if they do not, a filter drops TCP port"
            f" {peer.port}{_dropped(facts)}"
        )
        return Level.FAIL, sentence, _explain(peer)
    return Level.SKIP, "cannot be told while the router answers nothing", ""


def _unsigned(peer: PeerFacts, facts: Facts) -> _Verdict:
    unexpected = facts.host.counters.get("TCPMD5Unexpected", 0)
    if unexpected and not talks(peer):
        sentence = (
            f"no password is configured, and the kernel has dropped {unexpected} signed segments"
            " that it has no key for: the router seems to expect one"
        )
        return Level.WARN, sentence, "nstat -az | grep MD5"
    return Level.OK, "no password is configured", ""


def _dropped(facts: Facts) -> str:
    found = [
        f"{name} {facts.host.counters[name]}"
        for name in _MD5_DROPS
        if facts.host.counters.get(name)
    ]
    return f" (dropped by our kernel: {', '.join(found)})" if found else ""


def _opened(peer: PeerFacts, now: float) -> _Verdict:
    session = peer.session
    if session is None:
        return Level.SKIP, "the state of the session is not known: the speaker does not answer", ""
    if session.state is PeerState.ESTABLISHED:
        return Level.OK, _up(session, now), ""
    since = f" for {duration(now - session.since)}" if session.since is not None else ""
    sentence = f"{session.state.value}{since}{_because(session.last_error)}"
    young = session.since is not None and now - session.since < _YOUNG
    if young and not reached(session.last_error) and _UNANSWERED not in session.last_error:
        return Level.WARN, f"{sentence}; it is just being made, ask again", "bgpctl doctor"
    return Level.FAIL, sentence, _explain(peer)


def _up(session: SessionStatus, now: float) -> str:
    since = f" for {duration(now - session.since)}" if session.since is not None else ""
    router = f", router ID {session.peer_router_id}" if session.peer_router_id else ""
    return f"Established{since} with AS {session.peer_asn}{router}"
