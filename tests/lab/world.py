"""The private world of one lab: mount, network and process namespaces that die together.

Outside, we start `unshare … python -m tests.lab …` again with BGPD_LAB_WORLD set; inside, that
Python is process 1 of its own world, and when it ends, by whatever cause, the kernel ends all the
others. `setpriv --pdeathsig` ties the world to us, so that a kill -9 of the outer process is
no way to leave something behind either.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from tests.lab.nodes import PROGRAMS, ROOT, alive, children
from tests.lab.plan import EX_CONFIG, LabError

INSIDE = "BGPD_LAB_WORLD"
"""Set inside a world: the directory of its logs."""

_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
_USER = ("--user", "--map-root-user")
_ENTER = (
    'cd "$1" 2>/dev/null; there=$2 target=$3; shift 3; '
    'command -v "$1" >/dev/null || { echo "$1: this machine has no such command, so $target has '
    'none; it has $there" >&2; exit 127; }; exec "$@"'
)
_TOOLS = (
    *("bgpctl", "birdc", "vtysh", "gobgp", "ip", "ss", "nft", "tcpdump", "ping"),
    *("nc", "curl", "python3", "sh"),
)
_SPACES = {"client", "router", "router2", "router3", "router4", "upstream", "fabric"}
"""What may be named beside nodes, where a lab has it."""
_PROBE = "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up"
_INTERRUPTED = 130
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KEEP_DIRECTORIES = 10
"""Logs of worlds that failed are kept, the newest so many; those of the others go at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A world in the background, as its state file remembers it."""

    pid: int
    """The outermost process, as the host counts."""
    started: int
    """When it started, in the kernel's ticks: guards against a pid that was used again."""
    user: bool
    """Whether the world has a user namespace of its own."""
    directory: str


def unshare_command() -> tuple[str, ...]:
    """Return the words that make a world here, or raise with the one clear sentence."""
    for extra in ((), _USER):
        command = (*_UNSHARE, *extra)
        if shutil.which("unshare") is None:
            break
        done = subprocess.run(
            [*command, "sh", "-c", _PROBE], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return command
    raise LabError(
        "the lab needs namespaces of its own: run it as root, or where the kernel lets "
        "ordinary users make user namespaces (user.max_user_namespaces, apparmor_restrict_"
        "unprivileged_userns); neither works here",
        EX_CONFIG,
    )


def new_directory() -> Path:
    """Return a new directory for one world's logs, below build/lab, and sweep old ones."""
    parent = ROOT / "build" / "lab"
    parent.mkdir(parents=True, exist_ok=True)
    old = sorted(parent.glob("world-*"), key=_changed)
    for path in old[:-_KEEP_DIRECTORIES]:
        if not _owner_lives(path):
            shutil.rmtree(path, ignore_errors=True)
    directory = parent / f"world-{os.getpid()}-{time.monotonic_ns() % 10**9}"
    directory.mkdir()
    directory.chmod(0o755)
    (directory / "owner").write_text(str(os.getpid()))
    return directory


def run_inside(arguments: Sequence[str], module: str = "tests.lab") -> int:
    """Run `python -m MODULE ARGUMENTS` as process 1 of a new world; return its exit status."""
    raise_at_signals()
    unshare = unshare_command()
    directory = new_directory()
    process: subprocess.Popen[bytes] | None = None
    try:
        command, environment = _world_command(unshare, arguments, directory, module)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command], env=environment
        )
        status = process.wait()
    except (KeyboardInterrupt, SystemExit) as told:
        _end_early(process, directory)
        print("ended before its time: the lab is gone, and its files with it", file=sys.stderr)
        return _status(told)
    if status in {0, _INTERRUPTED}:
        shutil.rmtree(directory, ignore_errors=True)
    return status if status >= 0 else 128 - status


