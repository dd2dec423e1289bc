"""What a provider says of its routers: the sessions that a node there may have.

One value for all of them, whether it was read from instance metadata, from the annotations of a
Node, from the provider's API, or is a documented constant.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bgpd.model.errors import in_range
from bgpd.model.peer import Asn
from bgpd.model.prefix import Address, Family, Prefix

DEFAULT_GATEWAY: Final = "default"
"""In place of a gateway's address: the next hop of the node's default route in that family."""

PEER_ANNOTATIONS: Final = ("bgpd.io/", "metal.equinix.com/", "cherryservers.com/")
"""Prefixes of the annotations of a Node that peers are read from, the first to be believed first.
"""


class ProviderKind(StrEnum):
    """Where the peers of a BGPPeer come from, if not from the document itself."""

    PACKET = "packet"
    """Instance metadata as at Packet and Equinix Metal, also of Tinkerbell's Hegel."""
    VULTR = "vultr"
    """Instance metadata as at Vultr."""
    CHERRY = "cherry"
    """The server and project documents of Cherry Servers' API."""
    PHOENIXNAP = "phoenixnap"
    """A BGP peer group of phoenixNAP's API."""
    ANNOTATIONS = "annotations"
    """Annotations of the Node, written by a cloud controller or by hand."""
    LINODE = "linode"
    INGENUITY = "ingenuity"
    MYLOC = "myloc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a router takes from us."""

    prefix: Prefix
    exact: bool = False
    """Whether it takes nothing longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPeer:
    """One session that a provider offers to this node. None: it does not say."""

    address: Address
    peer_asn: Asn | None = None
    local_asn: Asn | None = None
    families: tuple[Family, ...] = ()
    """Of the routes; empty: that of *address*."""
    local_address: Address | None = None
    """The source that the provider expects; the host may not have it."""
    ttl: int | None = None
    """TTL of what we send; None where the router is one hop away."""
    password: str | None = field(default=None, repr=False)
    """The TCP MD5 key itself."""
    password_required: bool = False
    """Whether there must be a password that the provider does not tell here."""
    gateway: str = ""
    """An address or `default`: the router is reached over a host route by it; empty: none."""
    hold_time: int | None = None
    """Seconds."""
    max_prefixes: int | None = None
    accepts: tuple[Accepted, ...] = ()
    """Empty: unknown, so everything."""
    passive: bool = False
    """Whether the router waits for our connection."""
    communities: tuple[str, ...] = ()
    """Added to every route for this router, as `a:b`."""

    def __post_init__(self) -> None:
        """Raise `ValueError` outside the legal ranges."""
        for name in ("peer_asn", "local_asn"):
            number = getattr(self, name)
            if number is not None:
                in_range(name, number, 1, 2**32 - 1)
        if self.ttl is not None:
            in_range("ttl", self.ttl, 1, 255)
        if self.hold_time:
            in_range("hold_time", self.hold_time, 3, 65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChoice:
    """What a BGPPeer says of its provider."""

    kind: ProviderKind
    url: str = ""
    """Of the metadata or API document; empty: the documented one."""
    token_file: str = ""
    """A file with the API's token, where the document is not for everybody who asks."""
    site: str = ""
    """The provider's data center or location, where its constants depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What is known of one BGPPeer's provider now."""

    peers: tuple[ProviderPeer, ...] = ()
    known: bool = False
    """Whether a document was ever understood; if not, *peers* says nothing."""
    fetched: float | None = None
    """Wall clock of the document that *peers* come from, seconds since the epoch."""
    problem: str = ""
    """Why the last look failed, in a sentence; the peers are then those of an earlier one."""
