"""What the annotations of a Node mean."""

from typing import Final

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import ProviderKind, ProviderPeer
from tests.provider.sample import OTHER, REFUSED, SAME, Rule, Sample

_KEY: Final = "password"


def _annotated(
    address: str, *, peer: int = 65530, local: int = 65000, source: str = "10.66.142.17"
) -> ProviderPeer:
    return ProviderPeer(
        address=Address(address),
        peer_asn=Asn(peer),
        local_asn=Asn(local),
        local_address=Address(source),
        ttl=255,
    )


def _with_key(peer: ProviderPeer) -> ProviderPeer:
    return ProviderPeer(
        address=peer.address,
        peer_asn=peer.peer_asn,
        local_asn=peer.local_asn,
        local_address=peer.local_address,
        ttl=peer.ttl,
        password=_KEY,
    )


def _of_annotations(prefix: str, *, optional: str = OTHER) -> tuple[Rule, ...]:
    """Return the rules of annotations with *prefix*; whole paths, of which `*` ends the index."""
    return (
        Rule("", REFUSED, REFUSED),
        Rule(f"{prefix}peer-ip", REFUSED, REFUSED),
        Rule(f"{prefix}node-asn", optional, optional),
        Rule(f"{prefix}peer-asn", OTHER, OTHER),
        Rule(f"{prefix}src-ip", OTHER, OTHER),
        Rule(f"{prefix}bgp-pass", OTHER, OTHER),
        Rule(f"{prefix}gateway", OTHER, OTHER),
    )


def _numbered(prefix: str) -> tuple[Rule, ...]:
    return tuple(rule for at in (0, 1) for rule in _of_annotations(f"{prefix}bgp-peers-{at}-"))


def _own(at: int, gateway: str) -> ProviderPeer:
    return ProviderPeer(
        address=Address(f"10.8.{at}.1"), peer_asn=Asn(64601), ttl=None, gateway=gateway
    )


SAMPLES: Final = (
    Sample(
        name="annotations_indexed",
        kind=ProviderKind.ANNOTATIONS,
        peers=(
            _with_key(_annotated("169.254.255.1")),
            _with_key(_annotated("169.254.255.2")),
        ),
        rules=_numbered("metal.equinix.com/"),
    ),
    Sample(
        name="annotations_legacy",
        kind=ProviderKind.ANNOTATIONS,
        peers=(_annotated("169.254.255.1"), _annotated("169.254.255.2")),
        rules=_of_annotations("metal.equinix.com/"),
    ),
    Sample(
        name="annotations_cherry",
        kind=ProviderKind.ANNOTATIONS,
        peers=tuple(
            _annotated(address, peer=16125, local=65001, source="46.166.169.95")
            for address in ("46.166.166.122", "46.166.166.123")
        ),
        rules=(
            *_numbered("cherryservers.com/"),
            *(
                Rule(f"cherryservers.com/bgp-peers-{at}-peer-multi-hop", SAME, SAME)
                for at in (0, 1)
            ),
        ),
    ),
    Sample(
        name="annotations_own",
        kind=ProviderKind.ANNOTATIONS,
        peers=(_own(0, "10.8.9.1"), _own(1, "default")),
        rules=(
            *_numbered("bgpd.io/"),
            *(Rule(f"bgpd.io/bgp-peers-{at}-peer-multi-hop", OTHER, OTHER) for at in (0, 1)),
        ),
    ),
)
