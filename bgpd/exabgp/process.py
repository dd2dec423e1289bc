"""The reflex as ExaBGP's child, in the seat of ExaBGP's `Processes`.

Theory of operation: the reflex may die at any rate and hang at any time; neither is a reason to
lose a route. It is started again, at once after a steady run, with a growing pause otherwise,
for ever, also when the system cannot start a process at present. Its stdin is written without
waiting, from a buffer with a limit; its stdout is read in large pieces, line by line. Only at
the very beginning, when there is no session to lose, does the reflex end the process: when it
cannot be started, or when it says by its exit status that it cannot serve here. Why is said
once then, and the supervisor decides when to try with a fresh one.
"""

import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Container, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from exabgp.reactor.api.processes import ProcessError, Processes

from bgpd.exabgp import message, wire
from bgpd.exabgp.configuration import REFLEX
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.message import Message
from bgpd.exabgp.say import say

STEADY_SECONDS: Final = 1.0
"""A run of this length says that the next start is worth no pause."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
LONGEST_START_PAUSE: Final = 5.0
"""Between two failures to start a process at all: memory may be short for long."""

FIRST_PING_SECONDS: Final = 15.0
"""What a start may take on a bad day; a good one takes half a second."""
LONGEST_PATIENCE: Final = 120.0
"""A machine so slow that each start is killed would never have a reflex: patience doubles."""
SILENCE_SECONDS: Final = 2.0
OVERDUE_SECONDS: Final = 0.55
"""The reflex sends a Ping each half second."""
OVERSLEPT_SECONDS: Final = 1.0
"""A pause of our own of this length proves nothing about the reflex."""

MAX_OUTBOX: Final = 2 * wire.MAX_LINE
_READ: Final = 64 * 1024
"""Bytes of the first read of a turn: for much more the allocator asks the kernel each time."""
_PIPE: Final = 1024 * 1024

EXIT_TRY_AGAIN: Final = 75
"""EX_TEMPFAIL: the supervisor should start us again."""
EXIT_CONFIG: Final = 78
"""EX_CONFIG: a person has to change something; the reflex has said what."""
_ENDING_SECONDS: Final = 0.5
"""So long a reflex that closed its output may take to have an exit status."""


class ReflexProcess(Processes):  # type: ignore[misc]
    """Start, restart, watch and speak with the one API process."""

    def __init__(
        self, reactor: Any, without: frozenset[Mend], first_ping: float = FIRST_PING_SECONDS
    ) -> None:
        """Serve *reactor*; a reflex that has sent no Ping after *first_ping* seconds hangs."""
        super().__init__()
        self.silence = True  # ExaBGP's own reports; ours are sent all the same
        self.last_line = 0.0
        self._reactor = reactor
        self._without = without
        self._outbox = bytearray()
        self._inbox = bytearray()
        self._pause = 0.0
        self._started_at = 0.0
        self._start_at: float | None = None
        self._failures = 0
        self._last_ping: float | None = None
        self._serving_since: float | None = None
        self._served = False
        """Whether some reflex has pinged for a steady while: it listens, so it can serve here."""
        self._first_ping = first_ping
        self._patience = first_ping
        self._first_ping_due: float | None = None
        self._last_tick = monotonic()
        self._ended: list[Any] = []

    @property
    def alive(self) -> bool:
        """Whether a reflex runs."""
        return REFLEX in self._process

    @property
    def punctual(self) -> bool:
        """Whether the reflex pings, and its next Ping is not overdue."""
        return self._last_ping is not None and monotonic() - self._last_ping < OVERDUE_SECONDS

    @property
    def interest(self) -> list[tuple[int, int]]:
        """The descriptors to wait for, and what is waited for on each."""
        if not self.alive:
            return []
        found = [(self._process[REFLEX].stdout.fileno(), select.POLLIN)]
        if self._outbox:
            found.append((self._process[REFLEX].stdin.fileno(), select.POLLOUT))
        return found

    def heard(self, ready: Container[int]) -> bool:
        """Return whether the reflex's output is among the descriptors that are *ready*."""
        return self.alive and self._process[REFLEX].stdout.fileno() in ready

    @property
    def next_start(self) -> float | None:
        """When a new reflex is due, on the monotonic clock."""
        return self._start_at

    def broken(self, neighbor: Any) -> bool:
        """Return False: no session ends because of the reflex. ExaBGP stops them for good."""
        del neighbor
        return False

    def send(self, value: Message) -> None:
        """Tell the reflex, if there is one, without ever waiting."""
        self.write(REFLEX, message.encode(value).decode().rstrip("\n"))

    def write(self, process: str, string: str | None, neighbor: Any = None) -> bool:
        """Hand a line to the reflex; ExaBGP's own write waits until the pipe takes it."""
        if string is None or process not in self._process:
            return True
        if Mend.PIPE in self._without:
            with suppress(ProcessError):
                super().write(process, string, neighbor)
            return True
        self._outbox += string.encode("ascii", "replace") + b"\n"
        self._drain()
        if len(self._outbox) > MAX_OUTBOX:
            self._kill("does not read what it is told")
        return True

    def pinged(self) -> None:
        """Take note of a Ping: from now on silence means a hang."""
        self._last_ping = now = monotonic()
        self._first_ping_due = None
        self._patience = self._first_ping
        if self._serving_since is None:
            self._serving_since = now
        self._served = self._served or now - self._serving_since >= STEADY_SECONDS

    def received(self) -> Iterator[tuple[str, bytes]]:
        """Yield the lines that arrived; the reactor calls this each turn."""
        for line in self._read():
            self.last_line = monotonic()
            yield REFLEX, line
        self._tick(monotonic())

    def start(self, configuration: Any, restart: bool = False) -> None:
        """Start the reflex if it does not run; a reload calls this too."""
        del restart
        self._configuration = configuration
        if not self.alive and self._start_at is None:
            self._start(REFLEX)

    def terminate(self) -> None:
        """End the reflex: ExaBGP is leaving."""
        self._start_at = None
        child = self._process.pop(REFLEX, None)
        self._update_fds()
        if child is None:
            return
        with suppress(OSError):
            child.stdin.close()
        try:
            child.wait(timeout=0.5)
        except Exception:  # noqa: BLE001  subprocess' own, or a signal: it has had its time
            child.kill()
            child.wait()

    def _start(self, process: str) -> None:
        run = self._configuration[process]["run"]
        try:
            # Its own process group: what a terminal sends goes to ExaBGP, who tells it.
            child = subprocess.Popen(
                run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._not_started(f"cannot start the reflex: {' '.join(run)}: {reason}")
            return
        self._process[process] = child
        self._restart[process] = True
        self._update_fds()
        self._begin(child)
        self._reactor.reflex_started()

    def _begin(self, child: Any) -> None:
        """Forget the reflex before, and set up the pipes of *child*."""
        self._failures = 0
        self._outbox.clear()
        self._inbox.clear()
        self._last_ping = self._serving_since = None
        self._started_at = monotonic()
        self._first_ping_due = self._started_at + self._patience
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):  # the system's limit may be lower
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        os.set_blocking(child.stdout.fileno(), False)
        if Mend.PIPE not in self._without:
            os.set_blocking(child.stdin.fileno(), False)

    def _not_started(self, why: str) -> None:
        """Try again for ever once a reflex has run: ExaBGP would stop every session for good."""
        self._failures += 1
        if not self._started_at:  # it never ran: nothing suggests that it will
            self._reactor.give_up(why, EXIT_TRY_AGAIN)
            return
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10), LONGEST_START_PAUSE)
        self._start_at = monotonic() + pause
        say(f"{why}; attempt {self._failures}, the next one in {pause:.1f} s")

    def _handle_problem(self, process: str) -> None:
        """Start a reflex that died again.

        ExaBGP ends itself, and with it every session, at the sixth death within 64 seconds.
        """
        if Mend.RESPAWN in self._without:
            super()._handle_problem(process)
            return
        if process not in self._process:
            return
        code = self._exit_status(self._process[process])
        self._terminate(process)
        if code in {EXIT_CONFIG, EXIT_TRY_AGAIN} and not self._served:
            self._reactor.give_up("", code)
            return
        ran = monotonic() - self._started_at
        self._pause = (
            0.0 if ran >= STEADY_SECONDS else min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        )
        self._start_at = monotonic() + self._pause
        how = "closed its output" if code is None else f"ended with status {code}"
        say(f"the reflex {how} after {ran:.1f} s; starting it again in {self._pause:.1f} s")

    def _exit_status(self, child: Any) -> int | None:
        """Return how *child* ended; at the beginning wait a little for one that is about to."""
        code: int | None = child.poll()
        if code is None and not self._served:
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(timeout=_ENDING_SECONDS)
        return code

    def _tick(self, now: float) -> None:
        pause = now - self._last_tick
        overslept = pause if pause > OVERSLEPT_SECONDS else 0.0
        self._last_tick = now
        self._ended = [child for child in self._ended if child.poll() is None]
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            self._start(REFLEX)
        if not self.alive:
            return
        self._drain()
        self._watch(now, overslept)

    def _watch(self, now: float, overslept: float) -> None:
        """Kill a reflex that is silent; what we overslept does not count."""
        if Mend.WATCHDOG in self._without:
            return
        if self._last_ping is not None:
            self._last_ping = now if overslept else self._last_ping
            if now - self._last_ping > SILENCE_SECONDS:
                self._kill(f"has not been heard of for {SILENCE_SECONDS:.0f} s")
        elif self._first_ping_due is not None:
            self._first_ping_due += overslept
            if now > self._first_ping_due:
                patience = self._patience
                self._patience = min(2 * patience, max(LONGEST_PATIENCE, self._first_ping))
                self._kill(f"has sent no Ping {patience:.0f} s after its start")

    def _terminate(self, process_name: str) -> None:
        """Let a reflex go; ExaBGP starts a thread for this, which may fail and then ends it."""
        child = self._process.pop(process_name)
        self._update_fds()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                pipe.close()
        child.kill()
        self._ended.append(child)

    def _kill(self, why: str) -> None:
        say(f"the reflex {why}: killing it")
        self._process[REFLEX].send_signal(signal.SIGKILL)
        self._last_ping = self._first_ping_due = None
        self._outbox.clear()

    def _read(self) -> Iterator[bytes]:
        if not self.alive:
            return
        fd = self._process[REFLEX].stdout.fileno()
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if len(data) == _READ:
            with suppress(OSError):
                data += os.read(fd, _PIPE)
        if not data:
            self._handle_problem(REFLEX)
            return
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._inbox) + lines[0]
            self._inbox.clear()
        self._inbox += rest
        if len(self._inbox) > wire.MAX_LINE:
            self._kill(f"wrote a line of more than {wire.MAX_LINE} bytes")
            self._inbox.clear()
        yield from lines

    def _drain(self) -> None:
        if not self.alive:
            return
        fd = self._process[REFLEX].stdin.fileno()
        try:
            while self._outbox:
                del self._outbox[: os.write(fd, self._outbox[:_PIPE])]
        except BlockingIOError:
            return
        except OSError:
            self._outbox.clear()  # it is gone; reading finds out and starts another
