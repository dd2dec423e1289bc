"""What an agent says of pools, peers and health checks when it is asked for them by name."""

from bgpd.agent.inventory import inventory_of
from bgpd.model.health import ProbeTarget
from bgpd.model.inventory import CheckDocument, Inventory
from tests.agent.test_planner import CONFIGURATION, Cluster, Document, ours, service


def inventory(*more: Document) -> Inventory:
    """Return the inventory of the node n1 with the usual configuration and *more*."""
    cluster = Cluster()
    cluster.write("a", *CONFIGURATION, *more)
    return inventory_of(cluster.store.objects, cluster.planner.context)


def dual(name: str, *addresses: str) -> Document:
    """Return a Service with several addresses."""
    found = service(name, "")
    found["status"] = {"loadBalancer": {"ingress": [{"ip": one} for one in addresses]}}
    return found


def test_the_use_of_a_pool_counts_each_address_once() -> None:
    """Two Services that share an address use one, of each family; who is outside uses none."""
    pools = inventory(
        ours("IPAddressPool", "six", addresses=["2001:db8::/126"], autoAssign=False),
        dual("web", "203.0.113.1", "2001:db8::1"),
        dual("shared", "203.0.113.1"),
        dual("elsewhere", "198.51.100.1"),
    ).pools
    assert [(one.name, one.used_ipv4, one.used_ipv6, one.services) for one in pools] == [
        ("pool", 1, 0, 2),
        ("six", 0, 1, 1),
    ]
    assert [(one.total_ipv4, one.total_ipv6) for one in pools] == [(256, 0), (0, 4)]
    assert [one.auto_assign for one in pools] == [True, False]


def test_what_a_pool_does_not_give_is_not_counted() -> None:
    """Reserved addresses and, where they are avoided, those that end in .0 and .255."""
    found = inventory(
        ours(
            "IPAddressPool",
            "wary",
            addresses=["198.51.100.0/24"],
            avoidBuggyIPs=True,
            reserved=["198.51.100.8/31"],
        )
    )
    assert found.pools[1].total_ipv4 == 256 - 2 - 2


def test_a_pool_that_overlaps_another_is_shown_as_refused() -> None:
    """The one that held before still does; the newcomer is there, and does not hold."""
    cluster = Cluster()
    cluster.write("a", *CONFIGURATION)
    cluster.write("b", ours("IPAddressPool", "late", addresses=["203.0.113.128/25"]))
    pools = inventory_of(cluster.store.objects, cluster.planner.context).pools
    assert {one.name: one.in_force for one in pools} == {"late": False, "pool": True}


def test_a_peer_of_other_nodes_is_not_selected() -> None:
    """It is listed all the same, so that a person sees why there is no session."""
    elsewhere = ours(
        "BGPPeer",
        "rack-2",
        myASN=65000,
        peerASN=65531,
        peerAddress="10.9.0.1",
        nodeSelectors=[{"matchLabels": {"rack": "2"}}],
        passwordSecret={"name": "none"},
    )
    peers = {one.name: one for one in inventory(elsewhere).peers}
    assert [(one.selected, one.in_force) for _, one in sorted(peers.items())] == [
        (False, False),
        (True, True),
    ]
    rack = next(one for one in peers.values() if one.name == "rack-2")
    assert (rack.signed, rack.peer_asn, rack.address) == (True, 65531, "10.9.0.1")


def test_a_health_check_says_how_it_asks() -> None:
    """The kind of its probe, what it is aimed at, and its rhythm."""
    check = ours(
        "HealthCheck",
        "alive",
        tcpSocket={"port": 53},
        periodMilliseconds=100,
        timeoutMilliseconds=50,
        failureThreshold=2,
    )
    assert inventory(check).checks == (
        CheckDocument(
            name="bgpd-system/alive",
            probe="tcpSocket",
            target=ProbeTarget.ENDPOINT,
            period_milliseconds=100,
            timeout_milliseconds=50,
            failure_threshold=2,
            success_threshold=1,
        ),
    )


def test_nothing_configured_is_an_empty_inventory() -> None:
    """And before the configuration was understood nothing is claimed to hold."""
    cluster = Cluster()
    assert inventory_of(cluster.store.objects, None) == Inventory()
