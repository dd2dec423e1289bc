"""What helm's Job does before anything is removed, with the rights that it has."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bgpd.ipc.server import Server
from bgpd.kube.nodestatus import LEAVE_ANNOTATION
from tests.agent.test_departing import Reporting
from tests.agent.test_kubernetes import agent, until
from tests.agent.test_planner import endpoints
from tests.chart.installed import NAMESPACE, STATUSES
from tests.chart.test_agents import A1, A2, configured, kubeconfig
from tests.cluster.api import MERGE, ApiError
from tests.cluster.cluster import Cluster

ACCOUNT = "bgpd-uninstall"


def hook(cluster: Cluster, directory: Path, seconds: int) -> list[str]:
    """Return the command line of the Job's container, with its own account's kubeconfig."""
    path = kubeconfig(cluster, directory / "hook", A1)
    text = path.read_text()
    token = text[text.index("token: ") + 7 :].split()[0]
    path.write_text(text.replace(token, cluster.token(NAMESPACE, ACCOUNT)))
    line = [sys.executable, "-m", "bgpd.ctl.daemon", "host", "cleanup", "--all-nodes"]
    return [*line, f"--timeout={seconds}", f"--kubeconfig={path}"]


def annotations(cluster: Cluster) -> list[Any]:
    """Return what the nodes are asked now."""
    found = cluster.api.request("GET", STATUSES)["items"]
    return [(one["metadata"].get("annotations") or {}).get(LEAVE_ANNOTATION) for one in found]


def test_every_agent_leaves_before_anything_is_removed(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    """Routes go, hosts are as before, and the Job ends when each node has said so."""
    configured(own_cluster)
    own_cluster.apply([endpoints("web", A1, A2)])
    paths = {name: kubeconfig(own_cluster, tmp_path / name, name) for name in (A1, A2)}
    speakers = {name: Reporting() for name in paths}

    async def main() -> None:
        async with (
            Server(tmp_path / A1 / "speaker.sock", speakers[A1], program="fake"),
            Server(tmp_path / A2 / "speaker.sock", speakers[A2], program="fake"),
            agent(tmp_path / A1, paths[A1], node=A1),
            agent(tmp_path / A2, paths[A2], node=A2),
        ):
            await until(lambda: all(len(one.routes) == 1 for one in speakers.values()))
            await until(lambda: len(annotations(own_cluster)) == 2)
            code, said = await run(hook(own_cluster, tmp_path, 60))
            assert code == 0, said
            assert f"{A1}: clean" in said
            assert "2 nodes are clean" in said
            assert not any(one.routes for one in speakers.values())
            assert annotations(own_cluster) == [None, None]

    asyncio.run(main())


async def run(line: list[str]) -> tuple[int, str]:
    """Run *line*; return how it ended and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_a_node_without_an_agent_is_named(own_cluster: Cluster, tmp_path: Path) -> None:
    """The Job fails, so that helm removes nothing, and its log says where to go."""
    configured(own_cluster)
    dead = {"apiVersion": "bgpd.io/v1alpha1", "kind": "BGPNodeStatus", "metadata": {"name": A2}}
    own_cluster.api.apply(dead)
    code, said = asyncio.run(run(hook(own_cluster, tmp_path, 3)))
    assert code == 1
    assert f"{A2} is not clean: its agent says nothing; the Node is not ready" in said
    assert "1 of 1 nodes are not clean after 3 s" in said
    assert "helm uninstall --no-hooks" in said
    assert annotations(own_cluster) == [None]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"{STATUSES}/x"),
        ("PATCH", f"{STATUSES}/x/status"),
        ("PATCH", "/api/v1/nodes/x"),
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/services"),
        ("GET", "/api/v1/pods"),
        ("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"),
        ("GET", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/bgppeers"),
    ],
)
def test_the_job_may_do_nothing_else(prepared: Cluster, method: str, path: str) -> None:
    """Its token, if stolen, makes nodes leave; that is bad enough."""
    client = prepared.client(prepared.token(NAMESPACE, ACCOUNT))
    try:
        content = MERGE if method == "PATCH" else "application/json"
        body: dict[str, Any] | None = {"metadata": {}} if method == "PATCH" else None
        with pytest.raises(ApiError) as refused:
            client.request(method, path, body, content_type=content)
        assert refused.value.status == 403
    finally:
        client.close()
