"""Keep BFD sessions with a real router for a long time beside a busy core, and count false downs.

`python -m tests.bfd.steady --seconds 600 --sessions 8 --interval 50`: each session has an address
of its own at both ends of one link; a process burns a core all the while. Prints JSON; ends with 1
where a session went down.

On a machine that stands still (its processors lent to another guest, or fought for by more than
this program starts) the router stands still, too, and then says rightly that it heard nothing.
Downs within a second of such a moment are therefore counted apart: they say nothing about bgpd.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bfd.node import peer
from tests.bfd.rig import Bfd, Node, wait
from tests.exabgp.standstill import PacedProcessor

_NEAR_SECONDS = 1.0


def _addresses(number: int) -> tuple[str, str]:
    return f"10.9.1.{2 * number + 1}", f"10.9.1.{2 * number + 2}"


def _configuration(router: str, sessions: int, interval: int) -> str:
    pairs = [_addresses(number) for number in range(sessions)]
    if router == "bird":
        neighbors = " ".join(
            f'neighbor {ours} dev "downlink" local {theirs};' for ours, theirs in pairs
        )
        return f'interface "downlink" {{ interval {interval} ms; multiplier 3; }}; {neighbors}'
    peers = "\n".join(
        f" peer {ours} local-address {theirs} interface downlink\n  profile fast\n exit"
        for ours, theirs in pairs
    )
    return (
        f"bfd\n profile fast\n  transmit-interval {interval}\n  receive-interval {interval}\n"
        f"  detect-multiplier 3\n exit\n{peers}\nexit\n"
    )


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Burn *cores* cores."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for one in burners:
            one.kill()
            one.wait()


def _established(lab: Bfd, router: str, sessions: int, interval: int) -> Node:
    for number in range(sessions):
        ours, theirs = _addresses(number)
        lab.node_space.run("ip", "addr", "add", f"{ours}/24", "dev", "uplink")
        lab.router_space.run("ip", "addr", "add", f"{theirs}/24", "dev", "downlink")
    (lab.bird if router == "bird" else lab.frr)(_configuration(router, sessions, interval))
    fast = {"receive_milliseconds": interval, "transmit_milliseconds": interval}
    peers = [
        peer(theirs, ours, **fast) for ours, theirs in (_addresses(n) for n in range(sessions))
    ]
    node = lab.node(*peers)
    agreed = 3.0 * interval
    wait(
        lambda: all(
            one["state"] == "Up" and one["detection_milliseconds"] == agreed
            for one in node.status()["sessions"].values()
        ),
        "every session up",
        seconds=30,
    )
    return node


def _sleep(node: Node, seconds: float) -> None:
    """Wait, and read what the node says, lest it waits for us."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
        node.read()


def run(*, seconds: float, sessions: int, interval: int, router: str, cores: int) -> dict[str, Any]:
    """Return what happened."""
    with tempfile.TemporaryDirectory() as name, Bfd(Path(name), prompt=True) as lab:
        paces = [PacedProcessor(number) for number in sorted(os.sched_getaffinity(0))]
        node = _established(lab, router, sessions, interval)
        with busy(cores):
            before, began = node.status(), time.monotonic()
            _sleep(node, seconds)
            after, took = node.status(), time.monotonic() - began
        for pace in paces:
            pace.stop()
        moments = [moment for pace in paces for moment in pace.moments()]
        stalls = [(at - late, at) for at, late in moments if late * 1000 > interval]
        wall = time.time() - time.monotonic()
        excused: list[dict[str, Any]] = []
        downs: list[dict[str, Any]] = []
        for one in node.events("bfd_down"):
            at = one["at"] - wall
            near = any(begin - _NEAR_SECONDS < at < end + _NEAR_SECONDS for begin, end in stalls)
            (excused if near else downs).append(one)
        sent = after["counters"]["sent"] - before["counters"]["sent"]
        return {
            "router": router,
            "sessions": sessions,
            "interval_milliseconds": interval,
            "seconds": round(took, 1),
            "busy_cores": cores,
            "false_downs": len(downs),
            "reasons": [one["reason"] for one in downs],
            "machine_stood_still": len(stalls),
            "downs_while_it_did": len(excused),
            "machine_late_milliseconds": max(pace.worst_ms(0.0) for pace in paces),
            "sent_per_second": round(sent / took, 1),
            "wakeups_per_second": round((after["wakeups"] - before["wakeups"]) / took, 1),
            "cpu_percent": round(100 * (after["cpu"] - before["cpu"]) / took, 2),
            "late_milliseconds": after["late"],
        }


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--interval", type=int, default=50, help="milliseconds; times 3")
    parser.add_argument("--router", choices=("bird", "frr"), default="bird")
    parser.add_argument("--busy", type=int, default=1, help="cores that are kept busy")
    given = parser.parse_args()
    found = run(
        seconds=given.seconds,
        sessions=given.sessions,
        interval=given.interval,
        router=given.router,
        cores=given.busy,
    )
    print(json.dumps(found, indent=2))
    return 1 if found["false_downs"] else 0


if __name__ == "__main__":
    sys.exit(main())
