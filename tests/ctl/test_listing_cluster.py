"""A cluster by what its nodes wrote, some of whom are dead."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl import listing
from bgpd.ctl.columns import WIDTH
from bgpd.ctl.document import dump
from bgpd.ctl.fleet import NodeSeen
from bgpd.ctl.fleetstatus import fleet_document, fleet_status, fleet_table
from bgpd.ctl.items import Stand
from bgpd.ctl.listcolumns import Shape
from bgpd.ctl.resource import noun_of
from bgpd.ctl.scene import Place, Scene
from tests.ctl.conforming import faults
from tests.ctl.samples import (
    FINE,
    NOW,
    SPEAKER,
)
from tests.ctl.test_listing import SEEN_GONE, both, calm, near, scenes, table
from tests.ctl.test_table import texts


@given(scene=scenes, where=texts, wide=st.booleans())
@calm
def test_no_status_of_a_cluster_is_wider_than_a_terminal(
    scene: Scene, where: str, *, wide: bool
) -> None:
    """Its document is as its schema says, whatever nodes tell."""
    found = fleet_status(scene, where=where)
    assert faults(json.loads(dump(fleet_document(found), "json"))) == []
    text = fleet_table(found, now=NOW, wide=wide)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    if not wide:
        assert all(len(line) <= WIDTH for line in text.split("\n"))
    assert found.exit_code in {0, 3, 4}


def test_a_node_of_which_others_tell_that_it_is_dead_is_not_fine() -> None:
    """What it wrote when it was well is no proof that it still is."""
    place = Place(
        node="n1",
        view=FINE,
        seen=NodeSeen(name="n1", view=FINE, doubts=("its speaker is Dead, says n2",)),
    )
    found = fleet_status(Scene(places=(place,), whole=True), where="https://api")
    assert found.nodes[0].state == "unknown"
    assert (found.exit_code, found.problems) == (3, ("n1: its speaker is Dead, says n2",))


def test_what_a_dead_node_advertised_nobody_carries() -> None:
    """Its BGPNodeStatus outlives it: to believe it hides the outage that one looks for."""
    places = (
        Place(node="n1", view=FINE, seen=SEEN_GONE),
        Place(node="n2", view=replace(FINE, speaker=replace(SPEAKER, node="n2", routes=()))),
    )
    scene = Scene(places=places, whole=True)
    found = fleet_status(scene, where="https://api")
    assert {one.state for one in found.uncarried} == {Stand.UNSENT, Stand.WITHHELD}
    assert found.carried == 0
    assert (found.nodes[0].established, found.nodes[0].sessions) == (0, 2)
    assert (found.nodes[0].elastic_ips, found.nodes[0].armed) == (0, False)
    assert "takeover armed on 1" in " ".join(fleet_table(found, now=NOW).split())
    assert listing.routes(scene) == ()


def test_nodes_of_an_elastic_ip_are_those_from_which_routers_hear_it() -> None:
    """Question 3; who is dead would tell them if it lived, and is named where nobody else is."""
    gone = Place(node="n1", view=FINE, seen=SEEN_GONE)
    both = Scene(places=(gone, Place(node="n2", view=FINE)), whole=True)
    for scene, nodes in ((both, "n2"), (Scene(places=(gone,), whole=True), "n1")):
        (web,) = (one for one in listing.elastic_ips(scene) if one.name == "203.0.113.10")
        text = noun_of("elasticips").table([web], now=NOW, shape=Shape(whole=True))
        assert text.splitlines()[1].split()[2] == nodes


@pytest.mark.parametrize(
    ("noun", "unknown"),
    [
        pytest.param("sessions", ("FAMILIES",), id="sessions"),
        pytest.param("members", ("LOSS", "HEARD", "MISSES", "ROUTER-IDS"), id="members"),
    ],
)
def test_what_no_status_tells_has_no_column(noun: str, unknown: tuple[str, ...]) -> None:
    """The defaults of what is not in a BGPNodeStatus would look as if somebody had said them."""
    assert set(unknown) <= set(table(noun, near(FINE), wide=True).split())
    assert not set(unknown) & set(table(noun, both(FINE, FINE), wide=True).split())


def test_a_cluster_of_which_nobody_told_anything_is_not_fine() -> None:
    """An empty list is no good news."""
    found = fleet_status(Scene(places=(), whole=True), where="https://api")
    assert found.exit_code == 3
    assert found.problems == ("no agent of any node told the cluster anything",)
