"""What a token may do: the server's own list of it, and that all else is forbidden."""

import pytest

from tests.chart.installed import NAMESPACE
from tests.cluster.api import MERGE, Api, ApiError, Document

_BASIC = {"authentication.k8s.io", "authorization.k8s.io"}
"""What every authenticated user may do: `system:basic-user`."""


def forbidden(me: Api, account: str, method: str, path: str, body: Document | None) -> None:
    """Ask for something, and be refused as *account*."""
    content = MERGE if method == "PATCH" else "application/json"
    with pytest.raises(ApiError) as refused:
        me.request(method, path, body, content_type=content)
    assert refused.value.status == 403
    assert f"system:serviceaccount:{NAMESPACE}:{account}" in str(refused.value)


def rights(me: Api, namespace: str) -> dict[tuple[str, str, str], list[str]]:
    """Return the verbs by group, resource and names; no names are all of them."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    found: dict[tuple[str, str, str], list[str]] = {}
    for rule in me.request("POST", path, asked)["status"]["resourceRules"]:
        names = ",".join(rule.get("resourceNames") or ())
        for group in set(rule["apiGroups"]) - _BASIC:
            for resource in rule["resources"]:
                found[group, resource, names] = sorted(rule["verbs"])
    return found
