"""What every router of the lab can do: be started, killed, ended, and asked for its sessions."""

import json
import signal
import subprocess
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Any

from tests.lab.plan import LabError, Plan, router_space
from tests.lab.topology import inside

Session = tuple[str, int]
"""A node, and the IP version of its session."""


@cache
def _first() -> tuple[str, ...]:
    """Return what makes a program run before ours, where we may: a router is another machine."""
    command = ("chrt", "--rr", "1")
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return () if done.returncode else command


class Router(ABC):
    """One routing daemon (or several that belong together) in a namespace of its own."""

    programs: tuple[str, ...] = ()

    def __init__(self, plan: Plan, directory: Path, number: int = 1) -> None:
        """Prepare router *number*; nothing is started yet."""
        self.plan = plan
        self.number = number
        self.space = router_space(number)
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.passwords: dict[str, str] = {}
        """Node -> its password, where it is not the provider's usual one."""
        self.patience = 30.0
        """Seconds that its tools may take to answer."""

    @abstractmethod
    def start(self) -> None:
        """Start the daemon; it accepts connections soon after."""

    @abstractmethod
    def states(self) -> dict[Session, bool]:
        """Return each session that this router knows -> whether it is established."""

    def sessions(self) -> dict[str, bool]:
        """Return node name -> whether all its sessions are established."""
        states, versions = self.states(), self.plan.session_versions
        return {
            name: all(states.get((name, version), False) for version in versions)
            for name in self.plan.names_at(self.number)
        }

    @abstractmethod
    def paths(self) -> dict[str, frozenset[str]]:
        """Return prefix -> nodes whose path is in use, as this router tells it."""

    def take_password(self, name: str, password: str) -> None:
        """Have another password for the sessions of node *name*, and for no others."""
        del password
        raise LabError(f"{name}: the lab cannot change a password of {self.plan.router}")

    @property
    def speaking(self) -> str:
        """The name of the process that holds the BGP sessions."""
        return next(iter(self.processes))

    def kill(self) -> None:
        """End the speaking process as a crash would."""
        process = self.processes[self.speaking]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything that this router started."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def _spawn(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*inside(self.space), *_first(), *command],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _ask(self, *command: str) -> str:
        done = subprocess.run(
            [*inside(self.space), *command],
            capture_output=True, text=True, check=False, timeout=self.patience,
        )  # fmt: skip
        return done.stdout

    def _write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)


def read_json(text: str, otherwise: Any = None) -> Any:
    """Return what *text* says, or *otherwise* where a tool had nothing to say."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {} if otherwise is None else otherwise


def by_address(plan: Plan, states: dict[str, bool], router: int = 1) -> dict[Session, bool]:
    """Return *states*, which are by the node's address, by session."""
    return {
        (name, version): states[address]
        for name in plan.names_at(router)
        for version in plan.session_versions
        if (address := plan.session_address(name, version, router)) in states
    }


def alone() -> bool:
    """Tell whether this user namespace maps one user, so that nobody can become another."""
    return Path("/proc/self/uid_map").read_text().split()[2] == "1"
