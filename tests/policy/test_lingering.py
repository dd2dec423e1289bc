"""What no advertisement chooses any more stays for a moment, unless traffic would be lost by it."""

from dataclasses import replace

import pytest

from bgpd.model.cluster import Service
from bgpd.model.configuration import BGPAdvertisement
from bgpd.model.peer import PeerName
from bgpd.model.reason import Reason
from bgpd.policy.lingering import LINGER_SECONDS, Lingering
from bgpd.policy.service import decide
from bgpd.policy.startup import SLOW
from bgpd.policy.verdict import FINE, Verdict
from tests.policy.build import Cluster, advertisement, label, node, peer, pool, service, slices

PICKY = (advertisement(service_selectors=(label("app", "x"),)),)
HAD = decide(service(), slices("n1"), Cluster().context()).advertisements
FAILED = Verdict(reason=Reason.HEALTH_CHECK_FAILED, message="it hangs")


def _disagreeing() -> tuple[BGPAdvertisement, ...]:
    chosen = (label("app", "x"),)
    return (advertisement("a", local_pref=7), advertisement("b", service_selectors=chosen))


@pytest.mark.parametrize(
    ("cluster", "labels"),
    [
        pytest.param(Cluster(advertisements=PICKY), {}, id="its selectors came before the labels"),
        pytest.param(Cluster(advertisements=PICKY), {"app": "y"}, id="its labels came first"),
        pytest.param(
            Cluster(advertisements=_disagreeing()), {"app": "x"}, id="two of them disagree on it"
        ),
        pytest.param(
            Cluster(advertisements=(advertisement(pool_selectors=(label("tier", "new"),)),)), {},
            id="its pool is chosen by a label that it has not yet",
        ),
        pytest.param(
            Cluster(advertisements=(advertisement(pools=("renamed",)),)), {},
            id="no advertisement names its pool any more",
        ),
        pytest.param(
            Cluster(advertisements=(advertisement(node_selectors=(label("edge", "new"),)),)), {},
            id="the node is chosen by a label that it has not yet",
        ),
    ],
)  # fmt: skip
def test_what_nothing_chooses_keeps_its_routes_as_they_were(
    cluster: Cluster, labels: dict[str, str]
) -> None:
    """The rest of a change may be on its way; whoever never had a route waits without one."""
    asked = service(labels=labels)
    found = decide(asked, slices("n1"), cluster.context(), had=HAD)
    assert (found.advertisements, found.withheld, found.kept) == (HAD, (), True)
    assert not decide(asked, slices("n1"), cluster.context()).advertisements


@pytest.mark.parametrize(
    ("cluster", "asked", "serving", "verdict", "reason"),
    [
        pytest.param(Cluster(), service(local=True), ("n2",), FINE, Reason.NO_LOCAL_ENDPOINTS,
                     id="its endpoint is gone"),
        pytest.param(Cluster(nodes=(node("n1", network_unavailable=True),)), service(), ("n1",),
                     FINE, Reason.NODE_NETWORK_UNAVAILABLE, id="the node has no network"),
        pytest.param(Cluster(), service(), ("n1",), FAILED, Reason.HEALTH_CHECK_FAILED,
                     id="its check fails"),
        pytest.param(Cluster(), service(load_balancer=False), ("n1",), FINE,
                     Reason.NOT_LOAD_BALANCER, id="it is of another type"),
        pytest.param(Cluster(), service("web", "198.51.100.2"), ("n1",), FINE,
                     Reason.NO_MATCHING_ADVERTISEMENT, id="it has another address"),
        pytest.param(Cluster(pools=(pool("pool", "203.0.113.0/24"),)), service(), ("n1",), FINE,
                     Reason.ADDRESS_NOT_IN_POOL, id="its address is in no pool"),
        pytest.param(Cluster(peers=(peer("r2", "192.0.2.2"),)), service(), ("n1",), FINE,
                     Reason.NO_MATCHING_ADVERTISEMENT, id="its peer is gone"),
    ],
)  # fmt: skip
def test_nothing_is_kept_where_more_than_the_choice_is_against_it(
    cluster: Cluster, asked: Service, serving: tuple[str, ...], verdict: Verdict, reason: Reason
) -> None:
    """A fact withdraws at once, in its own name, and so does what no document to come heals."""
    context = replace(cluster, advertisements=PICKY).context()
    found = decide(asked, slices(*serving), context, verdict, HAD)
    assert (found.advertisements, found.kept) == ((), False)
    assert [one.reason for one in found.withheld] == [reason]


