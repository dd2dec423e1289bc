"""The small languages inside documents: durations, communities, address ranges.

Each function returns the value, or raises `ValueError` with what is wrong in a few words. What is
legal stands in `bgpd.kube.objects`.
"""

import ipaddress
import re
from typing import Final

from bgpd.model.prefix import Address, Prefix
from bgpd.model.provider import DEFAULT_GATEWAY

# No more digits than a duration of Go, and so the API server, can hold in any case.
_DURATION: Final = re.compile(
    r"(?:([0-9]{1,6})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?"
)
_LENGTH: Final = re.compile(r"/(?:0|[1-9][0-9]{0,2})")
_ASCII: Final = re.compile(r"[0-9]{1,10}")
_ALIAS: Final = re.compile(r"[^:\s]{1,63}")
_URL: Final = re.compile(
    r"https?://(?:localhost|(?P<address>[0-9]+[0-9.]+|\[[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*\]))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?:/[!-~]*)?"
)
_PROVIDER_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[(?P<address>[0-9A-Fa-f.:]+)\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?:/[!-~]*)?"
)
_INTERFACE: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")
_SITE: Final = re.compile(r"[A-Za-z0-9._-]{1,63}")
MOST_PORT: Final = 65535
LONGEST_URL: Final = 1024
SHA1_KEY_BYTES: Final = 20
"""Bytes of a SHA1 key (RFC 5880, section 4.4)."""
LONGEST_DELAY: Final = 86_400
"""Seconds for which a released address may stay unused, at most."""
MD5_KEY_BYTES: Final = 80
"""TCP_MD5SIG_MAXKEYLEN of the kernel, which RFC 2385, section 4.5, asks for at least."""


def parse_seconds(text: str) -> int:
    """Return the seconds in a Go duration such as `90s` or `1m30s`; it must be whole ones."""
    found = _DURATION.fullmatch(text)
    if text == "0":
        return 0
    if not text or found is None:
        raise ValueError("is not a duration")
    hours, minutes, seconds, milliseconds = (int(part) for part in found.groups("0"))
    if milliseconds % 1000:
        raise ValueError("is not a whole number of seconds")
    return hours * 3600 + minutes * 60 + seconds + milliseconds // 1000


def parse_delay(text: str) -> int:
    """Return the seconds of a pause of at most a day."""
    seconds = parse_seconds(text)
    if seconds > LONGEST_DELAY:
        raise ValueError("is too long")
    return seconds


def parse_alias(text: str) -> str:
    """Return a name that can be told from a community."""
    if not _ALIAS.fullmatch(text) or text.isdecimal():
        raise ValueError("is not allowed")
    return text


def parse_community(text: str) -> str:
    """Return an RFC 1997 community as `a:b`."""
    return _numbers(text, count=2, most=65535)


def parse_large_community(text: str) -> str:
    """Return an RFC 8092 large community as `a:b:c`."""
    return _numbers(text, count=3, most=4294967295)


def parse_blocks(text: str) -> tuple[Prefix, ...]:
    """Return the fewest prefixes that hold a CIDR block or a range `first-last`."""
    if "%" in text:
        raise ValueError("has a zone")
    if "-" not in text:
        # Host bits are masked off, as MetalLB does.
        network = ipaddress.ip_network(text, strict=False)
        _refuse_mapped(network.network_address)
        if not _LENGTH.fullmatch(text, text.find("/")):
            raise ValueError("has no prefix length")
        return (Prefix(str(network)),)
    first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-", 1))
    _refuse_mapped(first)
    _refuse_mapped(last)
    if first.version != last.version:
        raise ValueError("mixes IPv4 and IPv6")
    if int(first) > int(last):
        raise ValueError("runs backwards")
    return tuple(Prefix(str(one)) for one in _cover(first, last))


def parse_plain_address(text: str, version: int | None = None) -> Address:
    """Return an address without a zone that can be the other end of a session."""
    if "%" in text:
        raise ValueError("has a zone")
    address = ipaddress.ip_address(text)
    _refuse_mapped(address)
    if version is not None and address.version != version:
        raise ValueError(f"is IPv{address.version}")
    if address.is_unspecified or address.is_multicast:
        raise ValueError("is no address of a host")
    return Address(str(address))


def parse_password(text: str) -> str:
    """Return a key for TCP MD5."""
    if not 1 <= len(text) <= MD5_KEY_BYTES or not text.isascii() or not text.isprintable():
        raise ValueError("cannot be a TCP MD5 key")
    return text


def parse_path(text: str) -> str:
    """Return an absolute path."""
    if not text.startswith("/") or not text.isprintable():
        raise ValueError("is not absolute")
    return text


def parse_url(text: str) -> str:
    """Return the URL of something that is asked by HTTP without looking up a name."""
    found = _URL.fullmatch(text)
    if len(text) > LONGEST_URL or found is None:
        raise ValueError("is no URL that can be asked")
    if found["address"] is not None:
        _refuse_mapped(ipaddress.ip_address(found["address"].strip("[]")))
    if int(found["port"] or 1) > MOST_PORT:
        raise ValueError("has no port of TCP")
    return text


def parse_provider_url(text: str) -> str:
    """Return the URL of a provider's document; a user in it would be a secret in the open."""
    found = _PROVIDER_URL.fullmatch(text)
    if len(text) > LONGEST_URL or found is None:
        raise ValueError("is no URL that can be asked")
    if found["address"] is not None:
        _refuse_mapped(ipaddress.IPv6Address(found["address"]))
    if int(found["port"] or 1) > MOST_PORT:
        raise ValueError("has no port of TCP")
    return text


def parse_site(text: str) -> str:
    """Return the name or number of a provider's data center."""
    if not _SITE.fullmatch(text):
        raise ValueError("is not allowed")
    return text


def parse_gateway(text: str) -> str:
    """Return the address of a gateway, or the word for the one of the default route."""
    address, zone, interface = text.partition("%")
    if text == DEFAULT_GATEWAY:
        return text
    if zone and not (_INTERFACE.fullmatch(interface) and address.lower().startswith("fe80:")):
        raise ValueError("has a zone")
    return f"{parse_plain_address(address)}{zone}{interface}"


def parse_bfd_key(text: str) -> str:
    """Return a key for BFD's keyed SHA1."""
    if not 1 <= len(text) <= SHA1_KEY_BYTES or not text.isascii() or not text.isprintable():
        raise ValueError("cannot be a key of BFD")
    return text


def _refuse_mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Refuse `::ffff:192.0.2.1`, which Kubernetes takes nowhere and no router is reached by."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError("is IPv4 written as IPv6")


def _numbers(text: str, *, count: int, most: int) -> str:
    parts = text.split(":")
    if len(parts) != count or not all(_ASCII.fullmatch(part) for part in parts):
        raise ValueError(f"is not {count} numbers with ':' between them")
    if any(int(part) > most for part in parts):
        raise ValueError(f"has a number above {most}")
    return ":".join(str(int(part)) for part in parts)


def _cover(
    first: ipaddress.IPv4Address | ipaddress.IPv6Address,
    last: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Network] | list[ipaddress.IPv6Network]:
    match first, last:
        case ipaddress.IPv4Address(), ipaddress.IPv4Address():
            return list(ipaddress.summarize_address_range(first, last))
        case ipaddress.IPv6Address(), ipaddress.IPv6Address():
            return list(ipaddress.summarize_address_range(first, last))
        case _:
            raise ValueError("mixes IPv4 and IPv6")
