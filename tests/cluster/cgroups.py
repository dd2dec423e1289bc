"""The control groups of a cluster's nodes: where a kubelet makes those of its pods.

Each node has a subtree of its own, `/NAME/n1`, in every hierarchy that the machine has. They are
directories of the kernel's that no namespace takes along: whoever made them removes them.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.cluster.error import ClusterError

TOP: Final = Path("/sys/fs/cgroup")
_PATIENCE: Final = 60.0
_SHARES: Final = 65536
_WEIGHT: Final = 10000
"""The most that a group may weigh; a process weighs 1024, or 100 in version 2."""


def unified(top: Path = TOP) -> bool:
    """Tell whether the machine has version 2 alone."""
    return (top / "cgroup.controllers").exists()


def make(cluster: str, nodes: Iterable[str], top: Path = TOP) -> None:
    """Make the groups of *nodes* in *cluster*."""
    wanted = list(nodes)
    if unified(top):
        group = top / cluster
        for parent in (top, group):
            parent.mkdir(exist_ok=True)
            controllers = (parent / "cgroup.controllers").read_text().split()
            for controller in controllers:
                with suppress(OSError):  # one that is not to be delegated: the kubelet tells
                    (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        for node in wanted:
            (group / node).mkdir(exist_ok=True)
        _prefer(group / "cpu.weight", _WEIGHT)
        return
    for hierarchy in _hierarchies(top):
        for node in wanted:
            (hierarchy / cluster / node).mkdir(parents=True, exist_ok=True)
        # A group of version 1 has no processors and no memory of its own until it is given some.
        for group in (hierarchy / cluster, *(hierarchy / cluster / node for node in wanted)):
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (hierarchy / name).exists():
                    (group / name).write_text((hierarchy / name).read_text())
        _prefer(hierarchy / cluster / "cpu.shares", _SHARES)


def _prefer(file: Path, share: int) -> None:
    """Let the cluster's pods have the processors first, where they compete.

    A group counts as one process of the machine, however many nodes are in it; on a busy machine
    their heartbeats would wait for everybody else. Nodes in a rack have processors of their own.
    """
    if file.exists():
        file.write_text(str(share))


def empty(cluster: str, node: str, top: Path = TOP) -> None:
    """Remove the groups that a kubelet made below *node*, which has no process any more."""
    _remove([group / node for group in _of(cluster, top)], keep=True)


def remove(cluster: str, top: Path = TOP) -> None:
    """Remove all groups of *cluster*, whose processes have ended or are about to."""
    _remove(list(_of(cluster, top)))


def _remove(groups: Iterable[Path], *, keep: bool = False) -> None:
    end = time.monotonic() + _PATIENCE
    for group in groups:
        while left := list(_below(group, keep=keep)):
            for one in left:
                with suppress(OSError):  # its last process is about to end
                    one.rmdir()
            if not list(_below(group, keep=keep)):
                break
            if time.monotonic() > end:
                raise ClusterError(f"control groups are left, with processes in them: {group}")
            time.sleep(0.05)


def _below(group: Path, *, keep: bool) -> Iterator[Path]:
    """Yield the directories of *group* from the bottom up, and itself unless it is kept."""
    if group.is_dir():
        yield from sorted(
            (path for path in group.rglob("*") if path.is_dir()),
            key=lambda path: len(path.parts),
            reverse=True,
        )
        if not keep:
            yield group


def _of(cluster: str, top: Path) -> Iterator[Path]:
    # In a mixed layout the kubelet also makes groups in `unified`.
    for hierarchy in (top, top / "unified", *_hierarchies(top)):
        if (hierarchy / cluster).is_dir():
            yield hierarchy / cluster


def _hierarchies(top: Path) -> list[Path]:
    """Return the hierarchies of version 1."""
    found = [path for path in top.iterdir() if (path / "tasks").exists()]
    return sorted(path for path in found if not path.is_symlink())
