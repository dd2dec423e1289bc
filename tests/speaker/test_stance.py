"""Damping: how often a router that remembers flaps hears another generation."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.peer import Lever, Peer, PeerName, Takeover
from bgpd.policy.lever import Stance
from bgpd.speaker.stance import DAMPING_CHANGES, DAMPING_SECONDS, Stances
from tests.policy.test_lever import PEER

DAMPING = replace(PEER, damping=True)


def say(stances: Stances, peer: Peer, generation: int, now: float, *, offered: bool = True) -> int:
    """Return the generation that *peer* hears when ours is *generation*."""
    base = Stance(generation=generation)
    return stances.of(peer, base, unheard=False, offered=offered, now=now).generation


@pytest.mark.parametrize(
    ("peer", "heard", "left"),
    [
        pytest.param(PEER, [1, 2, 3, 4, 5, 6], None, id="a router that does not dampen hears all"),
        pytest.param(DAMPING, [1, 2, 3, 4, 4, 4], 0, id="one that dampens hears three changes"),
        pytest.param(
            replace(DAMPING, lever=Lever.LOCAL_PREF), [1, 2, 3, 4, 4, 4], 0, id="whatever lever"
        ),
        pytest.param(
            replace(DAMPING, lever=Lever.ORIGIN),
            [1, 2, 3, 4, 4, 4],
            0,
            id="also of three steps",
        ),
        pytest.param(
            replace(DAMPING, lever=Lever.NONE), [1, 2, 3, 4, 5, 6], None, id="no lever, no change"
        ),
        pytest.param(
            replace(DAMPING, takeover=Takeover.NEVER),
            [1, 2, 3, 4, 5, 6],
            None,
            id="no takeover, no change",
        ),
    ],
)
def test_how_many_changes_a_router_hears(peer: Peer, heard: list[int], left: int | None) -> None:
    """Six generations within a minute: beyond the budget, the routes keep the one they have."""
    stances = Stances()
    said = [say(stances, peer, number, 10.0 * number) for number in range(1, 7)]
    assert said == heard
    assert stances.budget(peer, 61.0) == left


def test_a_spent_budget_refills_one_by_one() -> None:
    """Ten minutes after each change another one is possible, and the peer catches up."""
    stances = Stances()
    for number in range(1, 6):
        say(stances, DAMPING, number, 10.0 * number)
    assert stances.refills(DAMPING, 100.0) == 20.0 + DAMPING_SECONDS
    assert not stances.catch_up_due(19.0 + DAMPING_SECONDS, unheard=True)
    assert stances.catch_up_due(20.0 + DAMPING_SECONDS, unheard=True)
    assert say(stances, DAMPING, 5, 21.0 + DAMPING_SECONDS) == 5
    assert not stances.catch_up_due(22.0 + DAMPING_SECONDS, unheard=True)
    assert stances.refills(DAMPING, 22.0 + DAMPING_SECONDS) == 30.0 + DAMPING_SECONDS


def test_what_nobody_hears_costs_nothing() -> None:
    """A session that is down remembers no flap."""
    stances = Stances()
    for number in range(1, 20):
        assert say(stances, DAMPING, number, 1.0, offered=False) == number
    assert stances.budget(DAMPING, 1.0) == DAMPING_CHANGES


def test_another_name_is_the_same_router() -> None:
    """The router remembers flaps by session; so do we, through renaming and removal."""
    stances = Stances()
    for number in range(1, 5):
        say(stances, DAMPING, number, 1.0)
    stances.forget_all_but([], 2.0)
    renamed = replace(DAMPING, name=PeerName("renamed"))
    assert stances.budget(renamed, 2.0) == 0
    assert say(stances, renamed, 9, 2.0) == 4


def _lag_by_budget(stances: Stances) -> None:
    for number in range(1, 6):
        say(stances, DAMPING, number, 1.0)


def _lag_by_steps(stances: Stances) -> None:
    peer = replace(DAMPING, lever=Lever.ORIGIN)
    for number in (1, 2, 3):
        base = Stance(generation=number)
        stances.of(peer, base, unheard=True, offered=True, now=1.0)


def _lag_by_patience(stances: Stances) -> None:
    for number in (1, 2):
        base = Stance(generation=number)
        stances.of(DAMPING, base, unheard=False, offered=True, now=1.0)
    base = Stance(generation=3)
    stances.of(DAMPING, base, unheard=False, offered=True, now=1.0, patience=0.5)


@pytest.mark.parametrize("lag", [_lag_by_budget, _lag_by_steps, _lag_by_patience])
def test_nobody_waits_for_a_router_that_is_gone(lag: Callable[[Stances], None]) -> None:
    """It would be time for ever: all routes would be gone over again and again."""
    here, gone = Stances(), Stances()
    now = 1.0 + DAMPING_SECONDS
    for stances in (here, gone):
        lag(stances)
    gone.forget_all_but([], 2.0)
    assert here.catch_up_due(now, unheard=False)
    assert not gone.catch_up_due(now, unheard=False)
    assert gone.waits_until is None


def test_the_condition_names_the_peer_and_the_moment() -> None:
    """A person learns which router and until when, by the wall clock."""
    stances = Stances()
    assert list(stances.conditions([DAMPING], now=0.0, wall_offset=0.0)) == []
    for number in range(1, 5):
        say(stances, DAMPING, number, 0.0)
    (found,) = stances.conditions([DAMPING, PEER], now=5.0, wall_offset=1_000_000_000.0)
    assert (found.type, found.status) == ("DampingBudgetSpent", True)
    assert f"peer {DAMPING.name} " in found.message
    assert "2001-09-09T01:56:40Z" in found.message


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 200)), max_size=60))
def test_no_ten_minutes_hold_more_changes_than_the_budget(steps: list[tuple[int, float]]) -> None:
    """Whatever the generation does, and whenever: this is what the router counts."""
    stances, now, generation = Stances(), 0.0, 1
    heard = say(stances, DAMPING, generation, now)
    changes: list[float] = []
    for gained, pause in steps:
        now, generation = now + pause, generation + gained
        before, heard = heard, say(stances, DAMPING, generation, now)
        changes += [now] if heard != before else []
    for at in changes:
        assert sum(at <= other < at + DAMPING_SECONDS for other in changes) <= DAMPING_CHANGES
