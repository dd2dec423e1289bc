"""What the kernel says of our own processes and of their state directory."""

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from bgpd.ctl.doctorfacts import ProcessFacts, StateFacts
from bgpd.ctl.view import View

_CREDENTIALS: Final = struct.Struct("=iII")


def state(directory: Path) -> StateFacts:
    """Return whether there is room to write in *directory*."""
    try:
        found = os.statvfs(directory)
    except OSError as error:
        return StateFacts(path=str(directory), problem=(error.strerror or str(error)).lower())
    return StateFacts(
        path=str(directory),
        read_only=bool(found.f_flag & os.ST_RDONLY),
        free_bytes=found.f_bavail * found.f_frsize,
        # A filesystem without a table of files says 0 of 0.
        free_files=found.f_favail if found.f_files else None,
    )


def processes(view: View, agent: Path, speaker: Path, seconds: float) -> tuple[ProcessFacts, ...]:
    """Return what can be seen of our processes; the sockets tell who listens."""
    pids = {"agent": _listener(agent, seconds)}
    pids["reflex"] = _listener(speaker, seconds)
    pids["ExaBGP"] = view.speaker.exabgp_pid if view.speaker is not None else None
    return tuple(_process(what, pid) for what, pid in pids.items() if pid)


def _listener(path: Path, seconds: float) -> int | None:
    """Return the pid of who listens on *path*; None where that is not told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(str(path))
            told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid: int = _CREDENTIALS.unpack(told)[0]
    return pid or None


def _process(what: str, pid: int) -> ProcessFacts:
    directory = Path("/proc") / str(pid)
    limit = open_files = None
    with suppress(OSError, ValueError):
        lines = (directory / "limits").read_text().splitlines()
        line = next((one for one in lines if one.startswith("Max open files")), "")
        words = line.split()
        limit = int(words[3]) if len(words) > 3 else None
    with suppress(OSError):
        open_files = len(os.listdir(directory / "fd"))  # noqa: PTH208 - names are not wanted
    return ProcessFacts(what=what, pid=pid, open_files=open_files, limit=limit)
