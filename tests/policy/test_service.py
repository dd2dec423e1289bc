"""Does this node advertise this Service? The rules in their order, each with its reason.

The table restates how MetalLB decides, so that a cluster that moves over keeps its routes; where
the behavior differs on purpose, the case says so.
"""

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.model.cluster import EXCLUDE_LABEL, EndpointSlice, Service
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Family, host_prefix, parse_address
from bgpd.model.reason import Reason
from bgpd.model.route import Advertisement
from bgpd.policy.service import Decision, decide
from tests.policy.build import Cluster, advertisement, label, node, peer, pool, service, slices

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PREFIX = "198.51.100.1/32"
EVERYWHERE = slices("n1", "n2")
EXCLUDED = node("n1", labels={EXCLUDE_LABEL: "false"})
CUT_OFF = node("n1", network_unavailable=True)
OTHERS = (node("n2"), node("n3"))


def decision(
    cluster: Cluster | None = None,
    asked: Service | None = None,
    endpoints: tuple[EndpointSlice, ...] = EVERYWHERE,
) -> Decision:
    """Return what node n1 of *cluster* decides."""
    return decide(asked or service(), endpoints, (cluster or Cluster()).context())


def reasons(found: Decision) -> list[Reason]:
    """Return why something is not advertised."""
    return [one.reason for one in found.withheld]


def ads(*advertisements: Any) -> Cluster:
    """Return a cluster with these advertisements."""
    return Cluster(advertisements=advertisements)


@pytest.mark.parametrize(
    ("cluster", "asked", "endpoints"),
    [
        pytest.param(None, None, slices("n2"), id="Cluster policy: an endpoint on another node"),
        pytest.param(None, None, slices(""), id="Cluster policy: an endpoint on no known node"),
        pytest.param(None, None, slices("n2", not_serving=1),
                     id="Cluster policy: our own endpoints may be down"),
        pytest.param(None, service(local=True), slices("n1", "n2"),
                     id="Local policy: one of the endpoints is here"),
        pytest.param(None, service(local=True), (*slices("n2"), *slices("n1")),
                     id="Local policy: the local endpoint is in the second slice"),
        pytest.param(ads(advertisement(node_selectors=(label("name", "n1"),))), None, EVERYWHERE,
                     id="an advertisement that selects this node"),
        pytest.param(ads(advertisement(service_selectors=(label("app", "x"),))),
                     service(labels={"app": "x"}), EVERYWHERE,
                     id="an advertisement that selects this Service"),
        pytest.param(ads(advertisement("a", pools=("q",)), advertisement("b", pools=("pool",))),
                     None, EVERYWHERE, id="one of two advertisements names the pool"),
        pytest.param(Cluster(pools=(pool(labels={"tier": "a"}),),
                             advertisements=(advertisement(pool_selectors=(label("tier", "a"),)),)),
                     None, EVERYWHERE, id="a pool selector chooses the pool"),
        pytest.param(Cluster(load_balancer_class="foo"), service(load_balancer_class="foo"),
                     EVERYWHERE, id="the class that this agent serves"),
        pytest.param(Cluster(pools=(pool("pool", "198.51.100.1/32"),)), None, EVERYWHERE,
                     id="a pool of one address"),
    ],
)  # fmt: skip
def test_a_route_is_advertised(
    cluster: Cluster | None, asked: Service | None, endpoints: tuple[EndpointSlice, ...]
) -> None:
    """One route to the one peer, and nothing withheld."""
    found = decision(cluster, asked, endpoints)
    assert [(one.peer, one.prefix) for one in found.advertisements] == [("r1", PREFIX)]
    assert found.withheld == ()


