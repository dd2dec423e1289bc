"""Run a program and take its exit status for an answer.

No shell, no terminal, no input; `/` as directory and an environment of five variables; a process
group of its own, all of which is killed when the program ends or its time is over. What it
prints is read, so that it never blocks on us: the first 4 KiB for people, the rest, at most a few
megabytes a second, for nobody.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Hashable, Mapping
from typing import Final

from bgpd.health.conversation import Done
from bgpd.health.job import Job
from bgpd.health.outcome import Fault, Outcome, failed, healthy, not_asked, quoted
from bgpd.health.poller import READ, Poller
from bgpd.health.programs import Programs
from bgpd.model.health import Exec

MOST_KEPT: Final = 4096
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIPE: Final = 64 * 1024
_PAUSE: Final = 0.01
"""Seconds between two looks at a program that prints more than is kept."""
_NAMES: Final = ("SERVICE", "NODE")


class ExecRecipe:
    """The command and its environment."""

    __slots__ = ("command", "environment", "key")

    def __init__(self, job: Job, probe: Exec) -> None:
        """Raise `ValueError` where there is nothing to run."""
        if not probe.command or not probe.command[0].startswith("/"):
            raise ValueError("command: must begin with the absolute path of a program")
        if any("\0" in part for part in probe.command):
            raise ValueError("command: must not hold a null character")
        self.key = job.key
        self.command = probe.command
        given = {name: job.environment[name] for name in _NAMES if name in job.environment}
        asked = {"ADDRESS": job.address, "PORT": str(job.port), "PATH": PATH}
        self.environment: Mapping[str, str] = {**given, **asked}


class Program:
    """One run of a program (`bgpd.health.conversation.Conversation`)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, poller: Poller, programs: Programs,
        recipe: ExecRecipe, done: Done,
    ) -> None:  # fmt: skip
        """Prepare to run; `start` does it."""
        self.key: Hashable = recipe.key
        self._loop = loop
        self._poller = poller
        self._programs = programs
        self._recipe = recipe
        self._done: Done | None = done
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._pipe = -1
        self._printed = bytearray()
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}

    def start(self) -> Outcome | None:
        """Run it, or wait for a place."""
        return self._spawn() if self._programs.admit(self) else None

    def launch(self) -> None:
        """Run it: there is a place now."""
        outcome = self._spawn()
        if outcome is not None:
            self._say(outcome)

    def overdue(self) -> Outcome:
        """Kill it with all its children, and return what it had printed."""
        process = self._process
        if process is None:
            before = self._programs.runs(self.key)
            others = len(self._programs)
            self.close()
            if before:
                return failed(Fault.OVERDUE, "was killed before, but did not end")
            return not_asked(f"was not run: {others} other programs did not end")
        self.close()
        said = f" (it printed {quoted(self._printed)})" if self._printed else ""
        return failed(Fault.OVERDUE, f"did not end{said}")

    def close(self) -> None:
        """Kill it with all its children; it is reaped as soon as it is dead."""
        self._done = None
        self._close_pipe()
        if self._process is None:
            self._programs.leave(self)
        else:
            self._kill()

    def _spawn(self) -> Outcome | None:
        try:
            self._pipe, writer = os.pipe()
        except OSError as error:
            self._programs.leave(self)
            return not_asked(f"was not run: {error.strerror}")
        try:
            self._process = self._popen(writer)
        except OSError as error:
            self._close_pipe()
            self._programs.leave(self)
            return not_asked(f"was not run: {_why(error)}")
        finally:
            os.close(writer)
        os.set_blocking(self._pipe, False)
        self._poller.watch(self._pipe, READ, self._read)
        self._watch_end()
        return None

    def _popen(self, writer: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._recipe.command,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            cwd="/",
            env=self._recipe.environment,
            start_new_session=True,
        )

    def _watch_end(self) -> None:
        """Wait for the end of the process: by a pidfd (Linux 5.3), else by looking."""
        assert self._process is not None
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError:
            self._later(self._look)
        else:
            self._poller.watch(self._pidfd, READ, self._ended)

    def _look(self) -> None:
        """Look whether it has ended, without reaping it."""
        assert self._process is not None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self._process.pid, flags) is None:
            self._later(self._look)
        else:
            self._ended()

    def _ended(self) -> None:
        """Kill its children while its number still names the group; reap it; say how it was."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._kill()
        status = process.poll()
        if status is None:
            return
        if self._pidfd >= 0:
            self._poller.forget(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self._programs.reap(process.pid)
        if self._pipe >= 0 and len(self._printed) < MOST_KEPT:
            self._read()
        self._close_pipe()
        self._say(_judge(status, self._printed))
        self._programs.leave(self)

    def _say(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _kill(self) -> None:
        assert self._process is not None
        # It may be no longer ours to kill: it took another user's rights, or is reaped.
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        """Keep the beginning of what it prints; look at the rest only now and then."""
        if self._pipe < 0:
            return
        room = MOST_KEPT - len(self._printed)
        try:
            data = os.read(self._pipe, room or _PIPE)
        except BlockingIOError:
            data = None
        if data == b"":
            self._close_pipe()
            return
        if room and data:
            self._printed += data
            if len(data) < room:
                return
        if len(self._printed) >= MOST_KEPT:
            self._poller.forget(self._pipe)
            self._later(self._read)

    def _later(self, step: Callable[[], None]) -> None:
        self._timers[step] = self._loop.call_later(_PAUSE, step)

    def _close_pipe(self) -> None:
        timer = self._timers.pop(self._read, None)
        if timer is not None:
            timer.cancel()
        if self._pipe >= 0:
            self._poller.forget(self._pipe)
            os.close(self._pipe)
            self._pipe = -1


def _judge(status: int, printed: bytearray) -> Outcome:
    said = f", printed {quoted(bytes(printed).strip())}" if printed.strip() else ""
    if status == 0:
        return healthy(f"exited with 0{said}")
    if status > 0:
        return failed(Fault.UNEXPECTED, f"exited with {status}{said}")
    return failed(Fault.UNEXPECTED, f"was ended by signal {-status}{said}")


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "it, or what its first line names, does not exist"
        case PermissionError():
            return "we may not execute it"
        case _:
            return f"{error.strerror or error}"
