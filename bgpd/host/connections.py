"""How many TCP connections would notice if an elastic IP left this node.

Two are asked: the sockets of this host, and the connection tracker, since kube-proxy sends most
connections on to pods, whose sockets are in other namespaces. A connection that ends here is in
both where the tracker is at work, so of the connections that nobody rewrote the larger count is
taken, not the sum.

*Unknown is not empty*: who may not look into the tracker (that takes CAP_NET_ADMIN) cannot say
that nothing is open, and says None.

It all happens in a thread. The kernel filters by address, so little comes back; a hundred thousand
connections that do match take a second or two, in which the loop has its turn each time the
interpreter switches threads.
"""

import asyncio
import errno
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from bgpd.host import conntrack, tcpsockets, wire
from bgpd.host.netlink import Asking, because
from bgpd.host.tcpsockets import Block
from bgpd.model.errors import BgpdError
from bgpd.model.prefix import Family, Prefix, family_of

SECONDS: Final = 10.0
"""After this a count is given up, and is unknown."""
_SOCK_DIAG: Final = 4
_NETFILTER: Final = 12
_FEW: Final = 8
"""Addresses that the tracker is asked for one by one; for each it looks through all it has."""
_V4_BITS: Final = 32
_NO_TRACKER: Final = frozenset({errno.EINVAL, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP})
_FAMILIES: Final = {wire.AF_INET: Family.IPV4, wire.AF_INET6: Family.IPV6}
_NO_TRACKER_SENTENCE: Final = (
    "this kernel tracks no connections: those that are passed on to pods are not counted"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What was counted, and what could not be."""

    connections: Mapping[Prefix, int] | None
    """Open TCP connections to each prefix; None: they cannot be counted here and now."""
    problems: tuple[str, ...] = ()


class Which:
    """Finds the prefix of an address, as it is on the wire."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._prefixes = {tcpsockets.block(prefix): prefix for prefix in prefixes}
        self._lengths = sorted({(one.bits, one.length) for one in self._prefixes}, reverse=True)
        self._known: dict[bytes, Prefix | None] = {}

    def holds(self, packed: bytes) -> bool:
        """Return whether an address is in one of the prefixes."""
        return self.prefix(packed) is not None

    def prefix(self, packed: bytes) -> Prefix | None:
        """Return the longest of the prefixes that holds an address."""
        if packed not in self._known:
            self._known[packed] = self._find(len(packed) * 8, int.from_bytes(packed, "big"))
        return self._known[packed]

    def _find(self, bits: int, number: int) -> Prefix | None:
        for width, length in self._lengths:
            one = Block(bits, length, number >> bits - length) if width == bits else None
            if one in self._prefixes:
                return self._prefixes[one]
        return None


async def connections(prefixes: Iterable[Prefix]) -> Mapping[Prefix, int] | None:
    """Return how many TCP connections are open to each of *prefixes*; None: nobody can say."""
    return (await census(prefixes)).connections


async def census(prefixes: Iterable[Prefix], *, seconds: float = SECONDS) -> Census:
    """Return how many TCP connections are open to each of *prefixes*, and what is in the way."""
    return await asyncio.to_thread(take, tuple(dict.fromkeys(prefixes)), seconds=seconds)


def take(prefixes: tuple[Prefix, ...], *, seconds: float = SECONDS) -> Census:
    """Count here and now: this blocks."""
    which, deadline = Which(prefixes), time.monotonic() + seconds
    problems: list[str] = []
    ended: Counter[bytes] | None = None
    tracked: conntrack.Tally | None = None
    try:
        ended = _ended_here(prefixes, deadline)
    except (BgpdError, OSError) as error:
        problems.append(f"the sockets of this host cannot be counted: {because(error)}")
    try:
        tracked = _tracked(prefixes, which, deadline)
    except (BgpdError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NO_TRACKER:
            problems.append(_NO_TRACKER_SENTENCE)
            tracked = None if ended is None else conntrack.Tally(which.holds)
        else:
            problems.append(f"the connection tracker cannot be asked: {because(error)}")
    if tracked is None:
        return Census(connections=None, problems=tuple(problems))
    found = added(which, ended or Counter(), tracked)
    counted = {prefix: found[prefix] for prefix in prefixes}
    return Census(connections=counted, problems=tuple(problems))


def added(which: Which, ended: Counter[bytes], tracked: conntrack.Tally) -> Counter[Prefix]:
    """Return the connections of each prefix, each counted once."""
    found: Counter[Prefix] = Counter()
    for packed in {*ended, *tracked.plain, *tracked.rewritten}:
        prefix = which.prefix(packed)
        if prefix is not None:
            here = max(ended[packed], tracked.plain[packed])
            found[prefix] += tracked.rewritten[packed] + here
    return found


def _ended_here(prefixes: tuple[Prefix, ...], deadline: float) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for family, name in _FAMILIES.items():
        # A socket of both families has IPv4 connections too, and the kernel compares them as such.
        fitting = [one for one in prefixes if family == wire.AF_INET6 or family_of(one) is name]
        if fitting:
            body = tcpsockets.question(family, fitting)
            count = partial(tcpsockets.count, found)
            _dump(_SOCK_DIAG, tcpsockets.SOCK_DIAG_BY_FAMILY, body, count, deadline)
    return found


def _tracked(prefixes: tuple[Prefix, ...], which: Which, deadline: float) -> conntrack.Tally:
    tally = conntrack.Tally(which.holds)
    for family, name in _FAMILIES.items():
        for destination in _destinations([one for one in prefixes if family_of(one) is name]):
            body = conntrack.question(family, destination)
            _dump(_NETFILTER, conntrack.GET, body, tally.count, deadline)
    return tally


def _destinations(prefixes: list[Prefix]) -> list[bytes]:
    """Return what the tracker is asked for, one by one; an empty one stands for everything.

    Not IPv6: asked for a connection to one address there, Linux 6.18 does not find it.
    """
    blocks = [tcpsockets.block(prefix) for prefix in prefixes]
    if len(blocks) > _FEW or any(one.length < _V4_BITS or one.bits > _V4_BITS for one in blocks):
        return [b""]
    return [one.head.to_bytes(_V4_BITS // 8, "big") for one in blocks]


def _dump(
    protocol: int, kind: int, body: bytes, count: Callable[[bytes], bool], deadline: float
) -> None:
    with Asking(protocol) as asking:
        for data in asking.datagrams(kind, body):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "it takes too long")
            if not count(data):
                return
