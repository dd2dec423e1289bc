"""The wire form of our kinds, and what all wire forms are made of: only the fields that we read.

Kubernetes' own kinds (`nativeform`) ignore what they do not name; of our kinds an unknown field is
refused, because it is nearly always a misspelled one. A field may be null wherever a server may
send null.

Legal ranges stand here and nowhere else: as bounds where they are numbers, as words (`legal`)
where the check needs code. `bgpd.kube.fields` turns them into tables for errors and the reference.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from bgpd.model.configuration import Distribution, Weight
from bgpd.model.member import DrainTrigger
from bgpd.model.peer import Lever, Takeover
from bgpd.model.provider import ProviderKind
from bgpd.model.selector import Operator


def _legal(words: str) -> Meta:
    return Meta(extra={"legal": words})


_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
_NAME_LEGAL = {"legal": "up to 253 lower-case letters, digits, '-' and '.' (RFC 1123)"}

NameText: TypeAlias = Annotated[str, Meta(pattern=_NAME, extra=_NAME_LEGAL)]
Asn: TypeAlias = Annotated[int, Meta(ge=1, le=4294967295)]
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)]
AddressText: TypeAlias = Annotated[str, _legal("an IPv4 or IPv6 address")]
V4Text: TypeAlias = Annotated[str, _legal("an IPv4 address")]
V6Text: TypeAlias = Annotated[str, _legal("an IPv6 address")]
BlockText: TypeAlias = Annotated[
    str, _legal("a block such as 192.0.2.0/24, or a range such as 192.0.2.10-192.0.2.20")
]
HoldTimeText: TypeAlias = Annotated[str, _legal("0s, or 3s..65535s in whole seconds")]
DurationText: TypeAlias = Annotated[str, _legal("a duration such as 30s or 1m30s")]
ConnectText: TypeAlias = Annotated[str, _legal("1s..65535s in whole seconds")]
HoldSeconds: TypeAlias = Annotated[
    int, Meta(ge=0, le=65535, extra={"legal": "0, or 3..65535 (RFC 4271, section 4.2)"})
]
CommunityText: TypeAlias = Annotated[
    str, _legal("a:b with both 0..65535, or large:a:b:c with all 0..4294967295")
]
CommunityOrAlias: TypeAlias = Annotated[
    str,
    _legal(
        "a:b with both 0..65535, large:a:b:c with all 0..4294967295, or a name that a Community"
        " gives them"
    ),
]
AliasText: TypeAlias = Annotated[
    str, _legal("1..63 characters without ':' and blanks, one of them no digit")
]
LargeCommunityText: TypeAlias = Annotated[str, _legal("a:b:c with all 0..4294967295")]
PasswordText: TypeAlias = Annotated[str, _legal("1..80 printable ASCII characters (RFC 2385)")]
PathText: TypeAlias = Annotated[str, _legal("an absolute path of a file")]
# Lists are bounded because the API server refuses rules on lists without an end.
Blocks: TypeAlias = Annotated[list[BlockText], Meta(min_length=1, max_length=200)]
Names: TypeAlias = Annotated[list[NameText], Meta(max_length=256)]
Labels: TypeAlias = Annotated[
    dict[str, Annotated[str, Meta(max_length=63)]],
    Meta(
        max_length=64,
        extra={"legal": "up to 64 labels, each up to 63 letters (quote numbers and true/false)"},
    ),
]
Word: TypeAlias = Annotated[str, Meta(max_length=253)]
DelayText: TypeAlias = Annotated[str, _legal("0s..24h in whole seconds")]
UrlText: TypeAlias = Annotated[
    str,
    _legal(
        "an http or https URL of an address or of localhost, up to 1024 characters; empty: not"
        " asked"
    ),
]
GATEWAY_LEGAL = "an IPv4 or IPv6 address (link-local with its interface: fe80::1%eth0), or default"
GatewayText: TypeAlias = Annotated[str, _legal(GATEWAY_LEGAL)]
PROVIDER_URL_LEGAL = "an http or https URL without a user, up to 1024 characters"
ProviderUrlText: TypeAlias = Annotated[str, _legal(PROVIDER_URL_LEGAL)]
SiteText: TypeAlias = Annotated[str, _legal("1..63 letters, digits, '.', '_' and '-'")]
DynamicText: TypeAlias = Annotated[str, _legal("internal or external")]
FamilyText: TypeAlias = Literal["ipv4-unicast", "ipv6-unicast"]


class Lenient(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A part of a Kubernetes object: what is not named here does not matter to us."""


