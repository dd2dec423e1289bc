"""Agents as they run, with the rights that the chart ships, on a real API server."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Desired, Hello, Report
from bgpd.ipc.server import Server
from tests.agent.test_kubernetes import Speaker, agent, types, until
from tests.agent.test_planner import endpoints, node, ours, service
from tests.chart.installed import ACCOUNT, NAMESPACE, STATUSES, install
from tests.cluster.cluster import Cluster
from tests.ctl.samples import MESH, SPEAKER

PATIENCE = 30.0
EVENTS = "/apis/events.k8s.io/v1/events"
A1, A2, A3 = "agents-n1", "agents-n2", "agents-n3"
NODES = {A1: "10.7.0.1", A2: "10.7.0.2", A3: "10.7.0.3"}


class Told(Speaker):
    """A speaker that says that it has sessions, and remembers its members."""

    def __init__(self) -> None:
        super().__init__()
        self.members: set[str] = set()
        self._connection: Connection | None = None

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Report once greeted."""
        super().received(connection, message)
        if isinstance(message, Hello):
            self._connection = connection
            self.report(MESH.generation)
        elif isinstance(message, Desired):
            self.members = {f"{one.name} {one.address}:{one.port}" for one in message.members}

    def report(self, generation: int) -> None:
        """Say that the mesh is at *generation*."""
        assert self._connection is not None
        mesh = replace(MESH, generation=generation, raises=generation - MESH.generation)
        self._connection.send(Report(status=replace(SPEAKER, mesh=mesh)))


def kubeconfig(cluster: Cluster, directory: Path, name: str) -> Path:
    """Write a kubeconfig with the token of the agent on the node *name*."""
    directory.mkdir()
    path = directory / "kubeconfig"
    context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
    server = {"server": cluster.url, "certificate-authority": str(cluster.authority)}
    token = cluster.token(NAMESPACE, ACCOUNT, node=name)
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "contexts": [{"name": "x", "context": context}],
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"token": token}}],
            }
        )
    )
    return path


def configured(cluster: Cluster) -> None:
    """Fill the cluster with three nodes and one elastic IP, which lives on the first."""
    install(cluster)
    web = service("web", "203.0.113.5")
    assert isinstance(web["spec"], dict)
    web["spec"]["ports"] = [{"port": 80}]
    cluster.apply(
        [
            *(node(name, address) for name, address in NODES.items()),
            ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"]),
            ours("BGPAdvertisement", "all"),
            # The addresses of these nodes are nobody's here, but something on the way may answer.
            ours("SpeakerPolicy", "quiet", health={"healthCheckNodePort": False}),
            ours("BGPPeer", "tor", myASN=65000, peerASN=65530, peerAddress="10.7.0.9"),
            web,
            endpoints("web", A1),
        ]
    )


def test_agents_know_each_other_by_what_they_write(own_cluster: Cluster, tmp_path: Path) -> None:
    """A node joins when its agent speaks, leaves with its object, and its status says it all."""
    configured(own_cluster)
    paths = {name: kubeconfig(own_cluster, tmp_path / name, name) for name in (A1, A2)}
    speakers = {name: Told() for name in paths}
    everybody = {f"{name} {address}:7179" for name, address in NODES.items()}
    both = {f"{name} {NODES[name]}:7179" for name in paths}

    def kept(name: str) -> dict[str, Any]:
        found = {one["metadata"]["name"]: one for one in items(own_cluster, STATUSES)}
        return found.get(name, {})

    async def main() -> None:
        one, two = speakers[A1], speakers[A2]
        async with (
            Server(tmp_path / A1 / "speaker.sock", one, program="fake"),
            Server(tmp_path / A2 / "speaker.sock", two, program="fake"),
            agent(tmp_path / A1, paths[A1], node=A1),
        ):
            await until(lambda: len(one.routes) == 1)
            await until(lambda: one.members == {f"{A1} 10.7.0.1:7179"})
            assert any(
                {f"{each.name} {each.address}:{each.port}" for each in told.members} == everybody
                for told in one.told
                if isinstance(told, Desired)
            ), "before anybody wrote, every Node was a member"
            async with agent(tmp_path / A2, paths[A2], node=A2):
                await until(lambda: one.members == both == two.members)
                await until(lambda: bool(kept(A1).get("status", {}).get("sessions")))
                first = kept(A1)
                assert first["status"]["takeoverGeneration"] == 7
                assert first["status"]["member"]["address"] == "10.7.0.1"
                assert first["status"]["configuration"]["documents"] == 3
                assert await types(tmp_path / A1) == []
                version = ""
                # What belongs to the start may still follow the first status; then there is rest.
                async with asyncio.timeout(PATIENCE):
                    while version != kept(A1)["metadata"]["resourceVersion"]:
                        version = kept(A1)["metadata"]["resourceVersion"]
                        await asyncio.sleep(6.0)
                one.report(8)
                await until(lambda: kept(A1)["status"]["takeoverGeneration"] == 8)
                await until(
                    lambda: "TakenOver" in {e["reason"] for e in items(own_cluster, EVENTS)}
                )
            own_cluster.api.request("DELETE", f"{STATUSES}/{A2}")
            await until(lambda: one.members == {f"{A1} 10.7.0.1:7179"})
            own_cluster.api.request("DELETE", f"{STATUSES}/{A1}")
            await until(lambda: bool(kept(A1).get("status")))
            assert not kept(A2)
            assert one.withdrawn == two.withdrawn == 0
            assert len(one.routes) == 1

    asyncio.run(main())


def items(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Return every object of a collection."""
    found: list[dict[str, Any]] = cluster.api.request("GET", path)["items"]
    return found


def test_no_route_waits_for_what_is_told(own_cluster: Cluster, tmp_path: Path) -> None:
    """An agent that may not write a word decides as fast as any, and says so on its node."""
    configured(own_cluster)
    own_cluster.api.request(
        "PUT",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/bgpd-agent",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "bgpd-agent"},
            "rules": [
                {
                    "apiGroups": ["", "discovery.k8s.io"],
                    "resources": ["nodes", "services", "endpointslices"],
                    "verbs": ["get", "list", "watch"],
                },
            ],
        },
    )
    path = kubeconfig(own_cluster, tmp_path / A1, A1)
    one = Told()

    async def main() -> None:
        async with (
            Server(tmp_path / A1 / "speaker.sock", one, program="fake"),
            agent(tmp_path / A1, path, node=A1),
        ):
            await until(lambda: len(one.routes) == 1)
            async with asyncio.timeout(PATIENCE):
                while "StatusNotWritten" not in await types(tmp_path / A1):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert {member.partition(" ")[0] for member in one.members} == set(NODES)
            assert not items(own_cluster, STATUSES)

    asyncio.run(main())
