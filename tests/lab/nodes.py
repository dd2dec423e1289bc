"""One node of the lab: its processes, found by pid, and what its bgpd says of itself."""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any

from bgpd.ipc.ask import ask
from bgpd.ipc.message import Ask
from bgpd.model.errors import BgpdError
from tests.lab.init import ORDERS
from tests.lab.plan import CLUSTER_UID, ECHO_PORT, LabError, Plan
from tests.lab.topology import inside

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = Path(sys.executable).parent
"""Where `bgpd` and `bgpctl` are: beside the Python that runs us, never those of OpenBGPD."""
HEALTHZ = {"kubelet": 10248, "kube-proxy": 10256}
"""Stand-ins for what Kubernetes runs on a node, and their ports: held until an order."""
NODE_PORTS = "node-ports"
FIRST_NODE_PORT = 31001
"""The healthCheckNodePort of Service 1, where Services have one; the stand-in answers for all."""
HELD = frozenset({*HEALTHZ, NODE_PORTS})
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSource:
    """How the agent of one node gets its documents."""

    word: str
    """What `--source` says."""
    binds: Mapping[Path, str] = field(default_factory=dict)
    """Directories that the node sees elsewhere."""
    environment: Mapping[str, str] = field(default_factory=dict)


def commands(name: str, source: str, key_file: Path, services: int) -> dict[str, list[str]]:
    """Return what runs on node *name*: the shipped commands, logging text, and the workload."""
    healthz = (sys.executable, "-S", "-E", str(HERE / "healthz.py"))
    return {
        "speaker": [
            *(str(PROGRAMS / "bgpd"), "speaker", "--node", name),
            *("--mesh-key-file", str(key_file), "--log-format", "text"),
        ],
        "agent": [
            *(str(PROGRAMS / "bgpd"), "agent", "--node", name),
            *("--source", source, "--cluster-uid", CLUSTER_UID, "--log-format", "text"),
        ],
        "echo": [sys.executable, "-S", "-E", str(HERE / "echo.py"), name, str(ECHO_PORT)],
        **{which: [*healthz, which, str(port)] for which, port in HEALTHZ.items()},
        NODE_PORTS: [*healthz, NODE_PORTS, str(FIRST_NODE_PORT), str(services)],
    }


