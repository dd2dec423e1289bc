"""`bgpctl diff -f`: what documents would change, by the planner that agents run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bgpd.ctl.rehearsal import Change, Rehearsal, overlaid, rehearse
from bgpd.ctl.rehearsaltext import rehearsal_document, rehearsal_text
from tests.agent.test_planner import CONFIGURATION, Document, endpoints, ours, service
from tests.ctl.fakes import bgpctl

PRESENT: list[Document] = [
    *CONFIGURATION,
    service("web", "203.0.113.1"),
    endpoints("web", "n1", "n2"),
    service("far", "203.0.113.200"),
    endpoints("far", "n2"),
]


def rehearsed(*new: Document, present: list[Document] = PRESENT) -> Rehearsal:
    """Return what *new* would change."""
    return rehearse(present, new)


def turns(found: Rehearsal) -> list[tuple[str, str, Change]]:
    """Return node, prefix and change of each."""
    return [(one.node, one.prefix, one.change) for one in found.turns]


def test_what_is_there_already_changes_nothing() -> None:
    """Whoever applies the same twice hears so."""
    found = rehearsed(*PRESENT)
    assert not any((found.turns, found.refused, found.notes))
    assert "no route would change on 2 nodes" in rehearsal_text(found)


def test_a_pool_that_shrinks_takes_routes_from_every_node_that_has_them() -> None:
    """With the reason that `explain` would give afterwards."""
    found = rehearsed(ours("IPAddressPool", "pool", addresses=["203.0.113.0/28"]))
    assert turns(found) == [("n2", "203.0.113.200/32", Change.ENDS)]
    assert "AddressNotInPool" in found.turns[0].detail


def test_an_attribute_that_changes_is_told_with_both_values() -> None:
    """A person sees which one."""
    found = rehearsed(ours("BGPAdvertisement", "all", communities=["65000:7"]))
    assert {one.detail for one in found.turns} == {"communities none -> 65000:7"}
    text = rehearsal_text(found)
    assert "~ 203.0.113.1/32 changes on n1, n2: communities none -> 65000:7" in text


def test_a_new_service_begins_where_its_endpoints_are() -> None:
    """Services and endpoints are documents as well."""
    found = rehearsed(service("new", "203.0.113.9"), endpoints("new", "n1"))
    assert turns(found) == [("n1", "203.0.113.9/32", Change.BEGINS)]


def test_a_document_that_would_be_refused_is_an_error_and_changes_nothing() -> None:
    """The last good one holds, as it would in the cluster."""
    found = rehearsed(ours("IPAddressPool", "late", addresses=["203.0.113.128/25"]))
    assert found.turns == ()
    assert any("overlaps" in one for one in found.refused)
    spoiled = rehearsed(ours("IPAddressPool", "pool", addresses=["nonsense"]))
    assert spoiled.turns == ()
    assert any("nonsense" in one for one in spoiled.refused)


def test_secrets_and_password_files_are_not_missed() -> None:
    """They are on the nodes; a rehearsal speaks to nobody."""
    for secret in ({"passwordSecret": {"name": "tor"}}, {"passwordFile": "/etc/bgpd/tor"}):
        peer = ours(
            "BGPPeer", "second", myASN=65000, peerASN=65531, peerAddress="10.0.0.9", **secret
        )
        found = rehearsed(peer)
        assert found.refused == ()
        assert {one.peer for one in found.turns} == {"second"}


def test_a_document_replaces_its_like_whatever_namespace_is_left_out() -> None:
    """Our kinds live in one namespace; Services do not."""
    bare: dict[str, Any] = {**CONFIGURATION[2], "metadata": {"name": "pool"}}
    assert len(overlaid(PRESENT, [bare])) == len(PRESENT)
    other = {**service("web", "203.0.113.9"), "metadata": {"name": "web", "namespace": "other"}}
    assert len(overlaid(PRESENT, [other])) == len(PRESENT) + 1


@pytest.mark.parametrize(
    ("document", "status"),
    [
        pytest.param(CONFIGURATION[2], 0, id="nothing changes"),
        pytest.param(ours("BGPAdvertisement", "all", communities=["65000:7"]), 1, id="routes do"),
        pytest.param(ours("IPAddressPool", "b", addresses=["203.0.113.0/25"]), 78, id="refused"),
    ],
)
def test_the_exit_status_is_that_of_diff(tmp_path: Path, document: Document, status: int) -> None:
    """0 the same, 1 differs, more where it cannot be applied; and it needs no cluster."""
    base, new = tmp_path / "base.json", tmp_path / "new.json"
    base.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": PRESENT}))
    new.write_text(json.dumps(document))
    words = ("diff", "-f", str(new), "--base", str(base), "--run-dir", str(tmp_path))
    found = asyncio.run(bgpctl(*words, "-o", "json"))
    assert found.status == status, found.errors
    assert json.loads(found.output)["nodes"] == ["n1", "n2"]


def test_a_document_for_programs_says_what_was_left_out() -> None:
    """Stable names."""
    found = rehearsal_document(rehearsed(ours("BGPAdvertisement", "all", communities=["65000:7"])))
    assert found["kind"] == "Rehearsal"
    assert "probes" in str(found["notRehearsed"])
