"""The example sets, what a cluster would add to each, and what then is on the wire. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.examples.sites import CHERRY, LINODE, PACKET, VULTR, Site

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "config" / "examples"
NODES: Final = {
    "n1": ("192.0.2.11", "2001:db8:ffff::11"),
    "n2": ("192.0.2.12", "2001:db8:ffff::12"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """One example, seen from node n1."""

    name: str
    labels: Mapping[str, str]
    """Of n1."""
    routes: Mapping[str, frozenset[str]]
    """Peer -> prefixes that it hears from n1."""
    prepended: frozenset[str] = frozenset()
    """Those of them with a longer path."""
    asked: str = ""
    """What HealthChecks ask on the node: `ntp`, `http` or `tcp`."""
    endpoints: Sequence[str] = ("n1", "n2")
    """The nodes on which a Service with a selector has a pod."""
    controller: bool = True
    cluster: bool = True
    """Whether Nodes and EndpointSlices come from the cluster."""
    site: Site | None = None
    """The provider, where the documents name one."""

    @property
    def nodes(self) -> Mapping[str, Sequence[str]]:
        """Node -> its InternalIPs."""
        return {**NODES, "n1": self.site.internal} if self.site else NODES


WEB: Final = frozenset({"203.0.113.10/32"})
SETS: Final[Sequence[Set]] = (
    Set(
        name="ntp-pool",
        labels={"topology.kubernetes.io/region": "east"},
        routes={"router-east": frozenset({"203.0.113.123/32", "203.0.113.124/32"})},
        prepended=frozenset({"203.0.113.124/32"}),
        asked="ntp",
    ),
    Set(
        name="ingress-local",
        labels={},
        routes={"tor": frozenset({"203.0.113.80/32"})},
        asked="http",
        endpoints=("n1",),
    ),
    Set(
        name="two-racks",
        labels={"rack": "a"},
        routes={"tor-a-1": frozenset({"203.0.113.1/32"}), "tor-a-2": frozenset({"203.0.113.1/32"})},
    ),
    Set(
        name="dual-stack",
        labels={},
        routes={"tor": frozenset({"203.0.113.0/32", "2001:db8:100::/128"})},
    ),
    Set(
        name="standalone",
        labels={},
        routes={"router": WEB},
        asked="tcp",
        controller=False,
        cluster=False,
    ),
    Set(
        name="packet",
        labels={},
        routes={
            f"packet-{router}": frozenset({"203.0.113.0/32"})
            for router in ("169.254.255.1", "169.254.255.2")
        },
        asked="tcp",
        endpoints=("n1",),
        site=PACKET,
    ),
    Set(
        name="vultr",
        labels={},
        routes={"vultr-169.254.169.254": WEB, "vultr-2001-19f0-ffff--1": frozenset()},
        asked="tcp",
        endpoints=("n1",),
        site=VULTR,
    ),
    Set(
        name="cherry",
        labels={},
        routes={f"cherry-46.166.166.{last}": WEB for last in (122, 123)},
        asked="tcp",
        endpoints=("n1",),
        site=CHERRY,
    ),
    Set(
        name="linode",
        labels={},
        routes={
            f"linode-2600-3c0f-6-34--{last}": WEB | {"2001:db8:100:1::/64"} for last in range(1, 5)
        },
        asked="tcp",
        endpoints=("n1",),
        site=LINODE,
    ),
)


def documents(one: Set) -> list[dict[str, Any]]:
    """Return what the files of the example say."""
    files = sorted((EXAMPLES / one.name).glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def from_the_cluster(one: Set) -> list[dict[str, Any]]:
    """Return the Nodes, EndpointSlices and Secrets that a cluster would have."""
    if not one.cluster:
        return []
    nodes = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": dict(one.labels) if name == "n1" else {}},
            "status": {"addresses": [{"type": "InternalIP", "address": at} for at in addresses]},
        }
        for name, addresses in one.nodes.items()
    ]
    services = [each for each in documents(one) if each["kind"] == "Service"]
    secrets = [dict(each) for each in one.site.objects] if one.site else []
    return [*nodes, *(_slice(one, each) for each in services), *secrets]


def _slice(one: Set, service: Mapping[str, Any]) -> dict[str, Any]:
    name = service["metadata"]["name"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": service["metadata"]["namespace"],
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": port["name"], "protocol": port["protocol"], "port": port["port"]}
            for port in service["spec"]["ports"]
        ],
        "endpoints": [
            {"addresses": [one.nodes[node][0]], "nodeName": node, "conditions": {"ready": True}}
            for node in one.endpoints
        ],
    }
