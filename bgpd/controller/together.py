"""Which pools hold beside each other: an address that two of them have could be given twice.

Agents refuse the newcomer of two pools that overlap, so an address that only the newcomer has would
be given and never routed. The controller refuses it by the same rule, and keeps the last good
version of a pool whose edit clashes. It does not remember over a restart what was in force, but
Services do: those pools come first whose addresses they show, and where two such clash, nobody
loses an address by it.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from bgpd.controller.wish import shown
from bgpd.model.allocation import ServiceRequest
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Prefix, family_of
from bgpd.policy.admission import Admission
from bgpd.policy.pools import admit_pools


def hold_together(
    wanted: Iterable[IPAddressPool],
    in_force: Mapping[str, IPAddressPool],
    services: Collection[ServiceRequest],
) -> Admission[IPAddressPool]:
    """Return which of *wanted* hold, and why the others do not.

    *in_force* is empty at a start; then *services* say which pools were.
    """
    if in_force:
        return admit_pools(wanted, in_force)
    noted = {one.pool_noted for one in services if one.ingress}
    pools = tuple(wanted)
    first = admit_pools(pools, {one.name: one for one in pools if one.name in noted})
    remains = [_remains(pool, first.admitted, services) for pool, _ in first.refused]
    admitted = sorted((*first.admitted, *(one for one in remains if one.prefixes)), key=_name)
    return Admission(admitted=tuple(admitted), refused=first.refused)


def _remains(
    pool: IPAddressPool, others: Iterable[IPAddressPool], services: Iterable[ServiceRequest]
) -> IPAddressPool:
    """Return *pool* with nothing but what Services have of it and none of *others* has."""
    held = {
        address
        for one in services
        if one.pool_noted == pool.name
        for address in shown(one)
        if _has(pool, address) and not any(_has(other, address) for other in others)
    }
    prefixes = tuple(Prefix(str(ipaddress.ip_network(one))) for one in sorted(held))
    return replace(pool, prefixes=prefixes)


def _has(pool: IPAddressPool, address: Address) -> bool:
    number = ipaddress.ip_address(address)
    return any(
        number in ipaddress.ip_network(prefix)
        for prefix in pool.prefixes
        if family_of(prefix) is family_of(address)
    )


def _name(pool: IPAddressPool) -> str:
    return pool.name
