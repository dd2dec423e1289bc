"""Our routes in ExaBGP's terms, and back.

Parsing a route's text costs ExaBGP half a millisecond; building its objects directly costs
twenty microseconds. Attributes are built once for each set that a kind of session uses, since
a takeover sends a thousand prefixes with the same ones.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

from exabgp.bgp.message import Action
from exabgp.bgp.message.update import attribute
from exabgp.bgp.message.update.attribute.aspath import SEQUENCE, ASPath
from exabgp.bgp.message.update.attribute.attributes import Attributes as ExabgpAttributes
from exabgp.bgp.message.update.attribute.community.extended import ExtendedCommunity
from exabgp.bgp.message.update.attribute.community.extended.communities import ExtendedCommunities
from exabgp.bgp.message.update.attribute.community.initial.communities import Communities
from exabgp.bgp.message.update.attribute.community.initial.community import Community
from exabgp.bgp.message.update.attribute.community.large.communities import LargeCommunities
from exabgp.bgp.message.update.attribute.community.large.community import LargeCommunity
from exabgp.bgp.message.update.nlri import INET
from exabgp.bgp.message.update.nlri.cidr import CIDR
from exabgp.protocol.family import AFI, SAFI, Family
from exabgp.protocol.ip import IP
from exabgp.rib.change import Change

from bgpd.exabgp.command import RouteGroup
from bgpd.exabgp.mends import Mend
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes

AS_TRANS: Final = 23456
"""What stands for an ASN above 65535 where there is room for two bytes (RFC 6793)."""
LINK_BANDWIDTH: Final = (0x00, 0x04)
"""Type and subtype: two-octet AS specific, transitive; link bandwidth."""
CACHED: Final = 4096
"""Sets of attributes that are kept; each generation brings new ones and strands the old."""


class WireAttributes(ExabgpAttributes):  # type: ignore[misc]
    """ExaBGP's attributes of a route, with ours beside them, so that a route can be shown."""

    source: Attributes

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__()
        self._packed: dict[tuple[bool, int, int], bytes] = {}

    def pack(self, negotiated: Any, with_default: bool = True) -> bytes:
        """Return what an UPDATE of a session carries; remembered, for ExaBGP takes a while."""
        if not with_default:
            return bytes(super().pack(negotiated, with_default))
        # All that the attributes of `_build` depend on: the rest of them is the builder's key.
        key = (bool(negotiated.asn4), int(negotiated.local_as), int(negotiated.peer_as))
        found = self._packed.get(key)
        if found is None:
            found = self._packed[key] = bytes(super().pack(negotiated))
        return found


class NoAttributes(ExabgpAttributes):  # type: ignore[misc]
    """Those of a withdrawal: ExaBGP would make some up, and then leave them out."""

    def pack(self, negotiated: Any, with_default: bool = True) -> bytes:
        """Return nothing (RFC 4271, section 4.3)."""
        del negotiated, with_default
        return b""


class Route(INET):  # type: ignore[misc]
    """A prefix on its way to a peer; ExaBGP asks it for its family at every step."""

    def family(self) -> Any:
        """Return the family; ExaBGP's own makes it anew each time."""
        return _FAMILY[self.afi]


class RouteBuilder:
    """ExaBGP's changes from our prefixes and attributes."""

    def __init__(self, without: frozenset[Mend] = frozenset()) -> None:
        """Build without the mends in *without*."""
        self._without = without
        self._cache: dict[tuple[int, bool, Attributes], WireAttributes] = {}
        self._nothing = NoAttributes()

    def withdrawal(self, prefix: Prefix) -> Any:
        """Return the change that takes *prefix* back."""
        return Change(_nlri(prefix, Action.WITHDRAW), self._nothing)

    def announcements(self, neighbor: Any, group: RouteGroup) -> list[Any]:
        """Return the changes that offer *group* to *neighbor*, or raise `ProtocolError`."""
        wanted = group.attributes
        if Mend.NEXT_HOP in self._without:
            # What ExaBGP's `next-hop self` would be: the router ID, for IPv4 routes over an
            # IPv6 session, which nobody can reach. So the next hop is always what we were told.
            wanted = replace(wanted, next_hop=Address(str(neighbor.ip_self(AFI.ipv4))))
        attributes = self._attributes(neighbor, wanted)
        next_hop = _ip(wanted.next_hop)
        changes = []
        for prefix in group.prefixes:
            nlri = _nlri(prefix, Action.ANNOUNCE)
            if nlri.afi == AFI.ipv6 and next_hop.afi != AFI.ipv6:
                raise ProtocolError(f"{prefix}: {wanted.next_hop} is no next hop for it")
            nlri.nexthop = next_hop
            changes.append(Change(nlri, attributes))
        return changes

    def _attributes(self, neighbor: Any, wanted: Attributes) -> WireAttributes:
        local_asn = int(neighbor["local-as"])
        internal = local_asn == int(neighbor["peer-as"])
        key = (local_asn, internal, wanted)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            found = self._cache[key] = _build(neighbor["local-as"], internal, wanted)
        return found


