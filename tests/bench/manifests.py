"""MetalLB's manifest and configuration as a lab's cluster has them, and Services that ask it."""

from typing import Final

from tests.bench import metallb
from tests.cluster.api import Document
from tests.lab import documents
from tests.lab.plan import NODE_ASN, ROUTER_ASN, Plan, router_address

SPARE: Final = 4
"""Addresses for Services that come during the walk."""
_BETA: Final = "metallb.io/v1beta1"
_LABELS: Final = {"app": "metallb", "component": "speaker"}
_DEPRECATED: Final = "metallb.universe.tf/address-pool"


def installed(plan: Plan) -> list[Document]:
    """Return MetalLB's manifest, as far as anybody reads it, and its configuration."""
    addresses = f"{plan.elastic_ip(1, 4)}-{plan.elastic_ip(plan.services + SPARE, 4)}"
    pool = {"addresses": [addresses], "avoidBuggyIPs": True}
    return [
        _workload("apps/v1", "DaemonSet", "speaker"),
        _workload("apps/v1", "Deployment", "controller"),
        metallb.document(_BETA, "IPAddressPool", "lab", pool, {"zone": "lab"}),
        metallb.document(
            _BETA, "BGPAdvertisement", "lab", {"ipAddressPoolSelectors": [_selects("zone", "lab")]}
        ),
        *(_peer(plan, name) for name in plan.names),
    ]


def _peer(plan: Plan, name: str) -> Document:
    spec = {
        "myASN": NODE_ASN,
        "peerASN": ROUTER_ASN,
        "peerAddress": router_address(name, 4),
        "holdTime": f"{plan.hold}s",
        "nodeSelectors": [_selects("kubernetes.io/hostname", name)],
    }
    return metallb.document("metallb.io/v1beta2", "BGPPeer", f"router-{name}", spec)


def _workload(version: str, kind: str, name: str) -> Document:
    labels = {"app": "metallb", "component": name}
    container = {
        "name": name,
        "image": f"quay.io/metallb/{name}:v{metallb.VERSION}",
        "args": ["--port=7472", "--log-level=info"],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return metallb.document(version, kind, name, spec, labels)


def pod(name: str) -> Document:
    """Return the pod of MetalLB's speaker on node *name*."""
    spec = {
        "nodeName": name,
        "containers": [{"name": "speaker", "image": "speaker"}],
        "tolerations": [{"operator": "Exists"}],
    }
    return metallb.document("v1", "Pod", f"speaker-{name}", spec, _LABELS)


def _selects(key: str, value: str) -> Document:
    return {"matchLabels": {key: value}}


def service(plan: Plan, number: int) -> Document:
    """Return a Service that asks MetalLB for an address, in one of the ways that people use."""
    found = documents.service(plan, number)
    del found["status"]
    spec = {**found["spec"]}
    metadata = {**found["metadata"]}
    if number % 3 == 0:
        spec["externalTrafficPolicy"] = "Cluster"
    if number % 5 == 0:
        metadata["annotations"] = {_DEPRECATED: "lab"}
    return {**found, "spec": spec, "metadata": metadata}