class Strict(Lenient, forbid_unknown_fields=True):
    """A part of one of our kinds: what is not named here is a mistake."""


class Metadata(Lenient):
    """What identifies an object."""

    name: NameText
    namespace: NameText | None = None
    labels: dict[str, str] | None = None


class AnnotatedMetadata(Metadata):
    """What identifies an object, and what somebody wrote on it."""

    annotations: dict[str, str] | None = None


class Expression(Strict):
    """One line of `matchExpressions`."""

    key: Annotated[str, Meta(min_length=1, max_length=317)]
    operator: Operator
    values: Annotated[list[Annotated[str, Meta(max_length=63)]], Meta(max_length=64)] | None = None


class LabelSelector(Strict):
    """A Kubernetes label selector."""

    match_labels: Labels | None = None
    match_expressions: Annotated[list[Expression], Meta(max_length=32)] | None = None


SelectorList: TypeAlias = Annotated[list[LabelSelector], Meta(max_length=32)]


class WeightedSelector(Strict):
    """One entry of `preferredNodes`, or of MetalLB's `preferredNodeSelectors`."""

    weight: Annotated[int, Meta(ge=1, le=100)]
    preference: LabelSelector


WeightedSelectors: TypeAlias = Annotated[list[WeightedSelector], Meta(max_length=32)]


class ServiceAllocation(Strict):
    """`spec.serviceAllocation` of an IPAddressPool."""

    priority: Annotated[int, Meta(ge=0, le=2147483647)] | None = None
    namespaces: Names | None = None
    namespace_selectors: SelectorList | None = None
    service_selectors: SelectorList | None = None


class IPAddressPoolSpec(Strict):
    """`spec` of an IPAddressPool."""

    addresses: Blocks
    auto_assign: bool | None = None
    avoid_buggy_ips: bool | None = msgspec.field(default=None, name="avoidBuggyIPs")
    # Read by whoever hands out addresses; a decision on a route does not need them.
    service_allocation: ServiceAllocation | None = None
    reserved: Annotated[list[BlockText], Meta(max_length=200)] | None = None
    reuse_delay: DelayText | None = None
    bind_on_host: bool | None = None


class IPAddressPool(Lenient):
    """An IPAddressPool."""

    metadata: AnnotatedMetadata
    spec: IPAddressPoolSpec


class BGPAdvertisementSpec(Strict):
    """`spec` of a BGPAdvertisement."""

    ip_address_pools: Names | None = None
    ip_address_pool_selectors: SelectorList | None = None
    node_selectors: SelectorList | None = None
    service_selectors: SelectorList | None = None
    peers: Names | None = None
    local_pref: Annotated[int, Meta(ge=0, le=4294967295)] | None = None
    communities: Annotated[list[CommunityOrAlias], Meta(max_length=63)] | None = None
    large_communities: Annotated[list[LargeCommunityText], Meta(max_length=63)] | None = None
    as_path_prepend: Annotated[int, Meta(ge=0, le=10)] | None = None
    med: Annotated[int, Meta(ge=0, le=4294967295)] | None = None
    aggregation_length: Annotated[int, Meta(ge=1, le=32)] | None = None
    aggregation_length_v6: Annotated[int, Meta(ge=1, le=128)] | None = msgspec.field(
        default=None, name="aggregationLengthV6"
    )
    distribution: Distribution | None = None
    preferred_nodes: WeightedSelectors | None = None
    weight: Weight | None = None
    priority: Annotated[int, Meta(ge=0, le=1000)] | None = None


class BGPAdvertisement(Lenient):
    """A BGPAdvertisement; a document without a spec advertises every pool to every peer."""

    metadata: Metadata
    spec: BGPAdvertisementSpec | None = None


class TakeoverSpec(Strict):
    """`spec.takeover` of a BGPPeer."""

    mode: Takeover | None = None
    lever: Lever | None = None


class SecretReference(Lenient):
    """The name of a Secret."""

    name: Annotated[str, Meta(max_length=253)] | None = None
    namespace: Annotated[str, Meta(max_length=253)] | None = None


