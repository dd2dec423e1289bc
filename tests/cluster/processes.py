"""Start programs that cannot outlive us, in a network namespace of choice.

The kernel kills a program when the *thread* that started it ends (PR_SET_PDEATHSIG), and
`asyncio.to_thread` ends its threads with the loop. So a launcher has one thread of its own, which
lives as long as the launcher or as we do, and which alone enters the network namespace: what it
starts and the sockets that it opens belong there, and the rest of us stays where it is.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

_CLONE_NEWNET: Final = 0x40000000
# The shell closes a gap: had we ended before setpriv spoke to the kernel, the program would have
# another parent by now, whose end nobody waits for.
_TIED = ("setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", '[ $PPID = $0 ] && exec "$@"')
_T = TypeVar("_T")


class Launcher:
    """One thread, in one network namespace, that starts programs and opens sockets."""

    def __init__(self, netns: Path | None = None) -> None:
        """Enter *netns* (like /run/netns/n1), or stay in our own."""
        self._thread = ThreadPoolExecutor(1, "cluster")
        if netns is not None:
            self.call(lambda: _enter(netns))

    def call(self, function: Callable[[], _T]) -> _T:
        """Return what *function* returns in our thread."""
        return self._thread.submit(function).result()

    def start(self, command: Sequence[str], directory: Path, log: Path) -> subprocess.Popen[bytes]:
        """Start *command* in *directory*; its output is appended to *log*."""
        with log.open("ab") as output:
            return self.call(
                lambda: subprocess.Popen(
                    [*_TIED, str(os.getpid()), *command],
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )

    def close(self) -> None:
        """End our thread, and with it whatever still runs."""
        self._thread.shutdown()


def start_time(pid: int) -> int | None:
    """Return when *pid* started, in the kernel's ticks; nothing where no such process runs.

    A pid that was used again started at another time.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _enter(netns: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter network namespace", str(netns))
    finally:
        os.close(descriptor)
