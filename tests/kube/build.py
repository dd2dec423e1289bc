"""Documents for tests, as maps that `json.dumps` turns into YAML."""

import json
from typing import Any

Document = dict[str, Any]
OURS = "bgpd.io/v1alpha1"


def text(*documents: Document) -> bytes:
    """Return *documents* as one file."""
    return "".join(f"---\n{json.dumps(one)}\n" for one in documents).encode()


def ours(kind: str, name: str, spec: Document | None = None, **metadata: Any) -> Document:
    """Return a document of one of our kinds."""
    return {
        "apiVersion": OURS,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        **({} if spec is None else {"spec": spec}),
    }


def pool(name: str = "p", *addresses: str) -> Document:
    """Return an IPAddressPool."""
    return ours("IPAddressPool", name, {"addresses": list(addresses or ["192.0.2.0/24"])})


def peer(name: str = "p", **spec: Any) -> Document:
    """Return a BGPPeer that is valid but for *spec*; a field given as None is left out."""
    fields = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1", **spec}
    return ours("BGPPeer", name, {key: value for key, value in fields.items() if value is not None})


def service(name: str = "web", ip: str = "198.51.100.1", **spec: Any) -> Document:
    """Return a Service with an elastic IP."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    }


def endpoint_slice(name: str, service: str | None, *endpoints: Document) -> Document:
    """Return an EndpointSlice of *service*."""
    labels = {} if service is None else {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "endpoints": list(endpoints),
    }