class BGPPeerSpec(Strict):
    """`spec` of a BGPPeer."""

    my_asn: Asn | None = msgspec.field(default=None, name="myASN")
    peer_asn: Asn | None = msgspec.field(default=None, name="peerASN")
    local_asn: Asn | None = msgspec.field(default=None, name="localASN")
    peer_address: AddressText | None = None
    peer_port: Port | None = None
    source_address: AddressText | None = None
    router_id: V4Text | None = msgspec.field(default=None, name="routerID")
    hold_time: HoldTimeText | None = None
    hold_time_seconds: HoldSeconds | None = None
    keepalive_time: DurationText | None = None
    connect_time: ConnectText | None = None
    node_selectors: SelectorList | None = None
    password: PasswordText | None = None
    password_file: PathText | None = None
    ebgp_multi_hop: bool | None = None
    ttl_security: Annotated[int, Meta(ge=1, le=255)] | None = None
    enable_graceful_restart: bool | None = None
    graceful_restart: Annotated[int, Meta(ge=1, le=4095)] | None = None
    takeover: TakeoverSpec | None = None
    max_prefixes: Annotated[int, Meta(ge=1, le=1000000)] | None = None
    damping: bool | None = None
    families: Annotated[list[FamilyText], Meta(min_length=1, max_length=2)] | None = None
    dual_stack_address_family: bool | None = None
    next_hop_v4: V4Text | None = msgspec.field(default=None, name="nextHopV4")
    next_hop_v6: V6Text | None = msgspec.field(default=None, name="nextHopV6")
    disable_mp: bool | None = msgspec.field(default=None, name="disableMP")
    password_secret: SecretReference | None = None
    # MetalLB's, taken but not done: whether there is a session without them differs.
    dynamic_asn: DynamicText | None = msgspec.field(default=None, name="dynamicASN")
    interface: Word | None = None
    vrf: Word | None = None
    bfd_profile: Word | None = None
    gateway: GatewayText | None = None
    provider: ProviderKind | None = None
    provider_url: ProviderUrlText | None = msgspec.field(default=None, name="providerURL")
    provider_token_file: PathText | None = None
    provider_site: SiteText | None = None


class BGPPeer(Lenient):
    """A BGPPeer."""

    metadata: Metadata
    spec: BGPPeerSpec


class MeshSpec(Strict):
    """`spec.mesh` of a SpeakerPolicy; absent fields keep their defaults."""

    interval_milliseconds: Annotated[int, Meta(ge=10, le=1000)] | None = None
    multiplier: Annotated[int, Meta(ge=2, le=20)] | None = None


class LocalHealthSpec(Strict):
    """`spec.health` of a SpeakerPolicy."""

    carrier: bool | None = None
    gateway: bool | None = None
    health_check_node_port: bool | None = None
    kubelet: UrlText | None = None
    kube_proxy: UrlText | None = None
    doubt_seconds: Annotated[int, Meta(ge=1, le=3600)] | None = None


class StartupSpec(Strict):
    """`spec.startup` of a SpeakerPolicy."""

    delay_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    patience_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    slow_start_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None


class HostSpec(Strict):
    """`spec.host` of a SpeakerPolicy."""

    egress: bool | None = None


class SpeakerPolicySpec(Strict):
    """`spec` of a SpeakerPolicy."""

    node_selectors: SelectorList | None = None
    mesh: MeshSpec | None = None
    agent_grace_seconds: Annotated[int, Meta(ge=1, le=86400)] | None = None
    drain: DrainTrigger | None = None
    drain_milliseconds: Annotated[int, Meta(ge=0, le=600000)] | None = None
    drain_seconds: Annotated[int, Meta(ge=0, le=600)] | None = None
    health: LocalHealthSpec | None = None
    startup: StartupSpec | None = None
    host: HostSpec | None = None


class SpeakerPolicy(Lenient):
    """A SpeakerPolicy; a document without a spec holds the defaults."""

    metadata: Metadata
    spec: SpeakerPolicySpec | None = None


class BGPNodeStatus(Lenient):
    """A BGPNodeStatus of any node, without its status: only its own agent reads that."""

    metadata: AnnotatedMetadata


OUR_GROUP = "bgpd.io/v1alpha1"

NAMESPACED = frozenset({"Service", "EndpointSlice", "HealthCheck"})
"""Kinds whose name is unique only within a namespace. Our other kinds are referred to by name
alone, so their names are unique whatever namespace a document says."""
