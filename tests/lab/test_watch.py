"""What is read from the router: netlink messages and BGP segments, decoded by hand."""

import socket
import struct

import pytest

from tests.lab.watch import Update, route_changes, spread, update_in


def attribute(kind: int, value: bytes) -> bytes:
    """Return one netlink attribute with its padding."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def route(kind: int, *attributes: bytes, family: int = socket.AF_INET, bits: int = 32) -> bytes:
    """Return one RTM_NEWROUTE or RTM_DELROUTE."""
    body = struct.pack("=BBBBBBBBI", family, bits, 0, 0, 254, 12, 0, 1, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def hop(address: str) -> bytes:
    """Return one rtnexthop with its gateway."""
    inner = attribute(5, socket.inet_aton(address))
    return struct.pack("=HBBi", 8 + len(inner), 0, 0, 7) + inner


def test_a_multipath_route_names_all_its_next_hops() -> None:
    """RTA_MULTIPATH holds one entry a next hop."""
    hops = attribute(9, hop("10.99.1.1") + hop("10.99.2.1"))
    message = route(24, attribute(1, socket.inet_aton("203.0.113.10")), hops)
    (change,) = route_changes(message, 5.0)
    assert change.prefix == "203.0.113.10/32"
    assert change.gateways == {"10.99.1.1", "10.99.2.1"}
    assert not change.deleted
    assert change.at == 5.0


def test_a_next_hop_may_be_of_the_other_family() -> None:
    """RTA_VIA tells its family; both forms, alone and among several, are read (RFC 8950)."""
    via = struct.pack("=H", socket.AF_INET6) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    inner = attribute(18, via)
    several = struct.pack("=HBBi", 8 + len(inner), 0, 0, 7) + inner + hop("10.99.2.1")
    prefix = attribute(1, socket.inet_aton("203.0.113.10"))
    for message, expected in (
        (route(24, prefix, attribute(18, via)), {"2001:db8::1"}),
        (route(24, prefix, attribute(9, several)), {"2001:db8::1", "10.99.2.1"}),
    ):
        (change,) = route_changes(message, 1.0)
        assert change.gateways == expected


def test_several_messages_come_in_one_datagram() -> None:
    """A deletion and an IPv6 route in one read are both seen."""
    gone = route(25, attribute(1, socket.inet_aton("203.0.113.11")))
    prefix = attribute(1, socket.inet_pton(socket.AF_INET6, "2001:db8:e::a"))
    gateway = attribute(5, socket.inet_pton(socket.AF_INET6, "2001:db8:99:1::b"))
    six = route(24, prefix, gateway, family=socket.AF_INET6, bits=128)
    first, second = route_changes(gone + six, 1.0)
    assert first.deleted
    assert second.prefix == "2001:db8:e::a/128"
    assert second.gateways == {"2001:db8:99:1::b"}


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_truncated_message_ends_the_reading(cut: int) -> None:
    """What is not whole is not read beyond its end."""
    message = route(24, attribute(1, socket.inet_aton("203.0.113.10")))
    for change in route_changes(message[:-cut], 1.0):
        assert change.prefix.endswith("/32")


def segment(payload: bytes) -> bytes:
    """Return an Ethernet frame with IPv4, TCP and *payload*."""
    ip = bytes([0x45]) + bytes(11) + socket.inet_aton("10.99.2.1") + socket.inet_aton("10.99.2.0")
    return bytes(12) + b"\x08\x00" + ip + bytes(12) + bytes([0x50]) + bytes(7) + payload


KEEPALIVE = b"\xff" * 16 + b"\x00\x13\x04"
UPDATE = b"\xff" * 16 + b"\x00\x17\x02" + bytes(4)


def test_an_update_is_found_behind_a_keepalive() -> None:
    """One segment may hold several BGP messages."""
    assert update_in(segment(KEEPALIVE + UPDATE), 7.0) == Update(at=7.0, source="10.99.2.1")
    assert update_in(segment(KEEPALIVE), 7.0) is None
    assert update_in(segment(b""), 7.0) is None


def test_the_spread_is_between_the_first_updates_of_first_and_last_survivor() -> None:
    """Later UPDATEs of the same survivor and those of others do not count."""
    updates = [
        Update(at=at, source=source)
        for at, source in ((1.000, "a"), (1.001, "x"), (1.003, "b"), (1.9, "a"), (2.5, "b"))
    ]
    assert spread(updates, frozenset({"a", "b"})) == pytest.approx(0.003)
    assert spread(updates[:1], frozenset({"a", "b"})) is None
