"""Facts about what was taken from us, as against what is new or not wanted any more."""

from dataclasses import replace

from bgpd.host.hostplan import NOTHING, HostPlan
from bgpd.host.losses import Losses
from tests.host.test_hostplan import BOUND, BRIDGE, EIPS, eip, host, route

PLAN = replace(BOUND, routes=frozenset({route()}))
WHOLE = host(BRIDGE, addresses=[eip(EIPS[0])], routes=frozenset({route()}))


def losses() -> Losses:
    """Return losses that have seen everything."""
    found = Losses()
    found.look(PLAN, host())
    assert found.back(PLAN, WHOLE) == []
    return found


def test_what_is_new_was_not_lost() -> None:
    """A start puts nothing back."""
    found = Losses()
    found.look(PLAN, host())
    assert not found.missing
    assert found.back(PLAN, WHOLE) == []


def test_what_is_gone_is_counted_when_it_is_back() -> None:
    """Each kind, once."""
    found = losses()
    found.look(PLAN, host(BRIDGE))
    assert found.missing
    assert [str(one) for one in found.back(PLAN, WHOLE)] == [
        "the elastic IP 203.0.113.7",
        "the route to 169.254.255.1/32",
    ]
    found.look(PLAN, WHOLE)
    assert not found.missing
    assert found.back(PLAN, WHOLE) == []


def test_an_interface_counts_once_with_all_that_was_on_it() -> None:
    """Its addresses are not lost one by one."""
    found = losses()
    found.look(PLAN, replace(WHOLE, interfaces=host().interfaces, addresses=host().addresses))
    found.look(PLAN, host(BRIDGE, routes=frozenset({route()})))
    assert [one.kind for one in found.back(PLAN, WHOLE)] == ["interface"]


def test_what_is_not_back_yet_stays_missing() -> None:
    """It is counted when it is back, not when it was missed."""
    found = losses()
    bare = host(BRIDGE, addresses=[eip(EIPS[0])])
    for _ in range(3):
        found.look(PLAN, bare)
        assert found.back(PLAN, bare) == []
        assert found.missing
    found.look(PLAN, bare)
    assert [one.kind for one in found.back(PLAN, WHOLE)] == ["routes"]


def test_what_is_not_wanted_any_more_was_not_lost() -> None:
    """A Service that goes, or a route that leads elsewhere from now on, is nobody's deed."""
    found = losses()
    found.look(NOTHING, host())
    assert not found.missing
    found = losses()
    other = HostPlan(routes=frozenset({route(gateway="10.0.0.9")}))
    found.look(other, host())
    assert not found.missing


def test_what_others_provide_was_not_lost() -> None:
    """Ours gave way to it."""
    found = losses()
    found.look(PLAN, host(BRIDGE, addresses=[eip(EIPS[0])], others={route().destination: ()}))
    assert not found.missing


def test_what_is_taken_while_something_is_put_right_is_counted_too() -> None:
    """A thousand addresses take a second, in which a route may go."""
    found = losses()
    found.look(PLAN, WHOLE)
    found.look(PLAN, host(BRIDGE, addresses=[eip(EIPS[0])]))
    found.look(PLAN, WHOLE)
    assert [one.kind for one in found.back(PLAN, WHOLE)] == ["routes"]
