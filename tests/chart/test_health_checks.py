"""Who may create HealthChecks in a namespace runs no program beside the agents by that."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.installed import until
from tests.cluster.api import MERGE, Api, ApiError, Document
from tests.cluster.cluster import Cluster

TEAM, OTHER = "checks-team", "checks-other"
RBAC = "rbac.authorization.k8s.io"
WORDS = "spec.exec runs a program beside the agents"
PROGRAM: Document = {"exec": {"command": ["/bin/true"]}}


def collection(namespace: str = TEAM) -> str:
    """Return the path of the HealthChecks of *namespace*."""
    return f"/apis/bgpd.io/v1alpha1/namespaces/{namespace}/healthchecks"


def check(name: str, **spec: Any) -> Document:
    """Return a HealthCheck."""
    head = {"apiVersion": "bgpd.io/v1alpha1", "kind": "HealthCheck"}
    return {**head, "metadata": {"name": name}, "spec": spec}


def granted(name: str, *resources: str) -> list[Document]:
    """Return an account of the team that may do everything with *resources* of ours."""
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": name, "namespace": TEAM}}
    rule = {"apiGroups": ["bgpd.io"], "resources": list(resources), "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": TEAM}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": head["metadata"]},
        {**head, "kind": "Role", "rules": [rule]},
        {**head, "kind": "RoleBinding", "subjects": [subject],
         "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def people(prepared: Cluster) -> Iterator[dict[str, Api]]:
    """Return clients of two members of a team: one may create checks, one programs as well."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}}
              for one in (TEAM, OTHER)]  # fmt: skip
    accounts = {"plain": ("healthchecks",), "trusted": ("healthchecks", "healthchecks/exec")}
    prepared.apply(spaces)
    for name, resources in accounts.items():
        prepared.apply(granted(name, *resources))
    clients = {name: prepared.client(prepared.token(TEAM, name)) for name in accounts}
    until(lambda: _judged(clients["plain"]), "the admission policy does not hold")
    until(lambda: _taken(clients["trusted"]), "the server does not know the right to run programs")
    yield clients
    for client in clients.values():
        client.close()


def _judged(client: Api) -> bool:
    try:
        client.request("POST", collection(), check("judged", **PROGRAM), dryRun="All")
    except ApiError as refused:
        return WORDS in str(refused)
    return False


def _taken(client: Api) -> bool:
    try:
        client.request("POST", collection(), check("taken", **PROGRAM), dryRun="All")
    except ApiError:
        return False
    return True


def test_a_check_without_a_program_is_everybodys(people: dict[str, Api]) -> None:
    """Who may create HealthChecks asks what they like."""
    made = people["plain"].request("POST", collection(), check("asks", tcpSocket={"port": 80}))
    assert made["spec"]["tcpSocket"] == {"port": 80}


def test_a_program_takes_a_right_of_its_own(people: dict[str, Api]) -> None:
    """In a new check, and in one that is changed into it; the refusal says which right."""
    plain = people["plain"]
    with pytest.raises(ApiError, match="the right to create healthchecks/exec") as refused:
        plain.request("POST", collection(), check("runs", **PROGRAM))
    assert refused.value.status == 403
    plain.request("POST", collection(), check("changes", ntp={}))
    patch = {"spec": {**PROGRAM, "ntp": None}}
    with pytest.raises(ApiError, match=WORDS):
        plain.request("PATCH", f"{collection()}/changes", patch, content_type=MERGE)
    assert people["trusted"].request("POST", collection(), check("trusted", **PROGRAM))


def test_what_another_has_written_may_be_changed_beside_the_program(
    people: dict[str, Api],
) -> None:
    """The rhythm of it, and never the program."""
    people["trusted"].request("POST", collection(), check("shared", **PROGRAM))
    path = f"{collection()}/shared"
    slower = {"spec": {"periodMilliseconds": 5000}}
    kept = people["plain"].request("PATCH", path, slower, content_type=MERGE)
    assert kept["spec"]["periodMilliseconds"] == 5000
    another = {"spec": {"exec": {"command": ["/bin/sh"]}}}
    with pytest.raises(ApiError, match=WORDS):
        people["plain"].request("PATCH", path, another, content_type=MERGE)


def test_a_right_ends_with_its_namespace(people: dict[str, Api]) -> None:
    """RBAC sees to that before anybody looks at the program."""
    with pytest.raises(ApiError) as refused:
        people["trusted"].request("POST", collection(OTHER), check("runs", **PROGRAM))
    assert refused.value.status == 403


def test_an_administrator_runs_what_they_like(prepared: Cluster, people: dict[str, Api]) -> None:
    """They have every right there is."""
    del people
    prepared.api.request("POST", collection(OTHER), check("runs", **PROGRAM))
