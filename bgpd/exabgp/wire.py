"""Lines of both directions between the reflex and ExaBGP: `bgpd KIND {json}`, ASCII.

ExaBGP reads and writes text lines on the same two pipes, so a line of ours is known by its
first word, whatever else may be said there.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from bgpd.model.errors import ProtocolError

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes. Ten thousand routes to four peers take three; beyond this somebody is broken."""

_PREFIX: Final = b"bgpd "

Value = TypeVar("Value")


class Codec(Generic[Value]):
    """Typed values of a closed set of kinds, to lines and back."""

    def __init__(self, kinds: Mapping[str, type[Value]]) -> None:
        """Know *kinds*: the word on the line, and the class that it stands for."""
        self._words = {kind: word.encode() for word, kind in kinds.items()}
        self._decoders: dict[bytes, msgspec.json.Decoder[Value]] = {
            word.encode(): msgspec.json.Decoder(kind) for word, kind in kinds.items()
        }
        self._encoder = msgspec.json.Encoder()

    def encode(self, value: Value) -> bytes:
        """Return *value* as one line, newline included."""
        body = self._encoder.encode(value)
        if not body.isascii():
            body = json.dumps(json.loads(body), separators=(",", ":")).encode()
        return b"%s%s %s\n" % (_PREFIX, self._words[type(value)], body)

    def decode(self, line: bytes) -> Value | None:
        """Return the value in *line*, None when it is not ours, or raise `ProtocolError`."""
        if not line.startswith(_PREFIX):
            return None
        word, _, body = line[len(_PREFIX) :].partition(b" ")
        decoder = self._decoders.get(word)
        if decoder is None:
            raise ProtocolError(f"unknown kind of line: {_shown(word)}")
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"line of kind {_shown(word)} refused: {error}") from error


def request_id(line: bytes) -> int | None:
    """Return the `id` in a line that did not decode, so that its sender can be answered."""
    try:
        found: Any = json.loads(line.partition(b"{")[1] + line.partition(b"{")[2])["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _shown(word: bytes) -> str:
    return repr(word[:40].decode("ascii", "backslashreplace"))
