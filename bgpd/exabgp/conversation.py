"""The messages of one session, in the seat of ExaBGP's `Protocol`: what is said and what is heard.

The session (`session.py`) decides what to do; here it is put on the connection and read from it.
"""

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any, Final

from exabgp.bgp.message import KeepAlive, Message, Notification
from exabgp.bgp.message.open.capability import Capability
from exabgp.protocol.family import AFI, SAFI
from exabgp.reactor import protocol
from exabgp.reactor.network.error import NetworkError

from bgpd.exabgp.transport import PeerConnection
from bgpd.model.prefix import Family

NOTIFICATION_SECONDS: Final = 1.0

_FAMILIES: Final = {
    (AFI.ipv4, SAFI.unicast): Family.IPV4,
    (AFI.ipv6, SAFI.unicast): Family.IPV6,
}
# RFC 8538 and RFC 9384: what ExaBGP has no name for, it calls unknown, also to the peer.
Notification._str_subcode.update({(6, 9): "Hard Reset", (6, 10): "BFD Down"})  # noqa: SLF001


class PeerNotification(Notification):  # type: ignore[misc]
    """A NOTIFICATION of the peer, with its data as it came.

    ExaBGP turns some of it into text, and refuses what an operator says in more than 128 bytes.
    """

    def __init__(self, code: int, subcode: int, data: bytes = b"") -> None:
        """Keep *data*."""
        super().__init__(code, subcode, data, False)


Message.registered_message[Notification.ID] = PeerNotification


class SessionProtocol(protocol.Protocol):  # type: ignore[misc]
    """The messages of a session; knows whether some of them are still being written."""

    def __init__(self, session: Any) -> None:
        """Speak for *session*, which from now on knows this conversation as its latest."""
        super().__init__(session)
        self.writing = 0
        self.confirmed = False
        """Whether the peer's KEEPALIVE, the answer to our OPEN, has been read."""
        session.latest = self

    def connect(self) -> Iterator[bool]:
        """Yield until connected."""
        for connected in super().connect():
            if connected and isinstance(self.connection, PeerConnection):
                self.connection.tune(int(self.neighbor["hold-time"]))
            yield connected

    def new_update(self, include_withdraw: bool) -> Iterator[Any]:
        """Yield while all that is queued is written.

        ExaBGP passes over withdrawals in what it writes first: a peer that kept our routes from
        before a restart needs them.
        """
        self.writing += 1
        yield from super().new_update(include_withdraw or restarts_gracefully(self.negotiated))
        self.writing -= 1

    def new_eors(self, *family: Any) -> Iterator[Any]:
        """Yield while End-of-RIB is written."""
        self.writing += 1
        yield from super().new_eors(*family)
        self.writing -= 1

    def read_keepalive(self) -> Iterator[Any]:
        """Yield until the peer has confirmed our OPEN, and once more."""
        for message in super().read_keepalive():
            self.confirmed = message.TYPE == KeepAlive.TYPE
            yield message

    def new_notification(self, notification: Any) -> Iterator[Any]:
        """Yield while *notification* is written, for a second at most.

        ExaBGP waits for as long as the kernel takes nothing, turn after turn without a pause:
        a quarter of an hour with a peer that vanished.
        """
        deadline = monotonic() + NOTIFICATION_SECONDS
        for step in super().new_notification(notification):
            yield step
            if monotonic() > deadline:
                raise NetworkError("the NOTIFICATION could not be written")


def known_families(pairs: Iterable[tuple[Any, Any]]) -> tuple[Family, ...]:
    """Return in our terms those of ExaBGP's *pairs* of AFI and SAFI that we advertise."""
    return tuple(_FAMILIES[pair] for pair in pairs if pair in _FAMILIES)


def restarts_gracefully(negotiated: Any) -> bool:
    """Return whether each end said that it keeps the other's routes over a restart."""
    opens = (negotiated.sent_open, negotiated.received_open)
    return all(
        opened is not None and opened.capabilities.announced(Capability.CODE.GRACEFUL_RESTART)
        for opened in opens
    )
