"""What 10,000 Services cost a real agent on a real API server: `python -m tests.bench.scale`.

The agent gets in as in a pod: TLS, a mounted token. It is measured from outside: its memory, the
time to the first state that its speaker hears, the longest time for which its own socket gave no
answer, then its CPU and the order of what it says while endpoints change at a steady rate.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from bgpd.ipc.message import VERSION, Hello, encode
from tests.bench.agent import NAMESPACE, NODE, StandIn, agent, cpu, pss
from tests.bench.oracle import Document
from tests.chart.installed import ACCOUNT, install
from tests.cluster.api import MERGE
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

Figures = dict[str, float]
CONNECTIONS: Final = 8
_ENDPOINTS: Final = 5
_TURNS: Final = 4
"""Changes of one EndpointSlice: away, back, away, back."""
_LOCAL: Final = 2_500
"""Services with traffic policy Local: a port of 2,768 goes to each. These are changed."""
_PING: Final = 0.001
_PATIENCE: Final = 120.0
_SERVICE_ACCOUNT: Final = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT: Final = (
    f'mount -t tmpfs tmpfs /run && mkdir -p {_SERVICE_ACCOUNT} && cp "$0"/* {_SERVICE_ACCOUNT}'
    ' && exec "$@"'
)
_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_SERVICES: Final = "/api/v1/namespaces/default/services"


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500, help="changes a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--normal", action="store_true", help="run the agent at normal priority")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bgpd-scale-"))
    try:
        build(_say)
        with Cluster(directory / "cluster") as cluster:
            figures = measure(cluster, directory, options)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for name, value in figures.items():
        print(f"{name:44} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure(cluster: Cluster, directory: Path, options: argparse.Namespace) -> Figures:
    """Fill the empty *cluster*, run an agent in it, and return what it cost."""
    figures: Figures = {"load before": os.getloadavg()[0]}
    install(cluster)
    cluster.apply(_configuration(), NAMESPACE)
    _fill(cluster, options.services)
    figures["load when filled"] = os.getloadavg()[0]
    account = _account(cluster, directory / "account")
    environment = {
        "KUBERNETES_SERVICE_HOST": cluster.bind,
        "KUBERNETES_SERVICE_PORT": str(cluster.port),
    }
    priority = ("chrt", "-o", "0") if options.normal else ()
    rights = ("--user", "--map-root-user") if os.geteuid() else ()
    before = (*priority, "unshare", "--mount", *rights, "sh", "-c", _MOUNT, str(account))
    started = time.monotonic()
    with agent(directory / "run", "kubernetes", environment, before=before) as (process, speaker):
        with Pings(directory / "run" / "agent.sock") as pings:
            _until(lambda: len(speaker.told.routes) == options.services, "the first state")
            time.sleep(1.0)
        figures |= _first(started, pings, speaker, process.pid)
        figures |= _change(cluster, speaker, process.pid, options)
        figures["memory then, MB (PSS)"] = pss(process.pid)
        figures["told wrongly"] = len(speaker.told.faults)
    figures["load after"] = os.getloadavg()[0]
    return figures


def _first(started: float, pings: "Pings", speaker: StandIn, pid: int) -> Figures:
    assert speaker.told.first is not None
    assert pings.first is not None
    return {
        "start to the first state told, s": speaker.told.first - started,
        "socket open to the first state told, s": speaker.told.first - pings.first,
        "messages for the first state": speaker.told.messages,
        "longest answer while syncing, ms": 1000 * pings.longest,
        "the agent's CPU within one answer, ms": 1000 * pings.busiest,
        "answers": len(pings.took),
        "median answer, ms": 1000 * statistics.median(pings.took),
        "CPU to the first state, s": cpu(pid),
        "memory, MB (PSS)": pss(pid),
    }


def _change(cluster: Cluster, speaker: StandIn, pid: int, options: argparse.Namespace) -> Figures:
    """Change endpoints at a steady rate; look at order, end and cost."""
    total = options.rate * options.seconds
    objects = max(CONNECTIONS, min(total // _TURNS, options.services, _LOCAL))
    objects -= objects % CONNECTIONS
    total -= total % (2 * objects)
    with speaker.lock:
        speaker.told.events.clear()
        before = speaker.told.messages
    used, since = cpu(pid), time.monotonic()
    with Pings(Path(speaker.path).parent / "agent.sock") as pings:
        _patch(cluster, objects, total, options.rate)
        took, last = time.monotonic() - since, time.monotonic()
        _until(lambda: len(speaker.told.events) >= total, "the last change", seconds=10.0)
    with speaker.lock:
        events = list(speaker.told.events)
        routes = len(speaker.told.routes)
        messages = speaker.told.messages - before
    turns: dict[str, list[bool]] = {}
    for one in events:
        turns.setdefault(str(one.route[1]), []).append(one.withdrawn)
    wrong = sum(seen != [True, False] * (len(seen) // 2) for seen in turns.values())
    return {
        "changes sent": total,
        "changes told": len(events),
        "messages": messages,
        "changes a second": total / took,
        "objects told out of order": wrong,
        "routes missing at the end": options.services - routes,
        "last change told after its answer, ms": 1000 * max(0.0, events[-1].at - last),
        "CPU while changing, % of a core": 100 * (cpu(pid) - used) / took,
        "longest answer while changing, ms": 1000 * pings.longest,
        "the agent's CPU within one answer then, ms": 1000 * pings.busiest,
    }


class Pings:
    """Greets the agent again and again on its socket, to hear for how long it is deaf."""

    def __init__(self, path: Path) -> None:
        """Greet who listens, or will listen, on *path*."""
        self.first: float | None = None
        """When somebody listened."""
        self.longest = self.busiest = 0.0
        self.took: list[float] = []
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_PING):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                try:
                    sock.connect(str(self._path))
                except OSError:
                    continue
                self.first = time.monotonic()
                pid = _peer(sock)
                # Being let in takes several turns of the agent's loop, every later answer one.
                _greet(sock)
                while not self._end.wait(_PING):
                    self._ping(sock, pid)
                return

    def _ping(self, sock: socket.socket, pid: int) -> None:
        ran, sent = _ran(pid), time.monotonic()
        _greet(sock)
        took, busy = time.monotonic() - sent, _ran(pid) - ran
        self.took.append(took)
        self.longest, self.busiest = max(self.longest, took), max(self.busiest, busy)


def _greet(sock: socket.socket) -> None:
    sock.sendall(encode(Hello(version=VERSION, role="ctl", program="scale")))
    while not sock.recv(65536).endswith(b"\n"):
        pass


def _peer(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)


def _ran(pid: int) -> float:
    """Return for how long the main thread of *pid* has run, in seconds."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def _patch(cluster: Cluster, objects: int, total: int, rate: int) -> None:
    """Send *total* changes, each object's always over the same connection."""
    start = time.monotonic()

    def send(lane: int) -> None:
        client = cluster.administrator()
        for number in range(lane, total, CONNECTIONS):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            turn, which = divmod(number, objects)
            body = {"endpoints": _endpoints(which, here=turn % 2 == 1)}
            client.request("PATCH", f"{_SLICES}/s{which}", body, content_type=MERGE)
        client.close()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(send, range(CONNECTIONS)))


