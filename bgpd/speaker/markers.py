"""End-of-RIB: which peers still wait for the marker that says "these are all my routes".

A router that kept our routes over a restart drops what was not advertised again when it sees the
marker (RFC 4724, section 4.2). So it follows the routes, and waits while we do not know them.
"""

from collections.abc import Iterable

from bgpd.exabgp.command import EndOfRib
from bgpd.model.peer import Peer
from bgpd.model.prefix import Address
from bgpd.speaker.outbox import Outbox


class Markers:
    """The sessions that came up and have not been sent their marker."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._due: set[Address] = set()

    def session(self, address: Address, *, up: bool) -> None:
        """Note that the session with *address* came up or went down."""
        (self._due.add if up else self._due.discard)(address)

    def send(self, peers: Iterable[Peer]) -> None:
        """Send every marker that is due to one of *peers*: all routes have been sent."""
        for peer in peers if self._due else ():
            if peer.address in self._due and peer.graceful_restart is not None:
                number = self._outbox.number()
                self._outbox.send(
                    EndOfRib(id=number, peers=(peer.address,), families=peer.families)
                )
        self._due.clear()
