"""Several Services, one route: it stays while anybody wants it, whatever the order."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import BY_HEALTH, Reason, Withheld
from bgpd.model.route import Advertisement
from bgpd.policy.merge import Decision, Merged, RouteKey, merge

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

R1, R2 = PeerName("r1"), PeerName("r2")
ONE, TWO = Prefix("198.51.100.1/32"), Prefix("198.51.100.2/32")


def route(prefix: Prefix = ONE, *communities: str, local_pref: int | None = None) -> Advertisement:
    """Return a route to r1."""
    return Advertisement(peer=R1, prefix=prefix, communities=communities, local_pref=local_pref)


def wants(*routes: Advertisement) -> Decision:
    """Return a decision for *routes*."""
    return Decision(advertisements=routes)


def no(reason: Reason) -> Withheld:
    """Return the answer that the first prefix is not advertised because of *reason*."""
    return Withheld(service="b", prefix=ONE, reason=reason, message="because")


def test_a_shared_address_is_advertised_while_one_service_wants_it() -> None:
    """The last one to leave withdraws it."""
    merged = Merged()
    assert merged.replace("a", wants(route())) == {(R1, ONE)}
    assert merged.replace("b", wants(route())) == set()
    assert merged.services == {ONE: ("a", "b")}
    assert merged.replace("a", Decision()) == set()
    assert merged.replace("b", None) == {(R1, ONE)}
    assert (merged.advertisements, merged.services) == ({}, {})


def test_the_attributes_of_a_shared_address_are_joined() -> None:
    """And fall back to those of whoever is left."""
    merged = Merged()
    merged.replace("a", wants(route(ONE, "1:1")))
    assert merged.replace("b", wants(route(ONE, "2:2", local_pref=5))) == {(R1, ONE)}
    assert merged.advertisements[R1, ONE] == route(ONE, "1:1", "2:2", local_pref=5)
    merged.replace("b", None)
    assert merged.advertisements[R1, ONE] == route(ONE, "1:1")


def test_services_that_disagree_on_a_shared_address_are_reported() -> None:
    """The greatest preference holds on every node alike, and the condition names the Services."""
    merged = Merged()
    merged.replace("a", wants(route(local_pref=100)))
    assert not merged.conditions
    merged.replace("b", wants(route(local_pref=200)))
    assert merged.advertisements[R1, ONE].local_pref == 200
    (condition,) = merged.conditions
    assert "Services that share 198.51.100.1/32" in condition.message
    assert "(a 100, b 200); the greatest holds" in condition.message


def test_what_is_withheld_is_kept_with_its_service() -> None:
    """Sorted by Service, and gone with it."""
    no = Withheld(service="b", prefix=ONE, reason=Reason.NO_ENDPOINTS, message="none")
    merged = Merged()
    merged.replace("b", Decision(withheld=(no,)))
    merged.replace("a", wants(route()))
    assert list(merged.withheld) == [no]
    merged.replace("b", None)
    assert not merged.withheld


@pytest.mark.parametrize("reason", sorted(BY_HEALTH))
def test_a_node_says_that_health_keeps_a_route_back(reason: Reason) -> None:
    """Other nodes count on it, because they see the endpoint; what all can see is no such thing."""
    merged = Merged()
    merged.replace("a", Decision(withheld=(no(Reason.NO_LOCAL_ENDPOINTS),)))
    assert not merged.withholds
    merged.replace("b", Decision(withheld=(no(reason),)))
    assert merged.withholds
    merged.replace("b", wants(route()))
    assert not merged.withholds
    merged.replace("b", Decision(withheld=(no(reason),)))
    merged.replace("b", None)
    assert not merged.withholds


_ROUTES = st.builds(
    Advertisement,
    peer=st.sampled_from([R1, R2]),
    prefix=st.sampled_from([ONE, TWO]),
    communities=st.sampled_from([("1:1",), ("2:2",)]),
    local_pref=st.sampled_from([None, 100, 200]),
)
_DECISIONS = st.builds(
    Decision,
    # Two addresses of a Service in one block are the same route twice.
    advertisements=st.lists(_ROUTES, max_size=3).map(tuple),
    withheld=st.lists(st.sampled_from(Reason).map(no), max_size=2).map(tuple),
)
_STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | _DECISIONS, st.booleans()), max_size=12
)


def assert_people_are_told(merged: Merged, last: dict[str, Decision]) -> None:
    """Which Services a prefix stands for and what is withheld follow from the *last* decisions."""
    assert merged.services == {
        prefix: tuple(
            service
            for service in sorted(last)
            if prefix in {one.prefix for one in last[service].advertisements}
        )
        for prefix in {one.prefix for each in last.values() for one in each.advertisements}
    }
    assert merged.withheld == tuple(
        one for service in sorted(last) for one in last[service].withheld
    )
    assert merged.unwell == {
        service: found[0]
        for service, each in last.items()
        if (found := [one for one in each.withheld if one.reason in BY_HEALTH])
    }


@calm
@given(_STEPS)
def test_step_by_step_is_the_same_as_all_at_once(
    steps: list[tuple[str, Decision | None, bool]],
) -> None:
    """However Services come, change and go, only the last decision on each counts."""
    merged = Merged()
    last: dict[str, Decision] = {}
    for service, decision, asked in steps:
        before = dict(merged.advertisements)
        changed = merged.replace(service, decision)
        after = merged.advertisements
        assert changed == {
            key for key in before.keys() | after.keys() if before.get(key) != after.get(key)
        }
        if decision is None:
            last.pop(service, None)
        else:
            last[service] = decision
        if asked:
            assert_people_are_told(merged, last)
    assert_people_are_told(merged, last)
    versions: dict[RouteKey, set[int | None]] = {}
    for decision in last.values():
        for one in {(one.peer, one.prefix): one for one in decision.advertisements}.values():
            versions.setdefault((one.peer, one.prefix), set()).add(one.local_pref)
    disputed = sorted(key for key, found in versions.items() if len(found) > 1)
    told = [one.message for one in merged.conditions]
    assert len(told) == len(disputed)
    assert all(prefix in message for (_, prefix), message in zip(disputed, told, strict=True))
    assert merged.advertisements == merge(last)
    assert merge(last) == merge(dict(reversed(last.items())))


def test_who_comes_before_us_for_a_block_does_not_depend_on_order() -> None:
    """Two Services may have different active nodes, and a restart must change nothing."""
    one = replace(route(), rank=1, ahead=("n1",))
    two = replace(route(), rank=1, ahead=("n2",))
    forth, back = (
        merge({name: wants(wish) for name, wish in order})
        for order in ((("a", one), ("b", two)), (("b", two), ("a", one)))
    )
    assert forth == back
