"""The accounting of TCP connections: which may be reset, and which must succeed."""

from typing import Any

import pytest

from tests.lab.connections import account, moves
from tests.lab.watch import RouteChange

ADDRESS = "203.0.113.10"
PREFIX = f"{ADDRESS}/32"
ONE, BOTH = frozenset({"10.99.1.1"}), frozenset({"10.99.1.1", "10.99.2.1"})


def change(at: float, gateways: frozenset[str], *, deleted: bool = False) -> RouteChange:
    """Return one message of the router's kernel about our prefix."""
    return RouteChange(at=at, prefix=PREFIX, gateways=gateways, deleted=deleted)


def record(*short: tuple[float, float, str], breaks: tuple[float, ...] = ()) -> dict[str, Any]:
    """Return what the client would have written of short connections and one long one."""
    return {
        "short": [[ADDRESS, began, ended, "n1", wrong] for began, ended, wrong in short],
        "tcp": [{"address": ADDRESS, "breaks": [[at, "n1", "closed"] for at in breaks]}],
    }


def test_the_same_next_hops_again_are_no_change() -> None:
    """A kernel that repeats itself moves nobody; a route that goes and comes back moves twice."""
    repeated = [change(1, BOTH), change(2, BOTH), change(3, ONE), change(4, ONE)]
    assert moves(repeated) == {PREFIX: [1, 3]}
    assert moves([change(1, ONE), change(2, ONE, deleted=True), change(3, ONE)]) == {
        PREFIX: [1, 2, 3]
    }


@pytest.mark.parametrize(
    ("short", "failed", "across", "reset"),
    [
        pytest.param((1.0, 1.002, ""), 0, 0, 0, id="one between two changes succeeds"),
        pytest.param((1.0, 1.002, "closed"), 1, 0, 0, id="one that fails there is a failure"),
        pytest.param((1.999, 2.003, ""), 0, 1, 0, id="one across a change may succeed"),
        pytest.param((1.999, 2.003, "silent"), 0, 1, 1, id="one across a change may be reset"),
        pytest.param((2.01, 2.015, "closed"), 0, 1, 1, id="a change is told a moment late"),
        pytest.param((2.1, 2.2, "silent"), 1, 0, 0, id="one after it must succeed"),
    ],
)
def test_a_short_connection_fails_only_between_changes(
    short: tuple[float, float, str], failed: int, across: int, reset: int
) -> None:
    """The route changes at 2.0: what was open then is counted apart."""
    found = account(record(short), {PREFIX: [2.0]})
    assert (found.failed, found.across, found.reset) == (failed, across, reset)
    assert found.findings()["connections_between_changes_succeeded"] is (failed == 0)


@pytest.mark.parametrize(
    ("breaks", "unexplained"),
    [
        pytest.param((), 0, id="nobody has to be reset"),
        pytest.param((2.04,), 0, id="one for the change before it"),
        pytest.param((2.04, 5.03), 0, id="one for each change"),
        pytest.param((2.04, 2.5), 1, id="two for one change is one too many"),
        pytest.param((1.0,), 1, id="one before any change has another cause"),
        pytest.param((4.9,), 0, id="silence is noticed after three seconds"),
        pytest.param((40.0,), 1, id="a change of long ago explains nothing"),
    ],
)
def test_a_long_connection_is_reset_once_for_each_change(
    breaks: tuple[float, ...], unexplained: int
) -> None:
    """The route changes at 2.0 and at 5.0."""
    found = account(record(breaks=breaks), {PREFIX: [2.0, 5.0]})
    assert found.unexplained == unexplained
    assert found.findings()["at_most_one_reset_a_change"] is (unexplained == 0)


def test_changes_of_another_route_explain_nothing() -> None:
    """Each connection is held against the route of its own elastic IP."""
    found = account(record((1.0, 1.1, "closed"), breaks=(1.2,)), {"203.0.113.11/32": [1.05]})
    assert (found.failed, found.unexplained, found.changes) == (1, 1, 1)
