"""Ask whether a connection is accepted, and whether what is expected is said on it."""

from typing import Final

from bgpd.health.exchange import MOST_RECEIVED
from bgpd.health.outcome import Fault, Outcome, failed, healthy, quoted
from bgpd.model.health import TCPSocket

ACCEPTED: Final = healthy("accepted the connection")


class TCPRecipe:
    """What to say, and what to listen for."""

    __slots__ = ("expect", "send")

    def __init__(self, probe: TCPSocket) -> None:
        self.send = probe.send.encode()
        self.expect = probe.expect.encode()

    def exchange(self, token: int) -> "TCPExchange":
        """Return a new exchange."""
        del token
        return TCPExchange(self)


class TCPExchange:
    """What is said on one connection (`bgpd.health.exchange.Exchange`)."""

    __slots__ = ("_heard", "_recipe", "_sent")

    def __init__(self, recipe: TCPRecipe) -> None:
        self._recipe = recipe
        self._heard = bytearray()
        self._sent = False

    def data_to_send(self) -> bytes:
        """Return what is to be said, once."""
        if self._sent:
            return b""
        self._sent = True
        return self._recipe.send

    def sent(self, wall: float) -> Outcome | None:
        """Be content with a connection where nothing is expected on it."""
        del wall
        return None if self._recipe.expect else ACCEPTED

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Listen for what is expected."""
        del wall
        expect = self._recipe.expect
        before = len(self._heard)
        self._heard += data
        if self._heard.find(expect, max(before - len(expect), 0), MOST_RECEIVED) >= 0:
            return healthy(f"said {quoted(expect)}")
        if len(self._heard) >= MOST_RECEIVED:
            return failed(Fault.UNEXPECTED, f"did not say {quoted(expect)} within 64 KiB")
        return None

    def ended(self) -> Outcome:
        """Return what was heard instead."""
        return failed(Fault.CLOSED, f"closed the connection, {self._instead()}")

    def missing(self) -> str:
        """Return what was heard instead."""
        return f"accepted the connection, {self._instead()}"

    def _instead(self) -> str:
        if not self._heard:
            return f"said nothing instead of {quoted(self._recipe.expect)}"
        return f"said {quoted(self._heard)} instead of {quoted(self._recipe.expect)}"
