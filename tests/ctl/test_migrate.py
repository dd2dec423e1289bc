"""`bgpctl migrate` on files and on a real API server: what it prints, writes and ends with."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpd.model.migration import FROM_METALLB, MIGRATING
from tests.chart.installed import NAMESPACE, install
from tests.cluster.api import Document
from tests.cluster.cluster import Cluster
from tests.ctl.fakes import Result, bgpctl
from tests.migrate.build import peer, pool, service, speaker

METALLB = "metallb-system"
OURS = f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}"


def run(*words: str, **environment: str) -> Result:
    """Return what bgpctl says."""
    return asyncio.run(bgpctl("migrate", *words, **environment))


def written(path: Path, *documents: Document) -> str:
    """Return the name of a file with *documents*."""
    path.write_text("".join(f"---\n{yaml.safe_dump(one)}" for one in documents))
    return str(path)


def test_a_check_of_manifests_that_need_nobody_ends_with_0(tmp_path: Path) -> None:
    """Exit statuses are what scripts read."""
    found = run("check", written(tmp_path / "a.yaml", pool(), peer()))
    assert (found.status, found.errors) == (0, "")
    assert found.output == (
        "carries over as it is: 1 IPAddressPool, 1 BGPPeer\n\nnothing is in the way\n"
    )


def test_a_check_that_needs_a_person_ends_with_1(tmp_path: Path) -> None:
    """Every object and field, in 80 columns; the list of a directory is one list."""
    written(tmp_path / "a.yaml", pool(), peer(vrf="red"))
    written(tmp_path / "b.yaml", speaker("--lb-class=x"), service("web"))
    found = run("check", str(tmp_path))
    assert found.status == 1
    assert "spec.vrf" in found.output
    assert "--lb-class" in found.output
    assert all(len(line) <= 80 for line in found.output.splitlines())
    document = json.loads(run("check", str(tmp_path), "-o", "json").output)
    assert document["ready"] is False
    assert {one["verdict"] for one in document["findings"]} == {"needsPerson"}
    assert {"kind", "namespace", "name", "field", "what", "todo"} <= document["findings"][0].keys()


def test_what_an_agent_refuses_is_found_in_the_original(tmp_path: Path) -> None:
    """The code that reads copies judges them: no range stands in two places."""
    found = run("check", written(tmp_path / "a.yaml", peer(holdTime="1s")))
    assert found.status == 1
    assert "spec.holdTime" in found.output


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["check", "nowhere.yaml"], 78, id="a file that is not there"),
        pytest.param(["check", "--kubeconfig", "nowhere"], 78, id="a cluster that is not there"),
        pytest.param(["copy", "FILE"], 2, id="a copy of files without a form"),
        pytest.param(["copy", "--finished"], 2, id="a cluster knows whether it is finished"),
        pytest.param(["check", "FILE", "--kubeconfig", "x"], 2, id="files and a cluster"),
        pytest.param(["finish", "--timeout", "0"], 2, id="no time at all"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(tmp_path: Path, words: list[str], status: int) -> None:
    """No traceback, and nothing on standard output that a script could take for an answer."""
    file = written(tmp_path / "a.yaml", pool())
    found = run(*(file if word == "FILE" else word for word in words))
    assert (found.status, found.output) == (status, "")
    assert "Traceback" not in found.errors


def test_an_api_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    """75: nothing was decided."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    path = written(tmp_path / "config", config)
    assert run("--kubeconfig", path).status == 75


def test_copies_of_manifests_are_documents_for_a_repository(tmp_path: Path) -> None:
    """What is printed is what an agent accepts, with the mark or, on request, without."""
    file = written(tmp_path / "a.yaml", pool(), peer())
    for words, marked in (([], True), (["--finished"], False)):
        found = run("copy", file, "-o", "yaml", *words)
        assert (found.status, found.errors) == (0, "")
        documents = list(yaml.safe_load_all(found.output))
        assert [one["kind"] for one in documents] == ["IPAddressPool", "BGPPeer"]
        assert (MIGRATING in documents[0]["metadata"].get("annotations", {})) is marked
        copies = tmp_path / "copies.yaml"
        copies.write_text(found.output)
        assert asyncio.run(bgpctl("validate", str(copies))).status == 0


