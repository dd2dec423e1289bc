"""What this node sees of its way to the routers, and what that says about the node.

Unknown is not bad: a point-to-point link has no neighbor to look for, a neighbor that nobody has
asked for has no state. Only what the kernel says in so many words makes a node doubtful, and only
when it holds for every uplink, or for every next hop: one of two lost is a sentence for people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bgpd.model.health import Health
from bgpd.model.prefix import Address

CARRIER: Final = "carrier"
GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What the kernel says of the interfaces and next hops towards the peers."""

    uplinks: Mapping[str, bool | None] = field(default_factory=dict)
    """Each interface by which a peer is reached -> whether it has carrier; None: not known."""
    gateways: Mapping[str, Health] = field(default_factory=dict)
    """Each next hop towards a peer, or the peer itself where it is on the link -> its neighbor
    entry. A link-local next hop has its interface: `fe80::1%eth0`."""
    unreachable: tuple[Address, ...] = ()
    """The peers for which the kernel has no route."""
    problem: str = ""
    """Why the kernel cannot be asked; the rest says nothing then."""


def judge(facts: HostFacts) -> dict[str, tuple[Health, str]]:
    """Return what `carrier` and `gateway` say about the node, each with a sentence."""
    if facts.problem:
        unknown = (Health.UNKNOWN, facts.problem)
        return {CARRIER: unknown, GATEWAY: unknown}
    return {CARRIER: _carrier(facts), GATEWAY: _gateway(facts)}


def without_gateway(facts: HostFacts) -> bool:
    """Return whether peers are reached, and none of them by a next hop that could be silent."""
    reached = not (facts.problem or facts.unreachable) and True in facts.uplinks.values()
    return reached and not facts.gateways


def _carrier(facts: HostFacts) -> tuple[Health, str]:
    lost = _named(facts.uplinks, value=False)
    alive = _named(facts.uplinks, value=True)
    if not facts.uplinks:
        return Health.UNKNOWN, _nothing(facts, "no interface leads to a peer")
    if not lost:
        if alive:
            return Health.HEALTHY, f"{_all(alive)} {_has(alive)} carrier"
        return Health.UNKNOWN, f"{_all(facts.uplinks)}: whether there is carrier is not known"
    sentence = f"{_all(lost)} {_has(lost)} no carrier"
    if alive:
        return Health.HEALTHY, f"{sentence}; {_all(alive)} {_has(alive)}"
    if len(lost) < len(facts.uplinks):
        return Health.UNKNOWN, f"{sentence}; of the other uplinks nothing is known"
    return Health.UNHEALTHY, sentence


def _gateway(facts: HostFacts) -> tuple[Health, str]:
    failed = _named(facts.gateways, value=Health.UNHEALTHY)
    alive = _named(facts.gateways, value=Health.HEALTHY)
    if not facts.gateways:
        return Health.UNKNOWN, _nothing(facts, "no next hop that would be in the neighbor table")
    if not failed:
        if alive:
            return Health.HEALTHY, f"{_all(alive)} {'answer' if len(alive) > 1 else 'answers'}"
        return Health.UNKNOWN, f"nothing is known yet of {_all(facts.gateways)}"
    sentence = f"{_all(failed)} {'do' if len(failed) > 1 else 'does'} not answer"
    if alive:
        return Health.HEALTHY, f"{sentence}; {_all(alive)} {'do' if len(alive) > 1 else 'does'}"
    if len(failed) < len(facts.gateways):
        return Health.UNKNOWN, f"{sentence}; of the other next hops nothing is known"
    return Health.UNHEALTHY, sentence


def _nothing(facts: HostFacts, otherwise: str) -> str:
    if facts.unreachable:
        return f"no route to {_all(facts.unreachable)}"
    return otherwise


def _named(found: Mapping[str, object], *, value: object) -> list[str]:
    return sorted(name for name, what in found.items() if what is value)


def _all(names: Iterable[str]) -> str:
    *first, last = sorted(names)
    return f"{', '.join(first)} and {last}" if first else last


def _has(names: list[str]) -> str:
    return "have" if len(names) > 1 else "has"
