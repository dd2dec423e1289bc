"""What every chapter of the story has: the cluster, helm, the Service's address, the figures."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import NodeCluster
from tests.e2e import sight, workload
from tests.e2e.helm import NAMESPACE, Helm
from tests.e2e.report import Finding, bursts
from tests.lab.figures import flows_of

AFTER: Final = 4.0
"""Seconds of traffic after a node was lost, after an upgrade, after a rotation."""
_PATIENCE: Final = 300.0
_POLL: Final = 0.05

Say = Callable[[str], None]


def until(what: str, fact: Callable[[], bool], poll: float = _POLL) -> None:
    """Return when *fact* holds."""
    end = time.monotonic() + _PATIENCE
    while not fact():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not within {_PATIENCE:g} s")
        time.sleep(poll)


class Stage:
    """Where a story is told, and what was found until now."""

    def __init__(self, cluster: NodeCluster, helm: Helm, say: Say) -> None:
        """Run *helm* in *cluster*; tell *say* how far it is."""
        self.cluster, self.helm, self.say = cluster, helm, say
        self.address = ""
        self.findings: list[Finding] = []

    def add(self, what: str, value: float, unit: str, limit: float | None = None) -> None:
        """Note a figure, and say it."""
        story = f"helm {self.helm.major}"
        finding = Finding(what=what, value=round(value, 1), unit=unit, limit=limit, story=story)
        self.findings.append(finding)
        self.say(f"{what}: {value:.1f} {unit}".rstrip())

    def losses(self, record: Mapping[str, Any], began: float, limit: float | None) -> None:
        """Note what of *record* was lost since *began*."""
        flows = flows_of(record)
        end = min(flow.sent[-1] for flow in flows)
        self.add("  packets sent meanwhile", sum(x.count(began, end) for x in flows), "")
        lost = [at - began for x in flows for at in x.lost_at(began, end)]
        if lost:
            self.say(f"lost, in seconds after it began: {bursts(lost)}")
        self.add("  packets lost", len(lost), "", limit)

    def find_address(self) -> bool:
        """Note the address of the Service; tell whether it has one."""
        status = self.get(f"/api/v1/namespaces/default/services/{workload.NAME}")["status"]
        found = status.get("loadBalancer", {}).get("ingress", [])
        self.address = found[0]["ip"] if found else ""
        return bool(found)

    def whole(self) -> bool:
        """Tell whether the router sends to every node."""
        return sight.next_hops(self.cluster).get(self.address) == len(self.cluster.nodes)

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of bgpd that do not end."""
        found: list[dict[str, Any]] = self.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        return [one for one in found if one["status"].get("phase") not in {"Succeeded", "Failed"}]

    def all_ready(self) -> bool:
        """Tell whether all of them are Ready."""
        return all(
            any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in pod["status"].get("conditions", ())
            )
            for pod in self.pods()
        )

    def starts(self) -> dict[str, int]:
        """Return how often each container of bgpd's pods was started again."""
        return {
            f"{pod['metadata']['uid']}/{one['name']}": one["restartCount"]
            for pod in self.pods()
            for kind in ("initContainerStatuses", "containerStatuses")
            for one in pod["status"].get(kind, ())
        }

    def get(self, path: str) -> dict[str, Any]:
        """Ask the API."""
        told: dict[str, Any] = self.cluster.api.request("GET", path)
        return told
