"""The mesh as one node sees it: who is heard, who hears us, would a death be answered."""

from typing import Final

from bgpd.ctl.columns import duration
from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Answer, Facts, MemberFacts
from bgpd.ctl.doctornode import told
from bgpd.ctl.view import armed
from bgpd.model.status import MemberState, MemberStatus, MeshStatus

_MOST_WELL: Final = 16
"""Members that are named although nothing is wrong with them."""
_LOSSY_PERCENT: Final = 5.0
_NOT_HERE: Final = frozenset({MemberState.UNHEARD, MemberState.DEAD, MemberState.SUSPECT})


def mesh(facts: Facts) -> Findings:
    """Judge whether heartbeats come from each member, and reach it."""
    yield from told(facts, "mesh")
    status = _status(facts)
    if status is None:
        yield from _without(facts)
        return
    others = [one for one in facts.members if one.name != status.node]
    if not others:
        yield _of("mesh", Level.OK, "", "this node is the only member")
    lines = [_member(one) for one in others]
    well = [line for line in lines if line.level is Level.OK]
    if len(well) > _MOST_WELL:
        sentence = f"{len(well)} members are heard, and hear us"
        yield _of("mesh", Level.OK, "", sentence)
        lines = [line for line in lines if line.level is not Level.OK]
    yield from lines


def takeover(facts: Facts) -> Findings:
    """Judge whether the death of a member would be answered now."""
    status = _status(facts)
    trouble = tuple(told(facts, "takeover"))
    yield from trouble
    if status is None:
        yield from _without(facts, "takeover")
        return
    how = armed(status)
    if status.armed:
        yield _of("takeover", Level.OK, "", f"armed: {how}")
    elif not [one for one in facts.members if one.name != status.node]:
        yield _of("takeover", Level.OK, "", "this node is alone: nobody could take over")
    elif any(_member(one).level is Level.FAIL for one in facts.members):
        yield _of("takeover", Level.SKIP, "", f"not armed ({how}), because mesh failed")
    else:
        sentence = f"not armed ({how}): if a node dies now, routers find out by their hold timers"
        yield _of("takeover", Level.WARN, "", sentence, "bgpctl status")


def generation(facts: Facts) -> Findings:
    """Judge whether all members count the same generation."""
    status = _status(facts)
    trouble = tuple(told(facts, "generation"))
    yield from trouble
    if status is None:
        yield from _without(facts, "generation")
        return
    differing = [
        f"{one.name} {one.generation}"
        for one in status.members
        if one.state is MemberState.ALIVE and one.generation not in {None, status.generation}
    ]
    if differing:
        sentence = (
            f"ours is {status.generation}, not so {', '.join(differing)}: for longer than a moment"
            " that says that heartbeats go only one way"
        )
        yield _of("generation", Level.WARN, "", sentence, "bgpctl status")
    elif not trouble:
        yield _of("generation", Level.OK, "", f"{status.generation}, as with all that are heard")


def _status(facts: Facts) -> MeshStatus | None:
    return facts.view.speaker.mesh if facts.view.speaker is not None else None


def _without(facts: Facts, check: str = "mesh") -> Findings:
    if facts.view.speaker is None:
        yield _of(check, Level.SKIP, "", "only the speaker knows, and it does not answer")
        return
    sentence = "the mesh is off: nobody would take over, and nobody is taken over for"
    if check == "mesh":
        yield _of(check, Level.WARN, "", sentence, "bgpctl status")
    else:
        yield _of(check, Level.SKIP, "", "the mesh is off")


def _member(one: MemberFacts) -> Finding:
    where = f"{one.address} UDP port {one.port}"
    status = one.status
    if status is None:
        return _of("mesh", Level.SKIP, one.name, f"{where}: the speaker does not know it")
    if status.state in _NOT_HERE:
        return _absent(one, where, status.state)
    if status.state is MemberState.RESTARTING:
        return _of("mesh", Level.OK, one.name, "restarts, and its kernel answers meanwhile")
    if not status.hears_us:
        sentence = (
            f"we hear it, but it does not hear us: something drops UDP from here to {where};"
            " look for a firewall on that node, and for rules on what leaves this one"
        )
        return _of("mesh", Level.FAIL, one.name, sentence, _rules(one))
    return _heard(one, status, where)


def _heard(one: MemberFacts, status: MemberStatus, where: str) -> Finding:
    if status.state is MemberState.QUARANTINED:
        sentence = "it died and came back so often that its silence does not count for a while"
        return _of("mesh", Level.WARN, one.name, sentence, f"bgpctl explain {one.name}")
    if status.loss_percent >= _LOSSY_PERCENT:
        sentence = f"{status.loss_percent:.1f} % of its heartbeats are lost: suspicion takes longer"
        return _of("mesh", Level.WARN, one.name, sentence, f"ping -c 50 -i 0.1 {one.address}")
    return _of("mesh", Level.OK, one.name, f"{where}: heard, and hears us")


def _absent(one: MemberFacts, where: str, state: MemberState) -> Finding:
    silent = one.status.last_heard_milliseconds if one.status is not None else None
    since = "never heard" if silent is None else f"not heard for {duration(silent / 1000)}"
    if one.knock.answer is Answer.REFUSED:
        sentence = f"{since}: no speaker listens at {where}, though the node is there"
        return _of("mesh", Level.FAIL, one.name, sentence, f"bgpctl explain {one.name}")
    if one.ping.answer is Answer.YES:
        sentence = (
            f"{since}, though {one.address} answers ping: something drops UDP port {one.port};"
            " look for a firewall here and there, and whether both have the same mesh key"
        )
        return _of("mesh", Level.FAIL, one.name, sentence, _rules(one))
    if one.ping.answer is Answer.SILENT:
        sentence = f"{since}, and {one.address} answers no ping: the node is off, or out of reach"
        return _of("mesh", Level.WARN, one.name, sentence, f"ping -c 3 {one.address}")
    sentence = f"{since} ({state.value}); whether {one.address} lives could not be asked"
    return _of("mesh", Level.WARN, one.name, sentence, f"ping -c 3 {one.address}")


def _rules(one: MemberFacts) -> str:
    return f"nft list ruleset | grep -n -e {one.port} -e policy"


def _of(check: str, level: Level, subject: str, sentence: str, command: str = "") -> Finding:
    return Finding(
        check=check, level=level, subject=subject, sentence=sentence, next_command=command
    )
