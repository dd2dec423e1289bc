"""TCP MD5 passwords: changed on one peer without a word to the other, and seen by nobody."""

import base64
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.model.status import SessionStatus
from tests.exabgp.space import Space, eventually, need
from tests.interop import configurations
from tests.interop.bench import cable
from tests.interop.cases import KEY, Case, Neighbor
from tests.interop.node import Node, until
from tests.interop.routers import Bird

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

OLD, NEW, OTHER = f"{KEY}-old-canary", f"{KEY}-new-canary", f"{KEY}-other-canary"
KEYS = (OLD, NEW, OTHER)
FIRST = Case(number=1, title="the peer whose password changes", theirs=Neighbor(password=OLD))
SECOND = Case(number=2, title="the other", theirs=Neighbor(password=OTHER))
MAY_HOLD = {"exabgp.conf", "desired.json", "objects.json"}
"""Files with passwords, so that a node starts without its agent, and an agent without documents."""


class World:
    """A node with agent and speaker, and two routers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spaces = {name: Space() for name in ("node", "case1", "case2")}
        self.routers = {}
        for case in (FIRST, SECOND):
            cable(self.spaces, ("node", case.name), (case.name, "uplink"))
            for space, device, address in (
                ("node", case.name, case.node),
                (case.name, "uplink", case.router),
            ):
                self.spaces[space].run("ip", "addr", "add", f"{address}/24", "dev", device)
            where = directory / case.name
            self.routers[case.name] = Bird(self.spaces[case.name], where, [case])
        self.node = Node(self.spaces["node"], directory / "node")
        self._documents = directory / "documents"
        self._documents.mkdir()
        self._agent: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything at the log level that says most."""
        for router in self.routers.values():
            router.start()
        for case in (FIRST, SECOND):
            self.key(case, case.theirs.password)
        documents = [_peer(case, self._key_file(case)) for case in (FIRST, SECOND)]
        text = "".join(f"---\n{json.dumps(one)}\n" for one in (*documents, _node()))
        (self._documents / "all.yaml").write_text(text)
        self.node.start(log_level="debug", agent=False)
        self._agent = self.spaces["node"].start(
            *(sys.executable, "-m", "bgpd.ctl.daemon", "agent", "--node", "n1"),
            *("--source", f"directory:{self._documents}", "--cluster-uid", "passwords"),
            *("--run-dir", str(self.node.run_dir), "--state-dir", str(self.node.state_dir)),
            *("--log-level", "debug"),
            log=self.directory / "agent.log",
        )

    def key(self, case: Case, password: str) -> None:
        """Put *password* where the node reads it, as a mounted Secret changes: in one step."""
        path = self._key_file(case)
        fresh = path.with_name(f".{path.name}")
        fresh.write_text(password)
        fresh.chmod(0o600)
        fresh.replace(path)

    def rekey(self, case: Case, password: str) -> None:
        """Have the router of *case* use *password* from now on."""
        router = self.routers[case.name]
        changed = replace(case, theirs=Neighbor(password=password))
        text = configurations.bird([changed], router.directory)
        (router.directory / "bird.conf").write_text(text)
        router.ask("configure")

    def connection(self, case: Case) -> str:
        """Return what tells one TCP connection from the next: ports and inode."""
        lines = self.spaces["node"].run("ss", "-tnHe", "dst", case.router).splitlines()
        return " ".join(
            word for word in " ".join(lines).split() if ":" in word and "timer" not in word
        )

    def processes(self) -> dict[int, Path]:
        """Return the processes of the node by pid, with their directories in /proc."""
        own = Path(f"/proc/{self.spaces['node'].pid}/ns/pid").readlink()
        return {int(one.name): one for one in _proc() if _namespace(one) == own}

    def close(self) -> None:
        """End everything."""
        for space in self.spaces.values():
            space.close()
        self.node.close()
        for router in self.routers.values():
            router.close()
        if self._agent is not None:
            self._agent.wait()

    def _key_file(self, case: Case) -> Path:
        return self.directory / f"{case.name}.key"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    unproven = "passwords of peers on a node with agent and speaker"
    need("ip", "unshare", "nsenter", "ss", *Bird.programs, unproven=unproven)
    with ExitStack() as stack:
        world = World(tmp_path)
        stack.callback(world.close)
        world.start()
        for case in (FIRST, SECOND):
            until(world.node, case.name, "Established", 30.0)
        yield world


def test_a_password_changed_on_one_peer_leaves_the_other_session_as_it_is(world: World) -> None:
    """Same TCP connection, same uptime; the one that changed is back with the new password."""
    before = _facts(world, SECOND)
    down = world.node.sessions()[FIRST.name].transitions
    world.rekey(FIRST, NEW)
    world.key(FIRST, NEW)

    def back() -> bool:
        session = world.node.sessions().get(FIRST.name)
        return session is not None and _up(session) and session.transitions >= down + 2

    eventually(back, "the session with the new password", 30.0)
    assert _facts(world, SECOND) == before
    assert NEW in _md5_of(world)


