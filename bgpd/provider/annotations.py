"""Annotations of the Node, as cloud controllers write them and kube-vip reads them.

`PREFIX/bgp-peers-0-peer-ip` and its siblings, one number for each peer; the older form without
`bgp-peers-N-` has several routers in one `peer-ip`, with commas. The controllers of Equinix Metal
and Cherry Servers write them; `bgpd.io/` is for people and for controllers of other providers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bgpd.model.prefix import Address
from bgpd.model.provider import DEFAULT_GATEWAY, PEER_ANNOTATIONS, ProviderPeer
from bgpd.provider.adapter import Adapter, Annotated, Asker
from bgpd.provider.reading import Field, root

MULTIHOP_TTL: Final = 255
_NAMES: Final = (
    "node-asn", "peer-asn", "peer-ip", "src-ip", "bgp-pass", "peer-multi-hop", "gateway",
)  # fmt: skip
_INDEXED: Final = re.compile(rf"bgp-peers-([0-9]{{1,4}})-({'|'.join(_NAMES)})")


def parse(document: object, asker: Asker) -> tuple[ProviderPeer, ...]:
    """Return the peers that the annotations of a Node name."""
    del asker
    whole = Field(_ANNOTATIONS, root(document).value)
    if not isinstance(whole.value, dict):
        raise whole.refuse("an object")
    groups: dict[_Group, dict[str, Field]] = {}
    for key, value in whole.value.items():
        found = _split(key)
        if found is not None:
            group, name = found
            groups.setdefault(group, {})[name] = Field(f"{_ANNOTATIONS}[{key}]", value)
    peers: dict[Address, ProviderPeer] = {}
    for group in sorted(groups):
        for peer in _peers(group, groups[group]):
            peers.setdefault(peer.address, peer)
    return tuple(peers.values())


@dataclass(frozen=True, slots=True, order=True)
class _Group:
    """What belongs to one `bgp-peers-N-`, or to none."""

    prefix: int
    """Index in `PEER_ANNOTATIONS`."""
    number: int
    """-1 for the form without a number."""

    def key(self, name: str) -> str:
        indexed = f"bgp-peers-{self.number}-" if self.number >= 0 else ""
        return f"{_ANNOTATIONS}[{PEER_ANNOTATIONS[self.prefix]}{indexed}{name}]"


def _split(key: object) -> tuple[_Group, str] | None:
    """Return which peer the annotation *key* speaks of, and its bare name."""
    if not isinstance(key, str):
        return None
    for at, prefix in enumerate(PEER_ANNOTATIONS):
        if key.startswith(prefix):
            rest = key.removeprefix(prefix)
            if found := _INDEXED.fullmatch(rest):
                return _Group(at, int(found[1])), found[2]
            return (_Group(at, -1), rest) if rest in _NAMES else None
    return None


def _peers(group: _Group, fields: Mapping[str, Field]) -> Iterator[ProviderPeer]:
    def field(name: str) -> Field:
        return fields.get(name) or Field(group.key(name))

    node_asn, peer_asn = field("node-asn"), field("peer-asn")
    source, password = field("src-ip"), field("bgp-pass")
    multihop = field("peer-multi-hop").flag(default=True)
    for address in _routers(field("peer-ip")):
        yield ProviderPeer(
            address=address,
            peer_asn=peer_asn.asn() if peer_asn.filled else None,
            local_asn=node_asn.asn() if node_asn.filled else None,
            local_address=source.address() if source.filled else None,
            ttl=MULTIHOP_TTL if multihop else None,
            password=password.password(encoded=True) if password.filled else None,
            gateway=_gateway(field("gateway")),
        )


def _routers(field: Field) -> Iterable[Address]:
    if not field.filled:
        raise field.refuse("an IPv4 or IPv6 address")
    parts = (part.strip() for part in field.text().split(","))
    return [Field(field.path, part).address() for part in parts]


def _gateway(field: Field) -> str:
    if not field.filled or field.value == DEFAULT_GATEWAY:
        return field.text() if field.filled else ""
    return field.address()


_ANNOTATIONS: Final = "metadata.annotations"
ADAPTER: Final = Adapter(
    parse=parse,
    origin=Annotated(),
    empty=f"the Node has no annotation {PEER_ANNOTATIONS[0]}bgp-peers-0-peer-ip, nor one of"
    f" {' or '.join(PEER_ANNOTATIONS[1:])}: start the cloud controller that writes them, or write"
    " them",
)
