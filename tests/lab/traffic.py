"""The client: UDP flows at a steady pace and TCP connections, measured where packets arrive.

`traffic.py SPEC RECORD` prints `ready` once every flow has heard something, sends until a line
arrives on stdin, waits for the last answers and writes RECORD (JSON). It says for each tick how
late it was itself, so that a figure can be told from a busy machine. Where SPEC names addresses for
`short` connections, it opens fifty a second in turn: each asks once, hears once and ends.
"""

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

TICK = 0.004
LATE = 0.010
_TCP_EVERY = 10  # ticks
_SHORT_EVERY = 5  # ticks
_TCP_SILENT = 3.0  # seconds without an answer: the connection is given up
_LINGER, _LONGEST_LINGER = 0.4, 2.0
"""Seconds for the last answers; and for those of a node that has not had its turn until then."""
_TAIL = 50
"""The last answers, among which that to the last packet is, whichever overtook which."""
_PATIENCE = 10.0
_STAMP = struct.Struct("!IIQ")


class UdpFlow:
    """One UDP flow: what was sent when, what came back when, from which node."""

    def __init__(self, index: int, spec: dict[str, Any]) -> None:
        """Open the socket; its source port decides the router's hash."""
        self.index = index
        self.spec = spec
        family = socket.AF_INET6 if ":" in spec["address"] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(("", spec["source_port"]))
        self.sock.connect((spec["address"], spec["port"]))
        self.sock.setblocking(False)
        self.sent: list[float] = []
        self.answers: list[tuple[int, float, str]] = []

    def send(self, now: float) -> None:
        """Send the next packet; a refused send counts as sent and lost."""
        with suppress(OSError):
            self.sock.send(_STAMP.pack(self.index, len(self.sent), 0))
        self.sent.append(now)

    def waits(self) -> bool:
        """Tell whether the last packet has no answer yet."""
        last = len(self.sent) - 1
        return all(number != last for number, _, _ in self.answers[-_TAIL:])

    def receive(self) -> None:
        """Take every answer that has arrived."""
        while True:
            try:
                answer = self.sock.recv(256)
            except OSError:
                return
            _, sequence, _ = _STAMP.unpack_from(answer)
            self.answers.append(
                (sequence, time.monotonic(), sys.intern(answer[_STAMP.size :].decode()))
            )


class TcpFlow:
    """One TCP connection that is opened again when it breaks, and counts how often."""

    def __init__(self, address: str, port: int) -> None:
        """Connect for the first time."""
        self.address, self.port = address, port
        self.sock: socket.socket | None = None
        self.node = ""
        self.heard = 0.0
        self.breaks: list[tuple[float, str, str]] = []
        self.connect(time.monotonic())

    def connect(self, now: float) -> None:
        """Open a new connection without waiting for it."""
        self.sock = socket.socket(
            socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_STREAM
        )
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex((self.address, self.port))
        self.heard = now

    def beat(self, now: float) -> None:
        """Read what came, notice a break, say something."""
        assert self.sock is not None
        try:
            said = self.sock.recv(4096)
            if not said:
                return self.broken(now, "closed")
            self.heard = now
            self.node = said.rsplit(b"\n", 2)[-2].split(b"|")[-1].decode() or self.node
        except (BlockingIOError, IndexError):
            pass
        except OSError as error:
            return self.broken(now, type(error).__name__)
        if now - self.heard > _TCP_SILENT:
            return self.broken(now, "silent")
        with suppress(OSError):
            self.sock.send(b"beat|")
        return None

    def broken(self, now: float, why: str) -> None:
        """Count the break and start anew."""
        assert self.sock is not None
        self.breaks.append((now, self.node, why))
        self.sock.close()
        self.connect(now)


class ShortConnection:
    """One TCP connection that asks once: connects, says a word, hears its echo, ends."""

    def __init__(self, address: str, port: int, now: float) -> None:
        """Send the SYN."""
        self.address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.began, self.asked = now, False
        self.sock.connect_ex((address, port))

    def proceed(self) -> tuple[str, str] | None:
        """Take the next step; return node and what went wrong at the end, None before."""
        try:
            if not self.asked:
                self.sock.send(b"short|")
                self.asked = True
                return None
            said = self.sock.recv(256)
        except BlockingIOError:
            return None
        except OSError as error:
            return "", type(error).__name__
        node = said.strip().split(b"|")[-1].decode()
        return (node, "") if said.endswith(b"\n") else ("", "closed")


