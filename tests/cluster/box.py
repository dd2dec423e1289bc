"""Be the first process of a node: `box.py SPECIFICATION`, in namespaces of its own.

A node is a network namespace (made before) and mount, UTS, IPC and process namespaces (made by
unshare(1) just now) in which the default paths are its own: /run, /etc, /opt, /var/lib, /var/log.
We mount these, start containerd, the kubelet and kube-proxy, start again what ends, and reap
whoever is left by its parent. `kill -9` of this process is a loss of power: the kernel ends all
others and removes the mounts.

It is a program of the standard library alone, started by path.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_AGAIN = 0.5
"""Seconds until a component that ended is started again."""
_SOCKET = Path("/run/containerd/containerd.sock")


def main(specification: Mapping[str, Any]) -> None:
    """Live until somebody ends us."""
    directory = Path(specification["directory"])
    mount_all(directory, specification["kernel"])
    for path, text in specification["files"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    Path("/proc/sys/kernel/hostname").write_text(specification["name"])
    os.environ["PATH"] = specification["path"]
    Components(directory, specification).live()


def mount_all(directory: Path, kernel: Mapping[str, str]) -> None:
    """Make this mount namespace the node's own file system."""
    cgroups = directory / "sys"
    cgroups.mkdir(exist_ok=True)
    # A new /sys shows this network namespace; the control groups go over to it.
    _run("mount", "--rbind", "/sys/fs/cgroup", str(cgroups))
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    _run("mount", "--rbind", str(cgroups), "/sys/fs/cgroup")
    _run("umount", "-l", str(cgroups))
    _run("mount", "-t", "proc", "proc", "/proc")
    # A kubelet sets flags of the whole machine: it gets files of its own for them.
    for number, (name, value) in enumerate(sorted(kernel.items())):
        stand_in = directory / f"kernel-{number}"
        stand_in.write_text(f"{value}\n")
        _run("mount", "--bind", str(stand_in), f"/proc/sys/{name}")
    for name in ("etc", "opt"):
        upper, work = directory / name, directory / f"{name}-work"
        for each in (upper, work):
            each.mkdir(exist_ok=True)
        _run("mount", "-t", "overlay", "overlay", f"/{name}",
             "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}")  # fmt: skip
    for name in ("lib", "log"):
        (directory / name).mkdir(exist_ok=True)
        _run("mount", "--bind", str(directory / name), f"/var/{name}")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    # Mounts of pods, and those that pods share with the node, propagate inside this namespace.
    _run("mount", "--make-rshared", "/")


class Components:
    """The programs of a node: containerd, its images, then the others."""

    def __init__(self, directory: Path, specification: Mapping[str, Any]) -> None:
        """Start nothing yet."""
        self._directory = directory
        self._commands: Mapping[str, list[str]] = specification["components"]
        self._first: list[list[str]] = specification["first"]
        self._running: dict[int, str] = {}
        self._due: dict[str, float] = {}
        self._prepared = False

    def live(self) -> None:
        """Start and start again, until a signal says that it is enough."""
        signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        self._due["containerd"] = 0.0
        while True:
            self._start_due()
            told = signal.sigtimedwait(signals, 0.05 if not self._prepared else 0.2)
            if told is not None and told.si_signo != signal.SIGCHLD:
                return
            self._reap()
            if not self._prepared and _SOCKET.exists() and self._prepare():
                self._prepared = True
                self._due |= {name: 0.0 for name in self._commands if name != "containerd"}

    def _prepare(self) -> bool:
        """Do what comes once containerd answers: load images; say whether that went well."""
        for command in self._first:
            with (self._directory / "first.log").open("ab") as log:
                if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                    return False
        return True

    def _start_due(self) -> None:
        now = time.monotonic()
        for name, due in list(self._due.items()):
            if now >= due and not Path(f"/run/{name}.hold").exists():
                del self._due[name]
                pid = self._start(name)
                self._running[pid] = name
                Path(f"/run/{name}.pid").write_text(str(pid))

    def _start(self, name: str) -> int:
        command, log = self._commands[name], str(self._directory / f"{name}.log")
        kinds = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, kinds, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsigmask=[],
        )

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if name := self._running.pop(pid, ""):
                    self._due[name] = time.monotonic() + _AGAIN


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
