"""The table of fields says what is enforced, for every kind."""

import re
from typing import Any

import pytest

from bgpd.kube.documents import read
from bgpd.kube.fields import Field, fields_of, known, legal
from bgpd.kube.kinds import KINDS
from tests.kube.build import Document, ours, peer, pool, text

OURS = ("BFDProfile", "BGPAdvertisement", "BGPPeer", "IPAddressPool", "SpeakerPolicy")
BASES = {"BGPPeer": peer(), "IPAddressPool": pool()}
RANGES = [
    (kind, field)
    for kind in OURS
    for field in fields_of(kind).values()
    if field.type == "integer" and "[]" not in field.path
]


def with_field(kind: str, path: str, value: Any) -> Document:
    """Return a document of *kind* that is valid but for *value* at *path*."""
    base = BASES.get(kind, ours(kind, "x", {}))
    document: Document = {**base, "spec": dict(base["spec"])}
    place: Document = document
    *steps, last = path.split(".")
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = value
    return document


@pytest.mark.parametrize("kind", sorted({kind for _, kind in KINDS}))
def test_every_field_says_what_it_may_be(kind: str) -> None:
    """No error ends without the legal range, and the reference has no empty cell."""
    fields = fields_of(kind)
    assert fields["metadata.name"].required
    assert all(field.legal and field.type for field in fields.values())


@pytest.mark.parametrize(
    ("kind", "field"), RANGES, ids=lambda one: one.path if isinstance(one, Field) else one
)
def test_the_ends_of_a_range_are_legal_and_what_is_beyond_is_not(kind: str, field: Field) -> None:
    """The words in the table and the check are the same numbers."""
    ends = [int(end) for end in re.findall(r"\d+", field.legal.split(" (")[0])]
    least, most = ends[0], ends[-1]
    for value in (least, most):
        found = read("f.yaml", text(with_field(kind, field.path, value)))
        assert not any(one.refused for one in found.problems)
    for value in (least - 1, most + 1):
        problems = read("f.yaml", text(with_field(kind, field.path, value))).problems
        (problem,) = (one for one in problems if one.refused)
        assert (problem.path, problem.value, problem.legal) == (field.path, str(value), field.legal)


def test_paths_in_lists_are_found_with_and_without_an_index() -> None:
    """An error of the third element finds the range of all of them."""
    assert legal("IPAddressPool", "spec.addresses[2]") == legal("IPAddressPool", "spec.addresses")
    assert legal("BGPPeer", "spec.nodeSelectors[0].matchExpressions[1].operator").startswith(
        "one of In"
    )
    assert legal("BGPPeer", "spec.nonsense") == ""


def test_the_names_under_a_path_are_known() -> None:
    """A misspelled field is answered with those that exist."""
    assert known("BGPPeer", "spec.takeover") == ("lever", "mode")
    assert "peerAddress" in known("BGPPeer", "spec")
