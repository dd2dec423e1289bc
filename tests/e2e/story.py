"""Install, reach, lose a node, upgrade, change keys, uninstall: what a user does, measured.

The workload is there first, as in a cluster that gets bgpd; three values are all that the chart is
told.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import yaml

from tests.cluster import net
from tests.cluster.binaries import NODES, required
from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import NodeCluster
from tests.cluster.router import ASN, NODES_ASN
from tests.cluster.second import SecondRouter
from tests.e2e import confinement, sight, workload
from tests.e2e.client import Client
from tests.e2e.helm import CHART
from tests.e2e.report import Finding
from tests.e2e.rotations import OLD, Rotations
from tests.e2e.stage import AFTER, Say, Stage, until
from tests.lab.figures import measure

VALUES: Final = {"pool": ["203.0.113.0/26"], "myASN": NODES_ASN, "peers": [f"{ASN}@{net.ROUTER}"]}
_NEXT: Final = "next"
"""The other tag of an upgrade."""
_PASSING: Final = 10.0
"""Seconds in which a socket of somebody else's comes and goes: what we leave stays longer."""

REPOSITORY: Final = "localhost/bgpd"
"""What the chart calls the image."""


def prepare(cluster: NodeCluster, image: Path, say: Say) -> list[Finding]:
    """Load *image*, under a second tag, too, and run the workload in it."""
    began = time.monotonic()
    cluster.load(image)
    for node in cluster.nodes:
        line = [*cluster.inside(node), str(required(NODES)["ctr"]), "--namespace=k8s.io"]
        cluster.run([*line, "images", "tag", "--force", reference(), f"{REPOSITORY}:{_NEXT}"])
    loaded = Finding(what="image loaded by every node", value=_rounded(began), unit="s")
    say(f"{loaded.what}: {loaded.value} s")
    cluster.apply(workload.documents(reference(), len(cluster.nodes)))
    until("the workload runs", lambda: available(cluster))
    return [loaded]


def reference() -> str:
    """Return the image that the chart asks for unless it is told of another."""
    return f"{REPOSITORY}:{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"


def available(cluster: NodeCluster) -> bool:
    """Tell whether the workload runs on every node."""
    said = cluster.api.request(
        "GET", f"/apis/apps/v1/namespaces/default/deployments/{workload.NAME}"
    )
    return bool(said["status"].get("availableReplicas", 0) == said["spec"]["replicas"])


class Story(Stage):
    """One run in one cluster, which is prepared."""

    def tell(self, victim: str, *, keys: bool) -> list[Finding]:
        """Run all of it, and return what was found; *victim* is the node that loses power.

        The next story takes another one: three takeovers of one node in ten minutes put it in
        quarantine, and on a busy machine some are in vain. With *keys* these change, too.
        """
        before = sight.hosts(self.cluster)
        self._install()
        self._look()
        self._lose(victim)
        self._return(victim)
        self._upgrade()
        with self._other_keys() if keys else nullcontext():
            self._uninstall(before)
        return self.findings

    @contextmanager
    def _other_keys(self) -> Iterator[None]:
        """Change the mesh's key and a router's; that router is there until the end."""
        rotations = Rotations(self)
        rotations.change_mesh_key()
        with SecondRouter(self.cluster, OLD) as second:
            rotations.change_password(second)
            yield

    def _install(self) -> None:
        began = time.monotonic()
        self.helm.install()
        self.add("helm install --wait, all pods Ready", time.monotonic() - began, "s")
        until("an address", self.find_address)
        until("routes of all nodes", self.whole)
        until("an answer", lambda: sight.answers(self.cluster, self.address, workload.PORT))
        self.add("from helm install to an answer", time.monotonic() - began, "s", 20)

    def _look(self) -> None:
        """Hold what the kernel knows of each container against what the chart rendered."""
        looked = confinement.look(self.cluster, self.pods())
        self.add("containers of bgpd", len(looked), "")
        for name, what in looked.items():
            for line in what:
                self.say(f"{name}: {line}")
        self.add("  with other rights than rendered", sum(map(bool, looked.values())), "", 0)

    def _lose(self, node: str) -> None:
        with Client(self.cluster, self.address, workload.PORT) as client:
            time.sleep(1)
            struck = time.monotonic()
            self.cluster.power_off(node)
            time.sleep(AFTER)
            record = client.record()
        figures = measure(record, affected={node}, begin=struck)
        if figures.worst_flow_gap_ms is None:
            raise ClusterError(f"no flow went to {node}, so nothing is known")
        worst = max(figures.worst_flow_gap_ms, figures.other_flows_gap_ms or 0.0)
        self.add("power-off of a node: worst gap of a client", worst, "ms", 500)
        self.add("  flows that had used it", figures.affected_flows, "")
        self.add("  the client itself was late by", figures.client_late_ms, "ms")

    def _return(self, node: str) -> None:
        with Client(self.cluster, self.address, workload.PORT) as client:
            began = time.monotonic()
            self.cluster.power_on(node)
            until(f"{node} is back", self.whole)
            self.add("power-on until it carries traffic again", time.monotonic() - began, "s")
            until("all pods of bgpd", self.all_ready)
            until("the workload runs", lambda: available(self.cluster))
            time.sleep(AFTER)
            record = client.record()
        self.losses(record, began, None)

    def _upgrade(self) -> None:
        with (
            Client(self.cluster, self.address, workload.PORT) as client,
            sight.Routes(self.cluster, self.address) as routes,
        ):
            time.sleep(1)
            began = time.monotonic()
            self.helm.upgrade("--set", f"image.tag={_NEXT}")
            until("all pods of bgpd", self.all_ready)
            until("routes of all nodes", self.whole)
            self.add("helm upgrade --wait to another tag", time.monotonic() - began, "s")
            time.sleep(AFTER)
            record = client.record()
        self.say(f"next hops of the Service on the router: {routes.told(began)}")
        images = {one["image"] for pod in self.pods() for one in pod["spec"]["containers"]}
        if {image.rpartition(":")[2] for image in images} != {_NEXT}:
            raise ClusterError(f"the upgrade left pods with {', '.join(sorted(images))}")
        self.losses(record, began, 0)

    def _uninstall(self, before: dict[str, dict[str, list[str]]]) -> None:
        began = time.monotonic()
        self.helm.uninstall()
        self.add("helm uninstall --wait", time.monotonic() - began, "s")
        until("no pod of bgpd", lambda: not self.pods())
        routers = [place for place in self.cluster.places if place in {"router", "second"}]
        routes = [route for one in routers for route in sight.next_hops(self.cluster, one)]
        self.add("  routes left on the routers", len(routes), "", 0)
        end = time.monotonic() + _PASSING
        while (others := self._others(before)) and time.monotonic() < end:
            time.sleep(1)
        for line in others:
            self.say(f"not as before: {line}")
        self.add("  differences on hosts", len(others), "", 0)
        left = ", ".join(sight.kept(self.cluster)) or "nothing"
        self.say(f"hosts keep in /var/lib/bgpd: {left}")

    def _others(self, before: dict[str, dict[str, list[str]]]) -> list[str]:
        """Return a line for each thing that a host has now and had not *before*, or had."""
        after = sight.hosts(self.cluster)
        return [
            f"{node}: {what}: before {before[node][what]}, after {after[node][what]}"
            for node in before
            for what in before[node]
            if before[node][what] != after[node][what]
        ]


def _rounded(began: float) -> float:
    return round(time.monotonic() - began, 1)
