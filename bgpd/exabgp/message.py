"""What ExaBGP tells the reflex, as values and as lines.

The launcher encodes, the reflex decodes; the form of a line is the one of `command`. A line
that ExaBGP wrote on its own account decodes to `Ignored`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bgpd.exabgp import wire
from bgpd.exabgp.command import RouteGroup
from bgpd.model.errors import ProtocolError
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Address, Family


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """A session is in another state now, or failed to get any further for a new reason."""

    peer: Address
    state: PeerState
    hold_time: int | None = None
    """Negotiated, seconds; like the two below, known from OpenConfirm on."""
    peer_router_id: Address | None = None
    families: tuple[Family, ...] = ()
    """Families that both ends speak."""
    extended_next_hop: bool = False
    """IPv4 routes may have an IPv6 next hop (RFC 8950); others of that kind are held back."""
    graceful_restart: bool = False
    """Both ends offered it: a closed connection leaves our routes in place."""
    error: str = ""
    """Why the session is not, or no longer, established: a sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer to `Update`, `Close`, `EndOfRib` and `Hold`, peer by peer."""

    id: int
    flushed: tuple[Address, ...] = ()
    """Everything for them has been handed to the kernel."""
    flushed_at: tuple[float, ...] = ()
    """When, for each of *flushed*: the monotonic clock of the kernel that we share."""
    pending: tuple[Address, ...] = ()
    """Established, but the connection takes no more at present; what is queued follows."""
    waiting: tuple[Address, ...] = ()
    """Not established: the routes leave when the session comes up."""
    unknown: tuple[Address, ...] = ()
    """Not in the configuration that was loaded last."""
    elapsed_milliseconds: float = 0.0
    """From reading the command to writing this answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A watched update has reached a router: its kernel has acknowledged every byte of it.

    Said at most once for each update and peer, and never where the session does not come up.
    Times are the monotonic clock, as in `Done`.
    """

    id: int
    peer: Address
    flushed_at: float
    """When it was handed to our kernel: later than `Done`, where that said pending or waiting."""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """The configuration in force is now the file's. Peers not named were left untouched."""

    id: int
    added: tuple[Address, ...] = ()
    """They are offered nothing yet: send them all their routes."""
    changed: tuple[Address, ...] = ()
    """Sessions that are being re-established; their routes are kept and sent again."""
    removed: tuple[Address, ...] = ()
    elapsed_milliseconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPeer:
    """One session, and what its peer is offered now."""

    session: SessionChanged
    routes: tuple[RouteGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The answer to `Show`."""

    id: int
    peers: tuple[ShownPeer, ...] = ()
    terminating: bool = False
    """`Terminating` has been said, perhaps to a reflex that died since."""
    held: tuple[Address, ...] = ()
    """Peers that `Hold` named last, perhaps by a reflex that died since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to `Ping`."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminating:
    """ExaBGP was told to stop: drain, then send `Close` and `Exit`."""

    seconds: float = 30.0
    """After so long the launcher closes the sessions itself and exits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A command could not be carried out, and changed nothing."""

    id: int | None = None
    """None when the line was too broken to tell."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A line that ExaBGP itself wrote, and nobody of ours needs."""


Message: TypeAlias = (
    SessionChanged | Done | Arrived | Reloaded | Shown | Pong | Terminating | Failed | Ignored
)

_KINDS: Final[Mapping[str, type[Message]]] = {
    "session": SessionChanged,
    "done": Done,
    "arrived": Arrived,
    "reloaded": Reloaded,
    "shown": Shown,
    "pong": Pong,
    "terminating": Terminating,
    "failed": Failed,
    "ignored": Ignored,
}
_codec: Final[wire.Codec[Message]] = wire.Codec(_KINDS)


def encode(message: Message) -> bytes:
    """Return *message* as one line, newline included."""
    return _codec.encode(message)


def decode(line: bytes) -> Message:
    """Return the message in *line*, or raise `ProtocolError`, for any bytes whatever."""
    if len(line) > wire.MAX_LINE:
        raise ProtocolError(f"line of {len(line)} bytes, at most {wire.MAX_LINE} are accepted")
    return _codec.decode(line) or Ignored()
