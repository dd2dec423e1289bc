"""From the wire form of Kubernetes' own kinds and selectors to the values that policy reads."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Final

from bgpd.kube import nativeform, objects
from bgpd.kube.faults import Faults
from bgpd.kube.nodestatus import LEAVE_ANNOTATION, MESH_ANNOTATION, member_at
from bgpd.kube.scalar import parse_plain_address
from bgpd.model.cluster import (
    DRAIN_TAINT,
    EndpointSlice,
    LocalEndpoint,
    NamedPort,
    Node,
    NodeReport,
    Service,
)
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.model.provider import PEER_ANNOTATIONS
from bgpd.model.selector import Operator, Requirement, Selector, Selectors

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label by which an EndpointSlice belongs to a Service."""
_SHUTTING_DOWN: Final = "node is shutting down"
"""What kubelet says in the condition Ready from the moment that systemd tells it of the end of the
node (KEP-2000); it may stand among other reasons. The condition's own reason says nothing of it."""


def service(wire: nativeform.Service, faults: Faults) -> Service:
    """Return a Service."""
    spec = wire.spec or nativeform.ServiceSpec()
    policy = spec.external_traffic_policy or "Cluster"
    if policy not in {"Cluster", "Local"}:
        faults.rule(
            "spec.externalTrafficPolicy",
            f"{policy!r} is not allowed; must be one of Cluster, Local",
            policy,
        )
    status = wire.status.load_balancer if wire.status else None
    return Service(
        namespace=intern(wire.metadata.namespace or "default"),
        name=wire.metadata.name,
        load_balancer=spec.type == "LoadBalancer",
        load_balancer_class=spec.load_balancer_class or None,
        local=policy == "Local",
        ingress=tuple(entry.ip or "" for entry in (status and status.ingress) or ()),
        labels=labels_of(wire.metadata),
        health_check_node_port=spec.health_check_node_port or 0,
        ports=_ports(spec.ports),
    )


def endpoint_slice(wire: nativeform.EndpointSlice, *, node: str = "") -> EndpointSlice:
    """Return an EndpointSlice: which of its endpoints can take traffic, and where they are.

    Addresses and ports are kept of those on *node* alone, which is ours: a node has few pods, and
    a cluster has very many.
    """
    namespace = intern(wire.metadata.namespace or "default")
    owner = (wire.metadata.labels or {}).get(SERVICE_LABEL)
    endpoints = wire.endpoints or ()
    serving = sorted(intern(one.node_name or "") for one in endpoints if _serves(one))
    return EndpointSlice(
        namespace=namespace,
        name=wire.metadata.name,
        service=f"{namespace}/{owner}" if owner else "",
        serving=tuple(serving),
        not_serving=len(endpoints) - len(serving),
        here=_here(wire, node) if node and node in serving else (),
        terminating=bool(serving) and not any(map(_is_ready, endpoints)),
    )


def _here(wire: nativeform.EndpointSlice, node: str) -> tuple[LocalEndpoint, ...]:
    ports = _ports(wire.ports)
    found = (
        (_address(one.addresses), not _is_ready(one))
        for one in wire.endpoints or ()
        if one.node_name == node and _serves(one)
    )
    return tuple(
        LocalEndpoint(address=address, ports=ports, terminating=terminating)
        for address, terminating in found
        if address is not None
    )


def _address(texts: Sequence[str] | None) -> Address | None:
    """Return the first address, which stands for all; None where it is the name of a host."""
    return _parsed(texts[0]) if texts else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    """Return *text* as an address, None where it is none; a node has few pods, often told of."""
    try:
        return parse_plain_address(text)
    except ValueError:
        return None


def _ports(wire: Iterable[nativeform.NamedPort] | None) -> tuple[NamedPort, ...]:
    return _shared(
        tuple(
            (one.name or "", one.port, one.protocol or "TCP")
            for one in wire or ()
            if one.port is not None
        )
    )


@lru_cache(maxsize=1024)
def _shared(ports: tuple[tuple[str, int, str], ...]) -> tuple[NamedPort, ...]:
    """Return *ports* as one tuple for all who have the same: most Services have port 80 or 443."""
    return tuple(
        NamedPort(name=name, port=port, protocol=protocol) for name, port, protocol in ports
    )


