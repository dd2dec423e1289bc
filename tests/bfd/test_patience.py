"""A raised generation, told to a router that notices a dead node itself: after its own time."""

from dataclasses import replace
from typing import Any

from bgpd.model.peer import Lever, Peer
from bgpd.policy.lever import Stance
from bgpd.speaker.stance import Stances
from tests.bfd.node import peer


def _generation(stances: Stances, to: Peer, generation: int, now: float, **how: Any) -> int:
    base = Stance(generation=generation)
    arguments = {"unheard": False, "offered": True, "patience": None, **how}
    return stances.of(to, base, now=now, **arguments).generation


ROUTER = peer("10.9.0.2", "10.9.0.1")


def test_a_raise_waits_and_is_told_when_its_time_has_come() -> None:
    """Not before, and with a deadline of its own."""
    stances = Stances()
    assert _generation(stances, ROUTER, 5, 0.0, patience=0.25) == 5
    assert stances.waits_until is None
    assert _generation(stances, ROUTER, 6, 1.0, patience=0.25) == 5
    assert stances.waits_until == 1.25
    assert not stances.catch_up_due(1.2, unheard=False)
    assert _generation(stances, ROUTER, 6, 1.2, patience=0.25) == 5
    assert stances.catch_up_due(1.25, unheard=False)
    assert _generation(stances, ROUTER, 6, 1.25, patience=0.25) == 6
    assert stances.waits_until is None


def test_a_peer_without_bfd_waits_for_nothing() -> None:
    """Nor one whose BFD goes down meanwhile, nor one that has no routes of ours."""
    for how in ({"patience": None}, {"patience": 0.25, "offered": False}):
        stances = Stances()
        _generation(stances, ROUTER, 5, 0.0, patience=0.25)
        assert _generation(stances, ROUTER, 6, 1.0, **how) == 6
    stances = Stances()
    _generation(stances, ROUTER, 5, 0.0, patience=0.25)
    assert _generation(stances, ROUTER, 6, 1.0, patience=0.25) == 5
    assert _generation(stances, ROUTER, 6, 1.01) == 6
    assert stances.waits_until is None


def test_each_death_has_its_own_time() -> None:
    """A second raise does not push the first one out."""
    stances = Stances()
    _generation(stances, ROUTER, 5, 0.0, patience=0.25)
    _generation(stances, ROUTER, 6, 1.0, patience=0.25)
    assert _generation(stances, ROUTER, 7, 1.1, patience=0.25) == 5
    assert _generation(stances, ROUTER, 7, 1.26, patience=0.25) == 6
    assert stances.waits_until == 1.35
    assert _generation(stances, ROUTER, 7, 1.36, patience=0.25) == 7


def test_a_reset_waits_for_nothing() -> None:
    """A person lowered the generation: whoever waits forgets what for."""
    stances = Stances()
    _generation(stances, ROUTER, 900, 0.0, patience=0.25)
    _generation(stances, ROUTER, 901, 1.0, patience=0.25)
    assert _generation(stances, ROUTER, 1, 1.1, patience=0.25) == 1
    assert stances.waits_until is None


def test_peers_wait_each_for_itself() -> None:
    """One router has BFD, the other has none."""
    stances = Stances()
    other = peer("10.9.0.3", "10.9.0.1")
    for one, patience in ((ROUTER, 0.25), (other, None)):
        _generation(stances, one, 5, 0.0, patience=patience)
    assert _generation(stances, ROUTER, 6, 1.0, patience=0.25) == 5
    assert _generation(stances, other, 6, 1.0) == 6
    stances.forget_all_but([other], 1.0)
    assert stances.waits_until is None


def test_a_router_that_dampens_flaps_pays_when_it_hears() -> None:
    """The wait comes first, the budget when something is said."""
    stances = Stances()
    damped = replace(ROUTER, damping=True, lever=Lever.MED)
    _generation(stances, damped, 5, 0.0, patience=0.25)
    before = stances.budget(damped, 0.0)
    _generation(stances, damped, 6, 1.0, patience=0.25)
    assert stances.budget(damped, 1.0) == before
    _generation(stances, damped, 6, 1.3, patience=0.25)
    assert stances.budget(damped, 1.3) != before
