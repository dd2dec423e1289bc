"""With the rights that the chart ships, a controller can do what it needs and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest

from bgpd.kube.resource import requested
from tests.bench.controllers import ACCOUNT, LEASE, pool, service
from tests.chart.installed import NAMESPACE, install, watch_once
from tests.chart.rights import forbidden, rights
from tests.cluster.api import MERGE, Api, ApiError, Document
from tests.cluster.cluster import Cluster

SERVICES = "/api/v1/namespaces/default/services"
POOLS = f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools"
LEASES = LEASE.rpartition("/")[0]
_READ = ["get", "list", "watch"]
_METALLB = ("bfdprofiles", "ipaddresspools", "l2advertisements")
_OURS = (*_METALLB, "bgpadvertisements", "bgppeers", "communities", "speakerpolicies")


@pytest.fixture(scope="module")
def me(cluster: Cluster) -> Iterator[Api]:
    """Return a client with the token of a controller."""
    install(cluster)
    client = cluster.client(cluster.token(NAMESPACE, ACCOUNT))
    yield client
    client.close()


@pytest.mark.parametrize("resource", requested(NAMESPACE), ids=lambda one: one.word)
def test_a_controller_reads_all_that_it_decides_from(me: Api, resource: Any) -> None:
    """It lists and watches every collection that its source watches, if that kind is installed."""
    try:
        assert me.request("GET", resource.path)["kind"].endswith("List")
        watch_once(me, resource.path)
    except ApiError as refused:
        # MetalLB's kinds exist where MetalLB was installed.
        if refused.status != 404:
            raise


def test_a_controller_writes_status_and_nothing_else(me: Api, cluster: Cluster) -> None:
    """Of a Service and of a pool; a spec that comes along is passed over."""
    cluster.api.request("POST", SERVICES, service("rights"))
    cluster.apply([pool("rights", "203.0.113.240/32", autoAssign=False)])
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.240"}]}}
    said = {"metadata": {"annotations": {"a": "b"}}, "status": status, "spec": {"ports": []}}
    try:
        path = f"{SERVICES}/rights/status"
        kept = me.request("PATCH", path, said, content_type=MERGE)
        assert kept["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.240"
        assert kept["metadata"]["annotations"]["a"] == "b"
        assert kept["spec"]["ports"][0]["port"] == 80
        numbers = {"status": {"assignedIPv4": 1, "availableIPv6": 2**63 - 1024}}
        path = f"{POOLS}/rights/status"
        found = me.request("PATCH", path, numbers, content_type=MERGE)["status"]
        assert found == numbers["status"]
    finally:
        cluster.api.request("DELETE", f"{SERVICES}/rights")
        cluster.api.request("DELETE", f"{POOLS}/rights")


FORBIDDEN: list[tuple[str, str, Document | None]] = [
    ("GET", "/api/v1/secrets", None),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets", None),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps", None),
    ("GET", "/api/v1/pods", None),
    ("GET", "/api/v1/nodes", None),
    ("PATCH", f"{SERVICES}/kubernetes", {"spec": {}}),
    ("PUT", f"{SERVICES}/kubernetes/status", {"status": {}}),
    ("DELETE", f"{SERVICES}/kubernetes", None),
    ("PATCH", f"{POOLS}/x", {"spec": {}}),
    ("DELETE", f"{POOLS}/x", None),
    ("GET", "/apis/bgpd.io/v1alpha1/bgpnodestatuses", None),
    ("GET", "/apis/bgpd.io/v1alpha1/namespaces/default/bgppeers", None),
    ("PATCH", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/bgppeers/x", {"spec": {}}),
    ("GET", LEASES, None),
    ("GET", f"{LEASES}/other", None),
    ("PUT", f"{LEASES}/other", {"metadata": {"name": "other"}}),
    ("DELETE", LEASE, None),
    ("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", {"metadata": {}}),
    ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", {"spec": {}}),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), FORBIDDEN, ids=[f"{one[0]} {one[1]}" for one in FORBIDDEN]
)
def test_everything_else_is_forbidden(
    me: Api, method: str, path: str, body: Document | None
) -> None:
    """Whoever steals the token of a controller can move addresses, and little more."""
    forbidden(me, ACCOUNT, method, path, body)


@pytest.mark.parametrize(
    ("namespace", "own"), [(NAMESPACE, True), ("default", False)], ids=["own", "other"]
)
def test_the_rights_are_these(me: Api, namespace: str, *, own: bool) -> None:
    """The server's own list of what the token may do has not one line more."""
    inside = {
        **{("bgpd.io", one, ""): _READ for one in _OURS},
        **{("bgpd.io", f"{one}/status", ""): ["patch"] for one in _OURS},
        ("coordination.k8s.io", "leases", ""): ["create"],
        ("coordination.k8s.io", "leases", "bgpd-controller"): ["get", "update"],
    }
    assert rights(me, namespace) == {
        ("", "namespaces", ""): _READ,
        ("", "services", ""): _READ,
        ("", "services/status", ""): ["patch"],
        **{("metallb.io", one, ""): _READ for one in _METALLB},
        ("events.k8s.io", "events", ""): ["create", "patch"],
        **(inside if own else {}),
    }
