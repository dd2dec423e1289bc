"""Real controllers on a real API server, and a witness of every address that is given.

The witness watches Services as the server tells of them, in the order in which they were written.
At no moment may two Services show one address, and a Service that has one may never have another.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.chart.installed import NAMESPACE
from tests.cluster.api import ApiError, Document
from tests.cluster.cluster import Cluster
from tests.cluster.processes import Launcher

ACCOUNT: Final = "bgpd-controller"
LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/bgpd-controller"
PATIENCE: Final = 60.0
_ROOT: Final = Path(__file__).parents[2]
_MOUNTED: Final = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT: Final = (
    f'mount -t tmpfs tmpfs /run && mkdir -p {_MOUNTED} && cp "$0"/* {_MOUNTED} && exec "$@"'
)


def pool(name: str, *addresses: str, **spec: Any) -> Document:
    """Return an IPAddressPool."""
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "IPAddressPool",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"addresses": list(addresses), **spec},
    }


def service(name: str, namespace: str = "default", **spec: Any) -> Document:
    """Return a Service of type LoadBalancer."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "ports": [{"port": 80}],
            **spec,
        },
    }


def addresses_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses in the status of a Service."""
    ingress = document.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return tuple(one["ip"] for one in ingress)


def until(fact: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> float:
    """Return how long it took until *fact* held; raise `AssertionError` when it does not."""
    began = time.monotonic()
    while not fact():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


class Controllers:
    """Processes of the controller, by name."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._cluster = cluster
        self._launcher = Launcher()
        directory.mkdir(parents=True, exist_ok=True)
        self._account = directory / "account"
        self._account.mkdir()
        (self._account / "namespace").write_text(NAMESPACE)
        (self._account / "ca.crt").write_bytes(cluster.authority.read_bytes())
        (self._account / "token").write_text(cluster.token(NAMESPACE, ACCOUNT))

    def start(self, name: str, *module: str) -> subprocess.Popen[bytes]:
        """Start the controller *name* as a pod would be; *module* takes the place of our own."""
        unprivileged = ("--user", "--map-root-user") if os.geteuid() else ()
        environment = {
            "KUBERNETES_SERVICE_HOST": self._cluster.bind,
            "KUBERNETES_SERVICE_PORT": str(self._cluster.port),
            "PYTHONPATH": str(_ROOT),
        }
        command = [
            *("unshare", "--mount", *unprivileged, "sh", "-c", _MOUNT, str(self._account)),
            "env",
            *(f"{key}={value}" for key, value in environment.items()),
            *(sys.executable, "-m", *(module or ("bgpd.controller",)), "--source=kubernetes"),
        ]
        process = self._launcher.start(command, self.directory, self.log(name))
        self.running[name] = process
        return process

    def log(self, name: str) -> Path:
        """Return where the controller *name* logs."""
        return self.directory / f"{name}.log"

    def said(self, name: str, word: str) -> bool:
        """Return whether the controller *name* has logged *word*."""
        path = self.log(name)
        return path.exists() and word in path.read_text()

    def holder(self) -> str:
        """Return the holder of the Lease as the server has it."""
        try:
            spec = self._cluster.api.request("GET", LEASE)["spec"]
        except ApiError:
            return ""
        found: str = spec.get("holderIdentity") or ""
        return found

    def leader(self) -> str | None:
        """Return the name of the controller that holds the Lease."""
        holder = self.holder()
        return next((one for one in self.running if holder and self.said(one, holder)), None)

    def end(self, name: str, *, number: int | None = None) -> None:
        """Kill the controller *name* and forget its process."""
        process = self.running.pop(name)
        process.kill() if number is None else process.send_signal(number)
        process.wait(PATIENCE)

    def stop(self) -> None:
        """Kill them all."""
        for name in list(self.running):
            self.end(name)
        self._launcher.close()


@contextmanager
def controllers(cluster: Cluster, directory: Path) -> Iterator[Controllers]:
    """Give the means to start controllers; end all of them."""
    found = Controllers(cluster, directory)
    try:
        yield found
    finally:
        found.stop()


class Witness:
    """Watches all Services of some namespaces, and complains."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.faults: list[str] = []
        self.given = 0
        """Addresses that were seen to be given."""
        self.shown: dict[str, tuple[str, ...]] = {}
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/services"
        self._users: dict[str, str] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._end.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        version = ""
        while not self._end.is_set():
            more = {"resourceVersion": version} if version else {}
            with suppress(OSError, ApiError):
                for event in self._cluster.administrator().watch(
                    self._path, timeout=2.0, allowWatchBookmarks="true", **more
                ):
                    one = event["object"]
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = one["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._see(one, gone=event["type"] == "DELETED")
                    if self._end.is_set():
                        return

    def _see(self, one: Document, *, gone: bool) -> None:
        name = one["metadata"]["name"]
        before = self.shown.pop(name, ())
        now = () if gone else addresses_of(one)
        if not gone:
            self.shown[name] = now
        if before and not gone and now != before:
            self.faults.append(f"{name} had {before} and has {now}")
        for address in before:
            if self._users.get(address) == name:
                del self._users[address]
        for address in now:
            user = self._users.setdefault(address, name)
            if user != name:
                self.faults.append(f"{address} was of {user} and is given to {name}")
        self.given += len(now) if now != before else 0


def pool_status(cluster: Cluster, name: str) -> dict[str, int]:
    """Return the numbers of a pool."""
    path = f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools/{name}"
    found: dict[str, int] = cluster.api.request("GET", path).get("status") or {}
    return found


def apply_all(cluster: Cluster, documents: Iterable[Document]) -> None:
    """Write *documents*, each with a POST."""
    for one in documents:
        namespace = one["metadata"]["namespace"]
        cluster.api.request("POST", f"/api/v1/namespaces/{namespace}/services", one)


def events_of(cluster: Cluster, namespace: str, name: str) -> dict[str, Document]:
    """Return the Events on a Service, by reason."""
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    items = cluster.api.request("GET", path)["items"]
    return {one["reason"]: one for one in items if one["regarding"]["name"] == name}


def kubeconfig(cluster: Cluster, path: Path) -> Path:
    """Write a kubeconfig of the controller's account."""
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": cluster.token(NAMESPACE, ACCOUNT)}
    content["contexts"][0]["context"]["namespace"] = NAMESPACE
    path.write_text(yaml.safe_dump(content))
    return path
