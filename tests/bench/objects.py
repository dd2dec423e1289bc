"""The objects of a measurement at scale: Services with an address, a slice for each, few nodes."""

from collections.abc import Iterable, Iterator
from typing import Final

from tests.bench.agent import NAMESPACE, NODE
from tests.bench.oracle import Document

LOCAL: Final = 2_500
"""Services with traffic policy Local: a port of 2,768 goes to each. These are changed."""
_ENDPOINTS: Final = 5


def configuration() -> Iterator[Document]:
    """Yield nodes, and what makes every Service's address a route."""
    for name in _nodes():
        # The agent asks the ports of Services at its own address: whoever has it outside is spared.
        address = {"type": "InternalIP", "address": f"127.0.2.{name[1:]}"}
        status = {"addresses": [address]}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
    peer = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.200"}
    specs: Iterable[tuple[str, Document]] = (
        ("IPAddressPool", {"addresses": ["10.64.0.0/16"]}),
        ("BGPAdvertisement", {}),
        ("BGPPeer", peer),
    )
    for kind, spec in specs:
        metadata = {"name": "scale", "namespace": NAMESPACE}
        yield {
            "apiVersion": "bgpd.io/v1alpha1",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }


def _nodes() -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, 21))


def service(number: int) -> tuple[Document, Document]:
    """Return Service *number*, and the status that gives it its address."""
    spec = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local" if number < LOCAL else "Cluster",
        "allocateLoadBalancerNodePorts": False,
        "ports": [{"name": "http", "port": 80}],
        "selector": {"app": f"s{number}"},
    }
    address = f"10.64.{number >> 8}.{number & 255}"
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"}}
    return {**head, "spec": spec}, {"loadBalancer": {"ingress": [{"ip": address}]}}


def endpoint_slice(number: int) -> Document:
    """Return the EndpointSlice of Service *number*."""
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"s{number}", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": endpoints(number, here=True),
    }


def endpoints(number: int, *, here: bool) -> list[Document]:
    """Return endpoints on five nodes, of which the agent's is ready only if *here*."""
    others = _nodes()[1:]
    names = [NODE, *(others[(number + i) % len(others)] for i in range(_ENDPOINTS - 1))]
    return [
        {
            "addresses": [f"10.{128 + i}.{number >> 8}.{number & 255}"],
            "conditions": {"ready": here or i > 0, "serving": here or i > 0, "terminating": False},
            "nodeName": name,
            "targetRef": {"kind": "Pod", "namespace": "default", "name": f"s{number}-{i}"},
        }
        for i, name in enumerate(names)
    ]
