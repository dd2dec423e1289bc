"""The parts of a node: what is said of them outlives a change of policy elsewhere."""

from dataclasses import replace

from bgpd.agent.parts import Parts
from bgpd.model.health import Health, LocalHealthPolicy
from bgpd.policy.standing import KUBE_PROXY, KUBELET, Evidence


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
