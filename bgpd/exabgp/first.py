"""The first process of a container, which waits for ExaBGP and does nothing else.

Theory of operation: the kernel drops every signal that comes from inside a pid namespace to its
first process, SIGKILL too. An ExaBGP that is the first process and hangs could not be killed by
the reflex. So it becomes the second one, and this program stays behind: it passes signals on,
reaps whoever ends, and ends with ExaBGP's status, so that the kubelet starts the container
again. It starts nothing itself.

Run as a program of its own, without site-packages, it takes a few megabytes less than a fork
that keeps all of ExaBGP's code.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PASSED_ON = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
FAREWELL_SECONDS = 1.0
"""How long the reflex has for its goodbye: when the first process ends, the kernel ends all."""


def stay_behind() -> None:
    """Return in a child process; this one waits for it and ends with its status."""
    # Blocked, signals wait for `wait_for`, also while this process becomes another program.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    child = os.fork()
    if not child:
        # A terminal's Ctrl-C must come once: by us.
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    with suppress(OSError):
        program = str(Path(__file__).absolute())
        os.execv(sys.executable, [sys.executable, "-I", "-S", program, str(child)])  # noqa: S606
    os._exit(wait_for(child))


def wait_for(child: int) -> int:
    """Pass signals on to *child* until it ends, and return its status."""
    while True:
        number = signal.sigwait(PASSED_ON | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(child, number)
            continue
        status = _reap(child)
        if status is not None:
            _see_off()
            return status


def _reap(child: int) -> int | None:
    """Take note of everybody who ended; return the status of *child* once it has."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                found = code if code >= 0 else 128 - code
    return found


def _see_off() -> None:
    """Wait for the reflex, which is our child now that its parent is gone."""
    for _ in range(20):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        signal.sigtimedwait({signal.SIGCHLD}, FAREWELL_SECONDS / 20)


if __name__ == "__main__":
    sys.exit(wait_for(int(sys.argv[1])))