def _fill(cluster: Cluster, services: int) -> None:
    """Write Services with an address, and a slice for each."""
    done = [0] * CONNECTIONS

    def write(lane: int) -> None:
        client = cluster.administrator()
        for number in range(lane, services, CONNECTIONS):
            service, status = _service(number)
            client.request("POST", _SERVICES, service)
            path = f"{_SERVICES}/s{number}/status"
            client.request("PATCH", path, {"status": status}, content_type=MERGE)
            client.request("POST", _SLICES, _slice(number))
            done[lane] += 1
        client.close()

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        running = [threads.submit(write, lane) for lane in range(CONNECTIONS)]
        while not all(one.done() for one in running):
            time.sleep(5.0)
            _say(f"{sum(done)} of {services} Services, {time.monotonic() - began:.0f} s")
        for one in running:
            one.result()


def _configuration() -> Iterator[Document]:
    for name in _nodes():
        address = {"type": "InternalIP", "address": f"192.0.2.{name[1:]}"}
        status = {"addresses": [address]}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
    peer = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.200"}
    specs: Iterable[tuple[str, Document]] = (
        ("IPAddressPool", {"addresses": ["10.64.0.0/16"]}),
        ("BGPAdvertisement", {}),
        ("BGPPeer", peer),
    )
    for kind, spec in specs:
        metadata = {"name": "scale", "namespace": NAMESPACE}
        yield {
            "apiVersion": "bgpd.io/v1alpha1",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }


def _nodes() -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, 21))


def _service(number: int) -> tuple[Document, Document]:
    spec = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local" if number < _LOCAL else "Cluster",
        "allocateLoadBalancerNodePorts": False,
        "ports": [{"name": "http", "port": 80}],
        "selector": {"app": f"s{number}"},
    }
    address = f"10.64.{number >> 8}.{number & 255}"
    head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"}}
    return {**head, "spec": spec}, {"loadBalancer": {"ingress": [{"ip": address}]}}


def _slice(number: int) -> Document:
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"s{number}", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": _endpoints(number, here=True),
    }


def _endpoints(number: int, *, here: bool) -> list[Document]:
    """Return endpoints on five nodes, of which the agent's is ready only if *here*."""
    others = _nodes()[1:]
    names = [NODE, *(others[(number + i) % len(others)] for i in range(_ENDPOINTS - 1))]
    return [
        {
            "addresses": [f"10.{128 + i}.{number >> 8}.{number & 255}"],
            "conditions": {"ready": here or i > 0, "serving": here or i > 0, "terminating": False},
            "nodeName": name,
            "targetRef": {"kind": "Pod", "namespace": "default", "name": f"s{number}-{i}"},
        }
        for i, name in enumerate(names)
    ]


def _account(cluster: Cluster, directory: Path) -> Path:
    """Mount the agents' own account, as a kubelet would."""
    directory.mkdir()
    (directory / "namespace").write_text(NAMESPACE)
    (directory / "ca.crt").write_bytes(cluster.authority.read_bytes())
    (directory / "token").write_text(cluster.token(NAMESPACE, ACCOUNT, node=NODE))
    return directory


def _until(fact: Callable[[], bool], what: str, *, seconds: float = _PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            _say(f"{what} did not come within {seconds:g} s")
            return
        time.sleep(0.01)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
