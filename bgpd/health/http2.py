"""One request on an HTTP/2 connection of its own, as bytes in and fields and data out.

A probe needs a single call and then hangs up: no priorities, no push, no flow control of ours
(an answer that is larger than the first window is none that we wait for), and one stream, the
first. A library that can do the rest costs ten times the time of a call.

Supported standards: RFC 9113 with prior knowledge, or ALPN `h2`; RFC 7541.
"""

import struct
from enum import IntEnum
from typing import Final

from bgpd.health.hpack import Decoder, Fields, encode
from bgpd.model.errors import ProtocolError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = 9
_MOST_FRAME: Final = 16_384
_STREAM: Final = 1
_ACK: Final = 0x1
_END_STREAM: Final = 0x1
_END_HEADERS: Final = 0x4
_PADDED: Final = 0x8
_PRIORITY: Final = 0x20
_NO_PUSH: Final = struct.pack("!HI", 2, 0)
"""SETTINGS_ENABLE_PUSH = 0."""

_ERRORS: Final = (
    "no error", "protocol error", "internal error", "flow control error", "settings timeout",
    "stream closed", "frame size error", "refused stream", "cancel", "compression error",
    "connect error", "enhance your calm", "inadequate security", "HTTP/1.1 required",
)  # fmt: skip


class _Frame(IntEnum):
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    CONTINUATION = 9


class Call:
    """One request and its answer."""

    def __init__(self, fields: Fields, body: bytes) -> None:
        """Ask *fields* with *body*; a header block must fit into one frame."""
        self.outgoing = (
            PREFACE
            + _frame(_Frame.SETTINGS, 0, 0, _NO_PUSH)
            + _frame(_Frame.HEADERS, _END_HEADERS, _STREAM, encode(fields))
            + _frame(_Frame.DATA, _END_STREAM, _STREAM, body)
        )
        """What is to be sent; whoever sends it empties it."""
        self.settled = False
        """Whether the other side has spoken HTTP/2."""
        self.heads: list[dict[str, str]] = []
        """The fields of the answer, then its trailers."""
        self.body = bytearray()
        self.ended = False
        self.refusal = ""
        """Why there will be no (more) answer."""
        self._buffer = bytearray()
        self._decoder = Decoder()
        self._block: bytearray | None = None
        self._last_block = False

    def receive(self, data: bytes) -> None:
        """Take in what arrived, or raise `ProtocolError`."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEAD and not self.ended:
            length = int.from_bytes(buffer[:3])
            kind, flags = buffer[3], buffer[4]
            stream = int.from_bytes(buffer[5:9]) & 0x7FFFFFFF
            if not self.settled and (kind != _Frame.SETTINGS or stream or flags & _ACK):
                raise ProtocolError("it does not begin with SETTINGS")
            if length > _MOST_FRAME:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(buffer) < _HEAD + length:
                return
            payload = bytes(buffer[_HEAD : _HEAD + length])
            del buffer[: _HEAD + length]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if (self._block is not None) != (kind == _Frame.CONTINUATION):
            raise ProtocolError("a header block is interrupted")
        match kind:
            case _Frame.SETTINGS:
                self.settled = True
                if not flags & _ACK:
                    self.outgoing += _frame(_Frame.SETTINGS, _ACK, 0, b"")
            case _Frame.PING:
                if not flags & _ACK:
                    self.outgoing += _frame(_Frame.PING, _ACK, 0, payload)
            case _Frame.GOAWAY:
                # Section 6.8: who goes away in peace still answers the streams up to that number.
                if any(payload[4:8]) or int.from_bytes(payload[:4]) & 0x7FFFFFFF < _STREAM:
                    self._refused(payload[4:8])
            case _Frame.PUSH_PROMISE:
                raise ProtocolError("a push, which we do not take")
            case _ if stream == _STREAM:
                self._take_ours(kind, flags, payload)

    def _take_ours(self, kind: int, flags: int, payload: bytes) -> None:
        """Take a frame of our stream."""
        match kind:
            case _Frame.DATA:
                self.body += _unpadded(flags, payload)
                self.ended = bool(flags & _END_STREAM)
            case _Frame.HEADERS:
                fragment = _unpadded(flags, payload)
                self._last_block = bool(flags & _END_STREAM)
                self._block = bytearray(fragment[5:] if flags & _PRIORITY else fragment)
                self._complete(flags)
            case _Frame.CONTINUATION:
                assert self._block is not None
                self._block += payload
                self._complete(flags)
            case _Frame.RST_STREAM:
                self._refused(payload)
            case _:
                pass

    def _complete(self, flags: int) -> None:
        """Read the header block, if this was the last piece of it."""
        if not flags & _END_HEADERS or self._block is None:
            return
        self.heads.append(dict(self._decoder.decode(bytes(self._block))))
        self._block = None
        self.ended = self._last_block

    def _refused(self, code: bytes) -> None:
        number = int.from_bytes(code)
        self.refusal = _ERRORS[number] if number < len(_ERRORS) else f"error {number}"


def _frame(kind: _Frame, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _unpadded(flags: int, payload: bytes) -> bytes:
    """Return *payload* without its padding (section 6.1)."""
    if not flags & _PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolError("a frame that is all padding")
    return payload[1 : len(payload) - payload[0]]
