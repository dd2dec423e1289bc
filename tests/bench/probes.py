"""What probes cost a node: `python -m tests.bench.probes`.

One process asks 2,000 HTTP servers (addresses of 127/8, all answered by another process, whose
CPU is not counted) once a second, each time on a new connection. Beside it two speakers send
each other the mesh's heartbeats every 40 ms, through a process that notes when: how much later
than 40 ms after the one before do those of one come, with the probes and without?
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import resource
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from bgpd.health.job import Job, JobState
from bgpd.health.prober import Prober
from bgpd.ipc.message import VERSION, Desired, Hello, encode
from bgpd.model.health import Health, HTTPGet, Rhythm
from bgpd.model.member import Member, NodeName
from bgpd.model.port import MESH_PORT
from bgpd.model.prefix import Address

_ROOT: Final = Path(__file__).parents[2]
_OUTPUT: Final = _ROOT / "build" / "bench" / "probes.json"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_INTERVAL: Final = 0.04
_SETTLE: Final = 2.0
"""Seconds that speakers are left alone once the first is heard."""
_PATIENCE: Final = 60.0
"""Seconds that a speaker may take to start."""
_SLICE: Final = 0.05
"""Seconds; a machine that stands still takes one such slice from a measurement, and no more."""
_NODES: Final = ("127.9.0.1", "127.9.0.2")
_BETWEEN: Final = "127.9.0.3"
_SO_TIMESTAMPNS: Final = 35
_SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How late heartbeats came, in milliseconds."""

    heartbeats: int
    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run measured."""

    probes: int
    seconds: float
    probes_a_second: float
    cpu_percent: float
    microseconds_a_probe: float
    resident_megabytes: float
    unhealthy: int
    failures: int
    with_probes: Lateness
    without_probes: Lateness


def serve(told: Connection) -> None:
    """Answer every connection to one port of 127/8; tell the port; end with the parent."""
    with socket.create_server(("0.0.0.0", 0), backlog=4096) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listener.setblocking(False)
        told.send(listener.getsockname()[1])
        poll = select.epoll()
        poll.register(listener.fileno(), select.EPOLLIN)
        poll.register(told.fileno(), select.EPOLLIN)
        open_ones: dict[int, socket.socket] = {}
        while True:
            for fd, _ in poll.poll():
                if fd == told.fileno():
                    return
                if fd == listener.fileno():
                    _accept(listener, poll, open_ones)
                else:
                    _answer(open_ones.pop(fd))


def _accept(
    listener: socket.socket, poll: select.epoll, open_ones: dict[int, socket.socket]
) -> None:
    with suppress(BlockingIOError):
        while True:
            accepted, _ = listener.accept()
            open_ones[accepted.fileno()] = accepted
            poll.register(accepted.fileno(), select.EPOLLIN)


def _answer(accepted: socket.socket) -> None:
    with accepted, suppress(ConnectionError):
        accepted.recv(65_536)
        accepted.send(_ANSWER)


def relay(told: Connection) -> None:
    """Stand between two speakers, who each take us for the other; note how late n1 is.

    Say when it is heard. Asked for the first time, forget what was until then; for the second,
    tell all and end.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((_BETWEEN, 0))
        opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        told.send(opened.getsockname()[1])
        poll = select.epoll()
        poll.register(opened.fileno(), select.EPOLLIN)
        poll.register(told.fileno(), select.EPOLLIN)
        late: list[float] = []
        before: float | None = None
        while True:
            if any(fd == told.fileno() for fd, _ in poll.poll()):
                if told.recv() == "enough":
                    break
                late.clear()
                continue
            data, ancillary, _, (source, _) = opened.recvmsg(2048, 64)
            with suppress(ConnectionError):  # the other one is not there yet, or not any more
                opened.sendto(data, (_NODES[source != _NODES[1]], MESH_PORT))
            if source == _NODES[0]:
                at = _arrived(ancillary)
                if before is None:
                    told.send("heard")
                else:
                    late.append(max(at - before - _INTERVAL, 0.0))
                before = at
        told.send(late)


def _arrived(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel received a datagram: our own lateness does not count."""
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
    return float(seconds) + float(nanoseconds) / 1e9


@contextmanager
def speaker(number: int, port: int) -> Iterator[None]:
    """Run a speaker without peers, whose only other member is behind the relay at *port*."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        key = directory / "key"
        key.write_text("0123456789abcdef0123456789abcdef\n")
        key.chmod(0o600)
        node = f"n{number}"
        words = ("--node", node, "--run-dir", name, "--state-dir", name, "--mesh-key-file", key)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bgpd.ctl.daemon", "speaker", *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=_ROOT,
            )  # fmt: skip
        try:
            with _agent(directory / "speaker.sock", number, port):
                yield
        finally:
            process.terminate()
            process.wait(_PATIENCE)


