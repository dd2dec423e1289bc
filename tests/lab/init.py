"""A node's first process: starts the commands, restarts what ends, remembers the pids.

`init.py SPEC` where SPEC is a JSON file: directory, binds, commands, held, restart. It restarts
like systemd (`Restart=always`, RestartSec 100 ms, no limit) or like kubelet (10 s, doubled up to
300 s, forgotten after ten minutes of good behavior). Figures say which.

What is `held` waits for an order, a line in the FIFO `orders`: `start NAME`, `stop NAME` (SIGTERM,
and it stays away) or `kill NAME` (the same by SIGKILL).
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_KUBELET_FIRST, _KUBELET_MOST, _KUBELET_FORGETS = 10.0, 300.0, 600.0
_SYSTEMD_DELAY = 0.1
ORDERS = "orders"
_ENDINGS = {"stop": signal.SIGTERM, "kill": signal.SIGKILL}


def delay(restart: str, crashes: int) -> float:
    """Return how long to wait before restart number *crashes* (1 is the first)."""
    if restart == "systemd":
        return _SYSTEMD_DELAY
    return min(_KUBELET_FIRST * 2.0 ** (crashes - 1), _KUBELET_MOST)


class Service:
    """One command that should always run."""

    def __init__(self, name: str, command: Sequence[str], restart: str, directory: Path) -> None:
        """Remember; nothing is started yet."""
        self.name = name
        self.wanted = True
        self.command = list(command)
        self.restart = restart
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.crashes = 0
        self.due = 0.0

    def start(self, now: float) -> None:
        """Start the command; its output goes to its own log."""
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.started = now

    def obey(self, verb: str, now: float) -> None:
        """Start at once, or end and stay away."""
        self.wanted = verb == "start"
        if self.wanted:
            self.due = now
        elif self.process is not None:
            self.process.send_signal(_ENDINGS[verb])

    def ended(self, now: float) -> None:
        """Decide when to start again."""
        self.process = None
        if now - self.started > _KUBELET_FORGETS:
            self.crashes = 0
        self.crashes += 1
        self.due = now + delay(self.restart, self.crashes)


def reap(services: Sequence[Service], directory: Path) -> bool:
    """Collect every child that ended, ours or inherited; tell whether one was ours."""
    changed = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return changed
        if pid == 0:
            return changed
        for service in services:
            if service.process is not None and service.process.pid == pid:
                now = time.monotonic()
                service.process.returncode = os.waitstatus_to_exitcode(status)
                record = {"name": service.name, "pid": pid, "at": now}
                record["status"] = service.process.returncode
                with (directory / "ends.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")
                service.ended(now)
                changed = True


def remember(services: Sequence[Service], directory: Path) -> None:
    """Write pids.json in one step."""
    pids = {"init": os.getpid()}
    pids |= {s.name: s.process.pid for s in services if s.process is not None}
    temporary = directory / ".pids"
    temporary.write_text(json.dumps(pids))
    temporary.replace(directory / "pids.json")


def prepare(spec: dict[str, Any]) -> None:
    """Give this node its own /run/bgpd and /var/lib/bgpd, so that the defaults are used."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"], check=True)
    for source, target in spec["binds"].items():
        if Path(source).is_dir():
            Path(target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", source, target], check=True)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_on_child() -> int:
    """Return a descriptor that becomes readable when a child ends."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


def listen(directory: Path) -> int:
    """Return the FIFO from which orders are read; it never ends, because we may write to it too."""
    path = directory / ORDERS
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def obey(services: Sequence[Service], orders: bytes, now: float) -> None:
    """Do what each line of *orders* says; each was written whole (pipe(7), PIPE_BUF)."""
    for line in orders.decode().splitlines():
        verb, name = line.split()
        for service in services:
            if service.name == name:
                service.obey(verb, now)


def main() -> None:
    """Run the node until SIGTERM."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(spec["directory"])
    prepare(spec)
    services = [Service(n, c, spec["restart"], directory) for n, c in spec["commands"].items()]
    for service in services:
        service.wanted = service.name not in spec["held"]
    orders = listen(directory)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    woken = wake_on_child()
    while True:
        changed = reap(services, directory)
        now = time.monotonic()
        for service in services:
            if service.wanted and service.process is None and now >= service.due:
                service.start(now)
                changed = True
        if changed:
            remember(services, directory)
        waiting = [s.due - now for s in services if s.wanted and s.process is None]
        timeout = max(0.001, min(waiting)) if waiting else None
        ready = select.select([woken, orders], [], [], timeout)[0]
        if woken in ready:
            os.read(woken, 64)
        if orders in ready:
            obey(services, os.read(orders, 4096), time.monotonic())


if __name__ == "__main__":
    main()
