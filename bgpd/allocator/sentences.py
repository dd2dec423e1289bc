"""Why a Service did not get what it asked for: each sentence names object, value and way out."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from bgpd.allocator.sharing import Ports
from bgpd.allocator.stock import Stock
from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Address, Family

SHORT: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
_LISTED: Final = 10


def listed(names: Iterable[str]) -> str:
    """Return *names* in order, the first ten of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return ", ".join(ordered[:_LISTED]) + more


def families(wanted: Sequence[Family]) -> str:
    """Return `IPv4`, `IPv6` or both as text."""
    return " and ".join(SHORT[family] for family in wanted)


def no_pools(key: str) -> str:
    """Say that there is nothing to allocate from."""
    return f"Service {key}: there is no IPAddressPool; create one with spec.addresses"


def unknown_pool(key: str, pool: str, known: Iterable[str]) -> str:
    """Say that a Service names a pool that does not exist."""
    return (
        f"Service {key}: annotation address-pool: {pool!r} is no IPAddressPool; "
        f"must be one of {listed(known) or 'none, as there is none'}"
    )


def nothing_fits(key: str, wanted: Sequence[Family]) -> str:
    """Say that no pool could give what was wanted; the pools' own sentences follow."""
    what = "an address" if len(wanted) == 1 else "one address each"
    return f"Service {key}: no IPAddressPool can give {what} of {families(wanted)}"


def other_families(key: str, held: Iterable[Address], wanted: Sequence[Family]) -> str:
    """Say that a Service holds an address of a family that it does not want."""
    return (
        f"Service {key}: holds {', '.join(held)}, but asks for {families(wanted)} alone; "
        "release what it holds first"
    )


def no_families(key: str) -> str:
    """Say that nothing was asked for, or one family twice."""
    return (
        f"Service {key}: spec.ipFamilies: must be one or two different families; "
        "wait until spec.clusterIPs is set"
    )


def bad_addresses(key: str, addresses: Sequence[Address]) -> str:
    """Say that the addresses asked for are not one, or one of each family."""
    return (
        f"Service {key}: addresses [{', '.join(addresses)}]: must be one address, "
        "or one of IPv4 and one of IPv6"
    )


def in_no_pool(key: str, address: Address, known: Iterable[str]) -> str:
    """Say that no pool holds an address that was asked for."""
    return (
        f"Service {key}: address {address} is in none of the IPAddressPools "
        f"({listed(known) or 'there is none'}); ask for one that is, or add it to spec.addresses"
    )


def avoided(key: str, address: Address, pool: str) -> str:
    """Say that a pool does not give addresses ending in .0 or .255."""
    return (
        f"Service {key}: address {address} is one that IPAddressPool {pool} does not give because "
        "of spec.avoidBuggyIPs; ask for one that ends in .1 to .254"
    )


def two_pools(key: str, addresses: Sequence[Address], pools: Sequence[str]) -> str:
    """Say that the addresses asked for are not of one pool."""
    owned = " and ".join(
        f"{address} is of IPAddressPool {pool}"
        for address, pool in zip(addresses, pools, strict=True)
    )
    return f"Service {key}: {owned}; all addresses of a Service must be of one pool"


def wrong_pool(key: str, pool: str, wanted: str) -> str:
    """Say that the address asked for is not of the pool asked for."""
    return (
        f"Service {key}: the address is of IPAddressPool {pool}, but annotation address-pool "
        f"names {wanted!r}; change one of them"
    )


def reserved(key: str, address: Address, pool: str) -> str:
    """Say that nobody is given this address."""
    return (
        f"Service {key}: address {address} is reserved by IPAddressPool {pool}, spec.reserved; "
        "ask for another one"
    )


def waits(
    key: str, address: Address, pool: str, owners: Iterable[str], seconds: float | None
) -> str:
    """Say that an address was released a moment ago, or is about to be."""
    if seconds is None:
        return (
            f"Service {key}: address {address} of IPAddressPool {pool} is what {listed(owners)} "
            "had and may not keep; free when each of them has another one"
        )
    return (
        f"Service {key}: address {address} was released a moment ago and IPAddressPool {pool} "
        f"keeps it for spec.reuseDelay; free in {ceil(seconds)} s"
    )


def not_shared(key: str, address: Address, others: Iterable[str], *, asks: bool) -> str:
    """Say that others use an address that they do not share, or not with this Service."""
    why = (
        "sharing needs the same annotation allow-shared-ip on all of them and, with "
        "externalTrafficPolicy Local on any, the same policy and selector on all"
        if asks
        else "it has no annotation allow-shared-ip, so it shares none"
    )
    return f"Service {key}: address {address} is in use by {listed(others)}; {why}"


def ports_clash(key: str, address: Address, ports: Ports, others: Iterable[str]) -> str:
    """Say that a port is used by another Service on the same address."""
    used = listed(f"{port.protocol}/{port.number}" for port in ports)
    return (
        f"Service {key}: {used} on {address} is in use by {listed(others)}; "
        "Services on one address must use different ports"
    )


def lacks(pool: str, lacking: Sequence[tuple[Family, Stock | None]]) -> str:
    """Say why *pool* has no address of the families in *lacking*."""
    return f"IPAddressPool {pool}: " + " and ".join(
        _lacks_one(family, stock) for family, stock in lacking
    )


def not_automatic(pool: IPAddressPool) -> str:
    """Say that a pool is used only by those that name it."""
    return (
        f"IPAddressPool {pool.name}: spec.autoAssign is false; "
        "name the pool in the annotation address-pool to use it"
    )


def _lacks_one(family: Family, stock: Stock | None) -> str:
    if stock is None:
        return f"it has no {SHORT[family]} addresses"
    parts = [f"{stock.assigned} assigned"]
    if stock.waiting:
        parts.append(f"{stock.waiting} kept for the Service that had it last")
    return (
        f"none of its {stock.layout.count} {SHORT[family]} addresses is free ({', '.join(parts)})"
    )
