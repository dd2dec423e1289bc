"""What the reflex asks of ExaBGP, as values and as lines.

A line is `bgpd KIND {json}`, ASCII, with no line break inside. The first word keeps our lines
apart from ExaBGP's own commands, which are matched by substring; the kind lets a reader choose
a typed decoder before it looks at the JSON. The reflex encodes, the launcher decodes.

Sessions are keyed by the peer's address: one node never has two peers with one address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.exabgp import wire
from bgpd.model.prefix import Address, Family, Prefix
from bgpd.model.route import Attributes

ADMINISTRATIVE_SHUTDOWN: Final = 2
PEER_DECONFIGURED: Final = 3
ADMINISTRATIVE_RESET: Final = 4
OTHER_CONFIGURATION_CHANGE: Final = 6
BFD_DOWN: Final = 10
"""Subcodes of the Cease NOTIFICATION (RFC 4486, section 3; RFC 9384 for the last)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGroup:
    """Prefixes that share all their path attributes, so that one UPDATE can carry them."""

    attributes: Attributes
    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUpdate:
    """What one peer no longer is offered, and what it is offered from now on."""

    peer: Address
    withdraw: tuple[Prefix, ...] = ()
    advertise: tuple[RouteGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change what peers are offered; withdrawals reach the wire first. Answer: `Done`.

    A peer that is not established gets its routes when it is. A prefix that is advertised
    again with other attributes needs no withdrawal.
    """

    id: int
    peers: tuple[PeerUpdate, ...]
    watched: bool = False
    """Whether to say as well when each router has it: `Arrived`, after `Done`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Read the configuration file again. Answer: `Reloaded`, or `Failed` and nothing changed."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Tell the state of every session and every route that is offered now. Answer: `Shown`."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Show that the reflex lives, and ask whether ExaBGP does. Answer: `Pong`.

    Once the first has been sent, two seconds without another are taken for a hang, and the
    reflex is killed and started again.
    """

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close sessions for good, once all that is queued has been written. Answer: `Done`.

    With graceful restart negotiated the connection closes without a NOTIFICATION (RFC 4724,
    section 4), so that the peer keeps the routes; otherwise with Cease and *subcode*.
    """

    id: int
    subcode: int = ADMINISTRATIVE_SHUTDOWN
    peers: tuple[Address, ...] = ()
    """Empty means all of them."""
    final: bool = False
    """Say Cease in any case: there is nothing that a peer should keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfRib:
    """Send End-of-RIB after all that is queued (RFC 4724, section 2). Answer: `Done`.

    Needed after each establishment of a session that offers graceful restart: only the reflex
    knows when its routes are complete.
    """

    id: int
    peers: tuple[Address, ...]
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    """Families that a session did not negotiate are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Have no session with these peers, and hold no other one back. Answer: `Done`.

    It says everything: a peer that an earlier one named and this one does not may have its
    session again. What is established is closed as `Close` would, but at once: whoever is held
    hears nothing that is queued. Routes are kept, and sent again with the next session.
    """

    id: int
    peers: tuple[Address, ...]
    subcode: int = BFD_DOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """End ExaBGP with status 0, after sessions still open were closed as `Close` would."""

    id: int


Command: TypeAlias = Update | Reload | Show | Ping | Close | EndOfRib | Hold | Exit

_KINDS: Final[Mapping[str, type[Command]]] = {
    "update": Update,
    "reload": Reload,
    "show": Show,
    "ping": Ping,
    "close": Close,
    "end-of-rib": EndOfRib,
    "hold": Hold,
    "exit": Exit,
}
_codec: Final[wire.Codec[Command]] = wire.Codec(_KINDS)


def encode(command: Command) -> bytes:
    """Return *command* as one line, newline included."""
    return _codec.encode(command)


def decode(line: bytes) -> Command | None:
    """Return the command in *line*, None when it is not one of ours, or raise `ProtocolError`."""
    return _codec.decode(line)
