"""What of a real cluster is in the bundle that a node's operator sends to a stranger."""

import asyncio
import base64
import json
import tarfile
from pathlib import Path
from typing import Any

import yaml

from bgpd.ctl.bundlesecrets import REMOVED
from tests.chart.installed import NAMESPACE, node
from tests.cluster.cluster import Cluster
from tests.ctl.fakes import bgpctl

PASSWORD, KEY = "c4n4ry-md5-of-a-peer", "c4n4ry-of-a-secret"


def test_the_clusters_objects_are_there_and_no_password(prepared: Cluster, tmp_path: Path) -> None:
    """Peers without their passwords, no Secret at all, and nothing of the kubeconfig."""
    node(prepared, "bundled")
    peer = {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "BGPPeer",
        "metadata": {"name": "bundled", "namespace": NAMESPACE},
        "spec": {
            "myASN": 65000,
            "peerASN": 65530,
            "peerAddress": "192.0.2.1",
            "password": PASSWORD,
        },
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bundled", "namespace": NAMESPACE},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"password": KEY},
    }
    prepared.apply([peer, secret], NAMESPACE)
    path = tmp_path / "out.tar.gz"
    where = ("--run-dir", str(tmp_path), "--state-dir", str(tmp_path))
    line = ("debug", "bundle", str(path), *where, "--kubeconfig", str(prepared.kubeconfig))
    try:
        result = asyncio.run(bgpctl(*line))
    finally:  # other tests share the cluster
        of = f"namespaces/{NAMESPACE}"
        prepared.api.request("DELETE", f"/apis/bgpd.io/v1alpha1/{of}/bgppeers/bundled")
        prepared.api.request("DELETE", f"/api/v1/{of}/secrets/bundled")
    assert result.status == 0, result.errors
    files = {}
    with tarfile.open(path) as tar:
        for one in tar.getmembers():
            file = tar.extractfile(one)
            assert file is not None
            files[one.name.partition("/")[2]] = file.read()
    peers = json.loads(files["cluster/bgppeers.json"])
    (found,) = (item for item in peers if item["metadata"]["name"] == "bundled")
    assert found["spec"]["peerAddress"] == "192.0.2.1"
    assert found["spec"]["password"] == REMOVED
    assert any(item["metadata"]["name"] == "bundled" for item in _of(files, "nodes"))
    for word in (PASSWORD, KEY, *_credentials(prepared.kubeconfig)):
        for form in (word, base64.b64encode(word.encode()).decode().rstrip("=")):
            assert not [name for name, data in files.items() if form.encode() in data]


def _of(files: dict[str, bytes], what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files[f"cluster/{what}.json"])
    return found


def _credentials(path: Path) -> list[str]:
    """Return what lets the administrator in."""
    user = yaml.safe_load(path.read_text())["users"][0]["user"]
    return [user[name] for name in ("token", "client-key-data") if name in user]
