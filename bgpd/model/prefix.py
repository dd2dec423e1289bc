"""Prefixes and addresses as canonical text.

Text, because every boundary of bgpd (documents, sockets, ExaBGP) is text, and because ten
thousand `ipaddress` objects cost ten times the memory. A `Prefix` or `Address` that exists
came out of a parser below and is therefore canonical: equal values are equal strings.
"""

import ipaddress
from enum import StrEnum
from typing import NewType

from bgpd.model.errors import ConfigError

Prefix = NewType("Prefix", str)
"""An address block in canonical form, `203.0.113.7/32` or `2001:db8::7/128`."""

Address = NewType("Address", str)
"""An IPv4 or IPv6 address in canonical form, without a zone."""


class Family(StrEnum):
    """An address family and subsequent family (RFC 4760), in ExaBGP's and our words."""

    IPV4 = "ipv4-unicast"
    IPV6 = "ipv6-unicast"


def parse_address(text: str) -> Address:
    """Return *text* as a canonical address, or raise `ConfigError`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not an IPv4 or IPv6 address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ConfigError(f"{text!r} has a zone, which means nothing beyond one host")
    return Address(str(address))


def parse_prefix(text: str) -> Prefix:
    """Return *text* as a canonical prefix, or raise `ConfigError`; host bits must be zero."""
    try:
        return Prefix(str(ipaddress.ip_network(text)))
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a prefix: {error}") from None


def host_prefix(address: Address) -> Prefix:
    """Return the /32 or /128 that holds exactly *address*."""
    return Prefix(f"{address}/128" if ":" in address else f"{address}/32")


def family_of(value: Prefix | Address) -> Family:
    """Return the family that *value* belongs to."""
    return Family.IPV6 if ":" in value else Family.IPV4
