"""Do we know what ExaBGP announces? Until we do, nothing is sent.

The reflex may be younger than ExaBGP's routes (it crashed), and a changed configuration may
have moved routes with their sessions. In both cases ExaBGP is asked, and its answer is what the
next plan starts from.
"""

from collections.abc import Mapping

from bgpd.exabgp.message import Shown
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes

AGAIN_SECONDS = 1.0
"""After a refused command ExaBGP is asked at most so often."""


class Adoption:
    """Whether the actual routes are known, and the questions that are open."""

    def __init__(self) -> None:
        self.known = False
        self._reload: int | None = None
        self._held: Shown | None = None
        self._asked = float("-inf")

    def asked(self, now: float) -> None:
        """Note that ExaBGP was asked what it announces."""
        self.known = False
        self._asked = now

    def reloading(self, command: int) -> None:
        """Note that *command* tells ExaBGP to read its configuration."""
        self._reload = command

    def reloaded(self, command: int | None) -> None:
        """Note that *command* was answered, well or not."""
        if command == self._reload:
            self._reload = None

    def may_ask(self, now: float) -> bool:
        """Return whether it is not too soon to ask after a failure."""
        return now - self._asked > AGAIN_SECONDS

    def hold(self, shown: Shown) -> None:
        """Keep an answer until the peers' names are known."""
        self._held = shown

    def take_held(self) -> Shown | None:
        """Return the answer that waited, once."""
        held, self._held = self._held, None
        return held

    def routes(
        self, shown: Shown, peers: Mapping[PeerName, Peer]
    ) -> dict[PeerName, dict[Prefix, Attributes]]:
        """Return what *shown* says of *peers*; from now on it is known, unless a reload runs."""
        self.known = self._reload is None
        names: dict[Address, PeerName] = {peer.address: peer.name for peer in peers.values()}
        return {
            names[one.session.peer]: {
                prefix: group.attributes for group in one.routes for prefix in group.prefixes
            }
            for one in shown.peers
            if one.session.peer in names
        }
