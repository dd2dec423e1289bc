"""The last gate: nothing outside the pools reaches the wire, whoever asks."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason
from bgpd.policy.gate import Fence, admit
from tests.policy.test_lever import PEER

FENCE = Fence([Prefix("203.0.113.0/28"), Prefix("203.0.113.16/28"), Prefix("2001:db8::/64")])


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        pytest.param("203.0.113.0/32", None, id="first address of a pool"),
        pytest.param("203.0.113.31/32", None, id="last address of two adjacent pools"),
        pytest.param("203.0.113.32/32", Reason.OUTSIDE_POOLS, id="one past the end"),
        pytest.param("203.0.112.255/32", Reason.OUTSIDE_POOLS, id="one before the start"),
        pytest.param("203.0.113.0/28", Reason.PREFIX_TOO_SHORT, id="a whole pool"),
        pytest.param("0.0.0.0/0", Reason.PREFIX_TOO_SHORT, id="the default route"),
        pytest.param("2001:db8::1/128", None, id="an IPv6 address of a pool"),
        pytest.param("2001:db8:1::1/128", Reason.OUTSIDE_POOLS, id="an IPv6 address outside"),
        pytest.param("garbage", Reason.OUTSIDE_POOLS, id="something that is no prefix"),
    ],
)
def test_fence(prefix: str, reason: Reason | None) -> None:
    """The fence passes single addresses inside the pools and nothing else."""
    assert FENCE.refusal(Prefix(prefix)) is reason


def test_an_empty_fence_passes_nothing() -> None:
    """No pools means no elastic IPs."""
    assert Fence([]).refusal(Prefix("203.0.113.1/32")) is Reason.OUTSIDE_POOLS


networks = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(8, 32),
)


@given(st.lists(networks, max_size=6), st.integers(0, 2**32 - 1))
def test_the_fence_agrees_with_the_definition(
    pools: list[ipaddress.IPv4Network], address: int
) -> None:
    """A prefix passes exactly if one of the pools contains it, overlaps or not."""
    prefix = Prefix(f"{ipaddress.IPv4Address(address)}/32")
    inside = any(ipaddress.IPv4Address(address) in pool for pool in pools)
    refusal = Fence([Prefix(str(pool)) for pool in pools]).refusal(prefix)
    assert refusal is (None if inside else Reason.OUTSIDE_POOLS)


def test_the_limit_keeps_what_is_present_and_fills_up_in_order() -> None:
    """At a prefix limit nothing that works makes room for something new."""
    wanted = [Prefix(f"203.0.113.{last}/32") for last in (1, 2, 3, 4)]
    passed, refused = admit(
        wanted,
        peer=replace(PEER, max_prefixes=2),
        fence=FENCE,
        present={Prefix("203.0.113.4/32")},
    )
    assert set(passed) == {"203.0.113.4/32", "203.0.113.1/32"}
    assert [(item.prefix, item.reason) for item in refused] == [
        ("203.0.113.2/32", Reason.PREFIX_LIMIT),
        ("203.0.113.3/32", Reason.PREFIX_LIMIT),
    ]
    assert "at most 2 prefixes" in refused[0].message


def test_what_the_fence_refuses_does_not_count_toward_the_limit() -> None:
    """A refused prefix never reaches the peer, so the peer never counts it."""
    wanted = [Prefix("192.0.2.1/32"), Prefix("203.0.113.1/32")]
    passed, refused = admit(wanted, peer=replace(PEER, max_prefixes=1), fence=FENCE, present=set())
    assert passed == ("203.0.113.1/32",)
    assert [item.reason for item in refused] == [Reason.OUTSIDE_POOLS]
