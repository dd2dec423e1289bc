"""What 10,000 Services cost a real agent: `python -m tests.bench.scale`.

The API server is the real one, or with `--server recorded` one of bytes that the real one said,
which tells changes at the rate asked for also where the real one takes fewer. The agent gets in as
in a pod: TLS, a mounted token. It is measured from outside: its memory, the time to the first state
that its speaker hears, the longest time for which its own socket gave no answer, then its CPU and
the order of what it says while endpoints change at a steady rate.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

from bgpd.ipc.message import VERSION, Hello, encode
from tests.bench.agent import StandIn, agent, cpu, pss
from tests.bench.objects import LOCAL
from tests.bench.servers import CONNECTIONS, Real, Server, hurry, recorded
from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.error import ClusterError

Figures = dict[str, float]
_TURNS: Final = 4
"""Changes of one EndpointSlice: away, back, away, back."""
_PING: Final = 0.001
_PATIENCE: Final = 120.0
_SERVICE_ACCOUNT: Final = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT: Final = (
    f'mount -t tmpfs tmpfs /run && mkdir -p {_SERVICE_ACCOUNT} && cp "$0"/* {_SERVICE_ACCOUNT}'
    ' && exec "$@"'
)


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("real", "recorded"), default="real")
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500, help="changes a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--normal", action="store_true", help="measure at normal priority")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bgpd-scale-"))
    try:
        with _server(directory, options) as server:
            figures = measure(server, directory, options)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"API server: {server.name}")
    for name, value in figures.items():
        print(f"{name:44} {value:10.2f}")
    if options.json:
        report = {"server": server.name, **figures}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


@contextmanager
def _server(directory: Path, options: argparse.Namespace) -> Iterator[Server]:
    if options.server == "recorded":
        with recorded(directory / "cluster", options.services) as one:
            yield one
        return
    build(_say)
    with Cluster(directory / "cluster") as cluster:
        yield Real(cluster, options.services, _say)


def measure(server: Server, directory: Path, options: argparse.Namespace) -> Figures:
    """Run an agent on *server*, which is full, and return what it cost."""
    figures: Figures = {"load when filled": os.getloadavg()[0]}
    account = server.account(directory / "account")
    priority: tuple[str, ...] = ()
    if options.normal:
        priority = ("chrt", "-o", "0")
        server.hurry()
        hurry(os.getpid())
    rights = ("--user", "--map-root-user") if os.geteuid() else ()
    before = (*priority, "unshare", "--mount", *rights, "sh", "-c", _MOUNT, str(account))
    started = time.monotonic()
    environment = server.environment()
    with agent(directory / "run", "kubernetes", environment, before=before) as (process, speaker):
        with Pings(directory / "run" / "agent.sock") as pings:
            _until(lambda: len(speaker.told.routes) == options.services, "the first state")
            time.sleep(1.0)
        figures |= _first(started, pings, speaker, process.pid)
        figures |= _change(server, speaker, process.pid, options)
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


def _change(server: Server, speaker: StandIn, pid: int, options: argparse.Namespace) -> Figures:
    """Change endpoints at a steady rate; look at order, end and cost.

    An object changes again only once its last change was told: an agent that hears both in one
    turn of its loop, because the machine stood still, rightly tells of neither.
    """
    total = options.rate * options.seconds
    objects = max(CONNECTIONS, min(total // _TURNS, options.services, LOCAL))
    objects -= objects % CONNECTIONS
    total -= total % (2 * objects)
    with speaker.lock:
        speaker.told.events.clear()
        before = speaker.told.messages
    used, since = cpu(pid), time.monotonic()
    with Pings(Path(speaker.path).parent / "agent.sock") as pings:
        last = since
        for turn in range(total // objects):
            server.change(turn, objects, options.rate, since)
            last = time.monotonic()
            if not _until(partial(_told, speaker, (turn + 1) * objects), "the last change"):
                break
        took = last - since
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


def _told(speaker: StandIn, changes: int) -> bool:
    return len(speaker.told.events) >= changes


def _until(fact: Callable[[], bool], what: str, *, seconds: float = _PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            _say(f"{what} did not come within {seconds:g} s")
            return False
        time.sleep(0.01)
    return True


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
