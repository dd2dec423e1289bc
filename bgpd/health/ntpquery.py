"""Ask a time server whether it is synchronized, how well, and how far from our clock.

The query gives nothing away: all of it is zero but for a random transmit timestamp, which an
answer must repeat, so that nobody who does not see the query can answer it.

Supported standards: RFC 5905 (section 7.3 the packet, section 8 the offset), as a client.
"""

import struct
from typing import Final

from bgpd.health.outcome import Fault, Outcome, failed, healthy, quoted
from bgpd.model.health import NTP

_PACKET: Final = struct.Struct("!BBbb11I")
_SIZE: Final = 48
_CLIENT: Final = (4 << 3) | 3
"""Version 4, mode 3; no leap indicator."""
_SERVER: Final = 4
_UNSYNCHRONIZED: Final = 3
_UNWELCOME: Final = frozenset({b"DENY", b"RATE", b"RSTR"})
_SINCE_1900: Final = 2_208_988_800
_ERA: Final = 2**32


class NTPRecipe:
    """What is expected of a time server."""

    __slots__ = ("most_offset", "most_stratum")

    def __init__(self, probe: NTP) -> None:
        self.most_stratum = probe.max_stratum
        self.most_offset = probe.max_offset_milliseconds

    def exchange(self, token: int) -> "NTPExchange":
        """Return a new query with *token* as its transmit timestamp."""
        return NTPExchange(self, token)


class NTPExchange:
    """One query and its answer (`bgpd.health.exchange.Exchange`), in a datagram each."""

    __slots__ = ("_asked", "_recipe", "_sent", "_token", "_wrong")

    def __init__(self, recipe: NTPRecipe, token: int) -> None:
        self._recipe = recipe
        self._token = token
        self._asked = 0.0
        self._sent = False
        self._wrong = ""

    def data_to_send(self) -> bytes:
        """Return the query, once."""
        if self._sent:
            return b""
        self._sent = True
        return bytes([_CLIENT]) + bytes(39) + self._token.to_bytes(8)

    def sent(self, wall: float) -> None:
        """Take notice that the query left at *wall*, seconds since 1970."""
        self._asked = wall

    def receive(self, data: bytes, wall: float) -> Outcome | None:
        """Take in a datagram that arrived at *wall*."""
        if len(data) < _SIZE:
            return failed(Fault.MALFORMED, f"answered {len(data)} bytes, which is not NTP")
        first, stratum, _, _, *words = _PACKET.unpack_from(data)
        if first & 7 != _SERVER:
            return failed(Fault.MALFORMED, f"answered in NTP mode {first & 7}, not as a server")
        if (words[5] << 32 | words[6]) != self._token:
            self._wrong = "to another query"
            return None
        if stratum == 0:
            return _without_time(data[12:16])
        received, transmitted = _moment(words[7], words[8]), _moment(words[9], words[10])
        offset = (_since(received, self._asked) + _since(transmitted, wall)) / 2
        return self._judge(first >> 6, stratum, offset * 1000)

    def ended(self) -> Outcome:
        """Return what an ended stream would mean; datagrams have no end."""
        return failed(Fault.CLOSED, "did not answer")

    def missing(self) -> str:
        """Return what came instead of an answer."""
        return f"answered nothing but {self._wrong}" if self._wrong else "did not answer"

    def _judge(self, leap: int, stratum: int, offset: float) -> Outcome:
        recipe = self._recipe
        seen = f"stratum {stratum}, {offset:+.1f} ms from our clock"
        if leap == _UNSYNCHRONIZED:
            return failed(Fault.UNEXPECTED, f"says that it is not synchronized ({seen})")
        if stratum > recipe.most_stratum:
            return failed(
                Fault.UNEXPECTED, f"has {seen}, expected stratum {recipe.most_stratum} at most"
            )
        if recipe.most_offset is not None and abs(offset) > recipe.most_offset:
            return failed(Fault.UNEXPECTED, f"has {seen}, expected {recipe.most_offset} ms at most")
        return healthy(f"has {seen}")


def _without_time(code: bytes) -> Outcome:
    """Return what stratum 0 means: unwelcome (section 7.4), or no time to give yet."""
    if code in _UNWELCOME:
        return failed(Fault.UNEXPECTED, f"sent us away with {quoted(code)} (stratum 0)")
    return failed(Fault.UNEXPECTED, "says that it is not synchronized (stratum 0)")


def _moment(seconds: int, fraction: int) -> float:
    """Return a timestamp of 64 bits as seconds since 1900, of an unknown era."""
    return seconds + fraction / _ERA


def _since(theirs: float, wall: float) -> float:
    """Return how far *theirs* is ahead of *wall*, in the era that is nearest (section 6)."""
    return (theirs - wall - _SINCE_1900 + _ERA / 2) % _ERA - _ERA / 2
