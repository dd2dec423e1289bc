"""Why a node stopped to advertise, or never began: Events with the Reason's own word."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.happening import MOST, Happening, Regarding
from bgpd.kube.withholding import withholding
from bgpd.model.peer import PeerName, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.reason import MISTAKES, Reason, Withheld
from bgpd.model.status import NodeStatus, RouteStatus
from tests.ctl.samples import NODE, SPEAKER

N1 = Regarding(kind="Node", name="n1")
WEB = Regarding(kind="Service", namespace="shop", name="web-1")
TOR_A, TOR_B = PeerName("tor-a"), PeerName("tor-b")


def route(number: int, *peers: PeerName) -> RouteStatus:
    """Return a route to an elastic IP that *peers* hear."""
    prefix = Prefix(f"203.0.113.{number}/32")
    return RouteStatus(
        prefix=prefix, peers=peers or (TOR_A,), rank=0, services=(f"shop/web-{number}",)
    )


def withheld(number: int, reason: Reason, **changes: Any) -> Withheld:
    """Return a route that is held back."""
    prefix = Prefix(f"203.0.113.{number}/32")
    one = Withheld(
        service=f"shop/web-{number}", prefix=prefix, reason=reason, message=f"because of {number}"
    )
    return replace(one, **changes)


def node(
    *routes: RouteStatus, agent: tuple[Withheld, ...] = (), speaker: tuple[Withheld, ...] = ()
) -> NodeStatus:
    """Return a node that advertises *routes* and withholds the rest."""
    said = replace(SPEAKER, routes=routes, withheld=speaker)
    return replace(NODE, speaker=said, withheld=agent)


def told(before: NodeStatus, after: NodeStatus) -> list[tuple[str, Regarding]]:
    """Return reason and object of each happening."""
    return [(one.reason, one.regarding) for one in withholding(before, after)]


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.DRAINED])
def test_a_route_that_goes_is_an_event_by_the_word_of_its_reason(reason: Reason) -> None:
    """The word of explain, of the log and of the metric, on the Service."""
    (one,) = withholding(node(route(1)), node(agent=(withheld(1, reason),)))
    assert (one.reason, one.regarding, one.action) == (reason.value, WEB, "Advertise")
    assert one.note.endswith("because of 1")


def test_a_drain_is_told_of_the_node_alone() -> None:
    """The Event `Drained` of the Node says it once, not for each Service."""
    drained = withheld(1, Reason.DRAINED, service="", peer=TOR_A)
    assert told(node(route(1)), node(speaker=(drained,))) == []


@pytest.mark.parametrize("reason", sorted(Reason))
def test_only_a_mistake_is_news_where_nothing_was_advertised(reason: Reason) -> None:
    """A thousand nodes without an endpoint of a new Service say nothing."""
    found = told(node(), node(agent=(withheld(1, reason),)))
    assert bool(found) is (reason in MISTAKES)
    same = node(agent=(withheld(1, reason),))
    assert told(same, same) == []


def test_the_first_look_is_no_news() -> None:
    """Nor is one without a word of the speaker."""
    after = node(agent=(withheld(1, Reason.ADDRESS_NOT_IN_POOL),))
    assert withholding(None, after) == ()
    assert withholding(replace(node(), speaker=None), after) == ()
    assert withholding(node(), replace(after, speaker=None)) == ()


def test_what_the_speaker_has_not_taken_back_yet_waits() -> None:
    """The agent decides, the route goes a moment later: then it is told, and told once."""
    decided = node(route(1), agent=(withheld(1, Reason.NO_LOCAL_ENDPOINTS),))
    gone = node(agent=decided.withheld)
    assert told(node(route(1)), decided) == []
    (one,) = withholding(decided, gone)
    assert one.note == "node n1 does not advertise 203.0.113.1/32 any more: because of 1"
    assert not one.warning
    assert not one.shared
    assert told(gone, gone) == []


def test_a_session_that_goes_down_is_no_reason_of_a_route() -> None:
    """Whoever shares the address and was withheld before is not what happened."""
    shared = withheld(1, Reason.NO_LOCAL_ENDPOINTS, service="shop/other")
    before = node(route(1), agent=(shared,))
    sessions = tuple(
        replace(one, state=PeerState.ACTIVE) if one.peer == TOR_A else one
        for one in SPEAKER.sessions
    )
    after = replace(before, speaker=replace(SPEAKER, routes=(), sessions=sessions))
    assert told(before, after) == []


def test_a_service_without_any_address_left_is_told_of_by_name() -> None:
    """Nothing is known of its prefix any more."""
    no = withheld(1, Reason.NO_ADDRESS, prefix=None)
    (one,) = withholding(node(route(1)), node(agent=(no,)))
    assert (one.reason, one.regarding) == ("NoAddress", WEB)
    assert one.shared, "every node sees the same: one Event is enough"
    still = node(route(2), agent=(no,))
    moved = replace(route(2), services=("shop/web-1",))
    assert (
        told(node(route(1), moved), replace(still, speaker=replace(SPEAKER, routes=(moved,)))) == []
    )


def test_a_route_that_one_of_two_routers_loses_is_told_of_that_router() -> None:
    """The other one still hears it."""
    standby = withheld(1, Reason.STANDBY, service="", peer=TOR_B)
    carried: dict[Prefix, tuple[str, ...]] = {Prefix("203.0.113.1/32"): ("shop/web-1",)}
    after = replace(node(route(1, TOR_A), speaker=(standby,)), services=carried)
    (one,) = withholding(node(route(1, TOR_A, TOR_B)), after)
    assert (one.reason, one.regarding, one.about) == ("Standby", WEB, "203.0.113.1/32 tor-b")
    assert told(node(route(1, TOR_A)), after) == []


def test_a_limit_is_told_for_each_router() -> None:
    """Each has a limit of its own; who cannot be named is the Node's."""
    limited = withheld(77, Reason.PREFIX_LIMIT, service="", peer=TOR_A)
    after = node(speaker=(limited, replace(limited, peer=TOR_B)))
    found = withholding(node(), after)
    assert [(one.reason, one.regarding, one.warning) for one in found] == [
        ("PrefixLimit", N1, True)
    ] * 2
    assert found[0].about != found[1].about
    assert found[0].note == limited.message


@pytest.mark.parametrize("many", [MOST, MOST + 1])
def test_many_of_one_reason_are_one_event(many: int) -> None:
    """Never one for each of ten thousand routes."""
    kept = tuple(withheld(number, Reason.NO_LOCAL_ENDPOINTS) for number in range(1, many + 1))
    before = node(*(route(number) for number in range(1, many + 1)))
    found: tuple[Happening, ...] = withholding(before, node(agent=kept))
    if many <= MOST:
        assert len(found) == many
        return
    (one,) = found
    assert one.regarding == N1
    assert one.note == f"node n1 withholds {many} routes; the first: because of 1"
