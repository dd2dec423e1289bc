"""Facts about reading what a host has, and about which of it is ours."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.host import hostroute, inventory, wire
from bgpd.host.inventory import GROUP, INTERFACE, LABEL, Interface
from bgpd.host.rtnetlink import ROUTE, RTA_DST, RTA_GATEWAY, RTA_OIF
from bgpd.model.errors import ProtocolError
from bgpd.model.prefix import Address
from tests.host.test_hostplan import BRIDGE, EIPS, LO, eip, host

MAIN, UNICAST, PROTOCOL_179, PRIORITY = 254, 1, 179, 6


def body(
    *, length: int = 32, table: int = MAIN, protocol: int = 179, kind: int = 1, metric: int = 179
) -> bytes:
    """Return a route to 169.254.255.1 as the kernel would tell of it."""
    head = ROUTE.pack(wire.AF_INET, length, 0, 0, table, protocol, 0, kind, 0)
    return head + b"".join(
        (
            wire.attribute(RTA_DST, wire.packed("169.254.255.1")),
            wire.attribute(PRIORITY, wire.numbered(metric)),
            wire.attribute(RTA_GATEWAY, wire.packed("10.0.0.2")),
            wire.attribute(RTA_OIF, wire.numbered(2)),
        )
    )


@pytest.mark.parametrize(
    ("message", "ours"),
    [
        pytest.param(body(), True, id="protocol and metric 179"),
        pytest.param(body(protocol=4), False, id="another protocol"),
        pytest.param(body(metric=0), False, id="another metric"),
        pytest.param(body(table=100), None, id="another table is not looked at"),
        pytest.param(body(length=24), None, id="nor is a wider prefix"),
        pytest.param(body(kind=6), False, id="a black hole is nobody's way to a peer"),
    ],
)
def test_a_route_is_ours_by_both_of_its_marks(message: bytes, ours: bool | None) -> None:
    """One of them alone may be anybody's."""
    row = hostroute.decode(message)
    assert (None if row is None else row.ours) is ours


@pytest.mark.parametrize(
    ("interface", "ours"),
    [
        pytest.param(BRIDGE, True, id="name, group and kind"),
        pytest.param(replace(BRIDGE, kind="dummy"), True, id="a dummy, too"),
        pytest.param(replace(BRIDGE, group=0), False, id="without the group"),
        pytest.param(replace(BRIDGE, name="bgpd1"), False, id="with another name"),
        pytest.param(replace(BRIDGE, kind="vlan"), False, id="of a kind that is never made"),
        pytest.param(Interface(index=4, name=INTERFACE, group=GROUP), False, id="hardware"),
    ],
)
def test_an_interface_is_ours_by_name_group_and_kind(interface: Interface, ours: bool) -> None:
    """Whoever has made one of that name by hand keeps it."""
    assert inventory.is_ours(interface) is ours


def test_an_address_of_the_host_is_none_of_ours() -> None:
    """Elastic IPs are no source for a session; nor are loopback and link-local addresses."""
    present = host(
        BRIDGE,
        addresses=[
            eip(EIPS[0]),
            eip(EIPS[1], LO, label=LABEL),
            eip(EIPS[2], LO, protocol=PROTOCOL_179),
            eip(Address("127.0.0.1"), LO, scope=254, length=8),
            eip(Address("fe80::1"), 2, scope=253, length=64),
            eip(Address("192.0.2.1"), LO),
        ],
    )
    assert present.own == {"10.0.0.1", "192.0.2.1"}
    assert {one.address for one in present.bound} == set(EIPS)


def test_an_address_is_read_with_all_that_marks_it() -> None:
    """Label, protocol, and flags beyond the first eight."""
    packed = b"".join(
        (
            wire.attribute(1, wire.packed("10.0.0.9")),
            wire.attribute(2, wire.packed("203.0.113.7")),
            wire.attribute(3, b"lo:bgpd\0"),
            wire.attribute(8, wire.numbered(0x280)),
            wire.attribute(11, bytes([PROTOCOL_179])),
        )
    )
    found = inventory.decode_address(struct.pack("=BBBBi", 2, 32, 0x80, 0, 1) + packed)
    assert found == eip(EIPS[0], 1, label=LABEL, protocol=PROTOCOL_179, flags=0x280)


@given(st.binary(max_size=200), st.sampled_from([b"", body()[:12], bytes(16), bytes([2, 32])]))
def test_what_cannot_be_read_is_an_error_of_ours(tail: bytes, head: bytes) -> None:
    """Whatever bytes come, nothing else is raised."""
    for decode in (hostroute.decode, inventory.decode_interface, inventory.decode_address):
        try:
            decode(head + tail)
        except ProtocolError:
            continue
