"""`bgpctl explain --all-nodes` and `--node`: who carries an address, and why the others do not."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.ctl.explainask import prefix_of
from bgpd.ctl.explaineverywhere import everywhere, of_other_node, there
from bgpd.ctl.explainfleet import spread_document, spread_text, spreads
from bgpd.ctl.fleet import Fleet, fleet_of
from bgpd.model.peer import PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.status import MemberState
from tests.ctl.samples import FINE, NOW, member, route, session
from tests.ctl.test_explain_node import changed, meshed
from tests.ctl.test_fleet import node, written

WEB = Prefix("203.0.113.10/32")
NODES = [node("n1"), node("n2"), node("n3")]


def carrying(name: str, rank: int = 0) -> dict[str, Any]:
    """Return the BGPNodeStatus of a node that advertises the elastic IP."""
    view = changed(node=name, routes=(route(WEB, "tor-a", rank=rank),))
    return written(view, name)


def withholding(name: str, reason: Reason = Reason.NO_LOCAL_ENDPOINTS) -> dict[str, Any]:
    """Return the BGPNodeStatus of a node that does not, and says why."""
    why = Withheld(service="default/web", prefix=WEB, reason=reason, message="because of n2")
    return written(changed(node=name, routes=()), name, withheld=(why,), services={})


def slices(**counts: int) -> dict[str, Any]:
    """Return an EndpointSlice of the Service with so many endpoints on each node."""
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "endpoints": [
            {"addresses": ["10.1.0.1"], "nodeName": name, "conditions": {"ready": True}}
            for name, count in counts.items()
            for _ in range(count)
        ],
    }


def told(fleet: Fleet, what: str = "web") -> str:
    """Return everything, each paragraph on one line."""
    return everywhere(fleet, what, now=NOW).text.replace("\n  ", " ")


@pytest.mark.parametrize("what", ["default/web", "web", "203.0.113.10", "203.0.113.10/32"])
def test_who_carries_it_and_why_the_others_do_not(what: str) -> None:
    """Questions 2, 3 and 4 in one table."""
    fleet = fleet_of(
        [*NODES, carrying("n1"), withholding("n2"), carrying("n3"), slices(n1=2, n3=1)]
    )
    (found,) = spreads(fleet, what, prefix_of(what))
    assert [one.carries for one in found.seats] == [True, False, True]
    assert [one.endpoints for one in found.seats] == [2, 0, 1]
    text = told(fleet, what)
    assert "default/web 203.0.113.10/32: 2 of 3 nodes advertise it" in text
    assert "router 169.254.255.1 spreads over n1, n3" in text
    assert "NoLocalEndpoints" in text
    assert "n2: because of n2; change it: Run a ready pod here" in text
    assert max(map(len, spread_text(found, now=NOW).splitlines())) <= 80
    assert spread_document(found)["routers"] == {"169.254.255.1": ["n1", "n3"]}


def test_traffic_goes_to_the_least_rank_of_the_highest_generation() -> None:
    """A standby hears nothing, a node that was drained nothing more."""
    fleet = fleet_of([*NODES, carrying("n1", rank=5), carrying("n2"), carrying("n3", rank=255)])
    text = told(fleet)
    assert "router 169.254.255.1 sends all to n2" in text
    assert "draining" in text


def test_a_dead_nodes_word_does_not_count() -> None:
    """Its BGPNodeStatus still says that it advertises; the others say that it is dead."""
    dead = meshed(members=(member("n2", "10.0.0.2", state=MemberState.DEAD),))
    witness = written(replace(dead, speaker=replace(dead.speaker, routes=(route(WEB, "tor-a"),))))  # type: ignore[type-var]
    fleet = fleet_of([*NODES[:2], witness, carrying("n2")])
    text = told(fleet)
    assert "sends all to n1" in text
    assert "n2: its speaker is Dead, say n1" in text
    assert "1 of 2 nodes advertises it" in text
    shown = of_other_node(fleet, fleet.nodes[1], NOW)
    assert shown.text.startswith("whether n2 can be rebooted now is not known\n")
    assert not shown.well


def test_of_a_dead_node_its_death_is_told_first() -> None:
    """`--node n2`: what it wrote last is that all is well."""
    dead = meshed(members=(member("n2", "10.0.0.2", state=MemberState.DEAD),))
    fleet = fleet_of([*NODES[:2], written(dead), carrying("n2")])
    seen = fleet.node("n2")
    assert seen is not None
    text = there(replace(seen, written=NOW - 600), "web", peer="", now=NOW).text
    assert text.startswith("n2 wrote this 10m ago\nn2: its speaker is Dead, say n1\n")
    assert "on n2: advertised to tor-a" in text


def test_a_node_whose_agent_is_silent_carries_what_it_carried() -> None:
    """The speaker goes on without it: its routes are as they were."""
    mute = meshed(members=(member("n2", "10.0.0.2", agent_alive=False),))
    witness = written(replace(mute, speaker=replace(mute.speaker, routes=(route(WEB, "tor-a"),))))  # type: ignore[type-var]
    text = told(fleet_of([*NODES[:2], witness, carrying("n2")]))
    assert "spreads over n1, n2" in text
    assert "n2: its agent is silent, say n1" in text


def test_what_a_speaker_withholds_finds_its_service() -> None:
    """Speakers know prefixes; who asks for the Service means them."""
    full = Withheld(
        service="",
        prefix=WEB,
        reason=Reason.PREFIX_LIMIT,
        message="no room",
        peer="tor-a",  # type: ignore[arg-type]
    )
    crowded = written(changed(node="n2", routes=(), withheld=(full,)), "n2", services={})
    fleet = fleet_of([*NODES[:2], carrying("n1"), crowded])
    assert "PrefixLimit" in told(fleet)


def test_a_node_that_never_wrote_is_unknown_and_not_innocent() -> None:
    """No status is no word about the route."""
    text = told(fleet_of([*NODES[:2], carrying("n1")]))
    assert "1 of 2 nodes advertises it" in text
    assert "n2: nothing is known of it there" in text


def test_what_nobody_knows_is_not_known() -> None:
    """Exit status 1, and a sentence."""
    fleet = fleet_of([*NODES, carrying("n1")])
    assert not everywhere(fleet, "198.51.100.1", now=NOW).known
    assert not everywhere(fleet, "db", now=NOW).known


def test_another_nodes_chain_is_shown_by_its_status() -> None:
    """`--node n2`: the gates, the first that stops, how old the word is."""
    fleet = fleet_of([*NODES[:2], carrying("n1"), withholding("n2")])
    seen = fleet.node("n2")
    assert seen is not None
    shown = there(replace(seen, written=NOW - 65), "web", peer="", now=NOW)
    assert "default/web 203.0.113.10/32 on n2: not advertised: NoLocalEndpoints" in shown.text
    assert "n2 wrote this 1m5s ago" in shown.text
    assert shown.known


def test_a_route_that_another_node_advertises_has_passed_every_gate_there() -> None:
    """A status names the peers that hear it, which is enough to know."""
    fleet = fleet_of([*NODES[:2], carrying("n1")])
    seen = fleet.node("n1")
    assert seen is not None
    text = there(seen, "web", peer="tor-a", now=NOW).text
    assert "on n1: advertised to tor-a" in text
    assert "?" not in text


def test_a_node_without_a_session_with_the_peer_is_told() -> None:
    """`--all-nodes --peer tor-a`: of who hears it from where, only that one's part."""
    other = (session("tor-z", "169.254.255.9"),)
    view = changed(node="n2", sessions=other, routes=(route(WEB, "tor-z"),))
    fleet = fleet_of([*NODES[:2], carrying("n1"), written(view, "n2")])
    text = everywhere(fleet, "web", now=NOW, peer="tor-a").text
    assert "1 of 2 nodes advertises it" in text
    assert "tor-z" not in text
    assert "n2: it has no session with tor-a\n" in text


