"""Who may speak in the mesh: a keyed BLAKE2b code over each datagram.

The cluster's uid is inside the code, so a heartbeat of another cluster with the same key looks
like any other forgery. The key's id (a hash) in the header saves trying each key in turn.
"""

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from struct import Struct
from typing import Final, NamedTuple

from bgpd.mesh.packet import HEADER, MAC_BYTES, MAGIC

_BEGINNING: Final = Struct("!2sBBHI")


class Refusal(StrEnum):
    """Why a datagram was ignored: the name of its counter."""

    TRUNCATED = "truncated"
    """Shorter than a heartbeat, or than it says it is."""
    NOT_A_HEARTBEAT = "not_a_heartbeat"
    BAD_MAC = "bad_mac"
    """Another key, another cluster, or changed on the way."""
    MALFORMED = "malformed"
    """Authentic, but unreadable."""
    OURSELVES = "ourselves"
    """Our own datagram came back, or a second node has our name."""
    UNKNOWN_MEMBER = "unknown_member"
    """Authentic, but its name is not in the member list."""
    REPLAYED = "replayed"
    """Heard before."""
    OLD_INCARNATION = "old_incarnation"
    """An incarnation that does not echo what we sent lately: a recording, or a first contact."""


class _Key(NamedTuple):
    key_id: int
    state: "hashlib.blake2b"


class Sealer:
    """Adds the code to datagrams and checks it: one for each pair of keys and cluster."""

    def __init__(self, *, keys: Sequence[bytes], cluster_uid: str) -> None:
        self._keys = {entry.key_id: entry for entry in (_prepare(k, cluster_uid) for k in keys)}
        self.key_ids: tuple[int, ...] = tuple(self._keys)
        """Every key that is accepted, newest first."""

    def seal(self, body: bytes, key_id: int) -> bytes:
        """Return *body* with its code under the key that its header names."""
        code = self._keys[key_id].state.copy()
        code.update(body)
        return body + code.digest()

    def open(self, data: bytes) -> bytes | Refusal:
        """Return *data* without its code, or why it is refused."""
        if len(data) < HEADER.size + MAC_BYTES:
            return Refusal.TRUNCATED
        magic, _, _, length, key_id = _BEGINNING.unpack_from(data)
        if magic != MAGIC:
            return Refusal.NOT_A_HEARTBEAT
        if length > len(data):
            return Refusal.TRUNCATED
        key = self._keys.get(key_id)
        if key is None:
            return Refusal.BAD_MAC
        body = data[:-MAC_BYTES]
        code = key.state.copy()
        code.update(body)
        if not hmac.compare_digest(code.digest(), data[-MAC_BYTES:]):
            return Refusal.BAD_MAC
        return body


def key_id(key: bytes) -> int:
    """Return the four bytes that name *key* on the wire."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=4, person=b"bgpd key id").digest())


def _prepare(key: bytes, cluster_uid: str) -> _Key:
    # BLAKE2b takes keys of up to 64 bytes; people write longer ones into Secrets.
    secret = hashlib.blake2b(key, digest_size=32, person=b"bgpd mesh key").digest()
    state = hashlib.blake2b(key=secret, digest_size=MAC_BYTES, person=b"bgpd mesh")
    uid = cluster_uid.encode()
    state.update(len(uid).to_bytes(2, "big") + uid)
    return _Key(key_id(key), state)
