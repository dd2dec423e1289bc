"""Which addresses of Services are to be on the host, and which routes stand for them."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from bgpd.model.cluster import Service
from bgpd.model.configuration import IPAddressPool
from bgpd.model.errors import ConfigError
from bgpd.model.prefix import Address, parse_address
from bgpd.policy.context import Context
from bgpd.policy.pools import index_of

_REMEMBERED: Final = 100_000


def bound_pools(context: Context) -> tuple[IPAddressPool, ...]:
    """Return the pools in force whose elastic IPs are to be on the host."""
    return tuple(one for one in context.in_force.pools.values() if one.bind)


class Elastic:
    """Finds the elastic IPs of the pools that are bound; each text is read once."""

    def __init__(self) -> None:
        self._pools: tuple[IPAddressPool, ...] = ()
        self._index = index_of(())
        self._known: dict[str, Address | None] = {}

    def choose(self, pools: tuple[IPAddressPool, ...]) -> None:
        """Go by these pools from now on."""
        if pools != self._pools or len(self._known) > _REMEMBERED:
            self._pools, self._index = pools, index_of(pools)
            self._known.clear()

    def of(self, service: Service) -> Iterator[Address]:
        """Yield those that *service* has."""
        for text in service.ingress:
            yield from self.alone(text)

    def alone(self, text: str) -> Iterator[Address]:
        """Yield the address *text*, if it is one of them."""
        if text not in self._known:
            self._known[text] = self._read(text)
        address = self._known[text]
        if address is not None:
            yield address

    def _read(self, text: str) -> Address | None:
        try:
            address = parse_address(text)
        except ConfigError:
            return None
        return None if self._index.pool_of(ipaddress.ip_address(address)) is None else address
