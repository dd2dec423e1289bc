"""The planner: objects in force become what the speaker is told, whole once and then by deltas."""

import json

import pytest

from bgpd.agent.planner import Planner
from bgpd.ipc.message import Delta, Desired
from bgpd.kube.documents import Key, read
from bgpd.kube.store import Changes, Store
from bgpd.model.cluster import NodeReport
from bgpd.model.member import Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.reason import Reason

Document = dict[str, object]


def node(name: str, address: str) -> Document:
    """Return a Node with one address."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def ours(kind: str, name: str, **spec: object) -> Document:
    """Return a document of one of our kinds."""
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "bgpd-system"},
        "spec": spec,
    }


def service(name: str, address: str) -> Document:
    """Return a Service with an elastic IP, served by local endpoints only."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
    }


def endpoints(name: str, *nodes: str) -> Document:
    """Return the EndpointSlice of Service *name* with a ready endpoint on each of *nodes*."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.1.0.1"], "conditions": {"ready": True}, "nodeName": one}
            for one in nodes
        ],
    }


CONFIGURATION = [
    node("n1", "10.0.0.1"),
    node("n2", "10.0.1.1"),
    ours("IPAddressPool", "pool", addresses=["203.0.113.0/24"]),
    ours("BGPAdvertisement", "all"),
    ours("BGPPeer", "tor", myASN=65000, peerASN=65530, peerAddress="10.0.0.0"),
]


class Cluster:
    """A store and a planner, fed with files of documents."""

    def __init__(self) -> None:
        self.store = Store()
        self.planner = Planner(node=NodeName("n1"), cluster_uid="c")

    def write(self, file: str, *documents: Document) -> Desired | Delta | None:
        """Write *file* and return what the speaker is told."""
        content = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        changes = self.store.apply(file, read(file, json.dumps(content).encode()))
        if changes.configuration:
            return self.planner.configure(changes, self.store.objects, {})
        return self.planner.update(changes, self.store.objects)


@pytest.fixture(name="cluster")
def running_cluster() -> Cluster:
    """Return a cluster with configuration and one served Service."""
    cluster = Cluster()
    cluster.write("config.json", *CONFIGURATION)
    cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1"))
    return cluster


def test_the_first_configuration_is_told_whole() -> None:
    """The speaker hears members, peers, pools and routes in one message."""
    told = Cluster().write("config.json", *CONFIGURATION)
    assert isinstance(told, Desired)
    assert [member.name for member in told.members] == ["n1", "n2"]
    assert [peer.address for peer in told.peers] == ["10.0.0.0"]
    assert told.pools == ("203.0.113.0/24",)
    assert told.mesh_address == "10.0.0.1"


def test_nothing_is_told_before_the_configuration_is_known() -> None:
    """A Service without a configuration around it is not an empty desired state."""
    cluster = Cluster()
    assert cluster.write("web.json", service("web", "203.0.113.1")) is None
    assert cluster.planner.desired() is None


def test_a_lost_endpoint_is_a_withdrawal(cluster: Cluster) -> None:
    """One changed slice is one delta with one withdrawal."""
    told = cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n2"))
    assert isinstance(told, Delta)
    assert told.withdraw == (("tor", "203.0.113.1/32"),)
    assert told.advertise == ()
    assert [item.reason for item in cluster.planner.withheld] == [Reason.NO_LOCAL_ENDPOINTS]


def test_deltas_follow_one_another(cluster: Cluster) -> None:
    """Each message names the one it follows, so that a gap is noticed."""
    whole = cluster.planner.desired()
    gone = cluster.write("web.json", service("web", "203.0.113.1"))
    back = cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1"))
    assert whole is not None
    assert gone is not None
    assert back is not None
    assert [gone.sequence, back.sequence] == [whole.sequence + 1, whole.sequence + 2]


def test_an_unchanged_document_tells_nothing(cluster: Cluster) -> None:
    """Level-driven: the same facts written again are no news."""
    told = cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1"))
    assert told is None


def test_a_service_that_goes_together_with_a_peer_change_is_withdrawn(cluster: Cluster) -> None:
    """A batch may change configuration and Services at once; neither hides the other."""
    changes = cluster.store.remove("web.json")
    cluster.planner.configure(changes, cluster.store.objects, {})
    desired = cluster.planner.desired()
    assert desired is not None
    assert desired.advertisements == ()


def test_a_node_that_lost_its_address_keeps_the_last_configuration(cluster: Cluster) -> None:
    """A configuration that cannot work is a condition; the last good one stays in force."""
    broken = [{**node("n1", "10.0.0.1"), "status": {}}, *CONFIGURATION[1:]]
    assert cluster.write("config.json", *broken) is None
    assert [item.reason for item in cluster.planner.conditions] == ["NodeRefused"]
    desired = cluster.planner.desired()
    assert desired is not None
    assert [item.prefix for item in desired.advertisements] == ["203.0.113.1/32"]


def test_a_second_peer_is_told_whole_with_its_routes(cluster: Cluster) -> None:
    """New peers come with everything that they should be offered."""
    second = ours("BGPPeer", "tor2", myASN=65000, peerASN=65530, peerAddress="10.0.0.9")
    told = cluster.write("peer.json", second)
    assert isinstance(told, Desired)
    assert {item.peer for item in told.advertisements} == {"tor", "tor2"}


def test_a_node_that_joins_is_a_new_member_and_costs_no_decision(cluster: Cluster) -> None:
    """A thousand nodes may join, each with ten thousand Services to decide on for nothing."""
    view, planner = cluster.store._view, cluster.planner
    before = dict(planner._merged.advertisements)
    assert before
    third = Key("BGPNodeStatus", "", "n3")
    for number in (2, 3):
        name = NodeName(f"n{number}")
        key = Key("BGPNodeStatus", "", name)
        member = Member(name=name, address=Address(f"10.9.0.{number}"))
        view.put(key, NodeReport(name=name, member=member))
        told = planner.configure(Changes(added=frozenset({key})), view, {})
        assert isinstance(told, Desired)
        assert [(one.name, one.address) for one in told.members][-1] == (name, member.address)
    after = planner._merged.advertisements
    assert all(after[key] is one for key, one in before.items())
    view.drop(third)
    told = planner.configure(Changes(removed=frozenset({third})), view, {})
    assert isinstance(told, Desired)
    assert [one.name for one in told.members] == ["n1", "n2"]
    assert len(told.advertisements) == len(before)


def test_a_node_that_joins_with_other_changes_is_decided_with_them(cluster: Cluster) -> None:
    """What came in the same moment is not lost."""
    view, planner = cluster.store._view, cluster.planner
    key = Key("BGPNodeStatus", "", "n2")
    view.put(key, NodeReport(name=NodeName("n2")))
    slice_ = Key("EndpointSlice", "default", "web-1")
    view.drop(slice_)
    changes = Changes(
        added=frozenset({key}), removed=frozenset({slice_}), services=frozenset({"default/web"})
    )
    told = planner.configure(changes, view, {})
    assert isinstance(told, Delta)
    assert len(told.withdraw) == 1


def test_a_node_that_joins_takes_its_place_in_an_order_of_nodes(cluster: Cluster) -> None:
    """Where nodes stand behind each other, another one may come before us."""
    preferring = {"weight": 100, "preference": {"matchLabels": {"kubernetes.io/hostname": "n2"}}}
    labeled = node("n2", "10.0.1.1")
    labeled["metadata"] = {"name": "n2", "labels": {"kubernetes.io/hostname": "n2"}}
    ordered = ours(
        "BGPAdvertisement", "all", distribution="activeStandby", preferredNodes=[preferring]
    )
    kept = [CONFIGURATION[0], CONFIGURATION[2], CONFIGURATION[4]]
    cluster.write("web.json", service("web", "203.0.113.1"), endpoints("web", "n1", "n2"))
    cluster.write("config.json", *kept, labeled, ordered)
    view, planner = cluster.store._view, cluster.planner

    def rank_with(name: str) -> int:
        member = Member(name=NodeName(name), address=Address(f"10.9.0.{name[1:]}"))
        key = Key("BGPNodeStatus", "", name)
        view.put(key, NodeReport(name=member.name, member=member))
        planner.configure(Changes(added=frozenset({key})), view, {})
        (route,) = planner._merged.advertisements.values()
        return route.rank

    assert [rank_with(name) for name in ("n1", "n2")] == [0, 1]