@pytest.mark.parametrize(
    ("cluster", "asked", "endpoints", "reason", "words"),
    [
        pytest.param(None, service(load_balancer=False), EVERYWHERE, Reason.NOT_LOAD_BALANCER,
                     "default/web", id="a Service that is no load balancer any more"),
        pytest.param(None, service(load_balancer_class="foo"), EVERYWHERE,
                     Reason.OTHER_LOAD_BALANCER_CLASS, "asks for loadBalancerClass foo",
                     id="a class, and this agent serves those without one"),
        pytest.param(Cluster(load_balancer_class="foo"), None, EVERYWHERE,
                     Reason.OTHER_LOAD_BALANCER_CLASS, "serves foo",
                     id="no class, and this agent serves one"),
        pytest.param(None, service(ingress=()), EVERYWHERE, Reason.NO_ADDRESS, "no address",
                     id="no address yet"),
        pytest.param(None, service("web", ""), EVERYWHERE, Reason.INVALID_ADDRESS, "no ip",
                     id="a host name instead of an address"),
        pytest.param(None, service("web", "198.51.100.256"), EVERYWHERE, Reason.INVALID_ADDRESS,
                     "'198.51.100.256' is not an IP address", id="an address that is none"),
        pytest.param(None, service("web", "fe80::1%eth0"), EVERYWHERE, Reason.INVALID_ADDRESS,
                     "is not an IP address", id="an address with a zone"),
        pytest.param(None, service("web", "100.64.0.1"), EVERYWHERE, Reason.ADDRESS_NOT_IN_POOL,
                     "100.64.0.1 of Service default/web is in no IPAddressPool",
                     id="an address outside the pools"),
        pytest.param(Cluster(pools=(pool(avoid_buggy_ips=True),)), service("web", "198.51.100.0"),
                     EVERYWHERE, Reason.ADDRESS_NOT_IN_POOL, "198.51.100.0",
                     id="an address that ends in .0 where the pool avoids them"),
        pytest.param(Cluster(advertisements=()), None, EVERYWHERE, Reason.NODE_NOT_SELECTED,
                     "no BGPAdvertisement names IPAddressPool pool", id="no advertisement at all"),
        pytest.param(ads(advertisement(pools=("q",))), None, EVERYWHERE, Reason.NODE_NOT_SELECTED,
                     "IPAddressPool pool", id="an advertisement of another pool"),
        pytest.param(ads(advertisement(pool_selectors=(label("tier", "z"),))), None, EVERYWHERE,
                     Reason.NODE_NOT_SELECTED, "IPAddressPool pool",
                     id="a pool selector that matches nothing attaches nothing"),
        pytest.param(ads(advertisement(node_selectors=(label("name", "n2"),))), None, EVERYWHERE,
                     Reason.NODE_NOT_SELECTED, "nodeSelectors of BGPAdvertisement all do not",
                     id="an advertisement for another node"),
        pytest.param(ads(advertisement(service_selectors=(label("app", "x"),))),
                     service(labels={"app": "y"}), EVERYWHERE, Reason.NO_MATCHING_ADVERTISEMENT,
                     "serviceSelectors of BGPAdvertisement all do not select Service default/web",
                     id="an advertisement for other Services"),
        pytest.param(ads(advertisement("a", local_pref=100, service_selectors=(label("app", "x"),)),
                         advertisement("b", local_pref=200)),
                     service(labels={"app": "x"}), EVERYWHERE, Reason.CONFLICTING_ADVERTISEMENTS,
                     "BGPAdvertisement a wants local preference 100 and BGPAdvertisement b 200",
                     id="two advertisements that disagree for this Service"),
        pytest.param(Cluster(nodes=(CUT_OFF, *OTHERS)), None, EVERYWHERE,
                     Reason.NODE_NETWORK_UNAVAILABLE, "Node n1 has the condition",
                     id="a node without a network"),
        pytest.param(Cluster(nodes=(EXCLUDED, *OTHERS)), None, EVERYWHERE, Reason.NODE_EXCLUDED,
                     EXCLUDE_LABEL, id="a node with the exclusion label, whatever its value"),
        pytest.param(None, service(local=True), slices("n2", not_serving=2),
                     Reason.NO_LOCAL_ENDPOINTS, "on node n1 (1 elsewhere, 2 not ready)",
                     id="Local policy: endpoints on other nodes only"),
        pytest.param(None, service(local=True), (), Reason.NO_LOCAL_ENDPOINTS, "default/web",
                     id="Local policy: no endpoints at all"),
        pytest.param(None, None, slices(not_serving=3), Reason.NO_ENDPOINTS, "(3 not ready)",
                     id="Cluster policy: endpoints that are not ready"),
        pytest.param(None, None, (), Reason.NO_ENDPOINTS, "default/web",
                     id="Cluster policy: no slices"),
        pytest.param(ads(advertisement(peers=(PeerName("r9"),))), None, EVERYWHERE, Reason.NO_PEER,
                     "BGPAdvertisement all of Service default/web reaches no BGPPeer of node n1",
                     id="an advertisement to a peer that this node does not have"),
        pytest.param(Cluster(peers=()), None, EVERYWHERE, Reason.NO_PEER, "n1", id="no peers"),
        pytest.param(Cluster(peers=(peer(families=(Family.IPV6,)),)), None, EVERYWHERE,
                     Reason.FAMILY_NOT_NEGOTIATED, "BGPPeer r1 does not carry IPv4 routes",
                     id="a peer that carries the other family"),
    ],
)  # fmt: skip
def test_a_route_is_withheld_for_one_reason_that_names_the_objects(
    cluster: Cluster | None,
    asked: Service | None,
    endpoints: tuple[EndpointSlice, ...],
    reason: Reason,
    words: str,
) -> None:
    """The first true reason, and a sentence that says which object to look at."""
    found = decision(cluster, asked, endpoints)
    assert found.advertisements == ()
    assert reasons(found) == [reason]
    assert words in found.withheld[0].message


