"""A cluster with nodes: real kubelets that run containers, beside a router and an outside client.

```
net.own_namespaces()
with NodeCluster(directory, 3) as cluster:       # ready in about ten seconds
    cluster.load(image)
    cluster.apply(documents)
    cluster.power_off("n2"); cluster.power_on("n2")
```

A node that is killed is killed like a machine without power: its cable is out first, so nobody
hears a FIN or RST, and its processes have no time for anything.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from tests.cluster import certificates, cgroups, commands, net, nodefiles, pause, router
from tests.cluster.api import ApiError
from tests.cluster.binaries import NODES, required
from tests.cluster.cluster import Cluster
from tests.cluster.error import EX_CONFIG, EX_USAGE, ClusterError
from tests.cluster.processes import Launcher

_PATIENCE = 120.0
_POLL = 0.05
_END = 60.0
_BOX = Path(__file__).with_name("box.py")
_NEEDED = {
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "bird": "bird2",
    "nsenter": "util-linux",
    f"{nodefiles.PLUGINS}/ptp": "containernetworking-plugins",
}


class NodeCluster(Cluster):
    """A control plane, nodes, a router and a client that live as long as we do."""

    def __init__(self, directory: Path, count: int) -> None:
        """Keep everything in the new *directory*; have *count* nodes.

        The process has to have mounts of its own: `net.own_namespaces`.
        """
        super().__init__(directory, net.CONTROL, 6443, controllers=True, netns=net.path("control"))
        self.nodes = {node.name: node for node in net.nodes(count)}
        self.groups = group_name(directory)
        self._places: dict[str, Launcher] = {}
        self._boxes: dict[str, subprocess.Popen[bytes]] = {}
        self._router: subprocess.Popen[bytes] | None = None

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that this machine has to have."""
        return NODES

    @property
    def clients(self) -> Mapping[str, str]:
        """Who comes with a certificate."""
        kubelets = {name: f"/O=system:nodes/CN=system:node:{name}" for name in self.nodes}
        return {
            **certificates.CLIENTS,
            "scheduler": "/CN=system:kube-scheduler",
            "proxy": "/CN=system:kube-proxy",
            **kubelets,
        }

    @property
    def pids(self) -> Mapping[str, int]:
        """The programs that run now, the router among them, and the first process of each node."""
        boxes = {name: pid for name in self.nodes if (pid := self._first(name))}
        routing = self._router
        beside = {"router": routing.pid} if routing and routing.poll() is None else {}
        return {**super().pids, **beside, **boxes}

    def start(self) -> None:
        """Start everything; `ready` tells when it can be used."""
        check_machine()
        required(self.programs)
        self.directory.mkdir(parents=True, exist_ok=True)
        net.lay(len(self.nodes))
        cgroups.make(self.groups, self.nodes)
        super().start()
        pause.write(self.directory / "pause.tar", required(NODES)["pause"])
        self._places = {name: Launcher(net.path(name)) for name in ("router", *self.nodes)}
        command = router.prepare(self.directory)
        log = self.directory / "router.log"
        self._router = self._places["router"].start(command, self.directory, log)
        for name in self.nodes:
            self._start_box(name)

    def ready(self, patience: float = _PATIENCE) -> Self:
        """Return when every node is Ready."""
        end = time.monotonic() + patience
        super().ready(patience)
        if "kube-scheduler" not in self.pids:
            program = required(NODES)["kube-scheduler"]
            self._start("kube-scheduler", commands.scheduler(program))
        while waiting := set(self.nodes) - self.ready_nodes():
            self._still_alive(end)
            if time.monotonic() > end:
                raise ClusterError(f"not Ready: {', '.join(sorted(waiting))}; {self._logs()}")
            time.sleep(_POLL)
        return self

    def stop(self) -> None:
        """End everything that we started, and remove the control groups."""
        self._kill_boxes(self.nodes)
        if self._router is not None:
            self._router.kill()
            self._router.wait()
        super().stop()
        for place in self._places.values():
            place.close()
        self._places.clear()
        cgroups.remove(self.groups)

    def ready_nodes(self) -> set[str]:
        """Return the nodes that the control plane takes for Ready."""
        try:
            listed = self.api.request("GET", "/api/v1/nodes")["items"]
        except (OSError, ApiError):
            return set()
        return {one["metadata"]["name"] for one in listed if _is_ready(one)}

    def load(self, image: Path) -> None:
        """Give every node that is on the *image* of an OCI archive."""
        here = [name for name in self.nodes if self._first(name)]
        with ThreadPoolExecutor(len(here) or 1) as pool:
            for told in pool.map(lambda name: self._load(name, image), here):
                if told:
                    raise ClusterError(told)

    def power_off(self, name: str) -> None:
        """Take the power of a node: without a word to anybody."""
        node = self._node(name)
        if name not in self._places:
            raise ClusterError(f"{name} is off", EX_USAGE)
        net.unplug(name)
        self._kill_boxes([name])
        self._places.pop(name).close()
        net.remove_node(node)
        cgroups.empty(self.groups, name)

    def power_on(self, name: str) -> None:
        """Start a node with what it had on its disk."""
        node = self._node(name)
        if name in self._places:
            raise ClusterError(f"{name} is on", EX_USAGE)
        net.lay_node(node, len(self.nodes))
        self._places[name] = Launcher(net.path(name))
        self._start_box(name)

    def inside(self, name: str) -> list[str]:
        """Return the words before a command that is to run in *name*.

        In a node that is all of its namespaces; elsewhere its network alone.
        """
        if name in self.nodes:
            pid = self._first(name)
            if not pid:
                raise ClusterError(f"{name} is off", EX_USAGE)
            spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
            return ["nsenter", "--target", str(pid), *spaces, "--"]
        if name not in self.places:
            raise ClusterError(f"{name}: not among {', '.join(self.places)}", EX_USAGE)
        place = f"/proc/{os.getpid()}/root{net.path(name)}"  # they are in our mounts alone
        return ["nsenter", f"--net={place}", "--"]

    def run(self, command: Sequence[str]) -> str:
        """Run *command*; return what it says, or raise with what it complains of."""
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClusterError(f"{' '.join(command[-4:])}: {done.stderr.strip()}")
        return done.stdout

    @property
    def places(self) -> tuple[str, ...]:
        """Where a command can run."""
        second = ("second",) if net.path("second").exists() else ()
        return ("client", "router", *second, "control", *self.nodes)

    def _api_command(self) -> list[str]:
        program = required(NODES)["kube-apiserver"]
        return commands.apiserver(program, self.bind, self.port, controllers=True, nodes=True)

    def _controllers_command(self) -> list[str]:
        return commands.controllers(required(NODES)["kube-controller-manager"], nodes=True)

    def _start_box(self, name: str) -> None:
        specification = self.directory / f"{name}.json"
        specification.write_text(json.dumps(self._specification(self.nodes[name])))
        spaces = ("--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
        self._boxes[name] = self._places[name].start(
            ["unshare", *spaces, "--propagation=private", sys.executable, str(_BOX),
             str(specification)],
            self.directory, self.directory / f"{name}.log",
        )  # fmt: skip

    def _specification(self, node: net.Node) -> dict[str, Any]:
        own = self.directory / node.name
        own.mkdir(exist_ok=True)
        programs = required(NODES)
        hosts = {other.name: other.addresses[0] for other in self.nodes.values()}
        secrets = {
            "kubelet.kubeconfig": (self.directory / f"{node.name}.kubeconfig").read_text(),
            "proxy.kubeconfig": (self.directory / "proxy.kubeconfig").read_text(),
            "ca.crt": self.authority.read_text(),
        }
        images = [str(programs["ctr"]), "--namespace=k8s.io", "images", "import"]
        return {
            "name": node.name,
            "directory": str(own),
            "kernel": nodefiles.kernel(),
            "files": nodefiles.files(
                node, self.groups, shutil.which("runc") or "runc", hosts, secrets
            ),
            "components": nodefiles.components(node, programs),
            "first": [[*images, str(self.directory / "pause.tar")]],
            # containerd finds its shim by the path.
            "path": f"{programs['containerd'].parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        }

    def _load(self, name: str, image: Path) -> str:
        """Load; return what went wrong."""
        words = [str(required(NODES)["ctr"]), "--namespace=k8s.io", "images", "import", "-"]
        with image.open("rb") as given:
            done = subprocess.run(
                [*self.inside(name), *words], stdin=given, capture_output=True, check=False
            )
        if done.returncode == 0:
            return ""
        return f"{name} does not take {image}: {done.stderr.decode().strip()}"

    def _kill_boxes(self, names: Iterable[str]) -> None:
        """End the first process of each node, and with it everything in it."""
        ending = {name: box for name in names if (box := self._boxes.pop(name, None))}
        firsts = [_child(box.pid) for box in ending.values()]
        for box in ending.values():
            box.kill()  # unshare(1), whose end the kernel answers by the end of its child
        for box in ending.values():
            box.wait()
        end = time.monotonic() + _END
        while any(pid and Path(f"/proc/{pid}").exists() for pid in firsts):
            if time.monotonic() > end:
                raise ClusterError(f"not ended: {', '.join(ending)}")
            time.sleep(0.01)

    def _first(self, name: str) -> int:
        """Return the first process of a node, as we count; 0 where it is off."""
        box = self._boxes.get(name)
        return _child(box.pid) if box and box.poll() is None else 0

    def _node(self, name: str) -> net.Node:
        if name not in self.nodes:
            raise ClusterError(f"{name}: not among {', '.join(self.nodes)}", EX_USAGE)
        return self.nodes[name]

    def _logs(self) -> str:
        return f"the logs are in {self.directory}/n*/"


def group_name(directory: Path) -> str:
    """Return the name of the control groups of the cluster in *directory*: no other has it."""
    return f"bgpd-{directory.name}-{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


def check_machine() -> None:
    """Raise unless this machine can have nodes, with what it lacks."""
    if os.geteuid() != 0:
        raise ClusterError("a cluster with nodes needs root: kubelets mount and make cgroups",
                           EX_CONFIG)  # fmt: skip
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = [p for name, p in _NEEDED.items() if shutil.which(name, path=path) is None]
    if lacking:
        raise ClusterError(f"not installed: apt-get install {' '.join(lacking)}", EX_CONFIG)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions: Iterable[Mapping[str, Any]] = node.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _child(pid: int) -> int:
    """Return the child that *pid* has, or 0."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(told[0]) if told else 0
