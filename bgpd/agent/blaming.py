"""Which fact about the world a change of our routes follows: the head of a record in the timeline.

A Service that is new, changed or gone, a pool, a label: that is configuration, done by people, and
leaves no record. An endpoint that goes or a probe that fails takes routes back, and so does their
return: of those people ask at 3 a.m. what happened when.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from bgpd.model.reason import BY_HEALTH, Reason, Withheld
from bgpd.policy.merge import Decision, Merged

FACTS: Final = BY_HEALTH | {
    Reason.NO_ENDPOINTS,
    Reason.NO_LOCAL_ENDPOINTS,
    Reason.NODE_NETWORK_UNAVAILABLE,
}
"""Reasons that no person's configuration is."""


class Blame(NamedTuple):
    """What is to blame for a change of routes."""

    kind: str
    """`withdraw` or `return`, as in the timeline."""
    sentence: str


class Turn(NamedTuple):
    """That another decision was taken on a Service."""

    service: str
    before: Decision | None
    after: Decision | None


def blame(turn: Turn) -> Blame | None:
    """Return the fact by which the routes of a Service went or came back, if it is one."""
    service, before, after = turn
    if before is None or after is None:
        return None
    had, has = len(before.advertisements), len(after.advertisements)
    if had > has:
        return _named("withdraw", service, _first(after.withheld, before.withheld))
    if had < has:
        return _named("return", service, _first(before.withheld, after.withheld))
    return None


def turned(before: Merged, after: Merged) -> list[Turn]:
    """Return the first Service whose routes changed by a fact from *before* to *after*."""
    for service in sorted(before.withheld_services ^ after.withheld_services):
        turn = Turn(service, before.decision(service), after.decision(service))
        if blame(turn) is not None:
            return [turn]
    return []


def _first(those: Iterable[Withheld], but: tuple[Withheld, ...]) -> Withheld | None:
    """Return the first of *those* that tells of a fact, and is not among *but*."""
    return next((one for one in those if one.reason in FACTS and one not in but), None)


def _named(kind: str, service: str, why: Withheld | None) -> Blame | None:
    if why is None:
        return None
    over = "no longer: " if kind == "return" else ""
    return Blame(kind, f"{service}: {over}{why.reason}: {why.message}")
