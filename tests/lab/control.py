"""The cluster of a lab with `--source kubernetes`: a real API server that the nodes' agents read.

etcd and kube-apiserver run in a network namespace of their own, on a bridge that reaches each node
and that neither BGP nor the mesh uses. Each node's agent gets what a pod gets: a token bound to its
Node, the authority's certificate, and two variables.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import yaml

from tests.cluster import etcd
from tests.cluster.api import MERGE, Document
from tests.cluster.cluster import Cluster
from tests.lab import documents
from tests.lab.nodes import ROOT, NodeSource
from tests.lab.plan import API_ADDRESS, API_PORT, Plan
from tests.lab.topology import inside, run

NETNS: Final = "api"
_SERVICE_ACCOUNT: Final = "/run/secrets/kubernetes.io/serviceaccount"
_CHART: Final = ROOT / "charts" / "bgpd" / "files"
_CONNECTIONS: Final = 8
_DAY: Final = 86400
_EXPIRED: Final = -3600


class ControlPlane:
    """etcd, kube-apiserver and what is in them."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Prepare; nothing is started yet."""
        self._plan = plan
        self.directory = directory
        self._special: list[Document] = []
        """What is configured besides the plan's own documents."""
        netns = Path("/run/netns") / NETNS
        self.cluster = Cluster(directory, API_ADDRESS, API_PORT, netns=netns)

    def write_all(self) -> None:
        """Start the server and write every document."""
        self.serve()
        plan = self._plan
        self.install()
        self.configure([])
        self.apply_fast(documents.service(plan, i) for i in documents.services(plan))
        self.apply_fast(
            each
            for i in documents.services(plan)
            for each in documents.endpoints(plan, i, plan.names)
        )

    def serve(self) -> None:
        """Start the server."""
        data = self.directory / "etcd"
        data.mkdir(parents=True)
        # Its 120 MB end with the world, however that ends; the logs beside them stay.
        run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(data))
        self.cluster.start()
        self.cluster.ready()

    def install(self) -> None:
        """Write what a chart would install, the Nodes, and what gets their agents in."""
        namespace = {"metadata": {"name": documents.NAMESPACE}}
        self.cluster.apply([{"apiVersion": "v1", "kind": "Namespace", **namespace}])
        for part in ("crds", "rbac", "admission"):
            self.cluster.apply(_shipped(part))
        for name in self._plan.names:
            self._write_node(documents.node(self._plan, name))
            self._write_service_account(name)

    def _write_node(self, node: Document) -> None:
        """Write a Node; server-side apply takes only one address of a type, kubelet writes two."""
        status = {"status": node["status"]}
        self.cluster.apply([{key: node[key] for key in node if key != "status"}])
        path = f"{self.cluster.api.path(node)}/status"
        self.cluster.api.request("PATCH", path, status, content_type=MERGE)

    def apply_fast(self, wanted: Iterable[Document]) -> None:
        """Apply many documents of one kind over several connections, in no order."""
        each = list(wanted)
        if not each:
            return
        clients = [self.cluster.administrator() for _ in range(_CONNECTIONS)]

        def apply(number: int) -> None:
            for document in each[number::_CONNECTIONS]:
                clients[number].apply(document)
            clients[number].close()

        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            list(threads.map(apply, range(_CONNECTIONS)))

    def of_node(self, name: str) -> NodeSource:
        """Return how the agent of node *name* gets in: as a pod does."""
        return NodeSource(
            word="kubernetes",
            binds={self._service_account(name): _SERVICE_ACCOUNT},
            environment={
                "KUBERNETES_SERVICE_HOST": API_ADDRESS,
                "KUBERNETES_SERVICE_PORT": str(API_PORT),
            },
        )

    def configure(self, special: Iterable[Document]) -> None:
        """Have the configuration of the plan, with *special* besides or in place of it.

        Services stay as they are: what is special about one is what a server decides itself.
        """
        plain = documents.configuration(self._plan)
        wanted = [each for each in special if each["kind"] != "Service"]
        known = [(each["kind"], each["metadata"]["name"]) for each in (*plain, *wanted)]
        self.cluster.apply(documents.merged(plain, wanted))
        for each in self._special:
            if (each["kind"], each["metadata"]["name"]) not in known:
                self.cluster.api.delete(each)
        self._special = wanted

    def write_nodes(self, special: Iterable[Document]) -> None:
        """Have the Nodes of the plan, *special* in place of their namesakes."""
        plain = [documents.node(self._plan, name) for name in self._plan.names]
        for each in documents.merged(plain, special):
            self._write_node(each)

    def write_endpoints(self, number: int, nodes: tuple[str, ...]) -> float:
        """Patch Service *number* to have one endpoint on each of *nodes*; return when."""
        changes = [
            (self.cluster.api.path(each), {"endpoints": each["endpoints"]})
            for each in documents.endpoints(self._plan, number, nodes)
        ]
        for path, _ in changes:
            self.cluster.api.request("GET", path)  # the connection may have to be opened
        now = time.monotonic()
        for path, body in changes:
            self.cluster.api.request("PATCH", path, body, content_type=MERGE)
        return now

    def stored_endpoints(self, number: int) -> dict[str, bytes]:
        """Return how the endpoints of Service *number* are stored now, by key."""
        keys = [
            f"/registry/endpointslices/default/service-{number}-v{version}"
            for version in self._plan.family.versions
        ]
        return {key: etcd.read(self.directory, key) for key in keys}

    def store(self, stored: dict[str, bytes]) -> None:
        """Write without our API server, as another one of the same cluster would."""
        for key, value in stored.items():
            etcd.write(self.directory, key, value)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the API server."""
        os.kill(self.cluster.pids["kube-apiserver"], number)

    def cut_connections(self) -> None:
        """Reset every connection of a node to the API server."""
        words = ("state", "established", "sport", "=", f":{API_PORT}", "and", "dst", "10.98/16")
        run(*inside(NETNS), "ss", "-K", "-t", *words)

    def write_token(self, *, expired: bool = False) -> None:
        """Replace the token of every node's agent, as kubelet does."""
        for name in self._plan.names:
            self._write_token(name, _EXPIRED if expired else _DAY)

    def stop(self) -> None:
        """End the server; its logs stay."""
        self.cluster.stop()

    def _service_account(self, name: str) -> Path:
        return self.directory / "serviceaccounts" / name

    def _write_service_account(self, name: str) -> None:
        directory = self._service_account(name)
        directory.mkdir(parents=True)
        shutil.copy(self.cluster.authority, directory / "ca.crt")
        (directory / "namespace").write_text(documents.NAMESPACE)
        self._write_token(name, _DAY)

    def _write_token(self, name: str, seconds: int) -> None:
        token = self.cluster.token(documents.NAMESPACE, "bgpd-agent", seconds, node=name)
        directory = self._service_account(name)
        (directory / ".token").write_text(token)
        (directory / ".token").replace(directory / "token")


def _shipped(part: str) -> list[Document]:
    """Return the documents of one part of the chart."""
    texts = [path.read_text() for path in sorted((_CHART / part).glob("*.yaml"))]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]
