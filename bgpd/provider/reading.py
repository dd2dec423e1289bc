"""Reading a document that somebody else wrote: each step knows its path, for the sentence.

A document is what JSON can hold. A member that is missing and one that is null are the same:
providers write both where there is nothing. What is there must be of its type; numbers may be
written as text, because some providers do. Containers and secrets are never quoted in a sentence.
"""

import base64
import binascii
import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bgpd.model.errors import ConfigError
from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Family, Prefix, family_of

_SHOWN: Final = 60
_MOST_ASN: Final = 2**32 - 1
_LONGEST_PASSWORD: Final = 80
"""Bytes of a TCP MD5 key (TCP_MD5SIG_MAXKEYLEN; RFC 2385, section 4.5)."""
_LONGEST_NUMBER: Final = 10
_WORDS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a document: what is there, and how a person finds it."""

    path: str
    value: object = None
    """None where it is missing or null."""

    @property
    def present(self) -> bool:
        """Whether something is there."""
        return self.value is not None

    @property
    def filled(self) -> bool:
        """Whether something is there, and it is not the empty text."""
        return self.value is not None and self.value != ""

    def refuse(self, expected: str) -> ConfigError:
        """Return the error that names path, value and what is *expected*."""
        if not self.present:
            return ConfigError(f"{self.path} is missing; it must be {expected}")
        return ConfigError(f"{self.path}: {_shown(self.value)} must be {expected}")

    def member(self, name: str) -> "Field":
        """Return the member *name* of the object that must be here."""
        if not isinstance(self.value, dict):
            raise self.refuse("an object")
        path = name if self.path == DOCUMENT else f"{self.path}.{name}"
        return Field(path, self.value.get(name))

    def inside(self, name: str) -> "Field":
        """Return the member *name*; nothing where there is no object here at all."""
        return self.member(name) if self.present else Field(f"{self.path}.{name}")

    def items(self) -> Iterator["Field"]:
        """Yield the items of the list that must be here."""
        if not isinstance(self.value, list):
            raise self.refuse("a list")
        path = "" if self.path == DOCUMENT else self.path
        yield from (Field(f"{path}[{at}]", one) for at, one in enumerate(self.value))

    def text(self) -> str:
        """Return the text that must be here."""
        if not isinstance(self.value, str):
            raise self.refuse("a text")
        return self.value

    def flag(self, *, default: bool) -> bool:
        """Return yes or no, *default* where there is nothing."""
        value = self.value
        if not self.filled:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _WORDS:
            return _WORDS[value.lower()]
        raise self.refuse("true or false")

    def number(self, least: int, most: int) -> int:
        """Return the whole number that must be here, also one written as text."""
        expected = f"a whole number, {least}..{most}"
        value = self.value
        if isinstance(value, str):
            plain = value.isascii() and value.isdecimal() and len(value) <= _LONGEST_NUMBER
            value = int(value) if plain else None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(expected)
        if not least <= value <= most:
            raise self.refuse(expected)
        return value

    def asn(self) -> Asn:
        """Return the autonomous system number that must be here."""
        return Asn(self.number(1, _MOST_ASN))

    def address(self, family: Family | None = None) -> Address:
        """Return the address of a host that must be here, of *family*, in canonical form."""
        expected = f"an {_FAMILIES[family]} address"
        if not isinstance(self.value, str):
            raise self.refuse(expected)
        try:
            address = ipaddress.ip_address(self.value)
        except ValueError:
            raise self.refuse(expected) from None
        mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
        if mapped or "%" in self.value or address.is_unspecified or address.is_multicast:
            raise self.refuse(f"{expected} of a host, without a zone")
        found = Address(str(address))
        if family is not None and family_of(found) is not family:
            raise self.refuse(expected)
        return found

    def prefix(self) -> Prefix:
        """Return the prefix that must be here; bits of hosts are cut off."""
        expected = "a prefix such as 192.0.2.0/24"
        if not isinstance(self.value, str) or "%" in self.value:
            raise self.refuse(expected)
        try:
            return Prefix(str(ipaddress.ip_network(self.value, strict=False)))
        except ValueError:
            raise self.refuse(expected) from None

    def password(self, *, encoded: bool = False) -> str:
        """Return the TCP MD5 key that must be here; it is never shown. *encoded*: in base64."""
        expected = f"1..{_LONGEST_PASSWORD} printable ASCII characters"
        expected += ", in base64" if encoded else ""
        hidden = Field(self.path, _Hidden() if self.present else None)
        if not isinstance(self.value, str):
            raise hidden.refuse(expected)
        found = _decoded(self.value) if encoded else self.value
        if found is None or not (found.isascii() and found.isprintable()):
            raise hidden.refuse(expected)
        if not 1 <= len(found) <= _LONGEST_PASSWORD:
            raise hidden.refuse(expected)
        return found


class _Hidden:
    """Stands for a secret in a sentence."""


def root(document: object) -> Field:
    """Return *document* as the place that all paths begin at; refuse what is an error's."""
    if isinstance(document, dict) and document.get("errors"):
        raise ConfigError(
            f"{DOCUMENT}: it is an error of the provider's ({_first(document['errors'])}),"
            " not what was asked for"
        )
    return Field(DOCUMENT, document)


def decode(body: bytes) -> object:
    """Return the document that *body* holds, or raise `ConfigError` with what it is instead."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{DOCUMENT}: it is not text in UTF-8 (byte {error.start})") from None
    start = text.lstrip()
    if not start:
        raise ConfigError(f"{DOCUMENT}: it is empty; it must be JSON")
    if start.startswith("<"):
        raise ConfigError(f"{DOCUMENT}: it is HTML or XML; it must be JSON")
    try:
        found: object = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{DOCUMENT}: it is not JSON, or cut off ({where})") from None
    except (ValueError, RecursionError):
        # A number with thousands of digits, or a thousand lists in one another.
        raise ConfigError(f"{DOCUMENT}: it holds what nobody can mean") from None
    return found


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text.strip(), validate=True).decode().strip()
    except (binascii.Error, ValueError):
        return None


def _first(errors: object) -> str:
    first = errors[0] if isinstance(errors, list) else errors
    return _shown(first)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else "a secret that is not shown"


DOCUMENT: Final = "the document"
_FAMILIES: Final = {Family.IPV4: "IPv4", Family.IPV6: "IPv6", None: "IPv4 or IPv6"}
