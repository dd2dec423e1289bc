"""Recognize a heartbeat that says what the last one said, without reading it again.

Reading and judging a heartbeat costs several times what its code costs to verify, and in a mesh
that is well all of that comes to nothing. So the bytes are compared with the last heartbeat's,
all but its numbers: sequence and beat, and in each echo the sequence and the age. Ages are read
later, if somebody asks.
"""

from struct import Struct
from typing import Final

from bgpd.mesh.packet import ECHO, ECHOES, HEADER, Echo, Flag, Heartbeat, Sight, decode, fields_in
from bgpd.mesh.track import Track

INCARNATION: Final = slice(10, 18)
"""Where a heartbeat says which process sent it."""
_SEQUENCE: Final = slice(18, 26)
_BEAT: Final = slice(38, 42)
_NUMBERS: Final = Struct("!18xQ12xI")
_ECHO_SEQUENCE: Final = slice(16, 20)
_ECHO_AGE: Final = slice(28, 30)


class Repeat:
    """What a member keeps saying, and the last time that it said so."""

    __slots__ = ("_body", "_mask", "_said", "_size", "beat", "track", "us")

    def __init__(self, track: Track, beat: Heartbeat, us: Echo | None, body: bytes) -> None:
        """Remember *beat* of *track*, whose echo of us is *us* and which was read from *body*."""
        self.track = track
        self.beat = beat
        self.us = us
        self._size = len(body)
        self._mask = _mask(body, len(beat.sender.encode()))
        self._said = int.from_bytes(body) & self._mask
        self._body: bytes | None = None

    def says(self, body: bytes) -> bool:
        """Return whether *body* says the same."""
        return len(body) == self._size and int.from_bytes(body) & self._mask == self._said

    def keep(self, body: bytes) -> None:
        """Remember that *body*, which says the same, is the newest."""
        self._body = body

    def read(self) -> None:
        """Give the track the ages of the echoes that were last heard."""
        if self._body is not None:
            self.track.take_echoes(decode(self._body).echoes)
            self._body = None


def numbers(body: bytes) -> tuple[int, int]:
    """Return the sequence and the beat of the heartbeat in *body*."""
    sequence, beat = _NUMBERS.unpack_from(body)
    return sequence, beat


def is_repeatable(beat: Heartbeat) -> bool:
    """Return whether to hear *beat* again changes nothing, in a mesh that is well."""
    return (
        bool(beat.flags & Flag.ROUTINE)
        and not beat.flags & Flag.GOODBYE
        and not beat.records
        and not any(echo.sight & (Sight.SUSPECT | Sight.QUARANTINED) for echo in beat.echoes)
    )


def _mask(body: bytes, name: int) -> int:
    """Return ones for all bits of *body* but its numbers'."""
    mask = bytearray(b"\xff" * len(body))
    _clear(mask, 0, _SEQUENCE, _BEAT)
    for kind, start, end in fields_in(body, HEADER.size + name):
        if kind == ECHOES and end - start >= 1 + ECHO.size:
            for echo in range(start + 1, end, body[start]):
                _clear(mask, echo, _ECHO_SEQUENCE, _ECHO_AGE)
    return int.from_bytes(mask)


def _clear(mask: bytearray, at: int, *parts: slice) -> None:
    for part in parts:
        mask[at + part.start : at + part.stop] = bytes(part.stop - part.start)
