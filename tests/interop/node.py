"""A node with the shipped speaker, and an agent that says what a test wants."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import msgspec

from bgpd.ipc.ask import ask
from bgpd.ipc.message import VERSION, AnyMessage, Ask, Beat, Delta, Desired, Hello, encode
from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import Advertisement
from bgpd.model.status import SessionStatus, SpeakerStatus
from tests.exabgp.space import Space, eventually

POOLS = (Prefix("198.18.0.0/15"), Prefix("2001:db8::/32"))


class Node:
    """`bgpd speaker` in a namespace, and the test in the agent's place."""

    def __init__(self, space: Space, directory: Path, *, name: str = "n1") -> None:
        """Prepare; nothing is started yet."""
        self.space = space
        self.name = NodeName(name)
        self.directory = directory
        self.run_dir, self.state_dir = directory / "run", directory / "state"
        for path in (directory, self.run_dir, self.state_dir):
            path.mkdir(exist_ok=True)
        self._key = directory / "key"
        self._key.write_text("k" * 32)
        self._key.chmod(0o600)
        self._speaker: subprocess.Popen[bytes] | None = None
        self._agent: _Agent | None = None
        self._sequence = 0

    def start(self, *options: str, log_level: str = "info", agent: bool = True) -> None:
        """Start the speaker as a container or systemd would, and connect as its agent."""
        self._speaker = self.space.start(
            *(sys.executable, "-m", "bgpd.ctl.daemon", "speaker", "--node", self.name),
            *("--mesh-key-file", str(self._key), "--log-level", log_level),
            *("--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir)),
            *options,
            log=self.directory / "speaker.log",
        )
        if agent:
            self._agent = eventually(self._connect, "the speaker's socket")

    def want(self, peers: Sequence[Peer], wishes: Iterable[Advertisement]) -> None:
        """Say everything that is desired."""
        self._sequence += 1
        self.say(
            Desired(
                sequence=self._sequence,
                node=self.name,
                cluster_uid="interop",
                members=(),
                peers=tuple(peers),
                pools=POOLS,
                advertisements=tuple(wishes),
            )
        )

    def change(
        self,
        advertise: Iterable[Advertisement] = (),
        withdraw: Iterable[tuple[PeerName, Prefix]] = (),
    ) -> None:
        """Say what has changed."""
        self._sequence += 1
        routes = tuple(advertise)
        self.say(Delta(sequence=self._sequence, advertise=routes, withdraw=tuple(withdraw)))

    def status(self) -> SpeakerStatus:
        """Return what the speaker says of itself."""
        answer = ask(self.run_dir / "speaker.sock", Ask(question="status"), timeout=10.0)
        return msgspec.convert(answer.content, SpeakerStatus)

    def sessions(self) -> dict[PeerName, SessionStatus]:
        """Return the sessions by their peers' names; none while the speaker does not answer."""
        with suppress(BgpdError):
            return {one.peer: one for one in self.status().sessions}
        return {}

    def log(self) -> str:
        """Return what the speaker wrote."""
        return (self.directory / "speaker.log").read_text(errors="replace")

    def leave(self) -> None:
        """Hang up, as an agent that dies."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def close(self) -> None:
        """Hang up, and wait for the speaker, whose namespace has ended."""
        self.leave()
        if self._speaker is not None:
            self._speaker.wait()

    def say(self, message: AnyMessage) -> None:
        """Say *message* as the agent."""
        assert self._agent is not None
        self._agent.say(message)

    def _connect(self) -> "_Agent | None":
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(self.run_dir / "speaker.sock"))
        except OSError:
            link.close()
            return None
        return _Agent(link)


class _Agent:
    """An agent's connection: beats each second, reads what it is told and forgets it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._over = Event()
        self.say(Hello(version=VERSION, role="agent"))
        self._threads = (Thread(target=self._beat), Thread(target=self._read))
        for thread in self._threads:
            thread.start()

    def say(self, message: AnyMessage) -> None:
        self._link.sendall(encode(message))

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._link.close()

    def _beat(self) -> None:
        with suppress(OSError):
            while not self._over.wait(1.0):
                self.say(Beat())

    def _read(self) -> None:
        with suppress(OSError):
            while self._link.recv(1 << 20):
                pass


def until(node: Node, peer: PeerName, pattern: str, seconds: float = 15.0) -> SessionStatus:
    """Return the session with *peer* once its state is *pattern*."""

    def look() -> SessionStatus | None:
        session = node.sessions().get(peer)
        return session if session is not None and session.state.value == pattern else None

    began = time.monotonic()
    found = eventually(look, f"{peer}: {pattern}", seconds)
    assert time.monotonic() - began < seconds + 10.0
    return found
