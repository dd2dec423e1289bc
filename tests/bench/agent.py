"""A real agent on a real API server, with a speaker of ours that remembers what it is told."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bgpd.ipc.connection import Connection
from bgpd.ipc.message import VERSION, AnyMessage, Delta, Desired, Hello, Welcome
from bgpd.ipc.server import Server
from bgpd.model.member import NodeName
from bgpd.model.peer import Peer
from bgpd.model.prefix import Prefix
from bgpd.model.route import Advertisement
from bgpd.policy.merge import RouteKey
from tests.cluster.processes import Launcher

NODE: Final = NodeName("n1")
NAMESPACE: Final = "bgpd-system"
_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One route that came, changed or went, at a moment of the monotonic clock."""

    at: float
    route: RouteKey
    withdrawn: bool


@dataclass(slots=True)
class Told:
    """What the agent told its speaker; read it while `StandIn.lock` is held."""

    routes: dict[RouteKey, Advertisement] = field(default_factory=dict)
    peers: tuple[Peer, ...] = ()
    pools: tuple[Prefix, ...] = ()
    events: list[Event] = field(default_factory=list)
    messages: int = 0
    faults: list[str] = field(default_factory=list)
    """What a real speaker would have refused."""
    first: float | None = None
    """When the first `Desired` came."""


class StandIn:
    """A speaker that only remembers (`bgpd.ipc.connection.Handler`), in a thread of its own."""

    def __init__(self, path: Path) -> None:
        """Listen on *path* once started."""
        self.lock = threading.Lock()
        self.told = Told()
        self.path = path
        self._sequence: int | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> None:
        """Return when agents can connect."""
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise RuntimeError(f"{self.path}: nobody listens")

    def stop(self) -> None:
        """End the thread."""
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_PATIENCE)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with Server(self.path, self, program="stand-in"):
            self._ready.set()
            await self._end.wait()

    def opened(self, connection: Connection) -> None:
        """Wait for the greeting."""

    def received(self, connection: Connection, message: AnyMessage) -> None:
        """Greet, and follow."""
        now = time.monotonic()
        with self.lock:
            match message:
                case Hello():
                    self._sequence = None
                    connection.send(Welcome(version=VERSION, node=NODE, program="stand-in"))
                case Desired():
                    self._replace(message, now)
                case Delta():
                    self._change(message, now)
                case _:
                    pass

    def closed(self, connection: Connection) -> None:
        """Keep everything, as the real one does."""

    def _replace(self, message: Desired, now: float) -> None:
        new = {(one.peer, one.prefix): one for one in message.advertisements}
        for key in sorted(self.told.routes.keys() | new.keys()):
            if self.told.routes.get(key) != new.get(key):
                self.told.events.append(Event(at=now, route=key, withdrawn=key not in new))
        self.told.routes = new
        self.told.peers, self.told.pools = message.peers, message.pools
        self.told.messages += 1
        self.told.first = self.told.first or now
        self._sequence = message.sequence

    def _change(self, message: Delta, now: float) -> None:
        if self._sequence is None or message.sequence != self._sequence + 1:
            self.told.faults.append(f"delta {message.sequence} follows {self._sequence}")
        self._sequence = message.sequence
        self.told.messages += 1
        for key in message.withdraw:
            if self.told.routes.pop(key, None) is None:
                self.told.faults.append(f"{key} is withdrawn and was not there")
            self.told.events.append(Event(at=now, route=key, withdrawn=True))
        for one in message.advertise:
            self.told.routes[one.peer, one.prefix] = one
            event = Event(at=now, route=(one.peer, one.prefix), withdrawn=False)
            self.told.events.append(event)


@contextmanager
def agent(
    directory: Path,
    source: str,
    environment: Mapping[str, str],
    *,
    before: Sequence[str] = (),
) -> Iterator[tuple[subprocess.Popen[bytes], StandIn]]:
    """Run the agent of NODE and its stand-in speaker in *directory* until the block ends.

    *before* is what starts it: a command that takes another command.
    """
    directory.mkdir(parents=True, exist_ok=True)
    speaker = StandIn(directory / "speaker.sock")
    speaker.start()
    launcher = Launcher()
    options = {
        "node": NODE,
        "source": source,
        "cluster-uid": "bench",
        "run-dir": str(directory),
        "state-dir": str(directory),
    }
    command = [
        *before,
        "env",
        f"PYTHONPATH={_ROOT}",
        *(f"{name}={value}" for name, value in environment.items()),
        *(sys.executable, "-m", "bgpd.agent"),
        *(f"--{name}={value}" for name, value in options.items()),
    ]
    process = launcher.start(command, directory, directory / "agent.log")
    try:
        yield process, speaker
    finally:
        process.kill()
        process.wait()
        launcher.close()
        speaker.stop()


def pss(pid: int) -> float:
    """Return the proportional set size of *pid* in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def cpu(pid: int) -> float:
    """Return the CPU seconds of *pid*, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
