"""Documents of a MetalLB cluster, short enough to read in a test."""

from collections.abc import Mapping
from typing import Any

from bgpd.migrate.found import Document, Found
from bgpd.migrate.workload import SPEAKER_LABEL
from bgpd.model.migration import FROM_METALLB, MIGRATING

NAMESPACE = "metallb-system"
OURS = "bgpd-system"
BETA = "metallb.io/v1beta1"
SERVED = frozenset({"IPAddressPool", "BGPAdvertisement", "BGPPeer", "Community", "BGPNodeStatus"})


def one(version: str, kind: str, name: str, **parts: Any) -> dict[str, Any]:
    """Return a document; *parts* are its spec, status, labels and annotations."""
    metadata: dict[str, Any] = {"name": name, "namespace": parts.pop("namespace", NAMESPACE)}
    for part in ("labels", "annotations"):
        if part in parts:
            metadata[part] = parts.pop(part)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def pool(name: str = "a", *addresses: str, **parts: Any) -> dict[str, Any]:
    """Return MetalLB's IPAddressPool."""
    spec = {"addresses": list(addresses or ("192.0.2.0/24",))}
    return one(BETA, "IPAddressPool", name, spec=spec, **parts)


def peer(name: str = "tor", **spec: Any) -> dict[str, Any]:
    """Return MetalLB's BGPPeer."""
    full = {"myASN": 65000, "peerASN": 65530, "peerAddress": "10.0.0.1", **spec}
    return one("metallb.io/v1beta2", "BGPPeer", name, spec=full)


def speaker(
    *arguments: str, mode: str = "native", pod: Mapping[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """Return MetalLB's DaemonSet."""
    container = {
        "name": "speaker",
        "image": "quay.io/metallb/speaker:v0.15.2",
        "args": list(arguments),
        "env": [{"name": "METALLB_BGP_TYPE", "value": mode}],
    }
    template = {"spec": {"containers": [container], **(pod or {})}}
    labels = {"app": "metallb", "component": "speaker"}
    full = {"template": template, **spec}
    return one("apps/v1", "DaemonSet", "speaker", labels=labels, spec=full)


def polite_speaker() -> dict[str, Any]:
    """Return MetalLB's DaemonSet as the walk wants it."""
    found = speaker(updateStrategy={"type": "OnDelete"})
    term = {"matchExpressions": [{"key": SPEAKER_LABEL, "operator": "DoesNotExist"}]}
    found["spec"]["template"]["spec"]["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
        }
    }
    return found


def controller(replicas: int = 1) -> dict[str, Any]:
    """Return MetalLB's Deployment, with the labels of its chart."""
    labels = {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "controller"}
    return one("apps/v1", "Deployment", "controller", labels=labels, spec={"replicas": replicas})


def pod(node: str, **parts: Any) -> dict[str, Any]:
    """Return the pod of MetalLB's speaker on *node*."""
    labels = {"app": "metallb", "component": "speaker"}
    spec = {"nodeName": node}
    return one("v1", "Pod", f"speaker-{node}", labels=labels, spec=spec, **parts)


def node(
    name: str, *, moved: bool = False, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a Node, with the label that moves it or without."""
    found = {**(labels or {}), **({SPEAKER_LABEL: "true"} if moved else {})}
    return one("v1", "Node", name, labels=found, namespace="")


def report(
    name: str, *, up: bool = True, held: bool = True, generation: int = 1, lever: str = ""
) -> dict[str, Any]:
    """Return what bgpd's agent on a node says."""
    status = {
        "sessions": [
            {
                "peer": "tor",
                "state": "Established" if up else "Active",
                "lever": lever or ("none" if held else "med"),
            }
        ],
        "takeoverGeneration": generation,
        "conditions": [{"type": "TakeoverHeld", "status": "True"}] if held else [],
    }
    return one("bgpd.io/v1alpha1", "BGPNodeStatus", name, status=status, namespace="")


def service(name: str = "web", *addresses: str, **parts: Any) -> dict[str, Any]:
    """Return a Service with *addresses*."""
    spec = {"type": "LoadBalancer", **parts.pop("spec", {})}
    ingress = [{"ip": address} for address in addresses]
    status = {"loadBalancer": {"ingress": ingress}}
    return one("v1", "Service", name, namespace="shop", spec=spec, status=status, **parts)


def endpoints(name: str, *nodes: str) -> dict[str, Any]:
    """Return the EndpointSlice of the Service *name*."""
    labels = {"kubernetes.io/service-name": name}
    found = one("discovery.k8s.io/v1", "EndpointSlice", name, namespace="shop", labels=labels)
    return {**found, "endpoints": [{"nodeName": one_node} for one_node in nodes]}


def copied(document: Document, *, held: bool = True) -> dict[str, Any]:
    """Return our twin of MetalLB's *document*."""
    parts: dict[str, Any] = {}
    if held and document["kind"] == "IPAddressPool":
        parts["annotations"] = {MIGRATING: FROM_METALLB}
    return one(
        "bgpd.io/v1alpha1",
        document["kind"],
        document["metadata"]["name"],
        namespace=OURS,
        spec=document["spec"],
        **parts,
    )


def cluster(*documents: Document, minor: int = 36) -> Found:
    """Return a whole cluster that was read."""
    return Found(documents=documents, live=True, minor=minor, served=SERVED)
