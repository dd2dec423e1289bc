"""The heartbeat on the wire: what one version writes, the next can read, and nothing crashes."""

from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.packet import (
    HEADER,
    MAC_BYTES,
    MAX_DATAGRAM,
    VERSION,
    DeathRecord,
    Echo,
    Heartbeat,
    MalformedHeartbeatError,
    decode,
    encode,
    member_id,
)
from bgpd.mesh.seal import Refusal, Sealer, key_id

GOLDEN = Path(__file__).parent / "golden" / "heartbeat-v1.hex"
KEY = b"a golden key, kept for ever....."
SAMPLE = Heartbeat(
    sender="node-1.example",
    incarnation=0x0123456789ABCDEF,
    sequence=77,
    beat=42,
    generation=1009,
    resets=1,
    interval=50,
    flags=9,
    key_id=key_id(KEY),
    echoes=(
        Echo(member_id("node-2"), 0xFEED, 5, 1009, 12, 0),
        Echo(member_id("node-3"), 0xBEEF, 9, 1008, 65535, 3),
    ),
    records=(DeathRecord(member_id("node-3"), 0xBEEF, 1009),),
    router_ids=(bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))),
    lever="med",
    base=2**31,
    stride=256,
    key_ids=(key_id(KEY), 7),
    grace=30,
)

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
U16 = st.integers(0, 2**16 - 1)
U8 = st.integers(0, 255)
HEARTBEATS = st.builds(
    Heartbeat,
    sender=st.text(min_size=1, max_size=63).filter(
        lambda t: t.isprintable() and len(t.encode()) < 200
    ),
    incarnation=st.integers(1, 2**64 - 1),
    sequence=U64,
    beat=U32,
    generation=U64,
    resets=U32,
    interval=U16,
    flags=U8,
    key_id=U32,
    echoes=st.lists(st.builds(Echo, U64, U64, U32, U64, U16, U8), max_size=15).map(tuple),
    records=st.lists(st.builds(DeathRecord, U64, U64, U64), max_size=5).map(tuple),
    router_ids=st.lists(st.binary(min_size=4, max_size=4), max_size=8).map(tuple),
    lever=st.sampled_from(["med", "localPref", "asPath", "origin", "none"]),
    base=U32,
    stride=U32,
    key_ids=st.lists(U32, max_size=2).map(tuple),
    grace=st.integers(0, 60),
)


