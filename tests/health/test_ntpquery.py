"""NTP: what is sent gives nothing away, and what is made of answers."""

import asyncio
import socket
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.health.conversation import Destination
from bgpd.health.datagram import Datagram
from bgpd.health.ntpquery import NTPRecipe
from bgpd.health.outcome import Fault, Outcome
from bgpd.health.poller import Poller
from bgpd.model.health import NTP
from tests.health.asking import job, until
from tests.mesh.loopback import HERE, await_stamps

_TOKEN = 0x0123456789ABCDEF
_WALL = 1_795_000_000.25
_SINCE_1900 = 2_208_988_800


def stamp(wall: float) -> bytes:
    """Return *wall* as a timestamp of 64 bits."""
    seconds, fraction = divmod(wall + _SINCE_1900, 1)
    return struct.pack("!II", int(seconds) % 2**32, int(fraction * 2**32))


def packet(
    *,
    stratum: int = 2,
    leap: int = 0,
    mode: int = 4,
    token: int = _TOKEN,
    offset: float = 0.0,
    reference: bytes = b"\x0a\0\0\1",
) -> bytes:
    """Return an answer of a server whose clock is *offset* seconds ahead of ours."""
    head = bytes([leap << 6 | 4 << 3 | mode, stratum, 6, 0xEC]) + bytes(8) + reference
    moment = stamp(_WALL + offset)
    return head + moment + token.to_bytes(8) + moment + moment


def verdict(probe: NTP, data: bytes) -> Outcome | None:
    """Return what *probe*, which asked and was answered at one instant, makes of *data*."""
    exchange = NTPRecipe(probe).exchange(_TOKEN)
    exchange.data_to_send()
    exchange.sent(_WALL)
    return exchange.receive(data, _WALL)


def test_the_query_gives_nothing_away() -> None:
    """48 bytes: version 4, mode 3, and a random number where our clock would be."""
    exchange = NTPRecipe(NTP()).exchange(_TOKEN)
    assert exchange.data_to_send() == b"\x23" + bytes(39) + _TOKEN.to_bytes(8)
    assert exchange.data_to_send() == b""


@pytest.mark.parametrize(
    ("probe", "data", "expected"),
    [
        pytest.param(
            NTP(),
            packet(),
            Outcome(True, "has stratum 2, +0.0 ms from our clock"),
            id="a good server",
        ),
        pytest.param(
            NTP(max_offset_milliseconds=100),
            packet(offset=-0.05),
            Outcome(True, "has stratum 2, -50.0 ms from our clock"),
            id="a little behind",
        ),
        pytest.param(
            NTP(max_offset_milliseconds=100),
            packet(offset=3600.0),
            Outcome(
                False,
                "has stratum 2, +3600000.0 ms from our clock, expected 100 ms at most",
                Fault.UNEXPECTED,
            ),
            id="an hour ahead",
        ),
        pytest.param(
            NTP(max_stratum=3),
            packet(stratum=4),
            Outcome(
                False,
                "has stratum 4, +0.0 ms from our clock, expected stratum 3 at most",
                Fault.UNEXPECTED,
            ),
            id="too far from the sun",
        ),
        pytest.param(
            NTP(),
            packet(leap=3, stratum=16),
            Outcome(
                False,
                "says that it is not synchronized (stratum 16, +0.0 ms from our clock)",
                Fault.UNEXPECTED,
            ),
            id="not synchronized",
        ),
        pytest.param(
            NTP(),
            packet(stratum=0, reference=b"RATE"),
            Outcome(False, 'sent us away with "RATE" (stratum 0)', Fault.UNEXPECTED),
            id="a kiss of death",
        ),
        pytest.param(
            NTP(),
            packet(leap=3, stratum=0, reference=b"INIT"),
            Outcome(False, "says that it is not synchronized (stratum 0)", Fault.UNEXPECTED),
            id="nothing heard yet",
        ),
        pytest.param(
            NTP(),
            packet(mode=3),
            Outcome(False, "answered in NTP mode 3, not as a server", Fault.MALFORMED),
            id="our own query, sent back",
        ),
        pytest.param(
            NTP(),
            packet()[:47],
            Outcome(False, "answered 47 bytes, which is not NTP", Fault.MALFORMED),
            id="a byte too few",
        ),
    ],
)
def test_answers(probe: NTP, data: bytes, expected: Outcome) -> None:
    """Leap, stratum and offset decide, in a sentence."""
    assert verdict(probe, data) == expected


def test_answers_to_other_queries_are_waited_over() -> None:
    """Who does not repeat our number did not see our query, or answers an old one."""
    exchange = NTPRecipe(NTP()).exchange(_TOKEN)
    assert exchange.receive(packet(token=7), _WALL) is None
    assert exchange.missing() == "answered nothing but to another query"


@given(wall=st.floats(1.7e9, 4.2e9), offset=st.floats(-1e6, 1e6))
def test_the_offset_survives_the_end_of_an_era(wall: float, offset: float) -> None:
    """In February 2036 the seconds begin anew; offsets do not notice."""
    exchange = NTPRecipe(NTP(max_offset_milliseconds=2_000_000_000)).exchange(_TOKEN)
    exchange.sent(wall)
    moment = stamp(wall + offset)
    head = bytes([0x24, 1, 6, 0xEC]) + bytes(20)
    outcome = exchange.receive(head + _TOKEN.to_bytes(8) + moment + moment, wall)
    assert outcome is not None
    seen = float(outcome.message.split()[3])
    assert abs(seen - offset * 1000) < 0.2


@given(data=st.binary(max_size=100), tail=st.binary(max_size=20))
def test_any_bytes_end_in_a_verdict_or_wait(data: bytes, tail: bytes) -> None:
    """Nothing that a server sends raises."""
    for message in (data, packet()[: 48 - len(tail)] + tail, packet() + tail):
        outcome = verdict(NTP(), message)
        assert outcome is None or outcome.message


def test_that_we_are_late_is_not_the_fault_of_a_clock() -> None:
    """The answer waits for two seconds until we look: the offset is that of when it came."""
    outcomes: list[Outcome] = []

    async def body(server: socket.socket) -> None:
        poller = Poller(asyncio.get_running_loop())
        where = Destination.of(job(NTP(), server.getsockname()[1]))
        exchange = NTPRecipe(NTP(max_offset_milliseconds=500)).exchange(_TOKEN)
        assert Datagram(poller, where, exchange, outcomes.append).start() is None
        _, client = server.recvfrom(100)
        await_stamps(HERE)
        moment = stamp(time.time())
        server.sendto(packet()[:16] + moment + _TOKEN.to_bytes(8) + moment + moment, client)
        asyncio.get_running_loop().call_soon(time.sleep, 2.0)
        await until(lambda: bool(outcomes), lambda: "it is not read")
        poller.close()

    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        asyncio.run(body(server))
    assert outcomes[0].success, outcomes[0].message
