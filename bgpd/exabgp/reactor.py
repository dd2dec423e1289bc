"""ExaBGP's loop with our parts in it: reload, waiting, being stopped.

The reactor gives each session a turn, reads the reflex's lines, waits for something to happen,
and starts over. It owns the signals.
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from exabgp.configuration.configuration import Configuration
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.loop import Reactor

from bgpd.exabgp.command import (
    ADMINISTRATIVE_SHUTDOWN,
    OTHER_CONFIGURATION_CHANGE,
    PEER_DECONFIGURED,
)
from bgpd.exabgp.commands import ReflexCommands
from bgpd.exabgp.configuration import REFLEX, blame
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.message import Terminating
from bgpd.exabgp.say import say
from bgpd.exabgp.session import Session
from bgpd.model.errors import TransientError
from bgpd.model.prefix import Address

LONG_WAIT: Final = 600
"""Milliseconds to wait when only the network can move things: the next Ping ends the wait."""
OVERDUE_WAIT: Final = 200
"""The same while no Ping is to be expected."""
SHORT_WAIT: Final = 10
"""The same when a timer might move things."""

SILENCE_SECONDS: Final = 3.0
"""A reflex that says nothing for so long after `Terminating` does not drain."""
LEAVE_SECONDS: Final = 2.0
SPIN_LIMIT: Final = 5000
"""Turns within a second that mean that something is always ready and never served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """Which sessions a reload touched."""

    added: tuple[Address, ...] = ()
    changed: tuple[Address, ...] = ()
    removed: tuple[Address, ...] = ()


class SpeakerSignal(Signal):  # type: ignore[misc]
    """Signals, with SIGTERM in our hands.

    ExaBGP answers SIGTERM by closing every connection without a word: routers see a crash,
    and nobody has drained anything.
    """

    def __init__(self, reactor: Any) -> None:
        """Report to *reactor*."""
        self._reactor = reactor
        super().__init__()

    def rearm(self) -> None:
        """Install the handlers; ExaBGP calls this after each signal that it acted on."""
        super().rearm()
        signal.signal(signal.SIGINT, self.sigterm)

    def sigterm(self, signum: int, frame: Any) -> None:
        """Ask for an orderly end."""
        if Mend.SIGTERM in self._reactor.without:
            super().sigterm(signum, frame)
        else:
            self._reactor.stop_requested()

    def sighup(self, signum: int, frame: Any) -> None:
        """Treat a lost terminal like a request to stop."""
        self.sigterm(signum, frame)


