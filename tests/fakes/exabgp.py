"""ExaBGP as the reflex sees it: commands in, messages out, nothing on any wire.

It keeps what the real one keeps (routes by session, across restarts of the reflex) and fails
the test on what must never happen: a route for a session that nobody configured. What it
answers, and what the real one does, is compared in tests/contracts/test_exabgp.py.
"""

import re
from collections.abc import Callable

from bgpd.exabgp.command import (
    Close,
    Command,
    EndOfRib,
    Exit,
    Hold,
    Ping,
    Reload,
    RouteGroup,
    Show,
    Update,
)
from bgpd.exabgp.message import (
    Done,
    Failed,
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
    """Answers each command at once; what it shall refuse is a matter of its fields."""

    def __init__(self, *, strict: bool = True) -> None:
        """Fail the test on an update for an unknown peer, unless not *strict*."""
        self.configuration = ""
        """The file; it means something once a `Reload` has read it."""
        self.reload_error = ""
        """Why the file does not load."""
        self.refuses: Callable[[Command], bool] = lambda _: False
        """Which commands fail."""
        self.commands: list[Command] = []
        self._strict = strict
        self.routes: dict[Address, dict[Prefix, Attributes]] = {}
        self.closed: list[int] = []
        self.final: list[bool] = []
        """Whether each of those said Cease whatever was negotiated."""
        self.keeps: set[Address] = set()
        """Peers that negotiated graceful restart: they keep routes over a silent end."""
        self.exited = False
        self.held: tuple[Address, ...] = ()
        self.updates: list[Update] = []

    def peers(self) -> tuple[Address, ...]:
        """Return the peers of the configuration that was loaded last."""
        return tuple(
            Address(found) for found in re.findall(r"neighbor (\S+) \{", self.configuration)
        )

    def answer(self, command: Command) -> list[Message]:  # noqa: C901, PLR0911 - one for each kind
        """Carry out *command* and return what ExaBGP says to it."""
        self.commands.append(command)
        if self.refuses(command):
            return [Failed(id=command.id, error="scripted")]
        match command:
            case Ping(id=number):
                return [Pong(id=number)]
            case Show(id=number):
                peers = tuple(self._shown(peer) for peer in self.routes)
                return [Shown(id=number, peers=peers, held=self.held)]
            case Reload(id=number) if self.reload_error:
                return [Failed(id=number, error=self.reload_error)]
            case Reload(id=number):
                before, after = set(self.routes), set(self.peers())
                added, removed = tuple(sorted(after - before)), tuple(sorted(before - after))
                self.routes = {peer: self.routes.get(peer, {}) for peer in self.peers()}
                return [Reloaded(id=number, added=added, removed=removed)]
            case Update():
                self.updates.append(command)
                return [self._update(command)]
            case EndOfRib(id=number):
                return [Done(id=number)]
            case Close(id=number, subcode=subcode, final=final):
                self.closed.append(subcode)
                self.final.append(final)
                self.routes = {}
                return [Done(id=number)]
            case Hold(id=number, peers=peers):
                self.held = tuple(peer for peer in peers if peer in self.routes)
                unknown = tuple(peer for peer in peers if peer not in self.routes)
                return [Done(id=number, flushed=self.held, unknown=unknown)]
            case Exit(id=number):
                self.exited = True
                return [Done(id=number)]

    def _update(self, update: Update) -> Done:
        unknown = tuple(one.peer for one in update.peers if one.peer not in self.routes)
        assert not (unknown and self._strict), f"update for {unknown}, which is not configured"
        for change in update.peers:
            if change.peer in unknown:
                continue
            for prefix in change.withdraw:
                self.routes[change.peer].pop(prefix, None)
            for group in change.advertise:
                self.routes[change.peer].update(dict.fromkeys(group.prefixes, group.attributes))
        known = tuple(one.peer for one in update.peers if one.peer not in unknown)
        return Done(id=update.id, flushed=known, unknown=unknown)

    def _shown(self, peer: Address) -> ShownPeer:
        return ShownPeer(
            session=SessionChanged(
                peer=peer, state=PeerState.ESTABLISHED, graceful_restart=peer in self.keeps
            ),
            routes=tuple(
                RouteGroup(attributes=attributes, prefixes=(prefix,))
                for prefix, attributes in self.routes[peer].items()
            ),
        )
