"""How fast 10,000 pending Services get addresses: `python -m tests.bench.allocation`.

A real API server is filled with Services that nobody serves, then one controller starts. It is
measured from outside: until the last address is in a status, its memory and its CPU. Then one
Service at a time is posted, from the server's answer to the address in its status as a watch sees.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.bench.agent import cpu, pss
from tests.bench.controllers import Witness, controllers, pool, service, until
from tests.chart.installed import install
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

Figures = dict[str, float]
CONNECTIONS: Final = 8
_PATIENCE: Final = 600.0
_SERVICES: Final = "/api/v1/namespaces/default/services"


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--pools", type=int, default=20)
    parser.add_argument("--single", type=int, default=100, help="Services posted one by one")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bgpd-allocation-"))
    # Ended by whatever cause, it leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
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
    """Fill the empty *cluster*, run a controller in it, and return what it took."""
    install(cluster)
    per_pool = -(-(options.services + options.single) // options.pools)
    cluster.apply(
        pool(f"p{number:02}", f"10.{64 + number}.0.0-10.{64 + number}.{_last(per_pool)}")
        for number in range(options.pools)
    )
    _fill(cluster, options.services)
    figures: Figures = {
        "Services": options.services,
        "pools": options.pools,
        "load before": os.getloadavg()[0],
    }
    with (
        controllers(cluster, directory / "controllers") as running,
        Witness(cluster, "default") as witness,
    ):
        process = running.start("one")
        began = time.monotonic()
        until(lambda: running.said("one", "controller leading"), "nobody leads")
        leading = time.monotonic()
        until(lambda: witness.given >= options.services, "some have no address", seconds=_PATIENCE)
        took = time.monotonic() - leading
        figures |= {
            "start to leading, s": leading - began,
            "leading to the last address, s": took,
            "addresses a second": options.services / took,
            "CPU until then, s": cpu(process.pid),
            "memory, MB (PSS)": pss(process.pid),
        }
        time.sleep(5.0)
        figures |= _one_by_one(cluster, options.single)
        figures["memory at the end, MB (PSS)"] = pss(process.pid)
        figures["faults"] = len(witness.faults)
    figures["load after"] = os.getloadavg()[0]
    return figures


def _one_by_one(cluster: Cluster, count: int) -> Figures:
    """Return how long one Service waits for its address, on an otherwise idle server."""
    seen: dict[str, float] = {}
    ready, stop = threading.Event(), threading.Event()

    def watch() -> None:
        listed = cluster.administrator().request("GET", _SERVICES, limit="1")
        version = listed["metadata"]["resourceVersion"]
        ready.set()
        for event in cluster.administrator().watch(_SERVICES, resourceVersion=version):
            now = time.monotonic()
            status = event["object"].get("status", {}).get("loadBalancer", {})
            if status.get("ingress"):
                seen.setdefault(event["object"]["metadata"]["name"], now)
            if stop.is_set():
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    ready.wait(30.0)
    time.sleep(0.5)
    took = []
    for number in range(count):
        name = f"single{number}"
        cluster.api.request("POST", _SERVICES, service(name))
        answered = time.monotonic()
        until(lambda name=name: name in seen, f"{name} has no address")  # type: ignore[misc]
        took.append(1000 * (seen[name] - answered))
        time.sleep(0.02)
    stop.set()
    ordered = sorted(took)
    return {
        "POST answered to address seen, ms (median)": statistics.median(ordered),
        "the same, ms (p95)": ordered[int(0.95 * (len(ordered) - 1))],
        "the same, ms (most)": ordered[-1],
    }


def _last(count: int) -> str:
    return f"{(count - 1) >> 8}.{(count - 1) & 255}"


def _fill(cluster: Cluster, services: int) -> None:
    done = [0] * CONNECTIONS

    def write(lane: int) -> None:
        client = cluster.administrator()
        for number in range(lane, services, CONNECTIONS):
            selector = {"app": f"s{number}"}
            client.request("POST", _SERVICES, service(f"s{number}", selector=selector))
            done[lane] += 1
        client.close()

    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        running = [threads.submit(write, lane) for lane in range(CONNECTIONS)]
        while not all(one.done() for one in running):
            time.sleep(1.0)
            if int(time.monotonic() - began) % 10 == 0:
                _say(f"{sum(done)} of {services} Services, {time.monotonic() - began:.0f} s")
        for one in running:
            one.result()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
