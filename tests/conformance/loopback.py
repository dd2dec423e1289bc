"""The shipped ExaBGP on loopback, and a line to it in the place of a reflex."""

import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.exabgp import command, message
from bgpd.exabgp.command import Command, PeerUpdate, RouteGroup, Update
from bgpd.exabgp.configuration import render
from bgpd.exabgp.message import Done, Message, SessionChanged
from bgpd.model.peer import Peer, PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.route import Attributes
from bgpd.policy.reconcile import plan

_ROOT: Final = Path(__file__).parents[2]
_RELAY: Final = _ROOT / "tests" / "exabgp" / "relay.py"
_SECONDS: Final = 20.0


class Exabgp:
    """One process of the launcher with one peer; `close` ends it."""

    def __init__(self, peer: Peer, *, inside: Sequence[str] = ()) -> None:
        """Start it with *peer*; *inside* is a command that starts it elsewhere."""
        self.peer = peer
        self.heard: list[SessionChanged] = []
        self._offered: dict[Prefix, Attributes] = {}
        self._unread: deque[Message] = deque()
        self._partial = b""
        self._number = 0
        self._directory = tempfile.TemporaryDirectory(prefix="bgpd-conformance-")
        home = Path(self._directory.name)
        (home / "exabgp.conf").write_text(render([peer], reflex="/bin/true"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(home / "reflex"))
        self._listener.listen()
        self._error = home / "stderr"
        with self._error.open("wb") as file:
            self._process = subprocess.Popen(
                [
                    *inside,
                    *(sys.executable, "-m", "bgpd.exabgp.launcher"),
                    *("--configuration", str(home / "exabgp.conf")),
                    *("--reflex", f"{sys.executable} {_RELAY} {home / 'reflex'}"),
                    *("--first-ping", "600"),
                ],
                stdout=file,
                stderr=file,
                cwd=_ROOT,
            )
        self._link = self._accept()

    def _accept(self) -> socket.socket:
        self._listener.settimeout(_SECONDS)
        link, _ = self._listener.accept()
        while link.recv(1) != b"\n":
            pass
        return link

    def close(self) -> None:
        """End the process and what belongs to it."""
        self._process.kill()
        self._process.wait()
        self._link.close()
        self._listener.close()
        self._directory.cleanup()

    @property
    def stderr(self) -> str:
        """What it has complained about."""
        return self._error.read_text()

    def _send(self, value: Command) -> None:
        self._link.sendall(command.encode(value))

    def read(self, seconds: float) -> None:
        """Take in what it says within *seconds*."""
        self._link.settimeout(max(seconds, 0.001))
        with suppress(TimeoutError):
            *lines, self._partial = (self._partial + self._link.recv(1 << 20)).split(b"\n")
            for line in lines:
                found = message.decode(line)
                self._unread.append(found)
                if isinstance(found, SessionChanged):
                    self.heard.append(found)

    def until(self, state: PeerState, seconds: float = _SECONDS, after: int = 0) -> bool:
        """Return whether the session is in *state* within *seconds*, not counting *after* news."""
        deadline = time.monotonic() + seconds
        while not any(one.state is state for one in self.heard[after:]):
            if time.monotonic() > deadline:
                return False
            self.read(0.1)
        return True

    def offer(self, routes: dict[Prefix, Attributes]) -> None:
        """Offer exactly *routes*, by the fewest commands from what was offered before."""
        name = PeerName("router")
        for one in plan({name: routes}, {name: self._offered}):
            groups = tuple(
                RouteGroup(attributes=attributes, prefixes=prefixes)
                for attributes, prefixes in one.advertise
            )
            self._update(
                PeerUpdate(peer=self.peer.address, withdraw=one.withdraw, advertise=groups)
            )
        self._offered = dict(routes)

    def _update(self, *peers: PeerUpdate) -> None:
        self._number += 1
        self._send(Update(id=self._number, peers=peers))
        deadline = time.monotonic() + _SECONDS
        while not any(isinstance(one, Done) and one.id == self._number for one in self._unread):
            if time.monotonic() > deadline:
                raise TimeoutError(f"ExaBGP does not answer; {self.stderr}")
            self.read(0.1)


def errors(heard: Sequence[SessionChanged]) -> list[str]:
    """Return what was said to be wrong."""
    return [one.error for one in heard if one.error]
