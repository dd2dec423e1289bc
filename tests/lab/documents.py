"""The Kubernetes documents that the lab's agents read, and the directory that may hold them."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lab import providerdocuments
from tests.lab.nodes import NodeSource
from tests.lab.plan import (
    NODE_ASN,
    Plan,
    node_address,
    router_address,
    router_space,
)

GROUP = "bgpd.io/v1alpha1"
NAMESPACE = "bgpd-system"

Document = dict[str, Any]


class Directory:
    """Documents in files."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Keep the documents of *plan* in *directory*."""
        self._plan = plan
        self._directory = directory

    def write_all(self) -> None:
        """Write every document: JSON, one a line block, which is YAML as well."""
        self._directory.mkdir(parents=True, exist_ok=True)
        plan = self._plan
        self.configure([])
        self.write_nodes([])
        for i in services(plan):
            self.write_endpoints(i, plan.names)

    def configure(self, special: Iterable[Document]) -> None:
        """Have the configuration of the plan, with *special* besides or in place of it."""
        plan, special = self._plan, list(special)
        theirs = [each for each in special if each["kind"] == "Service"]
        ours = [each for each in special if each["kind"] != "Service"]
        replace(self._directory / "cluster.yaml", merged(configuration(plan), ours))
        plain = [service(plan, i) for i in services(plan)]
        replace(self._directory / "services.yaml", merged(plain, theirs))

    def write_nodes(self, special: Iterable[Document]) -> None:
        """Have the Nodes of the plan, *special* in place of their namesakes."""
        plain = [node(self._plan, name) for name in self._plan.names]
        replace(self._directory / "nodes.yaml", merged(plain, special))

    def write_endpoints(self, number: int, nodes: tuple[str, ...]) -> float:
        """Say that Service *number* has one endpoint on each of *nodes*; return when."""
        path = self._directory / f"endpoints-{number}.yaml"
        return replace(path, endpoints(self._plan, number, nodes))

    def of_node(self, _name: str) -> NodeSource:
        """Return how the agent of any node reads them."""
        return NodeSource(word=f"directory:{self._directory}")

    def stop(self) -> None:
        """Files need no end."""


def replace(path: Path, documents: list[Document]) -> float:
    """Put *documents* in place of *path* in one step, as a careful writer does.

    Return the monotonic time just before that step: whoever watches may act before we run again.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text("".join(f"---\n{json.dumps(document)}\n" for document in documents))
    now = time.monotonic()
    os.replace(temporary, path)  # noqa: PTH105 - the name says what the kernel does
    return now


def merged(plain: Iterable[Document], special: Iterable[Document]) -> list[Document]:
    """Return *plain* with what *special* says in place of those with the same kind and name."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in (*plain, *special)}
    return list(found.values())


def services(plan: Plan) -> range:
    """Return the numbers of the Services, from 1."""
    return range(1, plan.services + 1)


def configuration(plan: Plan) -> list[Document]:
    """Return the pool, the advertisement, the policy and the peers."""
    return [
        _ours("IPAddressPool", "lab", {"addresses": [plan.pool(v) for v in plan.family.versions]}),
        _ours("BGPAdvertisement", "lab", {"ipAddressPools": ["lab"]}),
        *bfd_profile(plan),
        *speaker_policy(plan),
        *providerdocuments.peers(plan),
        *(
            peer(plan, name, version, router)
            for router in (() if plan.site else plan.router_numbers)
            for name in plan.names_at(router)
            for version in plan.family.versions
        ),
    ]


def bfd_profile(plan: Plan) -> list[Document]:
    """Return the BFDProfile of the peers, where there is BFD."""
    if plan.bfd is None:
        return []
    interval = plan.bfd.interval
    return [
        _ours(
            "BFDProfile",
            "lab",
            {
                "receiveInterval": interval,
                "transmitInterval": interval,
                "detectMultiplier": plan.bfd.multiplier,
            },
        )
    ]


def speaker_policy(plan: Plan) -> list[Document]:
    """Return the SpeakerPolicy, where a default does not serve."""
    return [_ours("SpeakerPolicy", "lab", {"host": {"egress": True}})] if plan.egress else []


def peer(plan: Plan, name: str, version: int, router: int = 1) -> Document:
    """Return the BGPPeer of node *name* over IP *version*: the router's end of its cable."""
    cable = plan.cable(router)
    spec: Document = {
        "myASN": NODE_ASN,
        "peerASN": plan.router_asn(router),
        "peerAddress": router_address(name, version, cable),
        "sourceAddress": node_address(name, version, cable),
        "holdTime": f"{plan.hold}s",
        "nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": name}}],
    }
    if plan.bfd is not None:
        spec["bfdProfile"] = "lab"
    if plan.graceful_restart is not None:
        spec["gracefulRestart"] = plan.graceful_restart
    takeover = {"mode": plan.takeover, "lever": plan.lever}
    if any(takeover.values()):
        spec["takeover"] = {name: word for name, word in takeover.items() if word is not None}
    return _ours("BGPPeer", f"{router_space(router)}-{name}-v{version}", spec)


def node(plan: Plan, name: str) -> Document:
    """Return the Node document."""
    addresses = [
        {"type": "InternalIP", "address": plan.host_address(name, v)} for v in plan.family.versions
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "addresses": [*addresses, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def service(plan: Plan, number: int) -> Document:
    """Return the Service document, its addresses already allocated."""
    addresses = [plan.elastic_ip(number, v) for v in plan.family.versions]
    families = [f"IPv{v}" for v in plan.family.versions]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"service-{number}", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "ipFamilies": families,
            "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
            "ports": [{"name": "echo", "port": 7, "protocol": "UDP"}],
            "allocateLoadBalancerNodePorts": False,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }


def endpoints(plan: Plan, number: int, nodes: tuple[str, ...]) -> list[Document]:
    """Return the EndpointSlices of one Service, one a family."""
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"service-{number}-v{version}",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": f"service-{number}"},
            },
            "addressType": f"IPv{version}",
            "ports": [{"name": "echo", "port": 7, "protocol": "UDP"}],
            "endpoints": [
                {
                    "addresses": [plan.host_address(name, version)],
                    "nodeName": name,
                    "conditions": {"ready": True, "serving": True, "terminating": False},
                }
                for name in nodes
            ],
        }
        for version in plan.family.versions
    ]


def _ours(kind: str, name: str, spec: Document) -> Document:
    return {
        "apiVersion": GROUP,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
