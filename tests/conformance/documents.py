"""From what a case gives to the documents that a person, or Kubernetes, would have written.

Names that MetalLB's manifests use are written in MetalLB's group: a case is a manifest of theirs.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from bgpd.kube.documents import Documents
from bgpd.kube.problem import Standing
from tests.conformance.room import Fields, InexpressibleError, listed
from tests.conformance.selector import HOST, everything, on_nodes, selectors

Document: TypeAlias = dict[str, Any]

NAMESPACE: Final = "metallb-system"
"""Where configuration lives."""
_V1, _V2 = "metallb.io/v1beta1", "metallb.io/v1beta2"
_IDENTITY: Final = frozenset(
    {"myASN", "peerASN", "peerAddress", "dynamicASN", "interface", "localASN"}
)


def no_strangers(found: Documents) -> Documents:
    """Return *found*; raise where a case has a field that nobody reads: it may mean something."""
    for one in found.problems:
        if one.standing is Standing.UNSUPPORTED and "bgpd does not know" in one.message:
            raise InexpressibleError(one.message)
    return found


def ours(kind: str, name: str | None, spec: Mapping[str, Any], **metadata: Any) -> Document:
    """Return a document of one of the kinds that people configure with."""
    return {
        "apiVersion": _V2 if kind == "BGPPeer" else _V1,
        "kind": kind,
        "metadata": {
            "namespace": NAMESPACE,
            **({} if name is None else {"name": name}),
            **metadata,
        },
        "spec": dict(spec),
    }


def pool(name: str | None, given: Fields, defaults: Mapping[str, Any]) -> Document:
    """Return an IPAddressPool."""
    fields = {**defaults, **given.rest()}
    name = fields.pop("name", name)
    labels = fields.pop("labels", None)
    allocation = fields.pop("serviceAllocation", None)
    spec = {key: value for key, value in fields.items() if value is not None}
    if allocation is not None:
        spec["serviceAllocation"] = {
            key: selectors(value) if key.endswith("Selectors") else value
            for key, value in allocation.items()
        }
    return ours("IPAddressPool", name, spec, **({"labels": labels} if labels else {}))


def advertisement(
    name: str | None, given: Fields, defaults: Mapping[str, Any], nodes: Collection[str] = ()
) -> Document:
    """Return a BGPAdvertisement; `pools`, `nodes` and `peers` may stand for the real fields."""
    fields = {**defaults, **given.rest()}
    name = fields.pop("name", name)
    named = fields.pop("nodes", None)
    choosing = listed(fields.pop("nodeSelectors", None))
    spec: dict[str, Any] = {}
    for key, value in fields.items():
        match key:
            case "pools" | "peers" if everything(value):
                continue
            case "pools":
                spec["ipAddressPools"] = listed(value)
            case "ipAddressPoolSelectors" | "serviceSelectors":
                spec[key] = selectors(value)
            case _ if value is not None:
                spec[key] = value
            case _:
                continue
    chosen = [*on_nodes(named), *selectors(choosing, nodes)]
    if chosen:
        spec["nodeSelectors"] = chosen
    return ours("BGPAdvertisement", name, spec)


def peer(
    name: str | None, given: Fields, *, nodes: Collection[str] = (), filled: bool, number: int = 1
) -> Document:
    """Return a BGPPeer; where it is *filled*, what a case leaves out of no interest is there.

    Without that, a peer that says nothing of who it is gets all of it, and any other one nothing:
    a field that is missing may be what the case is about.
    """
    fields = given.rest()
    name = fields.pop("name", name)
    namespace = fields.pop("namespace", NAMESPACE)
    if "address" in fields:
        fields["peerAddress"] = fields.pop("address")
    if "port" in fields:
        fields["peerPort"] = fields.pop("port")
    if "asn" in fields:
        fields["peerASN"] = fields.pop("asn")
    named = on_nodes(fields.pop("nodes", None))
    if "nodeSelectors" in fields:
        fields["nodeSelectors"] = selectors(fields["nodeSelectors"], nodes)
    if named:
        fields["nodeSelectors"] = [*named, *fields.get("nodeSelectors", [])]
    said = _IDENTITY & fields.keys()
    if filled or said <= {"peerAddress"} or said <= {"interface"}:
        _fill(fields, number)
    spec = {key: one for key, one in fields.items() if one is not None}
    return ours("BGPPeer", name, spec, namespace=namespace)


def _fill(fields: dict[str, Any], number: int) -> None:
    fields.setdefault("myASN", 64512)
    if "dynamicASN" not in fields:
        fields.setdefault("peerASN", 64513)
    if "interface" not in fields:
        fields.setdefault("peerAddress", f"192.0.2.{100 + number}")


def community(name: str, values: Any) -> Document:
    """Return a Community: names for values."""
    return ours("Community", name, {"communities": listed(values)})


def bfd(name: str | None, given: Fields) -> Document:
    """Return a BFDProfile."""
    fields = given.rest()
    name = fields.pop("name", name)
    return ours("BFDProfile", name, fields)


def secret(name: str, given: Fields, namespace: str) -> Document:
    """Return a Secret; its data are plain text in a case."""
    fields = given.rest()
    data = fields.pop("data", None) or {}
    kind = fields.pop("type", "Opaque")
    namespace = fields.pop("namespace", namespace)
    if fields:
        raise InexpressibleError(f"nobody reads {given.place}.{', '.join(fields)}")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": dict(data),
    }


def node(
    name: str,
    labels: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Any] | None = None,
    *,
    number: int = 1,
    addresses: Collection[str] | None = None,
) -> Document:
    """Return a Node with an address of each family."""
    internal = [f"10.0.0.{number}", f"fd00:a::{number}"] if addresses is None else addresses
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {HOST: name, **{str(k): str(v) for k, v in (labels or {}).items()}},
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": one} for one in internal],
            "conditions": [
                {"type": kind, "status": str(status)} for kind, status in (conditions or {}).items()
            ],
        },
    }


def endpoint(
    given: Mapping[str, Any], place: str, defaults: Mapping[str, Any], me: str
) -> Document:
    """Return one endpoint of a slice; `addresses` is a list, or how many there are."""
    fields = Fields({**defaults, **given}, place)
    addresses = fields.take("addresses", 1)
    ip = fields.take("ip")
    if ip is not None:
        addresses = [ip]
    elif isinstance(addresses, int):
        addresses = [f"10.244.0.{one + 1}" for one in range(addresses)]
    conditions = dict(fields.take("conditions") or {})
    for key in ("ready", "serving", "terminating"):
        value = fields.take(key)
        if value is not None:
            conditions[key] = value
    found = {
        "addresses": addresses,
        "conditions": conditions,
        "nodeName": fields.take("node", fields.take("nodeName", me)),
    }
    fields.end()
    return found


def endpoint_slice(service: str, namespace: str, endpoints: list[Document]) -> Document:
    """Return the EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    }


def port(text: Any) -> Document:
    """Return a port of a Service, which a case writes `tcp/80`."""
    protocol, _, number = str(text).partition("/")
    if not number.isdecimal():
        raise InexpressibleError(f"{text!r} is no port such as tcp/80")
    return {"name": f"{protocol}-{number}", "protocol": protocol.upper(), "port": int(number)}
