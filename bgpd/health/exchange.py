"""What a kind of probe says on a connection and what it makes of the answer, without one.

An exchange knows bytes alone: no sockets, no clock. Its sentences lack their subject, which
whoever holds the connection puts before them: `answered 503`, of `10.0.0.7:80`.
"""

from typing import Final, Protocol

from bgpd.health.outcome import Outcome

MOST_RECEIVED: Final = 64 * 1024
"""Bytes of an answer that are looked at."""


class Exchange(Protocol):
    """One question and its answer, on one connection or in one datagram each way."""

    def data_to_send(self) -> bytes:
        """Return what is to be sent now; ask at the beginning and after each `receive`."""
        ...

    def sent(self, wall: float) -> Outcome | None:
        """Take notice that the data is sent; return the verdict where that is enough."""
        ...

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Take in what arrived at *wall*, seconds since 1970; return the verdict, if it is one."""
        ...

    def ended(self) -> Outcome:
        """Return the verdict where the other side says that nothing more will come."""
        ...

    def missing(self) -> str:
        """Return what was still missing when patience ended: `accepted and said nothing`."""
        ...


class Recipe(Protocol):
    """What is worked out once for a job, so that each probe costs little."""

    def exchange(self, token: int) -> Exchange:
        """Return a new exchange.

        *token* is a random number of 64 bits, where the protocol wants an answer to repeat one.
        """
        ...
