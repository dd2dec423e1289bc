"""Recognize a heartbeat that says what the last one said, without reading it again.

Reading and judging a heartbeat costs several times what its code costs to verify, and in a mesh
that is well all of that comes to nothing. So the bytes are compared with the last heartbeat's,
all but its numbers: sequence, beat and clock, and in each echo the sequence and the age. Ages are
read later, if somebody asks; what compares clocks is read once a second, and nothing else with it.
"""

from struct import Struct
from typing import Final

from bgpd.mesh.packet import (
    CLOCK,
    CLOCK_FIELD,
    ECHO,
    ECHOES,
    HEADER,
    Echo,
    Flag,
    Heartbeat,
    Sight,
    decode,
    fields_in,
)
from bgpd.mesh.track import Track

INCARNATION: Final = slice(10, 18)
"""Where a heartbeat says which process sent it."""
_SEQUENCE: Final = slice(18, 26)
_BEAT: Final = slice(38, 42)
_NUMBERS: Final = Struct("!18xQ12xI")
_ECHO_SEQUENCE: Final = slice(16, 20)
_ECHO_AGE: Final = slice(28, 30)
_CLOCK: Final = slice(0, CLOCK.size)


class Repeat:
    """What a member keeps saying, and the last time that it said so."""

    __slots__ = ("_body", "_clock_at", "_mask", "_said", "_size", "_us_at", "beat", "track", "us")

    def __init__(self, track: Track, beat: Heartbeat, us: Echo | None, body: bytes) -> None:
        """Remember *beat* of *track*, whose echo of us is *us* and which was read from *body*."""
        self.track = track
        self.beat = beat
        self.us = us
        self._size = len(body)
        self._clock_at, self._us_at = _places(body, len(beat.sender.encode()), us)
        self._mask = _mask(body, len(beat.sender.encode()))
        self._said = int.from_bytes(body) & self._mask
        self._body: bytes | None = None

    def says(self, body: bytes) -> bool:
        """Return whether *body* says the same."""
        return len(body) == self._size and int.from_bytes(body) & self._mask == self._said

    def clocks(self, body: bytes) -> tuple[int, int, int] | None:
        """Return the sender's clock in *body*, and the sequence and the age in its echo of us."""
        if self._clock_at is None or self._us_at is None:
            return None
        (clock,) = CLOCK.unpack_from(body, self._clock_at)
        echo = Echo._make(ECHO.unpack_from(body, self._us_at))
        return clock, echo.sequence, echo.age

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


def _places(body: bytes, name: int, us: Echo | None) -> tuple[int | None, int | None]:
    """Return where in *body* the clock is, and the echo *us*."""
    clock_at = us_at = None
    for kind, start, end in fields_in(body, HEADER.size + name):
        if kind == CLOCK_FIELD and end - start == CLOCK.size:
            clock_at = start
        elif kind == ECHOES and us is not None and end - start >= 1 + ECHO.size:
            echoes = range(start + 1, end, body[start])
            us_at = next((at for at in echoes if ECHO.unpack_from(body, at) == us), None)
    return clock_at, us_at


def _mask(body: bytes, name: int) -> int:
    """Return ones for all bits of *body* but its numbers'."""
    mask = bytearray(b"\xff" * len(body))
    _clear(mask, 0, _SEQUENCE, _BEAT)
    for kind, start, end in fields_in(body, HEADER.size + name):
        if kind == ECHOES and end - start >= 1 + ECHO.size:
            for echo in range(start + 1, end, body[start]):
                _clear(mask, echo, _ECHO_SEQUENCE, _ECHO_AGE)
        elif kind == CLOCK_FIELD and end - start == CLOCK.size:
            _clear(mask, start, _CLOCK)
    return int.from_bytes(mask)


def _clear(mask: bytearray, at: int, *parts: slice) -> None:
    for part in parts:
        mask[at + part.start : at + part.stop] = bytes(part.stop - part.start)