@given(HEARTBEATS)
def test_what_is_encoded_is_decoded(beat: Heartbeat) -> None:
    """Nothing is lost or changed on the way."""
    assert decode(encode(beat)) == beat


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes crash the reader, however they are cut or mixed."""
    for body in (data, encode(SAMPLE)[: HEADER.size + 14] + data):
        try:
            beat = decode(body)
        except MalformedHeartbeatError:
            continue
        assert beat.incarnation
        assert beat.sender


def test_the_golden_heartbeat_of_version_1_is_read_for_ever() -> None:
    """A member of the version before is understood: these bytes never change."""
    data = bytes.fromhex(GOLDEN.read_text())
    opened = Sealer(keys=[KEY], cluster_uid="golden").open(data)
    assert isinstance(opened, bytes)
    assert decode(opened) == SAMPLE


def test_version_1_is_still_written_as_it_was() -> None:
    """A member of the version before understands us, as long as VERSION is 1."""
    assert VERSION == 1
    body = encode(SAMPLE)
    sealed = Sealer(keys=[KEY], cluster_uid="golden").seal(body, key_id(KEY))
    assert sealed.hex() == GOLDEN.read_text().strip()


def _with(body: bytes, *, version: int = VERSION, tail: bytes = b"") -> bytes:
    return body[:2] + bytes((version,)) + body[3:] + tail


@pytest.mark.parametrize("version", [1, 2, 255])
def test_unknown_fields_are_skipped(version: int) -> None:
    """A later version adds fields; the known ones are read all the same."""
    data = _with(encode(SAMPLE), version=version, tail=pack("!BH", 200, 5) + b"later")
    assert decode(data).echoes == SAMPLE.echoes
    assert decode(data).version == version


def test_longer_echoes_are_read_as_far_as_known() -> None:
    """A later version lengthens echoes; the size before the first says by how much."""
    bare = encode(Heartbeat(sender="n", incarnation=1, sequence=1, beat=1, generation=1))
    entry = pack("!QQIQHB", 1, 2, 3, 4, 5, 0) + b"more"
    value = bytes((len(entry),)) + entry * 2
    beat = decode(_with(bare, version=2, tail=pack("!BH", 1, len(value)) + value))
    assert beat.echoes == (Echo(1, 2, 3, 4, 5, 0),) * 2


def test_a_newer_version_lives_by_its_header_alone() -> None:
    """Fields of a newer version that do not parse cost the fields, not the member."""
    broken = pack("!BH", 1, 4000) + b"x"
    newer = decode(_with(encode(SAMPLE), version=9, tail=broken))
    assert (newer.sender, newer.generation, newer.echoes) == (SAMPLE.sender, 1009, ())
    with pytest.raises(MalformedHeartbeatError):
        decode(_with(encode(SAMPLE), tail=broken))


def test_the_largest_heartbeat_fits() -> None:
    """However much there is to say, no datagram is ever fragmented; records give way first."""
    beat = Heartbeat(
        sender="n" * 63,
        incarnation=1,
        sequence=1,
        beat=1,
        generation=1,
        echoes=(Echo(1, 1, 1, 1, 1, 1),) * 40,
        records=tuple(DeathRecord(n, n, n) for n in range(40)),
        router_ids=(b"abcd",) * 12,
        lever="localPref",
        key_ids=(1, 2),
        grace=9,
    )
    data = encode(beat)
    assert len(data) + MAC_BYTES <= MAX_DATAGRAM
    assert len(decode(data).echoes) == 28
    assert decode(data).records[0] == beat.records[0]


def test_a_long_name_costs_echoes_not_the_limit() -> None:
    """A name of 253 bytes, the longest that Kubernetes allows, still fits."""
    beat = Heartbeat(
        sender="n" * 253,
        incarnation=1,
        sequence=1,
        beat=1,
        generation=1,
        echoes=(Echo(1, 1, 1, 1, 1, 1),) * 40,
        router_ids=(b"a" * 16,) * 8,
        lever="localPref",
    )
    assert len(encode(beat)) + MAC_BYTES <= MAX_DATAGRAM
    assert len(decode(encode(beat)).echoes) >= 16


SEALED = Sealer(keys=[KEY], cluster_uid="golden").seal(encode(SAMPLE), key_id(KEY))


@pytest.mark.parametrize(
    ("data", "keys", "uid", "reason"),
    [
        pytest.param(SEALED, [KEY], "golden", None, id="ours"),
        pytest.param(SEALED, [b"new" * 9, KEY], "golden", None, id="the older of two keys"),
        pytest.param(SEALED, [b"new" * 9], "golden", Refusal.BAD_MAC, id="a key we do not have"),
        pytest.param(SEALED, [KEY], "other", Refusal.BAD_MAC, id="another cluster, same key"),
        pytest.param(SEALED[:20], [KEY], "golden", Refusal.TRUNCATED, id="shorter than a header"),
        pytest.param(SEALED[:-1], [KEY], "golden", Refusal.TRUNCATED, id="cut at the end"),
        pytest.param(SEALED + b"x", [KEY], "golden", Refusal.BAD_MAC, id="longer than sealed"),
        pytest.param(b"", [KEY], "golden", Refusal.TRUNCATED, id="nothing"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" * 9,
            [KEY],
            "golden",
            Refusal.NOT_A_HEARTBEAT,
            id="another protocol",
        ),
    ],
)
def test_who_may_speak(data: bytes, keys: list[bytes], uid: str, reason: Refusal | None) -> None:
    """Only who has a key of this cluster is heard; the rest is refused by name."""
    opened = Sealer(keys=keys, cluster_uid=uid).open(data)
    assert (opened if isinstance(opened, Refusal) else None) is reason


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_is_refused(bit: int) -> None:
    """Every bit of a datagram is under the code."""
    data = bytearray(SEALED)
    data[bit // 8] ^= 1 << bit % 8
    assert isinstance(Sealer(keys=[KEY], cluster_uid="golden").open(bytes(data)), Refusal)


def test_a_uid_and_a_body_cannot_trade_bytes() -> None:
    """The uid is framed inside the code, so that no cluster's tail is another's beginning."""
    body = encode(SAMPLE)
    one = Sealer(keys=[KEY], cluster_uid="ab").seal(body, key_id(KEY))
    assert Sealer(keys=[KEY], cluster_uid="a").open(one) is Refusal.BAD_MAC
