"""A user's MED, local preference and AS path beside a takeover that uses the same attribute."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.configuration import BGPAdvertisement, Distribution, NodePreference, Weight
from bgpd.model.peer import Asn, Lever, PeerName, Takeover
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement, Attributes
from bgpd.policy.lever import Stance, attributes
from bgpd.policy.merge import Merged
from bgpd.policy.service import decide
from tests.policy.build import Cluster, advertisement, label, node, peer, service, slices

EVERYWHERE = slices("n1", "n2")
MED = peer()
NEVER = peer(takeover=Takeover.NEVER)
IBGP = peer(peer_asn=Asn(64512), lever=Lever.LOCAL_PREF)
IBGP_MED = peer(peer_asn=Asn(64512), lever=Lever.MED)
AS_PATH = peer(lever=Lever.AS_PATH)
NONE = peer(lever=Lever.NONE)
ON_N1, ON_N2 = (label("name", "n1"),), (label("name", "n2"),)


def route(cluster: Cluster) -> Advertisement:
    """Return the one route of node `me` of *cluster*."""
    (found,) = decide(service(), EVERYWHERE, cluster.context()).advertisements
    return found


def on_the_wire(cluster: Cluster, generation: int = 0) -> Attributes:
    """Return what the router hears."""
    (spoken,) = cluster.context().peers
    found = attributes(route(cluster), spoken, Stance(generation=generation))
    assert isinstance(found, Attributes)
    return found


@pytest.mark.parametrize(
    ("spoken", "wish", "expected"),
    [
        pytest.param(MED, {"med": 50}, {"rank": 50, "med": None}, id="lever med: a MED is a rank"),
        pytest.param(MED, {"med": 0}, {"rank": 0, "med": None}, id="lever med: none at all"),
        pytest.param(MED, {"local_pref": 300}, {"local_pref": 300, "rank": 0},
                     id="lever med: local preference as it is"),
        pytest.param(MED, {"as_path_prepend": 3}, {"as_path_prepend": 3, "rank": 0},
                     id="lever med: prepend as it is"),
        pytest.param(NEVER, {"med": 70000}, {"rank": 0, "med": 70000},
                     id="takeover Never: a MED is a MED"),
        pytest.param(IBGP, {"med": 70000}, {"rank": 0, "med": 70000},
                     id="lever localPref: a MED is a MED"),
        pytest.param(IBGP, {"local_pref": 300}, {"rank": 0, "local_pref": 300},
                     id="lever localPref: the only preference is the best"),
        pytest.param(AS_PATH, {"med": 70000}, {"rank": 0, "med": 70000},
                     id="lever asPath: a MED is a MED"),
        pytest.param(NONE, {"med": 7, "as_path_prepend": 2},
                     {"rank": 0, "med": 7, "as_path_prepend": 2}, id="lever none: as they are"),
    ],
)  # fmt: skip
def test_what_a_wish_becomes(
    spoken: Any, wish: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    """A rank where the lever has the attribute for itself, and itself elsewhere."""
    cluster = Cluster(peers=(spoken,), advertisements=(advertisement(**wish),))
    found = route(cluster)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_med_of_the_users_reaches_the_wire() -> None:
    """As it is with another lever, as generation and rank with lever med."""
    assert on_the_wire(Cluster(peers=(NONE,), advertisements=(advertisement(med=7),))).med == 7
    ranked = on_the_wire(Cluster(advertisements=(advertisement(med=7),)), generation=2)
    assert ranked.med == 2**31 - 2 * 256 + 7


def two_nodes(spoken: Any, first: int, second: int) -> dict[str, Cluster]:
    """Return both nodes' view of a preference for each node."""
    advertisements = (
        advertisement("a", local_pref=first, node_selectors=ON_N1),
        advertisement("b", local_pref=second, node_selectors=ON_N2),
    )
    cluster = Cluster(peers=(spoken,), advertisements=advertisements)
    return {"n1": cluster, "n2": replace(cluster, me="n2")}


def test_differences_of_local_preference_are_ranks() -> None:
    """The greatest is the base of all, so that a raise lifts every path over every older one."""
    nodes = two_nodes(IBGP, 300, 250)
    assert (route(nodes["n1"]).local_pref, route(nodes["n1"]).rank) == (300, 0)
    assert (route(nodes["n2"]).local_pref, route(nodes["n2"]).rank) == (300, 50)
    assert on_the_wire(nodes["n1"]).local_pref == 300
    assert on_the_wire(nodes["n2"]).local_pref == 250


def test_an_unset_local_preference_counts_as_100() -> None:
    """As routers have it."""
    nodes = two_nodes(IBGP, 0, 150)
    assert (route(nodes["n1"]).rank, route(nodes["n2"]).rank) == (50, 0)
    assert on_the_wire(nodes["n1"]).local_pref == 100


