"""What both ends of a session agreed on, and what becomes of the routes on it."""

from ipaddress import ip_network
from typing import Final

from bgpd.ctl.columns import counted
from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Facts, PeerFacts
from bgpd.model.peer import BFDState, PeerState
from bgpd.model.reason import Reason

_SHORT_HOLD: Final = 6
"""Keepalives leave each third of the hold time: below two seconds a busy moment is an end."""
_LONG_HOLD: Final = 180
_NEARLY: Final = 0.9

_Verdict = tuple[Level, str, str]


def hold(facts: Facts) -> Findings:
    """Judge the hold time that was negotiated."""
    for peer in facts.peers:
        level, sentence, command = _hold(peer)
        yield _of("hold", level, peer, sentence, command)


def families(facts: Facts) -> Findings:
    """Judge whether the router takes routes of every family that it is offered."""
    for peer in facts.peers:
        level, sentence, command = _families(peer)
        yield _of("families", level, peer, sentence, command)


def limit(facts: Facts) -> Findings:
    """Judge how near each session is to the number of prefixes that the router takes."""
    for peer in facts.peers:
        level, sentence, command = _limit(peer, facts)
        yield _of("limit", level, peer, sentence, command)


def accepted(facts: Facts) -> Findings:
    """Judge whether the router takes the routes, as far as that can be known here."""
    for peer in facts.peers:
        level, sentence, command = _accepted(peer, facts)
        yield _of("accepted", level, peer, sentence, command)


def bfd(facts: Facts) -> Findings:
    """Judge the BFD sessions."""
    for peer in facts.peers:
        level, sentence, command = _bfd(peer)
        yield _of("bfd", level, peer, sentence, command)


def damping(facts: Facts) -> Findings:
    """Judge what is left of the changes that a router which dampens flaps may hear."""
    for peer in facts.peers:
        budget = peer.session.damping_budget if peer.session is not None else None
        if budget is None:
            continue
        if budget:
            sentence = f"{counted(budget, 'more takeover')} may be told to it now"
            yield _of("damping", Level.OK, peer, sentence)
            continue
        sentence = (
            "its router dampens flaps and has heard as many changes as it takes: until some time"
            " has passed, a dead node's routes lose only when the router's hold timer ends"
        )
        yield _of("damping", Level.WARN, peer, sentence, "bgpctl status -o wide")


def established(peer: PeerFacts) -> bool:
    """Return whether the session is up."""
    return peer.session is not None and peer.session.state is PeerState.ESTABLISHED


def _of(check: str, level: Level, peer: PeerFacts, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=peer.name, sentence=sentence, next_command=command
    )


def _explain(peer: PeerFacts) -> str:
    return f"bgpctl explain {peer.name}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _not_up(peer: PeerFacts) -> _Verdict:
    why = "the session is not established" if peer.session else "the speaker does not answer"
    return Level.SKIP, f"not known, because {why}", ""


def _hold(peer: PeerFacts) -> _Verdict:
    session = peer.session
    if session is None or not established(peer) or session.hold_time is None:
        return _not_up(peer)
    agreed, wanted = session.hold_time, session.wanted_hold_time or peer.wanted_hold_time
    asked = f" ({wanted} s wanted, the router asked for less)" if wanted and agreed < wanted else ""
    command = f"bgpctl explain {peer.name}"
    if not agreed:
        sentence = "no keepalives are exchanged (hold time 0): a router that is gone is not noticed"
        return Level.WARN, sentence, command
    if agreed < _SHORT_HOLD:
        sentence = (
            f"{agreed} s{asked}: keepalives each {agreed / 3:.1f} s, so a moment without processor"
            " time ends the session; use BFD and a longer hold time"
        )
        return Level.WARN, sentence, command
    watched = session.bfd is not None and session.bfd.state is BFDState.UP
    if agreed > _LONG_HOLD and not watched:
        sentence = (
            f"{agreed} s{asked}: a silent router is noticed only after that; lower holdTime, or"
            " use BFD"
        )
        return Level.WARN, sentence, command
    return Level.OK, f"{agreed} s{asked}, keepalives each {agreed // 3} s", ""


