"""The token of an agent writes the status of its own node and of no other."""

from collections.abc import Iterator

import pytest

from tests.chart.installed import (
    ACCOUNT,
    NAMESPACE,
    STATUSES,
    agent,
    install,
    minimal,
    node,
    shipped,
    status_of,
    write,
)
from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster

N1, N2, N3 = "admission-n1", "admission-n2", "admission-n3"


@pytest.fixture(scope="module")
def agents(prepared: Cluster) -> Iterator[dict[str, Api]]:
    """Return clients with tokens of two nodes that have written their statuses."""
    for name in (N1, N2, N3):
        node(prepared, name)
    clients = {name: agent(prepared, name) for name in (N1, N2)}
    for name, client in clients.items():
        write(client, status_of(name), f"{STATUSES}/{name}")
        write_status(client, name)
    yield clients
    for client in clients.values():
        client.close()


def write_status(client: Api, name: str, generation: int = 1) -> None:
    """Write the status of the Node *name*."""
    write(client, minimal(name, generation), f"{STATUSES}/{name}/status")


@pytest.mark.parametrize(("mine", "other"), [(N1, N2), (N2, N1)])
def test_a_token_writes_only_its_own_node(agents: dict[str, Api], mine: str, other: str) -> None:
    """In both directions, and the refusal says whose token it was."""
    write(agents[mine], status_of(mine), f"{STATUSES}/{mine}")
    write_status(agents[mine], mine, 2)
    labelled = {**status_of(other), "metadata": {"name": other, "labels": {"a": mine}}}
    for document, path in ((labelled, other), (minimal(other, 99), f"{other}/status")):
        with pytest.raises(ApiError) as refused:
            write(agents[mine], document, f"{STATUSES}/{path}")
        assert refused.value.status == 403
        words = f"the agent of node {mine} may not write the BGPNodeStatus of {other}"
        assert words in str(refused.value)
    kept = agents[mine].request("GET", f"{STATUSES}/{other}")
    assert kept["status"]["takeoverGeneration"] != 99
    assert "labels" not in kept["metadata"]


def test_a_token_makes_only_the_object_of_its_own_node(agents: dict[str, Api]) -> None:
    """Neither by name, nor by a name that the server makes up."""
    generated = {**status_of(""), "metadata": {"generateName": f"{N1}-"}}
    refusal = f"the agent of node {N1} may not write"
    with pytest.raises(ApiError, match=refusal):
        write(agents[N1], status_of(N3), f"{STATUSES}/{N3}")
    for document in (status_of(N3), generated):
        with pytest.raises(ApiError, match=refusal) as refused:
            agents[N1].request("POST", STATUSES, document)
        assert refused.value.status == 403


def test_a_token_of_no_node_writes_nothing(cluster: Cluster, agents: dict[str, Api]) -> None:
    """A token that somebody asked for by hand cannot pretend to be a node's."""
    del agents
    client = agent(cluster)
    for document, path in ((status_of(N3), N3), (minimal(N1, 9), f"{N1}/status")):
        with pytest.raises(ApiError, match="this token names no node") as refused:
            write(client, document, f"{STATUSES}/{path}")
        assert refused.value.status == 403
    client.close()


def test_a_token_of_a_pod_is_one_of_its_node(cluster: Cluster, agents: dict[str, Api]) -> None:
    """As the kubelet asks for it: bound to the agent's pod, which runs on a node."""
    del agents
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "agent-on-n3", "namespace": NAMESPACE},
        "spec": {
            "nodeName": N3,
            "serviceAccountName": ACCOUNT,
            "containers": [{"name": "agent", "image": "localhost/bgpd:1"}],
        },
    }
    (made,) = cluster.apply([pod])
    bound = {
        "kind": "Pod",
        "apiVersion": "v1",
        "name": "agent-on-n3",
        "uid": made["metadata"]["uid"],
    }
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 600, "boundObjectRef": bound},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    client = cluster.client(cluster.api.request("POST", path, asked)["status"]["token"])
    write(client, status_of(N3), f"{STATUSES}/{N3}")
    write_status(client, N3)
    with pytest.raises(ApiError, match=f"the agent of node {N3} may not write"):
        write_status(client, N1)
    client.close()


def test_a_status_speaks_of_the_node_whose_name_it_has(agents: dict[str, Api]) -> None:
    """An object cannot carry another node's status under its own name."""
    status = {**minimal(N2, 3), **status_of(N1)}
    with pytest.raises(ApiError, match="must be the name of the object") as refused:
        write(agents[N1], status, f"{STATUSES}/{N1}/status")
    assert refused.value.status == 422


def test_the_policy_is_for_agents_alone(cluster: Cluster, agents: dict[str, Api]) -> None:
    """An administrator may clean up; RBAC says who that is."""
    del agents
    document = status_of("admission-left-over")
    cluster.apply([document])
    cluster.api.delete(document)


def test_deletion_is_judged_too(own_cluster: Cluster) -> None:
    """Were an agent ever given the right to delete, it could delete its own object only."""
    install(own_cluster)
    for name in (N1, N2):
        node(own_cluster, name)
        own_cluster.apply([status_of(name)])
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "deleter"}}
    rule = {"apiGroups": ["bgpd.io"], "resources": ["bgpnodestatuses"], "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "deleter"}
    own_cluster.apply(
        [
            {**role, "kind": "ClusterRole", "rules": [rule]},
            {**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
        ]
    )
    client = agent(own_cluster, N1)
    for path in (f"{STATUSES}/{N2}", STATUSES):
        with pytest.raises(ApiError, match=f"the agent of node {N1} may not write") as refused:
            client.request("DELETE", path)
        assert refused.value.status == 403
    remaining = client.request("GET", STATUSES)["items"]
    assert N2 in {one["metadata"]["name"] for one in remaining}
    own_cluster.apply([status_of(N1)])
    client.request("DELETE", f"{STATUSES}/{N1}")
    client.close()


def test_every_policy_fails_closed_and_denies() -> None:
    """A policy that cannot be evaluated refuses, and a refusal is not a warning."""
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    policies, found = ([one for one in shipped("admission") if one["kind"] == k] for k in kinds)
    bindings = {one["metadata"]["name"]: one["spec"] for one in found}
    assert len(policies) == 2
    for policy in policies:
        name = policy["metadata"]["name"]
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert bindings[name] == {"policyName": name, "validationActions": ["Deny"]}


def test_the_policy_of_statuses_knows_the_agents_by_their_account() -> None:
    """The account is that of the shipped rights."""
    (policy,) = (
        one
        for one in shipped("admission")
        if one["kind"] == "ValidatingAdmissionPolicy"
        and one["metadata"]["name"] == "bgpd-node-status"
    )
    (condition,) = policy["spec"]["matchConditions"]
    assert f"'system:serviceaccount:{NAMESPACE}:{ACCOUNT}'" in condition["expression"]
