"""Two real nodes and two real routers on one link each way, in which things can be broken.

n1 reaches tor-a by `up1` and tor-b by `up2`; n2 has `up1` alone. Both uplinks end in bridges in the
routers' namespace, where one BIRD is both routers. n1 and n2 run the shipped speaker and agent.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bgpd.ctl.doctor import Level
from tests.agent.test_planner import Document, endpoints, node, ours, service
from tests.exabgp.router import Router, bird_session
from tests.exabgp.space import ROOT, Space, eventually, need

N1, N2 = "10.9.0.1", "10.9.0.3"
N1_SECOND: Final = "10.10.0.1"
TOR_A, TOR_B = "10.9.0.2", "10.10.0.2"
EIP: Final = "203.0.113.7"
TWO_UPLINKS: Final = frozenset({("mesh", "")})
"""The rig's only warning: heartbeats leave by one of its two uplinks."""
NOISE: Final = frozenset({("mesh", "n2"), ("takeover", ""), ("generation", "")})
"""Warnings of a machine that is so busy that it loses heartbeats."""
PATIENCE: Final = 75.0
"""Seconds; a session that BIRD has just ended returns within five."""
SOUND: Final = frozenset({"clock"})
"""Checks that depend on the machine of the test, not on the rig."""
PASSWORD: Final = "7f3a-not-to-be-shown"  # noqa: S105 - of this test alone
_LINE: Final = "python[^ ]* -m %s "
"""How the command line of one of our modules begins."""
_PROGRAMS: Final = ("bird", "ip", "nft", "unshare", "nsenter", "setpriv")
_SOON: Final = "error wait time 1, 1;"
"""BIRD otherwise takes no connection for a minute after a session that ended in an error."""
_CHANNEL: Final = "ipv4 { import all; export none; };"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of doctor, as programs read it."""

    level: Level
    check: str
    subject: str
    sentence: str
    next: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is about."""
        return self.check, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What doctor said."""

    status: int
    lines: tuple[Line, ...]
    errors: str

    def at(self, *levels: Level) -> dict[tuple[str, str], str]:
        """Return the sentences of lines with one of *levels*, without the clock's."""
        return {
            one.key: one.sentence
            for one in self.lines
            if one.level in levels and one.check not in SOUND
        }

    @property
    def wrong(self) -> dict[tuple[str, str], str]:
        """What fails, and what warns that neither the rig nor a busy machine explains."""
        warned = self.at(Level.WARN)
        explained = TWO_UPLINKS | NOISE
        strange = {key: one for key, one in warned.items() if key not in explained}
        return strange | self.at(Level.FAIL)


