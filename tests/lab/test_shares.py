"""Whose milliseconds a figure holds: ours end when the UPDATE is at the router."""

from dataclasses import replace

import pytest

from tests.lab.shares import (
    moved_away,
    of_endpoint,
    of_takeover,
    raised_at,
)
from tests.lab.watch import RouteChange, Update

SERVICE, OTHER, SIX = "203.0.113.10/32", "203.0.113.11/32", "2001:db8:e::a/128"
NODE, NODE_6, SECOND, DEAD = "10.99.1.1", "2001:db8:99:1::b", "10.99.2.1", "10.99.3.1"


def withdrawal(at: float, source: str, *prefixes: str) -> Update:
    """Return an UPDATE that withdraws *prefixes*."""
    return Update(at=at, source=source, withdrawn=frozenset(prefixes))


def advertisement(at: float, source: str, *prefixes: str) -> Update:
    """Return an UPDATE that advertises *prefixes*."""
    return Update(at=at, source=source, advertised=frozenset(prefixes))


UPDATES = [
    withdrawal(0.9, NODE, SERVICE),
    withdrawal(1.001, SECOND, SERVICE),
    withdrawal(1.002, NODE, OTHER),
    advertisement(1.003, NODE, SERVICE),
    withdrawal(1.004, NODE, SERVICE),
    withdrawal(1.006, NODE_6, SIX),
]


@pytest.mark.parametrize(
    ("prefixes", "present", "changed", "ours", "routers"),
    [
        pytest.param({SERVICE}, False, 1.064, 4.0, 60.0, id="the node's own withdrawal counts"),
        pytest.param({SERVICE}, True, 1.064, 3.0, 61.0, id="an advertisement is no withdrawal"),
        pytest.param({SERVICE, SIX}, False, 1.01, 6.0, 4.0, id="the last family counts"),
        pytest.param({SERVICE}, False, None, 4.0, None, id="no route changed: no router's share"),
        pytest.param({SERVICE, OTHER}, True, 1.01, None, None, id="not all seen: no shares"),
    ],
)
def test_the_way_of_an_endpoint_is_cut_where_the_update_reaches_the_router(
    prefixes: set[str],
    present: bool,
    changed: float | None,
    ours: float | None,
    routers: float | None,
) -> None:
    """Only UPDATEs of that node, about those prefixes, after the file was written, count."""
    found = of_endpoint(
        UPDATES,
        sources={NODE, NODE_6},
        prefixes=prefixes,
        present=present,
        written=1.0,
        changed=changed,
    )
    assert found == {"to_router_ms": ours, "router_ms": routers}


def test_a_takeover_is_cut_at_the_first_survivor_and_raised_to_the_last() -> None:
    """The first UPDATE moves the traffic; the raise is over when the last survivor has spoken."""
    updates = [
        advertisement(1.05, DEAD, SERVICE),
        advertisement(1.12, SECOND, SERVICE),
        advertisement(1.122, NODE, SERVICE),
        advertisement(1.3, SECOND, SERVICE),
    ]
    whole = of_takeover(updates, survivors={NODE, SECOND}, struck=1.0, raised=1.115, moved=1.181)
    assert whole == {"to_router_ms": 120.0, "raise_to_router_ms": 7.0, "router_ms": 61.0}
    part = of_takeover(updates[:2], survivors={NODE, SECOND}, struck=1.0, raised=1.115, moved=None)
    assert part == {"to_router_ms": 120.0, "raise_to_router_ms": None, "router_ms": None}


def test_routes_have_moved_when_the_last_one_left() -> None:
    """A change that keeps the node, and one before the strike, are none; a deletion is one."""
    change = RouteChange(at=1.1, prefix=SERVICE, gateways=frozenset({NODE}), deleted=False)
    changes = [
        replace(change, at=0.5),
        replace(change, at=1.05, gateways=frozenset({NODE, DEAD})),
        change,
        replace(change, at=1.4),
    ]

    def away(*prefixes: str) -> float | None:
        return moved_away(changes, gateways={DEAD}, prefixes=prefixes, since=1.0)

    assert away(SERVICE) == 1.1
    assert away(SERVICE, OTHER) is None
    gone = replace(change, at=1.2, prefix=OTHER, gateways=frozenset({DEAD}), deleted=True)
    changes.append(gone)
    assert away(SERVICE, OTHER) == 1.2


def test_the_raise_is_the_earliest_decision_among_the_survivors() -> None:
    """Adoptions and raises of an earlier death say nothing about this one."""

    def failover(kind: str, at: float) -> dict[str, object]:
        steps = [{"name": "cause", "milliseconds": 0.0}, {"name": "decision", "milliseconds": 120}]
        return {"kind": kind, "at": at, "steps": steps}

    timelines = [
        [failover("raise", 50.0), failover("adopt", 99.0)],
        [failover("raise", 100.01), failover("raise", 100.0)],
        [],
    ]
    assert raised_at(timelines, since=100.0) == pytest.approx(100.12)
    assert raised_at(timelines, since=101.0) is None
