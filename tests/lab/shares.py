"""Whose milliseconds a figure holds: ours until the UPDATE is at the router, then the router's.

All times are seconds of one monotonic clock; what was not seen is None, never 0. Pure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.lab.watch import RouteChange, Update

Shares = dict[str, float | None]

TO_ROUTER = "to_router_ms"
"""From the cause (file written, power lost) to the first UPDATE at the router that says so."""
RAISE_TO_ROUTER = "raise_to_router_ms"
"""From the decision of the first survivor to the UPDATE of the last one at the router."""
ROUTER = "router_ms"
"""From that first UPDATE at the router to the last change of a route in its kernel."""
NAMES = (TO_ROUTER, RAISE_TO_ROUTER, ROUTER)
WHOSE = {TO_ROUTER: "ours", RAISE_TO_ROUTER: "ours", ROUTER: "the router's"}


def of_endpoint(
    updates: Sequence[Update],
    *,
    sources: Collection[str],
    prefixes: Collection[str],
    present: bool,
    written: float,
    changed: float | None,
) -> Shares:
    """Return the shares of one endpoint's way: document at *written*, kernel route at *changed*."""
    arrived = [_first_naming(updates, sources, prefix, present, written) for prefix in prefixes]
    known = [at for at in arrived if at is not None]
    reached = max(known) if known and len(known) == len(arrived) else None
    return {TO_ROUTER: _between(written, reached), ROUTER: _between(reached, changed)}


def of_takeover(
    updates: Sequence[Update],
    *,
    survivors: Collection[str],
    struck: float,
    raised: float | None,
    moved: float | None,
) -> Shares:
    """Return the shares of a takeover: struck, *raised*, and *moved* in the router's kernel."""
    firsts = first_updates(updates, survivors, since=struck)
    first = min(firsts.values(), default=None)
    last = max(firsts.values()) if len(firsts) == len(survivors) else None
    return {
        TO_ROUTER: _between(struck, first),
        RAISE_TO_ROUTER: _between(raised, last),
        ROUTER: _between(first, moved),
    }


def first_updates(
    updates: Iterable[Update], sources: Collection[str], since: float
) -> dict[str, float]:
    """Return when the first UPDATE of each of *sources* reached the router after *since*."""
    first: dict[str, float] = {}
    for update in updates:
        if update.source in sources and update.at >= since:
            first.setdefault(update.source, update.at)
    return first


def moved_away(
    changes: Iterable[RouteChange],
    *,
    gateways: Collection[str],
    prefixes: Collection[str],
    since: float,
) -> float | None:
    """Return when the last of *prefixes* first left *gateways*, None unless all did."""
    away: dict[str, float] = {}
    for change in changes:
        left = change.deleted or not change.gateways & frozenset(gateways)
        if left and change.at >= since and change.prefix in prefixes:
            away.setdefault(change.prefix, change.at)
    return max(away.values()) if len(away) == len(prefixes) else None


def raised_at(timelines: Iterable[Iterable[Mapping[str, Any]]], since: float) -> float | None:
    """Return the wall-clock moment of the first raise after *since* in the survivors' timelines."""
    decisions = [
        failover["at"] + step["milliseconds"] / 1000
        for timeline in timelines
        for failover in timeline
        if failover["kind"] == "raise"
        for step in failover["steps"]
        if step["name"] == "decision"
    ]
    return min((at for at in decisions if at >= since), default=None)


def _first_naming(
    updates: Iterable[Update], sources: Collection[str], prefix: str, present: bool, since: float
) -> float | None:
    for update in updates:
        named = update.advertised if present else update.withdrawn
        if update.source in sources and update.at >= since and prefix in named:
            return update.at
    return None


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 2)
