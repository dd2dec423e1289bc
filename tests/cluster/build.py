"""Build etcd and Kubernetes from the Go module proxy, once for each version.

Cold it takes five to ten minutes on two cores; the programs are then in the cache and nobody
builds again. The versions of all that is compiled are locked in `modules/`.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.cluster.binaries import ASSETS, MODULES, PROGRAMS, cache, missing, place, version
from tests.cluster.error import EX_CONFIG, ClusterError

PACKAGES: Final = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    **{
        name: ("kubernetes", f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            *("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
        )
    },
    **{
        name: ("containerd", f"github.com/containerd/containerd/v2/cmd/{name}")
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    "pause": ("pause", "."),
}
"""The module that locks each program, and the package that it is."""
_INTERVAL = 10.0
"""Seconds between two lines of progress."""
_MEMORY_PER_JOB = 3 << 30
"""A compiler of the largest packages, or the linker, takes about two GiB."""

Say = Callable[[str], None]


def can_build() -> bool:
    """Tell whether this machine has Go."""
    return shutil.which("go") is not None


def build(say: Say, names: Sequence[str] = PROGRAMS) -> None:
    """Put those of *names* that are nowhere yet into the cache; tell *say* how far it is."""
    if not missing(names):
        return
    if not can_build():
        raise ClusterError(
            f"{', '.join(missing(names))}: not on this machine, and there is no Go to build with: "
            f"install Go 1.26, or set {ASSETS} to a directory that holds them",
            EX_CONFIG,
        )
    directory = cache()
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory, say):
        for left in (x for name in names for x in place(name).glob(".*")):
            shutil.rmtree(left, ignore_errors=True)  # by a build that was killed
        todo = missing(names)  # somebody else may have built while we waited
        if todo:
            say(f"building {', '.join(todo)} into {directory}: minutes, but only once")
        for name in todo:
            place(name).mkdir(exist_ok=True)
            _build(name, place(name), say)


@contextmanager
def _alone(directory: Path, say: Say) -> Iterator[None]:
    """Hold the cache's lock: two builds at once would take twice the memory, not half the time."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build holds {directory / 'lock'}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment() -> dict[str, str]:
    """Return what Go is run with: no C, and no workspace of the caller's."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def _build(name: str, directory: Path, say: Say) -> None:
    module, package = PACKAGES[name]
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=directory) as scratch:
        made = Path(scratch) / name
        command = [
            *("nice", "-n", "10", "go", "build", "-v", "-trimpath", "-buildvcs=false"),
            *("-mod=readonly", "-p", str(_jobs()), "-ldflags", _linked(module), "-o", str(made)),
            package,
        ]
        began = time.monotonic()
        with (Path(scratch) / "log").open("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=MODULES / module,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                _wait(process, lambda: say(progress(name, log.name, time.monotonic() - began)))
            finally:
                _end(process)
            if process.returncode != 0:
                raise ClusterError(f"{name} could not be built:\n{_tail(log.name)}", 75)
        made.replace(directory / name)
    say(f"{name}: built in {_clock(time.monotonic() - began)}")


def progress(name: str, log: str, seconds: float) -> str:
    """Return a line on how far the build of *name* is, from what Go wrote to *log*."""
    lines = Path(log).read_text().splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith("go: ") for line in lines)
    return f"{name}: {fetched} modules fetched, {compiled} packages compiled, {_clock(seconds)}"


def _linked(module: str) -> str:
    """Return the linker's flags: without them Kubernetes calls itself v0.0.0-master."""
    if module == "containerd":
        return f"-s -w -X github.com/containerd/containerd/v2/version.Version={version(module)}"
    if module != "kubernetes":
        return "-s -w"
    full = version(module)
    major, minor, _ = full.removeprefix("v").split(".", 2)
    at = "k8s.io/component-base/version"
    named = {"gitVersion": full, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s -w", *(f"-X {at}.{key}={value}" for key, value in named.items())])


def _jobs() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // _MEMORY_PER_JOB))


def _wait(process: subprocess.Popen[bytes], tell: Callable[[], None]) -> None:
    while True:
        try:
            process.wait(_INTERVAL)
        except subprocess.TimeoutExpired:
            tell()
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Go and its compilers where we are interrupted."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _tail(log: str) -> str:
    lines = Path(log).read_text().splitlines()
    return "\n".join([line for line in lines if not line.startswith("go: downloading")][-15:])


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
