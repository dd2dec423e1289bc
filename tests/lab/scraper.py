"""Scrape every speaker and agent of a lab, as Prometheus would, and look at the routers.

A process of its own, so that the lab's clocks do not wait for it: `scraping.py` starts it and says
when to begin, when to rest and when it is over. One thread stays in the network namespace of each
node and router. What was scraped is judged on the spot; with a directory it is also written there.
"""

import json
import os
import pickle
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.lab.agreement import At, States, address_of, half_open
from tests.lab.plan import Plan, router_space
from tests.lab.router import Router
from tests.lab.routers import ROUTERS
from tests.lab.scraping import Findings
from tests.lab.sockets import bgp_connections
from tests.lab.topology import within
from tests.lab.truth import Told, Truth

SOON: Final = 0.25
"""Seconds until the next round while a session is in dispute."""
WITHIN: Final = 1.0
"""Seconds that an answer may take: a process that is stopped or dead gives none."""
PORTS: Final = {"speaker": 7180, "agent": 7181}
_PATIENCE: Final = 30.0
"""Seconds for what is open at the end: an agent that has just been started needs some of them."""


class Place:
    """A thread that stays in one network namespace and does there what it is asked for."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._work, name=space, daemon=True).start()

    def begin(self, job: Callable[[], Any]) -> Callable[[], Any]:
        """Begin *job*; return what waits for what it returns."""
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._jobs.put((job, answer))
        return answer.get

    def _work(self) -> None:
        with within(self._space):
            while True:
                job, answer = self._jobs.get()
                answer.put(job())


def fetch(node: str, process: str, page: str = "/metrics") -> Told:
    """Return a page of *process* of *node*, in whose namespace this thread is."""
    at = time.time()
    try:
        with socket.create_connection(("127.0.0.1", PORTS[process]), timeout=WITHIN) as sock:
            sock.sendall(f"GET {page} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
            parts = []
            while part := sock.recv(1 << 16):
                parts.append(part)
    except OSError as error:
        return Told(node, process, at, error=str(error) or type(error).__name__)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].decode(errors="replace")
    if line.split()[1:2] != ["200"]:
        why = " ".join(one for one in body.decode().splitlines() if one.startswith("[-]"))
        return Told(node, process, at, error=why or line or "no answer")
    return Told(node, process, at, text=body.decode())


class Scraper:
    """One recording after the other."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        spaces = [router_space(number) for number in plan.router_numbers]
        self._places = {space: Place(space) for space in (*plan.names, *spaces)}
        self._routers = [self._router(number, directory) for number in plan.router_numbers]
        self._clean: set[str] = set()
        self._directory: Path | None = None
        self._every = 1.0
        self._index: list[dict[str, Any]] = []
        self._truth = Truth(plan)

    def _router(self, number: int, directory: Path) -> Router:
        router = ROUTERS[self._plan.router](self._plan, directory, number)
        router.patience = WITHIN
        return router

    def begin(self, every: float, directory: Path | None) -> None:
        """Begin a recording, into *directory* where there is one; the first round is due."""
        self._truth, self._index = Truth(self._plan), []
        self._every = every
        self._directory = directory
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            for old in directory.glob("*.prom"):
                old.unlink()  # of an attempt that said nothing about the fault

    @property
    def pause(self) -> float:
        """Seconds until the next round."""
        return SOON if self._truth.disputed else self._every

    def end(self, about: dict[str, Any]) -> Findings:
        """Return what the recording came to; *about* says of which fault it is."""
        until = time.monotonic() + _PATIENCE
        while (wrong := [*self.round(), *self._unready()]) or self._truth.disputed:
            if time.monotonic() > until:
                break
            time.sleep(SOON)
        self._truth.blame(f"{one}, though all is well" for one in wrong)
        self._truth.lint(self._clean)
        if self._directory is not None:
            text = json.dumps({**about, "scrapes": self._index}, indent=1)
            (self._directory / "recording.json").write_text(text + "\n")
        return self._truth.findings

    def round(self) -> list[str]:
        """Look at routers, scrape, look again; return who did not answer."""
        before = self._look()
        told = self._ask_all("/metrics")
        after = self._look()
        self._truth.hold(time.monotonic(), told, before, after, self._half_open)
        self._write(told, before, after)
        return [*_errors(told), *self._unseen(after)]

    def _unseen(self, states: States) -> list[str]:
        """Return which routers do not tell of each of their sessions in *states*."""
        silent = {
            router
            for router in self._plan.router_numbers
            for node in self._plan.names_at(router)
            for version in self._plan.session_versions
            if (node, router, version) not in states
        }
        return [f"{router_space(router)} does not tell of all sessions" for router in silent]

    def _unready(self) -> list[str]:
        """Return who says that it is not ready."""
        return _errors(self._ask_all("/readyz?verbose"))

    def _ask_all(self, page: str) -> list[Told]:
        answers = [
            self._places[node].begin(partial(fetch, node, process, page))
            for node in self._plan.names
            for process in PORTS
        ]
        return [answer() for answer in answers]

    def _look(self) -> States:
        found = {}
        for router in self._routers:
            try:
                states = router.states()
            except (subprocess.TimeoutExpired, OSError):
                continue  # it does not answer, so it says nothing
            for (node, version), up in states.items():
                found[node, router.number, version] = up
        return found

    def _half_open(self, session: At) -> bool:
        node, router, version = session
        addresses = (
            self._plan.session_address(node, version, router),
            address_of(self._plan, node, router, version),
        )
        ours = self._places[node].begin(bgp_connections)
        theirs = self._places[router_space(router)].begin(bgp_connections)
        return half_open(ours(), theirs(), addresses)

    def _write(self, told: Iterable[Told], before: States, after: States) -> None:
        if self._directory is None:
            return
        looks = {"routers_before": _shown(before), "routers_after": _shown(after)}
        for one in told:
            entry = {"at": round(one.at, 3), "node": one.node, "process": one.process}
            if one.error:
                entry["error"] = one.error
            else:
                name = f"{one.node}-{one.process}-{one.at:.3f}.prom"
                (self._directory / name).write_text(one.text)
                entry["file"] = name
            self._index.append({**entry, **looks} if one.process == "speaker" else entry)


def _errors(told: Iterable[Told]) -> list[str]:
    return [f"{one.node}'s {one.process}: {one.error}" for one in told if one.error]


def _shown(states: States) -> dict[str, bool]:
    return {
        f"{router_space(router)}-{node}-v{version}": up
        for (node, router, version), up in sorted(states.items())
    }


def main() -> None:
    """Obey orders from stdin until it ends: pickled, each answered on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    os.nice(5)
    orders, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    scraper = Scraper(*pickle.load(orders))  # noqa: S301 - from whoever started us
    pickle.dump(None, answers)
    answers.flush()
    running, due = False, 0.0
    while True:
        wait = max(0.0, due - time.monotonic()) if running else None
        if not select.select([orders], [], [], wait)[0]:
            scraper.round()
            due = time.monotonic() + scraper.pause
            continue
        try:
            verb, argument = pickle.load(orders)  # noqa: S301 - the same
        except EOFError:
            return
        answer: object = None
        match verb:
            case "begin":
                scraper.begin(*argument)
                running, due = True, 0.0
            case "rest":
                scraper.round()
                due = time.monotonic() + scraper.pause
            case "end":
                answer = scraper.end(argument)
                running = False
            case _:
                running = False
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
