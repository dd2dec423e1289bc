"""One question on one TCP connection, with or without TLS, on a socket that never blocks."""

import socket
import ssl
from enum import Enum, auto

from bgpd.health.conversation import Destination, Done, broken, safely
from bgpd.health.exchange import MOST_RECEIVED, Exchange
from bgpd.health.outcome import Fault, Outcome, failed
from bgpd.health.poller import READ, WRITE, Poller
from bgpd.health.trust import Secure


class _Stage(Enum):
    CONNECTING = auto()
    HANDSHAKE = auto()
    TALKING = auto()


class Stream:
    """One connection and the exchange on it (`bgpd.health.conversation.Conversation`)."""

    __slots__ = (
        "_destination", "_done", "_events", "_exchange", "_fd", "_out", "_poller", "_secure",
        "_socket", "_stage",
    )  # fmt: skip

    def __init__(
        self, poller: Poller, destination: Destination, exchange: Exchange, done: Done,
        secure: Secure | None = None,
    ) -> None:  # fmt: skip
        """Prepare to ask; `start` does it."""
        self._poller = poller
        self._destination = destination
        self._exchange = exchange
        self._done = done
        self._secure = secure
        self._socket: socket.socket | None = None
        self._fd = -1
        self._events = 0
        self._stage = _Stage.CONNECTING
        self._out = exchange.data_to_send()

    def start(self) -> Outcome | None:
        """Connect, and speak at once where the kernel is as fast as that."""
        try:
            opened = self._socket = self._destination.open(socket.SOCK_STREAM)
            opened.connect(self._destination.address)
        except BlockingIOError:
            pass
        except OSError as error:
            self.close()
            return broken(error)
        assert self._socket is not None
        self._fd = self._socket.fileno()
        outcome = safely(self._advance)
        if outcome is not None:
            self.close()
        return outcome

    def ready(self) -> None:
        """Go on: the socket can be read or written, or is broken."""
        outcome = safely(self._advance)
        if outcome is not None:
            self.close()
            self._done(outcome)

    def overdue(self) -> Outcome:
        """End, and return how far it came."""
        self.close()
        match self._stage:
            case _Stage.CONNECTING:
                return failed(Fault.OVERDUE, "did not accept a connection")
            case _Stage.HANDSHAKE:
                return failed(Fault.OVERDUE, "accepted the connection but did not finish TLS")
            case _Stage.TALKING:
                return failed(Fault.OVERDUE, self._exchange.missing())

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._poller.forget(self._fd)
            self._socket.close()
            self._socket = None

    def _advance(self) -> Outcome | None:
        try:
            if self._stage is not _Stage.TALKING:
                verdict = self._begin()
            elif self._out:
                verdict = self._send()
            else:
                verdict = self._receive()
        except (BlockingIOError, ssl.SSLWantWriteError):
            writing = self._stage is not _Stage.TALKING or bool(self._out)
            self._await(WRITE if writing else READ)
        except ssl.SSLWantReadError:
            self._await(READ)
        else:
            return verdict
        return None

    def _begin(self) -> Outcome | None:
        """Go on with connecting, until the first data is sent."""
        assert self._socket is not None
        if self._stage is _Stage.CONNECTING and not self._connected():
            self._await(WRITE)
            return None
        if self._secure is not None:
            if self._stage is _Stage.CONNECTING:
                self._stage = _Stage.HANDSHAKE
                # Where TLS cannot begin, the descriptor is closed, and nobody may wait for it.
                self._poller.forget(self._fd)
                self._events = 0
                self._socket = self._secure.wrap(self._socket)
            assert isinstance(self._socket, ssl.SSLSocket)
            self._socket.do_handshake()
        self._stage = _Stage.TALKING
        return self._send()

    def _connected(self) -> bool:
        """Return whether the connection is made; raise `OSError` where it never will be."""
        assert self._socket is not None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, "")
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True

    def _send(self) -> Outcome | None:
        assert self._socket is not None
        if self._out:
            self._out = self._out[self._socket.send(self._out) :]
        if self._out:
            self._await(WRITE)
            return None
        self._await(READ)
        return self._exchange.sent(0.0)

    def _receive(self) -> Outcome | None:
        """Read what is there: one piece, or one record of TLS, then others have their turn."""
        assert self._socket is not None
        data = self._socket.recv(MOST_RECEIVED)
        verdict = self._exchange.receive(data, 0.0) if data else self._exchange.ended()
        if verdict is None:
            self._out = self._exchange.data_to_send()
        return self._send() if self._out else verdict

    def _await(self, events: int) -> None:
        if events == self._events:
            return
        if self._events:
            self._poller.change(self._fd, events)
        else:
            self._poller.watch(self._fd, events, self.ready)
        self._events = events
