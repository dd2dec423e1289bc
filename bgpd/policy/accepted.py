"""Which pools' addresses a provider's routers would ignore: nothing else says so.

A router that filters what we advertise keeps the session and is silent about it, so traffic never
comes. Some providers say what they accept; who says nothing is taken to accept everything.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from bgpd.model.configuration import BGPAdvertisement, BGPPeer, IPAddressPool
from bgpd.model.prefix import Prefix, family_of
from bgpd.model.provider import Accepted, Discovery, ProviderPeer
from bgpd.policy.provided import session_name
from bgpd.policy.reach import names_peer, names_pool


def not_accepted(
    sessions: Mapping[str, BGPPeer],
    discovered: Mapping[str, Discovery],
    advertisements: Iterable[BGPAdvertisement],
    pools: Iterable[IPAddressPool],
) -> Iterator[str]:
    """Yield a sentence for each pool that a provider's routers hear of and do not take.

    *sessions* are those in force, by name; *advertisements* are those of this node.
    """
    rules, said = tuple(advertisements), set()
    asked = tuple(pools)
    for document, discovery in sorted(discovered.items()):
        for router in discovery.peers:
            session = sessions.get(session_name(document, router.address))
            heard = [one for one in rules if session is not None and names_peer(one, session)]
            for pool in asked:
                if any(names_pool(one, pool) for one in heard):
                    left = _left(pool, router)
                    if left and (document, pool.name) not in said:
                        said.add((document, pool.name))
                        yield _sentence(document, router, pool, left)


def _left(pool: IPAddressPool, router: ProviderPeer) -> tuple[Prefix, ...]:
    """Return the blocks of *pool* that *router* does not take; it may be silent on a family."""
    return tuple(
        block
        for block in pool.prefixes
        if any(family_of(one.prefix) is family_of(block) for one in router.accepts)
        and not _takes(router.accepts, block)
    )


def _takes(accepts: Iterable[Accepted], block: Prefix) -> bool:
    """Return whether one of *accepts* has *block*, or several together."""
    wanted = ipaddress.ip_network(block, strict=False)
    every = [(ipaddress.ip_network(one.prefix, strict=False), one.exact) for one in accepts]
    if any(exact and network == wanted for network, exact in every):
        return True
    open_ = [network for network, exact in every if not exact]
    match wanted:
        case ipaddress.IPv4Network():
            v4 = [one for one in open_ if isinstance(one, ipaddress.IPv4Network)]
            return any(wanted.subnet_of(one) for one in ipaddress.collapse_addresses(v4))
        case ipaddress.IPv6Network():
            v6 = [one for one in open_ if isinstance(one, ipaddress.IPv6Network)]
            return any(wanted.subnet_of(one) for one in ipaddress.collapse_addresses(v6))


def _sentence(
    document: str, router: ProviderPeer, pool: IPAddressPool, left: tuple[Prefix, ...]
) -> str:
    family = family_of(left[0])
    taken = ", ".join(
        one.prefix if one.exact else f"{one.prefix} and longer"
        for one in router.accepts
        if family_of(one.prefix) is family
    )
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return (
        f"BGPPeer {document}: the router {router.address} accepts {taken}, and {left[0]}{more} of "
        f"IPAddressPool {pool.name} is not within; it will not carry those addresses until the "
        "provider accepts them for this node"
    )