def node_report(wire: objects.BGPNodeStatus, faults: Faults) -> NodeReport:
    """Return what a node's agent says of it."""
    name = wire.metadata.name
    place = (wire.metadata.annotations or {}).get(MESH_ANNOTATION, "")
    path = f"metadata.annotations[{MESH_ANNOTATION}]"
    try:
        member = member_at(name, place) if place else None
    except ValueError:
        what = f"{place[:80]!r} is not allowed; must be ADDRESS:PORT or [ADDRESS]:PORT"
        faults.rule(path, what, place[:80])
        member = None
    return NodeReport(name=NodeName(name), member=member, leave=_leave(wire, faults))


def _leave(wire: objects.BGPNodeStatus, faults: Faults) -> float:
    text = (wire.metadata.annotations or {}).get(LEAVE_ANNOTATION, "")
    if not text:
        return 0.0
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        path = f"metadata.annotations[{LEAVE_ANNOTATION}]"
        what = f"{text[:80]!r} is not allowed; must be a time such as 2026-01-31T12:00:00Z"
        faults.rule(path, what, text[:80])
        return 0.0
    return found.timestamp()


def _serves(endpoint: nativeform.Endpoint) -> bool:
    """Return whether an endpoint takes traffic: ready unless it says no, or still serving."""
    conditions = endpoint.conditions
    if not endpoint.addresses:
        return False
    return _is_ready(endpoint) or (conditions is not None and conditions.serving is True)


def _is_ready(endpoint: nativeform.Endpoint) -> bool:
    """Return whether an endpoint with an address is ready, which it is unless it says no."""
    conditions = endpoint.conditions
    return bool(endpoint.addresses) and (
        conditions is None or conditions.ready is None or conditions.ready
    )


def node(wire: nativeform.Node, faults: Faults) -> Node:
    """Return a Node."""
    spec = wire.spec or nativeform.NodeSpec()
    status = wire.status or nativeform.NodeStatus()
    addresses = []
    for index, entry in enumerate(status.addresses or ()):
        if entry.type == "InternalIP":
            path = f"status.addresses[{index}].address"
            addresses.append(faults.parsed(path, entry.address, parse_plain_address))
    return Node(
        name=NodeName(wire.metadata.name),
        labels=labels_of(wire.metadata),
        addresses=tuple(one for one in addresses if one is not None),
        network_unavailable=any(
            one.type == "NetworkUnavailable" and one.status == "True"
            for one in status.conditions or ()
        ),
        unschedulable=bool(spec.unschedulable),
        drain_taint=any(one.key == DRAIN_TAINT for one in spec.taints or ()),
        shutting_down=any(
            one.type == "Ready" and one.status == "False" and _SHUTTING_DOWN in (one.message or "")
            for one in status.conditions or ()
        ),
        annotations={
            key: value
            for key, value in (wire.metadata.annotations or {}).items()
            if key.startswith(PEER_ANNOTATIONS)
        },
    )


_NO_LABELS: Mapping[str, str] = {}


def labels_of(metadata: objects.Metadata) -> Mapping[str, str]:
    """Return the labels with their texts shared: most objects repeat the same few."""
    if not metadata.labels:
        return _NO_LABELS
    return {intern(key): intern(value) for key, value in metadata.labels.items()}


def selectors(path: str, wire: Sequence[objects.LabelSelector] | None, faults: Faults) -> Selectors:
    """Return label selectors; the same one twice is a mistake."""
    found: list[Selector] = []
    for index, one in enumerate(wire or ()):
        each = selector(f"{path}[{index}]", one, faults)
        if each in found:
            faults.rule(f"{path}[{index}]", "repeats a selector of the same list; remove one")
        found.append(each)
    return tuple(found)


def selector(path: str, wire: objects.LabelSelector, faults: Faults) -> Selector:
    """Return one label selector."""
    requirements = [
        Requirement(key=key, operator=Operator.IN, values=frozenset({value}))
        for key, value in sorted((wire.match_labels or {}).items())
    ]
    for index, one in enumerate(wire.match_expressions or ()):
        where = f"{path}.matchExpressions[{index}].values"
        values = one.values or []
        if len(set(values)) != len(values):
            faults.rule(where, "repeats a value; remove one", values)
        needs_values = one.operator in {Operator.IN, Operator.NOT_IN}
        if needs_values and not values:
            faults.rule(where, f"is empty; {one.operator.value} needs at least one value")
        if values and not needs_values:
            faults.rule(where, f"must be absent with {one.operator.value}", values)
        requirements.append(
            Requirement(key=one.key, operator=one.operator, values=frozenset(values))
        )
    return tuple(requirements)
