"""The parts of a node: what is said of them outlives a change of policy elsewhere."""

from dataclasses import replace

import pytest

from bgpd.agent.parts import Parts
from bgpd.host.facts import HostFacts
from bgpd.model.health import Health, LocalHealthPolicy
from bgpd.model.prefix import Address
from bgpd.policy.standing import GATEWAY, KUBE_PROXY, KUBELET, Evidence

ROUTER = Address("192.0.2.9")


def test_a_changed_policy_leaves_the_last_answer_of_what_it_still_asks() -> None:
    """The prober tells changes alone: an answer that is forgotten here would not come again."""
    parts = Parts(Evidence(), lambda: 0.0)
    parts.follow(LocalHealthPolicy())
    assert parts.evidence.details[KUBELET] == "not asked yet"
    parts.answered(KUBELET, Health.UNHEALTHY, "it refused the connection")
    parts.follow(replace(LocalHealthPolicy(), kube_proxy="", doubt_seconds=20))
    assert parts.evidence.details[KUBELET] == "it refused the connection"
    assert parts.evidence.health(KUBELET) is Health.UNKNOWN, "it was never heard"
    assert KUBE_PROXY not in parts.evidence.node


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(HostFacts(), Health.UNHEALTHY, id="nobody has looked yet"),
        pytest.param(HostFacts(problem="no netlink"), Health.UNHEALTHY, id="nobody can look"),
        pytest.param(
            HostFacts(uplinks={"eth0": True}, unreachable=(ROUTER,)),
            Health.UNHEALTHY,
            id="the route to a peer is gone",
        ),
        pytest.param(
            HostFacts(uplinks={"eth0": True}, gateways={"192.0.2.1": Health.UNKNOWN}),
            Health.UNHEALTHY,
            id="another gateway is not asked yet",
        ),
        pytest.param(
            HostFacts(uplinks={"wg0": True}),
            Health.UNKNOWN,
            id="peers are reached by a link without neighbors",
        ),
    ],
)
def test_a_gateway_that_nobody_needs_any_more_is_no_doubt(
    facts: HostFacts, expected: Health
) -> None:
    """Whether we saw it fail, or an agent before us: unless that is sure, the doubt holds."""
    for doubted in ({}, {GATEWAY: "192.0.2.1 does not answer"}):
        parts = Parts(Evidence(doubted=doubted), lambda: 0.0)
        parts.follow(LocalHealthPolicy())
        if not doubted:
            parts.saw(HostFacts(uplinks={"eth0": True}, gateways={"192.0.2.1": Health.UNHEALTHY}))
        assert parts.evidence.health(GATEWAY) is Health.UNHEALTHY
        parts.saw(facts)
        assert parts.evidence.health(GATEWAY) is expected
        assert bool(parts.evidence.doubt(10.0, 0.0)) is (expected is Health.UNHEALTHY)
