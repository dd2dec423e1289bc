"""With the rights that the chart ships, an agent can do what it needs and nothing else."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bgpd.kube.nodestatus import FIELD_MANAGER, identity
from bgpd.kube.resource import resources
from tests.chart.installed import (
    ACCOUNT,
    EVENTS,
    NAMESPACE,
    STATUSES,
    agent,
    minimal,
    node,
    shipped,
    status_of,
    watch_once,
    write,
)
from tests.chart.rights import forbidden, rights
from tests.cluster.api import MERGE, Api, ApiError, Document
from tests.cluster.cluster import Cluster

ME = "rights-n1"
_READ = ["get", "list", "watch"]


@pytest.fixture(scope="module")
def me(prepared: Cluster) -> Iterator[Api]:
    """Return a client with the token of an agent on the Node *ME*."""
    node(prepared, ME)
    client = agent(prepared, ME)
    yield client
    client.close()


def event() -> Document:
    """Return an Event about a Node, as an agent tells it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{ME}.{uuid.uuid4().hex[:8]}", "namespace": "default"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "bgpd.io/agent",
        "reportingInstance": ME,
        "action": "TakeOver",
        "reason": "TakenOver",
        "type": "Normal",
        "note": "member n3 is silent",
        "regarding": {"kind": "Node", "name": ME, "apiVersion": "v1"},
    }


@pytest.mark.parametrize("resource", resources(NAMESPACE), ids=lambda one: one.word)
def test_an_agent_reads_all_that_it_decides_from(me: Api, resource: Any) -> None:
    """It lists and watches every collection that its source watches."""
    if resource.foreign:
        # MetalLB is not installed here: who may read its kinds hears that, who may not a 403.
        with pytest.raises(ApiError) as refused:
            me.request("GET", resource.path)
        assert refused.value.status == 404
        return
    assert me.request("GET", resource.path)["kind"].endswith("List")
    watch_once(me, resource.path)


def test_an_agent_reads_the_status_of_every_node(me: Api) -> None:
    """The members of the mesh are known from them."""
    assert me.request("GET", STATUSES)["kind"] == "BGPNodeStatusList"
    watch_once(me, STATUSES)


def test_an_agent_writes_the_status_of_its_own_node(me: Api, cluster: Cluster) -> None:
    """It makes the object, owned by the Node, writes its status, and does both again."""
    uid = node(cluster, ME)
    write(me, identity(ME, uid), f"{STATUSES}/{ME}")
    for generation in (7, 8):
        kept = write(me, minimal(ME, generation), f"{STATUSES}/{ME}/status")
        assert kept["status"]["takeoverGeneration"] == generation
    kept = write(me, identity(ME, uid), f"{STATUSES}/{ME}")
    assert kept["status"]["takeoverGeneration"] == 8
    owner = kept["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Node", uid)
    assert FIELD_MANAGER in {one["manager"] for one in kept["metadata"]["managedFields"]}


def test_an_agent_tells_events_and_counts_repeats_of_them(me: Api) -> None:
    """An Event is created once, and a series of the same is a patch of it."""
    made = me.request("POST", EVENTS, event())
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:09.000000Z"}}
    path = f"{EVENTS}/{made['metadata']['name']}"
    assert me.request("PATCH", path, series, content_type=MERGE)["series"]["count"] == 2


