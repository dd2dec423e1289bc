"""Whether a figure met its target, said beside it, and whose milliseconds stand in the way. Pure.

FRR holds every UPDATE for 60 ms by itself (docs/lab.md), so a target for the whole way of one route
cannot be met there by whoever advertises. It is marked as missed all the same, and our own
share is measured against the same number.
"""

from collections.abc import Mapping
from typing import Any, Final

from tests.lab.shares import ROUTER, TO_ROUTER

ROUTE: Final = "route_ms"
HOLDS_UPDATES: Final = "frr"


def targets_of(router: str, reported: Mapping[str, Any]) -> dict[str, float]:
    """Return the target of each figure that has one on *router*."""
    found = {name: goal for name, goal in reported.items() if isinstance(goal, (int, float))}
    if router == HOLDS_UPDATES and ROUTE in found:
        found[TO_ROUTER] = found[ROUTE]
    return found


def verdict(values: Mapping[str, float], target: float | None) -> str:
    """Return "held", "missed", or what of it was missed; nothing where there is no target."""
    if target is None:
        return ""
    if values["p50"] > target:
        return "missed"
    return "max missed" if values["max"] > target else "held"


def missed(values: Mapping[str, float], target: float | None) -> str:
    """Return the verdict in parentheses after a figure, nothing where the target was held."""
    word = verdict(values, target)
    return f" ({word})" if "missed" in word else ""


def reason(router: str, name: str, summary: Mapping[str, Any]) -> str:
    """Return how much of a missed figure the router alone takes, where it holds each UPDATE."""
    own = summary.get(ROUTER)
    if router != HOLDS_UPDATES or name != ROUTE or not own:
        return ""
    return f"the router's own {own['p50']:.0f}"


def conclusion(reported: Mapping[str, Any]) -> str:
    """Return one sentence about all targets of a series: which were missed, and why."""
    router, summary = reported["plan"]["router"], reported["summary"]
    targets = targets_of(router, reported["target"])
    told = {name: verdict(summary[name], targets[name]) for name in targets if summary.get(name)}
    if not told:
        return "no target in milliseconds was measured" if targets else ""
    wrong = {name: word for name, word in told.items() if word != "held"}
    if not wrong:
        return "targets held"
    parts = []
    for name, word in wrong.items():
        why = reason(router, name, summary)
        ours = told.get(TO_ROUTER, "not seen")
        parts.append(f"{name} {word}" + (f" ({why} ms; our share: {ours})" if why else ""))
    return f"targets: {'; '.join(parts)}"
