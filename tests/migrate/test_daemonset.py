"""What `bgpctl migrate` prints makes Kubernetes move one node at a time, and restart nothing."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bgpd.migrate.stand import Step
from bgpd.migrate.walk import stand
from bgpd.migrate.workload import SPEAKER_LABEL
from tests.cluster.api import MERGE, Document
from tests.cluster.cluster import Cluster
from tests.lab.nodes import until
from tests.migrate.build import NAMESPACE, OURS, cluster, copied, node, peer, pod, pool, speaker

NODES = ("n1", "n2", "n3")
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DAEMON_SET = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/speaker"


@pytest.fixture
def running(cluster_programs: Mapping[str, Path], tmp_path: Path) -> Iterator[Cluster]:  # noqa: ARG001
    """Return a cluster with MetalLB's DaemonSet, whose pods run as far as anybody can see."""
    with Cluster(tmp_path / "cluster", controllers=True) as found:
        found.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        found.apply([_node(name) for name in NODES])
        found.apply([_daemon_set()])
        until(lambda: len(_pods(found)) == len(NODES), 60, "there is not a pod for each Node")
        for one in _pods(found).values():
            _run(found, one)
        yield found


def _node(name: str) -> Document:
    condition = {"type": "Ready", "status": "True", "reason": "Test", "message": "a test"}
    status = {"conditions": [condition]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def _daemon_set() -> Document:
    found = speaker()
    labels = found["metadata"]["labels"]
    template = found["spec"]["template"]
    template["metadata"] = {"labels": labels}
    template["spec"] |= {"tolerations": [{"operator": "Exists"}], "hostNetwork": True}
    found["spec"]["selector"] = {"matchLabels": labels}
    return found


def _pods(found: Cluster) -> dict[str, dict[str, Any]]:
    """Return the pods that are not told to end, by the Node that each is for."""
    pods = {}
    for one in found.api.request("GET", PODS)["items"]:
        affinity = one["spec"]["affinity"]["nodeAffinity"]
        terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        (field,) = terms[0]["matchFields"]
        if "deletionTimestamp" not in one["metadata"]:
            pods[field["values"][0]] = one
    return pods


def _run(found: Cluster, one: Document) -> None:
    """Do what the scheduler and kubelet do."""
    name = one["metadata"]["name"]
    target = next(node_name for node_name, other in _pods(found).items() if other == one)
    binding = {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": target},
    }  # fmt: skip
    found.api.request("POST", f"{PODS}/{name}/binding", binding)
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    found.api.request("PATCH", f"{PODS}/{name}/status", {"status": ready}, content_type=MERGE)


def test_the_patches_restart_nothing_and_a_label_moves_one_node(running: Cluster) -> None:
    """The DaemonSet controller is Kubernetes' own; only the scheduler and kubelet are not here."""
    before = {name: one["metadata"]["uid"] for name, one in _pods(running).items()}
    seen = running.api.request("GET", DAEMON_SET)
    documents = [pool(), peer(), copied(pool()), copied(peer()), {**seen, "kind": "DaemonSet"}]
    documents = [{"apiVersion": "apps/v1", **one} for one in documents]
    at = stand(cluster(*documents, node("n1"), pod("n1")), OURS)
    assert at.step is Step.GIVE_WAY
    for command in at.commands:
        patch = json.loads(command.partition(" -p ")[2].strip("'"))
        running.api.request("PATCH", DAEMON_SET, patch, content_type=MERGE)
    generation = running.api.request("GET", DAEMON_SET)["metadata"]["generation"]
    until(
        lambda: running.api.request("GET", DAEMON_SET)["status"]["observedGeneration"]
        >= generation,
        60, "the controller has not seen the patches",
    )  # fmt: skip
    assert {name: one["metadata"]["uid"] for name, one in _pods(running).items()} == before

    _label(running, "n1", "true")
    until(lambda: "n1" not in _pods(running), 60, "the pod of n1 is not told to end")
    rest = {name: one["metadata"]["uid"] for name, one in _pods(running).items()}
    assert rest == {name: before[name] for name in ("n2", "n3")}

    _label(running, "n1", None)
    for one in running.api.request("GET", PODS)["items"]:
        if "deletionTimestamp" in one["metadata"]:
            path = f"{PODS}/{one['metadata']['name']}"
            running.api.request("DELETE", path, {"gracePeriodSeconds": 0})
    until(lambda: "n1" in _pods(running), 60, "no pod returns to n1")


def _label(found: Cluster, name: str, value: str | None) -> None:
    body = {"metadata": {"labels": {SPEAKER_LABEL: value}}}
    found.api.request("PATCH", f"/api/v1/nodes/{name}", body, content_type=MERGE)