def test_the_first_true_reason_wins() -> None:
    """With everything wrong at once, mending one thing after the other walks down the list."""
    wrong = Cluster(
        nodes=(node("n1", labels={EXCLUDE_LABEL: ""}, network_unavailable=True), *OTHERS),
        pools=(),
        advertisements=(),
        peers=(peer(families=(Family.IPV6,)),),
    )
    asked = service(load_balancer=False, load_balancer_class="foo", ingress=())
    none: tuple[EndpointSlice, ...] = ()
    elsewhere = (advertisement(node_selectors=(label("name", "n2"),)),)
    picky = (advertisement(service_selectors=(label("app", "x"),), peers=(PeerName("r9"),)),)
    to_nobody = (advertisement(peers=(PeerName("r9"),)),)
    steps: list[tuple[Cluster, Service, tuple[EndpointSlice, ...], Reason]] = []
    asked = replace(asked, load_balancer=True)
    steps.append((wrong, asked, none, Reason.OTHER_LOAD_BALANCER_CLASS))
    asked = replace(asked, load_balancer_class=None)
    steps.append((wrong, asked, none, Reason.NO_ADDRESS))
    steps.append((wrong, replace(asked, ingress=("x",)), none, Reason.INVALID_ADDRESS))
    asked = replace(asked, ingress=("198.51.100.1",))
    steps.append((wrong, asked, none, Reason.ADDRESS_NOT_IN_POOL))
    wrong = replace(wrong, pools=(pool(),))
    steps.append((replace(wrong, advertisements=elsewhere), asked, none, Reason.NODE_NOT_SELECTED))
    step = (replace(wrong, advertisements=picky), asked, none, Reason.NO_MATCHING_ADVERTISEMENT)
    steps.append(step)
    wrong = replace(wrong, advertisements=to_nobody)
    steps.append((wrong, asked, none, Reason.NODE_NETWORK_UNAVAILABLE))
    wrong = replace(wrong, nodes=(EXCLUDED, *OTHERS))
    steps.append((wrong, asked, none, Reason.NODE_EXCLUDED))
    wrong = replace(wrong, nodes=(node("n1"), *OTHERS))
    steps.append((wrong, asked, none, Reason.NO_ENDPOINTS))
    steps.append((wrong, asked, EVERYWHERE, Reason.NO_PEER))
    wrong = replace(wrong, advertisements=(advertisement(),))
    steps.append((wrong, asked, EVERYWHERE, Reason.FAMILY_NOT_NEGOTIATED))
    for cluster, one, endpoints, reason in steps:
        assert reasons(decision(cluster, one, endpoints)) == [reason]
    assert decision(replace(wrong, peers=(peer(),)), asked, EVERYWHERE).withheld == ()


