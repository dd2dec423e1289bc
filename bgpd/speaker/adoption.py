"""Do we know what ExaBGP announces? Until we do, nothing is sent.

The reflex may be younger than ExaBGP's routes (it crashed), a changed configuration may have
moved routes with their sessions, and a refused command leaves us in the dark. In each case
ExaBGP is asked, and its answer is what the next plan starts from. Only the answer to the last
question counts: an older one may describe the time before our last update.
"""

from collections.abc import Mapping

from bgpd.exabgp.message import Shown
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes

AGAIN_SECONDS = 1.0
"""After a refused command ExaBGP is asked at most so often."""
LOST_SECONDS = 5.0
"""A question without an answer is lost; a hung ExaBGP would have been killed by then."""


class Adoption:
    """Whether the actual routes are known, and the question that is open."""

    def __init__(self) -> None:
        self.known = False
        self._sessions: frozenset[Address] = frozenset()
        self._question: int | None = None
        self._asked = float("-inf")

    def asked(self, command: int, now: float) -> None:
        """Note that *command* asks ExaBGP what it announces."""
        self.known = False
        self._question = command
        self._asked = now

    def postponed(self, now: float) -> None:
        """Trust nothing, but do not ask at once: something is about to change."""
        self.known = False
        self._question = None
        self._asked = now

    def distrust(self, command: int | None = None) -> None:
        """Note that what we remember may be wrong; *command*, if given, will not be answered."""
        self.known = False
        if command is not None and command == self._question:
            self._question = None

    def ask_due(self, now: float) -> bool:
        """Return whether ExaBGP should be asked: not too often, and again when it is needed."""
        if self.known:
            return False
        pause = AGAIN_SECONDS if self._question is None else LOST_SECONDS
        return now - self._asked >= pause

    def answered(self, shown: Shown) -> bool:
        """Take in an answer; return whether it is the one that counts."""
        if shown.id != self._question:
            return False
        self.known = True
        self._question = None
        self._sessions = frozenset(one.session.peer for one in shown.peers)
        return True

    def holds(self, peer: Peer) -> bool:
        """Return whether ExaBGP has a session, up or down, with *peer*."""
        return peer.address in self._sessions


def routes(
    shown: Shown, peers: Mapping[PeerName, Peer]
) -> dict[PeerName, dict[Prefix, Attributes]]:
    """Return what *shown* says that *peers* are offered."""
    names: dict[Address, PeerName] = {peer.address: peer.name for peer in peers.values()}
    return {
        names[one.session.peer]: {
            prefix: group.attributes for group in one.routes for prefix in group.prefixes
        }
        for one in shown.peers
        if one.session.peer in names
    }
