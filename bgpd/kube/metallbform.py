"""The wire form of what MetalLB's users bring along beside pools, advertisements and peers.

Communities by name, BFD and layer 2: every field is taken and checked, also of what bgpd does not
do. A mistake in a document is a mistake on the day that bgpd learns what it asks for.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from bgpd.kube.objects import (
    AliasText,
    CommunityText,
    Lenient,
    Metadata,
    Names,
    PathText,
    SelectorList,
    Strict,
    WeightedSelectors,
)

Milliseconds: TypeAlias = Annotated[int, Meta(ge=10, le=60000)]
BfdKeyText: TypeAlias = Annotated[
    str, Meta(extra={"legal": "1..20 printable ASCII characters (RFC 5880, section 4.4)"})
]
InterfaceText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=63)]


class CommunityAlias(Strict):
    """One entry of `spec.communities` of a Community."""

    name: AliasText
    value: CommunityText


class CommunitySpec(Strict):
    """`spec` of a Community."""

    communities: Annotated[list[CommunityAlias], Meta(max_length=256)] | None = None


class Community(Lenient):
    """A Community; without a spec it names nothing."""

    metadata: Metadata
    spec: CommunitySpec | None = None


class BFDProfileSpec(Strict):
    """`spec` of a BFDProfile."""

    receive_interval: Milliseconds | None = None
    transmit_interval: Milliseconds | None = None
    detect_multiplier: Annotated[int, Meta(ge=2, le=255)] | None = None
    echo_interval: Milliseconds | None = None
    echo_mode: bool | None = None
    passive_mode: bool | None = None
    minimum_ttl: Annotated[int, Meta(ge=1, le=254)] | None = None
    # Ours: MetalLB's sessions carry no keys.
    password: BfdKeyText | None = None
    password_file: PathText | None = None
    key_id: Annotated[int, Meta(ge=0, le=255)] | None = msgspec.field(default=None, name="keyID")


class BFDProfile(Lenient):
    """A BFDProfile; without a spec it holds the defaults."""

    metadata: Metadata
    spec: BFDProfileSpec | None = None


class L2AdvertisementSpec(Strict):
    """`spec` of an L2Advertisement."""

    ip_address_pools: Names | None = None
    ip_address_pool_selectors: SelectorList | None = None
    node_selectors: SelectorList | None = None
    service_selectors: SelectorList | None = None
    interfaces: Annotated[list[InterfaceText], Meta(max_length=256)] | None = None
    preferred_node_selectors: WeightedSelectors | None = None


class L2Advertisement(Lenient):
    """An L2Advertisement."""

    metadata: Metadata
    spec: L2AdvertisementSpec | None = None


class Secret(Lenient):
    """A Secret that may hold the TCP MD5 key of a peer."""

    metadata: Metadata
    type: str | None = None
    data: dict[str, str] | None = None
    """Base64, as the API server has it."""
    string_data: dict[str, str] | None = msgspec.field(default=None, name="stringData")
    """Plain, as people write it."""
