"""What following the Kubernetes API costs a node: `python -m tests.bench.source`.

Another process serves Services and EndpointSlices (5 endpoints each) as prepared bytes. This one
follows them with the agent's planner behind, and measures itself: memory, time to the first
decision, the longest stall of its loop, and CPU while endpoints change at a steady rate.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from subprocess import PIPE

from bgpd.agent.planner import Planner
from bgpd.kube.source import KubernetesSource
from bgpd.kube.store import Changes
from bgpd.kube.transport import Endpoint
from bgpd.kube.vocabulary import agent
from bgpd.model.member import NodeName

NODE = NodeName("node-0")
TICK = 0.001
AT_ONCE = 200
"""Services decided on in one go, as the agent does."""
Figures = dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500, help="changes a second")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = asyncio.run(_measure(arguments.services, arguments.rate, arguments.seconds))
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:10.2f}")


async def _measure(count: int, rate: int, seconds: int) -> Figures:
    line = (sys.executable, "-m", "tests.bench.apiserver", str(count))
    server = await asyncio.create_subprocess_exec(*line, stdin=PIPE, stdout=PIPE)
    try:
        assert server.stdin is not None
        assert server.stdout is not None
        follower = Follower(int(await server.stdout.readline()))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(follower.source.run(follower.changed))]
            tasks.append(group.create_task(follower.stalls.run()))
            await follower.until_synced()
            follower.begin()
            server.stdin.write(f"{rate} {seconds}\n".encode())
            await follower.until_seen(int(await server.stdout.readline()), 5.0 * seconds)
            for task in tasks:
                task.cancel()
    finally:
        server.terminate()
        await server.wait()
    return follower.figures


class Follower:
    """The source and the planner of an agent, with what they cost."""

    def __init__(self, port: int) -> None:
        self.figures: Figures = {"memory before, MB (PSS)": _pss()}
        self.source = KubernetesSource(Plain(port), vocabulary=agent(NODE))
        self.stalls = Stalls()
        self._planner = Planner(node=NODE, cluster_uid="bench")
        self._synced = asyncio.Event()
        self._seen = asyncio.Event()
        self._counted = 0
        self._since, self._cpu = time.perf_counter(), _cpu()

    def changed(self, changes: Changes) -> None:
        """Decide, as the agent does."""
        if not self.source.synced:
            return
        if self._synced.is_set():
            self._counted += len(changes.keys)
            self._planner.update(changes, self.source.objects)
            self._seen.set()
            return
        self.figures["time to sync, s"] = time.perf_counter() - self._since
        self._synced.set()

    async def until_synced(self) -> None:
        """Wait for the first decision, and a moment longer."""
        await self._synced.wait()
        objects = self.source.objects
        await asyncio.sleep(0)
        self._planner.begin(Changes(), objects, {})
        while self._planner.busy:
            await asyncio.sleep(0)
            self._planner.go_on(objects, AT_ONCE)
        self.figures["time to the first decision, s"] = time.perf_counter() - self._since
        await asyncio.sleep(0.1)
        self.figures["longest stall, ms"] = 1000 * self.stalls.longest
        self.figures["our CPU in one go, ms"] = 1000 * self.stalls.busiest
        self.figures["CPU to sync and decide, s"] = _cpu() - self._cpu
        await asyncio.sleep(1)
        self.figures["objects"] = float(len(self.source.objects))
        self.figures["memory, MB (PSS)"] = _pss()

    def begin(self) -> None:
        """Expect changes."""
        self.stalls.longest = self.stalls.busiest = 0.0
        self._since, self._cpu = time.perf_counter(), _cpu()

    async def until_seen(self, sent: int, seconds: float) -> None:
        """Wait until so many changes were *sent* and seen, or until it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while self._counted < sent:
                    self._seen.clear()
                    await self._seen.wait()
        finally:
            took = time.perf_counter() - self._since
            self.figures["changes sent"] = float(sent)
            self.figures["changes seen"] = float(self._counted)
            self.figures["changes a second"] = self._counted / took
            self.figures["CPU while changing, %"] = 100 * (_cpu() - self._cpu) / took
            self.figures["longest stall then, ms"] = 1000 * self.stalls.longest
            self.figures["our CPU in one go then, ms"] = 1000 * self.stalls.busiest
            self.figures["memory then, MB (PSS)"] = _pss()


class Plain:
    """Access to a server without TLS and without questions (bgpd.kube.access.Access)."""

    person = ""
    namespace = "bgpd"

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def where(self) -> str:
        """The server's URL."""
        return f"http://127.0.0.1:{self._port}"

    def endpoint(self) -> Endpoint:
        """Return the endpoint."""
        return Endpoint(host="127.0.0.1", port=self._port, tls=None)

    def authorization(self) -> str:
        """Return nothing."""
        return ""

    async def renew(self) -> None:
        """Do nothing."""


class Stalls:
    """The longest time for which the loop served nobody, by the clock and by our own CPU."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.busiest = 0.0

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            before, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - before - TICK)
            self.busiest = max(self.busiest, time.thread_time() - cpu)


def _pss() -> float:
    text = Path("/proc/self/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
