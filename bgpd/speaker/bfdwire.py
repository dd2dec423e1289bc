"""BFD's sockets and its timer: what is due leaves on time, what arrived is read before judging."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from bgpd.bfd.ports import Kind
from bgpd.bfd.transport import Transport
from bgpd.model.prefix import Address
from bgpd.model.status import Condition
from bgpd.speaker.bfd import BFDSessions
from bgpd.telemetry import logs

_RETRY_SECONDS: Final = 1.0
"""How often a port that is taken is tried again."""
_LATE_SECONDS: Final = 0.01
"""A timer that comes later than this is a sleep: nobody's silence is judged in it."""


class BFDWire:
    """Carries control packets between `BFDSessions` and the network, and keeps their time.

    It has a timer of its own, and a packet that says nothing new ends here: the rest of the
    reflex is stirred only by what changed.
    """

    def __init__(
        self, *, sessions: BFDSessions, log: logging.Logger, stirred: Callable[[], None]
    ) -> None:
        """Serve *sessions*; *stirred* is called after one of them may have changed."""
        self._sessions = sessions
        self._log = log
        self._stirred = stirred
        self._transport = Transport(
            self, delivered=self._delivered, first_port=secrets.randbelow(2**14)
        )
        self._timer: asyncio.TimerHandle | None = None
        self._news = False
        self._listen_due = 0.0
        self._kinds: frozenset[tuple[bool, bool]] = frozenset()
        self._problems: list[str] = []
        self._latest = 0.0
        self._loop = asyncio.get_running_loop()

    @property
    def counters(self) -> dict[str, int]:
        """Packets by what became of them; the worst lateness in microseconds."""
        both = Counter(self._transport.counters) + Counter(self._sessions.endpoint.counters)
        both["late_microseconds"] = round(self._latest * 1_000_000)
        return dict(both)

    def datagram(
        self, data: bytes, *, source: Address, ttl: int, multihop: bool, at: float
    ) -> None:
        """Take one datagram (`bgpd.bfd.transport` Receiver)."""
        endpoint = self._sessions.endpoint
        if endpoint.receive(data, source=source, ttl=ttl, multihop=multihop, at=at):
            self._news = True

    def flush(self) -> None:
        """Send what is to be sent, listen where needed, and arm the timer."""
        self.send()
        self._listen()
        self._transport.attend(eager=self._sessions.endpoint.is_eager)
        self._arm()

    def send(self) -> None:
        """Send what is to be sent."""
        for line, packet in self._sessions.outgoing():
            self._transport.send(line.way, packet)
        if self._transport.senders > len(self._sessions.endpoint):
            self._transport.forget_all_but(line.way for line in self._sessions.endpoint)

    def close(self) -> None:
        """Stop listening and sending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.close()

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        for problem in self._problems:
            yield Condition(type="BFDNotListening", status=True, reason="NotBound", message=problem)

    def _delivered(self) -> None:
        if self._news:
            self._settle()
        # A packet that says nothing new moves the deadline away: the timer finds that out.

    def _on_timer(self) -> None:
        now = self._loop.time()
        late = 0.0
        if self._timer is not None:
            late = now - self._timer.when()
            self._timer = None
        self._latest = max(self._latest, late)
        # Drain first, then judge silence: what has arrived is no longer missing.
        endpoint = self._sessions.endpoint
        self._transport.drain(wholly=endpoint.must_know_all(now))
        if late > _LATE_SECONDS:
            self._sessions.slept(now)
        review_at = self._sessions.review_at
        review = review_at is not None and review_at <= now
        if endpoint.handle_timer(now) or self._news or review:
            self._settle()
        else:
            self.send()
            self._arm()

    def _settle(self) -> None:
        self._news = False
        self.send()
        self._stirred()
        self.flush()

    def _arm(self) -> None:
        dues = [self._sessions.endpoint.deadline(), self._sessions.review_at]
        if self._problems:
            dues.append(self._listen_due)
        due = min((one for one in dues if one is not None), default=None)
        if self._timer is not None:
            if due is not None and self._timer.when() <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_at(max(due, self._loop.time()), self._on_timer)

    def _listen(self) -> None:
        kinds = self._sessions.ways
        if kinds == self._kinds and not self._problems:
            return
        now = self._loop.time()
        if kinds == self._kinds and now < self._listen_due:
            return
        self._kinds, self._listen_due = kinds, now + _RETRY_SECONDS
        self._transport.listen(Kind(*kind) for kind in kinds)
        problems = sorted(self._transport.problems.values())
        for problem in problems:
            if problem not in self._problems:
                logs.write(self._log, "error", "bfd_not_listening", [("reason", problem)])
        self._problems = problems
