"""The launcher in a namespace, and the test's line to it in the place of a reflex."""

import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from bgpd.exabgp import command, message
from bgpd.exabgp.command import Command, PeerUpdate, Reload, Update
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import Done, Message, Reloaded, SessionChanged
from bgpd.model.peer import Peer, PeerState
from bgpd.model.prefix import Address
from tests.exabgp.space import Space

RELAY = Path(__file__).parent / "relay.py"
PATIENCE = 30.0
"""Seconds that anything may take: a noisy machine stands still for some of them."""


class Speaker:
    """The launcher, and the test's line to the reflex."""

    def __init__(self, space: Space, directory: Path) -> None:
        """Prepare a speaker in *space*."""
        self.space = space
        self.directory = directory
        self.configuration = directory / "exabgp.conf"
        self.states: dict[Address, SessionChanged] = {}
        self._unread: deque[Message] = deque()
        self.reflex_pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "reflex"))
        self._listener.listen(64)
        self._link: socket.socket | None = None
        self._partial = b""
        self._number = 0

    def start(
        self,
        *peers: Peer,
        without: Sequence[str] = (),
        reflex: str = "",
        pinging: bool = False,
        arguments: Sequence[str] = (),
        accept: bool = True,
        manual_end_of_rib: bool = True,
        launcher: str = "bgpd.exabgp.launcher",
    ) -> None:
        """Start the launcher with *peers* and wait for its reflex, *pinging* by itself or not."""
        self.write(*peers)
        relay = f"{sys.executable} {RELAY} {self.directory / 'reflex'}"
        if not manual_end_of_rib:
            text = self.configuration.read_text()
            self.configuration.write_text(text.replace("manual-eor true", "manual-eor false"))
        self._process = self.space.start(
            *(sys.executable, "-m", launcher),
            *("--configuration", str(self.configuration)),
            *("--reflex", reflex or (f"{relay} pinging" if pinging else relay)),
            *(word for name in without for word in ("--without-mend", name)),
            *("--first-ping", "600", *arguments),  # a relay pings only where a test says so
            log=self.directory / "speaker.err",
        )
        if accept:
            self.accept()

    def write(self, *peers: Peer) -> None:
        """Write the configuration file."""
        self.configuration.write_text(render(peers, reflex="/bin/true"))

    def accept(self, seconds: float = PATIENCE) -> None:
        """Wait for a reflex to appear, and speak with it from now on."""
        self._listener.settimeout(seconds)
        pid = b""
        while not pid.endswith(b"\n"):
            if not pid:  # the first one, or one that was ended before it could say who it is
                if self._link:
                    self._link.close()
                self._link, _ = self._listener.accept()
            assert self._link
            byte = self._link.recv(1)
            pid = pid + byte if byte else b""
        self._partial = b""
        self.reflex_pid = int(pid)

    def send(self, value: Command) -> None:
        """Send a command."""
        self.send_line(command.encode(value))

    def send_line(self, line: bytes) -> None:
        """Send any bytes."""
        assert self._link
        self._link.sendall(line)

    def number(self) -> int:
        """Return a new id."""
        self._number += 1
        return self._number

    def read(self, seconds: float = 0.0) -> list[Message]:
        """Return the messages that arrive within *seconds*, and remember states of sessions."""
        assert self._link
        self._link.settimeout(max(seconds, 0.001))
        found: list[Message] = []
        with suppress(TimeoutError, ConnectionError):
            *lines, self._partial = (self._partial + self._link.recv(1 << 20)).split(b"\n")
            found = [message.decode(line) for line in lines]
        for item in found:
            if isinstance(item, SessionChanged):
                self.states[item.peer] = item
        self._unread += found
        return found

    def wait(
        self, accept: Callable[[Message], bool], what: str, seconds: float = PATIENCE
    ) -> Message:
        """Return the first message that *accept* accepts."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self._unread:
                item = self._unread.popleft()
                if accept(item):
                    return item
            self.read(0.2)
        pytest.fail(f"not within {seconds:.0f} s: {what}; stderr: {self.stderr()}")

    def until(self, peer: Address, state: PeerState, seconds: float = PATIENCE) -> SessionChanged:
        """Wait until the session with *peer* is in *state*, however soon it leaves it again."""
        deadline = time.monotonic() + seconds
        seen: list[Message] = list(self.states.values())
        while True:
            for item in seen:
                if isinstance(item, SessionChanged) and (item.peer, item.state) == (peer, state):
                    return item
            if time.monotonic() > deadline:
                pytest.fail(f"{peer} not {state}: {self.states.get(peer)}; {self.stderr()}")
            seen = list(self.read(0.1))

    def update(self, *peers: PeerUpdate) -> Done:
        """Change what peers are offered, and wait for the answer."""
        number = self.number()
        self.send(Update(id=number, peers=peers))
        return self.done(number)

    def done(self, number: int, seconds: float = PATIENCE) -> Done:
        """Wait for the answer to command *number*."""
        found = self.wait(
            lambda item: isinstance(item, Done) and item.id == number, "Done", seconds
        )
        assert isinstance(found, Done)
        return found

    def reload(self, *peers: Peer) -> Reloaded:
        """Write the file, and have it read."""
        self.write(*peers)
        number = self.number()
        self.send(Reload(id=number))
        found = self.wait(lambda item: getattr(item, "id", None) == number, "Reloaded")
        assert isinstance(found, Reloaded), found
        return found

    @property
    def pid(self) -> int:
        """The launcher's pid inside its namespace; it has to run."""
        return int(self.space.run("pgrep", "-o", "-f", "bgpd.exabgp.launcher --conf"))

    def signal(self, number: signal.Signals, pid: int = 0) -> None:
        """Send a signal to the launcher, or to *pid* inside its namespace."""
        self.space.run("kill", f"-{number.value}", str(pid or self.pid))

    @property
    def running(self) -> bool:
        """Whether the launcher still runs."""
        return self._process is not None and self._process.poll() is None

    def exit_status(self, seconds: float = PATIENCE) -> int:
        """Wait for the launcher's end."""
        assert self._process
        return self._process.wait(timeout=seconds)

    def stderr(self) -> str:
        """Return what it wrote to stderr."""
        path = self.directory / "speaker.err"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        """Let the sockets go, and the process that waits for the launcher."""
        if self._link:
            self._link.close()
        self._listener.close()
        if self._process:
            self._process.wait()