FORBIDDEN: list[tuple[str, str, Document | None]] = [
    ("GET", "/api/v1/secrets", None),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets", None),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/bgpd-mesh-key", None),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps", None),
    ("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", {"metadata": {"name": "x"}}),
    ("GET", "/api/v1/pods", None),
    ("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "x"}}),
    ("POST", "/api/v1/namespaces/default/pods/x/exec", {}),
    ("POST", "/api/v1/namespaces/default/pods/x/eviction", {"metadata": {"name": "x"}}),
    ("GET", "/api/v1/namespaces", None),
    ("PATCH", f"/api/v1/nodes/{ME}", {"metadata": {"labels": {"a": "b"}}}),
    ("PATCH", f"/api/v1/nodes/{ME}/status", {"status": {}}),
    ("DELETE", f"/api/v1/nodes/{ME}", None),
    ("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "x"}}),
    ("PATCH", "/api/v1/namespaces/default/services/kubernetes", {"spec": {}}),
    ("PATCH", "/api/v1/namespaces/default/services/kubernetes/status", {"status": {}}),
    ("DELETE", "/api/v1/namespaces/default/services/kubernetes", None),
    ("PATCH", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/x", {"endpoints": []}),
    ("DELETE", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/x", None),
    ("GET", "/apis/bgpd.io/v1alpha1/bgppeers", None),
    ("GET", "/apis/bgpd.io/v1alpha1/namespaces/default/bgppeers", None),
    ("POST", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/bgppeers", {"metadata": {}}),
    ("PATCH", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/bgppeers/x", {"spec": {}}),
    ("PATCH", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/bgppeers/x/status", {"status": {}}),
    ("DELETE", f"/apis/bgpd.io/v1alpha1/namespaces/{NAMESPACE}/ipaddresspools/x", None),
    ("POST", "/apis/bgpd.io/v1alpha1/namespaces/default/healthchecks", {"metadata": {}}),
    ("PATCH", "/apis/bgpd.io/v1alpha1/namespaces/default/healthchecks/x", {"spec": {}}),
    ("DELETE", "/apis/bgpd.io/v1alpha1/namespaces/default/healthchecks/x", None),
    ("DELETE", f"{STATUSES}/{ME}", None),
    ("DELETE", STATUSES, None),
    ("PUT", f"{STATUSES}/{ME}", status_of(ME)),
    ("PUT", f"{STATUSES}/{ME}/status", status_of(ME)),
    ("GET", EVENTS, None),
    ("DELETE", f"{EVENTS}/x", None),
    ("POST", "/api/v1/namespaces/default/events", {"metadata": {"name": "x"}}),
    ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", None),
    ("POST", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", {"metadata": {}}),
    ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", {"spec": {}}),
    ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", None),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", None),
    ("PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/bgpd-agent", {"rules": []}),
    ("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", None),
    ("DELETE",
     "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/bgpd-node-status", None),
    ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}),
    ("GET", "/metrics", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body"), FORBIDDEN, ids=[f"{one[0]} {one[1]}" for one in FORBIDDEN]
)
def test_everything_else_is_forbidden(
    me: Api, method: str, path: str, body: Document | None
) -> None:
    """Whoever steals the token of an agent can read what the agent reads, and little more."""
    forbidden(me, ACCOUNT, method, path, body)


@pytest.mark.parametrize(
    ("namespace", "configuration"), [(NAMESPACE, True), ("default", False)], ids=["own", "other"]
)
def test_the_rights_are_these(me: Api, namespace: str, *, configuration: bool) -> None:
    """The server's own list of what the token may do has not one line more."""
    metallb = ("bfdprofiles", "bgpadvertisements", "bgppeers", "communities", "ipaddresspools")
    config = (*metallb, "speakerpolicies")
    assert rights(me, namespace) == {
        ("", "nodes", ""): _READ,
        ("", "services", ""): _READ,
        ("discovery.k8s.io", "endpointslices", ""): _READ,
        ("bgpd.io", "bgpnodestatuses", ""): sorted([*_READ, "create", "patch"]),
        ("bgpd.io", "bgpnodestatuses/status", ""): ["patch"],
        ("bgpd.io", "healthchecks", ""): _READ,
        ("events.k8s.io", "events", ""): ["create", "patch"],
        **{("metallb.io", one, ""): _READ for one in metallb},
        **({("bgpd.io", one, ""): _READ for one in config} if configuration else {}),
    }


def test_no_rule_has_a_wildcard_or_a_secret() -> None:
    """Also not one that the server above would not have listed."""
    roles = [one for one in shipped("rbac") if one["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not {"secrets", "pods/exec"} & set(rule["resources"])
        assert not {"delete", "deletecollection", "escalate", "bind", "impersonate"} & set(
            rule["verbs"]
        )


def test_what_others_wrote_into_the_object_stays(me: Api, cluster: Cluster) -> None:
    """An administrator's label outlives the next write of the agent, which owns its own fields."""
    uid = node(cluster, ME)
    write(me, identity(ME, uid), f"{STATUSES}/{ME}")
    label = {**status_of(ME), "metadata": {"name": ME, "labels": {"ours": "yes"}}}
    cluster.apply([label])
    kept = write(me, identity(ME, uid), f"{STATUSES}/{ME}")
    assert kept["metadata"]["labels"] == {"ours": "yes"}
