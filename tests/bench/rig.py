"""What every measurement of the API's speed stands on: one node, BIRD, a real API server.

Speakers take turns on the node, each alone: what one does for an event of the other would be
counted against it.
"""

import compileall
import py_compile
import random
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tests.bench import giver, metallb
from tests.bench.trace import Trace
from tests.cluster.api import MERGE, Api, Document
from tests.lab import documents
from tests.lab.nodes import ROOT, until
from tests.lab.plan import LabError, Plan, SourceName
from tests.lab.run import Lab
from tests.lab.watch import RouteChange, RouterWatch

NODE = "n1"
CONNECTIONS = 8
_PATIENCE = 60.0
_ROUTER_PAUSE = 4.0
"""Seconds after a session's end within which BIRD may refuse another one."""


class Speaker(Protocol):
    """Whoever is measured."""

    name: str

    def start(self) -> float:
        """Start, and return when the first of its processes did."""

    def stop(self) -> None:
        """End at once, and forget everything."""


class Ours:
    """bgpd: the shipped agent and speaker."""

    name = "bgpd"

    def __init__(self, lab: Lab) -> None:
        """Run on the one node of *lab*."""
        self._lab = lab
        self._node = lab.nodes[NODE]

    def start(self) -> float:
        """Start the node's init, which starts everything else."""
        self._node.start(self._lab.source.of_node(NODE), self._lab.key_file)
        return min(_started(self._node.pid(which)) for which in ("speaker", "agent"))

    def stop(self) -> None:
        """End every process of the node."""
        self._node.stop()
        self._node.forget()


class MetalLB:
    """MetalLB's speaker in native mode."""

    name = f"metallb {metallb.VERSION}"

    def __init__(self, lab: Lab) -> None:
        """Write what it reads."""
        assert lab.control is not None
        self._cluster = lab.control.cluster
        self._log = lab.directory / "metallb.log"
        self._process: subprocess.Popen[bytes] | None = None
        metallb.install(self._cluster, lab.plan, NODE)

    def start(self) -> float:
        """Start its one process."""
        now = time.monotonic()
        self._process = metallb.start(self._cluster, NODE, self._log)
        return now

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            metallb.stop(self._process)
            self._process = None


class Rig:
    """One node, one router, one API server, and who is measured."""

    def __init__(
        self, services: int, directory: Path, *, beside: bool, giving: bool = False
    ) -> None:
        """Build everything; no speaker runs yet. With *giving* each has its controller with it."""
        _compile()
        self.plan = Plan(source=SourceName.KUBERNETES, nodes=1, services=services)
        self.lab = Lab(self.plan, directory)
        self.lab.lay()
        assert self.lab.control is not None
        self.cluster = self.lab.control.cluster
        self.speakers: list[Speaker] = [Ours(self.lab)]
        if beside:
            self.speakers.append(MetalLB(self.lab))
        if giving:
            self._add_controllers(directory)
        self.watch = RouterWatch()
        self.prefixes = self.plan.prefixes()
        self._clients = [self.cluster.administrator() for _ in range(CONNECTIONS)]

    def stop(self) -> None:
        """End what was started."""
        self.watch.stop()
        for speaker in self.speakers:
            speaker.stop()
        self.lab.stop()

    def _add_controllers(self, directory: Path) -> None:
        giver.connect()
        controllers: list[giver.Controller] = [giver.OurController(self.cluster, directory)]
        controllers.append(giver.MetalLBController(self.cluster, directory))
        # The second one is there only where MetalLB is.
        pairs = zip(self.speakers, controllers, strict=False)
        self.speakers = [giver.Giving(speaker, one) for speaker, one in pairs]

    def begin(self, speaker: Speaker) -> float:
        """Start *speaker* and wait for all routes; return the seconds until the last one."""
        until(lambda: not self.lab.router.paths(), _PATIENCE, "the router keeps routes")
        time.sleep(_ROUTER_PAUSE)
        since = len(self.watch.routes)
        started = speaker.start()
        last = self.await_routes(self.prefixes, since, present=True)
        if last is None:
            raise LabError(f"{speaker.name} does not advertise (logs: {self.lab.directory})")
        return last - started

    def end(self, speaker: Speaker) -> None:
        """End *speaker*."""
        speaker.stop()

    def trace(self) -> Trace:
        """Begin to record what agent and reflex read and write."""
        node = self.lab.nodes[NODE]
        pids = {which: node.pid(which) for which in ("agent", "reflex")}
        return Trace(pids, self.lab.directory / "perf.data")

    def await_routes(
        self, prefixes: frozenset[str], since: int, *, present: bool, seconds: float = _PATIENCE
    ) -> float | None:
        """Return when the last of *prefixes* came or went, after change number *since*."""
        latest: dict[str, RouteChange] = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fresh = self.watch.routes[since:]
            since += len(fresh)
            latest |= {change.prefix: change for change in fresh if change.prefix in prefixes}
            right = [change.at for change in latest.values() if change.deleted is not present]
            if len(right) == len(prefixes):
                return max(right)
            time.sleep(0.002)
        return None

    def patch(self, number: int, *, present: bool) -> float:
        """Patch the endpoints of Service *number*; return the moment before it was sent."""
        path, body = change(self.plan, number, present=present)
        now = time.monotonic()
        self._patch(self.cluster.api, path, body)
        return now

    def patch_all(self, *, present: bool) -> tuple[float, float]:
        """Patch every Service's endpoints as fast as the server takes them; return first and last.

        The last is when the last answer had come.
        """
        changes = [
            change(self.plan, number, present=present) for number in documents.services(self.plan)
        ]
        random.shuffle(changes)
        for client in self._clients:
            client.request("GET", "/version")
        gate = threading.Barrier(CONNECTIONS + 1)

        def send(client: Api, part: Sequence[tuple[str, Document]]) -> float:
            gate.wait()
            for path, body in part:
                self._patch(client, path, body)
            return time.monotonic()

        parts = [changes[i::CONNECTIONS] for i in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            sent = [threads.submit(send, *each) for each in zip(self._clients, parts, strict=True)]
            gate.wait()
            first = time.monotonic()
            return first, max(each.result() for each in sent)

    def _patch(self, client: Api, path: str, body: Document) -> None:
        client.request("PATCH", path, body, content_type=MERGE)


def _compile() -> None:
    """Compile our modules as an installation does, also where the interpreter is told not to."""
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(ROOT / "bgpd", quiet=2, invalidation_mode=mode)


def change(plan: Plan, number: int, *, present: bool) -> tuple[str, Document]:
    """Return path and patch that make the endpoint of Service *number* ready, or not."""
    (document,) = documents.endpoints(plan, number, (NODE,))
    name = document["metadata"]["name"]
    (endpoint,) = document["endpoints"]
    conditions = {"ready": present, "serving": present, "terminating": False}
    path = f"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/{name}"
    return path, {"endpoints": [{**endpoint, "conditions": conditions}]}


def _started(pid: int) -> float:
    """Return when *pid* started, on the monotonic clock, at the kernel's 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    behind = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return int(fields[19]) / 100 - behind


def places() -> Path:
    """Return where figures are kept."""
    directory = ROOT / "build" / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
