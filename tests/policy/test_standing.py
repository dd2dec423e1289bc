"""How good a node is as a whole: what makes it doubtful, after how long, and what drains it."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.health import Health
from bgpd.model.member import DrainTrigger, SpeakerPolicy
from bgpd.policy.standing import (
    CARRIER,
    GATEWAY,
    KUBE_PROXY,
    KUBELET,
    Evidence,
    doubt_conditions,
    drain_cause,
)
from tests.policy.build import node

UP, DOWN, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
PATIENCE = 10.0


def seen(*steps: tuple[float, str, Health]) -> Evidence:
    """Return the evidence after *steps*: when, which part, what it looks like."""
    evidence = Evidence()
    for now, part, health in steps:
        evidence.observe(part, health, f"{part} said so", now)
    return evidence


@pytest.mark.parametrize(
    ("steps", "now", "doubtful"),
    [
        pytest.param([], 99, False, id="nothing is known"),
        pytest.param([(0, CARRIER, DOWN)], 0, True, id="no carrier is doubtful at once"),
        pytest.param([(0, GATEWAY, DOWN)], 0, True, id="no gateway is doubtful at once"),
        pytest.param([(0, KUBELET, DOWN)], 99, False, id="a kubelet never heard is Unknown"),
        pytest.param([(0, KUBELET, UP), (5, KUBELET, DOWN)], 14.9, False,
                     id="a kubelet that restarts moves nothing"),
        pytest.param([(0, KUBELET, UP), (5, KUBELET, DOWN)], 15, True,
                     id="a kubelet that stays away does"),
        pytest.param([(0, KUBE_PROXY, UP), (5, KUBE_PROXY, DOWN), (9, KUBE_PROXY, UP),
                      (10, KUBE_PROXY, DOWN)], 19, False,
                     id="the time begins anew with each good answer"),
        pytest.param([(0, KUBE_PROXY, UP), (5, KUBE_PROXY, DOWN), (16, KUBE_PROXY, UNKNOWN)], 17,
                     True, id="what cannot be asked any more stays doubtful"),
        pytest.param([(0, CARRIER, UP), (5, CARRIER, UNKNOWN)], 99, False,
                     id="what cannot be asked any more stays good"),
        pytest.param([(0, CARRIER, DOWN), (1, CARRIER, UP)], 1, False,
                     id="a carrier that is back ends the doubt"),
    ],
)  # fmt: skip
def test_what_makes_a_node_doubtful(
    steps: list[tuple[float, str, Health]], now: float, doubtful: bool
) -> None:
    """Facts of the link at once, what people restart after a while, and Unknown never."""
    assert bool(seen(*steps).doubt(PATIENCE, now)) is doubtful


def test_the_deadline_is_when_the_doubt_begins() -> None:
    """Whoever waits for it looks at the right moment, and once."""
    evidence = seen((0, KUBELET, UP), (5, KUBELET, DOWN), (7, GATEWAY, DOWN))
    assert evidence.deadline(PATIENCE, 8.0) == 15.0
    assert len(evidence.doubt(PATIENCE, 14.9)) == 1
    assert len(evidence.doubt(PATIENCE, 15.0)) == 2
    assert evidence.deadline(PATIENCE, 15.0) is None


def test_what_is_not_looked_at_any_more_is_not_doubted() -> None:
    """A policy that asks for less takes the doubt with it."""
    evidence = seen((0, CARRIER, DOWN))
    assert evidence.forget(CARRIER)
    assert not evidence.forget(CARRIER)
    assert evidence.doubt(PATIENCE, 1) == ()
    assert evidence.node == {}


def test_what_was_there_before_the_boot_is_missed_only_when_given_up() -> None:
    """As long as it is waited for, nobody holds it against the node."""
    evidence = Evidence(missed=[KUBE_PROXY])
    evidence.observe(KUBE_PROXY, DOWN, "refused", 0.0)
    assert evidence.health(KUBE_PROXY) is UNKNOWN
    assert evidence.doubt(PATIENCE, 99.0) == ()
    evidence.give_up()
    assert evidence.doubt(PATIENCE, 99.0) == ("kube-proxy was not healthy since the boot",)
    evidence.observe(KUBE_PROXY, UP, "answered 200", 100.0)
    assert evidence.doubt(PATIENCE, 100.0) == ()


def test_an_agent_goes_on_doubting_where_the_one_before_ended() -> None:
    """Until it has a word on it of its own: a restart moves nothing."""
    evidence = Evidence(heard=[KUBELET], doubted={KUBELET: "refused", GATEWAY: "silent"})
    evidence.observe(KUBELET, UNKNOWN, "not asked yet", 0.0)
    assert len(evidence.doubt(PATIENCE, 0.0)) == 2
    evidence.observe(KUBELET, DOWN, "refused again", 1.0)
    assert "kubelet is unhealthy for 10 s and more: refused again" in evidence.doubt(PATIENCE, 1.0)
    evidence.observe(KUBELET, UP, "", 2.0)
    evidence.observe(GATEWAY, UP, "", 2.0)
    assert evidence.doubt(PATIENCE, 2.0) == ()
    assert evidence.deadline(PATIENCE, 2.0) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CARRIER, GATEWAY, KUBELET, KUBE_PROXY]), st.sampled_from(list(Health))
        )
    )
)
def test_unknown_changes_nothing(steps: list[tuple[str, Health]]) -> None:
    """With or without the answers that were none, the doubt is the same."""
    told, known = Evidence(), Evidence()
    for now, (part, health) in enumerate(steps):
        told.observe(part, health, "", now)
        if health is not UNKNOWN:
            known.observe(part, health, "", now)
    assert told.doubt(PATIENCE, 1000.0) == known.doubt(PATIENCE, 1000.0)


@pytest.mark.parametrize(
    ("changes", "policy", "said"),
    [
        pytest.param({}, DrainTrigger.ON_CORDON, "", id="a node like any other"),
        pytest.param({"unschedulable": True}, DrainTrigger.ON_REQUEST, "",
                     id="a cordon means nothing unless it is to"),
        pytest.param({"unschedulable": True}, DrainTrigger.ON_CORDON, "is cordoned",
                     id="a cordon where it is to drain"),
        pytest.param({"unschedulable": True}, DrainTrigger.WAIT_FOR_CONNECTIONS, "is cordoned",
                     id="a cordon where connections are waited for"),
        pytest.param({"drain_taint": True}, DrainTrigger.ON_REQUEST, "taint bgpd.io/drain",
                     id="our taint always drains"),
        pytest.param({"shutting_down": True}, DrainTrigger.ON_REQUEST, "is shutting down",
                     id="a node that kubelet shuts down"),
    ],
)  # fmt: skip
def test_what_drains_a_node(changes: Mapping[str, bool], policy: DrainTrigger, said: str) -> None:
    """The cause is a sentence that names the node; without one nothing is drained."""
    cause = drain_cause(node("n1", **changes), SpeakerPolicy(drain=policy))
    assert bool(cause) is bool(said)
    assert said in cause


def test_a_node_without_a_document_is_not_drained() -> None:
    """Unknown is not empty."""
    assert drain_cause(None, SpeakerPolicy()) == ""


@pytest.mark.parametrize(
    ("doubt", "others", "types"),
    [
        pytest.param((), {"n2": True}, [], id="no doubt"),
        pytest.param(("no carrier",), {"n2": False}, ["NodeInDoubt"], id="another one is fine"),
        pytest.param(("no carrier",), {"n2": True, "n3": True}, ["NodeInDoubt", "EveryNodeInDoubt"],
                     id="all are doubtful"),
        pytest.param(("no carrier",), {}, ["NodeInDoubt", "EveryNodeInDoubt"], id="we are alone"),
    ],
)  # fmt: skip
def test_who_hears_of_doubt(
    doubt: tuple[str, ...], others: Mapping[str, bool], types: list[str]
) -> None:
    """A node says what is wrong with it, and that nobody is better where nobody is."""
    assert [one.type for one in doubt_conditions(doubt, others)] == types


@pytest.mark.parametrize("others", [{"n2": True}, {"n2": False}, {}])
def test_a_doubt_about_kube_proxy_says_what_ends_it_for_good(others: Mapping[str, bool]) -> None:
    """Whoever replaced kube-proxy would wait for ever; of a doubt about others it is not said."""
    for sentence in ("kube-proxy was not healthy since the boot", "kube-proxy is unhealthy: no"):
        for one in doubt_conditions(("no carrier", sentence), others):
            assert 'set spec.health.kubeProxy: "" in the SpeakerPolicy' in one.message
    for one in doubt_conditions(("no carrier", "kubelet is unhealthy: refused"), others):
        assert "kubeProxy" not in one.message


def test_where_nobody_is_better_no_route_is_said_to_be_behind_others() -> None:
    """A person would look for nodes that carry the traffic instead, and there are none."""
    behind = "rank behind"
    (one,) = doubt_conditions(("no carrier",), {"n2": True, "n3": False})
    assert behind in one.message
    for every in doubt_conditions(("no carrier",), {"n2": True, "n3": True}):
        assert behind not in every.message
