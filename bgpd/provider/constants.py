"""Providers whose routers are the same for everybody: documented constants, no document.

What depends on the data center is `spec.providerSite`; what is agreed on with the customer (an
ASN, a password) is for the BGPPeer to say.
"""

from typing import Final

from bgpd.model.errors import ConfigError
from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Family, parse_address
from bgpd.model.provider import DEFAULT_GATEWAY, ProviderPeer
from bgpd.provider.adapter import Adapter, Asker, Documented

_LINODE_SITES: Final = {
    "newark": 6, "london": 7, "singapore": 9, "frankfurt": 10, "mumbai": 14, "sydney": 16,
}  # fmt: skip
_LINODE_MOST: Final = 9999
"""Four digits: they are written into a part of an IPv6 address."""
_LINODE_ROUTERS: Final = 4
_INGENUITY: Final = ("100.64.64.64", "100.64.64.65", "fc00::1", "fc00::2")
_MYLOC: Final = (
    "62.141.40.144", "62.141.40.145", "62.141.40.146", "62.141.40.147",
    "2001:4ba0:1336::1", "2001:4ba0:1336::2", "2001:4ba0:1336::3", "2001:4ba0:1336::4",
)  # fmt: skip
MULTIHOP_TTL: Final = 255
"""Where a provider says "multihop" without a number."""


def linode(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return Linode's routers: IPv6 sessions that carry both families (RFC 8950).

    The data center's number stands in the address in decimal digits. Community 65000:1 says that
    this node is the first choice for its routes; all nodes say so, and generations decide.
    """
    del document
    number = _linode_number(asker.site)
    return tuple(
        ProviderPeer(
            address=parse_address(f"2600:3c0f:{number}:34::{router}"),
            peer_asn=Asn(65000),
            local_asn=Asn(65001),
            families=(Family.IPV4, Family.IPV6),
            ttl=16,
            hold_time=9,
            communities=("65000:1",),
        )
        for router in range(1, _LINODE_ROUTERS + 1)
    )


def _linode_number(site: str) -> int:
    number = _LINODE_SITES.get(site.lower())
    if number is not None:
        return number
    if site.isascii() and site.isdecimal() and 1 <= len(site) <= 4 and int(site) >= 1:
        return int(site)
    raise ConfigError(
        f"spec.providerSite: {site[:60]!r} must be the number of the Linode data center,"
        f" 1..{_LINODE_MOST}, or one of {', '.join(sorted(_LINODE_SITES))}"
    )


def ingenuity(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return Ingenuity Cloud's routers, which wait for our connection."""
    del document, asker
    return tuple(
        ProviderPeer(
            address=Address(address),
            peer_asn=Asn(65000),
            local_asn=Asn(65100),
            ttl=MULTIHOP_TTL,
            passive=True,
        )
        for address in _INGENUITY
    )


def myloc(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return myLoc's routers, reached by host routes over the default gateway.

    ASN and password are agreed on when the sessions are ordered.
    """
    del document, asker
    return tuple(
        ProviderPeer(
            address=Address(address),
            peer_asn=Asn(24961),
            ttl=MULTIHOP_TTL,
            password_required=True,
            gateway=DEFAULT_GATEWAY,
        )
        for address in _MYLOC
    )


LINODE: Final = Adapter(parse=linode, origin=Documented(), empty="")
INGENUITY: Final = Adapter(parse=ingenuity, origin=Documented(), empty="")
MYLOC: Final = Adapter(parse=myloc, origin=Documented(), empty="")
