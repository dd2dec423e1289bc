"""Settings of the kernel that keep packets to an elastic IP from arriving, in sentences.

They are looked at and explained, never changed: they belong to whoever runs the host.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from bgpd.host import wire
from bgpd.host.inventory import Inventory

_STRICT: Final = 1
_ANNOUNCES_ALL: Final = (0, 1)
"""With 1 an address of the same network is still what a question comes from."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Settings of one interface as they work, with those of `all`; None: they cannot be read."""

    rp_filter: int | None = None
    arp_ignore: int | None = None
    arp_announce: int | None = None


def check(
    present: Inventory, uplinks: Collection[int], switches: Mapping[str, Switches]
) -> Iterator[str]:
    """Yield what a person should know of the interfaces by which traffic comes."""
    for index in sorted(uplinks):
        found = switches.get(present.name(index), Switches())
        if found.rp_filter == _STRICT:
            yield from _reverse_path(present, index)
    yield from _arp(present, switches)


def _reverse_path(present: Inventory, index: int) -> Iterator[str]:
    defaults = [one for one in present.defaults if one.family == wire.AF_INET and not one.tos]
    # Without a route to the sender a loose filter drops as well, so it is not the filter's doing.
    back = {hop.interface for one in defaults for hop in one.hops}
    if not back or index in back:
        return
    name = present.name(index)
    others = " and ".join(sorted(map(present.name, back)))
    yield (
        f"{name}: rp_filter is strict (1) and the default route leaves by {others}, so packets to"
        f" elastic IPs that a router sends to {name} are dropped: set net.ipv4.conf.all.rp_filter"
        f" and net.ipv4.conf.{name}.rp_filter to 2 (loose), or let the default route leave by"
        f" {name}, too"
    )


def _arp(present: Inventory, switches: Mapping[str, Switches]) -> Iterator[str]:
    bound = {one.address: IPv4Address(one.address) for one in present.bound if _is_v4(one.address)}
    networks = [
        (present.name(one.interface), IPv4Interface(f"{one.address}/{one.length}").network)
        for one in present.addresses
        if bound and _is_v4(one.address) and one.usable and not one.whole
    ]
    for name, network in sorted(set(networks), key=str):
        inside = sorted(text for text, address in bound.items() if address in network)
        found = switches.get(name, Switches())
        if not inside or (found.arp_ignore != 0 and found.arp_announce not in _ANNOUNCES_ALL):
            continue
        more = f" and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
        yield (
            f"{', '.join(inside[:_SHOWN])}{more}: bound here and inside {network}, the network of"
            f" {name}, where this node answers ARP for it like every other node that has it, so"
            " neighbors bypass the routers and stay with one node when it dies: use a pool outside"
            f" of that network, or set net.ipv4.conf.{name}.arp_ignore to 1 and"
            f" net.ipv4.conf.{name}.arp_announce to 2"
        )


def _is_v4(text: str) -> bool:
    return ":" not in text
