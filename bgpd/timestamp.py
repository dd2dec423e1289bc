"""When a datagram arrived, by the kernel's clock at the interface and not by when we woke.

A process that slept must not think that the heartbeats waiting for it have just arrived. The
kernel stamps with the wall clock, which people and NTP set; every stamp is therefore moved to
the monotonic scale at once, and held between the last time the queue was seen empty and now.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Final

_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")

ANCILLARY_SIZE: Final = 256
"""Bytes for control messages: a timestamp, or an extended error with its offender."""


def enable_timestamps(sock: socket.socket) -> None:
    """Have the kernel stamp what *sock* receives."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


class Clock:
    """Both scales, read at one moment; made anew for each reading of a queue."""

    def __init__(
        self,
        *,
        floor: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wall = wall()
        self.now = monotonic()
        """The moment of the reading, on the monotonic scale."""
        self._floor = min(floor, self.now)
        self._monotonic = monotonic

    def at(self, ancillary: Iterable[tuple[int, int, bytes]]) -> float:
        """Return when a datagram with these control messages arrived, on the monotonic scale.

        Without a stamp it is now, the honest upper bound.
        """
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                stamp: float = self.now + (seconds + nanoseconds / 1e9 - self._wall)
                return min(max(stamp, self._floor), self._monotonic())
        return self.now
