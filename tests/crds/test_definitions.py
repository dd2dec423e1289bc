"""What the API server is told of our kinds is what bgpd reads, and complete."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bgpd.kube import crdpage, reference
from bgpd.kube.fields import fields_of
from bgpd.kube.kinds import KINDS, OUR_GROUP
from bgpd.kube.reference import MEANINGS
from tests.crds.examples import definitions

Node = tuple[str, dict[str, Any]]
BY_KIND = {one["spec"]["names"]["kind"]: one for one in definitions()}
OURS = sorted(name for version, name in KINDS if version == OUR_GROUP)
SILENT = {"HealthCheck"}
"""Kinds in which nobody writes what became of an object: each node's own status says it."""
_ALLOWED = {
    "type", "format", "description", "default", "enum", "required", "properties", "items",
    "additionalProperties", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type", "x-kubernetes-validations",
}  # fmt: skip
_STANDARD = {"apiVersion", "kind", "metadata"}


def version_of(kind: str) -> dict[str, Any]:
    """Return the one version of *kind*."""
    (version,) = BY_KIND[kind]["spec"]["versions"]
    found: dict[str, Any] = version
    return found


def walk(schema: Mapping[str, Any], path: str = "") -> Iterator[Node]:
    """Yield each node below *schema* with its path, as `bgpd.kube.fields` writes it."""
    for name, below in schema.get("properties", {}).items():
        if not path and name in _STANDARD:
            continue
        where = f"{path}.{name}".lstrip(".")
        yield where, below
        yield from walk(below, where)
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from walk(schema["items"], f"{path}[]")


def nodes(kind: str) -> list[Node]:
    """Return every node of the schema of *kind*."""
    return list(walk(version_of(kind)["schema"]["openAPIV3Schema"]))


def test_every_kind_of_ours_has_a_definition() -> None:
    """All that people write, and what the agents write."""
    assert sorted(BY_KIND) == sorted({*OURS, "BGPNodeStatus"})


@pytest.mark.parametrize("kind", OURS)
def test_the_schema_has_the_fields_that_bgpd_reads_and_no_others(kind: str) -> None:
    """A field that nobody reads would be a promise, and one without a schema would be lost."""
    read = {path for path in fields_of(kind) if path.startswith("spec.")}
    known = {path.replace("[]", "") for path, _ in nodes(kind) if path.startswith("spec.")}
    assert known == read


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_schema_is_structural_bounded_and_explained(kind: str) -> None:
    """`kubectl explain` leaves no question, and every rule has a cost with an end."""
    for path, node in nodes(kind):
        assert node.keys() <= _ALLOWED, path
        assert node["type"] in {"object", "array", "string", "integer", "boolean"}, path
        if not path.endswith("[]"):
            assert node["description"].endswith("."), path
            assert node["description"][0].isupper(), path
        match node:
            case {"type": "array"}:
                assert node["maxItems"] <= 1000, path
                assert node["x-kubernetes-list-type"] in {"atomic", "set", "map"}, path
            case {"type": "object", "additionalProperties": _}:
                assert "properties" not in node, path
                assert node["maxProperties"], path
            case {"type": "string"}:
                assert "enum" in node or node["maxLength"], path
            case {"type": "integer"}:
                assert node["minimum"] <= node["maximum"], path
            case _:
                pass


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_rule_says_what_is_wrong(kind: str) -> None:
    """No refusal shows the expression that failed instead of a sentence."""
    root = version_of(kind)["schema"]["openAPIV3Schema"]
    rules = [
        rule
        for _, node in [("", root), *nodes(kind)]
        for rule in node.get("x-kubernetes-validations", [])
    ]
    assert rules
    assert all(rule.get("message") or rule.get("messageExpression") for rule in rules)


@pytest.mark.parametrize("kind", sorted(BY_KIND.keys() - SILENT))
def test_conditions_are_a_list_that_several_may_write(kind: str) -> None:
    """Each condition type has one writer, and who writes one does not take the others away."""
    conditions = dict(nodes(kind))["status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    required = set(conditions["items"]["required"])
    assert required == {"type", "status", "reason", "message", "lastTransitionTime"}


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_a_kind_shows_itself_in_columns_of_one_word(kind: str) -> None:
    """`kubectl get` fits a screen, says whether it is ready, and `kubectl get bgpd` finds it."""
    version = version_of(kind)
    names = [column["name"] for column in version["additionalPrinterColumns"]]
    assert all(name.isalnum() for name in names)
    assert "Age" in names
    assert ("Ready" in names) == (kind not in SILENT)
    assert version.get("subresources") == (None if kind in SILENT else {"status": {}})
    spec = BY_KIND[kind]["spec"]
    assert spec["names"]["categories"] == ["bgpd"]
    assert spec["scope"] == ("Cluster" if kind == "BGPNodeStatus" else "Namespaced")
    assert (spec["group"], version["name"]) == tuple(OUR_GROUP.split("/"))


def test_a_default_is_the_one_that_the_reference_promises() -> None:
    """The server writes down what bgpd would have assumed."""
    for kind in OURS:
        for path, node in nodes(kind):
            if "default" in node and not isinstance(node["default"], bool):
                meaning = MEANINGS[kind][path.removeprefix("spec.")]
                assert f"default {node['default']}" in meaning


def test_the_reference_speaks_of_every_kind() -> None:
    """Whoever looks for a kind finds it, with its fields and with what the server adds."""
    documents, resources = reference.page(), crdpage.page()
    assert all(f"## {kind}\n" in documents for kind in OURS)
    assert all(f"| {kind} | `" in resources for kind in BY_KIND)
    for path, _ in nodes("BGPNodeStatus"):
        if path.startswith("status."):
            assert f"`{path.removeprefix('status.').removesuffix('[]')}" in resources
