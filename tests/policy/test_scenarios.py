"""Documents change, routes follow: from text to routes and back, one step at a time."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.kube.documents import read
from bgpd.kube.store import Store
from bgpd.model.cluster import EXCLUDE_LABEL
from bgpd.model.member import NodeName
from bgpd.policy.service import Context, Merged, decide

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Document = dict[str, Any]


class Cluster:
    """Files and what node n1 makes of them, each change decided on the way the agent does it."""

    def __init__(self) -> None:
        self.store = Store()
        self.merged = Merged()
        self.context: Context | None = None
        self.write("nodes.yaml", node("n1"), node("n2"))
        self.write("pool.yaml", ours("IPAddressPool", "p", addresses=["198.51.100.0/24"]))
        self.write("ads.yaml", ours("BGPAdvertisement", "a"))
        self.write("peers.yaml", peer("r1", "192.0.2.1"))

    def write(self, file: str, *documents: Document) -> None:
        """Write one file and decide on what it changes."""
        content = "".join(f"---\n{json.dumps(one)}\n" for one in documents).encode()
        changes = self.store.apply(file, read(file, content) if documents else read(file, b""))
        self._decide(changes.services, everything=changes.configuration)

    def remove(self, file: str) -> None:
        """Remove one file and decide on what that changes."""
        changes = self.store.remove(file)
        self._decide(changes.services, everything=changes.configuration)

    def routes(self) -> set[str]:
        """Return the routes as `peer prefix`."""
        return {f"{peer} {prefix}" for peer, prefix in self.merged.advertisements}

    def reasons(self) -> set[str]:
        """Return why something is not advertised."""
        return {one.reason.value for one in self.merged.withheld}

    def fresh(self) -> Mapping[object, object]:
        """Return the routes of somebody who sees the objects for the first time."""
        merged = Merged()
        context = self.build(None)
        for service in self.store.objects.services:
            slices = self.store.objects.slices(service.key)
            merged.replace(service.key, decide(service, slices, context))
        return dict(merged.advertisements)

    def build(self, previous: Context | None) -> Context:
        """Return the context of n1."""
        objects = self.store.objects
        return Context.build(
            node=objects.node("n1"),
            node_name=NodeName("n1"),
            pools=objects.pools,
            advertisements=objects.advertisements,
            peers=objects.peers,
            policies=objects.policies,
            nodes=objects.nodes,
            previous=previous,
        )

    def _decide(self, services: frozenset[str], *, everything: bool) -> None:
        objects = self.store.objects
        if everything:
            self.context = self.build(self.context)
            services |= {one.key for one in objects.services}
        for key in services:
            service = objects.service(key)
            decision = None
            if service is not None and self.context is not None:
                decision = decide(service, objects.slices(key), self.context)
            self.merged.replace(key, decision)


def ours(kind: str, name: str, **spec: object) -> Document:
    """Return a document of one of our kinds."""
    return {
        "apiVersion": "bgpd.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def node(name: str, **labels: str) -> Document:
    """Return a Node."""
    address = {"type": "InternalIP", "address": f"10.0.0.{name[1:]}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"addresses": [address]},
    }


def peer(name: str, address: str, **spec: object) -> Document:
    """Return a BGPPeer."""
    return ours("BGPPeer", name, myASN=64512, peerASN=64513, peerAddress=address, **spec)


def service(name: str, last: int, kind: str = "LoadBalancer", **labels: str) -> Document:
    """Return a Service with the address 198.51.100.*last*."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"type": kind, "externalTrafficPolicy": "Local"},
        "status": {"loadBalancer": {"ingress": [{"ip": f"198.51.100.{last}"}]}},
    }


