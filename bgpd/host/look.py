"""Look at the interfaces, addresses and routes of this network namespace."""

import errno
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TypeVar

from bgpd.host import defaultroute, hostroute, inventory, rtnetlink, wire
from bgpd.host.defaultroute import DefaultRoute, NextHop
from bgpd.host.hostroute import HostRoute
from bgpd.host.inventory import HostAddress, Interface, Inventory
from bgpd.host.netlink import NO_TABLE, Asking, NetlinkKernel
from bgpd.host.pathcheck import Switches
from bgpd.model.prefix import Address, Prefix

_EVERY_LINK: Final = 0
_FAMILIES: Final = (wire.AF_INET, wire.AF_INET6)
_TRIES: Final = 5
"""A dump during which something changes is to be had again."""
_CONF: Final = Path("/proc/sys/net/ipv4/conf")

T = TypeVar("T")


class Looking:
    """Sockets for many looks; every call blocks."""

    def __init__(self) -> None:
        self._asking = Asking(socket.NETLINK_ROUTE)
        try:
            self._kernel = NetlinkKernel()
        except BaseException:
            self._asking.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asking.close()
        self._kernel.close()

    def look(
        self,
        destinations: Collection[Prefix] = frozenset(),
        asked: Collection[Address] = frozenset(),
    ) -> Inventory:
        """Return what there is; of others' host routes those to *destinations*.

        *asked* are the addresses to which the kernel's way is wanted.
        """
        interfaces = _again(self._interfaces)
        addresses = _again(self._addresses)
        defaults, ours, others = _again(lambda: self._routes(destinations))
        return Inventory(
            interfaces={one.index: one for one in interfaces},
            addresses=tuple(addresses),
            defaults=tuple(defaults),
            routes=frozenset(ours),
            others=others,
            ways={address: self._kernel.hops(address) for address in asked},
        )

    def _interfaces(self) -> list[Interface]:
        question = rtnetlink.link_question(_EVERY_LINK)
        found = self._asking.every(rtnetlink.GETLINK, question)
        return [inventory.decode_interface(message.body) for message in found]

    def _addresses(self) -> list[HostAddress]:
        found = []
        for family in _FAMILIES:
            for message in self._dump(rtnetlink.GETADDR, inventory.address_question(family)):
                one = inventory.decode_address(message.body)
                if one is not None:
                    found.append(one)
        return found

    def _routes(
        self, destinations: Collection[Prefix]
    ) -> tuple[list[DefaultRoute], list[HostRoute], dict[Prefix, tuple[NextHop, ...]]]:
        defaults: list[DefaultRoute] = []
        ours: list[HostRoute] = []
        others: dict[Prefix, tuple[NextHop, ...]] = {}
        for family in _FAMILIES:
            question = defaultroute.dump_question(family)
            for message in self._dump(rtnetlink.GETROUTE, question):
                default = defaultroute.decode(message.body)
                if default is not None:
                    defaults.append(default)
                row = hostroute.decode(message.body)
                if row is None:
                    continue
                if row.ours:
                    ours.append(row.route)
                elif row.route.destination in destinations:
                    others[row.route.destination] = row.route.hops
        return defaults, ours, others

    def _dump(self, kind: int, body: bytes) -> Iterator[wire.Message]:
        """Yield a dump; nothing of a family that this kernel does not have, or has no table of."""
        try:
            yield from self._asking.every(kind, body)
        except OSError as error:
            if error.errno not in NO_TABLE:
                raise


def switches(names: Collection[str]) -> dict[str, Switches]:
    """Read what counts for packets that arrive by each of the interfaces *names*."""
    return {
        name: Switches(
            rp_filter=_greatest("rp_filter", name),
            arp_ignore=_greatest("arp_ignore", name),
            arp_announce=_greatest("arp_announce", name),
        )
        for name in names
    }


def _greatest(setting: str, name: str) -> int | None:
    """Return the value that works: the greater of the interface's and that of `all`."""
    found = []
    for one in (name, "all"):
        with suppress(OSError, ValueError):
            found.append(int((_CONF / one / setting).read_text()))
    return max(found, default=None)


def _again(dump: Callable[[], T]) -> T:
    for _ in range(_TRIES):
        try:
            return dump()
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
    return dump()
