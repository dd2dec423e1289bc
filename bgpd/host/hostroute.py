"""A route to one address, as a value and as the kernel's bytes: how a peer is reached.

Ours carry two marks, since either alone might be somebody else's: the protocol number 179 and the
metric 179. The default routes that `host.egress` changes are `proto 179`, too; they keep their
metric, and a default route is never taken for a host route.
"""

from dataclasses import dataclass
from typing import Final

from bgpd.host import wire
from bgpd.host.defaultroute import (
    CACHE,
    CLONED,
    MAIN,
    PREFERENCE,
    PREFERRED_SOURCE,
    PRIORITY,
    PROTOCOL,
    TABLE,
    UNICAST,
    NextHop,
    next_hops,
    order,
)
from bgpd.host.rtnetlink import ROUTE, RTA_DST, RTA_GATEWAY, RTA_MULTIPATH, RTA_OIF, RTA_VIA
from bgpd.model.prefix import Address, Prefix, host_prefix

METRIC: Final = 179
"""So that a route that somebody else adds for the same destination without one comes first."""
_UNDERSTOOD: Final = frozenset(
    {
        *(RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA),
        *(PRIORITY, PREFERRED_SOURCE, CACHE, TABLE, PREFERENCE),
    }
)
_BITS: Final = {wire.AF_INET: 32, wire.AF_INET6: 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoute:
    """A route of the main table to a /32 or /128."""

    destination: Prefix
    hops: tuple[NextHop, ...]
    """Sorted; more than one where the default route that it follows has several."""
    source: Address | None = None
    """What connections to the destination come from; None: the kernel chooses."""
    strange: tuple[int, ...] = ()
    """Attributes that are none of these; a route that we add has none."""

    @property
    def family(self) -> int:
        """The number of its address family."""
        return wire.family(self.destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A host route of the kernel's main table, whoever put it there."""

    route: HostRoute
    protocol: int
    metric: int

    @property
    def ours(self) -> bool:
        """Whether it carries our marks."""
        marked = self.protocol == PROTOCOL and self.metric == METRIC
        return marked and bool(self.route.hops)


def concerns_host(body: bytes) -> bool:
    """Return whether a message about a route may be about a single address."""
    return len(body) >= ROUTE.size and body[1] == _BITS.get(body[0])


def destination_of(body: bytes) -> Prefix | None:
    """Return the address that a route of `concerns_host` leads to."""
    packed = wire.attributes(body, ROUTE.size).get(RTA_DST)
    return None if packed is None else host_prefix(wire.address(packed))


def decode(body: bytes) -> Row | None:
    """Read a route; None: it is no route to a single address in the main table."""
    if not concerns_host(body):
        return None
    *_, table, protocol, _, kind, flags = ROUTE.unpack_from(body)
    found = wire.attributes(body, ROUTE.size)
    if TABLE in found:
        table = wire.number(found[TABLE])
    if table != MAIN or flags & CLONED or RTA_DST not in found:
        return None
    hops, strange = next_hops(found, flags) if kind == UNICAST else ([], {kind})
    source = found.get(PREFERRED_SOURCE)
    return Row(
        route=HostRoute(
            destination=host_prefix(wire.address(found[RTA_DST])),
            hops=tuple(sorted(hops, key=order)),
            source=None if source is None else wire.address(source),
            strange=tuple(sorted((found.keys() - _UNDERSTOOD) | strange)),
        ),
        protocol=protocol,
        metric=wire.number(found.get(PRIORITY)),
    )