def endpoints(name: str, *nodes: str) -> Document:
    """Return the EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": one} for one in nodes],
    }


ONE, TWO = "r1 198.51.100.1/32", "r1 198.51.100.2/32"


def web() -> Cluster:
    """Return a cluster in which the Service web is advertised."""
    cluster = Cluster()
    cluster.write("web.yaml", service("web", 1), endpoints("web", "n1"))
    assert cluster.routes() == {ONE}
    return cluster


def test_endpoints_come_and_go() -> None:
    """The route follows the local endpoint."""
    cluster = web()
    cluster.write("web.yaml", service("web", 1), endpoints("web", "n2"))
    assert (cluster.routes(), cluster.reasons()) == (set(), {"NoLocalEndpoints"})
    cluster.write("web.yaml", service("web", 1), endpoints("web", "n1", "n2"))
    assert (cluster.routes(), cluster.reasons()) == ({ONE}, set())


def test_a_slice_may_come_before_its_service() -> None:
    """Order of arrival plays no part."""
    cluster = Cluster()
    cluster.write("slice.yaml", endpoints("web", "n1"))
    assert cluster.routes() == set()
    cluster.write("service.yaml", service("web", 1))
    assert cluster.routes() == {ONE}


def test_a_service_that_goes_or_changes_its_type_or_address_takes_its_route_along() -> None:
    """No route outlives what it stands for."""
    cluster = web()
    cluster.write("web.yaml", service("web", 2), endpoints("web", "n1"))
    assert cluster.routes() == {TWO}
    cluster.write("web.yaml", service("web", 2, "ClusterIP"), endpoints("web", "n1"))
    assert (cluster.routes(), cluster.reasons()) == (set(), {"NotLoadBalancer"})
    cluster.write("web.yaml", service("web", 2), endpoints("web", "n1"))
    cluster.remove("web.yaml")
    assert (cluster.routes(), cluster.reasons()) == (set(), set())


def test_two_services_on_one_address_are_one_route_until_both_are_gone() -> None:
    """Also when one of them moves to another address first."""
    cluster = web()
    cluster.write("api.yaml", service("api", 2), endpoints("api", "n1"))
    assert cluster.routes() == {ONE, TWO}
    cluster.write("api.yaml", service("api", 1), endpoints("api", "n1"))
    assert cluster.routes() == {ONE}
    cluster.remove("web.yaml")
    assert cluster.routes() == {ONE}
    cluster.remove("api.yaml")
    assert cluster.routes() == set()


def test_labels_of_the_node_move_peers_and_routes() -> None:
    """A peer that selects a rack is spoken with while the node is in that rack."""
    cluster = web()
    rack = [{"matchLabels": {"rack": "1"}}]
    cluster.write(
        "peers.yaml", peer("r1", "192.0.2.1"), peer("r2", "192.0.2.2", nodeSelectors=rack)
    )
    assert cluster.routes() == {ONE}
    cluster.write("nodes.yaml", node("n1", rack="1"), node("n2"))
    assert cluster.routes() == {ONE, ONE.replace("r1", "r2")}
    cluster.write("nodes.yaml", node("n1", rack="2"), node("n2"))
    assert cluster.routes() == {ONE}
    wider = [{"matchExpressions": [{"key": "rack", "operator": "In", "values": ["1", "2"]}]}]
    cluster.write("peers.yaml", peer("r2", "192.0.2.2", nodeSelectors=wider))
    assert cluster.routes() == {ONE.replace("r1", "r2")}


def test_the_exclusion_label_takes_all_routes_and_gives_them_back() -> None:
    """Whatever its value."""
    cluster = web()
    cluster.write("nodes.yaml", node("n1", **{EXCLUDE_LABEL: "false"}), node("n2"))
    assert (cluster.routes(), cluster.reasons()) == (set(), {"NodeExcluded"})
    cluster.write("nodes.yaml", node("n1"), node("n2"))
    assert cluster.routes() == {ONE}


def test_labels_of_a_service_choose_its_advertisements() -> None:
    """Labeling and unlabeling a Service is enough."""
    cluster = web()
    chosen = [{"matchLabels": {"app": "x"}}]
    cluster.write("ads.yaml", ours("BGPAdvertisement", "a", serviceSelectors=chosen))
    assert (cluster.routes(), cluster.reasons()) == (set(), {"NoMatchingAdvertisement"})
    cluster.write("web.yaml", service("web", 1, app="x"), endpoints("web", "n1"))
    assert cluster.routes() == {ONE}


def test_an_edited_advertisement_changes_the_routes_that_it_made() -> None:
    """Attributes follow the document."""
    cluster = web()
    cluster.write("ads.yaml", ours("BGPAdvertisement", "a", localPref=150, communities=["3:3"]))
    (route,) = cluster.merged.advertisements.values()
    assert (route.local_pref, route.communities) == (150, ("3:3",))


def test_an_empty_file_and_a_bad_document_change_no_route() -> None:
    """Neither a truncated pool, nor a broken advertisement, nor a bad peer takes anything down."""
    cluster = web()
    for file in ("pool.yaml", "ads.yaml", "peers.yaml", "nodes.yaml", "web.yaml"):
        cluster.write(file)
    cluster.write("pool.yaml", ours("IPAddressPool", "p", addresses=["198.51.100.0/33"]))
    cluster.write("ads.yaml", ours("BGPAdvertisement", "a", communities=["1:2:3"]))
    cluster.write("peers.yaml", peer("r1", "192.0.2.400"))
    assert cluster.routes() == {ONE}
    assert len(cluster.store.conditions) == 5


_WEB = st.sampled_from(["n1", "n2", "both", "none", "gone", "ClusterIP"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["web", "api"]), _WEB, st.sampled_from([1, 2, 200])),
        st.tuples(st.just("label"), st.sampled_from(["", EXCLUDE_LABEL]), st.just(0)),
        st.tuples(st.just("pool"), st.sampled_from(["/24", "/25", "/33"]), st.just(0)),
    ),
    max_size=10,
)


def _step(cluster: Cluster, what: str, how: str, last: int) -> None:
    match what:
        case "label":
            cluster.write("nodes.yaml", node("n1", **({how: ""} if how else {})), node("n2"))
        case "pool":
            pool = ours("IPAddressPool", "p", addresses=[f"198.51.100.0{how}"])
            cluster.write("pool.yaml", pool)
        case name if how == "gone":
            cluster.remove(f"{name}.yaml")
        case name:
            nodes = {"both": ("n1", "n2"), "none": ()}.get(how, (how,))
            kind = "ClusterIP" if how == "ClusterIP" else "LoadBalancer"
            cluster.write(f"{name}.yaml", service(name, last, kind), endpoints(name, *nodes))


@calm
@given(_STEPS)
def test_deciding_on_what_changed_is_deciding_on_everything(
    steps: list[tuple[str, str, int]],
) -> None:
    """However the cluster came to be what it is, its routes depend only on what it is."""
    cluster = Cluster()
    for what, how, last in steps:
        _step(cluster, what, how, last)
        assert dict(cluster.merged.advertisements) == cluster.fresh()
