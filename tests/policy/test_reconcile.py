"""Reconcile: the difference of two whole states, applied, gives the desired one."""

from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Address, Prefix
from bgpd.model.route import Attributes
from bgpd.policy.reconcile import applied, plan

peers = st.sampled_from([PeerName("a"), PeerName("b")])
prefixes = st.integers(1, 6).map(lambda last: Prefix(f"203.0.113.{last}/32"))
attributes = st.integers(1, 3).map(lambda med: Attributes(next_hop=Address("10.0.0.1"), med=med))
ribs = st.dictionaries(peers, st.dictionaries(prefixes, attributes))


@given(ribs, ribs)
def test_applying_the_plan_gives_what_is_desired(
    desired: dict[PeerName, dict[Prefix, Attributes]],
    actual: dict[PeerName, dict[Prefix, Attributes]],
) -> None:
    """Whatever was there before, after the plan each desired peer has exactly its routes."""
    after = applied(actual, plan(desired, actual))
    assert {peer: after.get(peer, {}) for peer in desired} == desired


@given(ribs)
def test_nothing_to_do_is_an_empty_plan(
    desired: dict[PeerName, dict[Prefix, Attributes]],
) -> None:
    """A state that is already there costs no command."""
    assert plan(desired, desired) == ()


@given(ribs, ribs)
def test_the_plan_touches_each_prefix_at_most_once_for_a_peer(
    desired: dict[PeerName, dict[Prefix, Attributes]],
    actual: dict[PeerName, dict[Prefix, Attributes]],
) -> None:
    """No route is withdrawn to be advertised again: a change replaces (RFC 4271, 3.1)."""
    for peer_plan in plan(desired, actual):
        touched = [*peer_plan.withdraw, *(p for _, group in peer_plan.advertise for p in group)]
        assert len(touched) == len(set(touched)) == len(peer_plan)


def test_a_peer_that_nobody_desires_any_more_is_left_to_its_session() -> None:
    """Removing the peer closes the session, and the router drops its routes."""
    actual = {PeerName("gone"): {Prefix("203.0.113.1/32"): Attributes(next_hop=Address("1.1.1.1"))}}
    assert plan({}, actual) == ()
