"""A drain in sentences: what would be gone, how far it is, and what it waits for."""

from collections.abc import Mapping, Sequence
from typing import Final

from bgpd.ctl.columns import counted
from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase, DrainStatus

SHOWN: Final = 3
"""How many prefixes a sentence names."""

Names = Mapping[Prefix, tuple[str, ...]]


def named(prefixes: Sequence[Prefix], names: Names) -> str:
    """Return *prefixes* with the Services that they belong to, the first few of them."""
    shown = [
        f"{prefix} ({', '.join(names[prefix])})" if names.get(prefix) else prefix
        for prefix in prefixes[:SHOWN]
    ]
    more = len(prefixes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def refusal(node: str, alone: Sequence[Prefix], names: Names) -> str:
    """Return why *node* is not drained: it is the last that carries *alone*."""
    return (
        f"{node} is not drained: no other live, undrained node carries {named(alone, names)};"
        " --patient keeps them until one does, --force withdraws them"
    )


def progress(drain: DrainStatus, routes: int, names: Names) -> str:
    """Return how far *drain* is, with *routes* still advertised."""
    match drain.phase:
        case DrainPhase.NOT_DRAINING:
            return "not drained"
        case DrainPhase.DRAINED:
            return "drained: all routes are withdrawn, the sessions stay"
        case DrainPhase.LEAVING:
            return f"leaving: {counted(routes, 'route')} left"
        case DrainPhase.DEMOTED:
            return f"{counted(routes, 'route')} left; routers move the traffic"
        case DrainPhase.WAITING:
            return f"{counted(routes, 'route')} left; {' and '.join(_waits(drain, names))}"


def _waits(drain: DrainStatus, names: Names) -> list[str]:
    waits = []
    if drain.busy:
        waits.append(f"open connections of {named(drain.busy, names)} have to end")
    if drain.alone:
        waits.append(f"another node has to carry {named(drain.alone, names)}")
    return waits


def over(drain: DrainStatus) -> bool:
    """Return whether nothing of the node is advertised any more, for good."""
    return drain.phase is DrainPhase.DRAINED
