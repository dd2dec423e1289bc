"""The BFD control packet on the wire (RFC 5880, section 4), and why one is refused.

Every check of section 6.8.6 that needs no session is here, in the order of the RFC; those that
need one are in `session`. A refused packet has changed nothing, and its reason is counted.

Supported standards: RFC 5880 sections 4.1, 4.3 and 4.4 (keyed and meticulous keyed SHA1); other
kinds of authentication are recognized and refused.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from struct import Struct
from typing import Final

VERSION: Final = 1
SHA1_LENGTH: Final = 20
MANDATORY_LENGTH: Final = 24
"""Bytes of the section that every packet has."""
SHA1_SECTION_LENGTH: Final = 28
MAX_LENGTH: Final = 255
"""What the length field can say."""

_MANDATORY: Final = Struct("!BBBBIIIII")
_SHA1_HEAD: Final = Struct("!BBBBI")
_POLL, _FINAL, _INDEPENDENT, _AUTHENTICATED, _DEMAND, _MULTIPOINT = (
    1 << n for n in range(5, -1, -1)
)


class State(IntEnum):
    """The state of a session, with the numbers of the wire (section 4.1)."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3


class Diag(IntEnum):
    """Why a session was last left (section 4.1); numbers without a name are kept as numbers."""

    NONE = 0
    DETECTION_TIME_EXPIRED = 1
    ECHO_FAILED = 2
    NEIGHBOR_SIGNALED_DOWN = 3
    FORWARDING_PLANE_RESET = 4
    PATH_DOWN = 5
    CONCATENATED_PATH_DOWN = 6
    ADMINISTRATIVELY_DOWN = 7
    REVERSE_CONCATENATED_PATH_DOWN = 8


class AuthType(IntEnum):
    """The kinds of authentication that are understood (section 4.1)."""

    KEYED_SHA1 = 4
    METICULOUS_KEYED_SHA1 = 5


class Refusal(StrEnum):
    """Why a packet was discarded: a counter's name each."""

    VERSION = "version"
    TOO_SHORT = "too_short"
    LENGTH = "length"
    """It claims to be longer than it is."""
    DETECT_MULT = "detect_mult_zero"
    MULTIPOINT = "multipoint"
    MY_DISCR = "my_discriminator_zero"
    TTL = "ttl"
    """It came from further away than it may have."""
    UNKNOWN_SESSION = "unknown_session"
    """Nobody here expects packets from there, or its discriminator is not ours."""
    YOUR_DISCR = "your_discriminator_zero"
    """Only a session that is down may say so little."""
    AUTH_UNEXPECTED = "authentication_unexpected"
    AUTH_MISSING = "authentication_missing"
    AUTH_MALFORMED = "authentication_malformed"
    AUTH_TYPE = "authentication_type"
    AUTH_KEY_ID = "authentication_key_id"
    AUTH_SEQUENCE = "authentication_sequence"
    """Older than what was heard, or much too new: a recording, or a peer that restarted."""
    AUTH_DIGEST = "authentication_digest"
    ADMIN_DOWN = "session_admin_down"
    """We are told to be down, and listen to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSection:
    """The authentication section of keyed SHA1, or of its meticulous variant (section 4.4)."""

    type: int
    key_id: int = 0
    sequence: int = 0
    digest: bytes = b""
    """Empty for kinds that are not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPacket:
    """One control packet; intervals are microseconds, as on the wire."""

    state: State
    detect_mult: int
    my_discr: int
    your_discr: int = 0
    desired_min_tx: int
    required_min_rx: int
    required_min_echo_rx: int = 0
    diag: int = 0
    poll: bool = False
    final: bool = False
    control_plane_independent: bool = False
    demand: bool = False
    auth: AuthSection | None = None


def encode(packet: ControlPacket) -> bytes:
    """Return *packet* as it goes over the wire; with authentication, its digest as it is."""
    auth = b"" if packet.auth is None else _encode_auth(packet.auth)
    flags = (
        packet.poll * _POLL
        | packet.final * _FINAL
        | packet.control_plane_independent * _INDEPENDENT
        | bool(auth) * _AUTHENTICATED
        | packet.demand * _DEMAND
    )
    return (
        _MANDATORY.pack(
            VERSION << 5 | packet.diag,
            packet.state << 6 | flags,
            packet.detect_mult,
            MANDATORY_LENGTH + len(auth),
            packet.my_discr,
            packet.your_discr,
            packet.desired_min_tx,
            packet.required_min_rx,
            packet.required_min_echo_rx,
        )
        + auth
    )


def decode(data: bytes) -> ControlPacket | Refusal:
    """Return the packet in *data*, or why it is none (section 6.8.6, down to the discriminators).

    What follows the packet in the datagram is ignored, as the RFC has it.
    """
    if data and data[0] >> 5 != VERSION:
        return Refusal.VERSION
    if len(data) < MANDATORY_LENGTH:
        return Refusal.TOO_SHORT
    first, second, mult, length, mine, yours, tx, rx, echo = _MANDATORY.unpack_from(data)
    refusal = _misfit(second, length, len(data)) or _nonsense(second, mult, mine)
    if refusal is not None:
        return refusal
    auth = None
    if second & _AUTHENTICATED:
        auth = _decode_auth(data[MANDATORY_LENGTH:length])
        if auth is None:
            return Refusal.AUTH_MALFORMED
    return ControlPacket(
        diag=first & 0x1F,
        state=State(second >> 6),
        poll=bool(second & _POLL),
        final=bool(second & _FINAL),
        control_plane_independent=bool(second & _INDEPENDENT),
        demand=bool(second & _DEMAND),
        detect_mult=mult,
        my_discr=mine,
        your_discr=yours,
        desired_min_tx=tx,
        required_min_rx=rx,
        required_min_echo_rx=echo,
        auth=auth,
    )


def _misfit(flags: int, length: int, available: int) -> Refusal | None:
    least = MANDATORY_LENGTH + (2 if flags & _AUTHENTICATED else 0)
    if length < least:
        return Refusal.TOO_SHORT
    return Refusal.LENGTH if length > available else None


def _nonsense(flags: int, mult: int, mine: int) -> Refusal | None:
    if not mult:
        return Refusal.DETECT_MULT
    if flags & _MULTIPOINT:
        return Refusal.MULTIPOINT
    return None if mine else Refusal.MY_DISCR


def _encode_auth(auth: AuthSection) -> bytes:
    head = _SHA1_HEAD.pack(auth.type, SHA1_SECTION_LENGTH, auth.key_id, 0, auth.sequence)
    return head + auth.digest.ljust(SHA1_LENGTH, b"\0")


def _decode_auth(section: bytes) -> AuthSection | None:
    """Return the authentication in *section*; None when its own length is wrong (section 6.7)."""
    if section[1] != len(section):
        return None
    if section[0] not in tuple(AuthType):
        return AuthSection(type=section[0])
    if len(section) != SHA1_SECTION_LENGTH:
        return None
    kind, _, key_id, _, sequence = _SHA1_HEAD.unpack_from(section)
    return AuthSection(
        type=kind, key_id=key_id, sequence=sequence, digest=section[_SHA1_HEAD.size :]
    )
