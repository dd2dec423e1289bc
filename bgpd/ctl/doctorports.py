"""Whether our processes listen where others look for them, and nobody else does.

Whether a packet gets through from elsewhere is for other checks: `tcp` and `mesh` try it. This one
looks at the ports of this node, by the one table that the docs print for firewalls.
"""

from typing import Final

from bgpd.ctl.doctor import Finding, Findings, Level
from bgpd.ctl.doctorfacts import Facts, PortFacts
from bgpd.model.port import PORTS, Port

_ON_EVERY_NODE: Final = ("mesh", "speaker-metrics", "agent-metrics")
LISTENING: Final = tuple(one for one in PORTS if one.name in _ON_EVERY_NODE)
"""What somebody of ours listens on, on each node; BFD's ports only where BFD is wanted."""
RANGE: Final = "net.ipv4.ip_local_port_range"
RESERVED: Final = "net.ipv4.ip_local_reserved_ports"


def ports(facts: Facts) -> Findings:
    """Judge who holds each of our ports, and whether the kernel may give one away."""
    for one in LISTENING:
        found = next((each for each in facts.ports if each.name == one.name), None)
        if found is None:
            yield _of(Level.SKIP, one, "the kernel's sockets could not be read")
        else:
            yield _port(one, found, facts)
    yield from _given_away(facts)


def _port(one: Port, found: PortFacts, facts: Facts) -> Finding:
    where = ", ".join(found.addresses)
    if found.ours:
        return _of(Level.OK, one, f"the {one.listens} listens on {where}")
    command = f"ss --listening --processes --{one.transport} 'sport = :{one.number}'"
    if found.holder:
        sentence = f"{found.holder} listens on {where}, and so the {one.listens} cannot"
        return _of(Level.FAIL, one, sentence, command)
    if found.addresses:
        sentence = f"somebody listens on {where}; only root sees whether it is the {one.listens}"
        return _of(Level.SKIP, one, sentence, "sudo bgpctl doctor --only ports")
    return _unheld(one, facts, command)


def _unheld(one: Port, facts: Facts, command: str) -> Finding:
    """Judge a port that nobody listens on."""
    if not _runs(one, facts):
        return _of(Level.SKIP, one, f"the {one.listens} does not run, or may not be asked")
    if one.name != "mesh":
        sentence = f"nobody listens: --metrics-address of the {one.listens} names another or none"
        return _of(Level.SKIP, one, sentence)
    if facts.view.speaker is not None and facts.view.speaker.mesh is None:
        return _of(Level.SKIP, one, "the mesh is off")
    return _of(Level.FAIL, one, "nobody listens: no heartbeat is heard here", command)


def _runs(one: Port, facts: Facts) -> bool:
    known = {"speaker": facts.view.speaker, "agent": facts.view.agent}
    return known.get(one.listens) is not None


def _given_away(facts: Facts) -> Findings:
    """Warn where an outgoing connection of any program may be given one of our ports."""
    words = facts.host.sysctls.get(RANGE, "").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return
    low, high = map(int, words)
    reserved = _numbers(facts.host.sysctls.get(RESERVED, ""))
    ours = sorted({one.number for one in LISTENING})
    free = [number for number in ours if low <= number <= high and number not in reserved]
    if free:
        sentence = (
            f"outgoing connections may be given {', '.join(map(str, free))} ({RANGE} is"
            f" {low} to {high}), and then a process of ours that restarts cannot listen"
        )
        command = f"sudo sysctl -w {RESERVED}={ours[0]}-{ours[-1]}"
        yield Finding(
            check="ports", level=Level.WARN, subject="", sentence=sentence, next_command=command
        )


def _numbers(text: str) -> frozenset[int]:
    """Return the ports of a kernel's list, `7179-7182,8080`."""
    found: set[int] = set()
    for word in filter(None, text.strip().split(",")):
        low, _, high = word.partition("-")
        if low.isdecimal() and (high or low).isdecimal():
            found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def _of(level: Level, one: Port, sentence: str, command: str = "") -> Finding:
    return Finding(
        check="ports",
        level=level,
        subject=f"{one.number}/{one.transport.value}",
        sentence=sentence,
        next_command=command,
    )
