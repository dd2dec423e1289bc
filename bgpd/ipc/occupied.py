"""Whether a process would be the second one of its kind here: who listens on its socket already.

Asked twice: by the server, which takes the place of a socket that nobody answers on, and by
`bgpd speaker` before it becomes ExaBGP, which speaks to routers long before its reflex listens. A
router that hears of a second session from one node may close the first (RFC 4724, section 4.2).
"""

import socket
import stat
import struct
import time
from pathlib import Path
from typing import Final

from bgpd.model.errors import ConfigError

_PROBE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.05
_LEAVING_SECONDS: Final = 1.0
"""So long the one before us may take to go, when it has just been ended."""


def check_replaceable(path: Path, program: str) -> None:
    """Raise `ConfigError` unless *path* is free or holds a socket that nobody answers on."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"{path} exists and is no socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except (TimeoutError, BlockingIOError):
            who = "and does not answer"
        else:
            # The kernel remembers who called listen(); 0 is a process of another pid namespace.
            pid, _, _ = peer_of(probe)
            who = f"(pid {pid})" if pid else "(in another container)"
    raise ConfigError(f"another {program} is running {who} and listens on {path}; stop it first")


def check_alone(path: Path, program: str) -> None:
    """Raise `ConfigError` where another *program* listens on *path*, and goes on doing so.

    What only the process itself can find out, it says when it runs.
    """
    until = time.monotonic() + _LEAVING_SECONDS
    while True:
        try:
            check_replaceable(path, program)
        except ConfigError:
            if time.monotonic() > until:
                raise
        except OSError:
            return
        else:
            return
        time.sleep(_LOOK_SECONDS)


def peer_of(sock: socket.socket) -> tuple[int, int, int]:
    """Return the pid, the uid and the gid at the other end, as the kernel says."""
    pid, uid, gid = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid, gid
