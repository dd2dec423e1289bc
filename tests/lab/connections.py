"""What changes of routes did to the client's TCP connections. Pure.

BGP moves routes, not connections: where a router sends an elastic IP to another node in the middle
of a conversation, the new node has never heard of it and resets it. So the promise has two parts.
A connection during whose life its route does not change must succeed. One that is open while it
changes may be reset, once for each change, and is counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.lab.watch import RouteChange

READ_LATE: Final = 0.02
"""Seconds by which our clock may be behind the kernel when it tells of a change, at most."""
_NOTICED_WITHIN: Final = 4.0
"""Seconds after a change in which a long connection notices: it gives up silence after three."""

COUNTED: Final = (
    "route_changes",
    "short_open_across_a_change",
    "short_reset_across_a_change",
    "short_failed_between_changes",
    "slowest_short_connection_ms",
    "long_resets",
)
"""The findings that a series sums up."""

Moves = Mapping[str, Sequence[float]]
"""Prefix -> when the router's kernel sent it elsewhere, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What became of the connections of one record."""

    short: int
    """Short connections in all."""
    failed: int
    """Short ones that failed though their route did not change while they were open."""
    across: int
    """Short ones that were open while it did, and of these: *reset*."""
    reset: int
    slowest_ms: float
    """Of the short ones that did not fail: a SYN that was lost shows as a second."""
    long: int
    long_resets: int
    unexplained: int
    """Breaks of long ones beyond one for each change of their route."""
    changes: int
    """Of all routes."""

    def findings(self) -> dict[str, float | int | bool]:
        """Return what a run tells of them; False is a promise that did not hold."""
        return {
            "route_changes": self.changes,
            "short_connections": self.short,
            "short_open_across_a_change": self.across,
            "short_reset_across_a_change": self.reset,
            "short_failed_between_changes": self.failed,
            "slowest_short_connection_ms": self.slowest_ms,
            "long_resets": self.long_resets,
            "connections_between_changes_succeeded": self.failed == 0,
            "at_most_one_reset_a_change": self.unexplained == 0,
        }


def moves(changes: Iterable[RouteChange]) -> Moves:
    """Return when each prefix got other next hops; the same ones again are no change."""
    hops: dict[str, frozenset[str]] = {}
    found: dict[str, list[float]] = {}
    for change in changes:
        now = frozenset[str]() if change.deleted else change.gateways
        if hops.get(change.prefix) != now:
            found.setdefault(change.prefix, []).append(change.at)
        hops[change.prefix] = now
    return found


def account(record: Mapping[str, Any], moved: Moves) -> Connections:
    """Hold the connections of a client's *record* against the changes of their routes."""
    across = failed = reset = 0
    slowest = 0.0
    for address, began, ended, _, wrong in record["short"]:
        times = moved.get(_prefix(address), ())
        if any(began - READ_LATE <= at <= ended + READ_LATE for at in times):
            across += 1
            reset += bool(wrong)
        else:
            failed += bool(wrong)
            slowest = slowest if wrong else max(slowest, ended - began)
    breaks = [
        (moved.get(_prefix(flow["address"]), ()), sorted(at for at, _, _ in flow["breaks"]))
        for flow in record["tcp"]
    ]
    return Connections(
        short=len(record["short"]),
        failed=failed,
        across=across,
        reset=reset,
        slowest_ms=round(slowest * 1000, 1),
        long=len(record["tcp"]),
        long_resets=sum(len(ats) for _, ats in breaks),
        unexplained=sum(_unexplained(times, ats) for times, ats in breaks),
        changes=sum(map(len, moved.values())),
    )


def _unexplained(times: Sequence[float], breaks: Sequence[float]) -> int:
    """Count *breaks* that no change explains, each change explaining one: the first after it."""
    left = sorted(times)
    count = 0
    for at in breaks:
        while left and left[0] < at - _NOTICED_WITHIN:
            left.pop(0)
        if left and left[0] <= at + READ_LATE:
            left.pop(0)
        else:
            count += 1
    return count


def _prefix(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"
