"""Facts about netlink as bytes."""

import errno
import struct
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.host import conntrack, defaultroute, rtnetlink, tcpsockets, wire
from bgpd.host.rtnetlink import Neighbor
from bgpd.model.errors import ProtocolError

LINK = struct.Struct("=BxHiII")
NEIGHBOR = struct.Struct("=BxxxiHBB")
UP, LOWER_UP, POINT_TO_POINT = 0x1, 0x10000, 0x10


@given(
    st.lists(
        st.tuples(st.integers(16, 120), st.integers(0, 65535), st.binary(max_size=40)), max_size=5
    )
)
def test_messages_come_out_as_they_went_in(rows: list[tuple[int, int, bytes]]) -> None:
    """A datagram holds any number of messages, each padded to four bytes."""
    data = b""
    for kind, sequence, body in rows:
        one = wire.request(kind, 0, sequence, body)
        data += one + bytes(-len(one) % 4)
    assert [(m.kind, m.sequence, m.body) for m in wire.messages(data)] == rows


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=20), max_size=6))
def test_attributes_come_out_as_they_went_in(found: dict[int, bytes]) -> None:
    """Whatever their lengths, and behind a head."""
    body = b"head" + b"".join(wire.attribute(kind, value) for kind, value in found.items())
    assert wire.attributes(body, 4) == found


@given(st.ip_addresses().filter(lambda one: one.version == 4 or one.scope_id is None))
def test_addresses_come_out_as_they_went_in(address: object) -> None:
    """Four bytes or sixteen."""
    assert wire.address(wire.packed(str(address))) == str(address)


@given(st.binary(max_size=200))
def test_no_bytes_break_a_reader(data: bytes) -> None:
    """What the kernel never sends is an error that says so, or nothing: and ends."""
    for read in (
        rtnetlink.decode_link,
        rtnetlink.decode_neighbor,
        rtnetlink.decode_hops,
        rtnetlink.link_index,
        rtnetlink.neighbor_index,
        defaultroute.decode,
    ):
        with suppress(ProtocolError):
            read(data)
    tally, found = conntrack.Tally(lambda _: True), Counter[bytes]()
    for count in (tally.count, partial(tcpsockets.count, found)):
        with suppress(OSError):
            count(data)


def test_a_kernel_that_says_no_says_why() -> None:
    """An error in the middle of a dump is not its end."""
    no = wire.request(wire.ERROR, 0, 1, struct.pack("=i", -errno.EPERM))
    with pytest.raises(PermissionError):
        wire.more(no)


def test_an_error_of_zero_is_a_yes() -> None:
    """That is how the kernel acknowledges."""
    (message,) = wire.messages(wire.request(wire.ERROR, 0, 1, struct.pack("=i", 0)))
    assert message.error == 0


@pytest.mark.parametrize(
    ("flags", "state", "carrier"),
    [
        pytest.param(UP | LOWER_UP, 6, True, id="up"),
        pytest.param(UP | LOWER_UP, 0, True, id="a driver that says nothing of its state"),
        pytest.param(UP, 2, False, id="no carrier"),
        pytest.param(UP, 6, False, id="lost a moment ago, and the state not changed"),
        pytest.param(0, 2, False, id="set down"),
        pytest.param(UP, 3, False, id="the interface below is down"),
        pytest.param(UP | LOWER_UP, 2, True, id="found a moment ago, and the state not changed"),
        pytest.param(UP | LOWER_UP, 5, None, id="dormant: 802.1X has not let it in"),
        pytest.param(UP | LOWER_UP, 4, None, id="testing"),
    ],
)
def test_carrier_of_a_link(flags: int, state: int, carrier: bool | None) -> None:
    """Both the flags and RFC 2863's state have a say."""
    body = LINK.pack(0, 1, 7, flags, 0)
    body += wire.attribute(3, b"eth0\0") + wire.attribute(16, bytes([state]))
    link = rtnetlink.decode_link(body)
    assert (link.interface, link.name, link.carrier, link.resolves) == (7, "eth0", carrier, True)


def test_a_tunnel_has_no_neighbors() -> None:
    """POINTOPOINT, LOOPBACK and NOARP interfaces resolve nothing."""
    assert not rtnetlink.decode_link(LINK.pack(0, 1, 7, UP | POINT_TO_POINT, 0)).resolves


def test_a_neighbor_of_a_bridge_is_none_of_ours() -> None:
    """The forwarding entries of bridges come on the same group, without an address."""
    body = NEIGHBOR.pack(7, 3, Neighbor.REACHABLE, 0, 0)
    assert rtnetlink.decode_neighbor(body) == (3, None, Neighbor.REACHABLE)
