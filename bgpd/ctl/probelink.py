"""The two ends of a probe speak over one TCP connection that the mesh key signs.

Each end begins with a nonce; both nonces and the mesh key make a key for this connection only.
Every line is JSON behind a code over the direction, a number and the text (keyed BLAKE2b, RFC
7693): what is recorded, changed, left out or sent back to its sender is refused. Nothing on the
line is secret.
"""

import hashlib
import hmac
import json
import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Self

from bgpd.ctl.probeplan import ProbeError
from bgpd.mesh.seal import key_id

_GREETING: Final = b"bgpd-probe 1"
_NONCE_BYTES: Final = 16
_CODE_BYTES: Final = 16
_LONGEST: Final = 64 * 1024
_GREETING_SECONDS: Final = 5.0

Words = dict[str, Any]


class Link:
    """One end of an authenticated connection."""

    def __init__(self, sock: socket.socket, key: bytes, *, caller: bool) -> None:
        """Use *sock*, whose greetings made *key*; *caller* says which end we are."""
        self._socket = sock
        self._key = key
        self._ours, self._theirs = (b"a", b"b") if caller else (b"b", b"a")
        self._sent = 0
        self._heard = 0
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def say(self, words: Words) -> None:
        """Send *words*; raise `ProbeError` where nobody is there any more."""
        text = json.dumps(words, separators=(",", ":")).encode()
        line = self._code(self._ours, self._sent, text) + b" " + text + b"\n"
        self._sent += 1
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise ProbeError(f"the partner is gone: {error.strerror or error}") from None

    def hear(self, seconds: float) -> Words:
        """Return what the other end says next; raise `ProbeError` where it says nothing true."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            self._buffer += _received(self._socket, deadline)
            if len(self._buffer) > _LONGEST:
                raise ProbeError("the partner says too much")
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        code, _, text = line.partition(b" ")
        wanted = self._code(self._theirs, self._heard, text)
        self._heard += 1
        if not hmac.compare_digest(code, wanted):
            raise ProbeError("the partner's word is not signed with our mesh key")
        words: Words = json.loads(text)
        return words

    @property
    def has_line(self) -> bool:
        """Whether a whole line was received that nobody has heard yet."""
        return b"\n" in self._buffer

    def has_word(self) -> bool:
        """Return whether something has arrived, the end of the connection included."""
        return self.has_line or bool(select.select([self._socket], [], [], 0)[0])

    def ask(self, words: Words, seconds: float) -> Words:
        """Return the answer to *words*; raise `ProbeError` for one that says what went wrong."""
        self.say(words)
        answer = self.hear(seconds)
        if "error" in answer:
            raise ProbeError(str(answer["error"]))
        return answer

    def _code(self, direction: bytes, number: int, text: bytes) -> bytes:
        body = direction + number.to_bytes(8, "big") + text
        code = hashlib.blake2b(body, key=self._key, digest_size=_CODE_BYTES, person=b"bgpd probe")
        return code.hexdigest().encode()


def call(address: str, port: int, keys: Sequence[bytes], *, seconds: float) -> Link:
    """Return a connection to the partner at *address*; raise `ProbeError` where there is none."""
    try:
        sock = socket.create_connection((address, port), timeout=seconds)
    except OSError as error:
        raise ProbeError(
            f"nobody answers at {address} port {port} ({error.strerror or error}): run"
            " `bgpctl probe --listen` on the other node, and let the port through"
        ) from None
    with _closing_on_error(sock):
        deadline = time.monotonic() + _GREETING_SECONDS
        nonce, theirs, known = _greetings(sock, keys, deadline)
        key = next((key for key in keys if key_id(key) in known), None)
        if key is None:
            raise ProbeError("the partner has another mesh key")
        link = Link(sock, _session_key(key, nonce, theirs), caller=True)
        link.say({"key": key_id(key)})
        if "ready" not in link.hear(_GREETING_SECONDS):
            raise ProbeError("the partner is not ready")
    return link


def answer(sock: socket.socket, keys: Sequence[bytes]) -> Link:
    """Return the other end of `call`; raise `ProbeError` for whoever has not our key."""
    deadline = time.monotonic() + _GREETING_SECONDS
    nonce, theirs, known = _greetings(sock, keys, deadline)
    # The caller takes the first of its own keys that we have, too.
    for key in (key for number in known for key in keys if key_id(key) == number):
        link = Link(sock, _session_key(key, theirs, nonce), caller=False)
        if link.hear(_GREETING_SECONDS).get("key") == key_id(key):
            link.say({"ready": True})
            return link
    raise ProbeError("whoever called has another mesh key")


class _closing_on_error:  # noqa: N801 - reads as a statement
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def __enter__(self) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None:
            self._socket.close()


def _greetings(
    sock: socket.socket, keys: Sequence[bytes], deadline: float
) -> tuple[bytes, bytes, tuple[int, ...]]:
    """Exchange greetings; return our nonce, theirs, and the ids of the keys that they have."""
    nonce = os.urandom(_NONCE_BYTES)
    ids = b",".join(f"{key_id(key):08x}".encode() for key in keys)
    with suppress(OSError):
        sock.sendall(b" ".join((_GREETING, nonce.hex().encode(), ids)) + b"\n")
    line = bytearray()
    while not line.endswith(b"\n"):
        line += _received(sock, deadline, most=1)
        if len(line) > 200:
            raise ProbeError("the partner is no bgpctl probe")
    words = bytes(line).decode("ascii", "replace").split()
    if len(words) != 4 or words[:2] != _GREETING.decode().split():
        raise ProbeError("the partner is no bgpctl probe, or of another version")
    try:
        return nonce, bytes.fromhex(words[2]), tuple(int(k, 16) for k in words[3].split(","))
    except ValueError:
        raise ProbeError("the partner's greeting is not understood") from None


def _session_key(key: bytes, caller: bytes, called: bytes) -> bytes:
    secret = hashlib.blake2b(key, digest_size=32, person=b"bgpd probe key").digest()
    return hashlib.blake2b(caller + called, key=secret, digest_size=32).digest()


def _received(sock: socket.socket, deadline: float, *, most: int = 1 << 14) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise ProbeError("the partner says nothing any more")
    sock.settimeout(left)
    try:
        found = sock.recv(most)
    except TimeoutError:
        raise ProbeError("the partner says nothing any more") from None
    except OSError as error:
        raise ProbeError(f"the partner is gone: {error.strerror or error}") from None
    if not found:
        raise ProbeError("the partner is gone: it closed the connection")
    return found