def test_a_service_that_never_was_a_load_balancer_is_not_worth_a_word() -> None:
    """Hundreds of plain Services must not hide the few that matter."""
    assert decision(asked=service(load_balancer=False, ingress=())) == Decision()


def test_each_family_of_a_dual_stack_service_is_decided_on_its_own() -> None:
    """A session for each family carries what it can: nothing is missing, nothing is explained."""
    cluster = Cluster(
        peers=(
            peer("four", "192.0.2.1", families=(Family.IPV4,)),
            peer("six", "2001:db8::f", families=(Family.IPV6,)),
        )
    )
    found = decision(cluster, service("web", "198.51.100.1", "2001:db8:1:0::1"))
    assert {(one.peer, one.prefix) for one in found.advertisements} == {
        ("four", "198.51.100.1/32"),
        ("six", "2001:db8:1::1/128"),
    }
    assert found.withheld == ()


def test_a_family_that_no_peer_carries_is_explained_for_each_peer() -> None:
    """The address of the other family is carried all the same."""
    cluster = Cluster(
        peers=(
            peer("a", "192.0.2.1", families=(Family.IPV4,)),
            peer("b", "192.0.2.2", families=(Family.IPV4,)),
        )
    )
    found = decision(cluster, service("web", "198.51.100.1", "2001:db8:1:0::1"))
    assert {one.prefix for one in found.advertisements} == {"198.51.100.1/32"}
    assert {(one.peer, one.prefix, one.reason) for one in found.withheld} == {
        ("a", "2001:db8:1::1/128", Reason.FAMILY_NOT_NEGOTIATED),
        ("b", "2001:db8:1::1/128", Reason.FAMILY_NOT_NEGOTIATED),
    }


def test_one_bad_address_does_not_cost_the_good_one() -> None:
    """MetalLB withdraws the whole Service here; on purpose, we do not."""
    found = decision(asked=service("web", "198.51.100.1", "100.64.0.1"))
    assert [one.prefix for one in found.advertisements] == [PREFIX]
    assert reasons(found) == [Reason.ADDRESS_NOT_IN_POOL]


def test_the_same_address_twice_is_one_route() -> None:
    """Also when it is written in two ways."""
    found = decision(asked=service("web", "2001:db8:1::1", "2001:DB8:1:0::1"))
    assert [one.prefix for one in found.advertisements] == ["2001:db8:1::1/128"]