@contextmanager
def _agent(path: Path, number: int, port: int) -> Iterator[None]:
    """Tell speaker *number* of two who the other one is."""
    member = Member(name=NodeName(f"n{3 - number}"), address=Address(_BETWEEN), port=port)
    desired = Desired(
        sequence=1,
        node=NodeName(f"n{number}"),
        cluster_uid="bench",
        members=(member,),
        peers=(),
        pools=(),
        advertisements=(),
        mesh_address=Address(_NODES[number - 1]),
    )
    deadline = time.monotonic() + _PATIENCE
    with socket.socket(socket.AF_UNIX) as link:
        while link.connect_ex(str(path)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path}: nobody listens")
            time.sleep(0.02)
        link.sendall(encode(Hello(version=VERSION, role="agent")) + encode(desired))
        link.recv(65_536)
        yield


async def ask(jobs: Sequence[Job], seconds: float, settle: float) -> tuple[float, int, int, int]:
    """Return CPU seconds, probes, failures and how many were not Healthy, of so many seconds."""
    changes: list[JobState] = []
    prober = Prober(changes.append)
    prober.set(jobs)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(prober.run())
        await asyncio.sleep(settle)
        cpu, before = time.process_time(), sum(state.probes for state in prober.states.values())
        for _ in range(round(seconds / _SLICE)):
            await asyncio.sleep(_SLICE)
        cpu = time.process_time() - cpu
        states = list(prober.states.values())
        task.cancel()
    failures = sum(state.failures for state in states)
    unhealthy = sum(state.health is not Health.HEALTHY for state in states)
    return cpu, sum(state.probes for state in states) - before, failures, unhealthy


def jobs_for(count: int, period: int, timeout: int, port: int) -> list[Job]:
    """Return so many jobs, each at an address of its own."""
    rhythm = Rhythm(period_milliseconds=period, timeout_milliseconds=timeout)
    probe = HTTPGet(path="/healthz")
    return [
        Job(
            key=("default/web", f"pod-{number}"),
            probe=probe,
            address=Address(f"127.1.{number // 250}.{number % 250 + 1}"),
            port=port,
            rhythm=rhythm,
        )
        for number in range(count)
    ]


def measure(count: int, period: int, timeout: int, seconds: float) -> Figures:
    """Start the processes, ask, and return the figures."""
    server, serving = _start(serve)
    try:
        port = serving.recv()
        with _heartbeats() as without:
            time.sleep(seconds)
        with _heartbeats() as with_probes:
            cpu, probes, failures, unhealthy = asyncio.run(
                ask(jobs_for(count, period, timeout, port), seconds, settle=3.0)
            )
    finally:
        serving.close()
        server.join(5)
        server.kill()
    return Figures(
        probes=probes,
        seconds=seconds,
        probes_a_second=round(probes / seconds, 1),
        cpu_percent=round(100 * cpu / seconds, 1),
        microseconds_a_probe=round(1e6 * cpu / max(probes, 1), 1),
        resident_megabytes=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        unhealthy=unhealthy,
        failures=failures,
        with_probes=_lateness(with_probes),
        without_probes=_lateness(without),
    )


@contextmanager
def _heartbeats() -> Iterator[list[float]]:
    """Run two speakers; the list holds in the end how late the first one's heartbeats were."""
    late: list[float] = []
    hearer, hearing = _start(relay)
    try:
        port = hearing.recv()
        with speaker(1, port), speaker(2, port):
            if not hearing.poll(_PATIENCE):
                raise RuntimeError("no heartbeats are heard")
            hearing.recv()
            time.sleep(_SETTLE)
            hearing.send("begin")
            yield late
            hearing.send("enough")
            late.extend(hearing.recv())
    finally:
        hearing.close()
        hearer.join(5)
        hearer.kill()


def _start(body: Any) -> tuple[BaseProcess, Connection]:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=body, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _lateness(seconds: Sequence[float]) -> Lateness:
    late = [1000 * value for value in seconds]
    cuts = statistics.quantiles(late, n=100)
    return Lateness(
        heartbeats=len(late),
        p50=round(cuts[49], 3),
        p99=round(cuts[98], 3),
        worst=round(max(late), 3),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write JSON; return 0 where all targets answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.probes", description=__doc__)
    parser.add_argument("--probes", type=int, default=2000)
    parser.add_argument("--period", type=int, default=1000, metavar="MILLISECONDS")
    parser.add_argument(
        "--timeout", type=int, metavar="MILLISECONDS", help="the period, at most a second"
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--output", type=Path, default=_OUTPUT)
    options = parser.parse_args(argv)
    timeout = options.timeout or min(options.period, 1000)
    figures = measure(options.probes, options.period, timeout, options.seconds)
    print(
        f"{figures.probes_a_second} probes/s cost {figures.cpu_percent} % of a core"
        f" ({figures.microseconds_a_probe} us each); {figures.failures} failures;"
        f" heartbeats late at p99: {figures.with_probes.p99} ms with,"
        f" {figures.without_probes.p99} ms without"
    )
    told = {
        "asked": {"probes": options.probes, "period": options.period},
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "load": os.getloadavg()[0],
        **asdict(figures),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if not figures.unhealthy else 1


if __name__ == "__main__":
    sys.exit(main())
