"""Which kinds of documents are read, and in which wire form, by whom.

Agents and the controller read the same Services in two forms: an agent keeps ten thousand of them
and only wants to know where their addresses lead.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from bgpd.kube import objects, requestform

AnyDocument: TypeAlias = (
    objects.Service
    | objects.EndpointSlice
    | objects.Node
    | objects.IPAddressPool
    | objects.BGPAdvertisement
    | objects.BGPPeer
    | objects.SpeakerPolicy
    | objects.BGPNodeStatus
    | requestform.RequestedService
    | requestform.Namespace
)
Kinds: TypeAlias = Mapping[tuple[str, str], type[AnyDocument]]
"""Wire forms by apiVersion and kind."""

OUR_GROUP: Final = objects.OUR_GROUP

_POOLS: Final[Kinds] = {
    (OUR_GROUP, "IPAddressPool"): objects.IPAddressPool,
    ("metallb.io/v1beta1", "IPAddressPool"): objects.IPAddressPool,
}
AGENT: Final[Kinds] = {
    ("v1", "Service"): objects.Service,
    ("v1", "Node"): objects.Node,
    ("discovery.k8s.io/v1", "EndpointSlice"): objects.EndpointSlice,
    **_POOLS,
    (OUR_GROUP, "BGPAdvertisement"): objects.BGPAdvertisement,
    (OUR_GROUP, "BGPPeer"): objects.BGPPeer,
    (OUR_GROUP, "SpeakerPolicy"): objects.SpeakerPolicy,
    ("metallb.io/v1beta1", "BGPAdvertisement"): objects.BGPAdvertisement,
    ("metallb.io/v1beta1", "BGPPeer"): objects.BGPPeer,
    ("metallb.io/v1beta2", "BGPPeer"): objects.BGPPeer,
}
"""What an agent reads."""
CONTROLLER: Final[Kinds] = {
    ("v1", "Service"): requestform.RequestedService,
    ("v1", "Namespace"): requestform.Namespace,
    **_POOLS,
}
"""What the controller reads."""
KINDS: Final[Kinds] = {**CONTROLLER, **AGENT}
"""Everything that anybody reads, with the agent's form where there are two."""