def _families(peer: PeerFacts) -> _Verdict:
    session = peer.session
    if session is None or not established(peer) or not session.families:
        return _not_up(peer)
    wanted = session.wanted_families or peer.wanted_families
    missing = sorted(one.value for one in wanted if one not in session.families)
    has = ", ".join(sorted(one.value for one in session.families))
    if not missing:
        return Level.OK, f"{has} was negotiated", ""
    sentence = (
        f"the router speaks {has}, but not {', '.join(missing)}, so it is offered no such routes;"
        " activate the family for this neighbor there, or leave it out of families"
    )
    return Level.FAIL, sentence, _explain(peer)


def _limit(peer: PeerFacts, facts: Facts) -> _Verdict:
    session = peer.session
    if session is None:
        return _not_up(peer)
    most, used = session.max_prefixes, session.advertised
    left_out = sorted(
        one.prefix or one.service
        for one in facts.view.withheld
        if one.reason is Reason.PREFIX_LIMIT and one.peer in {None, peer.name}
    )
    if left_out:
        shown = ", ".join(left_out[:3]) + (f" and {len(left_out) - 3} more" if left_out[3:] else "")
        sentence = (
            f"the router takes {most} prefixes, so {shown} {'is' if len(left_out) == 1 else 'are'}"
            " not advertised to it; raise its limit and maxPrefixes, or give what matters a larger"
            " priority"
        )
        return Level.FAIL, sentence, "bgpctl explain"
    if most is None:
        sentence = f"{_prefixes(used)} advertised; how many the router takes is not known"
        return Level.OK, sentence, ""
    if used >= most * _NEARLY:
        sentence = f"{used} of {most} prefixes that the router takes are used"
        return Level.WARN, sentence, "bgpctl status"
    return Level.OK, f"{used} of {most} prefixes that the router takes are used", ""


def _prefixes(number: int) -> str:
    return "1 prefix is" if number == 1 else f"{number} prefixes are"


def _accepted(peer: PeerFacts, facts: Facts) -> _Verdict:
    session = peer.session
    if session is None or not established(peer):
        return _not_up(peer)
    if not session.advertised:
        return Level.OK, "nothing is advertised to it now", ""
    refused = _refused(peer, facts)
    if refused:
        sentence = (
            f"the provider's routers take nothing outside of what it says, and {refused} is; assign"
            " the prefix to this server at the provider"
        )
        return Level.FAIL, sentence, "bgpctl explain"
    sentence = (
        f"{counted(session.advertised, 'route')} offered; only the router knows what it took: BIRD"
        " `birdc show route`, FRR `show bgp neighbors"
        f" {peer.source or 'NODE'} routes`, Junos `show route receive-protocol bgp`"
    )
    return Level.SKIP, sentence, ""


def _refused(peer: PeerFacts, facts: Facts) -> str:
    """Return what is advertised and outside of what the provider says that its router takes."""
    taken = [
        ip_network(prefix) for one in facts.metadata for prefix in one.accepts.get(peer.address, ())
    ]
    routes = facts.view.speaker.routes if facts.view.speaker is not None else ()
    if not taken:
        return ""
    outside = [
        route.prefix
        for route in routes
        if peer.name in route.peers
        and not any(
            one.version == (network := ip_network(route.prefix)).version and network.subnet_of(one)  # type: ignore[arg-type]
            for one in taken
        )
    ]
    return ", ".join(sorted(outside)[:3])


def _bfd(peer: PeerFacts) -> _Verdict:
    session = peer.session
    if session is None:
        return _not_up(peer)
    watch = session.bfd
    if watch is None:
        return Level.OK, "not wanted: the hold timer watches the router", ""
    error = _because(watch.last_error)
    if watch.dampened:
        sentence = f"it flapped so often that its word does not count for a while{error}"
        return Level.WARN, sentence, _explain(peer)
    if watch.state is BFDState.UP:
        times = [
            f"{what} after {value:.0f} ms"
            for what, value in (
                ("a silent router is noticed", watch.detection_milliseconds),
                ("it notices us", watch.remote_detection_milliseconds),
            )
            if value is not None
        ]
        return Level.OK, "; ".join(("Up", *times)), ""
    if watch.state is BFDState.ADMIN_DOWN:
        return Level.WARN, f"AdminDown{error}", _explain(peer)
    sentence = f"{watch.state.value}{error}; is BFD configured for this neighbor on the router?"
    level = Level.WARN if established(peer) else Level.FAIL
    return level, sentence, _explain(peer)
