"""Which way replies leave while a router is down: what the default routes should be.

Each default route keeps the next hops that lead to a living router. Where none would be left, it
borrows those of the default route that comes next by metric; where nobody has any, it stays as it
is: a router that may be dead is better than no way at all.

What was replaced is remembered; what replaced it is tagged as ours (`proto 179`). A default route
that is neither was changed by somebody else, who wins: it is left alone until a router changes.
The kernel is nobody: with an interface that is set down, or loses its last address, it takes all
routes that leave by it alone. What we had moved there would have lived on another, so as much of
the original is put back as can be.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from bgpd.host.defaultroute import PROTOCOL, DefaultRoute, Key, NextHop
from bgpd.model.prefix import Address

_MAY_CHANGE: Final = frozenset({0, 2, 3, 4, 16, PROTOCOL})
"""RTPROT unspec, kernel, boot, static, dhcp. What a routing daemon or a router advertisement put
there, it would put there again."""

Way: TypeAlias = tuple[int, int]
"""Family and interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What must not be forgotten while a default route is ours."""

    originals: Mapping[Key, DefaultRoute] = field(default_factory=dict)
    """The routes that were replaced."""
    yielded: Mapping[Key, frozenset[Address]] = field(default_factory=dict)
    """The routes that somebody else changed -> the routers that were down then."""
    instead: Mapping[Key, frozenset[Way]] = field(default_factory=dict, compare=False)
    """By which ways what is there instead of an original leaves."""

    @property
    def ways(self) -> frozenset[Way]:
        """The ways on which it depends what can be there now."""
        return frozenset[Way]().union(
            *map(ways_of, self.originals.values()), *self.instead.values()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, and what to remember before it is done."""

    replace: tuple[DefaultRoute, ...] = ()
    add: tuple[DefaultRoute, ...] = ()
    """What is to be there again that the kernel took together with an interface."""
    memory: Memory = field(default_factory=Memory)
    reports: tuple[str, ...] = ()
    """What somebody else did; said once."""
    left_alone: tuple[str, ...] = ()
    """Why a route that leads to a router that is down stays as it is."""
    moved: tuple[str, ...] = ()
    """What is replaced by what, while it is."""


def plan(
    present: Iterable[DefaultRoute],
    memory: Memory,
    down: frozenset[Address],
    dark: AbstractSet[Way] = frozenset(),
) -> Plan:
    """Return how to get from *present* to default routes that avoid the routers in *down*.

    By an interface of *dark* no route can leave: it is set down or gone, or has no address.
    """
    routes = sorted(present, key=lambda route: route.key)
    taken = _taken(routes, memory, dark)
    others = {key: one for key, one in memory.originals.items() if key not in taken}
    reports = _foreign(routes, others)
    kept = {key: one for key, one in others.items() if key not in reports}
    yielded = {key: before for key, before in memory.yielded.items() if before == down}
    yielded |= {route.key: down for route in routes if route.key in reports}
    bases = [*(kept.get(route.key, route) for route in routes), *taken.values()]
    wanted, left_alone = _wanted(bases, yielded, down, dark)
    there = (*routes, *(None for _ in taken))
    steps = [
        (route, base, _possible(route, want, dark))
        for route, base, want in zip(there, bases, wanted, strict=True)
    ]
    return Plan(
        replace=tuple(want for route, _, want in steps if route is not None and want != route),
        add=tuple(want for route, _, want in steps if route is None),
        memory=Memory(
            originals={base.key: base for route, base, want in steps if not route == base == want},
            yielded=yielded,
            instead={base.key: ways_of(want) for _, base, want in steps if want != base},
        ),
        reports=tuple(reports.values()),
        left_alone=tuple(left_alone),
        moved=tuple(f"{want} instead of {base}" for _, base, want in steps if want != base),
    )


def _taken(
    routes: Sequence[DefaultRoute], memory: Memory, dark: AbstractSet[Way]
) -> dict[Key, DefaultRoute]:
    """Return the originals of which what was there instead went with its interfaces."""
    there = {route.key for route in routes}
    return {
        key: original
        for key, original in memory.originals.items()
        if key not in there
        and key in memory.instead
        and memory.instead[key] <= dark
        and not ways_of(original) <= dark
    }


def _foreign(
    routes: Sequence[DefaultRoute], originals: Mapping[Key, DefaultRoute]
) -> dict[Key, str]:
    """Return what others did to the routes that we had replaced."""
    found = {}
    for key, original in originals.items():
        now = [route for route in routes if route.key == key]
        if not now:
            found[key] = f"somebody removed {original}: it is not put back"
        elif len(now) > 1 or not (now[0] == original or now[0].protocol == PROTOCOL):
            found[key] = f"somebody changed {original}: now it is {now[0]}, and stays so"
    return found


def _wanted(
    bases: Sequence[DefaultRoute],
    yielded: Mapping[Key, object],
    down: frozenset[Address],
    dark: AbstractSet[Way],
) -> tuple[list[DefaultRoute], list[str]]:
    """Return what each route should be, and why some stay as they are."""
    wanted, left_alone = [], []
    for base in bases:
        target = _avoiding(base, bases, down, dark)
        why = _why_not(base, bases, yielded) if target != base else ""
        if why:
            left_alone.append(f"{base} leads to a router that is down and is left alone: {why}")
        wanted.append(base if why else target)
    return wanted, left_alone


def _avoiding(
    base: DefaultRoute,
    bases: Sequence[DefaultRoute],
    down: frozenset[Address],
    dark: AbstractSet[Way],
) -> DefaultRoute:
    """Return *base* without the next hops that lead to a router that is down."""
    if not any(hop.gateway in down for hop in base.hops):
        return base
    alike = [one for one in bases if (one.family, one.scope) == (base.family, base.scope)]
    lenders = [one for one in alike if one.metric > base.metric and not one.unknown]
    for one in (base, *sorted(lenders, key=lambda route: route.metric)):
        hops = [hop for hop in _lit(one, dark) if hop.gateway not in down]
        if hops:
            return replace(_by(base, hops), source=one.source)
    return base


def _possible(
    route: DefaultRoute | None, want: DefaultRoute, dark: AbstractSet[Way]
) -> DefaultRoute:
    """Return as much of *want* as the kernel takes now, where it is not there already."""
    lit = _lit(want, dark)
    if want == route or len(lit) == len(want.hops):
        return want
    return _by(want, lit) if lit else route or want


def _by(base: DefaultRoute, hops: Sequence[NextHop]) -> DefaultRoute:
    """Return *base* with other *hops*, as a route of ours."""
    # The kernel keeps no weight for one that is alone.
    kept = (hops[0]._replace(weight=1),) if len(hops) == 1 else tuple(hops)
    return replace(base, hops=kept, protocol=PROTOCOL)


def _lit(route: DefaultRoute, dark: AbstractSet[Way]) -> list[NextHop]:
    return [hop for hop in route.hops if (route.family, hop.interface) not in dark]


def ways_of(route: DefaultRoute) -> frozenset[Way]:
    """Return by which interfaces *route* leaves."""
    return frozenset((route.family, hop.interface) for hop in route.hops)


def _why_not(
    base: DefaultRoute, bases: Sequence[DefaultRoute], yielded: Mapping[Key, object]
) -> str:
    if base.key in yielded:
        return "somebody changed it meanwhile"
    if base.unknown:
        return "it has settings that are not understood here"
    if base.protocol not in _MAY_CHANGE:
        return f"a routing daemon or a router put it there (proto {base.protocol})"
    if sum(one.key == base.key for one in bases) > 1:
        return "there are two of the same metric"
    return ""
