"""Facts about which sockets the kernel is asked for, and which of them count."""

import struct
from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bgpd.host import tcpsockets, wire
from bgpd.host.tcpsockets import block, bytecode, wider
from bgpd.model.prefix import Prefix

ESTABLISHED, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING = (
    *(1, 3, 4, 5, 6, 8, 9, 11),
)
EIP = Prefix("203.0.113.7/32")


def prefixes(draw: st.DrawFn) -> Prefix:
    """Draw a prefix near 10.0.0.0 or fd00::."""
    if draw(st.booleans()):
        address, bits = IPv4Address(0x0A000000 + draw(st.integers(0, 255))).packed, 32
    else:
        address, bits = IPv6Address((0xFD << 120) + draw(st.integers(0, 255))).packed, 128
    length = draw(st.integers(bits - 10, bits))
    return Prefix(str(ip_network((address, length), strict=False)))


def accepts(program: bytes, packed: bytes) -> bool:
    """Run *program* as the kernel does (inet_diag_bc_run) on a socket's local address."""
    offset = 0
    while offset < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, offset)
        if code == 1:
            offset += no
            continue
        family, length = struct.unpack_from("=BB", program, offset + 4)
        bits = 32 if family == wire.AF_INET else 128
        wanted = int.from_bytes(program[offset + 12 : offset + 12 + bits // 8], "big")
        mapped = packed[:12] == bytes(10) + b"\xff\xff"
        if len(packed) * 8 != bits and not (bits == 32 and mapped):
            offset += no
            continue
        number = int.from_bytes(packed[-(bits // 8) :], "big")
        offset += yes if number >> bits - length == wanted >> bits - length else no
    return offset == len(program)


def sound(program: bytes) -> bool:
    """Check *program* as the kernel does before it runs it (inet_diag_bc_audit)."""
    offset, stops = 0, set()
    while offset < len(program):
        stops.add(offset)
        offset += program[offset + 1]
    stops |= {len(program), len(program) + 4}
    return offset == len(program) and all(
        stop + struct.unpack_from("=H", program, stop + 2)[0] in stops
        for stop in stops
        if stop < len(program)
    )


@given(st.lists(st.composite(prefixes)(), min_size=1, max_size=8), st.composite(prefixes)())
def test_the_program_accepts_what_the_prefixes_hold(wanted: list[Prefix], probe: Prefix) -> None:
    """No socket is missed, none too many is sent, and the kernel takes the program."""
    address = ip_network(probe).network_address
    program = bytecode([block(prefix) for prefix in wanted])
    networks = [ip_network(prefix) for prefix in wanted]
    assert sound(program)
    assert accepts(program, address.packed) == any(address in network for network in networks)
    if address.version == 4:
        mapped = IPv6Address(f"::ffff:{address}").packed
        assert accepts(program, mapped) == any(address in network for network in networks)


@given(
    st.lists(st.composite(prefixes)(), min_size=1, max_size=30),
    st.integers(2, 8),
    st.composite(prefixes)(),
)
def test_wider_blocks_hold_all_that_the_narrow_ones_held(
    wanted: list[Prefix], most: int, probe: Prefix
) -> None:
    """However many elastic IPs there are, the kernel compares with a few, and misses none."""
    found = wider([block(prefix) for prefix in wanted], most)
    address = ip_network(probe).network_address
    assume(any(address in ip_network(prefix) for prefix in wanted))
    assert len(found) <= most
    assert accepts(bytecode(found), address.packed)


def test_ten_thousand_elastic_ips_are_a_short_program() -> None:
    """A jump is 16 bits wide."""
    many = [Prefix(f"10.{n >> 8}.{n & 255}.{n % 7}/32") for n in range(5_000)]
    many += [Prefix(f"2001:db8::{n:x}/128") for n in range(5_000)]
    body = tcpsockets.question(wire.AF_INET6, many)
    assert len(body) < 4096


def row(state: int, *, local: str = "203.0.113.7", unsent: int = 0, inode: int = 7) -> bytes:
    """Return a socket as the kernel describes it (struct inet_diag_msg)."""
    packed = ip_address(local).packed
    family = wire.AF_INET if len(packed) == 4 else wire.AF_INET6
    addresses = packed.ljust(16, b"\0") + bytes(16)
    body = struct.pack("=BBBBHH", family, state, 0, 0, 80, 1024) + addresses
    body += bytes(12) + struct.pack("=IIIII", 0, 0, unsent, 0, inode)
    assert len(body) == 72
    return wire.request(tcpsockets.SOCK_DIAG_BY_FAMILY, wire.MULTI, 1, body)


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        pytest.param(row(ESTABLISHED), True, id="established"),
        pytest.param(row(ESTABLISHED, inode=0), True, id="established, not yet accepted"),
        pytest.param(row(CLOSE_WAIT), True, id="the client has said all, the answer has not"),
        pytest.param(row(FIN_WAIT2), True, id="we have said all, and still read"),
        pytest.param(row(FIN_WAIT2, inode=0), False, id="we have said all, and nobody reads"),
        pytest.param(row(FIN_WAIT1, unsent=1449), True, id="the answer's end is on its way"),
        pytest.param(row(FIN_WAIT1, unsent=1, inode=0), False, id="only our FIN is on its way"),
        pytest.param(row(LAST_ACK, unsent=2), True, id="both have said all, ours is on its way"),
        pytest.param(row(LAST_ACK, unsent=1), False, id="only the last FIN is on its way"),
        pytest.param(row(CLOSING, unsent=100), True, id="both closed at once, data is on its way"),
        pytest.param(row(CLOSING, unsent=1), False, id="both closed at once"),
    ],
)
def test_what_counts_as_open(data: bytes, counted: bool) -> None:
    """A connection counts while data may be lost."""
    found: Counter[bytes] = Counter()
    assert tcpsockets.count(found, data)
    assert found.total() == int(counted)


def test_a_half_open_connection_is_not_even_asked_for() -> None:
    """Whoever can send a SYN could hold up a drain; TIME_WAIT and listeners have no data."""
    _, _, states = struct.unpack_from("=BBxxI", tcpsockets.question(wire.AF_INET, [EIP]))
    assert not states & (1 << SYN_RECV | 1 << TIME_WAIT | 1 << 10)
    assert states & 1 << ESTABLISHED


def test_a_client_of_a_socket_of_both_families_is_an_ipv4_client() -> None:
    """`::ffff:203.0.113.7` is the elastic IP 203.0.113.7."""
    found: Counter[bytes] = Counter()
    tcpsockets.count(found, row(ESTABLISHED) + row(ESTABLISHED, local="::ffff:203.0.113.7"))
    assert found == {ip_address("203.0.113.7").packed: 2}


def test_a_dump_goes_on_until_it_says_so() -> None:
    """A datagram may end in the middle of the table."""
    done = wire.request(wire.DONE, wire.MULTI, 1, struct.pack("=i", 0))
    found: Counter[bytes] = Counter()
    assert tcpsockets.count(found, row(ESTABLISHED))
    assert not tcpsockets.count(found, row(ESTABLISHED) + done)
    assert found.total() == 2
