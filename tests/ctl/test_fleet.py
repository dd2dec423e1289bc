"""The fleet: what agents wrote about their nodes is shown as the nodes would show it."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bgpd.ctl.fleet import fleet_of
from bgpd.ctl.fleetstatus import fleet_status
from bgpd.ctl.fleetview import view_of
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.view import State, View, verdict
from bgpd.kube.nodeform import StatusForm
from bgpd.kube.nodestatus import document
from bgpd.model.status import Condition, MemberState
from tests.ctl.samples import DRAINED, FINE, NOW, SICK, WATCHED, member


def written(view: View, node: str = "n1", **changes: Any) -> dict[str, Any]:
    """Return the BGPNodeStatus that the agent of *view* writes."""
    assert view.agent is not None
    status = replace(view.agent, speaker=view.speaker, node=node, **changes)
    return {**document(status, now=NOW), "metadata": {"name": node}}


def node(name: str, *, ready: str = "True") -> dict[str, Any]:
    """Return a Node."""
    return {
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def seen(view: View) -> View:
    """Return *view* after its way through a BGPNodeStatus."""
    return view_of(msgspec.convert(written(view)["status"], StatusForm))


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(FINE, id="a node that is well"),
        pytest.param(SICK, id="a node in every kind of trouble"),
        pytest.param(DRAINED, id="a node that is drained"),
    ],
)
def test_a_node_is_shown_as_it_shows_itself(view: View) -> None:
    """Verdict, sessions, routes, reasons and drain survive; what is told of it is the same."""
    there = seen(view)
    assert verdict(there).state is verdict(view).state
    assert there.agent is not None
    assert view.agent is not None
    assert set(there.withheld) == set(view.withheld)
    assert there.speaker is not None
    assert view.speaker is not None
    assert [one.prefix for one in there.speaker.routes] == [
        one.prefix for one in view.speaker.routes
    ]
    assert [(one.peer, one.state, one.hold_time) for one in there.speaker.sessions] == [
        (one.peer, one.state, one.hold_time) for one in view.speaker.sessions
    ]
    assert there.speaker.drain.phase is view.speaker.drain.phase
    assert there.speaker.started == view.speaker.started


def test_a_condition_that_is_well_when_true_is_no_problem() -> None:
    """Ready, TakeoverArmed and ConfigurationValid are Kubernetes' way round; ours are not."""
    assert verdict(seen(FINE)).problems == verdict(FINE).problems


def test_a_configuration_that_was_refused_is_a_problem_on_every_node() -> None:
    """Question 19: what was refused and why, on every node."""
    assert FINE.agent is not None
    said = Condition(
        type="DocumentRefused", status=True, reason="Refused", message="BGPPeer tor: spec.peerASN"
    )
    sick = replace(FINE, agent=replace(FINE.agent, conditions=(said,)))
    assert any("spec.peerASN" in one for one in verdict(seen(sick)).problems)


def test_a_node_that_says_nothing_is_told_with_the_reason() -> None:
    """No BGPNodeStatus, an empty one, one that nobody understands: three unlike sentences."""
    garbage = {"kind": "BGPNodeStatus", "metadata": {"name": "n3"}, "status": {"node": 7}}
    empty = {"kind": "BGPNodeStatus", "metadata": {"name": "n2"}}
    fleet = fleet_of([node("n1"), node("n2"), node("n3"), empty, garbage])
    errors = [one.view.agent_error for one in fleet.nodes]
    assert "never wrote one" in errors[0]
    assert "not written its BGPNodeStatus yet" in errors[1]
    assert "not understood" in errors[2]
    assert all(verdict(one.view).state is State.DOWN for one in fleet.nodes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"state": MemberState.DEAD}, "its speaker is Dead, say n1", id="dead"),
        pytest.param({"agent_alive": False}, "its agent is silent, say n1", id="agent gone"),
        pytest.param({}, "", id="alive"),
    ],
)
def test_the_others_say_whether_a_word_is_old(changes: dict[str, Any], expected: str) -> None:
    """A dead node's status stays in the API as if nothing were: its members know better."""
    assert FINE.speaker is not None
    assert FINE.speaker.mesh is not None
    others = (member("n2", "10.0.0.2", **changes), member("n3", "10.0.0.3"))
    mesh = replace(FINE.speaker.mesh, members=others)
    witness = replace(FINE, speaker=replace(FINE.speaker, mesh=mesh))
    fleet = fleet_of([node("n1"), node("n2"), written(witness), written(FINE, "n2")])
    n2 = fleet.node("n2")
    assert n2 is not None
    assert expected in "; ".join(n2.doubts)
    assert bool(n2.doubts) is bool(expected)


@pytest.mark.parametrize(
    ("ready", "doubted"),
    [
        pytest.param("Unknown", True, id="its kubelet is silent"),
        pytest.param("False", False, id="its kubelet says so itself"),
        pytest.param("True", False, id="it is ready"),
    ],
)
def test_a_node_that_the_cluster_has_lost_is_not_believed(ready: str, *, doubted: bool) -> None:
    """The last words of nodes that all died at once are that each is fine, and hears the others."""
    fleet = fleet_of([node(name, ready=ready) for name in ("n1", "n2")] +
                     [written(FINE, name) for name in ("n1", "n2")])  # fmt: skip
    places = tuple(Place(node=one.name, view=one.view, seen=one) for one in fleet.nodes)
    found = fleet_status(Scene(places=places, whole=True))
    assert found.exit_code == (3 if doubted else 0)
    sentence = "n1, n2: its kubelet is silent: the Node's condition Ready is Unknown"
    assert (sentence in found.problems) is doubted


def test_the_last_write_is_the_servers_word() -> None:
    """Question 21: since when is a node's agent gone or stale."""
    one = written(FINE)
    one["metadata"]["managedFields"] = [
        {"subresource": "status", "time": "2027-01-15T08:00:00Z"},
        {"time": "2027-01-15T09:00:00Z"},
    ]
    (found,) = fleet_of([one]).nodes
    assert found.written == NOW
    assert not found.known or found.doubts == ()


def test_bfd_and_its_times_survive() -> None:
    """`explain node` says how fast a router notices: by what both ends agreed on."""
    assert FINE.speaker is not None
    first, *rest = FINE.speaker.sessions
    watched = replace(FINE.speaker, sessions=(replace(first, bfd=WATCHED), *rest))
    there = seen(replace(FINE, speaker=watched)).speaker
    assert there is not None
    bfd = there.sessions[0].bfd
    assert bfd is not None
    assert bfd.state is WATCHED.state


def test_the_dead_are_no_witnesses() -> None:
    """A node that died believing the others dead is outvoted by those who live."""

    def view(name: str, **states: MemberState) -> dict[str, Any]:
        assert FINE.speaker is not None
        assert FINE.speaker.mesh is not None
        others = tuple(member(one, "10.0.0.9", state=state) for one, state in states.items())
        mesh = replace(FINE.speaker.mesh, node=name, members=others)
        return written(replace(FINE, speaker=replace(FINE.speaker, mesh=mesh)), name)

    dead, alive = MemberState.DEAD, MemberState.ALIVE
    fleet = fleet_of(
        [
            *map(node, ("n1", "n2", "n3")),
            view("n1", n2=alive, n3=dead),
            view("n2", n1=alive, n3=dead),
            view("n3", n1=dead, n2=dead),
        ]
    )
    assert [one.gone for one in fleet.nodes] == [False, False, True]
    assert [bool(one.doubts) for one in fleet.nodes] == [False, False, True]
