"""The API servers that an agent is measured on: the real one, and one of recorded bytes.

The real one proves that all of it holds together. What a machine of two cores lets it take in a
second says nothing about the agent, though; the recorded one tells changes at the rate asked for.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from tests.bench.agent import NAMESPACE, NODE
from tests.bench.objects import configuration, endpoint_slice, endpoints, service
from tests.chart.installed import ACCOUNT, install
from tests.cluster import certificates
from tests.cluster.api import MERGE
from tests.cluster.cluster import Cluster
from tests.lab.nodes import ROOT

CONNECTIONS: Final = 8
_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_SERVICES: Final = "/api/v1/namespaces/default/services"
_HOST: Final = "127.0.0.1"

Say = Callable[[str], None]


class Server(Protocol):
    """An API server that is full of Services."""

    name: str

    def environment(self) -> Mapping[str, str]:
        """Return what tells a pod where it is."""

    def account(self, directory: Path) -> Path:
        """Mount the agents' own account in *directory*, as a kubelet would."""

    def change(self, turn: int, objects: int, rate: int, start: float) -> None:
        """Change each of *objects* slices, *rate* a second; return after the last.

        Their endpoints go away in turn 0, which began at *start* (monotonic), come back in turn 1,
        and so on: a turn that is late catches up.
        """

    def hurry(self) -> None:
        """Take part in the competition for the processors as everybody does."""


class Real:
    """etcd and kube-apiserver."""

    name = "real"

    def __init__(self, cluster: Cluster, services: int, say: Say) -> None:
        """Fill the empty *cluster*."""
        self._cluster = cluster
        install(cluster)
        cluster.apply(configuration(), NAMESPACE)
        self._fill(services, say)

    def environment(self) -> Mapping[str, str]:
        """Return what tells a pod where it is."""
        return _environment(self._cluster.bind, self._cluster.port)

    def account(self, directory: Path) -> Path:
        """Mount the agents' own account in *directory*, as a kubelet would."""
        token = self._cluster.token(NAMESPACE, ACCOUNT, node=NODE)
        return _account(directory, self._cluster.authority, token)

    def change(self, turn: int, objects: int, rate: int, start: float) -> None:
        """Patch, each object always over the same connection."""
        begin = start + turn * objects / rate

        def send(lane: int) -> None:
            client = self._cluster.administrator()
            for which in range(lane, objects, CONNECTIONS):
                time.sleep(max(0.0, begin + which / rate - time.monotonic()))
                body = {"endpoints": endpoints(which, here=turn % 2 == 1)}
                client.request("PATCH", f"{_SLICES}/s{which}", body, content_type=MERGE)
            client.close()

        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(send, range(CONNECTIONS)))

    def hurry(self) -> None:
        """Take part in the competition for the processors as everybody does."""
        for pid in self._cluster.pids.values():
            hurry(pid)

    def _fill(self, services: int, say: Say) -> None:
        """Write Services with an address, and a slice for each."""
        done = [0] * CONNECTIONS

        def write(lane: int) -> None:
            client = self._cluster.administrator()
            for number in range(lane, services, CONNECTIONS):
                made, status = service(number)
                client.request("POST", _SERVICES, made)
                path = f"{_SERVICES}/s{number}/status"
                client.request("PATCH", path, {"status": status}, content_type=MERGE)
                client.request("POST", _SLICES, endpoint_slice(number))
                done[lane] += 1
            client.close()

        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            running = [threads.submit(write, lane) for lane in range(CONNECTIONS)]
            while not all(one.done() for one in running):
                time.sleep(5.0)
                say(f"{sum(done)} of {services} Services, {time.monotonic() - began:.0f} s")
            for one in running:
                one.result()


class Recorded:
    """Bytes that the real one said, from a process of ours."""

    name = "recorded"

    def __init__(self, process: subprocess.Popen[str], pki: Path) -> None:
        """Wait until *process* serves."""
        self._process = process
        self._pki = pki
        self._port = int(self._line())

    def environment(self) -> Mapping[str, str]:
        """Return what tells a pod where it is."""
        return _environment(_HOST, self._port)

    def account(self, directory: Path) -> Path:
        """Mount an account in *directory*; any token will do."""
        return _account(directory, self._pki / "ca.crt", "token")

    def change(self, turn: int, objects: int, rate: int, start: float) -> None:
        """Have the slices changed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{turn} {objects} {rate} {start}\n")
        self._process.stdin.flush()
        self._line()

    def hurry(self) -> None:
        """Take part in the competition for the processors as everybody does."""
        hurry(self._process.pid)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the recorded server ended by itself")
        return line


@contextmanager
def recorded(directory: Path, services: int) -> Iterator[Recorded]:
    """Return a recorded server that keeps its keys in *directory*, until the end of the block."""
    pki = directory / "pki"
    directory.mkdir(parents=True, exist_ok=True)
    certificates.issue(pki, [_HOST])
    command = [sys.executable, "-m", "tests.bench.recorded", str(pki), str(services)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Recorded(process, pki)
        finally:
            process.kill()


def hurry(pid: int) -> None:
    """Give every thread of *pid* the usual scheduling class."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


def _environment(host: str, port: int) -> Mapping[str, str]:
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}


def _account(directory: Path, authority: Path, token: str) -> Path:
    directory.mkdir()
    (directory / "namespace").write_text(NAMESPACE)
    (directory / "ca.crt").write_bytes(authority.read_bytes())
    (directory / "token").write_text(token)
    return directory