class Node:
    """A node of the lab while it lives."""

    def __init__(self, name: str, plan: Plan, directory: Path) -> None:
        """Prepare the node's directories below *directory*; start nothing."""
        self.name = name
        self.plan = plan
        self.directory = directory
        self.run_directory = directory / "run"
        self.state_directory = directory / "state"
        for path in (directory, self.run_directory, self.state_directory):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        self.key_file = directory / "mesh.key"
        """The mesh's key as this node has it: at first a copy of everybody's."""
        self.boot_file = directory / "boot_id"
        self.booted()
        self.process: subprocess.Popen[bytes] | None = None

    def booted(self) -> None:
        """Have another boot ID from the next start on: until then processes only restart."""
        self.boot_file.write_text(f"{uuid.uuid4()}\n")

    def start(
        self,
        source: NodeSource,
        key_file: Path,
        *,
        without: frozenset[str] = frozenset(),
        held: frozenset[str] = HELD,
    ) -> None:
        """Start the node's init in its own mount namespace, inside its network.

        What is in *without* runs already, or shall not; what is in *held* waits for an order.
        """
        if not self.key_file.exists():
            shutil.copy(key_file, self.key_file)
        binds = {self.run_directory: "/run/bgpd", self.state_directory: "/var/lib/bgpd"}
        binds |= {self.boot_file: _BOOT_ID}
        binds |= source.binds
        spec = {
            "directory": str(self.directory),
            "binds": {str(here): there for here, there in binds.items()},
            "commands": {
                which: words
                for which, words in self._commands(source, self.key_file).items()
                if which not in without
            },
            "held": sorted(held),
            "restart": self.plan.restart.value,
        }
        path = self.directory / "init.json"
        path.write_text(json.dumps(spec, indent=1))
        with (self.directory / "init.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *inside(self.name),
                    *("unshare", "--mount", "--propagation", "private", "--"),
                    *(sys.executable, "-S", "-E", str(HERE / "init.py"), str(path)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **source.environment},
            )

    def _commands(self, source: NodeSource, key_file: Path) -> dict[str, list[str]]:
        return commands(self.name, source.word, key_file, self.plan.services)

    def stop(self) -> None:
        """End everything on the node at once."""
        if self.process is not None:
            self.signal_all(Signals.SIGKILL)
            self.process.wait()

    def forget(self) -> None:
        """Remove what the node's processes keep between restarts."""
        _empty(self.state_directory)
        self.forget_run()

    def forget_run(self) -> None:
        """Remove what is not on a disk, as a boot does."""
        _empty(self.run_directory)
        (self.directory / "pids.json").unlink(missing_ok=True)

    def pids(self) -> dict[str, int]:
        """Return init, speaker (ExaBGP), reflex, agent and echo, as far as they run."""
        try:
            pids: dict[str, int] = json.loads((self.directory / "pids.json").read_text())
        except FileNotFoundError:
            return {}
        reflexes = [p for p in children(pids.get("speaker", 0)) if is_reflex(command_line(p))]
        return {**pids, "reflex": reflexes[0]} if reflexes else pids

    def pid(self, which: str) -> int:
        """Return the pid of one process, waiting a moment for it to be there."""
        end = time.monotonic() + 60
        while which not in (pids := self.pids()):
            if time.monotonic() > end:
                raise LabError(f"{self.name}: {which} does not run; see {self.directory}")
            time.sleep(0.02)
        return pids[which]

    def order(self, verb: str, which: str) -> None:
        """Have init `start`, `stop` or `kill` one process; ended, it stays away until started."""
        with (self.directory / ORDERS).open("w") as orders:
            orders.write(f"{verb} {which}\n")

    def end(self, which: str, *, verb: str = "stop", seconds: float = 60) -> float:
        """End one process for good and return how many seconds it took."""
        pid = self.pid(which)
        self.order(verb, which)
        return until(lambda: not alive(pid), seconds, f"{self.name}: {which} did not end", 0.01)

    def signal(self, which: str, number: Signals) -> int:
        """Send a signal to exactly one process and return its pid."""
        pid = self.pid(which)
        os.kill(pid, number)
        return pid

    def signal_all(self, number: Signals) -> None:
        """Send a signal to every process on the node, init first."""
        assert self.process is not None
        family = [self.process.pid, *descendants(self.process.pid)]
        for pid in family:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def ends(self, which: str) -> list[dict[str, Any]]:
        """Return when and how the process *which* ended, so far."""
        try:
            lines = (self.directory / "ends.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [end for end in map(json.loads, lines) if end["name"] == which]

    def status(self, timeout: float = 1.0) -> Mapping[str, Any] | None:
        """Return the speaker's own status, or None while it does not answer."""
        return self._ask("speaker.sock", timeout)

    def answer(self, seconds: float = 30.0) -> Mapping[str, Any]:
        """Return the speaker's own status, for whoever cannot go on without it."""
        found: list[Mapping[str, Any]] = []

        def answered() -> bool:
            found.extend(filter(None, [self.status()]))
            return bool(found)

        until(answered, seconds, f"{self.name}: the speaker does not answer")
        return found[0]

    def told(self, timeout: float = 1.0) -> Mapping[str, Any]:
        """Return the agent's own status, empty while it does not answer."""
        return self._ask("agent.sock", timeout) or {}

    def reasons(self, timeout: float = 1.0) -> frozenset[str]:
        """Return the reasons of the conditions that the agent tells, none while it is silent."""
        status = self.told(timeout)
        return frozenset(each["reason"] for each in status.get("conditions", ()))

    def _ask(self, socket: str, timeout: float) -> Mapping[str, Any] | None:
        try:
            question = Ask(question="status")
            content = ask(self.run_directory / socket, question, timeout=timeout).content
        except BgpdError:
            return None
        return content if isinstance(content, dict) else None

    def failovers(self, timeout: float = 1.0) -> list[Any]:
        """Return the failovers that this node's speaker itself tells, or none."""
        try:
            content = ask(
                self.run_directory / "speaker.sock", Ask(question="timeline"), timeout=timeout
            ).content
        except BgpdError:
            return []
        return content if isinstance(content, list) else []

    def timeline(self) -> list[Any]:
        """Return the failovers that this node's speaker remembers, as bgpctl tells them."""
        try:
            content = json.loads(self.bgpctl("timeline", "-o", "json"))
        except json.JSONDecodeError:
            return []
        return content if isinstance(content, list) else list(content.get("items", []))

    def memory_mb(self, which: str) -> float:
        """Return the proportional set size of one process (proc(5), smaps_rollup)."""
        text = Path(f"/proc/{self.pid(which)}/smaps_rollup").read_text()
        line = next(line for line in text.splitlines() if line.startswith("Pss:"))
        return int(line.split()[1]) / 1024

    def cpu_seconds(self, which: str) -> float:
        """Return the processor time that one process has used."""
        fields = Path(f"/proc/{self.pid(which)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def bgpctl(self, *words: str) -> str:
        """Return what the shipped bgpctl prints on this node, or nothing when it fails."""
        done = self.control(*words)
        return done.stdout if done.returncode == 0 else ""

    def control(self, *words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run the shipped bgpctl on this node to its end."""
        init = ("nsenter", "--target", str(self.pid("init")), "--mount", "--net", "--")
        return subprocess.run(
            [*init, str(PROGRAMS / "bgpctl"), *words],
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def children(pid: int) -> list[int]:
    """Return the direct children of *pid*."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Return every process below *pid*, parents before children."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def command_line(pid: int) -> list[str]:
    """Return the words that *pid* was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def is_reflex(words: list[str]) -> bool:
    """Tell a reflex from the ExaBGP that forks it, whose words name the reflex too."""
    return words[1:3] == ["-m", "bgpd.speaker"]


def alive(pid: int) -> bool:
    """Tell whether *pid* still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool], seconds: float, sentence: str, pause: float = 0.1) -> float:
    """Wait until *true* and return how long it took; raise with *sentence* after *seconds*."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > seconds:
            raise LabError(f"{sentence} within {seconds:g} s")
        time.sleep(pause)
    return time.monotonic() - start
