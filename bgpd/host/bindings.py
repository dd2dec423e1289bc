"""Which elastic IPs are surely on this host, though one thread wants and another one does.

A look at the kernel is old when it is heard: what it saw may have been taken off since, because it
was not wanted for a moment. So a look counts for an address if it is no older than the last order
that could have taken it off.
"""

from bgpd.host.outcome import Outcome
from bgpd.host.wish import Wanted
from bgpd.model.prefix import Address


class Bindings:
    """Numbers what is wanted, and compares it with what was seen."""

    def __init__(self) -> None:
        self._wanted = Wanted()
        self._number = 0
        self._clear = 1
        """The first look that follows everything that could take off what is not wanted."""
        self._since: dict[Address, int] = {}
        """Which look is new enough for an address that is wanted."""
        self._seen = 0
        self._there: frozenset[Address] = frozenset()

    def want(self, wanted: Wanted) -> int:
        """Take in what is wanted from now on; return its number."""
        self._number += 1
        before = self._wanted.addresses
        self._since = {one: at for one, at in self._since.items() if one in wanted.addresses}
        self._since.update(dict.fromkeys(wanted.addresses - before, self._clear))
        if not wanted.keep:
            self._clear = self._number + 1
        self._wanted = wanted
        return self._number

    def look(self, found: Outcome) -> None:
        """Take in what was seen."""
        self._seen, present = found.number, found.present
        there = () if present is None else present.addresses
        self._there = frozenset(one.address for one in there)

    def has(self, address: Address) -> bool:
        """Return whether *address* is there, and nothing is about to take it off."""
        least = self._since.get(address, self._clear)
        return address in self._there and self._seen >= least
