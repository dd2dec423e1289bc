"""One prefix for a block of addresses: who is in it, how short it may be, when it goes."""

from dataclasses import replace

import pytest

from bgpd.model.configuration import BGPAdvertisement
from bgpd.model.prefix import Family, Prefix
from bgpd.model.reason import Reason
from bgpd.policy.gate import Fence
from bgpd.policy.merge import Merged
from bgpd.policy.service import decide
from tests.policy.build import Cluster, advertisement, label, peer, pool, service, slices

HERE = slices("n1")
V4_POOL = pool("pool", "198.51.100.0/24")


def routes(cluster: Cluster, address: str = "198.51.100.1") -> list[tuple[str, int | None]]:
    """Return the prefixes that a Service with *address* makes, with their local preferences."""
    found = decide(service("web", address), HERE, cluster.context()).advertisements
    return [(one.prefix, one.local_pref) for one in found]


def cluster(*advertisements: BGPAdvertisement, blocks: tuple[str, ...] = ()) -> Cluster:
    """Return a cluster with one pool and *advertisements*."""
    return Cluster(
        pools=(pool("pool", *blocks) if blocks else V4_POOL,), advertisements=advertisements
    )


@pytest.mark.parametrize(
    ("asked", "address", "prefix"),
    [
        pytest.param(cluster(advertisement(aggregation_length=24)), "198.51.100.77",
                     "198.51.100.0/24", id="a block around the address"),
        pytest.param(cluster(advertisement(aggregation_length=26)), "198.51.100.77",
                     "198.51.100.64/26", id="a part of the pool"),
        pytest.param(cluster(advertisement(aggregation_length_v6=80), blocks=("2001:db8:1::/64",)),
                     "2001:db8:1::5", "2001:db8:1::/80", id="an IPv6 block"),
        pytest.param(cluster(advertisement(aggregation_length=24), blocks=("2001:db8:1::/64",)),
                     "2001:db8:1::5", "2001:db8:1::5/128", id="each family has a length"),
        pytest.param(Cluster(pools=(pool("pool", "198.51.100.10/31", "198.51.100.12/30",
                                         largest=(Prefix("198.51.100.12/30"),)),),
                             advertisements=(advertisement(aggregation_length=30),)),
                     "198.51.100.10", "198.51.100.10/31",
                     id="never beyond the pool: the edge of a range keeps its smaller block"),
    ],
)  # fmt: skip
def test_a_prefix_of_the_wanted_length_is_advertised(
    asked: Cluster, address: str, prefix: str
) -> None:
    """The address itself is not advertised beside it, and the last gate lets the prefix pass."""
    context = asked.context()
    assert not context.errors
    assert routes(asked, address) == [(prefix, None)]
    assert Fence(context.pools, context.aggregates).refusal(Prefix(prefix)) is None


def test_two_lengths_are_two_prefixes_with_attributes_of_their_own() -> None:
    """Local preferences are compared for one prefix only."""
    asked = cluster(
        advertisement("a", local_pref=100, communities=("0:1234",)),
        advertisement("b", local_pref=1000, aggregation_length=24),
    )
    assert routes(asked) == [("198.51.100.1/32", 100), ("198.51.100.0/24", 1000)]


def test_a_block_stays_while_one_of_its_services_does() -> None:
    """Whatever the order in which they go; then it goes, once."""
    context = cluster(advertisement(aggregation_length=24)).context()
    merged = Merged()
    for number in range(1, 4):
        found = decide(service(f"s{number}", f"198.51.100.{number}"), HERE, context)
        assert len(merged.replace(f"s{number}", found)) == (number == 1)
    assert merged.services == {Prefix("198.51.100.0/24"): ("s1", "s2", "s3")}
    assert not merged.replace("s1", None)
    assert not merged.replace("s3", None)
    assert merged.replace("s2", None) == {("r1", "198.51.100.0/24")}
    assert not merged.advertisements


