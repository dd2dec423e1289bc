"""bgpd and the API server agree on every example, and say the same about it."""

import json
import re
from typing import Any

import pytest

from bgpd.kube.documents import read
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.crds.examples import Example, definitions, examples

VALID = examples("valid")
INVALID = examples("invalid")
LATE = examples("late")


def _id(example: Example) -> str:
    return example.name


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Cluster:
    """Return an API server that knows our kinds."""
    cluster.apply(definitions())
    for one in definitions():
        version = {"apiVersion": "bgpd.io/v1alpha1", "kind": one["spec"]["names"]["kind"]}
        cluster.api.path({**version, "metadata": {"name": "x"}})
    return cluster


def _create(cluster: Cluster, namespace: str, example: Example) -> Any:
    """Create the example as kubectl does: a field that is not known is an error."""
    path = cluster.api.path(example.document, namespace).rpartition("/")[0]
    return cluster.api.request("POST", path, example.document, fieldValidation="Strict")


def _within(namespace: str, example: Example) -> bytes:
    """Return the example as a document of *namespace*."""
    document = example.document
    metadata = {**document["metadata"], "namespace": namespace}
    return json.dumps({**document, "metadata": metadata}).encode()


def test_there_are_examples() -> None:
    """An empty folder would prove nothing."""
    assert len(VALID) >= 15
    assert len(INVALID) >= 90
    assert all(one.at and one.says for one in INVALID + LATE)
    assert {one.document["kind"] for one in VALID} == {one.document["kind"] for one in INVALID}


@pytest.mark.parametrize("example", VALID, ids=_id)
def test_bgpd_takes_what_is_valid(example: Example) -> None:
    """Nothing is refused; a field without effect may be noticed."""
    found = read("f.yaml", example.text)
    assert [one.message for one in found.problems if one.refused] == []
    assert len(found.objects) == 1


@pytest.mark.parametrize("example", INVALID + LATE, ids=_id)
def test_bgpd_refuses_what_is_not_and_says_why(example: Example) -> None:
    """The field and the words are those of the example."""
    found = read("f.yaml", example.text)
    refused = [one for one in found.problems if one.refused]
    paths = [re.sub(r"\[\.\.\.\]$", "", one.path) for one in refused]
    assert not found.objects
    assert any(path.startswith(example.at) for path in paths)
    assert example.says in " ".join(one.message for one in refused)


@pytest.mark.parametrize("example", VALID + LATE, ids=_id)
def test_the_server_takes_what_it_can_not_fault(
    served: Cluster, namespace: str, example: Example
) -> None:
    """It drops nothing, and bgpd reads the same in what it keeps: our defaults are its own."""
    kept = json.dumps(_create(served, namespace, example)).encode()
    ours, theirs = read("f.yaml", _within(namespace, example)), read("f.yaml", kept)
    assert theirs.objects == ours.objects
    assert [one.path for one in theirs.problems] == [one.path for one in ours.problems]


@pytest.mark.parametrize("example", INVALID, ids=_id)
def test_the_server_refuses_what_is_invalid_in_our_words(
    served: Cluster, namespace: str, example: Example
) -> None:
    """The refusal names the field and says what would be legal."""
    with pytest.raises(ApiError) as refused:
        _create(served, namespace, example)
    assert refused.value.status in {400, 422}
    assert (example.server or example.says) in str(refused.value)
    assert example.at in str(refused.value)
    assert "geheim" not in str(refused.value)


def _selectors(count: int) -> list[dict[str, Any]]:
    values = [f"value-{number}" for number in range(32)]
    return [
        {
            "matchLabels": {f"label-{number}-{other}": "x" * 63 for other in range(16)},
            "matchExpressions": [
                {"key": f"key-{other}", "operator": "In", "values": values} for other in range(8)
            ],
        }
        for number in range(count)
    ]


LARGE = [
    pytest.param("IPAddressPool", {"addresses": [f"10.{n}.0.0/16" for n in range(64)]},
                 id="as many blocks as are compared with each other"),
    pytest.param("IPAddressPool", {"addresses": [f"10.0.{n}.0/24" for n in range(200)]},
                 id="as many blocks as there may be"),
    pytest.param("IPAddressPool",
                 {"addresses": [f"2001:db8:ffff:ffff:ffff:ffff:{n:x}:1 - "
                                f"2001:db8:ffff:ffff:ffff:ffff:{n:x}:ffff" for n in range(200)]},
                 id="as many long ranges as there may be"),
    pytest.param("BGPAdvertisement",
                 {"ipAddressPools": [f"{n}{'p' * 249}" for n in range(100, 356)],
                  "peers": [f"{n}{'p' * 249}" for n in range(100, 356)],
                  "communities": [f"65000:{n}" for n in range(63)],
                  "largeCommunities": [f"4200000000:{n}:4294967295" for n in range(63)],
                  "nodeSelectors": _selectors(32), "serviceSelectors": _selectors(32)},
                 id="an advertisement of the longest lists"),
    pytest.param("BGPPeer", {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1",
                             "password": "x" * 80, "passwordFile": "",
                             "nodeSelectors": _selectors(32)},
                 id="a peer of the longest lists"),
    pytest.param("BGPPeer", {"provider": "packet", "providerTokenFile": f"/{'t' * 4095}",
                             "providerURL": f"http://{'n' * 253}/{'p' * 763}",
                             "nodeSelectors": _selectors(32)},
                 id="a provider at the longest URL"),
    pytest.param("HealthCheck", {"httpGet": {
                    "path": f"/{'p' * 1023}", "host": "h" * 253, "body": "b" * 1024,
                    "headers": {f"{'n' * 124}-{n:03}": "v" * 1024 for n in range(16)},
                    "statuses": [f"{n}00-{n}99" for n in (1, 2, 3, 4, 5)] * 3},
                                 "serviceSelectors": _selectors(32)},
                 id="a check by HTTP of the longest lists"),
    pytest.param("HealthCheck", {"exec": {"command": ["/" + "a" * 4095] * 64}},
                 id="a check by the longest command"),
    pytest.param("HealthCheck", {"dns": {"name": ".".join(["d" * 62] * 4),
                                         "answers": ["a" * 255] * 16}},
                 id="a check of the longest name"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec"), LARGE)
def test_the_longest_lists_cost_no_more_than_the_server_spends(
    served: Cluster, namespace: str, kind: str, spec: dict[str, Any]
) -> None:
    """The server ends the rules of an object that take too long, and refuses the object."""
    document = {"apiVersion": "bgpd.io/v1alpha1", "kind": kind, "metadata": {"name": "large"}}
    text = json.dumps({**document, "spec": spec}).encode()
    assert read("f.yaml", text).problems == ()
    example = Example(name=kind, text=text)
    kept = json.dumps(_create(served, namespace, example)).encode()
    assert read("f.yaml", kept).objects == read("f.yaml", _within(namespace, example)).objects
