"""helm itself against a real API server: install, upgrade, a new key, uninstall, install again."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.definitions import CHART
from tests.chart.render import HELMS, Document, documents, template, tools, values_of
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster

NAMESPACE = "bgpd-test"
DAEMON = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/bgpd-agent"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/bgpd-mesh"
DOCUMENTS = f"/api/v1/namespaces/{NAMESPACE}/configmaps/bgpd-documents"
THREE = ("--set", "pool={203.0.113.0/26}", "--set", "myASN=64512", "--set")
PEER = "peers={64601@192.0.2.1}"


@pytest.fixture(scope="module")
def server(
    cluster_programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Return an API server of our own: helm adopts nothing that others have made."""
    assert cluster_programs
    with Cluster(tmp_path_factory.mktemp("helm")) as cluster:
        yield cluster


class Helm:
    """One release of the chart, made by one helm."""

    def __init__(self, cluster: Cluster, program: str) -> None:
        self.api = cluster.api
        self._environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self._program = program

    def run(self, *words: str, program: str = "") -> str:
        """Run helm; return what it says; fail where it fails or warns."""
        binary = str(tools() / (program or self._program))
        line = [binary, *words, "--namespace", NAMESPACE]
        done = subprocess.run(
            line,
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
            env=self._environment,
        )
        assert done.returncode == 0, done.stderr
        warned = [one for one in done.stderr.splitlines() if "arning" in one]
        assert all("would violate PodSecurity" in one for one in warned), done.stderr
        return done.stdout

    def install(self, *words: str) -> str:
        """Install with the three values."""
        chart = ("bgpd", str(CHART), "--create-namespace")
        return self.run("install", *chart, *THREE, PEER, *words)

    def upgrade(self, *words: str, program: str = "") -> str:
        """Upgrade with the three values."""
        return self.run("upgrade", "bgpd", str(CHART), *THREE, PEER, *words, program=program)

    def uninstall(self) -> None:
        """Remove it; there is no kubelet to run the Job that comes before."""
        line = ("uninstall", "bgpd", "--no-hooks", "--ignore-not-found")
        self.run(*line, "--wait", "--timeout", "120s")

    def get(self, path: str) -> Document:
        """Return the object at *path*."""
        found: Document = self.api.request("GET", path)
        return found

    @property
    def key(self) -> tuple[str, str]:
        """The key of the mesh and the one before it."""
        data = self.get(SECRET)["data"]
        return data["key"], data.get("previous", "")

    @property
    def starts(self) -> int:
        """How often the DaemonSet was changed, and so its pods started anew."""
        generation: int = self.get(DAEMON)["metadata"]["generation"]
        return generation


@pytest.fixture(params=HELMS)
def helm(server: Cluster, request: pytest.FixtureRequest) -> Iterator[Helm]:
    """Return helm 3 or 4, and remove the release at the end."""
    one = Helm(server, request.param)
    yield one
    one.uninstall()


def test_three_values_install_and_the_notes_say_what_comes_next(helm: Helm) -> None:
    """Pool, our ASN and the peers; nothing else."""
    said = helm.install()
    assert f"kubectl -n {NAMESPACE} rollout status ds/bgpd-agent" in said
    assert f"kubectl -n {NAMESPACE} exec ds/bgpd-agent -c agent -- bgpctl status" in said
    assert "does not admit" not in said
    found = helm.get(DOCUMENTS)["data"]
    (peer,) = documents(found["peers.yaml"])
    assert peer["spec"] == {"myASN": 64512, "peerASN": 64601, "peerAddress": "192.0.2.1"}
    assert helm.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/bgpd-controller")


def test_a_namespace_that_refuses_our_pods_is_named_with_the_remedy(helm: Helm) -> None:
    """Pods in the node's network are not admitted by the levels baseline and restricted."""
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    helm.api.apply({**namespace, "metadata": {"name": NAMESPACE, "labels": labels}})
    try:
        assert "--overwrite pod-security.kubernetes.io/enforce=privileged" in helm.install()
    finally:
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        helm.api.apply({**namespace, "metadata": {"name": NAMESPACE, "labels": labels}})


