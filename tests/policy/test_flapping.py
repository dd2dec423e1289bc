"""A Service that comes and goes: it goes at once, its return has pauses, others do not notice."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpd.policy.flapping import FIRST_PAUSE, FLIPS, LAST_PAUSE, WINDOW_SECONDS, Flapping


class Router:
    """What is told of one Service, as the agent does it."""

    def __init__(self, name: str = "a", flapping: Flapping | None = None) -> None:
        self.name = name
        self.flapping = flapping or Flapping()
        self.fact = True
        self.told = True
        self.changes: list[tuple[float, bool]] = []

    def turn(self, up: bool, now: float) -> None:
        """Let the Service come or go."""
        self.fact = up
        if self.name in self.flapping or (self.told and not up):
            self.flapping.note(self.name, up=up, now=now)
        self.tell(now)

    def wait(self, now: float) -> None:
        """Let time pass."""
        while (due := self.flapping.deadline()) is not None and due <= now:
            for name in self.flapping.due(due):
                assert name == self.name
            self.tell(due)

    def tell(self, now: float) -> None:
        """Tell what may be told."""
        told = self.fact and not self.flapping.held(self.name)
        if told is not self.told:
            self.told = told
            self.changes.append((now, told))


def flap(router: Router, *, hertz: float, seconds: float, start: float = 0.0) -> float:
    """Let the Service change *hertz* times a second; return the time at the end."""
    now = start
    for number in range(int(hertz * seconds)):
        now = start + number / hertz
        router.wait(now)
        router.turn(number % 2 == 1, now)
    return now


def test_a_calm_service_comes_back_at_once() -> None:
    """One restart of a pod is no flapping."""
    router = Router()
    router.turn(False, 1.0)
    router.turn(True, 1.5)
    assert router.changes == [(1.0, False), (1.5, True)]


def test_ten_changes_a_second_are_few_for_the_router() -> None:
    """After the first five the pauses grow, so a minute costs a dozen changes and not 600."""
    router = Router()
    flap(router, hertz=10, seconds=60)
    assert len(router.changes) < 24
    returns = [at for at, up in router.changes if up]
    gaps = [later - earlier for earlier, later in pairwise(returns[2:])]
    assert gaps
    assert max(gaps) <= LAST_PAUSE + 1


def test_the_last_state_wins() -> None:
    """Whatever it was that held it back, it is told in the end as it is."""
    for up in (True, False):
        router = Router()
        now = flap(router, hertz=10, seconds=5)
        router.turn(up, now + 0.1)
        router.wait(now + LAST_PAUSE + 1)
        assert router.told is up


def test_a_pause_that_ends_while_it_is_down_is_a_pause_all_the_same() -> None:
    """The return after it goes at once, or an unlucky Service would never be back."""
    router = Router()
    now = flap(router, hertz=10, seconds=0.6)
    router.turn(False, now + 0.1)
    router.wait(now + FIRST_PAUSE + 1)
    assert router.flapping.deadline() is None
    router.turn(True, now + FIRST_PAUSE + 1.1)
    assert router.told


def test_others_are_not_delayed() -> None:
    """Each Service has its own record."""
    flapping = Flapping()
    flap(Router("a", flapping), hertz=10, seconds=3)
    other = Router("b", flapping)
    other.turn(False, 3.0)
    other.turn(True, 3.1)
    assert flapping.held("b") is False
    assert other.told


def test_a_service_that_is_calm_again_is_forgotten() -> None:
    """Ten thousand Services that fell once leave nothing behind, and its pauses begin anew."""
    router = Router()
    now = flap(router, hertz=10, seconds=5)
    router.turn(True, now + 1)
    router.wait(now + 60)
    router.flapping.tidy(now + 60)
    assert "a" not in router.flapping
    again = flap(router, hertz=10, seconds=0.6, start=now + 100)
    assert router.flapping.deadline() is not None
    assert router.flapping.deadline() == pytest.approx(again + FIRST_PAUSE, abs=0.11)


def test_a_service_that_is_held_is_not_forgotten() -> None:
    """Tidying up does not end a pause."""
    router = Router()
    now = flap(router, hertz=10, seconds=0.6)
    assert router.flapping.held("a")
    router.flapping.tidy(now + 100)
    assert router.flapping.held("a")
    router.flapping.forget("a")
    assert not router.flapping.held("a")
    assert router.flapping.deadline() is None


_TURNS = st.lists(st.tuples(st.floats(0.01, 4.0), st.booleans()), max_size=60)


@settings(max_examples=200, deadline=None)
@given(turns=_TURNS)
def test_whatever_happens_a_withdrawal_is_not_delayed_and_a_return_is_rare(
    turns: list[tuple[float, bool]],
) -> None:
    """What is down is never told to be up; of returns there are few within any window."""
    router, now = Router(), 0.0
    for pause, up in turns:
        now += pause
        router.wait(now)
        router.turn(up, now)
        assert not (router.told and not router.fact)
    returns = [at for at, up in router.changes if up]
    for at in returns:
        window = [one for one in returns if at <= one < at + WINDOW_SECONDS]
        assert len(window) <= FLIPS + 4
    router.wait(now + LAST_PAUSE + 1)
    assert router.told is router.fact
