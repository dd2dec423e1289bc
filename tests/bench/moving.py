"""A lab whose cluster runs MetalLB, and the hands that move it to bgpd, node by node.

etcd, kube-apiserver, MetalLB's controller and speakers, BIRD, the client, bgpd and bgpctl are
real. What a cluster has besides is done here, as its own part would do it: the DaemonSet
controller, which ends MetalLB's pod on a Node that gets the label, and kubelet, which ends one
program and starts the other.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.bench import manifests, metallb
from tests.cluster.api import MERGE, Document
from tests.lab import documents
from tests.lab.control import NETNS, ControlPlane
from tests.lab.nodes import HERE, PROGRAMS, until
from tests.lab.plan import (
    API_ADDRESS,
    API_PORT,
    ECHO_PORT,
    LabError,
    Plan,
    RouterName,
)
from tests.lab.run import Lab
from tests.lab.topology import inside
from tests.lab.watch import RouterWatch, spread

LABEL: Final = "bgpd.io/speaker"
_PATIENCE: Final = 60.0
_ACCOUNT: Final = "bgpd-controller"
_MOUNTED: Final = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT: Final = (
    f'mount -t tmpfs tmpfs /run && mkdir -p {_MOUNTED} && cp "$0"/* {_MOUNTED} && exec "$@"'
)
_FIRST: Final = ("chrt", "--rr", "1")
_NOTE: Final = "/ip-allocated-from-pool"


class Plane(ControlPlane):
    """A cluster with bgpd's kinds installed, and MetalLB configured and asked for addresses."""

    def start_controller(self, log: Path) -> subprocess.Popen[bytes]:
        """Start bgpd's controller with the account that the chart gives its pod."""
        account = self.directory / "controller"
        account.mkdir()
        (account / "namespace").write_text(documents.NAMESPACE)
        (account / "ca.crt").write_bytes(self.cluster.authority.read_bytes())
        (account / "token").write_text(self.cluster.token(documents.NAMESPACE, _ACCOUNT))
        environment = {
            "KUBERNETES_SERVICE_HOST": API_ADDRESS,
            "KUBERNETES_SERVICE_PORT": str(API_PORT),
        }
        command = [str(PROGRAMS / "bgpd"), "controller", "--source=kubernetes"]
        with log.open("ab") as output:
            return subprocess.Popen(
                [
                    *inside(NETNS),
                    *("unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT),
                    *(str(account), *command),
                ],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def write_all(self) -> None:
        """Start the server and write every document."""
        plan = self._plan
        self.serve()
        self.install()
        metallb.define(self.cluster)
        self.cluster.apply(manifests.installed(plan), metallb.NAMESPACE)
        self.apply_fast(manifests.service(plan, number) for number in documents.services(plan))
        self.apply_fast(
            each
            for number in documents.services(plan)
            for each in documents.endpoints(plan, number, plan.names)
        )


class Cluster:
    """The lab, and who speaks on each of its nodes."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Build everything and start MetalLB on every node."""
        self.plan = plan
        self.lab = Lab(plan, directory)
        self.plane = Plane(plan, directory / "cluster")
        self.lab.control = self.lab.source = self.plane
        self._directory = directory
        self._speakers: dict[str, subprocess.Popen[bytes]] = {}
        self._controller: subprocess.Popen[bytes] | None = None
        self._others: list[subprocess.Popen[bytes]] = []
        self.lab.lay()
        self._start_echoes()
        self.start_controller()
        for name in plan.names:
            self._start_metallb(name)
        until(self.allocated, _PATIENCE, "MetalLB gives no addresses")
        until(self.lab.all_routes_present, _PATIENCE, "MetalLB's routes do not come")

    def stop(self) -> None:
        """End everything; the world's end would do the same."""
        self.stop_controller()
        for name in tuple(self._speakers):
            metallb.stop(self._speakers.pop(name))
        for process in self._others:
            metallb.stop(process)
        self.lab.stop()

    def addresses(self) -> dict[str, tuple[str, ...]]:
        """Return the addresses of every Service, as the API server has them."""
        found = self.plane.cluster.api.request("GET", "/api/v1/services")["items"]
        return {
            one["metadata"]["name"]: tuple(
                entry.get("ip", "")
                for entry in one.get("status", {}).get("loadBalancer", {}).get("ingress", ())
            )
            for one in found
            if one["spec"]["type"] == "LoadBalancer"
        }

    def allocated(self) -> bool:
        """Tell whether every Service has an address."""
        return all(self.addresses().values())

    def to_bgpd(self, name: str) -> None:
        """Move node *name* to bgpd, and wait until the router uses it again."""
        self._label(name, "true")
        self._delete_pod(name)
        process = self._speakers.pop(name)
        process.terminate()
        process.wait()
        self._await_session(name, up=False)
        node = self.lab.nodes[name]
        node.start(self.plane.of_node(name), self.lab.key_file, without=frozenset({"echo"}))
        self._await_session(name, up=True)
        until(self.lab.all_routes_present, _PATIENCE, f"bgpd's routes of {name} do not come")

    def to_metallb(self, name: str) -> None:
        """Move node *name* back to MetalLB, and wait until the router uses it again."""
        self._label(name, None)
        node = self.lab.nodes[name]
        node.stop()
        node.forget()
        self._await_session(name, up=False)
        self._start_metallb(name)
        self._await_session(name, up=True)
        until(self.lab.all_routes_present, _PATIENCE, f"MetalLB's routes of {name} do not come")

    def install_controller(self) -> None:
        """Start bgpd's controller: only after the copy, or two would give addresses."""
        process = self.plane.start_controller(self._directory / "controller.log")
        self._others.append(process)

    def ask(self, name: str) -> None:
        """Make one more Service that wants an address."""
        found = manifests.service(self.plan, self.plan.services + 1)
        found["metadata"] = {"name": name, "namespace": "default"}
        self.plane.cluster.apply([found])

    def giver(self, name: str) -> str:
        """Wait for the address of *name*; return the group whose controller gave it."""
        until(lambda: bool(self.addresses()[name]), _PATIENCE, f"nobody gives {name} an address")
        path = f"/api/v1/namespaces/default/services/{name}"

        def groups() -> list[str]:
            noted = self.plane.cluster.api.request("GET", path)["metadata"].get("annotations", {})
            return [key.partition("/")[0] for key in noted if key.endswith(_NOTE)]

        until(lambda: bool(groups()), _PATIENCE, f"nobody notes who gave {name} its address")
        return ",".join(groups())

    def start_controller(self) -> None:
        """Let MetalLB's controller give addresses."""
        log = self._directory / "metallb-controller.log"
        self._controller = metallb.start_controller(self.plane.cluster, NETNS, log)

    def scale_controller(self, replicas: int) -> None:
        """Do what `kubectl scale` asks for, and what its controllers make of it."""
        path = f"/apis/apps/v1/namespaces/{metallb.NAMESPACE}/deployments/controller"
        self._merge(path, {"spec": {"replicas": replicas}})
        if replicas:
            self.start_controller()
        else:
            self.stop_controller()

    def stop_controller(self) -> None:
        """End MetalLB's controller."""
        if self._controller is not None:
            metallb.stop(self._controller)
            self._controller = None

    def give_way(self) -> None:
        """Let MetalLB's DaemonSet leave labelled Nodes, as `bgpctl migrate` says."""
        for command in json.loads(self.bgpctl("migrate", "-o", "json"))["commands"]:
            patch = json.loads(command.partition(" -p ")[2].strip("'"))
            path = f"/apis/apps/v1/namespaces/{metallb.NAMESPACE}/daemonsets/speaker"
            self._merge(path, patch)

    def remove_metallb(self) -> None:
        """Remove what MetalLB's manifest brought, its definitions last."""
        api = self.plane.cluster.api
        apps = f"/apis/apps/v1/namespaces/{metallb.NAMESPACE}"
        api.request("DELETE", f"{apps}/daemonsets/speaker")
        api.request("DELETE", f"{apps}/deployments/controller")
        kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for one in api.request("GET", kinds)["items"]:
            if one["spec"]["group"] == "metallb.io":
                api.request("DELETE", f"{kinds}/{one['metadata']['name']}")
        until(lambda: not self._groups("metallb.io"), _PATIENCE, "MetalLB's kinds do not go")

    def bgpctl(self, *words: str, status: int = 0) -> str:
        """Return what bgpctl prints, run where an administrator would; it ends with *status*."""
        kubeconfig = str(self.plane.cluster.kubeconfig)
        command = [str(PROGRAMS / "bgpctl"), *words, "--kubeconfig", kubeconfig]
        done = subprocess.run(
            [*inside(NETNS), *command], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode != status:
            raise LabError(
                f"bgpctl {' '.join(words)} ended with {done.returncode}, not {status}:"
                f" {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def stand(self) -> dict[str, Any]:
        """Return where `bgpctl migrate` says that the cluster stands."""
        found: dict[str, Any] = json.loads(self.bgpctl("migrate", "-o", "json"))
        return found

    def await_step(self, step: str) -> None:
        """Wait until `bgpctl migrate` says that *step* is next."""
        try:
            until(lambda: self.stand()["step"] == step, _PATIENCE, f"{step} is not next", 0.5)
        except LabError as error:
            raise LabError(f"{error}: {self.bgpctl('migrate')}") from None

    def turn(self, *words: str) -> float | None:
        """Run `bgpctl migrate finish`; return the milliseconds between the nodes' UPDATEs.

        They are those between the first UPDATE of the first and of the last node at the router.
        """
        watch = RouterWatch()
        try:
            self.bgpctl("migrate", "finish", *words)
            sources = frozenset(self.plan.gateways(4).values())
            apart = spread(list(watch.updates), sources)
        finally:
            watch.stop()
        return None if apart is None else round(apart * 1000, 2)

    def meds(self) -> frozenset[int | None]:
        """Return the MEDs that the router has; None where a route has none."""
        if self.plan.router is RouterName.FRR:
            return _meds_of_frr()
        words = [*inside("router"), "birdc", "-r", "show", "route", "all", "protocol"]
        found: set[int | None] = set()
        for name in self.plan.names:
            done = subprocess.run(
                [*words, name], capture_output=True, text=True, check=False, timeout=30
            )
            found |= meds_of(done.stdout)
        return frozenset(found)

    def _groups(self, group: str) -> bool:
        found = self.plane.cluster.api.request("GET", "/apis")
        return any(one["name"] == group for one in found["groups"])

    def _start_echoes(self) -> None:
        for name in self.plan.names:
            command = [sys.executable, "-S", "-E", str(HERE / "echo.py"), name, str(ECHO_PORT)]
            # Like the client it stands for a machine of its own: what it does not get to read in
            # time because others use this one is not a packet that the network lost.
            process = subprocess.Popen([*inside(name), *_FIRST, *command], stdin=subprocess.DEVNULL)
            self._others.append(process)

    def _start_metallb(self, name: str) -> None:
        self.plane.cluster.apply([manifests.pod(name)], metallb.NAMESPACE)
        log = self._directory / f"metallb-{name}.log"
        self._speakers[name] = metallb.start(self.plane.cluster, name, log)

    def _await_session(self, name: str, *, up: bool) -> None:
        """Wait for the router's word on the session of node *name*."""
        what = f"the router's session with {name} does not {'come up' if up else 'end'}"
        until(lambda: self.lab.router.sessions().get(name, False) is up, _PATIENCE, what)

    def _delete_pod(self, name: str) -> None:
        path = f"/api/v1/namespaces/{metallb.NAMESPACE}/pods/speaker-{name}"
        self.plane.cluster.api.request("DELETE", path, {"gracePeriodSeconds": 0})

    def _label(self, name: str, value: str | None) -> None:
        self._merge(f"/api/v1/nodes/{name}", {"metadata": {"labels": {LABEL: value}}})

    def _merge(self, path: str, body: Document) -> None:
        self.plane.cluster.api.request("PATCH", path, body, content_type=MERGE)


class Stopwatch:
    """When each step began and ended, on the client's clock."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Tell each step with *say*."""
        self.steps: list[tuple[str, float, float]] = []
        self._say = say

    def step(self, name: str, act: Callable[[], object], *, settle: float = 1.0) -> None:
        """Do one step, and go on for *settle* seconds."""
        start = time.monotonic()
        act()
        time.sleep(settle)
        self.steps.append((name, start, time.monotonic()))
        self._say(f"{name}: {self.steps[-1][2] - start:.1f} s")


def losses(record: Mapping[str, Any], start: float, end: float) -> tuple[int, int, float]:
    """Return packets sent from *start* to *end*, how many had no answer, and the worst gap."""
    sent = lost = 0
    gap = 0.0
    for flow in record["udp"]:
        heard = {sequence for sequence, _, _ in flow["answers"]}
        window = [n for n, at in enumerate(flow["sent"]) if start <= at < end]
        sent += len(window)
        lost += sum(number not in heard for number in window)
        times = sorted(at for _, at, _ in flow["answers"] if start <= at < end)
        gap = max([gap, *(b - a for a, b in pairwise(times))])
    return sent, lost, gap


def breaks(record: Mapping[str, Any], start: float, end: float) -> int:
    """Return how many TCP connections broke from *start* to *end*."""
    return sum(start <= at < end for flow in record["tcp"] for at, _, _ in flow["breaks"])


def meds_of(text: str) -> set[int | None]:
    """Return the MEDs in what birdc says of routes; None for a route without one."""
    found: set[int | None] = set()
    med: int | None = None
    inside_route = False
    for line in text.splitlines():
        if "BGP.origin" in line:
            if inside_route:
                found.add(med)
            inside_route, med = True, None
        elif "BGP.med" in line:
            med = int(line.partition(":")[2])
    if inside_route:
        found.add(med)
    return found


def _meds_of_frr() -> frozenset[int | None]:
    words = [*inside("router"), "vtysh", "-c", "show bgp ipv4 unicast json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    routes = json.loads(done.stdout).get("routes", {})
    return frozenset(path.get("metric") for paths in routes.values() for path in paths)