def test_a_session_that_is_down_there_stops_it_and_not_the_advertisement() -> None:
    """A status names no peer that does not hear; to blame a BGPAdvertisement would mislead."""
    why = "the peer did not answer: no route to host"
    down = session("tor-a", "169.254.255.1", state=PeerState.ACTIVE, last_error=why)
    up = session("tor-b", "169.254.255.2")
    for sessions, hearing, says in (
        ((down,), (), "on n2: not advertised: the session is Active"),
        ((down, up), ("tor-b",), "on n2: advertised to tor-b"),
    ):
        view = changed(node="n2", sessions=sessions, routes=(route(WEB, *hearing),))
        fleet = fleet_of([*NODES[:2], carrying("n1"), written(view, "n2")])
        seen = fleet.node("n2")
        assert seen is not None
        text = " ".join(there(seen, "web", peer="", now=NOW).text.split())
        assert says in text
        assert f"the session is Active: {why}" in text
        assert "no BGPAdvertisement" not in text
        assert (f"n2: the session is Active: {why}" in told(fleet)) is (not hearing)


def test_the_node_of_the_samples_is_what_it_says() -> None:
    """A guard of the samples: the Service has its address on one node."""
    assert FINE.agent is not None
    assert FINE.agent.services[WEB] == ("default/web",)
