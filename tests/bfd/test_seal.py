"""Keyed SHA1: who is believed, and what a recording is worth."""

from hashlib import sha1

import pytest

from bgpd.bfd.packet import AuthType, ControlPacket, Refusal, State, decode
from bgpd.bfd.seal import Key, Seal

KEY = Key(id=3, secret=b"open sesame")
PACKET = ControlPacket(
    state=State.UP, detect_mult=3, my_discr=1, your_discr=2, desired_min_tx=3, required_min_rx=4
)


def _verdict(seal: Seal, data: bytes, detect_mult: int = 3) -> Refusal | None:
    packet = decode(data)
    assert isinstance(packet, ControlPacket)
    assert packet.auth is not None
    return seal.refusal(packet.auth, data, detect_mult)


def test_the_digest_is_of_the_packet_with_the_key_in_its_place() -> None:
    """Section 6.7.4, computed here from its words."""
    data = Seal(KEY, sequence=41).sign(PACKET)
    keyed = data[:-20] + b"open sesame".ljust(20, b"\0")
    assert data[24:32] == bytes([5, 28, 3, 0, 0, 0, 0, 42])
    assert data[-20:] == sha1(keyed, usedforsecurity=False).digest()


def test_a_peer_with_the_key_is_believed_packet_after_packet() -> None:
    """Across the end of the sequence numbers, too."""
    ours, theirs = Seal(KEY, sequence=0), Seal(KEY, sequence=2**32 - 3)
    assert [_verdict(ours, theirs.sign(PACKET)) for _ in range(6)] == [None] * 6


@pytest.mark.parametrize(
    ("kind", "verdicts"),
    [
        pytest.param(
            AuthType.METICULOUS_KEYED_SHA1,
            [Refusal.AUTH_SEQUENCE, None, None, Refusal.AUTH_SEQUENCE],
            id="meticulous: the same number is a recording",
        ),
        pytest.param(
            AuthType.KEYED_SHA1,
            [None, None, None, Refusal.AUTH_SEQUENCE],
            id="keyed: the same number may be used again",
        ),
    ],
)
def test_the_window_of_sequence_numbers(kind: AuthType, verdicts: list[Refusal | None]) -> None:
    """The same, the next, the last that is near enough, and one further ahead."""
    key = Key(id=3, secret=b"secret", type=kind)
    found = []
    for ahead in (0, 1, 9, 10):
        ours, theirs = Seal(key, sequence=0), Seal(key, sequence=100)
        assert _verdict(ours, theirs.sign(PACKET)) is None
        theirs.sequence = 100 + ahead
        found.append(_verdict(ours, theirs.sign(PACKET)))
    assert found == verdicts


def test_a_forger_sets_no_sequence_number() -> None:
    """The first packet counts only if its digest is right."""
    ours, theirs = Seal(KEY, sequence=0), Seal(KEY, sequence=7)
    forged = Seal(Key(id=3, secret=b"guess"), sequence=2_000_000).sign(PACKET)
    assert _verdict(ours, forged) is Refusal.AUTH_DIGEST
    assert _verdict(ours, theirs.sign(PACKET)) is None


def test_what_is_refused() -> None:
    """Another kind, another key, another packet."""
    ours = Seal(KEY, sequence=0)
    other_kind = Key(id=3, secret=KEY.secret, type=AuthType.KEYED_SHA1)
    assert _verdict(ours, Seal(other_kind, sequence=0).sign(PACKET)) is Refusal.AUTH_TYPE
    other_id = Key(id=4, secret=KEY.secret)
    assert _verdict(ours, Seal(other_id, sequence=0).sign(PACKET)) is Refusal.AUTH_KEY_ID
    changed = bytearray(Seal(KEY, sequence=0).sign(PACKET))
    changed[2] += 1
    assert _verdict(ours, bytes(changed)) is Refusal.AUTH_DIGEST


def test_a_peer_that_was_silent_for_long_may_begin_anew() -> None:
    """It restarted, and counts from anywhere."""
    ours = Seal(KEY, sequence=0)
    assert _verdict(ours, Seal(KEY, sequence=100).sign(PACKET)) is None
    again = Seal(KEY, sequence=5).sign(PACKET)
    assert _verdict(ours, again) is Refusal.AUTH_SEQUENCE
    ours.forget()
    assert _verdict(ours, again) is None
