"""Packets that real routers sent, recorded by `python -m tests.bfd.record`."""

from pathlib import Path
from typing import NamedTuple

import pytest

from bgpd.bfd.packet import ControlPacket, State, decode, encode
from bgpd.bfd.seal import Key, Seal
from tests.bfd.stories import SECRET, STORIES

CAPTURES = Path(__file__).parent / "captures"


class Recorded(NamedTuple):
    """One line of a recording."""

    source: str
    ttl: int
    data: bytes
    packet: ControlPacket


def _recorded(name: str) -> list[Recorded]:
    found = []
    for line in (CAPTURES / f"{name}.txt").read_text().splitlines():
        source, ttl, text = line.split()
        data = bytes.fromhex(text)
        packet = decode(data)
        assert isinstance(packet, ControlPacket), (line, packet)
        found.append(Recorded(source, int(ttl), data, packet))
    return found


NAMES = [story.name for story in STORIES]


@pytest.mark.parametrize("name", NAMES)
def test_every_packet_is_read_and_written_the_same(name: str) -> None:
    """Bit by bit, digests included."""
    recorded = _recorded(name)
    assert len(recorded) >= 10
    assert all(encode(one.packet) == one.data for one in recorded)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_tells_how_a_session_came_up_and_was_left(name: str) -> None:
    """Slow first, then as fast as configured, polled and answered, at last Down for AdminDown."""
    packets = [one.packet for one in _recorded(name)]
    assert packets[0].state in {State.DOWN, State.INIT}
    assert packets[0].desired_min_tx >= 1_000_000
    up = [packet for packet in packets if packet.state is State.UP]
    assert {packet.desired_min_tx for packet in up} == {50_000}
    assert any(packet.poll for packet in up)
    assert any(packet.final for packet in up)
    assert not any(packet.poll and packet.final for packet in up)
    assert packets[-1].state is State.DOWN
    assert len({packet.my_discr for packet in packets}) == 1


@pytest.mark.parametrize("name", [name for name in NAMES if "multihop" not in name])
def test_over_one_hop_routers_send_ttl_255(name: str) -> None:
    """RFC 5881, section 5."""
    assert {one.ttl for one in _recorded(name)} == {255}


def test_birds_authentication_is_ours() -> None:
    """Meticulous keyed SHA1: its digests are right, in their order, and for our key only."""
    recorded = _recorded("bird-sha1")
    for secret, verdicts in ((SECRET, {None}), ("sesame", {"authentication_digest"})):
        seal = Seal(Key(id=3, secret=secret.encode()), sequence=0)
        found = set()
        for one in recorded:
            assert one.packet.auth is not None
            found.add(seal.refusal(one.packet.auth, one.data, one.packet.detect_mult))
        assert found == verdicts
