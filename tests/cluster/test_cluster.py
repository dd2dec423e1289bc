"""The real API server does what the tests of others will build on."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Api, ApiError, Cluster, etcd
from tests.cluster.api import Document
from tests.cluster.error import ClusterError
from tests.cluster.tokens import claims
from tests.lacking import need_root


def _document(kind: str, name: str, **rest: Any) -> Document:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **rest}


def _config(name: str, **data: str) -> Document:
    return _document("ConfigMap", name, data=data)


def _who(client: Api) -> Document:
    group = "authentication.k8s.io/v1"
    review = {"apiVersion": group, "kind": "SelfSubjectReview"}
    answer = client.request("POST", f"/apis/{group}/selfsubjectreviews", review)
    user: Document = answer["status"]["userInfo"]
    return user


def _eventually(fact: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not fact() and time.monotonic() < end:
        time.sleep(0.05)
    return fact()


def test_what_was_written_survives_kill_and_restart(own_cluster: Cluster) -> None:
    """The API server is the same one after `kill -9`: same address, same objects."""
    url = own_cluster.url
    own_cluster.apply([_config("kept", color="blue")])
    own_cluster.kill_api()
    with pytest.raises(OSError, match=r"refused|reset"):
        own_cluster.api.request("GET", "/readyz")
    own_cluster.restart_api()
    assert own_cluster.url == url
    kept = own_cluster.api.request("GET", "/api/v1/namespaces/default/configmaps/kept")
    assert kept["data"] == {"color": "blue"}


def test_an_old_resource_version_is_gone_after_compaction(own_cluster: Cluster) -> None:
    """A watch that resumes across a restart with compaction hears 410 and has to start anew."""
    path = "/api/v1/namespaces/default/configmaps"
    old = own_cluster.apply([_config("moving", step="0")])[0]["metadata"]["resourceVersion"]
    for step in range(1, 4):
        own_cluster.apply([_config("moving", step=str(step))])
    first = next(own_cluster.api.watch(path, resourceVersion=old))
    assert first["object"]["data"] == {"step": "1"}
    own_cluster.kill_api()
    assert own_cluster.compact() > int(old)
    own_cluster.restart_api()
    event = next(own_cluster.api.watch(path, resourceVersion=old))
    assert event["type"] == "ERROR"
    assert event["object"]["code"] == 410


def test_the_server_outlives_the_thread_that_restarted_it(own_cluster: Cluster) -> None:
    """The kernel kills with a thread, and an event loop ends its threads: ours is another one."""
    own_cluster.kill_api()
    asyncio.run(asyncio.to_thread(own_cluster.restart_api))
    assert own_cluster.api.request("GET", "/readyz") == "ok"
    assert set(own_cluster.pids) == {"etcd", "kube-apiserver"}


def test_a_token_bound_to_a_node_names_it(cluster: Cluster, namespace: str) -> None:
    """Admission policies read the node's name from the user; so does `claims` from the token."""
    node = f"{namespace}-node"
    cluster.apply([_document("Node", node), _document("ServiceAccount", "agent")], namespace)
    token = cluster.token(namespace, "agent", node=node)
    assert claims(token)["kubernetes.io"]["node"]["name"] == node
    client = cluster.client(token)
    user = _who(client)
    client.close()
    assert user["username"] == f"system:serviceaccount:{namespace}:agent"
    assert user["extra"]["authentication.kubernetes.io/node-name"] == [node]


def test_a_token_may_do_what_its_role_allows_and_no_more(cluster: Cluster, namespace: str) -> None:
    """Authorization is production's: a ServiceAccount without a role sees nothing."""
    cluster.apply([_document("ServiceAccount", "agent")], namespace)
    client = cluster.client(cluster.token(namespace, "agent"))
    with pytest.raises(ApiError, match="cannot list resource") as refused:
        client.request("GET", "/api/v1/secrets")
    client.close()
    assert refused.value.status == 403


def test_an_expired_token_is_refused(cluster: Cluster, namespace: str) -> None:
    """A token may be asked for that is over already, which no API grants."""
    cluster.apply([_document("ServiceAccount", "agent")], namespace)
    fresh = cluster.client(cluster.token(namespace, "agent", seconds=60))
    over = cluster.client(cluster.token(namespace, "agent", seconds=-120))
    assert _who(fresh)["username"].endswith(":agent")
    with pytest.raises(ApiError) as refused:
        _who(over)
    fresh.close()
    over.close()
    assert refused.value.status == 401


