"""What should be advertised, worked out twice and from nothing: what an agent is held to.

`naive` reads the server's JSON with a few lines that share nothing with bgpd. `fresh` runs bgpd's
own policy over the same objects, as an agent that starts this moment would. Both take an object
that its writer marked as invalid in its last version that was good.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from bgpd.agent.planner import Planner
from bgpd.ipc.message import Desired
from bgpd.kube.documents import read
from bgpd.kube.store import Changes, Store
from bgpd.kube.vanish import Keeper
from tests.bench.agent import NAMESPACE, NODE
from tests.cluster.api import Api

Document = dict[str, Any]
Name = tuple[str, str]
"""Kind and name."""
Naive = dict[tuple[str, str], frozenset[str]]
"""Peer and prefix -> communities."""
INVALID: Final = "soak.bgpd.io/invalid"
"""The annotation by which the writer says so."""
OURS: Final = f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}"
COLLECTIONS: Final = {
    "Node": ("v1", "/api/v1/nodes"),
    "IPAddressPool": ("bgpd.io/v1alpha1", f"{OURS}/ipaddresspools"),
    "BGPAdvertisement": ("bgpd.io/v1alpha1", f"{OURS}/bgpadvertisements"),
    "BGPPeer": ("bgpd.io/v1alpha1", f"{OURS}/bgppeers"),
    "SpeakerPolicy": ("bgpd.io/v1alpha1", f"{OURS}/speakerpolicies"),
    "Service": ("v1", "/api/v1/namespaces/default/services"),
    "EndpointSlice": (
        "discovery.k8s.io/v1",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    ),
}
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_EXCLUDE: Final = "node.kubernetes.io/exclude-from-external-load-balancers"


class Oracle:
    """What the server holds, in the last good version of each object."""

    def __init__(self) -> None:
        self.objects: dict[Name, Document] = {}

    def look(self, api: Api) -> None:
        """Read everything from the server."""
        found: dict[Name, Document] = {}
        for kind, (version, path) in COLLECTIONS.items():
            for item in api.request("GET", path)["items"]:
                key = (kind, item["metadata"]["name"])
                one = {"apiVersion": version, "kind": kind, **item}
                if INVALID in (item["metadata"].get("annotations") or {}):
                    if key in self.objects:
                        found[key] = self.objects[key]
                else:
                    found[key] = one
        self.objects = found

    def of(self, kind: str) -> Iterator[Document]:
        """Yield the objects of *kind*."""
        return (one for (each, _), one in self.objects.items() if each == kind)

    def fresh(self) -> Desired:
        """Return what an agent without a past would want."""
        store = Store()
        text = "".join(f"---\n{json.dumps(one)}\n" for one in self.objects.values())
        changes = store.apply("server", read("server", text.encode()))
        keeper = Keeper(store.objects)
        keeper.take(changes, now=0.0)
        planner = Planner(node=NODE, cluster_uid="bench")
        planner.configure(Changes(), keeper.objects, {})
        desired = planner.desired()
        assert desired is not None, planner.problem
        return desired

    def naive(self) -> Naive:
        """Return which peer should hear of which prefix, with which communities."""
        found: Naive = {}
        for service in self.of("Service"):
            for key, communities in self._routes(service):
                found[key] = found.get(key, frozenset()) | communities
        return found

    def _routes(self, service: Document) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
        labels = self.objects["Node", NODE]["metadata"].get("labels") or {}
        blocked = _EXCLUDE in labels
        spec = service["spec"]
        theirs = spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass")
        if theirs or blocked or not self._served(service):
            return
        for entry in (service["status"].get("loadBalancer") or {}).get("ingress") or ():
            address = ipaddress.ip_address(entry["ip"])
            rules = self._rules(address, service["metadata"].get("labels") or {}, labels)
            if not rules:
                continue
            communities = frozenset(c for rule in rules for c in rule.get("communities") or ())
            for peer in self.of("BGPPeer"):
                if _selected(peer["spec"].get("nodeSelectors"), labels):
                    prefix = f"{address}/{address.max_prefixlen}"
                    yield (peer["metadata"]["name"], prefix), communities

    def _rules(
        self,
        address: ipaddress.IPv4Address | ipaddress.IPv6Address,
        service_labels: Document,
        node_labels: Document,
    ) -> list[Document]:
        pool = pool_of(self.of("IPAddressPool"), address)
        specs = (one.get("spec") or {} for one in self.of("BGPAdvertisement"))
        return [
            one
            for one in specs
            if pool
            and (not one.get("ipAddressPools") or pool in one["ipAddressPools"])
            and _selected(one.get("nodeSelectors"), node_labels)
            and _selected(one.get("serviceSelectors"), service_labels)
        ]

    def _served(self, service: Document) -> bool:
        local = service["spec"].get("externalTrafficPolicy") == "Local"
        name = service["metadata"]["name"]
        for one in self.of("EndpointSlice"):
            if (one["metadata"].get("labels") or {}).get(_SERVICE_LABEL) != name:
                continue
            for endpoint in one["endpoints"] or ():
                conditions = endpoint.get("conditions") or {}
                up = conditions.get("ready", True) or conditions.get("serving") is True
                if up and (not local or endpoint.get("nodeName") == NODE):
                    return True
        return False


def pool_of(
    pools: Iterable[Document], address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> str:
    """Return the name of the pool that holds *address*, or the empty text."""
    for one in pools:
        for block in one["spec"]["addresses"]:
            if address in ipaddress.ip_network(block):
                return str(one["metadata"]["name"])
    return ""


def _selected(selectors: list[Document] | None, labels: Document) -> bool:
    """Return whether one of *selectors* fits, or there is none."""
    return not selectors or any(
        all(labels.get(key) == value for key, value in (one.get("matchLabels") or {}).items())
        for one in selectors
    )
