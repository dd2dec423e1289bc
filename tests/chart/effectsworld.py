"""Install the chart with each set of values, run its pods for real, and write down what was seen.

`python -m tests.chart.effectsworld DIRECTORY HELM` is the first process of namespaces of its own:
a node with an API server, a BIRD and a metadata server beside it. What the API server has stored
is what runs. `seen.json` in DIRECTORY says for each stage what the server keeps and what the
processes do; nothing is judged here.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.errors import BgpdError
from tests.chart import effectsvalues as values
from tests.chart.confined import privilege, run
from tests.chart.definitions import CHART
from tests.chart.effectsbefore import ME, THEM, before, member
from tests.chart.effectslook import kept, scrapes, served
from tests.chart.effectsnet import NODE, Surroundings
from tests.chart.effectspod import Node, Pod, descendants, until
from tests.chart.effectstable import EFFECTS
from tests.chart.installed import ACCOUNT, NAMESPACE, STATUSES, shipped, status_of, write
from tests.cluster.api import MERGE, ApiError, Document
from tests.cluster.cluster import Cluster

_CLUSTERS: Final = (f"{NAMESPACE}/bgpd", "effects")
_EXCLUDED: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
_JOBS: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_STAMP: Final = "2026-01-01T00:00:00Z"
_PATIENCE: Final = 90.0


class World:
    """A cluster of one node, on which the chart is installed again and again."""

    def __init__(self, home: Path, helm: Path, cluster: Cluster, around: Surroundings) -> None:
        """Fill *cluster* with what is there before anything is installed."""
        self.seen: dict[str, Document] = {}
        self._home, self._helm, self._cluster = home, helm, cluster
        self._around = around
        self._node = Node(cluster, home / "node", ME, NODE)
        self._pods: dict[str, Pod] = {}
        self._stage = ""
        cluster.apply(before(cluster))

    def install(self, stage: str) -> None:
        """Install, or upgrade to, the values of *stage*; note what the server keeps then."""
        self._stage = stage
        path = self._home / "values.json"
        path.write_text(json.dumps(values.STAGES[stage]))
        line = ("upgrade", "bgpd", str(CHART), "--install", "--reset-values", "--values", str(path))
        code, said = self._run_helm(*line)
        assert code == 0, said
        if values.STAGES[stage].get("crds", {}).get("enabled", True):
            until(lambda: served(self._cluster.api)["kinds"])
        self.seen[stage] = {"kept": kept(self._cluster.api), "served": served(self._cluster.api)}

    def start(self) -> None:
        """Run the pods of the DaemonSet and of the Deployment, where there is one."""
        here = self.seen[self._stage]["kept"]
        for kind, name in (("DaemonSet", "bgpd-agent"), ("Deployment", "bgpd-controller")):
            workload = here.get(f"{kind}/{name}")
            if workload is not None:
                label = f"{len(self.seen)}-{name}"
                pod = Pod(self._node, NAMESPACE, label, workload["spec"]["template"])
                self._pods[name] = pod
                pod.start()
        until(lambda: self._status().get("synced"))
        self._cluster.apply([member()])

    def refresh(self) -> None:
        """Publish to the pods what an upgrade has changed, as a kubelet does after a while."""
        for pod in self._pods.values():
            pod.refresh()

    def look(self) -> None:
        """Note what the processes do, once it is as the table says, or it never will be."""
        until(self._as_said, _PATIENCE)

    def _as_said(self) -> bool:
        found = self.seen[self._stage] | self._look()
        self.seen[self._stage] = found
        waited = [one for one in EFFECTS.values() if self._stage in one.seen and not one.later]
        return all(one.holds(self._stage, found) for one in waited)

    def _look(self) -> Document:
        agent = self._pods["bgpd-agent"]
        return {
            "status": self._status(),
            "rights": {name: _rights(agent.pid(name)) for name in ("speaker", "agent")},
            "line": Path(f"/proc/{agent.pid('speaker')}/cmdline").read_text().split("\0"),
            "logs": {name: agent.log(name) for name in ("speaker", "agent")},
            "metrics": scrapes(("127.0.0.1", NODE), values.TOKEN),
            "sessions": self._around.sessions(),
            "routes": self._around.routes(),
            "services": self._services(),
            "heartbeat": self._around.heartbeat(self._keys(), _CLUSTERS),
            "addresses": run("ip", "-o", "address"),
            "files": sorted(
                str(one.relative_to(self._node.files)) for one in self._node.files.rglob("*")
            ),
            "asked": self._around.asked(),
            "stranger": self._stranger(),
        }

    def exclude(self) -> None:
        """Take the node out of external load balancers, and note what becomes of the route."""
        self._cluster.api.request(
            "PATCH", f"/api/v1/nodes/{ME}", {"metadata": {"labels": {_EXCLUDED: ""}}},
            content_type=MERGE,
        )  # fmt: skip
        until(lambda: not self._around.routes())
        self.seen[self._stage]["excluded"] = self._around.routes()

    def own(self) -> None:
        """Make what the values leave to a person: the kinds, accounts and rights."""
        self._cluster.apply([*shipped("crds"), *shipped("rbac")])
        until(lambda: served(self._cluster.api)["kinds"])

    def uninstall(self, *, alive: bool) -> None:
        """Uninstall with the pods *alive* or killed before; run the Job if there is one."""
        if alive:
            self._cluster.api.request("DELETE", f"{STATUSES}/{THEM}")
        else:
            self.end()
        helm = subprocess.Popen(self._line("uninstall", "bgpd", "--timeout", "120s"),
                                env=self._environment(), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)  # fmt: skip
        found: Document = {"job": {}, "code": None, "said": ""}
        until(lambda: helm.poll() is not None or self._jobs())
        for job in self._jobs():
            pod = Pod(self._node, NAMESPACE, f"{len(self.seen)}-job", job["spec"]["template"])
            pod.refresh()
            code, said = pod.ended("uninstall")
            found |= {"job": job["spec"], "code": code, "said": said}
            found["routes"] = self._around.routes()
            self._finish(job["metadata"]["name"], code)
        helm.communicate(timeout=150)
        self.end()
        if helm.returncode:
            code, said = self._run_helm("uninstall", "bgpd", "--no-hooks")
            assert code == 0, said
        if not values.STAGES[self._stage].get("crds", {}).get("keep", True):
            until(lambda: not served(self._cluster.api)["kinds"])
        found["kinds"] = served(self._cluster.api)["kinds"]
        self.seen[self._stage]["uninstall"] = found

    def end(self) -> None:
        """End all processes of the pods at once."""
        for pod in self._pods.values():
            pod.kill()
        self._pods.clear()

    def _jobs(self) -> list[Document]:
        found: list[Document] = self._cluster.api.request("GET", _JOBS)["items"]
        return [one for one in found if not one.get("status", {}).get("conditions")]

    def _finish(self, name: str, code: int) -> None:
        """Say of the Job what its controller would."""
        words = ("FailureTarget", "Failed") if code else ("SuccessCriteriaMet", "Complete")
        conditions = [
            {"type": word, "status": "True", "reason": "Ended", "message": f"it ended with {code}"}
            | {"lastTransitionTime": _STAMP, "lastProbeTime": _STAMP}
            for word in words
        ]
        status: Document = {"startTime": _STAMP, "conditions": conditions}
        status |= {"failed": 1} if code else {"succeeded": 1, "completionTime": _STAMP}
        self._cluster.api.request(
            "PATCH", f"{_JOBS}/{name}/status", {"status": status}, content_type=MERGE
        )

    def _status(self) -> Document:
        """Return what the agent says of its node; nothing where nobody answers."""
        directory = values.STAGES[self._stage].get("nodes", {}).get("runDirectory", "/run/bgpd")
        path = self._node.file(directory) / "agent.sock"
        try:
            content = ask(path, Ask(question="status"), timeout=5).content
        except BgpdError:
            return {}
        assert isinstance(content, dict)
        return content

    def _services(self) -> dict[str, str]:
        """Return the elastic IP of each Service; the empty text where it has none."""
        listed = self._cluster.api.request("GET", "/api/v1/namespaces/default/services")["items"]
        found = {}
        for one in listed:
            ingress = one["status"].get("loadBalancer", {}).get("ingress", [])
            found[one["metadata"]["name"]] = ingress[0]["ip"] if ingress else ""
        return found

    def _keys(self) -> dict[str, bytes]:
        """Return every key that there is, by the Secret and the file that it is in."""
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
        found = {}
        for one in self._cluster.api.request("GET", path)["items"]:
            name = one["metadata"]["name"]
            if name in {"bgpd-mesh", values.OWN_KEY}:
                for key, value in one["data"].items():
                    text = base64.b64decode(value).decode()
                    found[f"{name}/{key}"] = (
                        text.encode() if name == values.OWN_KEY else base64.b64decode(text)
                    )
        return found

    def _stranger(self) -> str:
        """Return what the server says when an agent writes the status of another node."""
        client = self._cluster.client(self._cluster.token(NAMESPACE, ACCOUNT, node=ME))
        try:
            write(client, status_of(THEM), f"{STATUSES}/{THEM}", dryRun="All")
        except ApiError as refused:
            return str(refused)
        finally:
            client.close()
        return "taken"

    def _run_helm(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            self._line(*words), check=False, capture_output=True, text=True, timeout=120,
            env=self._environment(),
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def _line(self, *words: str) -> list[str]:
        return [str(self._helm), *words, "--namespace", NAMESPACE]

    def _environment(self) -> dict[str, str]:
        own = {"KUBECONFIG": str(self._cluster.kubeconfig), "HOME": str(self._home)}
        return {**os.environ, **own}


def _rights(pid: int) -> list[dict[str, str]]:
    """Return what each process of a container may do; nothing while they come and go."""
    try:
        return [privilege(one) for one in descendants(pid)]
    except OSError:
        return []


def main() -> None:
    """Go through all stages, and write down what was seen."""
    home = Path(sys.argv[1])
    around = Surroundings(home)
    with Cluster(home / "cluster") as cluster:
        world = World(home, Path(sys.argv[2]), cluster, around)
        try:
            tell(world)
        finally:
            (home / "seen.json").write_text(json.dumps(world.seen))
            world.end()
    shutil.rmtree(home / "cluster" / "etcd", ignore_errors=True)  # 128 MB that nobody reads


def tell(world: World) -> None:
    """Install, look and uninstall, in the order of the sets of values."""
    nothing, three, everything, rotated, own = values.STAGES
    world.install(nothing)
    world.start()
    world.look()
    world.install(three)
    world.refresh()
    world.look()
    world.exclude()
    world.uninstall(alive=True)
    world.install(everything)
    world.start()
    world.look()
    world.install(rotated)
    world.refresh()
    world.look()
    world.uninstall(alive=False)
    world.install(own)
    world.own()
    world.start()
    world.look()
    world.uninstall(alive=False)


if __name__ == "__main__":
    main()