def become_world() -> Path:
    """Prepare the world from inside: its own /proc, a private /run. Return its directory."""
    for target, kind in (("/proc", "proc"), ("/run", "tmpfs"), ("/var/tmp", "tmpfs")):  # noqa: S108
        subprocess.run(["mount", "-t", kind, kind, target], check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return Path(os.environ[INSIDE])


def start_in_background(arguments: Sequence[str], name: str) -> State:
    """Start a world that outlives us, wait until it says `ready`, and remember it."""
    path = state_file(name)
    if path.exists() and _living(State(**json.loads(path.read_text()))):
        raise LabError(f"a lab named {name} is up already: scripts/lab down --name {name}", 2)
    raise_at_signals()
    unshare = unshare_command()
    directory = new_directory()
    process: subprocess.Popen[bytes] | None = None
    try:
        process = _start_detached(_world_command(unshare, arguments, directory), directory)
        state = State(
            pid=process.pid,
            started=_started(process.pid),
            user="--user" in unshare,
            directory=str(directory),
        )
        path.write_text(json.dumps(asdict(state)))
        _await_ready(process, directory, name)
    except (KeyboardInterrupt, SystemExit) as told:
        _end_early(process, directory)
        path.unlink(missing_ok=True)
        raise LabError(
            f"ended before it was up: the half-built lab {name} is gone", _status(told)
        ) from None
    return state


def load(name: str) -> State:
    """Return the remembered world *name*, or raise where there is none alive."""
    path = state_file(name)
    if not path.exists():
        raise LabError(f"no lab named {name} is up: scripts/lab up", 2)
    state = State(**json.loads(path.read_text()))
    if not _living(state):
        raise LabError(f"the lab named {name} has died; see {state.directory}", 1)
    return state


def enter(state: State, target: str, command: Sequence[str]) -> int:
    """Run *command* inside a node, the router or the client; return its exit status."""
    first = children(state.pid)
    if not first:
        raise LabError("the lab has died", 1)
    user = ("--user", "--preserve-credentials") if state.user else ()
    outer = ("nsenter", "--target", str(first[0]), *user, "--mount", "--pid", "--net", "--")
    path = f"{PROGRAMS}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    there = " ".join(tool for tool in _TOOLS if shutil.which(tool, path=path))
    words = [str(Path.cwd()), there, target, *command]
    done = subprocess.run(
        [*outer, *_into(state, target), "sh", "-c", _ENTER, "sh", *words],
        env={**os.environ, "PATH": path},
        check=False,
    )
    return done.returncode


def down(name: str) -> None:
    """End the world *name* and verify that nothing of it is left."""
    path = state_file(name)
    if not path.exists():
        raise LabError(f"no lab named {name} is up", 2)
    state = State(**json.loads(path.read_text()))
    if _living(state):
        spaces = _spaces(state.pid)
        os.kill(state.pid, signal.SIGKILL)
        if not _await_gone(lambda: not _living(state) and not _inhabitants(spaces)):
            raise LabError(f"processes of {name} are left: {_inhabitants(spaces)}")
    path.unlink()
    shutil.rmtree(state.directory, ignore_errors=True)


def state_file(name: str) -> Path:
    """Return where the background world *name* is remembered."""
    if not name.isidentifier():
        raise LabError(f"--name {name}: letters, digits and underscores only", 2)
    parent = ROOT / "build" / "lab"
    parent.mkdir(parents=True, exist_ok=True)
    return parent / f"{name}.json"


def _into(state: State, target: str) -> tuple[str, ...]:
    if target in _SPACES:
        return ("nsenter", f"--net=/run/netns/{target}", "--")
    pids = Path(state.directory) / target / "pids.json"
    if not pids.exists():
        raise LabError(f"{target}: no such node; there are client, router, n1, n2, …", 2)
    init = json.loads(pids.read_text())["init"]
    return ("nsenter", "--target", str(init), "--mount", "--net", "--")


def _world_command(
    unshare: Sequence[str], arguments: Sequence[str], directory: Path, module: str = "tests.lab"
) -> tuple[tuple[str, ...], dict[str, str]]:
    before = os.environ.get("PYTHONPATH", "").split(":")
    environment = {
        **os.environ,
        INSIDE: str(directory),
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        "PYTHONPATH": ":".join(filter(None, (*before, str(ROOT)))),
        "PYTHONUNBUFFERED": "1",
    }
    return (*unshare, sys.executable, "-m", module, *arguments), environment


def _start_detached(
    what: tuple[tuple[str, ...], dict[str, str]], directory: Path
) -> subprocess.Popen[bytes]:
    """Start a world in a session of its own, which no Ctrl-C reaches, with a log of its own."""
    command, environment = what
    with (directory / "world.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    (directory / "owner").write_text(str(process.pid))
    return process


def raise_at_signals() -> None:
    """Let SIGTERM and SIGHUP be exceptions, as Ctrl-C is: whoever is told to end tidies up.

    Only the first one is: a demonstration hands on what the terminal has sent to all already.
    """

    def end(number: int, _: object) -> NoReturn:
        for other in _ENDINGS:
            signal.signal(other, lambda *_: None)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for number in _ENDINGS:
        signal.signal(number, end)


def _status(told: BaseException) -> int:
    return told.code if isinstance(told, SystemExit) and isinstance(told.code, int) else 130


def _end_early(process: subprocess.Popen[bytes] | None, directory: Path) -> None:
    """End a world and remove its directory."""
    if process is not None:
        spaces = _spaces(process.pid)
        process.kill()
        process.wait()
        _await_gone(lambda: not _inhabitants(spaces))
    shutil.rmtree(directory, ignore_errors=True)


def _await_gone(gone: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not gone():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _await_ready(process: subprocess.Popen[bytes], directory: Path, name: str) -> None:
    log = directory / "world.log"
    while process.poll() is None:
        if (directory / "ready").exists():
            return
        time.sleep(0.05)
    state_file(name).unlink()
    lines = log.read_text().strip().splitlines() or ["no reason given"]
    raise LabError(lines[-1], process.returncode)


def _living(state: State) -> bool:
    return alive(state.pid) and _started(state.pid) == state.started


def _started(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return -1


def _spaces(outermost: int) -> set[str]:
    """Return the process namespaces of a world, by its outermost process."""
    found = set()
    for pid in children(outermost):
        with suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/ns/pid").readlink()))
    return found


def _inhabitants(spaces: set[str]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if str((entry / "ns" / "pid").readlink()) in spaces:
                    found.append(int(entry.name))
    return found


def _changed(path: Path) -> float:
    """Return when *path* changed; one that its own world has just removed is the oldest."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _owner_lives(directory: Path) -> bool:
    try:
        return alive(int((directory / "owner").read_text()))
    except (OSError, ValueError):
        return False
