"""One question in one datagram, whose answer must come from the address that was asked."""

import socket
import time
from collections.abc import Callable, Iterable
from typing import Final

from bgpd.health.conversation import Destination, Done, broken, safely
from bgpd.health.exchange import Exchange
from bgpd.health.outcome import Fault, Outcome, failed
from bgpd.health.poller import READ, Poller
from bgpd.timestamp import ANCILLARY_SIZE, Clock, enable_timestamps

# Linux, <linux/in.h> and <linux/in6.h>: the socket is left unconnected, so that an answer from
# another address is seen and can be named; ICMP errors are then told only to those who ask.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_LONGEST: Final = 65_535
_AT_ONCE: Final = 16
"""Datagrams that are read before others have their turn."""


class Datagram:
    """One question and its answer (`bgpd.health.conversation.Conversation`)."""

    __slots__ = (
        "_destination", "_done", "_exchange", "_poller", "_sent", "_socket", "_stranger", "_wall",
    )  # fmt: skip

    def __init__(
        self,
        poller: Poller,
        destination: Destination,
        exchange: Exchange,
        done: Done,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to ask; `start` does it."""
        self._poller = poller
        self._destination = destination
        self._exchange = exchange
        self._done = done
        self._wall = wall
        self._socket: socket.socket | None = None
        self._sent = 0.0
        """When the question left, on the monotonic scale."""
        self._stranger = ""

    def start(self) -> Outcome | None:
        """Send the question."""
        outcome = safely(self._ask)
        if outcome is not None:
            self.close()
        return outcome

    def ready(self) -> None:
        """Read what arrived."""
        outcome = safely(self._receive)
        if outcome is not None:
            self.close()
            self._done(outcome)

    def overdue(self) -> Outcome:
        """End, and return what came instead of an answer."""
        self.close()
        if self._stranger:
            return failed(Fault.UNEXPECTED, f"did not answer, but {self._stranger} did")
        return failed(Fault.OVERDUE, self._exchange.missing())

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._poller.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _ask(self) -> Outcome | None:
        where = self._destination
        opened = self._socket = where.open(socket.SOCK_DGRAM)
        if where.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        enable_timestamps(opened)
        self._sent = time.monotonic()
        opened.sendto(self._exchange.data_to_send(), where.address)
        self._poller.watch(opened.fileno(), READ, self.ready)
        return self._exchange.sent(self._wall())

    def _receive(self) -> Outcome | None:
        assert self._socket is not None
        try:
            for _ in range(_AT_ONCE):
                data, about, _, sender = self._socket.recvmsg(_LONGEST, ANCILLARY_SIZE)
                if sender[:2] != self._destination.address[:2]:
                    self._stranger = f"{sender[0]} (port {sender[1]})"
                    continue
                verdict = self._exchange.receive(data, self._arrived(about))
                if verdict is not None:
                    return verdict
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            return failed(Fault.REFUSED, "refused: nothing listens on that port")
        except OSError as error:
            return broken(error)
        return None

    def _arrived(self, about: Iterable[tuple[int, int, bytes]]) -> float:
        """Return when it came, by the wall clock: that we are late is no fault of its clock."""
        clock = Clock(floor=self._sent)
        return self._wall() - (clock.now - clock.at(about))
