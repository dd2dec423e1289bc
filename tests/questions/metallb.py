"""What a cluster with MetalLB has: its kinds, as far as a server needs them, and some objects."""

from typing import Any, Final

from tests.lab.documents import Document, service
from tests.lab.plan import Plan

_GROUP: Final = "metallb.io"
_NAMESPACE: Final = "metallb-system"


def _kind(kind: str, plural: str, version: str) -> Document:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    one = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{_GROUP}"},
        "spec": {"group": _GROUP, "scope": "Namespaced", "names": names, "versions": [one]},
    }


def _object(kind: str, name: str, version: str, spec: dict[str, Any]) -> Document:
    metadata = {"name": name, "namespace": _NAMESPACE}
    return {
        "apiVersion": f"{_GROUP}/{version}",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


KINDS: Final[tuple[Document, ...]] = (
    _kind("IPAddressPool", "ipaddresspools", "v1beta1"),
    _kind("BGPPeer", "bgppeers", "v1beta2"),
    _kind("L2Advertisement", "l2advertisements", "v1beta1"),
)
SPACE: Final[Document] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": _NAMESPACE},
}
OBJECTS: Final[tuple[Document, ...]] = (
    _object("IPAddressPool", "lab", "v1beta1", {"addresses": ["203.0.113.0/24"]}),
    _object(
        "BGPPeer",
        "tor-1",
        "v1beta2",
        {
            "myASN": 65000,
            "peerASN": 65530,
            "peerAddress": "10.0.0.1",
            "vrf": "storage",
        },
    ),
    _object("L2Advertisement", "flat", "v1beta1", {"ipAddressPools": ["lab"]}),
)
SERVICES: Final[tuple[Document, ...]] = tuple(service(Plan(), number) for number in (1, 2))
