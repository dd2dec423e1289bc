"""The gate after a boot: what it waits for, in which order, and when it stays out of the way."""

import pytest

from bgpd.model.health import Health, StartupPolicy
from bgpd.model.reason import Reason
from bgpd.policy.startup import SLOW, Boot, Gate, Look
from bgpd.policy.verdict import FINE

UP, DOWN, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def gate_after(
    boot: Boot,
    looks: list[tuple[float, Health]],
    *,
    policy: StartupPolicy | None = None,
    awaited: bool = True,
) -> Gate:
    """Return a gate of a node that booted at 0, after *looks* at kube-proxy."""
    gate = Gate(boot, "n1", 0.0)
    for now, health in looks:
        gate.look(Look(policy=policy or StartupPolicy(), kube_proxy=health, awaited=awaited), now)
    return gate


@pytest.mark.parametrize(
    ("boot", "looks", "policy", "awaited", "is_open"),
    [
        pytest.param(Boot.SAME, [], StartupPolicy(delay_seconds=9), True, True,
                     id="a restart of the agent waits for nothing"),
        pytest.param(Boot.ANOTHER, [(0, UNKNOWN)], StartupPolicy(), True, False,
                     id="kube-proxy, which was here, has not said a word"),
        pytest.param(Boot.ANOTHER, [(0, UNKNOWN), (5, DOWN)], StartupPolicy(), True, False,
                     id="kube-proxy says that it is not ready"),
        pytest.param(Boot.ANOTHER, [(0, UNKNOWN), (5, UP)], StartupPolicy(), True, True,
                     id="kube-proxy is there"),
        pytest.param(Boot.ANOTHER, [(0, UNKNOWN)], StartupPolicy(), False, True,
                     id="no kube-proxy was ever here"),
        pytest.param(Boot.FIRST, [(0, UNKNOWN)], StartupPolicy(), False, True,
                     id="a node that was never seen has nothing to wait for"),
        pytest.param(Boot.ANOTHER, [(0, UNKNOWN), (60, UNKNOWN)], StartupPolicy(), True, True,
                     id="patience is over"),
        pytest.param(Boot.ANOTHER, [(0, UP), (4, UP)], StartupPolicy(delay_seconds=5), True, False,
                     id="the delay is not over"),
        pytest.param(Boot.ANOTHER, [(0, UP), (5, UP)], StartupPolicy(delay_seconds=5), True, True,
                     id="the delay is over"),
        pytest.param(Boot.ANOTHER, [(0, UP), (3, DOWN), (4, UP), (8, UP)],
                     StartupPolicy(delay_seconds=5), True, False,
                     id="the delay begins anew when kube-proxy goes again"),
    ],
)  # fmt: skip
def test_when_the_gate_opens(
    boot: Boot,
    looks: list[tuple[float, Health]],
    policy: StartupPolicy,
    awaited: bool,
    is_open: bool,
) -> None:
    """Kube-proxy if it is missed, then the delay; a closed gate says what it waits for."""
    gate = gate_after(boot, looks, policy=policy, awaited=awaited)
    assert gate.open is is_open
    if is_open:
        assert gate.verdict is FINE
    else:
        assert gate.verdict.reason is Reason.STARTING_UP
        assert gate.verdict.message.startswith("node n1 has booted")


def test_patience_that_is_over_is_remembered() -> None:
    """The node advertises, and somebody has to say that it is doubtful."""
    gate = gate_after(Boot.ANOTHER, [(0, UNKNOWN), (60, UNKNOWN)])
    assert gate.patience_over
    assert not gate_after(Boot.ANOTHER, [(0, UP)]).patience_over


def test_an_open_gate_stays_open() -> None:
    """What kube-proxy does later is for the node's standing."""
    gate = gate_after(Boot.ANOTHER, [(0, UP), (1, DOWN), (2, UNKNOWN)])
    assert gate.open
    assert gate.verdict is FINE


def test_first_routes_may_be_less_wanted() -> None:
    """With slowStartSeconds they carry rank 240 for so long, then none."""
    policy = StartupPolicy(slow_start_seconds=30)
    gate = gate_after(Boot.ANOTHER, [(10, UP)], policy=policy)
    assert gate.verdict is SLOW
    assert gate.deadline(policy) == 40
    look = Look(policy=policy, kube_proxy=UP, awaited=True)
    assert not gate.look(look, 39.9)
    assert gate.look(look, 40.0)
    assert gate.verdict is FINE
    assert gate.deadline(policy) is None


def test_the_deadline_is_when_to_look_again() -> None:
    """First the patience, then the delay, and nothing once it is open."""
    policy = StartupPolicy(delay_seconds=5, patience_seconds=20)
    gate = gate_after(Boot.ANOTHER, [(0, UNKNOWN)], policy=policy)
    assert gate.deadline(policy) == 20
    gate = gate_after(Boot.ANOTHER, [(3, UP)], policy=policy)
    assert gate.deadline(policy) == 8
    gate = gate_after(Boot.ANOTHER, [(3, UP), (8, UP)], policy=policy)
    assert gate.deadline(policy) is None


def test_looking_again_at_the_same_is_no_news() -> None:
    """Ten thousand Services are decided on only when what holds for them changed."""
    policy = StartupPolicy(delay_seconds=5)
    gate = Gate(Boot.ANOTHER, "n1", 0.0)
    missing = Look(policy=policy, kube_proxy=UNKNOWN, awaited=True)
    there = Look(policy=policy, kube_proxy=UP, awaited=True)
    looks = [(missing, 0.0), (missing, 1.0), (there, 2.0), (there, 3.0), (there, 7.0), (there, 8.0)]
    assert [gate.look(look, now) for look, now in looks] == [True, False, True, False, True, False]