def test_the_key_of_the_mesh_is_made_once_and_kept(helm: Helm) -> None:
    """An upgrade with another value changes no key."""
    helm.install()
    key, previous = helm.key
    assert len(base64.b64decode(base64.b64decode(key))) == 32
    assert previous == ""
    helm.upgrade("--set", "log.level=debug")
    assert helm.key == (key, "")


def test_a_new_key_leaves_the_one_before_accepted(helm: Helm) -> None:
    """Each other text in mesh.rotation makes one; the same text makes none; no pod starts anew."""
    helm.install()
    first, _ = helm.key
    helm.upgrade("--set", "mesh.rotation=one")
    second, previous = helm.key
    assert second != first
    assert previous == first
    helm.upgrade("--set", "mesh.rotation=one", "--set", "controller.replicas=1")
    assert helm.key == (second, first)
    helm.upgrade("--set", "mesh.rotation=two")
    third, previous = helm.key
    assert third not in {first, second}
    assert previous == second
    assert helm.starts == 1


def test_other_pools_and_peers_start_no_pod_anew(helm: Helm) -> None:
    """Agents follow the ConfigMap: routes of other pools are not touched."""
    helm.install()
    helm.upgrade("--set", "pool={203.0.113.0/26,198.51.100.0/28}")
    assert "198.51.100.0/28" in helm.get(DOCUMENTS)["data"]["pools.yaml"]
    assert helm.starts == 1


def test_kinds_and_their_objects_outlive_an_uninstall(helm: Helm) -> None:
    """Removing a chart must not delete what people wrote; the next installation finds it."""
    helm.install()
    pool = {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": "kept", "namespace": NAMESPACE},
        "spec": {"addresses": ["198.51.100.0/28"]},
    }
    helm.api.apply(pool, NAMESPACE)
    helm.uninstall()
    with pytest.raises(ApiError):
        helm.get(DAEMON)
    path = f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools/kept"
    uid = helm.get(path)["metadata"]["uid"]
    helm.install()
    assert helm.get(path)["metadata"]["uid"] == uid
    helm.api.delete(pool, NAMESPACE)


def test_an_installation_of_another_name_takes_the_kinds_over(helm: Helm) -> None:
    """Helm refuses them as somebody else's until it is told so; the name may be a number."""
    helm.install()
    helm.uninstall()
    line = ("install", "1234", str(CHART))
    with pytest.raises(AssertionError, match="invalid ownership metadata"):
        helm.run(*line)
    helm.run(*line, "--take-ownership")
    try:
        assert helm.get(DAEMON)["metadata"]["labels"]["app.kubernetes.io/instance"] == "1234"
    finally:
        helm.run("uninstall", "1234", "--no-hooks", "--wait")
        helm.install("--take-ownership")


def test_helm_4_goes_on_where_helm_3_began(server: Cluster) -> None:
    """Also with another value for what both wrote, and without a new key."""
    one = Helm(server, "helm3")
    one.install()
    try:
        key = one.key
        one.upgrade("--set", "log.level=debug", program="helm4")
        assert one.key == key
        words = one.get(DAEMON)["spec"]["template"]["spec"]["containers"][0]["args"]
        assert "--log-level=debug" in words
    finally:
        one.uninstall()


@pytest.mark.parametrize("name", ["everything", "existing-secret", "no-controller", "default"])
def test_a_strict_server_takes_every_object_without_a_warning(server: Cluster, name: str) -> None:
    """Applied server-side, field by field known, as one would from a rendered file."""
    values = values_of(CHART / "ci" / f"{name}.yaml")
    rendered = documents(template(values))
    known = [one for one in rendered if one["kind"] not in {"PodMonitor", "PrometheusRule"}]
    crds = [one for one in known if one["kind"] == "CustomResourceDefinition"]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgpd-system"}}
    assert server.apply([namespace])
    for some in (crds, [one for one in known if one not in crds]):
        _apply(server, some)


def _apply(server: Cluster, some: list[Any]) -> None:
    line = ["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-"]
    done = subprocess.run(
        [tools() / "kubectl", "--kubeconfig", server.kubeconfig, *line],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        input=yaml.safe_dump_all(some) if some else "",
    )
    if not some:
        return
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == len(some), json.dumps(done.stdout)