@given(
    first=st.integers(100, 400),
    second=st.integers(100, 400),
    generation=st.integers(0, 1000),
)
def test_local_preferences_keep_their_order_and_lose_to_a_later_generation(
    first: int, second: int, generation: int
) -> None:
    """Whatever fits: the user's order within a generation, the generation before everything."""
    nodes = two_nodes(IBGP, first, second)
    if abs(first - second) > 200:
        (error,) = nodes["n1"].context().errors
        assert "must be within 200 of the" in error
        return
    one, two = (on_the_wire(nodes[name], generation).local_pref or 0 for name in ("n1", "n2"))
    assert (one > two, one == two) == (first > second, first == second)
    later = [on_the_wire(nodes[name], generation + 1).local_pref or 0 for name in ("n1", "n2")]
    assert min(later) > max(one, two)


@pytest.mark.parametrize(
    ("spoken", "wish", "words"),
    [
        pytest.param(MED, {"med": 201}, "spec.med 201: must be 0..200", id="a MED beyond ranks"),
        pytest.param(AS_PATH, {"as_path_prepend": 1},
                     "spec.asPathPrepend 1: has no room beside the takeover lever asPath of "
                     "BGPPeer r1", id="a prepend where the path is the lever"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(spoken: Any, wish: Mapping[str, Any], words: str) -> None:
    """The last good version of the advertisement stays in force."""
    bad = Cluster(peers=(spoken,), advertisements=(advertisement(**wish),))
    (error,) = bad.context().errors
    assert error.startswith("BGPAdvertisement all: ")
    assert words in error
    good = replace(bad, advertisements=(advertisement(communities=("1:1",)),))
    context = bad.context(good.context())
    assert len(context.errors) == 1
    (kept,) = decide(service(), EVERYWHERE, context).advertisements
    assert kept.communities == ("1:1",)


def test_a_wish_for_other_peers_or_nodes_has_room() -> None:
    """Only a peer that hears it can have no room for it."""
    peers = (peer(), peer("r2", "192.0.2.2", lever=Lever.NONE))
    for fitting in (
        advertisement(med=70000, peers=(PeerName("r2"),)),
        advertisement(med=70000, node_selectors=ON_N2),
    ):
        assert not Cluster(peers=peers, advertisements=(fitting,)).context().errors


def test_a_peer_that_changes_its_lever_takes_no_advertisement_down() -> None:
    """What was in force is fitted: the rank is the worst, the prepend is left out."""
    before = Cluster(peers=(NONE,), advertisements=(advertisement(med=500, as_path_prepend=2),))
    for lever, rank, prepend in ((Lever.MED, 200, 2), (Lever.AS_PATH, 0, 0)):
        after = replace(before, peers=(peer(lever=lever),))
        context = after.context(before.context())
        assert not context.errors
        assert [one.type for one in context.conditions] == ["LastGoodInForce"]
        (kept,) = decide(service(), EVERYWHERE, context).advertisements
        assert (kept.rank, kept.as_path_prepend) == (rank, prepend)


@pytest.mark.parametrize(
    ("spoken", "wish", "words"),
    [
        pytest.param(MED, {"as_path_prepend": 1}, "AS path prepend 0 from node n2 and 1 from n1",
                     id="a longer path on one node, lever med"),
        pytest.param(IBGP_MED, {"local_pref": 200},
                     "local preference 100 from node n2 and 200 from n1",
                     id="another local preference, lever med over iBGP"),
        pytest.param(MED, {"local_pref": 200}, "", id="eBGP has no local preference"),
        pytest.param(IBGP, {"as_path_prepend": 1}, "",
                     id="local preference comes before the path"),
        pytest.param(NONE, {"as_path_prepend": 1}, "", id="no takeover, nothing to overrule"),
        pytest.param(MED, {"med": 7}, "", id="the lever's own attribute"),
        pytest.param(MED, {"as_path_prepend": 1, "service_selectors": ON_N1}, "",
                     id="some Services only"),
    ],
)  # fmt: skip
def test_what_routers_compare_before_the_lever_is_told(
    spoken: Any, wish: Mapping[str, Any], words: str
) -> None:
    """Nodes that differ in it keep their traffic after their death."""
    cluster = Cluster(
        peers=(spoken,),
        nodes=(node("n1"), node("n2")),
        advertisements=(
            advertisement("a", node_selectors=ON_N1, **wish),
            advertisement("b", node_selectors=ON_N2),
        ),
    )
    found = [one for one in cluster.context().conditions if one.type == "TakeoverOverruled"]
    assert [words in one.message for one in found] == ([True] if words else [])


def clash(one: BGPAdvertisement, other: BGPAdvertisement, *spoken: Any) -> str:
    """Return why two advertisements of every Service cannot both hold, or nothing."""
    cluster = Cluster(peers=spoken or (NONE,), advertisements=(one, other))
    return " ".join(cluster.context().errors)


PREFER_N1 = NodePreference(weight=10, selector=ON_N1[0])
STANDBY = Distribution.ACTIVE_STANDBY


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        pytest.param({"med": 1}, {"med": 2}, "wants MED 2 and BGPAdvertisement a 1", id="MED"),
        pytest.param({"med": 1}, {}, "", id="one of them says nothing of a MED"),
        pytest.param({"local_pref": 1}, {}, "local preference unset and BGPAdvertisement a 1",
                     id="an absent local preference counts"),
        pytest.param({"as_path_prepend": 1}, {"as_path_prepend": 2}, "",
                     id="the longest prepend is what both can live with"),
        pytest.param({"distribution": STANDBY, "preferred_nodes": (PREFER_N1,)},
                     {"distribution": STANDBY}, "prefer different nodes",
                     id="an order of nodes against another"),
        pytest.param({"distribution": STANDBY}, {}, "", id="one of them orders the nodes"),
        pytest.param({"weight": Weight.ENDPOINTS}, {}, "", id="one of them weighs the nodes"),
        pytest.param({"med": 1, "aggregation_length": 24, "aggregation_length_v6": 64}, {"med": 2},
                     "", id="different prefixes"),
        pytest.param({"med": 1, "aggregation_length": 24}, {"med": 2}, "wants MED 2",
                     id="different prefixes in one family only"),
        pytest.param({"med": 1, "peers": (PeerName("r1"),)}, {"med": 2, "peers": (PeerName("r2"),)},
                     "", id="different peers"),
    ],
)  # fmt: skip
def test_two_advertisements_clash_over_one_prefix_to_one_peer(
    one: Mapping[str, Any], other: Mapping[str, Any], words: str
) -> None:
    """The second by name is refused, and the sentence names both and the field."""
    found = clash(advertisement("a", **one), advertisement("b", **other))
    assert bool(found) is bool(words)
    assert words in found


def test_a_clash_for_one_service_is_its_reason() -> None:
    """Service selectors are only known for each Service."""
    cluster = Cluster(
        peers=(NONE,),
        advertisements=(
            advertisement("a", med=1, service_selectors=(label("app", "x"),)),
            advertisement("b", med=2),
        ),
    )
    context = cluster.context()
    found = decide(service(labels={"app": "x"}), EVERYWHERE, context)
    assert [one.reason for one in found.withheld] == [Reason.CONFLICTING_ADVERTISEMENTS]
    assert "BGPAdvertisement a wants MED 1 and BGPAdvertisement b 2" in found.withheld[0].message
    assert decide(service(labels={"app": "y"}), EVERYWHERE, context).advertisements[0].med == 2


@given(st.permutations(["a", "b", "c"]))
def test_services_that_share_an_address_do_not_depend_on_order(order: list[str]) -> None:
    """The most preferred holds, and one condition for each difference names all of them."""
    cluster = Cluster(
        advertisements=tuple(
            advertisement(name, med=med, local_pref=pref, service_selectors=(label("app", name),))
            for name, med, pref in (("a", 5, 100), ("b", 9, 200), ("c", 7, 0))
        )
    )
    context = cluster.context()
    merged = Merged()
    for name in order:
        found = decide(service(name, labels={"app": name}), EVERYWHERE, context)
        merged.replace(f"default/{name}", found)
    (joined,) = merged.advertisements.values()
    assert (joined.rank, joined.local_pref) == (5, 200)
    first, second = (one.message for one in merged.conditions)
    assert "different local preferences" in first
    assert "(default/a 100, default/b 200, default/c unset); the greatest holds" in first
    assert "different ranks" in second
    assert "(default/a 5, default/b 9, default/c 7); the least holds" in second


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        pytest.param(("n1", "n1", "n1", "n2"), 3_000_000, id="three of four endpoints"),
        pytest.param(("n2",), 1_000_000, id="none: the least that can be said"),
    ],
)
def test_routers_are_told_how_many_endpoints_there_are(
    here: tuple[str, ...], expected: int
) -> None:
    """In proportion, whatever the unit."""
    cluster = Cluster(advertisements=(advertisement(weight=Weight.ENDPOINTS),))
    (found,) = decide(service(), slices(*here), cluster.context()).advertisements
    assert found.link_bandwidth == expected
    plain = decide(service(), slices(*here), Cluster().context()).advertisements
    assert plain[0].link_bandwidth is None


def test_the_endpoints_of_services_that_share_a_prefix_add_up() -> None:
    """Each takes its part of what the router sends."""
    context = Cluster(advertisements=(advertisement(weight=Weight.ENDPOINTS),)).context()
    merged = Merged()
    merged.replace("a", decide(service("a"), slices("n1", "n1"), context))
    merged.replace("b", decide(service("b"), slices("n1"), context))
    (joined,) = merged.advertisements.values()
    assert joined.link_bandwidth == 3_000_000


def test_an_excluded_node_attracts_traffic_where_that_is_ignored() -> None:
    """Also in what others believe of it."""
    excluded = replace(
        node("n1"), labels={"node.kubernetes.io/exclude-from-external-load-balancers": ""}
    )
    cluster = Cluster(nodes=(excluded, node("n2")))
    found = decide(service(), EVERYWHERE, cluster.context())
    assert [one.reason for one in found.withheld] == [Reason.NODE_EXCLUDED]
    ignoring = replace(cluster, ignore_exclude_label=True)
    assert route(ignoring).carriers is None
    assert route(replace(cluster, me="n2")).carriers == ("n2",)
