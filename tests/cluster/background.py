"""A cluster that outlives the command that asked for it: `up`, `status`, `down`.

`up` starts a supervisor, a Python that holds the `Cluster`; when that ends, by whatever cause, the
kernel ends the programs. `down` ends the supervisor that the state file names, if it is still the
process that started then, and looks after the programs.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster import cgroups, control, net
from tests.cluster.cluster import Cluster
from tests.cluster.error import EX_USAGE, ClusterError
from tests.cluster.nodecluster import NodeCluster, group_name
from tests.cluster.processes import start_time
from tests.cluster.relay import Relay

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "cluster"
_PATIENCE = 180.0
_POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A cluster in the background, as its state file remembers it."""

    url: str
    kubeconfig: str
    started: Mapping[str, tuple[int, int]]
    """Each process: its pid, and when it started, which guards against a pid used again."""
    nodes: int = 0

    @property
    def living(self) -> dict[str, int]:
        """The processes that still run."""
        return {name: pid for name, (pid, at) in self.started.items() if start_time(pid) == at}


def place(name: str, parent: Path = PLACE) -> Path:
    """Return the directory of the cluster *name*."""
    if not name.replace("-", "_").isidentifier():
        raise ClusterError(f"--name {name}: letters, digits, - and _ only", EX_USAGE)
    return parent / name


def names(parent: Path = PLACE) -> list[str]:
    """Return the names of all clusters that left a state, whether they still run or not."""
    return sorted(path.parent.name for path in parent.glob("*/state.json"))


def load(directory: Path) -> State | None:
    """Return what *directory* remembers, or nothing where no cluster is."""
    try:
        read = json.loads((directory / "state.json").read_text())
    except FileNotFoundError:
        return None
    return State(
        url=read["url"],
        kubeconfig=read["kubeconfig"],
        started={name: (pid, at) for name, (pid, at) in read["started"].items()},
        nodes=read["nodes"],
    )


def up(directory: Path, *, port: int = 0, controllers: bool = False, nodes: int = 0) -> State:
    """Start a cluster in *directory* that stays up, and return when it is ready."""
    before = load(directory)
    if before and before.living:
        raise ClusterError(
            f"a cluster is up in {directory}: scripts/cluster down --name {directory.name}",
            EX_USAGE,
        )
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    words = [str(directory), str(port), "controllers" if controllers else "alone", str(nodes)]
    pid = _spawn([sys.executable, "-m", "tests.cluster.background", *words], directory)
    try:
        return _await(directory, pid)
    except BaseException as told:
        _give_up(pid)
        cgroups.remove(group_name(directory))
        if not isinstance(told, ClusterError):  # whose logs say why
            shutil.rmtree(directory)
        raise


def down(directory: Path) -> None:
    """End the cluster in *directory*, verify that nothing of it runs, and remove its files."""
    state = load(directory)
    if state is None:
        raise ClusterError(f"no cluster is up in {directory}", EX_USAGE)
    _end(state, "supervisor", signal.SIGTERM)
    if not _until(lambda: not state.living, 90.0 if state.nodes else 30.0):
        for name in state.living:
            _end(state, name, signal.SIGKILL)
    if not _until(lambda: not state.living, 60.0):
        raise ClusterError(f"processes are left: {state.living}")
    cgroups.remove(group_name(directory))  # where the supervisor could not
    shutil.rmtree(directory)


def serve(directory: Path, *, port: int, controllers: bool, nodes: int = 0) -> int:
    """Be the supervisor: hold a cluster until SIGTERM, or until one of its programs ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if not nodes:
        with Cluster(directory, port=port, controllers=controllers) as cluster:
            began = set(cluster.pids)
            remember(directory, _state(cluster, cluster.url, str(cluster.kubeconfig)))
            return _hold(cluster, began)
    relay = Relay(port)  # before the namespaces: its port is one of this machine
    net.own_namespaces()
    with NodeCluster(directory, nodes) as cluster:
        relay.serve(cluster.connect)
        url, outside = f"https://127.0.0.1:{relay.port}", directory / "outside.kubeconfig"
        cluster.write_kubeconfig(outside, "admin", url)

        def note() -> None:
            remember(directory, _state(cluster, url, str(outside), nodes))

        with control.Door(directory, cluster, note):
            began = set(cluster.pids)
            note()
            return _hold(cluster, began - cluster.nodes.keys())


def _hold(cluster: Cluster, began: set[str]) -> int:
    """Return when a signal says so, or when a program of those that *began* has ended by itself.

    They are known before anybody hears that the cluster is up, and may end one.
    """
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while signal.sigtimedwait(signals, 1.0) is None:
        if gone := sorted(began - cluster.pids.keys()):
            print(f"ended by itself, so all end: {', '.join(gone)}", flush=True)
            return 1
    return 0


def _state(cluster: Cluster, url: str, kubeconfig: str, nodes: int = 0) -> State:
    pids = {"supervisor": os.getpid(), **cluster.pids}
    started = {name: (pid, start_time(pid) or 0) for name, pid in pids.items()}
    return State(url=url, kubeconfig=kubeconfig, started=started, nodes=nodes)


def remember(directory: Path, state: State) -> None:
    """Write the state file in one step."""
    temporary = directory / ".state"
    temporary.write_text(json.dumps(asdict(state), indent=1))
    temporary.replace(directory / "state.json")


def _give_up(pid: int) -> None:
    """End a supervisor that is not ready, as gently as it can be ended."""
    with suppress(ProcessLookupError, ChildProcessError):
        for how in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, how)
            if _until(lambda: os.waitpid(pid, os.WNOHANG)[0] != 0, 90.0):
                return


def _spawn(command: list[str], directory: Path) -> int:
    """Start the supervisor in a session of its own; it is not for us to wait for its end."""
    log = os.O_WRONLY | os.O_CREAT
    return os.posix_spawn(
        command[0],
        command,
        {**os.environ, "PYTHONPATH": str(ROOT)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(directory / "supervisor.log"), log, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _await(directory: Path, pid: int) -> State:
    end, status = time.monotonic() + _PATIENCE, 0
    while time.monotonic() < end:
        ended, how = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(how)
            break
        if state := load(directory):
            return state
        time.sleep(_POLL)
    lines = (directory / "supervisor.log").read_text().strip().splitlines()
    raise ClusterError(lines[-1] if lines else "the cluster does not start", status or 1)


def _end(state: State, name: str, how: signal.Signals) -> None:
    if name in state.living:
        with suppress(ProcessLookupError):
            os.kill(state.living[name], how)


def _until(fact: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL)
    return True


if __name__ == "__main__":
    try:
        sys.exit(
            serve(
                Path(sys.argv[1]),
                port=int(sys.argv[2]),
                controllers=sys.argv[3] == "controllers",
                nodes=int(sys.argv[4]),
            )
        )
    except ClusterError as error:
        print(error)
        sys.exit(error.status)