def test_nothing_is_kept_where_no_advertisement_is_left() -> None:
    """Its removal was waited for, and there is none whose selectors could come to fit."""
    found = decide(service(), slices("n1"), Cluster(advertisements=()).context(), had=HAD)
    assert (found.advertisements, found.kept) == ((), False)
    assert [one.reason for one in found.withheld] == [Reason.NODE_NOT_SELECTED]


def test_what_is_chosen_is_decided_on_as_ever() -> None:
    """What it had plays no part, whatever that was."""
    context = Cluster(advertisements=(advertisement(communities=("1:1",)),)).context()
    found = decide(service(), slices("n1"), context, had=HAD)
    assert found == decide(service(), slices("n1"), context)
    assert found.advertisements != HAD


def test_one_address_of_two_may_be_kept() -> None:
    """The other one is advertised as its own pool's advertisement says."""
    asked = service("web", "198.51.100.1", "203.0.113.1")
    pools = (pool("one", "198.51.100.0/24"), pool("two", "203.0.113.0/24"))
    had = decide(asked, slices("n1"), Cluster(pools=pools).context()).advertisements
    rules = (
        advertisement("a", pools=("one",), service_selectors=(label("app", "x"),)),
        advertisement("b", pools=("two",), communities=("1:1",)),
    )
    context = Cluster(pools=pools, advertisements=rules).context()
    found = decide(asked, slices("n1"), context, had=had)
    assert found.kept
    assert {one.prefix: one.communities for one in found.advertisements} == {
        "198.51.100.1/32": (),
        "203.0.113.1/32": ("1:1",),
    }


def test_what_is_kept_is_wanted_no_more_than_the_node() -> None:
    """A node that has just booted takes its traffic last."""
    context = Cluster(advertisements=PICKY).context()
    (kept,) = decide(service(), slices("n1"), context, SLOW, had=HAD).advertisements
    assert (kept.rank, kept.peer) == (SLOW.floor, PeerName("r1"))


def test_a_moment_is_over_once_and_begins_anew_only_after_a_choice() -> None:
    """Deciding again meanwhile makes it no longer."""
    one = Lingering()
    assert one.may_keep("a")
    assert one.deadline() is None
    one.note("a", kept=True, up=True, now=10.0)
    one.note("a", kept=True, up=True, now=11.0)
    assert one.deadline() == 10.0 + LINGER_SECONDS
    assert one.due(11.9) == ()
    assert one.due(10.0 + LINGER_SECONDS) == ("a",)
    assert one.deadline() is None
    assert not one.may_keep("a")
    one.note("a", kept=False, up=False, now=12.0)
    assert not one.may_keep("a")
    one.note("a", kept=False, up=True, now=20.0)
    assert one.may_keep("a")
    assert "a" not in one


def test_what_is_chosen_in_time_has_a_whole_moment_the_next_time() -> None:
    """And a Service that is gone leaves nothing behind."""
    one = Lingering()
    one.note("a", kept=True, up=True, now=0.0)
    one.note("a", kept=False, up=True, now=1.0)
    assert one.deadline() is None
    one.note("a", kept=True, up=True, now=1.5)
    assert one.deadline() == 1.5 + LINGER_SECONDS
    one.forget("a")
    assert "a" not in one
    assert one.due(100.0) == ()
