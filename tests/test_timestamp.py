"""When a datagram arrived, on our clock, whatever the wall clock does."""

import socket
import struct

import pytest

from bgpd.timestamp import Clock

SO_TIMESTAMPNS = 35


def stamp(at: float) -> list[tuple[int, int, bytes]]:
    """Return the control message of a datagram that arrived *at* that wall clock."""
    return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", int(at), int(at % 1 * 1e9)))]


def reading(*, floor: float, later: float = 100.0) -> Clock:
    """Return a clock read when it was 100 on our scale and 1000 on the wall."""
    moments = iter((100.0, later))
    return Clock(floor=floor, monotonic=lambda: next(moments), wall=lambda: 1000.0)


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        pytest.param(999.5, 99.5, id="half a second ago"),
        pytest.param(1000.0, 100.0, id="now"),
        pytest.param(900.0, 98.0, id="before the last empty queue: the wall clock was set"),
        pytest.param(5000.0, 100.25, id="in the future: the wall clock was set back"),
        pytest.param(1000.125, 100.125, id="while the queue was being read"),
    ],
)
def test_a_stamp_is_moved_to_our_scale_and_kept_within_reason(
    arrived: float, expected: float
) -> None:
    """A wall clock that jumps makes nobody older or younger than the queue allows."""
    assert reading(floor=98.0, later=100.25).at(stamp(arrived)) == expected


def test_without_a_stamp_a_datagram_is_as_old_as_its_reading() -> None:
    """A kernel that does not stamp costs precision, not correctness."""
    assert reading(floor=98.0).at([]) == 100.0
