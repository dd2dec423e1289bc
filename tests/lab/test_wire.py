"""The reading of BGP UPDATEs from captured segments."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.wire import Named, named_in, tcp_segment

KEEPALIVE = b"\xff" * 16 + b"\x00\x13\x04"
ORIGIN = b"\x40\x01\x01\x00"


def update(withdrawn: bytes = b"", attributes: bytes = b"", routes: bytes = b"") -> bytes:
    """Return one BGP UPDATE (RFC 4271, section 4.3)."""
    body = struct.pack("!H", len(withdrawn)) + withdrawn
    body += struct.pack("!H", len(attributes)) + attributes + routes
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body


def nlri(prefix: str) -> bytes:
    """Return the wire form of *prefix*."""
    network = ipaddress.ip_network(prefix)
    octets = (network.prefixlen + 7) // 8
    return bytes([network.prefixlen]) + network.network_address.packed[:octets]


def attribute(kind: int, value: bytes) -> bytes:
    """Return one optional attribute with an extended length."""
    return struct.pack("!BBH", 0x90, kind, len(value)) + value


NEXT_HOP_6 = bytes([16]) + bytes(16) + b"\0"
TEN, ELEVEN, SIX = "203.0.113.10/32", "203.0.113.11/32", "2001:db8:e::a/128"


@pytest.mark.parametrize(
    ("payload", "advertised", "withdrawn"),
    [
        pytest.param(update(withdrawn=nlri(TEN)), [], [TEN], id="a withdrawal"),
        pytest.param(
            update(attributes=ORIGIN, routes=nlri(TEN) + nlri(ELEVEN)),
            [TEN, ELEVEN],
            [],
            id="two routes with the same attributes",
        ),
        pytest.param(
            KEEPALIVE + update(withdrawn=nlri(TEN)) + update(attributes=ORIGIN, routes=nlri(TEN)),
            [TEN],
            [TEN],
            id="several messages in one segment",
        ),
        pytest.param(
            update(attributes=attribute(14, b"\0\x02\x01" + NEXT_HOP_6 + nlri(SIX))),
            [SIX],
            [],
            id="an IPv6 route comes in MP_REACH_NLRI",
        ),
        pytest.param(
            update(attributes=ORIGIN + attribute(15, b"\0\x02\x01" + nlri(SIX))),
            [],
            [SIX],
            id="an IPv6 withdrawal comes in MP_UNREACH_NLRI",
        ),
        pytest.param(
            update(attributes=attribute(15, b"\0\x02\x80" + nlri(SIX))),
            [],
            [],
            id="another SAFI names no prefix of ours",
        ),
        pytest.param(
            update(attributes=ORIGIN, routes=nlri(TEN) + nlri(ELEVEN))[:-2],
            [TEN],
            [],
            id="a prefix that the segment cuts off is left out",
        ),
        pytest.param(update(), [], [], id="End-of-RIB names nothing"),
        pytest.param(
            update(attributes=ORIGIN, routes=nlri("0.0.0.0/0") + nlri("10.0.0.0/9")),
            ["0.0.0.0/0", "10.0.0.0/9"],
            [],
            id="prefixes of any length",
        ),
    ],
)
def test_an_update_names_its_prefixes(
    payload: bytes, advertised: list[str], withdrawn: list[str]
) -> None:
    """What is advertised and what is withdrawn is told apart, in either family."""
    assert named_in(payload) == Named(
        advertised=frozenset(advertised), withdrawn=frozenset(withdrawn)
    )


@pytest.mark.parametrize("payload", [b"", KEEPALIVE, b"\xff" * 16 + b"\0\0\x02" + bytes(8)])
def test_a_segment_without_an_update_is_none(payload: bytes) -> None:
    """Nothing, a KEEPALIVE, and a length below that of a header hold no UPDATE."""
    assert named_in(payload) is None


@given(st.lists(st.ip_addresses(v=4), max_size=20), st.lists(st.ip_addresses(v=4), max_size=20))
def test_whatever_is_encoded_is_found(
    gone: list[ipaddress.IPv4Address], new: list[ipaddress.IPv4Address]
) -> None:
    """Reading what was written gives the same prefixes."""
    routes, withdrawn = ([f"{address}/32" for address in addresses] for addresses in (new, gone))
    payload = update(b"".join(map(nlri, withdrawn)), ORIGIN, b"".join(map(nlri, routes)))
    assert named_in(payload) == Named(advertised=frozenset(routes), withdrawn=frozenset(withdrawn))


_UPDATES = st.builds(update, st.binary(max_size=40), st.binary(max_size=80), st.binary(max_size=40))


@given(st.binary(max_size=200) | st.builds(bytes.__add__, _UPDATES, st.binary(max_size=60)))
def test_any_bytes_are_read_without_harm(payload: bytes) -> None:
    """Whatever arrives, the reader returns prefixes or nothing."""
    named = named_in(payload)
    for prefix in named.advertised | named.withdrawn if named else ():
        ipaddress.ip_network(prefix, strict=False)


@given(
    st.binary(max_size=120),
    st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]),
)
def test_any_frame_is_read_without_harm(rest: bytes, ether_type: bytes) -> None:
    """A frame of any bytes and any length is a segment or none."""
    found = tcp_segment(bytes(12) + ether_type + rest)
    assert found is None or ipaddress.ip_address(found[0])