def test_several_advertisements_of_one_route_are_joined() -> None:
    """Communities add up, the longest prepend holds, each peer hears only what is for it."""
    cluster = Cluster(
        peers=(peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2")),
        advertisements=(
            advertisement("a", communities=("2:2", "3:3"), as_path_prepend=2),
            advertisement("b", communities=("1:1", "2:2"), large_communities=("1:2:3",)),
            advertisement("c", communities=("9:9",), peers=(PeerName("r2"),), as_path_prepend=1),
        ),
    )
    found = {one.peer: one for one in decision(cluster).advertisements}
    assert found[PeerName("r1")] == Advertisement(
        peer=PeerName("r1"),
        prefix=host_prefix(parse_address("198.51.100.1")),
        communities=("1:1", "2:2", "3:3"),
        large_communities=("1:2:3",),
        as_path_prepend=2,
    )
    assert found[PeerName("r2")].communities == ("1:1", "2:2", "3:3", "9:9")


def test_what_only_some_services_get_stays_with_them() -> None:
    """An advertisement with service selectors adds to those that it selects, and to no other."""
    cluster = ads(
        advertisement("a", service_selectors=(label("app", "x"),), communities=("1:1",)),
        advertisement("b", communities=("2:2",)),
    )
    chosen = decision(cluster, service(labels={"app": "x"}))
    other = decision(cluster, service())
    assert chosen.advertisements[0].communities == ("1:1", "2:2")
    assert other.advertisements[0].communities == ("2:2",)


def test_disagreement_counts_for_common_peers_only() -> None:
    """Two preferences towards two peers are no conflict; unset is a preference as well."""
    both = (peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2"))
    x = (label("app", "x"),)

    def outcome(*peers_of_b: str, local_pref: int = 200) -> Decision:
        return decision(
            Cluster(
                peers=both,
                advertisements=(
                    advertisement("a", local_pref=100, peers=(PeerName("r1"),)),
                    advertisement(
                        "b",
                        local_pref=local_pref,
                        service_selectors=x,
                        peers=tuple(PeerName(one) for one in peers_of_b),
                    ),
                ),
            ),
            service(labels={"app": "x"}),
        )

    assert {one.local_pref for one in outcome("r2").advertisements} == {100, 200}
    assert reasons(outcome("r2", "r1")) == [Reason.CONFLICTING_ADVERTISEMENTS]
    assert reasons(outcome()) == [Reason.CONFLICTING_ADVERTISEMENTS]
    assert reasons(outcome(local_pref=0)) == [Reason.CONFLICTING_ADVERTISEMENTS]
    assert outcome(local_pref=100).withheld == ()


def test_readiness_of_the_node_plays_no_part() -> None:
    """Only the exclusion label and the network count; unknown labels and taints do not."""
    tired = node("n1", labels={"node.kubernetes.io/unschedulable": "true", "ready": "false"})
    assert decision(Cluster(nodes=(tired, *OTHERS))).withheld == ()


_TEXTS = st.sampled_from(
    ["198.51.100.1", "198.51.100.0", "100.64.0.1", "2001:db8:1::1", "2001:db8:2::1", "x", ""]
)
_SERVICES = st.builds(
    Service,
    namespace=st.just("default"),
    name=st.just("web"),
    load_balancer=st.sampled_from([True, True, True, False]),
    load_balancer_class=st.sampled_from([None, None, "foo"]),
    local=st.booleans(),
    ingress=st.lists(_TEXTS, max_size=3).map(tuple),
    labels=st.sampled_from([{}, {"app": "x"}]),
)
_SLICES = st.lists(
    st.builds(
        EndpointSlice,
        namespace=st.just("default"),
        name=st.sampled_from(["a", "b"]),
        service=st.just("default/web"),
        serving=st.lists(st.sampled_from(["", "n1", "n2"]), max_size=2).map(
            lambda one: tuple(sorted(one))
        ),
        not_serving=st.integers(0, 2),
    ),
    max_size=2,
).map(tuple)
_CLUSTERS = st.builds(
    Cluster,
    nodes=st.sampled_from([(node("n1"), *OTHERS), (EXCLUDED, *OTHERS), (CUT_OFF, *OTHERS)]),
    pools=st.sampled_from([(), (pool(),), (pool(avoid_buggy_ips=True),)]),
    advertisements=st.lists(
        st.builds(
            advertisement,
            st.sampled_from(["a", "b", "c"]),
            node_selectors=st.sampled_from([(), (label("name", "n1"),), (label("name", "n2"),)]),
            service_selectors=st.sampled_from([(), (label("app", "x"),)]),
            peers=st.sampled_from([(), (PeerName("r1"),), (PeerName("r9"),)]),
            local_pref=st.sampled_from([0, 0, 100]),
            communities=st.sampled_from([(), ("1:1",)]),
        ),
        max_size=3,
        unique_by=lambda one: one.name,
    ).map(tuple),
    peers=st.sampled_from(
        [(), (peer(),), (peer(families=(Family.IPV4,)), peer("r2", "192.0.2.2"))]
    ),
)


def _may_advertise(cluster: Cluster, asked: Service, endpoints: tuple[EndpointSlice, ...]) -> bool:
    """Say by other means whether n1 attracts traffic for *asked* at all."""
    me = next(one for one in cluster.nodes if one.name == "n1")
    nodes = {name for one in endpoints for name in one.serving}
    return (
        asked.load_balancer
        and asked.load_balancer_class is None
        and EXCLUDE_LABEL not in me.labels
        and not me.network_unavailable
        and ("n1" in nodes if asked.local else bool(nodes))
    )


@calm
@given(_CLUSTERS, _SERVICES, _SLICES)
def test_nothing_is_advertised_or_withheld_without_a_reason(
    cluster: Cluster, asked: Service, endpoints: tuple[EndpointSlice, ...]
) -> None:
    """Every address of a load balancer is either on its way to a peer or explained."""
    context = cluster.context()
    found = decide(asked, endpoints, context)
    if found.advertisements:
        assert _may_advertise(cluster, asked, endpoints)
    carriers = {one.name: one for one in context.peers}
    for one in found.advertisements:
        address = one.prefix.rpartition("/")[0]
        assert address in asked.ingress
        assert context.index.pool_of(ipaddress.ip_address(address)) is not None
        assert one.peer in carriers
        family = Family.IPV6 if ":" in one.prefix else Family.IPV4
        assert family in carriers[one.peer].families
    explained: set[str | None] = {one.prefix for one in found.advertisements}
    explained |= {one.prefix for one in found.withheld}
    for text in asked.ingress if asked.load_balancer else ():
        bits = 128 if ":" in text else 32
        assert (f"{text}/{bits}" in explained) or None in explained
    routes = {(one.peer, one.prefix) for one in found.advertisements}
    assert len(routes) == len(found.advertisements)
    assert not routes & {(one.peer, one.prefix) for one in found.withheld}
    assert all(one.message and one.service == asked.key for one in found.withheld)


@pytest.mark.parametrize(
    ("cluster", "local", "serving", "expected"),
    [
        pytest.param(Cluster(), False, ("n2",), None, id="every node carries it"),
        pytest.param(Cluster(), True, ("n1", "n1", "n2"), ("n1", "n2"), id="nodes with endpoints"),
        pytest.param(Cluster(), True, ("", "n1"), ("n1",), id="an endpoint without a node"),
        pytest.param(
            Cluster(nodes=(node("n1"), node("n2"), node("n3", network_unavailable=True))),
            False,
            ("n2",),
            ("n1", "n2"),
            id="but for one that attracts no traffic",
        ),
        pytest.param(
            Cluster(
                nodes=(node("n1", labels={"r": "1"}), node("n2"), node("n3", labels={"r": "1"})),
                advertisements=(advertisement(node_selectors=(label("r", "1"),)),),
            ),
            True,
            ("n1", "n2", "n3"),
            ("n1", "n3"),
            id="that an advertisement selects",
        ),
        pytest.param(
            Cluster(), True, tuple(f"n{number}" for number in range(1, 20)), None, id="very many"
        ),
    ],
)
def test_who_carries_a_prefix(
    cluster: Cluster, local: bool, serving: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    """The speaker has to know whether somebody else is there when this node leaves."""
    found = decide(service(local=local), slices(*serving), cluster.context())
    assert {one.carriers for one in found.advertisements} == {expected}


def test_carriers_of_many_services_are_one_value() -> None:
    """Ten thousand routes with the same carriers cost no more memory than one."""
    context = Cluster().context()
    one, two = (
        decide(service(name=name, local=True), slices("n1", "n2", name=name), context)
        for name in ("a", "b")
    )
    assert one.advertisements[0].carriers is two.advertisements[0].carriers
