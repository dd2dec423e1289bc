"""The host's addresses without their gaps: one that is gone for a moment moves no session.

`netplan apply`, `networkctl reconfigure` and DHCP clients take an address off and put it back. TCP
outlives that; a session that is moved to another source does not, and neither do its routes. So
an address that is gone counts as there for a few seconds, and where nobody can look, what was
seen last holds.
"""

from typing import Final

from bgpd.model.prefix import Address

GAP_SECONDS: Final = 5.0
"""How long an address may be gone; a router misses nobody for three times as long at least."""


class Lasting:
    """What the host has; *now* is monotonic seconds."""

    def __init__(self) -> None:
        self.addresses: frozenset[Address] | None = None
        """Those that are there, or were a moment ago; None: nobody has looked yet."""
        self._present: frozenset[Address] = frozenset()
        self._gone: dict[Address, float] = {}
        self._answers: dict[tuple[Address, str], Address] = {}

    def take(self, present: frozenset[Address] | None, now: float) -> bool:
        """Take in that *present* was seen; return whether `addresses` changed. None: not known."""
        if present is None:
            return False
        before = self.addresses
        for address in (before or frozenset()) - present:
            self._gone.setdefault(address, now)
        self._gone = {
            address: at
            for address, at in self._gone.items()
            if address not in present and now - at < GAP_SECONDS
        }
        self._present = present
        self.addresses = present.union(self._gone)
        return self.addresses != before

    def again(self, now: float) -> bool:
        """Look at the clock alone; return whether `addresses` changed."""
        return self.addresses is not None and self.take(self._present, now)

    def deadline(self) -> float | None:
        """Return when the next address counts as gone."""
        return min(self._gone.values(), default=0.0) + GAP_SECONDS if self._gone else None

    def source(self, destination: Address, gateway: str, found: Address | None) -> Address | None:
        """Return *found*, the source on the way there, or the one before during its gap."""
        key = destination, gateway
        before = self._answers.get(key)
        if before is not None and before in self._gone:
            return before
        if found is not None:
            self._answers[key] = found
        return found
