"""Who carried an address before, by Events; and how near a peer is to its prefix limit."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.ctl.explaineverywhere import everywhere
from bgpd.ctl.explainhistory import history, history_text
from bgpd.ctl.explainroom import room
from bgpd.ctl.fleet import fleet_of
from bgpd.model.grounds import PeerRoute
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.model.route import Advertisement, Attributes
from tests.ctl.samples import NOW, session
from tests.ctl.test_explain_fleet import NODES, carrying, withholding

WEB = "203.0.113.10/32"
HOUR = 3600.0
NOON = "2027-01-15T0{}:{:02}:00.000000Z"
"""The samples' *now* is 08:00."""


def event(minutes: int, reason: str, node: str = "n1", **changes: Any) -> dict[str, Any]:
    """Return an Event of so many minutes ago."""
    hour, minute = divmod(8 * 60 - minutes, 60)
    note = f"node {node} advertises {WEB}" if reason == "Advertised" else "because"
    return {
        "kind": "Event",
        "metadata": {"name": f"web.{minutes}.{reason}.{node}", "namespace": "default"},
        "eventTime": NOON.format(hour, minute),
        "reason": reason,
        "note": note,
        "reportingInstance": node,
        "regarding": {"kind": "Service", "namespace": "default", "name": "web"},
        **changes,
    }


def of_node(name: str) -> dict[str, Any]:
    """Return that an Event is about a Node."""
    return {"regarding": {"kind": "Node", "name": name}}


def carried(*events: dict[str, Any], **now: bool) -> tuple[str, ...]:
    """Return who carried it an hour ago."""
    return history(events, "default/web", WEB, nodes=now, since=NOW - HOUR).carried


@pytest.mark.parametrize(
    ("events", "now", "then"),
    [
        pytest.param((), {"n1": True, "n2": False}, ("n1",), id="nothing happened"),
        pytest.param((event(30, "Advertised"),), {"n1": True}, (), id="it began since"),
        pytest.param((event(30, "NoLocalEndpoints"),), {"n1": False}, ("n1",), id="it ended since"),
        pytest.param((event(40, "NoLocalEndpoints"), event(20, "Advertised")), {"n1": True},
                     ("n1",), id="it went and came back"),
        pytest.param((event(90, "Advertised"),), {"n1": True}, ("n1",), id="before that"),
        pytest.param((event(30, "TakenOver", "n2", **of_node("n3")),), {"n2": True, "n3": False},
                     ("n2", "n3"), id="a node that died"),
        pytest.param((event(30, "Drained", "n1", **of_node("n1")),), {"n1": False}, ("n1",),
                     id="a node that was drained"),
        pytest.param((event(30, "NoEndpoints", "n1"),), {"n1": False, "n2": False}, ("n1", "n2"),
                     id="what one node tells for all"),
        pytest.param((event(30, "Advertised", note="node n1 advertises 203.0.113.11/32"),),
                     {"n1": True}, ("n1",), id="another address of the Service"),
        pytest.param((event(30, "NoLocalEndpoints", note="node n1 does not advertise "
                      "2001:db8::7/128 any more: no ready endpoint"),), {"n1": False}, (),
                     id="another address of the Service ended"),
        pytest.param((event(30, "NoLocalEndpoints", note=f"node n1 does not advertise {WEB} any"
                      " more: no ready endpoint"),), {"n1": False}, ("n1",), id="this one ended"),
        pytest.param((event(30, "PrefixLimit"),), {"n1": True}, ("n1",),
                     id="a mistake at one of its peers"),
        pytest.param((event(30, "NoLocalEndpoints", regarding={
                      "kind": "Service", "namespace": "default", "name": "db"}),),
                     {"n1": False}, (), id="another Service"),
        pytest.param((event(90, "Advertised", series={
                      "lastObservedTime": NOON.format(7, 30)}),), {"n1": True}, (),
                     id="it began again since"),
    ],
)  # fmt: skip
def test_what_was_so_follows_from_what_is_and_what_happened(
    events: tuple[dict[str, Any], ...], now: dict[str, bool], then: tuple[str, ...]
) -> None:
    """Question 3: which nodes announce this address now, and which did an hour ago."""
    assert carried(*events, **now) == then


