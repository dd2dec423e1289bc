"""Which addresses a Service may join: those whose users share by the same key.

Two Services may use one address when both name the same sharing key, deliver to the same pods
where that matters (`ServiceRequest.backend`), and no protocol and port is used twice.
"""

from bisect import bisect_left, insort
from typing import Final

from bgpd.model.allocation import ServicePort, ServiceRequest

Share = tuple[str, str]
"""Sharing key and backend: equal for all Services on one address."""

Ports = frozenset[ServicePort]

_REMEMBERED: Final = 64
"""Sets of ports whose search is remembered; more are forgotten and searched anew."""


def share_of(request: ServiceRequest) -> Share | None:
    """Return what *request* must have in common with others, or None where it shares nothing."""
    return (request.sharing_key, request.backend) if request.sharing_key else None


class Circle:
    """The addresses of one stock whose users share by one key, and the ports used on each.

    A thousand Services with the same key and the same port each need an address of their own. So
    that the last of them does not look at nine hundred and ninety-nine first, the place is
    remembered below which a set of ports cannot be added.
    """

    __slots__ = ("_barren", "_ordinals", "_ports")

    def __init__(self) -> None:
        self._ports: dict[int, set[ServicePort]] = {}
        self._ordinals: list[int] = []
        """In order; without those that nobody new is given."""
        self._barren: dict[Ports, int] = {}

    def __len__(self) -> int:
        return len(self._ports)

    def add(self, ordinal: int, ports: Ports, *, joinable: bool) -> None:
        """Note that a Service with *ports* uses *ordinal*."""
        if ordinal in self._ports:
            self._ports[ordinal] |= ports
            return
        self._ports[ordinal] = set(ports)
        if joinable:
            insort(self._ordinals, ordinal)
            self._loosen(ordinal)

    def remove(self, ordinal: int, ports: Ports, *, last: bool) -> None:
        """Note that a Service with *ports* left *ordinal*, as its *last* user or not."""
        if not last:
            self._ports[ordinal] -= ports
            self._loosen(ordinal)
            return
        del self._ports[ordinal]
        at = bisect_left(self._ordinals, ordinal)
        if at < len(self._ordinals) and self._ordinals[at] == ordinal:
            del self._ordinals[at]

    def clashes(self, ordinal: int, ports: Ports, *, own: Ports = frozenset()) -> Ports:
        """Return which of *ports* are used on *ordinal* by Services other than that with *own*."""
        return frozenset(ports & (self._ports[ordinal] - own))

    def first_for(self, ports: Ports) -> int | None:
        """Return the first address on which all of *ports* are unused."""
        begin = bisect_left(self._ordinals, self._barren.get(ports, 0))
        found = None
        for ordinal in self._ordinals[begin:]:
            if ports.isdisjoint(self._ports[ordinal]):
                found = ordinal
                break
        if len(self._barren) >= _REMEMBERED:
            self._barren.clear()
        if found is not None:
            self._barren[ports] = found
        elif self._ordinals:
            self._barren[ports] = self._ordinals[-1] + 1
        return found

    def _loosen(self, ordinal: int) -> None:
        """Forget what was remembered where *ordinal* may now do."""
        for ports, begin in self._barren.items():
            if begin > ordinal:
                self._barren[ports] = ordinal