def test_a_password_is_seen_by_nobody(world: World) -> None:
    """Not in a log, a process list, an answer, or a file that others may read; in no core."""
    world.key(FIRST, NEW)  # the router has the old one: errors are written, too
    eventually(lambda: NEW in _md5_of(world), "the new password in ExaBGP's configuration")
    eventually(lambda: "MD5" in _error(world), "a sentence about the password", 20.0)
    found = {name: key for name, text in _public(world) for key in _forms() if key in text}
    assert found == {}
    assert _held(world) <= MAY_HOLD
    for pid, directory in world.processes().items():
        if "bgpd." not in (directory / "cmdline").read_text():
            continue
        limits = (directory / "limits").read_text()
        (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"], (pid, core)
        assert int((directory / "coredump_filter").read_text(), 16) == 0


def _facts(world: World, case: Case) -> tuple[object, ...]:
    session = world.node.sessions()[case.name]
    return (_up(session), session.since, session.transitions, world.connection(case))


def _error(world: World) -> str:
    return world.node.sessions()[FIRST.name].last_error


def _up(session: SessionStatus) -> bool:
    return session.state.value == "Established"


def _md5_of(world: World) -> str:
    """Return ExaBGP's configuration with the passwords in the clear."""
    text = (world.node.state_dir / "exabgp.conf").read_text()
    words = [line.split()[1].rstrip(";") for line in text.splitlines() if "md5-password" in line]
    return " ".join(base64.b64decode(word).decode() for word in words)


def _forms() -> Iterator[str]:
    for key in KEYS:
        yield key
        yield base64.b64encode(key.encode()).decode()


def _public(world: World) -> Iterator[tuple[str, str]]:
    """Yield everything that somebody else may read, by name."""
    yield "speaker.log", world.node.log()
    yield "agent.log", (world.directory / "agent.log").read_text()
    for pid, directory in world.processes().items():
        for name in ("cmdline", "environ"):
            yield f"{pid}/{name}", (directory / name).read_bytes().decode("latin-1")
    where = ("--run-dir", str(world.node.run_dir))
    for words in (
        ("status",),
        ("status", "-o", "json"),
        ("explain",),
        ("explain", FIRST.name),
        ("timeline",),
        ("doctor", "-o", "json"),
    ):
        line = (sys.executable, "-m", "bgpd.ctl", *words, *where)
        wrapped = world.spaces["node"].wrap(*line)
        done = subprocess.run(wrapped, capture_output=True, text=True, check=False, timeout=60)
        yield " ".join(words), done.stdout + done.stderr
        assert done.stdout, (words, done.stderr)
    yield from _bundle(world)
    for path, mode, text in _files(world):
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield str(path), text


def _bundle(world: World) -> Iterator[tuple[str, str]]:
    """Yield every file of the archive that is sent to strangers; the state directory is in it."""
    path = world.directory / "bundle.tar.gz"
    line = (sys.executable, "-m", "bgpd.ctl", "debug", "bundle", str(path))
    where = ("--run-dir", str(world.node.run_dir), "--state-dir", str(world.node.state_dir))
    wrapped = world.spaces["node"].wrap(*line, *where, "--log", str(world.directory / "agent.log"))
    done = subprocess.run(wrapped, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    yield "bundle", done.stdout + done.stderr
    with tarfile.open(path) as tar:
        names = {Path(one.name).name for one in tar.getmembers()}
        assert MAY_HOLD | {"0-agent.log", "all.yaml.json"} <= names
        for one in tar.getmembers():
            file = tar.extractfile(one)
            assert file is not None
            yield one.name, file.read().decode()


def _held(world: World) -> set[str]:
    """Return the names of the node's files that hold a password."""
    files = _files(world)
    held = {path.name for path, _, text in files if any(form in text for form in _forms())}
    return {name.removesuffix(".new") for name in held}  # as it is called while it is written


def _files(world: World) -> Iterator[tuple[Path, int, str]]:
    """Yield the node's files with their modes; one that is renamed under our eyes has two names."""
    for root in (world.node.run_dir, world.node.state_dir):
        for path in root.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.stat().st_mode, path.read_bytes().decode("latin-1")


def _proc() -> Iterator[Path]:
    return (one for one in Path("/proc").iterdir() if one.name.isdigit())


def _namespace(process: Path) -> Path | None:
    try:
        return (process / "ns" / "pid").readlink()
    except OSError:
        return None


def _peer(case: Case, key_file: Path) -> dict[str, Any]:
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": "BGPPeer",
        "metadata": {"name": case.name, "namespace": "bgpd-system"},
        "spec": {
            "myASN": 65000,
            "peerASN": 65530,
            "peerAddress": case.router,
            "sourceAddress": case.node,
            "passwordFile": os.fspath(key_file),
        },
    }


def _node() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": FIRST.node}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
