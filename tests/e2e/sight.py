"""What can be seen of bgpd from outside: the router's routes, and what is on a host."""

import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final, Self

from tests.cluster.error import ClusterError
from tests.cluster.nodecluster import NodeCluster
from tests.e2e.helm import ROOT

_HOST = {
    "addresses": "ip -o addr show",
    "rules": "ip rule show; ip -6 rule show",
    "routes": "ip route show table all; ip -6 route show table all",
    # containerd listens on another high port of the loopback each time.
    "sockets": "ss -Hlntu | awk '{print $1, $5}' | grep -v '^tcp 127.0.0.1:[3-6]....$'",
    "files": "find /run/bgpd -type f -o -type s 2>/dev/null",
    "processes": "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -E '^bgp[d][.]'",
}
"""Commands of a shell on the host."""
_LOOK: Final = 0.1
_METRICS: Final = "http://127.0.0.1:7180/metrics"
"""Of a speaker."""
_PODS = ("veth", "10.244.", "fd00:244:")
"""Lines that come and go with pods."""


def next_hops(cluster: NodeCluster, router: str = "router") -> dict[str, int]:
    """Return prefix -> number of next hops, of what a router's kernel learned by BGP."""
    told = _run(cluster, router, "ip -json route show proto bird")
    return {route["dst"]: len(route.get("nexthops", ())) or 1 for route in json.loads(told or "[]")}


class Routes:
    """Notes how many next hops a prefix has on a router, from `with` to the end of it."""

    def __init__(self, cluster: NodeCluster, prefix: str, router: str = "router") -> None:
        """Note nothing yet."""
        self._cluster, self._prefix, self._router = cluster, prefix, router
        self._changes: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def told(self, since: float) -> str:
        """Return when the number changed, and to what, in seconds after *since*."""
        return ", ".join(f"{at - since:.1f}: {count}" for at, count in self._changes)

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            count = next_hops(self._cluster, self._router).get(self._prefix, 0)
            if not self._changes or self._changes[-1][1] != count:
                self._changes.append((time.monotonic(), count))


def hosts(cluster: NodeCluster) -> dict[str, dict[str, list[str]]]:
    """Return what is on each host that bgpd could have put there."""
    return {
        name: {what: _lines(_run(cluster, name, line)) for what, line in _HOST.items()}
        for name in cluster.nodes
    }


def kept(cluster: NodeCluster) -> list[str]:
    """Return the files of bgpd's state that hosts still have."""
    found = [_run(cluster, name, "ls /var/lib/bgpd 2>/dev/null") for name in cluster.nodes]
    return sorted({file for text in found for file in text.split()})


def speakers(cluster: NodeCluster) -> list[str]:
    """Return the metrics of the speakers of all nodes, as lines."""
    program = f"from urllib import request as r; print(r.urlopen('{_METRICS}').read().decode())"
    told = [_run(cluster, node, f'python3 -S -E -c "{program}"') for node in cluster.nodes]
    if not all(told):
        raise ClusterError("a speaker does not tell its metrics")
    return [line for text in told for line in text.splitlines()]


def total(metrics: Iterable[str], name: str, **labels: str) -> float:
    """Return the sum of what *metrics* say under *name* with these *labels*. Pure."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(line.rpartition(" ")[2])
        for line in metrics
        if re.match(rf"{name}[ {{]", line) and all(word in line for word in wanted)
    )


def events(cluster: NodeCluster, node: str, *options: str) -> list[dict[str, Any]]:
    """Return the events of the processes on *node*, as `bgpctl` tells them on the host."""
    line = [sys.executable, "-m", "bgpd.ctl", "events", "--last=500", "--output=json", *options]
    told = _run(cluster, node, f"cd {ROOT} && {shlex.join(line)}")
    found: list[dict[str, Any]] = json.loads(told)["items"] if told else []
    return found


def answers(cluster: NodeCluster, address: str, port: int) -> bool:
    """Tell whether the client hears a whole answer over TCP."""
    program = (
        "import socket; s = socket.create_connection(('%s', %d), 0.5); s.settimeout(0.5);"
        " s.sendall(b'hello|'); print(s.recv(100).decode())"
    )
    line = [*cluster.inside("client"), "python3", "-S", "-E", "-c", program % (address, port)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.startswith("hello|")


def _lines(text: str) -> list[str]:
    return sorted(line for line in text.splitlines() if line and not _any(line, _PODS))


def _any(line: str, words: Iterable[str]) -> bool:
    return any(word in line for word in words)


def _run(cluster: NodeCluster, place: str, line: str) -> str:
    done = subprocess.run(
        [*cluster.inside(place), "sh", "-c", line], capture_output=True, text=True, check=False
    )
    return done.stdout
