"""The order of a pool's addresses, and how many there are."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.allocator.layout import Layout, number_of, render
from bgpd.allocator.outcome import MOST
from bgpd.model.prefix import Address, Family, Prefix
from tests.allocator.build import blocks

_LIMIT = 2**63 - 1


def _counted(*entries: str, avoid_buggy: bool = False, reserved: tuple[str, ...] = ()) -> int:
    family = Family.IPV6 if ":" in entries[0] else Family.IPV4
    return Layout(
        family, blocks(*entries), avoid_buggy=avoid_buggy, reserved=blocks(*reserved)
    ).count


@pytest.mark.parametrize(
    ("count", "entries", "avoid_buggy", "reserved"),
    [
        pytest.param(256, ("192.0.2.0/24",), False, (), id="a /24 is 256 addresses"),
        pytest.param(384, ("192.0.2.0/24", "198.51.100.128/25"), False, (), id="blocks add up"),
        pytest.param(
            381,
            ("192.0.2.0/24", "198.51.100.128/25"),
            True,
            (),
            id="without .0 and .255 a /24 has two less, the upper half of one has one less",
        ),
        pytest.param(11, ("192.0.2.10-192.0.2.20",), False, (), id="a range has both its ends"),
        pytest.param(
            508, ("198.18.0.0/23",), True, (), id="a /23 has two addresses .0 and two .255"
        ),
        pytest.param(
            252, ("192.0.2.0/24",), False, ("192.0.2.4/30",), id="reserved addresses do not count"
        ),
        pytest.param(
            251,
            ("192.0.2.0/24",),
            True,
            ("192.0.2.0/30",),
            id="an address that is reserved and ends in .0 is missing once",
        ),
        pytest.param(
            248,
            ("192.0.2.0/24",),
            False,
            ("192.0.2.0/29", "192.0.2.4/30"),
            id="what is reserved twice is missing once",
        ),
        pytest.param(
            2, ("192.0.2.0/31",), False, ("198.51.100.0/24",), id="reserving others takes nothing"
        ),
        pytest.param(65536, ("2001:db8::/112",), False, (), id="a /112 of IPv6"),
        pytest.param(_LIMIT, ("2001:db8::/64",), False, (), id="a /64 is more than a status holds"),
        pytest.param(
            _LIMIT, ("2001:db8::/66",), False, (), id="as with MetalLB, 2^62 counts as the most"
        ),
        pytest.param(2**61, ("2001:db8::/67",), False, (), id="2^61 is counted as it is"),
        pytest.param(
            3 * 2**61,
            ("2001:db8::/67", "2001:db8:1::/67", "2001:db8:2::/67"),
            False,
            (),
            id="smaller blocks add up as long as they fit",
        ),
        pytest.param(
            _LIMIT,
            tuple(f"2001:db8:{n}::/67" for n in range(9)),
            False,
            (),
            id="many blocks below the limit end at it, too",
        ),
        pytest.param(
            _LIMIT, ("2001:db8::/64", "2001:db8:1::/112"), False, (), id="a huge block first"
        ),
        pytest.param(
            _LIMIT, ("2001:db8:1::/112", "2001:db8::/64"), False, (), id="a huge block last"
        ),
        pytest.param(_LIMIT, ("::/0",), False, (), id="all of IPv6"),
    ],
)
def test_count(
    count: int, entries: tuple[str, ...], avoid_buggy: bool, reserved: tuple[str, ...]
) -> None:
    """A count is right for any mix of blocks, and never more than 2^63-1."""
    assert _counted(*entries, avoid_buggy=avoid_buggy, reserved=reserved) == count
    assert MOST == _LIMIT


def _usable(layout: Layout) -> list[str]:
    found = []
    at = layout.usable_from(0)
    while at < layout.size:
        found.append(layout.address_at(at))
        at = layout.usable_from(at + 1)
    return [str(address) for address in found]


def test_document_order() -> None:
    """Addresses come in the order of the entries, and the lowest of an entry first."""
    layout = Layout(Family.IPV4, blocks("198.51.100.0/31", "192.0.2.8-192.0.2.10"))
    assert _usable(layout) == [
        "198.51.100.0",
        "198.51.100.1",
        "192.0.2.8",
        "192.0.2.9",
        "192.0.2.10",
    ]


def test_other_family() -> None:
    """A layout has the addresses of its own family alone."""
    layout = Layout(Family.IPV6, blocks("192.0.2.0/31", "2001:db8::/127"))
    assert _usable(layout) == ["2001:db8::", "2001:db8::1"]


def test_huge_reserved_block() -> None:
    """A reserved block is passed over at once, however large it is."""
    layout = Layout(
        Family.IPV6, blocks("2001:db8::/32"), reserved=blocks("2001:db8::/33", "2001:db8:8000::/64")
    )
    assert layout.address_at(layout.usable_from(0)) == "2001:db8:8000:1::"


_NETWORKS = st.lists(
    st.tuples(st.integers(0, 1023), st.integers(0, 5)).map(
        lambda pair: ipaddress.ip_network(
            (0xC0000200 - 512 + (pair[0] >> pair[1] << pair[1]), 32 - pair[1])
        )
    ),
    max_size=6,
)


def _apart(networks: list[ipaddress.IPv4Network]) -> list[ipaddress.IPv4Network]:
    kept: list[ipaddress.IPv4Network] = []
    for network in networks:
        if not any(network.overlaps(one) for one in kept):
            kept.append(network)
    return kept


@given(_NETWORKS, _NETWORKS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_against_counting(
    entries: list[ipaddress.IPv4Network],
    reserved: list[ipaddress.IPv4Network],
    avoid_buggy: bool,
) -> None:
    """Count, order, lookup and reserved addresses agree with looking at each address."""
    entries = _apart(entries)
    layout = Layout(
        Family.IPV4,
        [Prefix(str(network)) for network in entries],
        reserved=[Prefix(str(network)) for network in reserved],
        avoid_buggy=avoid_buggy,
    )
    every = [address for network in entries for address in network]
    expected = [
        str(address)
        for address in every
        if not (avoid_buggy and int(address) % 256 in {0, 255})
        and not any(address in network for network in reserved)
    ]
    assert _usable(layout) == expected
    assert layout.count == len(expected)
    assert layout.size == len(every)
    for ordinal, address in enumerate(every):
        assert layout.address_at(ordinal) == str(address)
        assert layout.reserved(ordinal) == any(address in network for network in reserved)
        buggy = avoid_buggy and int(address) % 256 in {0, 255}
        assert layout.ordinal_of(int(address)) == (None if buggy else ordinal)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
@settings(deadline=None)
def test_text(four: int, six: int) -> None:
    """An address is written as Python and Kubernetes write it, and read back."""
    assert render(four, Family.IPV4) == str(ipaddress.IPv4Address(four))
    assert number_of(render(four, Family.IPV4)) == four
    assert number_of(render(six, Family.IPV6)) == six
    assert render(six, Family.IPV6) == Address(str(ipaddress.IPv6Address(six)))
