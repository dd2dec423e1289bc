"""What is watched: the path, the narrowing, and the wire form of each kind.

The server narrows what it can: only Services of type LoadBalancer, and only slices that belong to
a Service with an address of its own. It cannot narrow slices by node, so every agent hears all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from bgpd.kube import healthform, metallbform, nativeform, objects, requestform
from bgpd.kube.convert import SERVICE_LABEL
from bgpd.kube.kinds import KINDS, METALLB, METALLB_PEER, AnyDocument

PAGE: Final = 500
"""Objects of one page, where the state cannot be streamed."""
_SLICES: Final = (
    f"{SERVICE_LABEL},!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name"
)
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Objects without spec and status. Each node writes its status as often as it changes: read whole
by all nodes, that would be gigabytes when a thousand nodes learn of one takeover."""
GROUP: Final = objects.OUR_GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One collection of the API."""

    kind: str
    form: type[AnyDocument]
    path: str
    fields: str = ""
    """Field selector. A server that does not know it is asked without, unless it is strict."""
    strict: bool = False
    """Whether nothing beside what *fields* select may ever be asked for."""
    labels: str = ""
    ours: bool = False
    """Whether it exists only where CRDs are installed."""
    foreign: bool = False
    """Whether they are MetalLB's: then it is normal that they are not."""
    optional: bool = False
    """Whether routes are decided without it, where the server does not give it."""
    unhurried: bool = False
    """Whether no route waits for its changes, so that many of them are told at once."""
    accept: str = "application/json"
    """What is wanted of each object."""

    @property
    def plural(self) -> str:
        """The last word of the path: `endpointslices`."""
        return self.path.rpartition("/")[2]

    @property
    def word(self) -> str:
        """What a person calls it: `endpointslices.discovery.k8s.io`."""
        group = self.path.split("/")[2] if self.path.startswith("/apis/") else ""
        return f"{self.plural}.{group}" if group else self.plural

    def target(self, parameters: Mapping[str, str], *, narrowed: bool) -> str:
        """Return path and query of a request for the collection."""
        query = dict(parameters)
        if self.labels:
            query["labelSelector"] = self.labels
        if self.fields and (narrowed or self.strict):
            query["fieldSelector"] = self.fields
        return f"{quote(self.path)}?{urlencode(query)}"


def resources(namespace: str) -> tuple[Resource, ...]:
    """Return everything that an agent watches.

    What configures bgpd is read in *namespace* alone.
    """
    ours = f"/apis/{GROUP}/namespaces/{namespace}"
    return (
        *_metallb("IPAddressPool", "BGPAdvertisement", "BGPPeer", "Community", "BFDProfile"),
        Resource(kind="Node", form=nativeform.Node, path="/api/v1/nodes"),
        _ours("IPAddressPool", objects.IPAddressPool, f"{ours}/ipaddresspools"),
        _ours("BGPAdvertisement", objects.BGPAdvertisement, f"{ours}/bgpadvertisements"),
        _ours("BGPPeer", objects.BGPPeer, f"{ours}/bgppeers"),
        _ours("Community", metallbform.Community, f"{ours}/communities"),
        _ours("BFDProfile", metallbform.BFDProfile, f"{ours}/bfdprofiles"),
        _ours("SpeakerPolicy", objects.SpeakerPolicy, f"{ours}/speakerpolicies"),
        Resource(
            kind="HealthCheck",
            form=healthform.HealthCheck,
            # They stand beside the Services that they ask, wherever those are.
            path=f"/apis/{GROUP}/healthchecks",
            ours=True,
            # An older chart gave no right to them, and nothing was asked before there were any.
            optional=True,
        ),
        Resource(
            kind="Service",
            form=nativeform.Service,
            path="/api/v1/services",
            fields="spec.type=LoadBalancer",
        ),
        Resource(
            kind="EndpointSlice",
            form=nativeform.EndpointSlice,
            path="/apis/discovery.k8s.io/v1/endpointslices",
            labels=_SLICES,
        ),
        Resource(
            kind="BGPNodeStatus",
            form=objects.BGPNodeStatus,
            path=f"/apis/{GROUP}/bgpnodestatuses",
            ours=True,
            optional=True,
            unhurried=True,
            accept=_METADATA,
        ),
    )


def requested(namespace: str) -> tuple[Resource, ...]:
    """Return everything that the controller watches; our kinds are read in *namespace* alone.

    All Services: one that is no load balancer any more has an address to give back. And all our
    kinds, because it writes into each object what became of it.
    """
    ours = f"/apis/{GROUP}/namespaces/{namespace}"
    return (
        # It remembers nothing, so addresses of pools that it may not read would pass for strays.
        *_metallb("IPAddressPool", optional=False),
        *_metallb("BFDProfile", "L2Advertisement"),
        Resource(
            kind="Namespace",
            form=requestform.Namespace,
            path="/api/v1/namespaces",
            accept=_METADATA,
        ),
        _ours("IPAddressPool", objects.IPAddressPool, f"{ours}/ipaddresspools"),
        _ours("BFDProfile", metallbform.BFDProfile, f"{ours}/bfdprofiles"),
        _ours("L2Advertisement", metallbform.L2Advertisement, f"{ours}/l2advertisements"),
        _ours("BGPAdvertisement", objects.BGPAdvertisement, f"{ours}/bgpadvertisements"),
        _ours("BGPPeer", objects.BGPPeer, f"{ours}/bgppeers"),
        _ours("Community", metallbform.Community, f"{ours}/communities"),
        _ours("SpeakerPolicy", objects.SpeakerPolicy, f"{ours}/speakerpolicies"),
        Resource(kind="Service", form=requestform.RequestedService, path="/api/v1/services"),
    )


def secret(namespace: str, name: str) -> Resource:
    """Return the one Secret that a peer refers to: a Role with its name is enough to read it."""
    return Resource(
        kind="Secret",
        form=metallbform.Secret,
        path=f"/api/v1/namespaces/{namespace}/secrets",
        fields=f"metadata.name={name}",
        strict=True,
        optional=True,
    )


def _ours(kind: str, form: type[AnyDocument], path: str) -> Resource:
    return Resource(kind=kind, form=form, path=path, ours=True)


_PLURALS: Final = {
    "IPAddressPool": "ipaddresspools",
    "BGPAdvertisement": "bgpadvertisements",
    "BGPPeer": "bgppeers",
    "Community": "communities",
    "BFDProfile": "bfdprofiles",
    "L2Advertisement": "l2advertisements",
}


def _metallb(*kinds: str, optional: bool = True) -> Iterator[Resource]:
    """Yield MetalLB's *kinds*, in whichever namespace MetalLB is installed.

    Where they are not *optional*, there is no start without the right to read them.
    """
    for kind in kinds:
        # The version that is stored: another one would need MetalLB's conversion webhook.
        version = METALLB_PEER if kind == "BGPPeer" else METALLB
        yield Resource(
            kind=kind,
            form=KINDS[version, kind],
            path=f"/apis/{version}/{_PLURALS[kind]}",
            ours=True,
            foreign=True,
            optional=optional,
        )


class ListMetadata(msgspec.Struct, rename="camel"):
    """`metadata` of a list."""

    resource_version: str | None = None
    next_page: str | None = msgspec.field(default=None, name="continue")


class Page(msgspec.Struct):
    """One page of a list; its objects are not decoded yet."""

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None
