"""A default route as a value, as bytes, and as a sentence.

What is read must be what would be written: a route with anything in it that is not understood
here (encapsulation, a nexthop object, an expiry) says so in *unknown* and is never replaced.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from bgpd.host import wire
from bgpd.host.rtnetlink import (
    NEXT_HOP,
    ROUTE,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_VIA,
    gateway,
    split_multipath,
)
from bgpd.host.wire import Attributes
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address

PROTOCOL: Final = 179
"""Who installed a route, in the kernel's words: ours are `proto 179`, after BGP's port."""
MAIN: Final = 254
UNICAST: Final = 1
CLONED: Final = 0x200
_ONLINK: Final = 0x4
PRIORITY: Final = 6
PREFERRED_SOURCE: Final = 7
_METRICS: Final = 8
CACHE: Final = 12
TABLE: Final = 15
PREFERENCE: Final = 20
_EXPIRES: Final = struct.Struct("=8xi")
_KNOWN: Final = frozenset(
    {
        *(RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, PRIORITY, PREFERRED_SOURCE),
        *(_METRICS, CACHE, TABLE, PREFERENCE),
    }
)
_HOP_KNOWN: Final = frozenset({RTA_GATEWAY, RTA_VIA})

Key: TypeAlias = tuple[int, int, int]
"""Family, metric and type of service: one route of these is the default route."""


class NextHop(NamedTuple):
    """One way out."""

    interface: int
    gateway: Address | None
    weight: int = 1
    onlink: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRoute:
    """A default route of the main table."""

    family: int
    metric: int
    tos: int = 0
    protocol: int = 0
    scope: int = 0
    hops: tuple[NextHop, ...]
    """Sorted: the kernel does not keep their order."""
    source: Address | None = None
    settings: str = ""
    """MTU and the like, as the kernel wrote them, in hexadecimal."""
    preference: int = 0
    """IPv6: of a router advertisement (RFC 4191)."""
    unknown: tuple[int, ...] = ()
    """The attributes that are not understood."""

    @property
    def key(self) -> Key:
        """What this route is the only one of."""
        return self.family, self.metric, self.tos

    def __str__(self) -> str:
        ways = [f"via {hop.gateway}" if hop.gateway else "on the link" for hop in self.hops]
        family = "IPv4" if self.family == wire.AF_INET else "IPv6"
        return f"the {family} default route of metric {self.metric} {' and '.join(ways)}"


def dump_question(family: int) -> bytes:
    """Ask for the routes of the main table."""
    head = ROUTE.pack(family, 0, 0, 0, MAIN, 0, 0, 0, 0)
    return head + wire.attribute(TABLE, wire.numbered(MAIN))


def is_default(body: bytes) -> bool:
    """Return whether a message about a route may be about a default route."""
    return len(body) >= ROUTE.size and body[1] == 0


def decode(body: bytes) -> DefaultRoute | None:
    """Read a route; None: it is no default route of the main table."""
    if not is_default(body):
        return None
    family, _, _, tos, table, protocol, scope, kind, flags = ROUTE.unpack_from(body)
    found = wire.attributes(body, ROUTE.size)
    if TABLE in found:
        table = wire.number(found[TABLE])
    if table != MAIN or kind != UNICAST or flags & CLONED:
        return None
    hops, strange = next_hops(found, flags)
    source = found.get(PREFERRED_SOURCE)
    return DefaultRoute(
        family=family,
        metric=wire.number(found.get(PRIORITY)),
        tos=tos,
        protocol=protocol,
        scope=scope,
        hops=tuple(sorted(hops, key=order)),
        source=None if source is None else wire.address(source),
        settings=found.get(_METRICS, b"").hex(),
        preference=(found.get(PREFERENCE) or b"\0")[0],
        unknown=tuple(sorted((found.keys() - _KNOWN) | strange | _expiring(found))),
    )


def encode(route: DefaultRoute) -> bytes:
    """Write a route."""
    flags = _ONLINK if len(route.hops) == 1 and route.hops[0].onlink else 0
    head = ROUTE.pack(
        *(route.family, 0, 0, route.tos, MAIN, route.protocol, route.scope, UNICAST, flags)
    )
    return head + b"".join(_attributes(route))


def _attributes(route: DefaultRoute) -> list[bytes]:
    parts = [wire.attribute(TABLE, wire.numbered(MAIN))]
    if route.metric:
        parts.append(wire.attribute(PRIORITY, wire.numbered(route.metric)))
    if route.source:
        parts.append(wire.attribute(PREFERRED_SOURCE, wire.packed(route.source)))
    if route.settings:
        parts.append(wire.attribute(_METRICS, bytes.fromhex(route.settings)))
    if route.family == wire.AF_INET6:
        parts.append(wire.attribute(PREFERENCE, bytes([route.preference])))
    if len(route.hops) > 1:
        several = b"".join(_next_hop(route.family, hop) for hop in route.hops)
        return [*parts, wire.attribute(RTA_MULTIPATH, several)]
    (hop,) = route.hops
    return [*parts, wire.attribute(RTA_OIF, wire.numbered(hop.interface)), _via(route.family, hop)]


def _next_hop(family: int, hop: NextHop) -> bytes:
    inner = _via(family, hop)
    flags = _ONLINK if hop.onlink else 0
    return NEXT_HOP.pack(NEXT_HOP.size + len(inner), flags, hop.weight - 1, hop.interface) + inner


def _via(family: int, hop: NextHop) -> bytes:
    if hop.gateway is None:
        return b""
    packed = wire.packed(hop.gateway)
    if wire.family(hop.gateway) == family:
        return wire.attribute(RTA_GATEWAY, packed)
    return wire.attribute(RTA_VIA, struct.pack("=H", wire.family(hop.gateway)) + packed)


def next_hops(found: Attributes, flags: int) -> tuple[list[NextHop], set[int]]:
    """Return the ways out of a route, and their attributes that are not understood."""
    if RTA_MULTIPATH in found:
        several = split_multipath(found[RTA_MULTIPATH])
        hops = [
            NextHop(interface, gateway(inner), weight, bool(flag & _ONLINK))
            for flag, weight, interface, inner in several
        ]
        return hops, {kind for *_, inner in several for kind in inner.keys() - _HOP_KNOWN}
    if RTA_OIF not in found:
        raise ProtocolError("a route without an interface")
    one = NextHop(wire.number(found[RTA_OIF]), gateway(found), 1, bool(flags & _ONLINK))
    return [one], set()


def _expiring(found: Attributes) -> set[int]:
    cache = found.get(CACHE, b"")
    expires = len(cache) >= _EXPIRES.size and _EXPIRES.unpack_from(cache)[0]
    return {CACHE} if expires else set()


def order(hop: NextHop) -> tuple[int, str, int]:
    """Return what next hops are sorted by: the kernel does not keep their order."""
    return hop.interface, hop.gateway or "", hop.weight