def test_a_block_that_reaches_beyond_an_entry_of_its_pool_is_refused() -> None:
    """The sentence names object, field, value, legal range and the entry."""
    asked = cluster(advertisement("wide", aggregation_length=24), blocks=("198.51.100.0/26",))
    (error,) = asked.context().errors
    assert error == (
        "BGPAdvertisement wide: spec.aggregationLength 24: must be 26..32, because 198.51.100.0/26 "
        "is the largest block of an entry of IPAddressPool pool"
    )


def test_a_range_counts_by_its_largest_block() -> None:
    """198.51.100.10-198.51.100.15 is a /31 and a /30: 30 is enough."""
    blocks = ("198.51.100.10/31", "198.51.100.12/30")
    entry = pool("pool", *blocks, largest=(Prefix("198.51.100.12/30"),))
    asked = Cluster(pools=(entry,), advertisements=(advertisement(aggregation_length=30),))
    assert not asked.context().errors
    refused = replace(asked, advertisements=(advertisement(aggregation_length=29),))
    assert "must be 30..32" in refused.context().errors[0]


def test_an_edit_that_reaches_too_far_leaves_the_last_good_version() -> None:
    """Its routes stay as they were."""
    good = cluster(advertisement(aggregation_length=26), blocks=("198.51.100.0/26",))
    edited = replace(good, advertisements=(advertisement(aggregation_length=20),))
    context = edited.context(good.context())
    assert len(context.errors) == 1
    (route,) = decide(service(), HERE, context).advertisements
    assert route.prefix == "198.51.100.0/26"


def test_a_pool_that_shrinks_takes_no_advertisement_down() -> None:
    """What was accepted before is fitted to the pool, and a condition says so."""
    before = cluster(advertisement(aggregation_length=24)).context()
    context = cluster(advertisement(aggregation_length=24), blocks=("198.51.100.0/25",)).context(
        before
    )
    assert not context.errors
    assert [one.type for one in context.conditions] == ["LastGoodInForce"]
    (route,) = decide(service(), HERE, context).advertisements
    assert route.prefix == "198.51.100.0/25"


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        pytest.param("198.51.100.0/26", None, id="as short as allowed"),
        pytest.param("198.51.100.64/27", None, id="longer than that"),
        pytest.param("198.51.100.0/25", Reason.PREFIX_TOO_SHORT, id="shorter"),
        pytest.param("198.51.100.9/32", None, id="an address"),
        pytest.param("198.51.101.0/26", Reason.PREFIX_TOO_SHORT, id="outside the pools"),
        pytest.param("203.0.113.0/30", Reason.PREFIX_TOO_SHORT,
                     id="a pool that nobody aggregates"),
    ],
)  # fmt: skip
def test_the_last_gate_lets_exactly_such_blocks_pass(prefix: str, reason: Reason | None) -> None:
    """Inside a pool, and not shorter than its advertisements say."""
    fence = Fence(
        [Prefix("198.51.100.0/24"), Prefix("203.0.113.0/24")], {Prefix("198.51.100.0/24"): 26}
    )
    assert fence.refusal(Prefix(prefix)) is reason


def test_an_allowance_outside_the_pools_is_refused() -> None:
    """The agent cannot widen the fence by what it says of aggregates."""
    with pytest.raises(ValueError, match=r"203\.0\.113\.0/24 is in no pool"):
        Fence([Prefix("198.51.100.0/24")], {Prefix("203.0.113.0/24"): 24})


def test_an_advertisement_for_other_nodes_opens_no_gate_here() -> None:
    """Neither does one for another pool."""
    other = advertisement(aggregation_length=24, node_selectors=(label("name", "n2"),))
    assert not cluster(other).context().aggregates
    assert not cluster(advertisement(pools=("q",), aggregation_length=24)).context().aggregates


def test_every_peer_that_cannot_hear_the_family_is_named_once() -> None:
    """Also where two lengths would have made two routes."""
    asked = Cluster(
        pools=(V4_POOL,),
        peers=(peer(families=(Family.IPV6,)),),
        advertisements=(advertisement("a"), advertisement("b", aggregation_length=24)),
    )
    found = decide(service(), HERE, asked.context())
    reasons = [(one.peer, one.reason) for one in found.withheld]
    assert reasons == [("r1", Reason.FAMILY_NOT_NEGOTIATED)]
