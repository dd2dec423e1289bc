"""Whether what a speaker tells of a session is what the session's other end sees. Pure.

The router is looked at before and after each scrape, and says something only if both looks agree.
Then the speaker has to say the same, or to have said it a moment later. One thing it cannot know:
where the way is cut, one kernel may go on with a TCP connection that the other one has given up,
and nobody can tell it until a timer ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.lab.plan import Plan, router_address, router_space

MOMENT: Final = 1.0
"""Seconds that the news of a session may be on its way to the speaker and to who asks for it."""
MOST_BETWEEN: Final = 0.5
"""Seconds that count between two looks: after more of them the machine stood still, and with it
whoever had to hear the news."""
YOUNG: Final = 5.0
"""Seconds after its start in which a speaker may still have to hear whom it speaks with."""

At = tuple[str, int, int]
"""A node, the number of a router, and the IP version of their session."""
States = Mapping[At, bool]
Pair = tuple[str, str, int]
"""Both ends of a TCP connection, and the port of it that is not 179."""


@dataclass(slots=True)
class Agreement:
    """What was in dispute at the last look, and for how long."""

    _disputes: dict[At, float] = field(default_factory=dict)
    """Seconds that count."""
    _looked: float = 0.0
    _blamed: set[At] = field(default_factory=set)
    """Those of them that were told of."""

    @property
    def open(self) -> bool:
        """Whether there is a dispute of which nobody was told: the next look should be soon."""
        return bool(self._disputes.keys() - self._blamed)

    def look(
        self,
        at: float,
        *,
        gauges: States,
        before: States,
        after: States,
        half_open: Callable[[At], bool],
    ) -> list[str]:
        """Return a sentence for each session of which *gauges* are wrong for longer than a moment.

        *gauges* hold the sessions of speakers that answered and are not young. Whether one of the
        kernels is alone with its connection is asked only where that matters.
        """
        problems = []
        passed = min(at - self._looked, MOST_BETWEEN)
        self._looked = at
        for session, said in gauges.items():
            told = before.get(session)
            if told is None or told is not after.get(session) or told is said or half_open(session):
                self._settle(session)
                continue
            lasted = self._disputes.get(session, -passed) + passed
            self._disputes[session] = lasted
            if lasted >= MOMENT and session not in self._blamed:
                self._blamed.add(session)
                problems.append(_sentence(session, lasted, said=said))
        for session in self._disputes.keys() - gauges.keys():
            self._settle(session)
        return problems

    def _settle(self, session: At) -> None:
        self._disputes.pop(session, None)
        self._blamed.discard(session)


def _sentence(session: At, seconds: float, *, said: bool) -> str:
    node, router, version = session
    ours, theirs = ("up", "down") if said else ("down", "up")
    return (
        f"{node} tells Prometheus for {seconds:.1f} s that its IPv{version} session with"
        f" {router_space(router)} is {ours}; the router says {theirs}"
    )


def session_of(plan: Plan, node: str, peer: str) -> At | None:
    """Return the session of *node* that its metrics call *peer*; None: it is with no router."""
    for router in plan.routers_of(node):
        for version in plan.session_versions:
            if peer == f"{router_space(router)}-{node}-v{version}":
                return node, router, version
            # What a provider names is called after its router's address.
            if plan.site and peer.endswith(f"-{_dashed(address_of(plan, node, router, version))}"):
                return node, router, version
    return None


def address_of(plan: Plan, node: str, router: int, version: int) -> str:
    """Return the address at which *node* finds *router*."""
    if plan.site:
        return plan.site.routers[version][router - 1]
    return router_address(node, version, plan.cable(router))


def half_open(ours: set[Pair], theirs: set[Pair], addresses: tuple[str, str]) -> bool:
    """Return whether a kernel has a connection that the other one does not have any more.

    *ours* are the BGP connections of the node's kernel, its own address first, *theirs* those of
    the router's; *addresses* the node's and the router's.
    """
    node, router = addresses
    here = {port for one, other, port in ours if (one, other) == (node, router)}
    there = {port for one, other, port in theirs if (one, other) == (router, node)}
    return here != there


def _dashed(address: str) -> str:
    return address.replace(":", "-")
