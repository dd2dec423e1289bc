"""What is news about a node: what a person cares about, and nothing that was so before."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.happening import MOST, Happening, Regarding, happenings
from bgpd.kube.problem import Problem, Standing
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.status import Condition, MemberState, NodeStatus, RouteStatus
from tests.ctl.samples import MESH, NODE, SPEAKER, member, session

N1 = Regarding(kind="Node", name="n1")


def after(**changes: Any) -> NodeStatus:
    """Return the node after its speaker changed."""
    return replace(NODE, speaker=replace(SPEAKER, **changes))


def news(new: NodeStatus, old: NodeStatus | None = NODE, **problems: Any) -> tuple[Happening, ...]:
    """Return what happened."""
    return happenings(old, new, namespace="bgpd-system", **problems)


def told(new: NodeStatus, old: NodeStatus | None = NODE) -> list[tuple[str, str, int]]:
    """Return reason, name of the object, and how often, of each."""
    return [(one.reason, one.regarding.name, one.times) for one in news(new, old)]


def sessions(state: PeerState, transitions: int) -> NodeStatus:
    """Return the node with one session."""
    one = session("tor-a", "192.0.2.1", state=state, transitions=transitions, last_error="why")
    return after(sessions=(one,))


UP, DOWN = PeerState.ESTABLISHED, PeerState.ACTIVE
FLAPS = [
    pytest.param((UP, 0), (UP, 0), [], id="nothing"),
    pytest.param((UP, 0), (DOWN, 1), [("SessionDown", 1)], id="down"),
    pytest.param((DOWN, 0), (UP, 1), [("SessionUp", 1)], id="up"),
    pytest.param((UP, 4), (UP, 6), [("SessionDown", 1), ("SessionUp", 1)], id="down and up"),
    pytest.param((DOWN, 4), (DOWN, 10), [("SessionDown", 3), ("SessionUp", 3)], id="three flaps"),
    pytest.param((UP, 4), (DOWN, 9), [("SessionDown", 3), ("SessionUp", 2)], id="and down"),
    pytest.param((DOWN, 1), (PeerState.IDLE, 1), [], id="from one way of being down to another"),
    pytest.param((UP, 9), (DOWN, 0), [("SessionDown", 1)], id="a counter that began anew"),
]


@pytest.mark.parametrize(("before", "now", "expected"), FLAPS)
def test_every_way_of_a_session_is_counted(
    before: tuple[PeerState, int], now: tuple[PeerState, int], expected: list[tuple[str, int]]
) -> None:
    """Also what happened between two looks."""
    found = news(sessions(*now), sessions(*before))
    assert [(one.reason, one.times) for one in found] == expected
    for one in found:
        assert (one.about, one.regarding) == ("tor-a", N1)
        assert one.warning == (one.reason == "SessionDown")


def test_a_session_that_goes_down_says_why() -> None:
    """In the words of the session."""
    (down,) = news(sessions(DOWN, 1), sessions(UP, 0))
    assert down.note == "the session with BGPPeer tor-a (192.0.2.1) went down: why"


def test_the_first_look_and_a_peer_that_is_new_are_no_news() -> None:
    """They are no change of anything."""
    assert told(NODE, None) == []
    assert told(NODE, after(sessions=())) == []
    assert told(after(sessions=())) == []
    assert told(replace(NODE, speaker=None)) == []
    assert told(NODE, replace(NODE, speaker=None)) == []


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        pytest.param(replace(MESH, generation=8), [], id="who hears of a raise tells nothing"),
        pytest.param(
            replace(MESH, generation=8, raises=1,
                    members=(member("n2", "10.0.0.2", state=MemberState.DEAD),)),
            [("TakenOver", "n2", 1)], id="who raised tells it about the dead node"),
        pytest.param(
            replace(MESH, generation=8, raises=1,
                    members=tuple(member(name, "10.0.0.2", state=MemberState.DEAD)
                                  for name in ("n3", "n2"))),
            [("TakenOver", "n2", 1), ("TakenOver", "n3", 1)], id="about each of them"),
        pytest.param(
            replace(MESH, generation=9, raises=2), [("TakenOver", "n1", 2)],
            id="about ourselves, where the dead is back already"),
        pytest.param(
            replace(MESH, members=(member("n2", "10.0.0.2", state=MemberState.QUARANTINED),)),
            [("Quarantined", "n2", 1)], id="quarantine"),
        pytest.param(
            replace(MESH, members=(member("n2", "10.0.0.2", state=MemberState.DEAD),)),
            [], id="a death alone is another node's to tell"),
    ],
)  # fmt: skip
def test_the_mesh_is_told_by_who_acts(mesh: Any, expected: list[tuple[str, str, int]]) -> None:
    """One takeover is no news of every node."""
    assert told(after(mesh=mesh)) == expected


def test_a_speaker_that_starts_anew_counts_its_own_raises() -> None:
    """Its counters begin at nothing."""
    raised = replace(MESH, raises=5)
    again = replace(SPEAKER, started=SPEAKER.started + 60, mesh=replace(MESH, raises=1))
    old = after(mesh=raised)
    assert told(replace(NODE, speaker=again), old) == [("TakenOver", "n1", 1)]


def condition(type_: str, message: str, *, status: bool = True) -> Condition:
    """Return a condition."""
    return Condition(type=type_, status=status, reason="Because", message=message)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(condition("ConfigurationVanished", "all pools are gone"), N1, id="vanished"),
        pytest.param(condition("ConfigurationRefused", "BGPPeer tor-a: no"),
                     Regarding(kind="BGPPeer", name="tor-a", namespace="bgpd-system"),
                     id="a document that policy refuses"),
        pytest.param(condition("ConfigurationRefused", "on node n1: IPAddressPool p: no"),
                     Regarding(kind="IPAddressPool", name="p", namespace="bgpd-system"),
                     id="one that only this node refuses"),
        pytest.param(condition("ConfigurationRefused", "Node n1 has no address"), N1,
                     id="what is about no document is about the node"),
        pytest.param(condition("FamilyLeftOut", "BGPPeer tor-a: no"), None, id="something else"),
        pytest.param(condition("ConfigurationVanished", "", status=False), None, id="not so"),
    ],
)  # fmt: skip
def test_conditions_that_a_person_must_act_on_are_news(
    one: Condition, expected: Regarding | None
) -> None:
    """Also at the first look; while they last they are no news."""
    new = replace(NODE, conditions=(one,))
    for old in (None, NODE):
        assert [found.regarding for found in news(new, old)] == [expected] * bool(expected)
    assert news(new, new) == ()


def test_a_refused_object_is_news_about_it() -> None:
    """Told by one node, because all see the same; a field without effect is none."""
    wrong = Problem(source="API", kind="Service", name="shop/web", message="is wrong")
    notice = Problem(source="API", kind="BGPPeer", name="x", message="no effect",
                     standing=Standing.IGNORED)  # fmt: skip
    nameless = Problem(source="API", kind="BGPPeer", message="has no name")
    (found,) = news(NODE, None, problems=(wrong, notice, nameless))
    assert found.regarding == Regarding(kind="Service", namespace="shop", name="web")
    assert found.shared
    assert news(NODE, NODE, problems=(wrong,), problems_before=(wrong,)) == ()


def route(number: int, *, heard: bool = True) -> RouteStatus:
    """Return a route to an elastic IP, and whether a session with a router is up."""
    return RouteStatus(
        prefix=Prefix(f"203.0.113.{number}/32"),
        peers=(PeerName("tor"),) if heard else (),
        rank=0,
        services=(f"shop/web-{number}",),
    )


def test_a_route_that_begins_is_told_once_to_its_service() -> None:
    """Not again while it stays, and not for what was there at the first look."""
    before, now = after(routes=(route(1),)), after(routes=(route(1), route(2)))
    (begun,) = news(now, before)
    assert (begun.reason, begun.warning) == ("Advertised", False)
    assert begun.regarding == Regarding(kind="Service", namespace="shop", name="web-2")
    assert begun.note == "node n1 advertises 203.0.113.2/32"
    assert not news(now, now)
    assert not news(now, None)


def test_a_route_that_no_router_hears_is_not_advertised_yet() -> None:
    """A Service is told when the first session is up, not while its route waits for one."""
    waiting, heard = after(routes=(route(1, heard=False),)), after(routes=(route(1),))
    assert not news(waiting, after(routes=()))
    (begun,) = news(heard, waiting)
    assert begun.reason == "Advertised"


def test_many_routes_that_begin_are_one_happening() -> None:
    """A node that joins a large cluster says one thing about itself."""
    many = after(routes=tuple(route(number) for number in range(1, MOST + 2)))
    (begun,) = news(many, after(routes=()))
    assert begun.regarding == N1
    assert begun.note == f"node n1 advertises {MOST + 1} more elastic IPs"
