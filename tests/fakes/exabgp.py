"""ExaBGP as the reflex sees it: commands in, messages out, nothing on any wire.

It keeps what the real one keeps (routes by session, across restarts of the reflex) and fails
the test on what must never happen: a route for a session that nobody configured.
"""

import re

from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    Ping,
    Reload,
    RouteGroup,
    Show,
    Update,
)
from bgpd.exabgp.message import (
    Done,
    Message,
    Pong,
    Reloaded,
    SessionChanged,
    Shown,
    ShownPeer,
)
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes


class FakeExabgp:
    """Answers each command at once."""

    def __init__(self) -> None:
        self.configuration = ""
        self.routes: dict[Address, dict[Prefix, Attributes]] = {}
        self.closed: list[int] = []
        self.exited = False
        self.updates: list[Update] = []

    def peers(self) -> tuple[Address, ...]:
        """Return the peers of the configuration that was loaded last."""
        return tuple(
            Address(found) for found in re.findall(r"neighbor (\S+) \{", self.configuration)
        )

    def answer(self, command: Command) -> list[Message]:  # noqa: PLR0911 - one for each kind
        """Carry out *command* and return what ExaBGP says to it."""
        match command:
            case Ping(id=number):
                return [Pong(id=number)]
            case Show(id=number):
                return [Shown(id=number, peers=tuple(self._shown(peer) for peer in self.routes))]
            case Reload(id=number):
                self.routes = {peer: self.routes.get(peer, {}) for peer in self.peers()}
                return [Reloaded(id=number)]
            case Update():
                self.updates.append(command)
                return [self._update(command)]
            case EndOfRib(id=number):
                return [Done(id=number)]
            case Close(id=number, subcode=subcode):
                self.closed.append(subcode)
                self.routes = {}
                return [Done(id=number)]
            case Exit():
                self.exited = True
                return []

    def _update(self, update: Update) -> Done:
        for change in update.peers:
            assert change.peer in self.routes, f"update for {change.peer}, which is not configured"
            for prefix in change.withdraw:
                del self.routes[change.peer][prefix]
            for group in change.advertise:
                self.routes[change.peer].update(dict.fromkeys(group.prefixes, group.attributes))
        return Done(id=update.id, flushed=tuple(change.peer for change in update.peers))

    def _shown(self, peer: Address) -> ShownPeer:
        return ShownPeer(
            session=SessionChanged(peer=peer, state=PeerState.ESTABLISHED),
            routes=tuple(
                RouteGroup(attributes=attributes, prefixes=(prefix,))
                for prefix, attributes in self.routes[peer].items()
            ),
        )
