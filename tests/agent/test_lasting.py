"""An address that is gone for a moment is still the host's."""

from bgpd.agent.lasting import GAP_SECONDS, Lasting
from bgpd.model.prefix import Address

OURS, OTHER, ROUTER = Address("10.0.0.1"), Address("192.0.2.77"), Address("169.254.255.1")
BOTH = frozenset({OURS, OTHER})


def test_what_comes_counts_at_once_and_what_goes_after_a_gap() -> None:
    """A network that is configured anew takes addresses off for a second or two."""
    one = Lasting()
    assert one.take(frozenset({OURS}), 0.0)
    assert one.take(BOTH, 1.0)
    assert not one.take(frozenset({OTHER}), 2.0)
    assert one.addresses == BOTH
    assert one.deadline() == 2.0 + GAP_SECONDS
    assert not one.again(2.0 + GAP_SECONDS / 2)
    assert one.again(2.0 + GAP_SECONDS)
    assert one.addresses == {OTHER}
    assert one.deadline() is None


def test_an_address_that_is_back_was_never_gone() -> None:
    """Nothing is told of the gap, and the next one has its own time."""
    one = Lasting()
    one.take(BOTH, 0.0)
    for at in (10.0, 13.0, 16.0):
        assert not one.take(frozenset({OTHER}), at)
        assert not one.take(BOTH, at + 1.0)
    assert one.deadline() is None


def test_where_nobody_can_look_what_was_seen_last_holds() -> None:
    """Unknown is not empty, and no reason to believe a provider's source that was not there."""
    one = Lasting()
    assert not one.take(None, 0.0)
    assert one.addresses is None
    one.take(BOTH, 1.0)
    assert not one.take(None, 2.0)
    assert one.addresses == BOTH


def test_a_source_stays_during_the_gap_of_its_address() -> None:
    """The kernel would start from elsewhere now; the session that is there does not."""
    one = Lasting()
    one.take(BOTH, 0.0)
    assert one.source(ROUTER, "default", OURS) == OURS
    one.take(frozenset({OTHER}), 1.0)
    assert one.source(ROUTER, "default", OTHER) == OURS
    assert one.source(ROUTER, "default", None) == OURS
    assert one.source(ROUTER, "10.0.0.254", OTHER) == OTHER
    one.again(1.0 + GAP_SECONDS)
    assert one.source(ROUTER, "default", OTHER) == OTHER


def test_a_way_that_leads_elsewhere_is_taken_at_once() -> None:
    """Where the address before is still there, it is the way that moved."""
    one = Lasting()
    one.take(BOTH, 0.0)
    assert one.source(ROUTER, "default", OURS) == OURS
    assert one.source(ROUTER, "default", OTHER) == OTHER