def groups(changes: Iterable[Any]) -> tuple[RouteGroup, ...]:
    """Return what *changes* offer, in our terms."""
    found: dict[Attributes, list[Prefix]] = {}
    for change in changes:
        if isinstance(change.attributes, WireAttributes):
            found.setdefault(change.attributes.source, []).append(Prefix(change.nlri.cidr.prefix()))
    return tuple(
        RouteGroup(attributes=attributes, prefixes=tuple(sorted(prefixes)))
        for attributes, prefixes in found.items()
    )


def _build(local_as: Any, internal: bool, wanted: Attributes) -> WireAttributes:
    attributes = WireAttributes()
    attributes.source = wanted
    attributes.add(attribute.Origin(int(wanted.origin)))
    # ExaBGP adds our ASN on eBGP only when no path is given at all: the path is always given
    # here, and complete (RFC 4271, section 5.1.2).
    path = [local_as] * (wanted.as_path_prepend + (0 if internal else 1))
    attributes.add(ASPath([SEQUENCE(path)] if path else []))
    next_hop = _ip(wanted.next_hop)
    attributes.add(attribute.NextHop(wanted.next_hop, next_hop.pack()))
    if wanted.med is not None:
        attributes.add(attribute.MED(wanted.med))
    if internal and wanted.local_pref is not None:
        attributes.add(attribute.LocalPreference(wanted.local_pref))
    if wanted.communities:
        attributes.add(Communities([Community(_packed(text, 2)) for text in wanted.communities]))
    if wanted.large_communities:
        attributes.add(
            LargeCommunities(
                [LargeCommunity(_packed(text, 4)) for text in wanted.large_communities]
            )
        )
    if wanted.link_bandwidth is not None:
        community = ExtendedCommunity(_bandwidth(int(local_as), wanted.link_bandwidth))
        attributes.add(ExtendedCommunities().add(community))
    return attributes


def _bandwidth(local_asn: int, bytes_per_second: int) -> bytes:
    """Return a link-bandwidth community (RFC 10005).

    The transitive form, because it has to cross from our AS into the router's; ExaBGP's own class
    knows the other one only. An ASN that needs four bytes has AS_TRANS in its place.
    """
    asn = local_asn if local_asn < 2**16 else AS_TRANS
    return struct.pack("!BBHf", *LINK_BANDWIDTH, asn, bytes_per_second)


def _packed(community: str, width: int) -> bytes:
    try:
        packed = b"".join(int(part).to_bytes(width, "big") for part in community.split(":"))
    except (ValueError, OverflowError):
        packed = b""
    if len(packed) != (4 if width == 2 else 12):
        raise ProtocolError(f"{community!r} is not a community")
    return packed


@lru_cache(maxsize=256)
def _ip(address: str) -> Any:
    """Return a next hop, of which there are few, as ExaBGP has it."""
    try:
        return IP.create(address)
    except (ValueError, OSError):
        raise ProtocolError(f"{address!r} is not an address") from None


def _nlri(prefix: Prefix, action: Any) -> Any:
    family, packed, length = _parsed(prefix)
    afi = AFI.ipv4 if family == AF_INET else AFI.ipv6
    nlri = Route(afi, SAFI.unicast, action)
    nlri.cidr = CIDR(packed, length)
    return nlri


def _parsed(prefix: Prefix) -> tuple[int, bytes, int]:
    """Return family, address and length of *prefix*, or raise `ProtocolError`."""
    address, _, length = prefix.partition("/")
    family = AF_INET6 if ":" in address else AF_INET
    try:
        if length == _ADDRESS[family]:
            # Most are of this kind, and `ip_network` takes ten times as long.
            return family, inet_pton(family, address), int(length)
        network = ip_network(prefix)
    except (ValueError, OSError) as error:
        raise ProtocolError(f"{prefix!r} is not a prefix: {error}") from None
    return family, network.network_address.packed, network.prefixlen


_FAMILY: Final = {afi: Family(afi, SAFI.unicast) for afi in (AFI.ipv4, AFI.ipv6)}
_ADDRESS: Final[Mapping[int, str]] = {AF_INET: "32", AF_INET6: "128"}
"""How long a prefix is that is one address."""