class ShortConnections:
    """All short connections; each that has ended is a row."""

    def __init__(self, addresses: list[str], port: int, poller: select.epoll) -> None:
        """Open none yet."""
        self._addresses, self._port, self._poller = addresses, port, poller
        self._open: dict[int, ShortConnection] = {}
        self.rows: list[tuple[str, float, float, str, str]] = []
        """Address, SYN, end, node, and what went wrong: empty where nothing did."""

    def begin(self, now: float, number: int) -> None:
        """Open the next one."""
        if self._addresses:
            address = self._addresses[number % len(self._addresses)]
            made = ShortConnection(address, self._port, now)
            self._open[made.sock.fileno()] = made
            self._poller.register(made.sock.fileno(), select.EPOLLOUT)

    def ready(self, descriptor: int) -> None:
        """Let one go on."""
        connection = self._open[descriptor]
        if outcome := connection.proceed():
            self._end(descriptor, *outcome)
        elif connection.asked:
            self._poller.modify(descriptor, select.EPOLLIN)

    def give_up(self, before: float) -> None:
        """End those whose SYN left before that time."""
        for descriptor, connection in list(self._open.items()):
            if connection.began < before:
                self._end(descriptor, "", "silent")

    def _end(self, descriptor: int, node: str, wrong: str) -> None:
        ended = self._open.pop(descriptor)
        self._poller.unregister(descriptor)
        ended.sock.close()
        self.rows.append((ended.address, ended.began, time.monotonic(), sys.intern(node), wrong))


def drain(
    poller: select.epoll, flows: dict[int, UdpFlow], short: ShortConnections, until: float
) -> None:
    """Receive until the clock says *until*."""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return
        for descriptor, _ in poller.poll(left):
            if flow := flows.get(descriptor):
                flow.receive()
            else:
                short.ready(descriptor)


def linger(poller: select.epoll, flows: dict[int, UdpFlow], short: ShortConnections) -> None:
    """Receive the last answers; a node of a busy machine may be late with them."""
    ended = time.monotonic()
    drain(poller, flows, short, ended + _LINGER)
    while any(flow.waits() for flow in flows.values()):
        if time.monotonic() > ended + _LONGEST_LINGER:
            return
        drain(poller, flows, short, time.monotonic() + TICK)


def loop(
    flows: list[UdpFlow], tcp: list[TcpFlow], short: ShortConnections, poller: select.epoll
) -> list[tuple[float, float]]:
    """Send and receive until stdin says stop; return when and how much we were late."""
    late: list[tuple[float, float]] = []
    by_descriptor = {flow.sock.fileno(): flow for flow in flows}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.EPOLLIN)
    tick, due, announced = 0, time.monotonic(), False
    while not (tick % 5 == 0 and select.select([sys.stdin], [], [], 0)[0]):
        now = time.monotonic()
        if now - due > LATE:
            late.append((now, round((now - due) * 1000, 1)))
            due = now
        for flow in flows:
            flow.send(now)
        if tick % _TCP_EVERY == 0:
            for connection in tcp:
                connection.beat(now)
        if announced and tick % _SHORT_EVERY == 0:
            short.begin(now, tick // _SHORT_EVERY)
            short.give_up(now - _TCP_SILENT)
        due += TICK
        tick += 1
        drain(poller, by_descriptor, short, due)
        if not announced and all(flow.answers for flow in flows):
            announced = True
            print("ready", flush=True)
        if not announced and tick * TICK > _PATIENCE:
            sys.exit("no answer on some flows")
    linger(poller, by_descriptor, short)
    short.give_up(time.monotonic())
    return late


def prefer_ourselves() -> None:
    """Ask for a real-time slice: the client stands for another machine."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> None:
    """Measure once."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    flows = [UdpFlow(i, flow) for i, flow in enumerate(spec["udp"])]
    tcp = [TcpFlow(flow["address"], flow["port"]) for flow in spec["tcp"]]
    gc.disable()
    prefer_ourselves()
    poller = select.epoll()
    short = ShortConnections(spec.get("short", []), spec["tcp"][0]["port"], poller)
    late = loop(flows, tcp, short, poller)
    record = {
        "udp": [{"spec": f.spec, "sent": f.sent, "answers": f.answers} for f in flows],
        "tcp": [{"address": c.address, "node": c.node, "breaks": c.breaks} for c in tcp],
        "short": short.rows,
        "late": late,
    }
    Path(sys.argv[2]).write_text(json.dumps(record))


if __name__ == "__main__":
    # Ctrl-C ends the lab, which says so itself: no traceback of ours beside it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
