"""What an adapter is: where its document is, and how peers are read from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bgpd.model.prefix import Address
from bgpd.model.provider import ProviderPeer


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The node that wants to know, as far as a document may hold more than one server."""

    node: str = ""
    addresses: tuple[Address, ...] = ()
    """Every InternalIP of the Node."""
    site: str = ""
    """`spec.providerSite`."""
    gateway: str = ""
    """`spec.gateway`: where it is set, nobody has to find one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The document is read by HTTP."""

    urls: tuple[str, ...] = ()
    """Where it is by default, asked in this order; none: a person has to say. `{site}` stands for
    `spec.providerSite`, and a URL with it is left out where there is none."""
    header: str = "Authorization"
    """Which header carries the token."""
    scheme: str = "Bearer "
    """What stands before the token there."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """The document is the annotations of the Node."""


@dataclass(frozen=True, slots=True)
class Documented:
    """There is no document: what the provider documents never changes."""


Origin: TypeAlias = Fetched | Annotated | Documented

Parse: TypeAlias = Callable[[object, Asker], tuple[ProviderPeer, ...]]
"""Raises `ConfigError` with one sentence where the document cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One provider."""

    parse: Parse
    origin: Origin
    empty: str
    """What to say, and to do, where a document that was understood offers no session."""
