"""What the allocator answers, and the numbers that a pool's status shows."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.model.prefix import Address

MOST: Final = 2**63 - 1
"""The largest count: what a status field (int64) can hold."""

_EVENT_NOTE: Final = 1024
"""Kubernetes refuses an Event whose note is longer (`events.k8s.io/v1`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The Service has these addresses, all of one pool."""

    pool: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A pool that could not give what was asked for, and the sentence that says why."""

    pool: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The Service got nothing by this call, and what it had before is as it was."""

    why: str
    """What was asked for and cannot be: object, field, value, what to do."""
    tried: tuple[Tried, ...] = ()
    """The pools in the order in which they were asked; empty where it did not come to that."""

    @property
    def sentence(self) -> str:
        """All of it as one text that fits into an Event."""
        text = self.why
        for number, tried in enumerate(self.tried):
            more = f"; {tried.why}"
            rest = f"; and {len(self.tried) - number} more pools"
            if len(text) + len(more) + len(rest) > _EVENT_NOTE:
                return (text + rest)[:_EVENT_NOTE]
            text += more
        return text[:_EVENT_NOTE]


Outcome: TypeAlias = Assigned | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many addresses a pool can give at all; each count ends at `MOST`."""

    total: int = 0
    ipv4: int = 0
    ipv6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The four numbers of `IPAddressPool.status`; an address that is shared counts once."""

    assigned_ipv4: int = 0
    assigned_ipv6: int = 0
    available_ipv4: int = 0
    available_ipv6: int = 0
