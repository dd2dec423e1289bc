"""Which kinds of documents are read, and in which wire form, by whom.

Agents and the controller read the same Services in two forms: an agent keeps ten thousand of them
and only wants to know where their addresses lead.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from bgpd.kube import healthform, metallbform, nativeform, objects, requestform

AnyDocument: TypeAlias = (
    nativeform.Service
    | nativeform.EndpointSlice
    | nativeform.Node
    | objects.IPAddressPool
    | objects.BGPAdvertisement
    | objects.BGPPeer
    | objects.SpeakerPolicy
    | objects.BGPNodeStatus
    | healthform.HealthCheck
    | requestform.RequestedService
    | requestform.Namespace
    | metallbform.Community
    | metallbform.BFDProfile
    | metallbform.L2Advertisement
    | metallbform.Secret
)
Kinds: TypeAlias = Mapping[tuple[str, str], type[AnyDocument]]
"""Wire forms by apiVersion and kind."""

OUR_GROUP: Final = objects.OUR_GROUP

METALLB_GROUP: Final = "metallb.io/"
METALLB: Final = "metallb.io/v1beta1"
"""Group and version of all of MetalLB's kinds; its BGPPeer has a newer version beside it."""
METALLB_PEER: Final = "metallb.io/v1beta2"

_SHARED: Final[Mapping[str, type[AnyDocument]]] = {
    "IPAddressPool": objects.IPAddressPool,
    "BFDProfile": metallbform.BFDProfile,
    "L2Advertisement": metallbform.L2Advertisement,
}
"""What both read: addresses, and what nobody does yet but a person should hear of."""
_ROUTING: Final[Mapping[str, type[AnyDocument]]] = {
    "BGPAdvertisement": objects.BGPAdvertisement,
    "BGPPeer": objects.BGPPeer,
    "Community": metallbform.Community,
}


def _both(forms: Mapping[str, type[AnyDocument]]) -> Kinds:
    """Return *forms* by the groups that have them, ours first."""
    ours = {(OUR_GROUP, kind): form for kind, form in forms.items()}
    return {**ours, **{(METALLB, kind): form for kind, form in forms.items()}}


AGENT: Final[Kinds] = {
    ("v1", "Service"): nativeform.Service,
    ("v1", "Node"): nativeform.Node,
    ("discovery.k8s.io/v1", "EndpointSlice"): nativeform.EndpointSlice,
    ("v1", "Secret"): metallbform.Secret,
    **_both({**_SHARED, **_ROUTING}),
    (METALLB_PEER, "BGPPeer"): objects.BGPPeer,
    (OUR_GROUP, "SpeakerPolicy"): objects.SpeakerPolicy,
    (OUR_GROUP, "HealthCheck"): healthform.HealthCheck,
}
"""What an agent reads."""
CONTROLLER: Final[Kinds] = {
    ("v1", "Service"): requestform.RequestedService,
    ("v1", "Namespace"): requestform.Namespace,
    **_both(_SHARED),
}
"""What the controller reads."""
CONFIGURED: Final = frozenset(
    {
        "BFDProfile",
        "BGPAdvertisement",
        "BGPPeer",
        "Community",
        "HealthCheck",
        "IPAddressPool",
        "L2Advertisement",
        "SpeakerPolicy",
    }
)
"""The kinds that the files may hold: what people configure. Passwords are files of their own."""
KINDS: Final[Kinds] = {**CONTROLLER, **AGENT}
"""Everything that anybody reads, with the agent's form where there are two."""
