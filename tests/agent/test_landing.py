"""Which routes wait for their addresses, and which addresses outlive their routes."""

import pytest

from bgpd.agent.landing import HOLD_SECONDS, LONGEST_SECONDS, STAY_SECONDS, Landing, Staying
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Advertisement
from bgpd.policy.merge import RouteKey

TOR, SPINE = PeerName("tor"), PeerName("spine")
ONE, TWO = Prefix("203.0.113.1/32"), Prefix("203.0.113.2/32")
FIRST, SECOND = Address("203.0.113.1"), Address("203.0.113.2")


def route(prefix: Prefix, peer: PeerName = TOR, med: int | None = None) -> Advertisement:
    """Return a route."""
    return Advertisement(peer=peer, prefix=prefix, med=med)


def never(_: Prefix) -> bool:
    """Nothing is there."""
    return False


def always(_: Prefix) -> bool:
    """Everything is there."""
    return True


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([], (), id="a speaker without routes hears what has its address"),
        pytest.param([(TOR, ONE)], (route(ONE),), id="what the speaker has goes on"),
        pytest.param(None, (route(ONE), route(TWO)), id="what it may have goes on"),
    ],
)
def test_of_a_whole_state_new_routes_wait(
    told: list[RouteKey] | None, expected: tuple[Advertisement, ...]
) -> None:
    """A route that the speaker has is never left out."""
    wanted = (route(ONE), route(TWO))
    one = Landing(told)
    assert one.everything(wanted, never, 0.0) == expected
    assert one.partial == (expected != wanted)
    assert one.everything(wanted, always, 1.0) is wanted
    assert not one.partial
    assert one.everything(wanted, never, 2.0) is wanted


def test_a_new_route_waits_and_a_changed_one_does_not() -> None:
    """An address that somebody took away is put back; its route changes meanwhile as ever."""
    one = Landing([(TOR, ONE)])
    changed = route(ONE, med=7)
    assert one.change((changed, route(TWO)), (), never, 0.0) == ((changed,), ())
    assert one.waiting == (TWO,)
    assert not one.partial
    assert one.release(never, 1.0) == ((), ())
    assert one.release(always, 1.0) == (((TOR, TWO),), ())
    assert one.deadline() is None
    again = route(TWO, med=7)
    assert one.change((again,), (), never, 2.0) == ((again,), ())


def test_a_route_waits_with_all_its_changes_and_for_a_moment_only() -> None:
    """A wait is as long as its first moment says, whatever changes meanwhile."""
    one = Landing([])
    one.change((route(ONE), route(ONE, SPINE)), (), never, 0.0)
    # Who waits is told of by a release alone: what is there now was not there just before.
    assert one.change((route(ONE, med=7),), (), always, 1.0) == ((), ())
    assert one.everything((route(ONE, med=7),), never, 1.5) == ()
    assert one.waiting == (ONE,)
    assert one.deadline() == HOLD_SECONDS
    assert one.release(never, HOLD_SECONDS - 0.1) == ((), ())
    assert one.release(never, HOLD_SECONDS) == ((), ((TOR, ONE),))
    assert one.change((route(ONE),), (), never, 9.0) == ((route(ONE),), ())


def test_while_addresses_come_the_others_are_waited_for() -> None:
    """Ten thousand take a while; but one that never comes does not wait for all who do."""
    one = Landing([])
    one.change((route(ONE), route(TWO)), (), never, 0.0)
    assert one.release(lambda prefix: prefix == TWO, 1.5) == (((TOR, TWO),), ())
    assert one.deadline() == 1.5 + HOLD_SECONDS
    assert one.release(never, HOLD_SECONDS) == ((), ())
    for second in range(3, int(LONGEST_SECONDS)):
        other = Prefix(f"198.51.100.{second}/32")
        one.change((route(other),), (), never, float(second))
        assert one.release(lambda prefix: prefix != ONE, second + 0.5) == (((TOR, other),), ())
    assert one.deadline() == LONGEST_SECONDS
    assert one.release(never, LONGEST_SECONDS) == ((), ((TOR, ONE),))


def test_a_route_that_goes_while_it_waits_was_never_told() -> None:
    """Neither its end is told, nor its address waited for; once it was told, both are."""
    one = Landing([])
    one.everything((route(ONE), route(TWO)), never, 0.0)
    assert one.partial
    assert one.change((), ((TOR, ONE),), never, 0.1) == ((), ())
    assert one.partial
    assert one.change((), ((TOR, TWO),), never, 0.2) == ((), ())
    assert not one.partial
    assert one.deadline() is None
    one.change((route(ONE),), (), always, 0.3)
    assert one.change((), ((TOR, ONE),), never, 0.4) == ((), ((TOR, ONE),))
    assert one.change((route(ONE),), (), never, 0.5) == ((), ())


def test_an_address_stays_for_a_moment() -> None:
    """As long as routers may act on its route; one that is wanted again was never gone."""
    one, both, none = Staying(), frozenset({FIRST, SECOND}), frozenset[Address]()
    assert one.keep(both, none, 0.0) == both
    assert one.deadline() is None
    assert one.keep(frozenset({SECOND}), both, 1.0) == both
    assert one.keep(none, both, 1.5) == both
    assert one.deadline() == 1.0 + STAY_SECONDS
    assert one.keep(none, both, 1.0 + STAY_SECONDS) == {SECOND}
    assert one.keep(frozenset({SECOND}), frozenset({SECOND}), 3.2) == {SECOND}
    assert one.deadline() is None
    assert one.keep(none, frozenset({SECOND}), 9.0) == {SECOND}
    assert one.keep(none, frozenset({SECOND}), 9.0 + STAY_SECONDS) == none
