"""Pools that cannot stand beside each other are found, however many blocks they have."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.configuration import IPAddressPool
from bgpd.model.prefix import Family, Prefix
from bgpd.policy.pools import admit_pools, index_of

_V4 = st.builds(
    lambda number, length: str(ipaddress.ip_network((number, length), strict=False)),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=1, max_value=32),
)
_NEAR = st.builds(
    lambda number, length: str(ipaddress.ip_network((0xC0000200 | number, length), strict=False)),
    st.integers(min_value=0, max_value=255),
    st.integers(min_value=27, max_value=32),
)
_V6 = st.builds(lambda number: f"2001:db8::{number:x}/128", st.integers(min_value=0, max_value=15))
_BLOCKS = st.lists(_NEAR | _V4 | _V6, min_size=1, max_size=6, unique=True)


def pool(name: str, blocks: list[str]) -> IPAddressPool:
    """Return a pool of *blocks*."""
    return IPAddressPool(name=name, prefixes=tuple(Prefix(block) for block in blocks))


@given(_BLOCKS, _BLOCKS)
def test_two_pools_are_refused_exactly_if_a_block_of_one_overlaps_one_of_the_other(
    one: list[str], other: list[str]
) -> None:
    """The fast answer is the answer of comparing each block with each."""
    networks = [ipaddress.ip_network(block) for block in one]
    apart = not any(
        mine.version == theirs.version and mine.overlaps(theirs)
        for mine in networks
        for theirs in map(ipaddress.ip_network, other)
    )
    admission = admit_pools([pool("a", one), pool("b", other)], {})
    assert (len(admission.admitted) == 2) is apart
    for _, sentence in admission.refused:
        left, right = (word for word in sentence.split() if "/" in word)
        assert ipaddress.ip_network(left).overlaps(ipaddress.ip_network(right))


def test_pools_of_many_neighboring_blocks_are_each_one_span() -> None:
    """Twenty pools of 4,096 addresses each, written as single addresses, stand side by side."""
    pools = [
        pool(
            f"p{number}",
            [f"10.{number}.{high}.{low}/32" for high in range(16) for low in range(256)],
        )
        for number in range(20)
    ]
    admission = admit_pools(pools, {})
    assert len(admission.admitted) == len(pools)
    assert index_of(pools).pool_of(ipaddress.ip_address("10.7.3.9")) == "p7"


def test_what_an_address_stands_for_is_told_in_any_spelling_and_as_often_as_one_likes() -> None:
    """A text that is no address is none each time, and one beyond all pools has no pool."""
    index = index_of([pool("a", ["192.0.2.0/24", "2001:db8::/64"])])
    for _ in range(2):
        long = index.place("2001:db8:0:0::1")
        assert long is not None
        assert (long.address, long.prefix) == ("2001:db8::1", "2001:db8::1/128")
        assert (long.family, long.pool) == (Family.IPV6, "a")
        elsewhere = index.place("198.51.100.1")
        assert elsewhere is not None
        assert (elsewhere.prefix, elsewhere.pool) == ("198.51.100.1/32", None)
        assert index.place("fe80::1%eth0") is None
        assert index.place("") is None
