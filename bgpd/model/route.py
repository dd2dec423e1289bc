"""Routes: what the agent wants offered, and what goes on the wire."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from bgpd.model.errors import in_range
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix

RANK_NORMAL = 0
RANK_SLOW_START = 240
RANK_DOUBT = 250
RANK_DRAIN = 255

RANK_STANDBY = 200
"""The last rank that says which of several nodes is wanted; what is worse is worse for a fact."""

MAX_PREPEND = 10
MAX_BANDWIDTH = 2**53
"""Bytes per second: what the community's floating point number still tells apart well enough."""
GRACEFUL_SHUTDOWN = "65535:0"
"""The well-known community of RFC 8326."""


class Origin(IntEnum):
    """ORIGIN with its wire numbers (RFC 4271, section 5.1.1): lower wins."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """One prefix that the agent wants offered to one peer, before the lever is applied."""

    peer: PeerName
    prefix: Prefix
    rank: int = RANK_NORMAL
    """Preference within a generation, 0..255: 0 normal, 1..200 standby order."""
    local_pref: int | None = None
    communities: tuple[str, ...] = ()
    """RFC 1997 communities as `a:b`, sorted."""
    large_communities: tuple[str, ...] = ()
    """RFC 8092 large communities as `a:b:c`, sorted."""
    as_path_prepend: int = 0
    """How often our ASN is repeated in front of the path, 0..10."""
    carriers: tuple[str, ...] | None = None
    """The nodes that advertise the prefix, ourselves included, sorted; None: any member may."""
    med: int | None = None
    """A MED of the user's, for a peer whose lever is another attribute: it goes out as it is."""
    link_bandwidth: int | None = None
    """Bytes per second of the link-bandwidth community (RFC 10005), or none."""
    ahead: tuple[str, ...] = ()
    """The nodes that come before us, best first, where the peer's lever has no room for ranks: we
    advertise once none of them does."""
    priority: int = 0
    """Who goes first where a peer takes a limited number of prefixes: the larger."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no router could be told."""
        in_range("rank", self.rank, 0, RANK_DRAIN)
        in_range("as_path_prepend", self.as_path_prepend, 0, MAX_PREPEND)
        if self.local_pref is not None:
            in_range("local_pref", self.local_pref, 0, 2**32 - 1)
        if self.med is not None:
            in_range("med", self.med, 0, 2**32 - 1)
        if self.link_bandwidth is not None:
            in_range("link_bandwidth", self.link_bandwidth, 0, MAX_BANDWIDTH)
        for text in self.communities:
            _numbers("communities", text, count=2, most=2**16 - 1)
        for text in self.large_communities:
            _numbers("large_communities", text, count=3, most=2**32 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The path attributes of one route as they go on the wire (RFC 4271, section 5)."""

    next_hop: Address
    origin: Origin = Origin.IGP
    med: int | None = None
    local_pref: int | None = None
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    as_path_prepend: int = 0
    """Additional copies of our ASN, beyond the one that eBGP always adds."""
    link_bandwidth: int | None = None
    """Bytes per second of the link-bandwidth community (RFC 10005), or none."""


PeerRoutes: TypeAlias = Mapping[Prefix, Attributes]
AdjRibOut: TypeAlias = Mapping[PeerName, PeerRoutes]
"""What each peer is offered: peer -> prefix -> attributes (RFC 4271, section 3.2)."""


_NUMBERS: Final = re.compile(r"[0-9]{1,10}(:[0-9]{1,10}){1,2}")


def _numbers(field: str, text: str, *, count: int, most: int) -> None:
    numbers = text.split(":") if _NUMBERS.fullmatch(text) else []
    if len(numbers) != count or any(int(number) > most for number in numbers):
        raise ValueError(f"{field}: {text!r} must be {count} numbers of 0..{most} with colons")
