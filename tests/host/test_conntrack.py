"""Facts about what the connection tracker's table says of elastic IPs."""

import struct
from collections import Counter
from ipaddress import ip_address

import pytest

from bgpd.host import conntrack, wire
from bgpd.host.connections import Which, added
from bgpd.model.prefix import Prefix

EIP, POD, CLIENT = "203.0.113.7", "10.244.1.9", "198.51.100.9"
EIP6, POD6, CLIENT6 = "2001:db8::7", "fd00:10::9", "2001:db8:ffff::9"
SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE = range(1, 9)


def packed(address: str) -> bytes:
    """Return an address as on the wire."""
    return ip_address(address).packed


def side(kind: int, *, source: str, sport: int, destination: str, dport: int) -> bytes:
    """Return one direction of a connection."""
    first = 3 if ":" in source else 1
    return wire.nested(
        kind,
        wire.nested(
            1,
            wire.attribute(first, packed(source)),
            wire.attribute(first + 1, packed(destination)),
        ),
        wire.nested(
            2,
            wire.attribute(1, b"\x06"),
            wire.attribute(2, struct.pack("!H", sport)),
            wire.attribute(3, struct.pack("!H", dport)),
        ),
    )


def entry(
    state: int | None, *, eip: str = EIP, server: str = POD, port: int = 8080, client: str = CLIENT
) -> bytes:
    """Return a connection of *client* to port 80 of *eip* that goes to *port* of *server*."""
    body = struct.pack("=BBH", wire.family(eip), 0, 0)
    body += side(1, source=client, sport=40000, destination=eip, dport=80)
    body += side(2, source=server, sport=port, destination=client, dport=40000)
    if state is not None:
        body += wire.nested(4, wire.nested(1, wire.attribute(1, bytes([state]))))
    one = wire.request(conntrack.NEW, wire.MULTI, 1, body)
    return one + bytes(-len(one) % 4)


def tally(*entries: bytes, wanted: str = EIP) -> conntrack.Tally:
    """Return what is counted of *entries*."""
    found = conntrack.Tally(packed(wanted).__eq__)
    assert found.count(b"".join(entries))
    return found


@pytest.mark.parametrize(
    ("state", "open_"),
    [
        pytest.param(SYN_SENT, 0, id="a SYN"),
        pytest.param(SYN_RECV, 0, id="its answer"),
        pytest.param(ESTABLISHED, 1, id="established"),
        pytest.param(FIN_WAIT, 1, id="one side has said all"),
        pytest.param(CLOSE_WAIT, 1, id="and the other knows"),
        pytest.param(LAST_ACK, 1, id="both have said all"),
        pytest.param(TIME_WAIT, 0, id="and know"),
        pytest.param(CLOSE, 0, id="reset"),
        pytest.param(None, 0, id="no TCP at all: from a kernel that does not filter"),
    ],
)
def test_states(state: int | None, open_: int) -> None:
    """A connection counts while data may still come."""
    assert tally(entry(state)).rewritten.total() == open_


def test_what_goes_on_to_a_pod_was_rewritten() -> None:
    """Its answers come from another address, or another port, than the client asked."""
    found = tally(
        entry(ESTABLISHED),
        entry(ESTABLISHED, server=EIP, port=8080),
        entry(ESTABLISHED, server=EIP, port=80),
    )
    assert found.rewritten == {packed(EIP): 2}
    assert found.plain == {packed(EIP): 1}


def test_connections_to_others_are_not_counted() -> None:
    """Not those from an elastic IP either: the original destination counts."""
    assert not tally(entry(ESTABLISHED, eip="203.0.113.8")).rewritten
    assert not tally(entry(ESTABLISHED, eip="203.0.113.8", client=EIP)).rewritten


def test_ipv6_is_counted_alike() -> None:
    """The same in sixteen bytes."""
    one = entry(ESTABLISHED, eip=EIP6, server=POD6, client=CLIENT6)
    assert tally(one, wanted=EIP6).rewritten == {packed(EIP6): 1}


def test_each_connection_is_counted_once() -> None:
    """One that ends on this host is in both tables where the tracker is at work."""
    prefix = Prefix(f"{EIP}/32")
    tracked = tally(
        entry(ESTABLISHED), entry(ESTABLISHED, server=EIP, port=80, client="198.51.100.1")
    )
    which = Which([prefix])
    assert added(which, Counter({packed(EIP): 1}), tracked) == {prefix: 2}
    assert added(which, Counter(), tracked) == {prefix: 2}, "the socket may be in a pod's namespace"
    assert added(which, Counter({packed(EIP): 5}), tracked) == {prefix: 6}, "without the tracker"


def test_an_address_counts_for_its_narrowest_prefix() -> None:
    """And for none where none holds it."""
    which = Which([Prefix("203.0.113.0/24"), Prefix(f"{EIP}/32"), Prefix("2001:db8::/64")])
    assert which.prefix(packed(EIP)) == f"{EIP}/32"
    assert which.prefix(packed("203.0.113.8")) == "203.0.113.0/24"
    assert which.prefix(packed(EIP6)) == "2001:db8::/64"
    assert not which.holds(packed(CLIENT))
