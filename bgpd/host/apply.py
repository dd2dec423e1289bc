"""Carry out changes of interfaces, addresses and routes, with pyroute2.

It is imported when the first thing is wanted, since a node without host routes and bound addresses
should not pay 13 MB and a third of a second for it. What the kernel refuses is a value for people,
not an exception: the other changes go on.
"""

import errno
import os
import platform
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

from bgpd.host import wire
from bgpd.host.defaultroute import MAIN, PROTOCOL, NextHop
from bgpd.host.hostplan import (
    AddAddress,
    AddInterface,
    AddRoute,
    Change,
    RaiseInterface,
    RemoveAddress,
    RemoveInterface,
    RemoveRoute,
)
from bgpd.host.hostroute import METRIC, HostRoute
from bgpd.host.inventory import GROUP, INTERFACE, KINDS, LABEL, LOOPBACK

_IFA_F_NODAD: Final = 0x02
_IFA_F_NOPREFIXROUTE: Final = 0x200
_FOREVER: Final = 0xFFFFFFFF
_SCOPE_LINK: Final = 253
_WHOLE: Final = {wire.AF_INET: 32, wire.AF_INET6: 128}
_UNKNOWN_KIND: Final = frozenset({errno.EOPNOTSUPP, errno.ENODEV})
_GONE: Final = frozenset({errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENOENT})
_TAGGED_SINCE: Final = (5, 18)
"""Linux that keeps the protocol number of an IPv6 address."""
_MEANINGS: Final = {
    errno.EPERM: "it takes CAP_NET_ADMIN to change the network",
    errno.EACCES: "IPv6 is switched off there (net.ipv6.conf.*.disable_ipv6)",
    errno.ENETUNREACH: "the kernel finds the gateway on no link: check its address and that the"
    " interface towards it is up",
    errno.EHOSTUNREACH: "the kernel finds no way to the gateway: check that the interface towards"
    " it is up",
    errno.ENETDOWN: "the interface is down: set it up",
    errno.ENODEV: "the interface is gone",
    errno.EINVAL: "the kernel does not take the gateway or the source: check that both fit",
    errno.EEXIST: "somebody else has put one there",
    errno.EAFNOSUPPORT: "this kernel does not have that address family",
    errno.EOPNOTSUPP: "this kernel cannot do that",
}

IPRoute: TypeAlias = Any  # pyroute2 has no types


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that the kernel refused."""

    change: Change
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of some changes."""

    failures: tuple[Failure, ...] = ()
    kindless: bool = False
    """Whether the kernel has no kind of interface that could be ours."""


def prepare() -> None:
    """Load what changes need, before they are urgent."""
    import pyroute2  # noqa: F401, PLC0415 - late: see above


def apply(changes: Iterable[Change], *, kinds: tuple[str, ...] = KINDS) -> Done:
    """Carry out *changes* one after the other; this blocks."""
    from pyroute2 import IPRoute as Open  # noqa: PLC0415 - late: see above

    failures, kindless = [], False
    with Open() as kernel:
        for change in changes:
            try:
                _carry_out(kernel, change, kinds)
            except _KindlessError:
                kindless = True
                break
            except Exception as error:  # noqa: BLE001 pyroute2 raises what it likes
                number = _number(error)
                if not (isinstance(change, _REMOVALS) and number in _GONE):
                    failures.append(Failure(change, meaning(number, error)))
                if isinstance(change, AddInterface):
                    break  # what comes next is addresses for it
    return Done(failures=tuple(failures), kindless=kindless)


def meaning(number: int, error: object = "") -> str:
    """Return what an errno means here and what to do about it."""
    words = os.strerror(number) if number else str(error)
    advice = _MEANINGS.get(number)
    return f"{words}: {advice}" if advice else words


_REMOVALS: Final = (RemoveRoute, RemoveInterface, RemoveAddress)


class _KindlessError(Exception):
    """There is neither dummy nor bridge."""


def _carry_out(kernel: IPRoute, change: Change, kinds: tuple[str, ...]) -> None:
    match change:
        case AddRoute(route):
            kernel.route("add", **_route(route))
        case RemoveRoute(route):
            kernel.route("del", **_route(route))
        case AddInterface():
            _add_interface(kernel, kinds)
        case RaiseInterface(index):
            kernel.link("set", index=index, state="up")
        case RemoveInterface(index):
            kernel.link("del", index=index)
        case AddAddress(address, interface):
            _add_address(kernel, address, interface)
        case RemoveAddress(address, index, length):
            kernel.addr("del", index=index, address=address, prefixlen=length)
        case _:
            assert_never(change)


def _add_interface(kernel: IPRoute, kinds: tuple[str, ...]) -> None:
    """Make it, up and with its mark, in one go: who dies in between leaves nothing unmarked."""
    for kind in kinds:
        try:
            kernel.link("add", ifname=INTERFACE, kind=kind, group=GROUP, state="up")
        except Exception as error:
            if _number(error) not in _UNKNOWN_KIND:
                raise
        else:
            return
    raise _KindlessError


def _add_address(kernel: IPRoute, address: str, interface: str) -> None:
    family = wire.family(address)
    index = socket.if_nametoindex(interface)
    more: dict[str, object] = {}
    if family == wire.AF_INET6:
        more["flags"] = _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE
        # Deprecated: no connection of this host begins there, it would end elsewhere.
        more |= {"preferred_lft": 0, "valid_lft": _FOREVER}
    if interface == LOOPBACK:
        if family == wire.AF_INET:
            more["label"] = LABEL
        elif _release() < _TAGGED_SINCE:
            raise OSError(errno.EOPNOTSUPP, "it would bear no mark")
        else:
            more["proto"] = PROTOCOL
    kernel.addr(
        "add", index=index, address=address, prefixlen=_WHOLE[family], family=family, **more
    )


def _route(route: HostRoute) -> dict[str, object]:
    """Return a host route in pyroute2's words."""
    words: dict[str, object] = {
        "family": route.family,
        "dst": route.destination,
        "table": MAIN,
        "proto": PROTOCOL,
        "priority": METRIC,
    }
    if route.source is not None:
        words["prefsrc"] = route.source
    if len(route.hops) > 1:
        several = [_hop(hop, route.family) | {"hops": hop.weight - 1} for hop in route.hops]
        return words | {"multipath": several}
    (hop,) = route.hops
    if hop.gateway is None and route.family == wire.AF_INET:
        words["scope"] = _SCOPE_LINK
    return words | _hop(hop, route.family)


def _hop(hop: NextHop, family: int) -> dict[str, object]:
    words: dict[str, object] = {"oif": hop.interface}
    if hop.onlink:
        words["flags"] = ["onlink"]
    if hop.gateway is None:
        return words
    if wire.family(hop.gateway) == family:
        return words | {"gateway": hop.gateway}
    return words | {"via": {"family": wire.family(hop.gateway), "addr": hop.gateway}}


def _number(error: Exception) -> int:
    """Return the errno of an error of pyroute2's or of the system's; 0: it has none."""
    number = getattr(error, "code", None) or getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _release() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(found[1]), int(found[2])) if found else (0, 0)
