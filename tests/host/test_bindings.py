"""Facts about what an old look at the kernel still proves."""

from bgpd.host.bindings import Bindings
from bgpd.host.inventory import HostAddress, Inventory
from bgpd.host.outcome import Outcome
from bgpd.host.wish import Wanted
from bgpd.model.prefix import Address

ONE, TWO = Address("203.0.113.1"), Address("203.0.113.2")


def seen(number: int, *addresses: Address) -> Outcome:
    """Return a look after the order *number*."""
    found = tuple(HostAddress(address=one, length=32, interface=3) for one in addresses)
    return Outcome(present=Inventory(addresses=found), number=number)


def wanted(*addresses: Address, keep: bool = False) -> Wanted:
    """Return an order."""
    return Wanted(addresses=frozenset(addresses), interface=True, keep=keep)


def test_what_was_bound_before_us_is_there_while_nothing_is_taken_off() -> None:
    """The first route of an agent has nothing to wait for where another one ran before."""
    one = Bindings()
    assert one.want(wanted(keep=True)) == 1
    assert not one.has(ONE)
    one.look(seen(1, ONE, TWO))
    assert one.has(ONE)
    one.want(wanted(ONE))
    assert one.has(ONE)
    assert not one.has(TWO)


def test_an_address_counts_once_it_was_seen() -> None:
    """Whatever else is ordered meanwhile."""
    one = Bindings()
    one.want(wanted())
    one.look(seen(1))
    one.want(wanted(ONE))
    one.want(wanted(ONE, TWO))
    one.look(seen(2, ONE))
    assert one.has(ONE)
    assert not one.has(TWO)
    one.look(seen(3, ONE, TWO))
    assert one.has(TWO)


def test_an_address_that_comes_again_must_be_seen_again() -> None:
    """The look from before may be followed by its end."""
    one = Bindings()
    one.want(wanted(ONE))
    one.look(seen(1, ONE))
    one.want(wanted())
    assert not one.has(ONE)
    one.want(wanted(ONE))
    assert not one.has(ONE)
    one.look(seen(2, ONE))
    assert not one.has(ONE)
    one.look(seen(3, ONE))
    assert one.has(ONE)


def test_an_order_that_takes_nothing_off_makes_no_look_old() -> None:
    """Only what follows one that does has to be new."""
    one = Bindings()
    one.want(wanted(ONE))
    one.want(wanted(keep=True))
    one.want(wanted(ONE, keep=True))
    one.look(seen(1, ONE))
    assert not one.has(ONE)
    one.look(seen(2, ONE))
    assert one.has(ONE)


def test_where_nobody_can_look_nothing_is_there() -> None:
    """An address that was there may be gone."""
    one = Bindings()
    one.want(wanted(ONE))
    one.look(seen(1, ONE))
    one.look(Outcome())
    assert not one.has(ONE)
