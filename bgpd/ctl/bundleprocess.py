"""The processes of ours that run on this host, by their command lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_MODULES: Final = {
    "bgpd.agent": "agent",
    "bgpd.speaker": "speaker",
    "bgpd.exabgp.launcher": "exabgp",
    "bgpd.controller": "controller",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of ours."""

    what: str
    """`agent`, `speaker`, `exabgp` or `controller`."""
    pid: int
    words: tuple[str, ...]

    @property
    def options(self) -> dict[str, str]:
        """The options of its command line, which `bgpd` writes as `--name=value`."""
        pairs = (word[2:].partition("=") for word in self.words if word.startswith("--"))
        return {name: value for name, _, value in pairs}

    def shown(self) -> dict[str, object]:
        """Return what a person wants to know of it."""
        memory = _status(self.pid, "VmRSS")
        return {"process": self.what, "pid": self.pid, "line": " ".join(self.words), "rss": memory}


def processes(run_dir: Path, proc: Path = _PROC) -> tuple[Process, ...]:
    """Return those that can be seen and have their sockets in *run_dir*, with their ExaBGP."""
    found = tuple(_found(proc))
    reflexes = {one.pid for one in found if one.what == "speaker" and _serves(one, run_dir)}
    parents = {_parent(pid) for pid in reflexes}
    ours = [
        one
        for one in found
        if one.pid in reflexes | parents or (one.what == "agent" and _serves(one, run_dir))
    ]
    return tuple(sorted(ours, key=lambda one: one.pid))


def inside(process: Process, path: str) -> Path:
    """Return where a file is that *process* calls *path*: in a container it has other roots."""
    root = _PROC / str(process.pid) / "root"
    there = root / path.lstrip("/")
    try:
        return there if path.startswith("/") and there.exists() else Path(path)
    except OSError:
        return Path(path)


def _serves(process: Process, run_dir: Path) -> bool:
    """Return whether the sockets of *process* are in *run_dir*, whatever it calls that."""
    path = process.options.get("run-dir", "")
    try:
        return bool(path) and inside(process, path).samefile(run_dir)
    except OSError:
        return False


def _parent(pid: int) -> int:
    text = _status(pid, "PPid")
    return int(text) if text.isdecimal() else 0


def _found(proc: Path) -> Iterator[Process]:
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            content = (entry / "cmdline").read_bytes()
        except OSError:  # it ended just now
            continue
        words = tuple(content.decode("utf-8", "replace").rstrip("\0").split("\0"))
        for flag, module in pairwise(words):
            if flag == "-m" and module in _MODULES:
                yield Process(what=_MODULES[module], pid=int(entry.name), words=words)
                break


def _status(pid: int, name: str) -> str:
    try:
        text = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in lines if key == name), "")
