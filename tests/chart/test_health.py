"""An agent with the shipped rights acts on checks and cordons of a real API server, and says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import AnyMessage, Desired, Standing
from bgpd.ipc.server import Server
from tests.agent.test_kubernetes import agent, until
from tests.agent.test_planner import Document, ours
from tests.chart.installed import STATUSES
from tests.chart.test_agents import A1, EVENTS, Told, configured, items, kubeconfig
from tests.cluster.api import MERGE
from tests.cluster.cluster import Cluster

CHECK = "/apis/bgpd.io/v1alpha1/namespaces/default/healthchecks/accepts"
NODE = f"/api/v1/nodes/{A1}"
WEB = ("Service", "web")


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    """Accept connections on a port of this host, until the block ends."""

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def check(port: int) -> Document:
    """Return a check of the Service `web` that asks this host."""
    found = ours("HealthCheck", "accepts", tcpSocket={"port": port}, target="Host",
                 periodMilliseconds=100, failureThreshold=2)  # fmt: skip
    return {**found, "metadata": {"name": "accepts", "namespace": "default"}}


class Hearing(Told):
    """A speaker that remembers how the agent sees its node."""

    drain = ""
    """Why the node is drained, as the agent says it now."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Note what holds for the node as a whole."""
        super().received(connection, message)
        if isinstance(message, Desired):
            self.drain = message.standing.drain
        elif isinstance(message, Standing):
            self.drain = message.drain


class Watched:
    """A cluster with one agent, and what it says to its speaker and to everybody."""

    def __init__(self, cluster: Cluster) -> None:
        self.speaker = Hearing()
        self._cluster = cluster
        configured(cluster)
        policy = ours("SpeakerPolicy", "quiet", drain="OnCordon", drainSeconds=2,
                      health={"healthCheckNodePort": False})  # fmt: skip
        fast = ours("BFDProfile", "fast", receiveInterval=50, transmitInterval=50)
        peer = ours("BGPPeer", "tor", myASN=65000, peerASN=65530, peerAddress="10.7.0.9",
                    bfdProfile="fast")  # fmt: skip
        cluster.apply([policy, fast, peer])

    def change(self, path: str, spec: Document) -> None:
        """Change the spec of an object."""
        self._cluster.api.request("PATCH", path, {"spec": spec}, content_type=MERGE)

    @property
    def status(self) -> dict[str, Any]:
        """The status of the agent's node."""
        found = {one["metadata"]["name"]: one for one in items(self._cluster, STATUSES)}
        said: dict[str, Any] = found.get(A1, {}).get("status", {})
        return said

    def heard(self, reason: str, about: tuple[str, str]) -> bool:
        """Return whether there is an Event about an object."""
        return any(
            (one["reason"], one["regarding"]["kind"], one["regarding"]["name"]) == (reason, *about)
            for one in items(self._cluster, EVENTS)
        )

    @property
    def last(self) -> Desired:
        """What the agent wanted last."""
        return [one for one in self.speaker.told if isinstance(one, Desired)][-1]


def test_a_check_and_a_cordon_reach_the_speaker_and_the_cluster(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    """From documents to routes, to the node's status, and to Events; and all the way back."""
    one = Watched(own_cluster)
    path = kubeconfig(own_cluster, tmp_path / A1, A1)

    async def main() -> None:
        async with (
            listener() as port,
            Server(tmp_path / A1 / "speaker.sock", one.speaker, program="fake"),
        ):
            own_cluster.apply([check(port)])
            async with agent(tmp_path / A1, path, node=A1):
                await until(lambda: len(one.speaker.routes) == 1)
                await until(lambda: bool(one.status))
                await _fails_and_passes(one, port)
                await _is_cordoned(one)
        assert one.speaker.withdrawn == 1

    asyncio.run(main())
    (peer,) = one.last.peers
    assert peer.bfd is not None
    assert (peer.bfd.receive_milliseconds, peer.bfd.multiplier) == (50, 3)
    assert one.last.policy.drain_milliseconds == 2000


async def _fails_and_passes(one: Watched, port: int) -> None:
    # Port 1 is nobody's.
    one.change(CHECK, {"tcpSocket": {"port": 1}})
    await until(lambda: not one.speaker.routes)
    await until(lambda: one.status["counts"].get("failing") == 1)
    (failing,) = one.status["health"]["failing"]
    assert (failing["service"], failing["check"]) == ("default/web", "default/accepts")
    await until(lambda: one.heard("HealthCheckFailing", WEB))
    one.change(CHECK, {"tcpSocket": {"port": port}})
    await until(lambda: len(one.speaker.routes) == 1)
    await until(lambda: "failing" not in one.status["health"])
    await until(lambda: one.heard("HealthCheckPassing", WEB))


async def _is_cordoned(one: Watched) -> None:
    assert one.speaker.drain == ""
    one.change(NODE, {"unschedulable": True})
    await until(lambda: "cordoned" in one.speaker.drain)
    one.change(NODE, {"unschedulable": None})
    await until(lambda: one.speaker.drain == "")
