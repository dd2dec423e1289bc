"""What a speaker says of a session is held against the router's word, and excused for one thing."""

from collections.abc import Iterable

import pytest

from tests.lab.agreement import MOMENT, Agreement, At, half_open, session_of
from tests.lab.plan import FamilyChoice, Plan
from tests.lab.provider import ProviderName

HERE: At = ("n1", 1, 4)
LATER = MOMENT + 0.1


def looked(
    *rounds: tuple[float, bool, bool, bool], excused: bool = False, absent: Iterable[float] = ()
) -> list[str]:
    """Return what is wrong after rounds of (time, router before, the speaker, router after)."""
    agreement, found = Agreement(), []
    for at, before, said, after in rounds:
        found += agreement.look(
            at,
            gauges={} if at in absent else {HERE: said},
            before={HERE: before},
            after={HERE: after},
            half_open=lambda _: excused,
        )
    return found


UP, DOWN = True, False


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param([(0, UP, UP, UP), (5, DOWN, DOWN, DOWN)], id="both say the same"),
        pytest.param([(0, UP, DOWN, DOWN), (5, UP, DOWN, DOWN)], id="it changed between the looks"),
        pytest.param([(0, DOWN, UP, DOWN), (0.5, DOWN, DOWN, DOWN)], id="a moment later it knows"),
        pytest.param([(0, DOWN, UP, DOWN)], id="one look is no dispute yet"),
        pytest.param(
            [(0, DOWN, UP, DOWN), (0.5, UP, UP, UP), (LATER, DOWN, UP, DOWN)],
            id="two disputes, each short",
        ),
        pytest.param(
            [(0, DOWN, UP, DOWN), (7, DOWN, UP, DOWN), (7.2, DOWN, DOWN, DOWN)],
            id="the machine stood still in between",
        ),
    ],
)
def test_what_may_be_is_no_problem(rounds: list[tuple[float, bool, bool, bool]]) -> None:
    """News takes a moment."""
    assert looked(*rounds) == []


@pytest.mark.parametrize("said", [UP, DOWN], ids=["up", "down"])
def test_a_speaker_that_goes_on_being_wrong_is_told_of_once(said: bool) -> None:
    """With its node, the router and for how long."""
    other = not said
    (problem,) = looked(*((at, other, said, other) for at in (0, 0.5, LATER, 5, 9)))
    words = ("up", "down") if said else ("down", "up")
    assert problem == (
        f"n1 tells Prometheus for {MOMENT:.1f} s that its IPv4 session with router is {words[0]};"
        f" the router says {words[1]}"
    )


def test_nobody_is_blamed_for_a_connection_that_only_one_kernel_still_has() -> None:
    """The way is cut, and no timer has ended."""
    assert looked((0, DOWN, UP, DOWN), (9, DOWN, UP, DOWN), excused=True) == []


def test_a_speaker_that_does_not_answer_says_nothing_wrong() -> None:
    """What it says when it is back begins anew."""
    rounds = [(0, DOWN, UP, DOWN), (LATER, DOWN, UP, DOWN), (LATER * 1.5, DOWN, UP, DOWN)]
    assert looked(*rounds, absent=[LATER]) == []


OURS, THEIRS = "10.99.1.1", "10.99.1.0"


@pytest.mark.parametrize(
    ("node", "router", "excused"),
    [
        pytest.param([40000], [40000], False, id="both have it: whoever is wrong could know"),
        pytest.param([], [], False, id="neither has it: the same"),
        pytest.param([40000], [], True, id="the node alone has it"),
        pytest.param([], [40000], True, id="the router alone has it"),
        pytest.param([40000], [40001], True, id="each has another one"),
    ],
)
def test_a_connection_is_half_open_where_one_kernel_is_alone_with_it(
    node: list[int], router: list[int], excused: bool
) -> None:
    """By both addresses and the port that is not 179."""
    ours = {(OURS, THEIRS, port) for port in node} | {(OURS, "10.97.1.0", 1)}
    theirs = {(THEIRS, OURS, port) for port in router} | {(THEIRS, "10.99.2.1", 2)}
    assert half_open(ours, theirs, (OURS, THEIRS)) is excused


@pytest.mark.parametrize(
    ("plan", "peer", "session"),
    [
        pytest.param(Plan(), "router-n1-v4", HERE, id="the one router"),
        pytest.param(
            Plan(family=FamilyChoice.DUAL), "router-n1-v6", ("n1", 1, 6), id="the other family"
        ),
        pytest.param(Plan(routers=2), "router2-n1-v4", ("n1", 2, 4), id="the second router"),
        pytest.param(Plan(), "router-n2-v4", None, id="another node's peer"),
        pytest.param(Plan(), "router2-n1-v4", None, id="a router that is not there"),
        pytest.param(
            Plan(provider=ProviderName.PACKET, routers=2),
            "packet-169.254.255.2",
            ("n1", 2, 4),
            id="what a provider named",
        ),
    ],
)
def test_a_peer_is_known_by_its_name(plan: Plan, peer: str, session: At | None) -> None:
    """The label of the metric says which session it is about."""
    assert session_of(plan, "n1", peer) == session
