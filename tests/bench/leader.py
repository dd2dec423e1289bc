"""What the death of a leader costs, again and again: `python -m tests.bench.leader --kills 50`.

Three controllers stand for one Lease while Services come, change and go. At random moments the
leader is killed (with --stops also stopped and continued, with --leaves ended in order). A witness
watches every address. In the end everything must add up: each Service has an address, every other
address can be given, and each pool counts as many as there are.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.controller.lease import DURATION
from tests.bench.controllers import (
    Controllers,
    Witness,
    apply_all,
    controllers,
    pool,
    pool_status,
    service,
    until,
)
from tests.chart.installed import install
from tests.cluster.api import MERGE, ApiError
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

Figures = dict[str, float]
POOLS: Final = 4
_SERVICES: Final = "/api/v1/namespaces/default/services"
_NAMES: Final = ("one", "two", "three")


class Churn:
    """Creates, changes and deletes Services, about fifty times a second."""

    def __init__(self, cluster: Cluster, *, most: int, seed: int) -> None:
        self.names: set[str] = set()
        self.done = 0
        self._cluster = cluster
        self._most = most
        self._random = random.Random(seed)
        self._number = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join(30.0)

    def _run(self) -> None:
        client = self._cluster.administrator()
        while not self._end.wait(0.02):
            dice = self._random.random()
            full = len(self.names) >= self._most
            if not self.names or (dice < 0.5 and not full):
                self._number += 1
                name = f"s{self._number}"
                client.request("POST", _SERVICES, service(name))
                self.names.add(name)
            else:
                name = self._random.choice(sorted(self.names))
                path = f"{_SERVICES}/{name}"
                if dice < 0.8 or full:
                    client.request("DELETE", path)
                    self.names.discard(name)
                else:
                    labels = {"metadata": {"labels": {"turn": str(self.done)}}}
                    with suppress(ApiError):
                        client.request("PATCH", path, labels, content_type=MERGE)
            self.done += 1
        client.close()


def run(
    cluster: Cluster, directory: Path, *, kills: int, stops: int, seed: int, leaves: int = 0
) -> Figures:
    """Kill and stop leaders on the empty *cluster*; return what came of it."""
    dice = random.Random(seed)
    install(cluster)
    cluster.apply(pool(f"p{number}", f"10.64.{number}.0/26") for number in range(POOLS))
    churn = Churn(cluster, most=200, seed=seed)
    took: list[float] = []
    left: list[float] = []
    ended = 0
    with (
        controllers(cluster, directory) as running,
        Witness(cluster, "default") as witness,
    ):
        for name in _NAMES:
            running.start(name)
        until(lambda: running.leader() is not None, "nobody leads")
        churn.start()
        kinds = ["kill"] * kills + ["stop"] * stops + ["leave"] * leaves
        for kind in dice.sample(kinds, len(kinds)):
            time.sleep(dice.uniform(0.5, 6.0))
            leader = _leader(running)
            began = time.monotonic()
            if kind == "kill":
                running.end(leader)
                took.append(_successor(running, leader, began))
            elif kind == "leave":
                running.end(leader, number=signal.SIGTERM)
                left.append(_successor(running, leader, began))
            else:
                ended += _stop(running, leader, dice.uniform(1.0, 20.0))
            if leader not in running.running:
                running.start(leader)
            _say(f"{kind} {leader}: {len(took)} takeovers, {witness.given} addresses given")
        churn.stop()
        figures = _sum_up(cluster, running, witness, churn)
    return figures | {
        "kills": kills,
        "stops": stops,
        "stopped leaders that the kernel ended": ended,
        "changes of Services": churn.done,
        "kill to the next leader, s (median)": statistics.median(took) if took else 0.0,
        "the same, s (most)": max(took, default=0.0),
        "SIGTERM to the next leader, s (median)": statistics.median(left) if left else 0.0,
        "takeovers later than the Lease's time": sum(one > DURATION for one in took),
    }


def _leader(running: Controllers) -> str:
    until(lambda: running.leader() is not None, "nobody leads")
    found = running.leader()
    assert found is not None
    return found


def _successor(running: Controllers, before: str, began: float) -> float:
    """Return how long it took until another one leads."""
    until(lambda: running.leader() not in {None, before}, "nobody took over")
    return time.monotonic() - began


def _stop(running: Controllers, leader: str, seconds: float) -> bool:
    """Stop the leader for a while; return whether the kernel has ended it by then."""
    process = running.running[leader]
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)
    time.sleep(1.0)
    if process.poll() is None:
        return False
    del running.running[leader]
    return True


def _sum_up(cluster: Cluster, running: Controllers, witness: Witness, churn: Churn) -> Figures:
    """Wait for quiet and count."""
    del running

    def lacking() -> list[str]:
        return [name for name in sorted(churn.names) if not witness.shown.get(name)]

    until(lambda: not lacking(), f"without an address: {lacking()[:5]}", seconds=120.0)

    def counted() -> int:
        return sum(
            pool_status(cluster, f"p{number}").get("assignedIPv4", 0) for number in range(POOLS)
        )

    with suppress(AssertionError):
        until(lambda: counted() == len(churn.names), "the pools do not add up", seconds=120.0)
    # What leaked cannot be given any more: every address must be to be had.
    room = POOLS * 64 - len(churn.names)
    apply_all(cluster, [service(f"rest{number}") for number in range(room)])
    rest = [f"rest{number}" for number in range(room)]
    with suppress(AssertionError):
        until(lambda: all(witness.shown.get(one) for one in rest), "leaked", seconds=120.0)
        until(lambda: counted() == POOLS * 64, "the pools do not add up", seconds=120.0)
    return {
        "addresses given": witness.given,
        "given twice or changed": len(witness.faults),
        "leaked": sum(not witness.shown.get(one) for one in rest),
        "pools that miscount": abs(counted() - POOLS * 64),
    }


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--stops", type=int, default=0)
    parser.add_argument("--leaves", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bgpd-leader-"))
    _say(f"seed {options.seed}")
    # Ended by whatever cause, it leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        build(_say)
        with Cluster(directory / "cluster") as cluster:
            figures = run(
                cluster,
                directory / "controllers",
                kills=options.kills,
                stops=options.stops,
                leaves=options.leaves,
                seed=options.seed,
            )
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    figures["load after"] = os.getloadavg()[0]
    for name, value in figures.items():
        print(f"{name:44} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if figures["given twice or changed"] or figures["leaked"] else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
