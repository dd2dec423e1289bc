"""Control packets on the wire: what is read is what was written, and what is refused, and why."""

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.bfd.packet import AuthSection, AuthType, ControlPacket, Refusal, State, decode, encode

NUMBERS = st.integers(0, 2**32 - 1)
AUTH = st.builds(
    AuthSection,
    type=st.sampled_from(list(AuthType)),
    key_id=st.integers(0, 255),
    sequence=NUMBERS,
    digest=st.binary(min_size=20, max_size=20),
)
PACKETS = st.builds(
    ControlPacket,
    state=st.sampled_from(list(State)),
    detect_mult=st.integers(1, 255),
    my_discr=st.integers(1, 2**32 - 1),
    your_discr=NUMBERS,
    desired_min_tx=NUMBERS,
    required_min_rx=NUMBERS,
    required_min_echo_rx=NUMBERS,
    diag=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    control_plane_independent=st.booleans(),
    demand=st.booleans(),
    auth=st.none() | AUTH,
)
PLAIN = ControlPacket(
    state=State.DOWN,
    detect_mult=3,
    my_discr=7,
    desired_min_tx=1_000_000,
    required_min_rx=300_000,
)


@given(PACKETS, st.binary(max_size=30))
def test_a_packet_is_read_as_it_was_written(packet: ControlPacket, behind: bytes) -> None:
    """Whatever follows it in the datagram."""
    assert decode(encode(packet) + behind) == packet


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_refused(data: bytes) -> None:
    """Nothing is raised, and what is read is written the same, as far as it reached."""
    found = decode(data)
    if isinstance(found, ControlPacket) and (found.auth is None or found.auth.digest):
        assert data.startswith(encode(replace(found, auth=None))[:1])
        again = decode(encode(found))
        assert again == found
    else:
        assert isinstance(found, Refusal | ControlPacket)


def _spoiled(**bytes_at: int) -> bytes:
    data = bytearray(encode(PLAIN))
    for place, value in bytes_at.items():
        data[int(place.removeprefix("at"))] = value
    return bytes(data)


def _auth(section: bytes) -> bytes:
    data = bytearray(encode(PLAIN) + section)
    data[1] |= 0x04
    data[3] = len(data)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        pytest.param(b"", Refusal.TOO_SHORT, id="nothing at all"),
        pytest.param(b"\x20", Refusal.TOO_SHORT, id="a byte"),
        pytest.param(b"\x00" * 24, Refusal.VERSION, id="version 0"),
        pytest.param(b"\x40", Refusal.VERSION, id="the version is looked at before the length"),
        pytest.param(_spoiled(at3=23), Refusal.TOO_SHORT, id="a length of less than a packet"),
        pytest.param(_spoiled(at1=0x44), Refusal.TOO_SHORT, id="room for no authentication"),
        pytest.param(_spoiled(at3=25), Refusal.LENGTH, id="a length beyond the datagram"),
        pytest.param(_spoiled(at2=0), Refusal.DETECT_MULT, id="Detect Mult 0"),
        pytest.param(_spoiled(at1=0x41), Refusal.MULTIPOINT, id="the Multipoint bit"),
        pytest.param(
            _spoiled(at4=0, at5=0, at6=0, at7=0), Refusal.MY_DISCR, id="My Discriminator 0"
        ),
        pytest.param(_spoiled(at2=0, at1=0x41), Refusal.DETECT_MULT, id="the first fault counts"),
        pytest.param(_auth(b"\x05\x1b" + bytes(26)), Refusal.AUTH_MALFORMED, id="its own length"),
        pytest.param(_auth(b"\x05\x02"), Refusal.AUTH_MALFORMED, id="SHA1 without a digest"),
        pytest.param(
            _auth(b"\x05\x1d" + bytes(27)), Refusal.AUTH_MALFORMED, id="SHA1 with a digest too long"
        ),
    ],
)
def test_what_is_refused(data: bytes, refusal: Refusal) -> None:
    """RFC 5880, section 6.8.6, in its order."""
    assert decode(data) is refusal


def test_another_kind_of_authentication_is_read_as_such() -> None:
    """A simple password is no malformed packet, but one for nobody here."""
    found = decode(_auth(b"\x01\x09\x01secret"))
    assert isinstance(found, ControlPacket)
    assert found.auth == AuthSection(type=1)


def test_the_bits_of_a_packet() -> None:
    """The layout of section 4.1, byte by byte."""
    packet: dict[str, Any] = {
        "state": State.UP,
        "diag": 7,
        "poll": True,
        "detect_mult": 5,
        "my_discr": 0x01020304,
        "your_discr": 0x05060708,
        "desired_min_tx": 50_000,
        "required_min_rx": 60_000,
    }
    expected = struct.pack(
        "!BBBBIIIII", 0x27, 0xE0, 5, 24, 0x01020304, 0x05060708, 50_000, 60_000, 0
    )
    assert encode(ControlPacket(**packet)) == expected
