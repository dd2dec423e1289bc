"""The messages of the unix sockets: one JSON object a line, versioned by name and by addition.

Agent -> speaker: `Hello`, then one `Desired` with everything, then `Delta` and `Standing` for
what changed, `Why` of some of it, and a `Beat` each second. Speaker -> agent: `Welcome`,
`Applied`, `Silent`, `Report`.
bgpctl -> either: `Hello`, then one `Ask`; the answer is one `Answer`.

Compatibility: a reader ignores fields it does not know, and counts kinds it does not know and
reports with words it does not know (a state, a reason) and reads on; a field that is added has a
default. `version` says what the writer speaks, so that n and n-1 can
sit at the two ends of one socket during an upgrade.

Neither end decides anything by a time that the other one wrote: the two share no clock but the
kernel's. A `Cause` carries two moments of that, to be shown in the timeline and for nothing else.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from bgpd.model.errors import ProtocolError
from bgpd.model.member import Member, NodeName, SpeakerPolicy
from bgpd.model.peer import Peer, PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement
from bgpd.model.status import SpeakerStatus
from bgpd.model.timeline import Cause, Failover

VERSION = 1
"""What this program speaks; it understands VERSION and VERSION - 1."""

MAX_LINE = 64 * 1024 * 1024
"""Bytes; a longer line is refused and the connection closed."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """Anything that crosses a socket."""


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """The first line of whoever connects."""

    version: int
    role: Literal["agent", "ctl"]
    program: str = ""
    """Name and version for people: `bgpd-agent/0.1.0`."""


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """The first line of whoever was connected to."""

    version: int
    node: NodeName
    program: str = ""


class Standing(Message, frozen=True, kw_only=True, tag="standing"):
    """How the agent sees its node as a whole; it replaces the one before it.

    It says what holds for all routes: which routes there are stays with `Desired` and `Delta`.
    """

    drain: str = ""
    """Why the node is drained, in a sentence; empty: it is not."""
    forced: bool = False
    """Whether a drain also takes the routes that nobody else carries."""
    doubt: tuple[str, ...] = ()
    """Why all routes rank 250, a sentence each; empty: they do not."""
    busy: tuple[Prefix, ...] = ()
    """While draining: prefixes whose routes stay as they are, because connections are open."""
    partial: bool = False
    """Whether routes are missing that other nodes take for granted, because they see the endpoint
    here: the node has just booted, or a fact about its health keeps one back. Nobody who is drained
    may leave its own to it."""


class Desired(Message, frozen=True, kw_only=True, tag="desired"):
    """The whole desired state: it replaces everything that was desired before."""

    sequence: int
    node: NodeName
    cluster_uid: str
    members: tuple[Member, ...]
    peers: tuple[Peer, ...]
    pools: tuple[Prefix, ...]
    """Every prefix that configured pools cover: the last gate's fence."""
    advertisements: tuple[Advertisement, ...]
    policy: SpeakerPolicy = SpeakerPolicy()
    aggregates: Mapping[Prefix, int] = {}
    """Blocks of *pools* in which more than single addresses may be advertised, and how short."""
    mesh_address: Address | None = None
    """Our own address in the mesh: the source of heartbeats; None when it is not known."""
    standing: Standing = Standing()
    """As the message of that kind would say it."""
    boot: str = ""
    """The kernel's boot ID: what was saved before a boot says nothing of what works after it."""


class Delta(Message, frozen=True, kw_only=True, tag="delta"):
    """What changed since the message with the sequence before this one."""

    sequence: int
    advertise: tuple[Advertisement, ...] = ()
    withdraw: tuple[tuple[PeerName, Prefix], ...] = ()


class Why(Message, frozen=True, kw_only=True, tag="why"):
    """Which facts about the world some earlier messages followed: the heads of their records.

    Said when nobody waits any more: a route leaves without its reason. What is not named here was
    configuration, which leaves no record.
    """

    causes: tuple[tuple[int, Cause], ...]
    """The sequence of a `Desired` or `Delta`, and its cause."""


class Beat(Message, frozen=True, kw_only=True, tag="beat"):
    """The agent's loop still turns; one a second."""


class Applied(Message, frozen=True, kw_only=True, tag="applied"):
    """Everything up to *sequence* has been handed to ExaBGP and confirmed by it."""

    sequence: int


class Silent(Message, frozen=True, kw_only=True, tag="silent"):
    """The peers that BFD calls gone now: said at once, because a report takes its time."""

    peers: tuple[Address, ...]


class Report(Message, frozen=True, kw_only=True, tag="report"):
    """The speaker's status after something changed, and at least every 5 seconds."""

    status: SpeakerStatus
    failovers: tuple[Failover, ...] = ()
    """The last of them that are over, the oldest first; for the others there is a question."""


class Ask(Message, frozen=True, kw_only=True, tag="ask"):
    """One question of bgpctl."""

    question: Literal[
        "status",
        "timeline",
        "events",
        "inventory",
        "routes",
        "grounds",
        "generation-reset",
        "accept-vanished",
        "drain",
        "undrain",
        "trial",
        "probed",
    ]
    arguments: dict[str, str] = {}


class Answer(Message, frozen=True, kw_only=True, tag="answer"):
    """The answer: *content* is a status, an `Inventory`, or a list of `Failover` or `Event`."""

    ok: bool = True
    error: str = ""
    content: Any = None


AnyMessage: TypeAlias = (
    Hello
    | Welcome
    | Standing
    | Desired
    | Delta
    | Why
    | Beat
    | Applied
    | Silent
    | Report
    | Ask
    | Answer
)


class _Tag(msgspec.Struct):
    kind: str


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)
_tag_decoder = msgspec.json.Decoder(_Tag)
_KINDS = frozenset(kind.__struct_config__.tag for kind in get_args(AnyMessage))

_TELLING = frozenset({"report"})
"""Kinds that order nothing. One with a word of a newer version is missed, its connection is not:
who came again would hear the same, and say its whole desired state each time."""

_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class UnknownKindError(ProtocolError):
    """A message of a kind, or a report in words, of a newer version: count it and read on."""


def encode(message: AnyMessage) -> bytes:
    """Return *message* as one line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode(line: bytes) -> AnyMessage:
    """Return the message in *line*; raise `ProtocolError`, or its kin `UnknownKindError`."""
    try:
        return _decoder.decode(line)
    except _REFUSALS as error:
        kind = _kind(line)
        if kind is not None and kind not in _KINDS:
            raise UnknownKindError(f"unknown kind of message: {kind[:64]!r}") from error
        if kind in _TELLING:
            raise UnknownKindError(f"{kind} of another version: {error}") from error
        raise ProtocolError(f"message refused: {error}") from error


def _kind(line: bytes) -> str | None:
    """Return the kind that *line* claims; None when it is no object or claims none."""
    try:
        return _tag_decoder.decode(line).kind
    except _REFUSALS:
        return None


__all__ = ["AnyMessage", "Failover", "decode", "encode"]