class SpeakerReactor(Reactor):  # type: ignore[misc]
    """The loop of the process that holds the sessions."""

    def __init__(
        self,
        path: Path,
        command: list[str],
        *,
        term_timeout: float,
        without: frozenset[Mend] = frozenset(),
    ) -> None:
        """Read peers from *path*, run *command* as reflex."""
        self.without = without
        super().__init__(Configuration([str(path)]))
        self.fatal: int | None = None
        self.commands = self.api = ReflexCommands(self, without)
        self.signal = SpeakerSignal(self)
        self.daemon.drop_privileges = lambda: True  # whoever started us chose our user
        self._path = path
        self._reflex = {REFLEX: {"run": command, "encoder": "json", "respawn": True}}
        self._term_timeout = term_timeout
        self._loaded = False
        self._stop_requested_at: float | None = None
        self._told = False
        self._leaving_until: float | None = None
        self._turns = 0
        self._second = 0
        self._obeyed = False
        """Whether a command may have left something to do: the next wait is none."""
        self._wake_read, self._wake_write = os.pipe()
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    @property
    def terminating(self) -> bool:
        """Whether the end has been asked for."""
        return self._stop_requested_at is not None

    def sessions(self) -> Iterator[Session]:
        """Yield the sessions that are not on their way out."""
        for session in list(self._peers.values()):
            if not session.retiring:
                yield session

    # Configuration

    def reload(self) -> bool:
        """Load the configuration; ExaBGP calls this at the start and on SIGUSR1.

        A file that is missing or broken at the start means no peers: the reflex writes the
        file and asks for a reload.
        """
        if not self._loaded:
            self._loaded = True
            try:
                self.reload_configuration()
            except TransientError as error:
                say(f"starting without peers: {error}")
                self.configuration.processes = self._reflex
            return True
        if Mend.RELOAD in self.without:
            done = bool(super().reload())
            self.configuration.processes = self._reflex
            return done
        try:
            self.reload_configuration()
        except TransientError as error:
            say(f"not reloaded: {error}")
        return True

    def reload_configuration(self) -> ReloadOutcome:
        """Make the file's peers ours, touching only sessions that differ.

        ExaBGP's own reload waits for a signal to be looked at, and drops the signal while any
        peer has queued routes: one router that is down, and no configuration ever changes.
        """
        if Mend.RELOAD in self.without and self._peers:
            os.kill(os.getpid(), signal.SIGUSR1)
            return ReloadOutcome()
        wanted = self._parse()
        return ReloadOutcome(
            removed=self._remove(wanted), changed=self._change(wanted), added=self._add(wanted)
        )

    def _parse(self) -> dict[str, Any]:
        before = self.configuration.neighbors
        try:
            if not self._path.is_file():
                raise TransientError(f"{self._path} does not exist")
            if self.configuration.reload() is not True:
                # ExaBGP forgets all its peers when the parser gives up in the middle.
                self.configuration.neighbors = before
                why = self._blame()
                if Mend.AFRESH not in self.without:
                    # What the parser had read stays in it, and the next file is then refused
                    # for saying it twice.
                    self.configuration._cleanup()  # noqa: SLF001
                raise TransientError(f"{self._path} does not load: {why}")
        finally:
            self.configuration.processes = self._reflex
        wanted: dict[str, Any] = self.configuration.neighbors
        return wanted

    def _blame(self) -> str:
        said, reader = str(self.configuration.error), self.configuration.tokeniser
        if Mend.REDACT in self.without:
            return " ".join(said.split())
        try:
            text = self._path.read_text("utf-8", "replace")
        except OSError as error:
            return str(error.strerror)
        # What the reader itself stumbled over is where it is; the statement is an older one.
        read = not said.startswith("problem parsing")
        return blame(text, reader.index_line, "".join(reader.line) if read else "")

    def _remove(self, wanted: dict[str, Any]) -> tuple[Address, ...]:
        kept = {str(neighbor["peer-address"]) for neighbor in wanted.values()}
        removed = []
        for key, session in list(self._peers.items()):
            if key in wanted or session.retiring:
                continue
            again = session.address in kept
            session.retire(OTHER_CONFIGURATION_CHANGE if again else PEER_DECONFIGURED)
            if not again:
                removed.append(session.address)
        return tuple(removed)

    def _change(self, wanted: dict[str, Any]) -> tuple[Address, ...]:
        changed = []
        for key, neighbor in wanted.items():
            session = self._peers.get(key)
            if session is None or session.retiring or session.stopping():
                continue
            if self._differs(session.coming, neighbor):
                session.renew(neighbor, OTHER_CONFIGURATION_CHANGE)
                changed.append(session.address)
            else:
                wanted[key] = session.coming
        return tuple(changed)

    def _add(self, wanted: dict[str, Any]) -> tuple[Address, ...]:
        added = []
        for key, neighbor in wanted.items():
            session = self._peers.get(key)
            if session is not None:
                if not session.retiring and not session.stopping():
                    continue
                # It was removed and has not finished leaving: it leaves now.
                session.abandon()
                neighbor.make_rib()
            self._peers[key] = session = Session(neighbor, self)
            added.append(session.address)
        return tuple(added)

    def _differs(self, old: Any, new: Any) -> bool:
        """Whether a session with *old* has to be re-established to become one with *new*.

        ExaBGP's comparison leaves out how an MD5 key is encoded, the interface, the next hops
        of other families and End-of-RIB, and so never applies a change of those.
        """
        if old != new:
            return True
        if Mend.COMPARE in self.without:
            return False
        names = ("md5-base64", "source-interface", "manual-eor")
        return any(old[name] != new[name] for name in names) or old.nexthops() != new.nexthops()

    # Waiting

    def _wait_for_io(self, sleeptime: int) -> Iterator[int]:
        """Wait until something happens, for *sleeptime* milliseconds if that is 0.

        ExaBGP wakes a hundred times a second, whatever happens.
        """
        self._tick()
        if Mend.IDLE in self.without:
            yield from super()._wait_for_io(sleeptime)
            return
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        for fd, events in self._interests():
            poller.register(fd, events)
        at_once, self._obeyed = sleeptime == 0 or self._obeyed, False
        ready = {fd for fd, _ in poller.poll(0 if at_once else self._patience())}
        if self.processes.heard(ready):
            # Now: ExaBGP gives each session a turn first, and a withdrawal would wait for it.
            for service, line in self.processes.received():
                self._obeyed = True
                self.commands.process(self, service, line)
        if self._wake_read in ready:
            with suppress(BlockingIOError):
                os.read(self._wake_read, 512)
        self._stop_spinning()

    def _interests(self) -> Iterator[tuple[int, int]]:
        yield from self.processes.interest
        for session in self._peers.values():
            fd, events = session.interest
            if fd >= 0:
                yield fd, events

    def _patience(self) -> int:
        return min(self.commands.patience, self._calm_patience())

    def _calm_patience(self) -> int:
        if not self.asynchronous.ready() or self.terminating or self.commands.closing:
            return SHORT_WAIT
        if self.processes.next_start is not None:
            return SHORT_WAIT
        if not all(session.idle for session in self._peers.values()):
            return SHORT_WAIT
        return LONG_WAIT if self.processes.punctual else OVERDUE_WAIT

    def _stop_spinning(self) -> None:
        second = int(monotonic())
        if second != self._second:
            self._second, self._turns = second, 0
        self._turns += 1
        if self._turns > SPIN_LIMIT:
            sleep(SHORT_WAIT / 1000)

    # The end

    def stop_requested(self) -> None:
        """Begin an orderly end, or end at once when asked again; a signal handler calls this."""
        if self.terminating:
            self._kill_reflex()
            os._exit(128 + signal.SIGTERM)
        self._stop_requested_at = monotonic()

    def reflex_started(self) -> None:
        """Tell a new reflex what an older one may have been told."""
        self._told = False

    def leave(self) -> None:
        """Close what is open, then exit with status 0."""
        if self._leaving_until is None:
            self._leaving_until = monotonic() + LEAVE_SECONDS
            for session in self.sessions():
                session.finish(ADMINISTRATIVE_SHUTDOWN)

    def give_up(self, sentence: str, status: int) -> None:
        """Exit with *status* because of what *sentence* says; nothing when it has been said."""
        if sentence:
            say(sentence)
        self.fatal = status
        self.leave()

    def _tick(self) -> None:
        self.commands.tick()
        now = monotonic()
        if self._stop_requested_at is not None and self._leaving_until is None:
            self._advance_end(now, self._stop_requested_at)
        if self._leaving_until is not None and (not self._peers or now > self._leaving_until):
            self.signal.received = Signal.SHUTDOWN

    def _advance_end(self, now: float, since: float) -> None:
        if not self._told and self.processes.alive:
            self._told = True
            self.processes.send(Terminating(seconds=max(0.0, since + self._term_timeout - now)))
        heard = max(since, self.processes.last_line)
        if now > since + self._term_timeout:
            self._leave_alone(f"the reflex did not finish within {self._term_timeout:.0f} s")
        elif now > heard + SILENCE_SECONDS:
            self._leave_alone("the reflex is silent")

    def _leave_alone(self, why: str) -> None:
        say(f"stopping without the reflex: {why}")
        self.leave()

    def _kill_reflex(self) -> None:
        for child in self.processes._process.values():  # noqa: SLF001
            child.kill()
