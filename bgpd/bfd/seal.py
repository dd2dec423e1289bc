"""Keyed SHA1 authentication of control packets (RFC 5880, section 6.7.4).

The sequence number of the first packet is believed only after its digest is right, which the
RFC leaves open: else anybody could set it for the peer.

Supported standards: RFC 5880 sections 4.4 and 6.7.4. A digest is 20 bytes, a key 1 to 20.
"""

import hmac
from dataclasses import dataclass, replace
from hashlib import sha1
from typing import Final

from bgpd.bfd.packet import (
    MANDATORY_LENGTH,
    SHA1_LENGTH,
    SHA1_SECTION_LENGTH,
    AuthSection,
    AuthType,
    ControlPacket,
    Refusal,
    encode,
)

_SEQUENCES: Final = 2**32
_WINDOW: Final = 3
"""Times Detect Mult: how far a sequence number may be ahead of the last."""
_DIGEST_AT: Final = MANDATORY_LENGTH + SHA1_SECTION_LENGTH - SHA1_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The secret that both ends share."""

    id: int
    secret: bytes
    """1..20 bytes."""
    type: AuthType = AuthType.METICULOUS_KEYED_SHA1

    @property
    def padded(self) -> bytes:
        """The secret as it stands in the place of the digest."""
        return self.secret.ljust(SHA1_LENGTH, b"\0")


class Seal:
    """Signs what leaves and checks what arrives, for one session with one key."""

    def __init__(self, key: Key, *, sequence: int) -> None:
        """Begin at *sequence*, a random number: bfd.XmitAuthSeq."""
        self.key = key
        self.sequence = sequence % _SEQUENCES
        self._last: int | None = None

    def sign(self, packet: ControlPacket) -> bytes:
        """Return *packet* with its authentication; every packet has the next sequence number.

        Keyed SHA1 allows a number to be used more than once; never doing so serves both kinds.
        """
        self.sequence = (self.sequence + 1) % _SEQUENCES
        auth = AuthSection(
            type=self.key.type,
            key_id=self.key.id,
            sequence=self.sequence,
            digest=self.key.padded,
        )
        keyed = encode(replace(packet, auth=auth))
        return keyed[:_DIGEST_AT] + _digest(keyed)

    def refusal(self, auth: AuthSection, data: bytes, detect_mult: int) -> Refusal | None:
        """Return why the packet in *data* is not authentic; None when it is, and noted."""
        if auth.type != self.key.type:
            return Refusal.AUTH_TYPE
        if auth.key_id != self.key.id:
            return Refusal.AUTH_KEY_ID
        if self._last is not None and not self._in_window(auth.sequence, detect_mult):
            return Refusal.AUTH_SEQUENCE
        end = MANDATORY_LENGTH + SHA1_SECTION_LENGTH
        expected = _digest(data[:_DIGEST_AT] + self.key.padded)
        if not hmac.compare_digest(expected, data[_DIGEST_AT:end]):
            return Refusal.AUTH_DIGEST
        self._last = auth.sequence
        return None

    def forget(self) -> None:
        """Believe any sequence number again: nothing was heard for twice the detection time."""
        self._last = None

    def _in_window(self, sequence: int, detect_mult: int) -> bool:
        if self._last is None:
            return True
        ahead = (sequence - self._last) % _SEQUENCES
        least = 1 if self.key.type is AuthType.METICULOUS_KEYED_SHA1 else 0
        return least <= ahead <= _WINDOW * detect_mult


def _digest(keyed: bytes) -> bytes:
    # RFC 5880 says SHA1; it protects a hello, and is what routers speak.
    return sha1(keyed, usedforsecurity=False).digest()