@pytest.mark.parametrize(
    "events",
    [
        pytest.param((event(30, "AddressNotInPool"),), id="never was, or was until then"),
        pytest.param((event(30, "AddressNotInPool"), event(20, "Advertised")), id="and was mended"),
    ],
)
def test_a_mistake_does_not_tell_what_was_before(events: tuple[dict[str, Any], ...]) -> None:
    """It is an Event of a Service that is new as well; nobody is to have carried that."""
    now = {"n1": len(events) > 1}
    found = history(events, "default/web", WEB, nodes=now, since=NOW - HOUR)
    assert (found.carried, found.unsure) == ((), ("n1",))
    assert "of n1 they do not tell\n" in history_text(found, now=NOW)


def test_events_that_are_gone_are_not_taken_for_calm() -> None:
    """Kubernetes keeps Events for an hour; who asks for a day hears that."""
    young = history([event(30, "Scheduled")], "default/web", WEB, nodes={}, since=NOW - HOUR)
    assert not young.reaches
    text = history_text(young, now=NOW).replace("\n  ", " ")
    assert text.startswith("30m ago no node carried it")
    assert "no Event is older: what was before is not known" in text
    old = history([event(61, "Scheduled")], "default/web", WEB, nodes={}, since=NOW - HOUR)
    assert old.reaches


def test_the_table_of_now_is_followed_by_what_was() -> None:
    """One command, 80 columns."""
    events = [event(61, "Started"), event(30, "NoLocalEndpoints", "n2")]
    fleet = fleet_of([*NODES[:2], carrying("n1"), withholding("n2"), *events])
    text = everywhere(fleet, "web", now=NOW, since=NOW - HOUR).text
    assert "1h ago n1, n2 carried it" in text
    assert "01-15T07:30:00Z  n2    NoLocalEndpoints  because" in text
    assert max(map(len, text.splitlines())) <= 80


def test_events_that_could_not_be_read_say_nothing() -> None:
    """None would say that nothing ever moved."""
    refused = "https://10.0.0.1: /apis/events.k8s.io/v1/events: 403 Forbidden"
    fleet = fleet_of([*NODES[:1], carrying("n1")], unread=[refused])
    text = everywhere(fleet, "web", now=NOW, since=NOW - HOUR).text
    assert "who carried it before is not known" in text
    assert "ago" not in text


def offered(number: int, priority: int = 0, *, sent: bool = True) -> PeerRoute:
    """Return a route at a peer with a limit."""
    prefix, peer = Prefix(f"203.0.113.{number}/32"), PeerName("tor-b")
    why = Withheld(service="", prefix=prefix, reason=Reason.PREFIX_LIMIT, message="no", peer=peer)
    return PeerRoute(
        peer=peer,
        prefix=prefix,
        wanted=Advertisement(peer=peer, prefix=prefix, priority=priority),
        told=Attributes(next_hop=Address("10.0.0.1")) if sent else None,
        withheld=None if sent else why,
    )


def test_who_is_left_out_next_is_the_last_of_the_least_priority() -> None:
    """Question 18: how near the limit is, who is out, and who would be next."""
    one = session("tor-b", "169.254.255.2", max_prefixes=3)
    services = {Prefix("203.0.113.2/32"): ("default/web",)}
    routes = [offered(1, 9), offered(2), offered(3, 5)]
    said = list(room(one, routes, services))
    assert said == [
        "prefix limit 3: 3 taken, room for 0 more",
        "next to be left out, for a higher priority: 203.0.113.2/32 (default/web, priority 0)",
    ]
    crowded = list(room(one, [*routes, offered(4, sent=False)], services))
    assert "left out now: 203.0.113.4/32 (priority 0)" in crowded
    assert list(room(replace(one, max_prefixes=None), routes, services)) == []