def definition(kind: str, plural: str, *versions: str) -> Document:
    """Return a definition that takes anything: what is of interest is who reads and writes."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.metallb.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"},
        },
        "spec": {
            "group": "metallb.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


@pytest.fixture
def metallb(own_cluster: Cluster) -> Cluster:
    """Return a cluster with bgpd's kinds, and MetalLB's with a pool, a peer and a password."""
    install(own_cluster)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": METALLB}}
    own_cluster.apply(
        [
            namespace,
            definition("IPAddressPool", "ipaddresspools", "v1beta1"),
            definition("BGPPeer", "bgppeers", "v1beta2"),
        ]
    )
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": METALLB},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "bgp", "password": "s3cret"},
    }
    own_cluster.apply([secret, pool(), peer(passwordSecret={"name": "key"})])
    return own_cluster


def marks(cluster: Cluster) -> list[str | None]:
    """Return the mark on each pool of ours."""
    pools = cluster.api.request("GET", f"{OURS}/ipaddresspools")["items"]
    return [one["metadata"].get("annotations", {}).get(MIGRATING) for one in pools]


def step(cluster: Cluster) -> Any:
    """Return the step that is next."""
    found = run("--kubeconfig", str(cluster.kubeconfig), "-o", "json")
    return json.loads(found.output)["step"]


def test_a_cluster_is_copied_and_finished(metallb: Cluster) -> None:
    """From the first look to the end, with everything that a second time must not change."""
    config = ("--kubeconfig", str(metallb.kubeconfig))
    assert step(metallb) == "copy"
    dry = run("copy", "--dry-run", *config)
    assert "would be written" in dry.output
    assert marks(metallb) == []

    first = run("copy", *config)
    assert (first.status, first.errors) == (0, "")
    assert first.output.splitlines() == [
        "Secret key: written", "IPAddressPool a: written", "BGPPeer tor: written",
    ]  # fmt: skip
    assert marks(metallb) == [FROM_METALLB]
    original = metallb.api.request("GET", f"/api/v1/namespaces/{METALLB}/secrets/key")
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/key"
    assert metallb.api.request("GET", path)["data"] == original["data"]
    again = run("copy", *config)
    assert {line.rpartition(": ")[2] for line in again.output.splitlines()} == {"is there"}
    assert "s3cret" not in run("copy", "-o", "yaml", *config).output

    assert step(metallb) == "finish"
    done = run("finish", *config)
    assert (done.status, done.errors) == (0, "")
    assert marks(metallb) == [None]
    assert step(metallb) == "remove"
    assert run("copy", *config).status == 0
    assert marks(metallb) == [None], "a copy after the end does not begin again"
    assert run("finish", "--undo", *config).status == 0
    assert marks(metallb) == [FROM_METALLB]


def test_what_a_person_wrote_stays(metallb: Cluster) -> None:
    """A pool of ours with another spec is a decision, not an old copy."""
    own = {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": "a", "namespace": NAMESPACE},
        "spec": {"addresses": ["192.0.2.0/30"]},
    }
    metallb.apply([own])
    found = run("copy", "--kubeconfig", str(metallb.kubeconfig))
    assert "IPAddressPool a: left as it is" in found.output
    there = metallb.api.request("GET", f"{OURS}/ipaddresspools/a")
    assert there["spec"]["addresses"] == ["192.0.2.0/30"]


def test_finish_refuses_while_metallb_speaks(metallb: Cluster) -> None:
    """Its routes have no MED; ours would lose to them from the moment that they have one."""
    config = ("--kubeconfig", str(metallb.kubeconfig))
    assert run("copy", *config).status == 0
    labels = {"app": "metallb", "component": "speaker"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "speaker", "namespace": METALLB, "labels": labels},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "speaker", "image": "speaker"}],
            "tolerations": [{"operator": "Exists"}],
        },
    }
    metallb.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}, pod])
    found = run("finish", *config)
    assert found.status == 1
    assert "still runs on n1" in found.errors
    assert marks(metallb) == [FROM_METALLB]


def test_an_account_without_the_right_is_told_so(metallb: Cluster, tmp_path: Path) -> None:
    """78: a person has to change something; the server's own words say what."""
    accounts = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}}
    metallb.apply([accounts])
    config = yaml.safe_load(metallb.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": metallb.token("default", "nobody")}
    path = written(tmp_path / "config", config)
    found = run("--kubeconfig", path)
    assert found.status == 78
    assert "forbidden" in found.errors.lower()
