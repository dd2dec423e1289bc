"""`--all-nodes` against a real API server: what agents wrote there, and when it does not answer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.ctl.samples import FINE, SICK
from tests.ctl.test_fleet import written
from tests.exabgp.space import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

CRDS: Final = ROOT / "charts" / "bgpd" / "files" / "crds"


@pytest.fixture(name="served")
def _served(own_cluster: Cluster) -> Cluster:
    """Return a server that knows our kinds, two nodes, a pool and a Service."""
    definitions = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    nodes: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("n1", "n2")
    ]
    pool = {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": "small", "namespace": "default"},
        "spec": {"addresses": ["203.0.113.8/30"]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}},
    }
    own_cluster.apply([*definitions, *nodes])
    own_cluster.apply([pool, service, written(FINE, "n1"), written(SICK, "n2")])
    return own_cluster


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process take connections and answer nobody."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def asked(cluster: Cluster, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run bgpctl where there is no node."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "bgpd.ctl", *words, "--kubeconfig", str(cluster.kubeconfig)),
            *("--run-dir", str(directory)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )


def test_every_node_is_shown_by_what_its_agent_wrote(served: Cluster, tmp_path: Path) -> None:
    """Through the schema of the real kinds and the server's own lists."""
    status = asked(served, tmp_path, "status", "--all-nodes")
    assert (status.returncode, status.stderr) == (3, "")
    assert "1 of 2 nodes fine" in " ".join(status.stdout.split())
    nodes = asked(served, tmp_path, "get", "nodes", "--all-nodes").stdout.splitlines()
    assert [line.split()[:2] for line in nodes[1:]] == [["n1", "fine"], ["n2", "degraded"]]
    pools = asked(served, tmp_path, "get", "pools", "--all-nodes").stdout.splitlines()
    assert pools[1].split()[:3] == ["small", "203.0.113.8/30", "1/4"]
    for noun in ("sessions", "routes", "members", "elasticips"):
        found = asked(served, tmp_path, "get", noun, "--all-nodes")
        assert (found.returncode, found.stderr) == (0, "")
        assert "n1" in found.stdout


def test_a_server_that_hangs_is_said_in_time(served: Cluster, tmp_path: Path) -> None:
    """Exit status 75, and that a node can be asked without it."""
    with stopped(served.pids["kube-apiserver"]):
        began = time.monotonic()
        found = asked(served, tmp_path, "status", "--all-nodes", "--timeout", "1")
        took = time.monotonic() - began
    assert (found.returncode, found.stdout) == (75, "")
    assert "no answer within 1 s" in found.stderr
    assert "on a node, `bgpctl status` needs no API" in found.stderr
    assert took < 20