class Rig:
    """The nodes and the routers while they live."""

    def __init__(self, directory: Path, *, more: tuple[Document, ...] = ()) -> None:
        """Build it with *more* documents beside its own, and start everything."""
        self._more = more
        need(*_PROGRAMS, unproven="doctor against a real speaker, agent and BIRD")
        self.directory = directory
        self.spaces = {name: Space() for name in ("n1", "n2", "tor")}
        self._processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._cables()
        key = directory / "key"
        key.write_text("0123456789abcdef0123456789abcdef\n")
        key.chmod(0o600)
        self.documents = directory / "documents"
        self.documents.mkdir()
        self.configure()
        self.router = Router(self.spaces["tor"], directory)
        self.router.start(
            bird_session("a1", N1, TOR_A, f'password "{PASSWORD}"; {_SOON}', _CHANNEL)
            + bird_session("a2", N2, TOR_A, f'password "{PASSWORD}"; {_SOON}', _CHANNEL)
            + bird_session("b1", N1_SECOND, TOR_B, _SOON, _CHANNEL)
        )
        for name in ("n1", "n2"):
            (directory / name).mkdir()
            self.start(name, "speaker")
            self.start(name, "agent")

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        for space in self.spaces.values():
            space.close()
        self.router.close()
        for process in self._processes.values():
            process.wait()

    def configure(self, name: str = "", **other: object) -> None:
        """Write the documents, the BGPPeer *name* with *other* words; None leaves one out."""
        peer: dict[str, object] = {"myASN": 65000, "peerASN": 65530, "ebgpMultiHop": True}
        first = {**peer, "peerAddress": TOR_A, "password": PASSWORD}
        second = {**peer, "peerAddress": TOR_B, "sourceAddress": N1_SECOND}
        for mine, spec in (("tor-a", first), ("tor-b", second)):
            spec.update(other if name == mine else {})
            for word in [word for word, value in spec.items() if value is None]:
                del spec[word]
        only_n1 = [{"matchLabels": {"kubernetes.io/hostname": "n1"}}]
        self._write(
            _labelled(node("n1", N1), "n1"),
            _labelled(node("n2", N2), "n2"),
            ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"]),
            *self._more,
            ours("BGPAdvertisement", "all"),
            ours("BGPPeer", "tor-a", **first),
            ours("BGPPeer", "tor-b", nodeSelectors=only_n1, **second),
            service("web", EIP),
            endpoints("web", "n1", "n2"),
        )

    def start(self, name: str, what: str) -> None:
        """Start the speaker or the agent of a node."""
        here = self.directory / name
        options = {"node": name, "run-dir": here / "run", "state-dir": here / "state"}
        if what == "agent":
            options |= {"source": f"directory:{self.documents}", "cluster-uid": "c"}
        else:
            options |= {"mesh-key-file": self.directory / "key"}
        words = (f"--{option}={value}" for option, value in options.items())
        self._processes[name, what] = self.spaces[name].start(
            *(sys.executable, "-m", "bgpd.ctl.daemon", what, *words), log=here / f"{what}.log"
        )

    def kill(self, name: str, what: str) -> None:
        """End the speaker or the agent of a node with SIGKILL."""
        self._signal(name, "KILL", "bgpd.agent" if what == "agent" else "bgpd.exabgp.launcher")
        self._processes[name, what].wait()
        if what == "speaker":
            # The reflex goes by itself, a moment after ExaBGP, and answers until then.
            look = ("pgrep", "-f", _LINE % "bgpd.speaker")
            eventually(lambda: not self.spaces[name].run(*look, check=False), "the reflex is gone")

    @contextmanager
    def hung(self, name: str, *what: str) -> Iterator[None]:
        """Stop the agent or the whole speaker of a node (SIGSTOP), and let it go on after that."""
        every = {"agent": ("bgpd.agent",), "speaker": ("bgpd.exabgp.launcher", "bgpd.speaker")}
        modules = [module for one in what for module in every[one]]
        for module in modules:
            self._signal(name, "STOP", module)
        try:
            yield
        finally:
            for module in modules:
                self._signal(name, "CONT", module)
            for one in what:
                # What entered the namespace stops when its child does, and reaps nobody then.
                self._processes[name, one].send_signal(signal.SIGCONT)

    def run(self, name: str, *words: str) -> str:
        """Run a command in a node or at the routers."""
        return self.spaces[name].run(*words)

    def bgpctl(
        self, *words: str, before: Iterable[str] = (), name: str = "n1"
    ) -> subprocess.CompletedProcess[str]:
        """Run bgpctl on a node."""
        line = self.spaces[name].wrap(
            *before,
            *(sys.executable, "-m", "bgpd.ctl", *words),
            *("--run-dir", str(self.directory / name / "run")),
        )
        # Entering a mount namespace loses the working directory.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, env=environment, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def doctor(self, *words: str, before: Iterable[str] = (), name: str = "n1") -> Told:
        """Ask doctor on a node."""
        done = self.bgpctl(
            *("doctor", "-o", "json", "--timeout", "1"),
            *("--state-dir", str(self.directory / name / "state"), *words),
            before=before,
            name=name,
        )
        found: Mapping[str, Any] = json.loads(done.stdout)
        lines = tuple(
            Line(level=Level(one.pop("level")), **one) for one in map(dict, found["items"])
        )
        return Told(status=done.returncode, lines=lines, errors=done.stderr)

    def until_sound(self) -> Told:
        """Wait until doctor finds nothing wrong."""
        told = self.doctor()
        deadline = time.monotonic() + PATIENCE
        while wrong := told.wrong:
            assert time.monotonic() < deadline, wrong
            told = self.doctor()
        return told

    def until_well(self, *keys: tuple[str, str]) -> Told:
        """Wait until doctor says OK of each of *keys*, whatever it says of the rest."""
        told = self.doctor()
        deadline = time.monotonic() + PATIENCE
        while missing := set(keys) - set(told.at(Level.OK)):
            assert time.monotonic() < deadline, (missing, told.wrong)
            told = self.doctor()
        return told

    def until_failed(self, check: str, subject: str, words: str) -> Told:
        """Wait until doctor says in these *words* that *check* failed for *subject*."""
        deadline = time.monotonic() + PATIENCE
        told = self.doctor()
        while words not in told.at(Level.FAIL).get((check, subject), ""):
            assert time.monotonic() < deadline, told.wrong
            told = self.doctor()
        return told

    def _signal(self, name: str, number: str, module: str) -> None:
        # Inside its pid namespace there are no others.
        self.spaces[name].run("pkill", f"-{number}", "-f", _LINE % module)

    def _cables(self) -> None:
        tor = self.spaces["tor"]
        for bridge, address in (("lan1", TOR_A), ("lan2", TOR_B)):
            tor.run("ip", "link", "add", bridge, "type", "bridge")
            tor.run("ip", "addr", "add", f"{address}/24", "dev", bridge)
            tor.run("ip", "link", "set", bridge, "up")
        for name, device, bridge, address in (
            ("n1", "up1", "lan1", N1),
            ("n1", "up2", "lan2", N1_SECOND),
            ("n2", "up1", "lan1", N2),
        ):
            space, far = self.spaces[name], f"{name}{device}"
            peer = ("peer", "name", device, "netns", space.pid)
            # Only the network is entered: the number of a process is that of our own pid namespace.
            outside = ("nsenter", "-t", tor.pid, "-n", "ip", "link", "add", far, "type", "veth")
            subprocess.run([*outside, *peer], check=True)
            tor.run("ip", "link", "set", far, "master", bridge, "up")
            space.run("ip", "addr", "add", f"{address}/24", "dev", device)
            space.run("ip", "link", "set", device, "up")
        for name in ("n1", "n2"):
            self.run(name, "ip", "route", "add", "default", "via", TOR_A)
            self.run(name, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
            self.run(name, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0")

    def _write(self, *documents: Document) -> None:
        beside = self.documents / ".new"
        beside.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
        beside.rename(self.documents / "all.json")


def _labelled(document: Document, name: str) -> Document:
    labels = {"kubernetes.io/hostname": name}
    return {**document, "metadata": {"name": name, "labels": labels}}