def test_apply_writes_the_status_of_a_document_too(cluster: Cluster, namespace: str) -> None:
    """A Service document with an address in its status is one `apply`, as in a directory."""
    ports = [{"port": 80}]
    made = cluster.apply(
        [
            _document(
                "Service",
                "web",
                spec={"type": "LoadBalancer", "ports": ports},
                status={"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
            )
        ],
        namespace,
    )
    assert made[0]["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
    cluster.api.delete(_document("Service", "web"), namespace)
    with pytest.raises(ApiError) as gone:
        cluster.api.request("GET", f"/api/v1/namespaces/{namespace}/services/web")
    assert gone.value.status == 404


def test_apply_waits_for_a_kind_that_was_defined_a_moment_ago(cluster: Cluster) -> None:
    """A definition and an object of it may stand in one list of documents."""
    schema = {"type": "object", "properties": {"spec": {"type": "object"}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boxes.example.bgpd.io"},
        "spec": {
            "group": "example.bgpd.io",
            "scope": "Cluster",
            "names": {"kind": "Box", "plural": "boxes"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    box = {"apiVersion": "example.bgpd.io/v1", "kind": "Box", "metadata": {"name": "one"}}
    made = cluster.apply([definition, box])[1]
    cluster.api.delete(definition)
    assert made["metadata"]["uid"]


def test_controllers_make_endpoint_slices_of_pods(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """With the controller manager a Pod that is said to be ready becomes an endpoint."""
    pod = _document(
        "Pod",
        "web",
        spec={"nodeName": "n1", "containers": [{"name": "web", "image": "web"}]},
        status={"podIP": "10.1.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    )
    pod["metadata"]["labels"] = {"app": "web"}
    pod["status"]["podIPs"] = [{"ip": "10.1.0.1"}]
    service = _document("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 1}]})
    with Cluster(tmp_path / "cluster", controllers=True) as cluster:
        cluster.apply([_document("Node", "n1"), service, pod])
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

        def ready() -> bool:
            found = cluster.api.request("GET", slices)["items"]
            endpoints = [e for each in found for e in each["endpoints"] or ()]  # null at first
            return [e["conditions"]["ready"] for e in endpoints] == [True]

        assert _eventually(ready)


@pytest.fixture
def other_network() -> Iterator[Path]:
    """Return a network namespace of our own, with its loopback up."""
    need_root(unproven="a server in another network namespace can be asked from ours")
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"up\n"
        yield Path(f"/proc/{holder.pid}/ns/net")
        holder.kill()
        holder.wait()


def test_a_cluster_may_live_in_another_network_namespace(
    cluster_programs: Mapping[str, Path],  # noqa: ARG001
    other_network: Path,
    tmp_path: Path,
) -> None:
    """Its server listens there, by IPv6 if asked to; we reach it and stay where we were."""
    before = Path("/proc/self/ns/net").readlink()
    with Cluster(tmp_path / "cluster", bind="::1", port=6443, netns=other_network) as cluster:
        assert cluster.url == "https://[::1]:6443"
        server = Path(f"/proc/{cluster.pids['kube-apiserver']}/ns/net").readlink()
        assert server == other_network.readlink() != before
        assert cluster.api.request("GET", "/readyz") == "ok"
    assert Path("/proc/self/ns/net").readlink() == before


def test_what_is_stored_in_etcd_is_what_another_server_would_have_written(
    cluster: Cluster, namespace: str
) -> None:
    """Bytes that were stored once and are stored again are the object as it was."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stored", "namespace": namespace},
        "data": {"state": "first"},
    }
    cluster.apply([document])
    key = f"/registry/configmaps/{namespace}/stored"
    first = etcd.read(cluster.directory, key)
    cluster.apply([{**document, "data": {"state": "second"}}])
    etcd.write(cluster.directory, key, first)
    path = cluster.api.path(document)
    assert cluster.api.request("GET", path)["data"] == {"state": "first"}
    with pytest.raises(ClusterError, match="there is no /registry/nothing"):
        etcd.read(cluster.directory, "/registry/nothing")
