"""What is news about a node's health, its drain and its BFD: each turn once, to who it concerns."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.happening import MOST, Happening, Regarding
from bgpd.kube.wellbeing import noted, wellbeing
from bgpd.model.health import Health, ProbeResult
from bgpd.model.peer import BFDState
from bgpd.model.prefix import Prefix
from bgpd.model.status import BFDStatus, DrainPhase, DrainStatus, HealthStatus, NodeStatus
from tests.ctl.samples import NODE, SPEAKER, session

N1 = Regarding(kind="Node", name="n1")
UP, DOWN, INIT = BFDState.UP, BFDState.DOWN, BFDState.INIT


def reasons(old: NodeStatus | None, new: NodeStatus) -> list[tuple[str, int]]:
    """Return the reason of each happening, and how often."""
    return [(one.reason, one.times) for one in wellbeing(old, new)]


def draining(phase: DrainPhase, **fields: Any) -> NodeStatus:
    """Return the node in *phase* of a drain."""
    return replace(NODE, speaker=replace(SPEAKER, drain=DrainStatus(phase=phase, **fields)))


ALONE = (Prefix("203.0.113.9/32"),)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(NODE, NODE, [], id="nothing"),
        pytest.param(NODE, draining(DrainPhase.DEMOTED), ["DrainBegan"], id="begins"),
        pytest.param(draining(DrainPhase.DEMOTED), draining(DrainPhase.DRAINED), ["Drained"],
                     id="is done"),
        pytest.param(NODE, draining(DrainPhase.DRAINED), ["DrainBegan", "Drained"],
                     id="begins and is done between two looks"),
        pytest.param(draining(DrainPhase.DRAINED), draining(DrainPhase.DRAINED), [], id="stays"),
        pytest.param(draining(DrainPhase.WAITING), NODE, ["DrainEnded"], id="is taken back"),
        pytest.param(draining(DrainPhase.DEMOTED), draining(DrainPhase.WAITING, alone=ALONE),
                     ["DrainWaits"], id="has a route that nobody else carries"),
        pytest.param(draining(DrainPhase.WAITING, alone=ALONE),
                     draining(DrainPhase.WAITING, alone=(*ALONE, Prefix("203.0.113.10/32"))), [],
                     id="has another one"),
        pytest.param(None, draining(DrainPhase.DRAINED), [], id="was so when we began"),
        pytest.param(replace(NODE, speaker=None), draining(DrainPhase.DRAINED), [],
                     id="was so when the speaker answered first"),
    ],
)  # fmt: skip
def test_a_drain_is_told_when_it_turns(
    old: NodeStatus | None, new: NodeStatus, expected: list[str]
) -> None:
    """It is about the Node, and only what keeps it from its end is a warning."""
    found = wellbeing(old, new)
    assert [one.reason for one in found] == expected
    assert all(one.regarding == N1 for one in found)
    assert all(one.warning == (one.reason == "DrainWaits") for one in found)


def test_a_drain_says_why_and_what_stays() -> None:
    """Whoever reads the Event knows who asked, and which addresses have no other node."""
    (began,) = wellbeing(NODE, draining(DrainPhase.DEMOTED, cause="node n1 is cordoned"))
    assert began.note == "node n1 is being drained: node n1 is cordoned"
    many = tuple(Prefix(f"203.0.113.{number}/32") for number in range(10, 17))
    before = draining(DrainPhase.DEMOTED)
    (waits,) = wellbeing(before, draining(DrainPhase.WAITING, alone=many))
    assert "203.0.113.14/32 and 2 more while it is drained: no other node" in waits.note


def health(*probes: ProbeResult, doubt: tuple[str, ...] = ()) -> NodeStatus:
    """Return the node with what is known of its health."""
    return replace(NODE, health=HealthStatus(doubt=doubt, probes=probes))


def test_doubt_is_told_when_it_comes_and_goes() -> None:
    """Another reason of a node that is in doubt anyway changes no rank, and is no news."""
    ill = health(doubt=("kubelet has been unhealthy for 10 s",))
    (came,) = wellbeing(NODE, ill)
    assert (came.reason, came.regarding, came.warning) == ("NodeInDoubt", N1, True)
    assert "kubelet has been unhealthy for 10 s" in came.note
    assert wellbeing(ill, health(doubt=("kubelet", "kube-proxy"))) == ()
    (went,) = wellbeing(ill, NODE)
    assert (went.reason, went.regarding, went.warning) == ("NodeWell", N1, False)
    assert wellbeing(None, ill) == ()


def probe(state: Health, number: int = 0, check: str = "default/web") -> ProbeResult:
    """Return what a check says of one Service."""
    return ProbeResult(
        check=check, service=f"default/s{number}", health=state, message="10.0.0.7:80 answered 503"
    )


GOOD, BAD, OPEN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(GOOD, BAD, ["HealthCheckFailing"], id="fails"),
        pytest.param(OPEN, BAD, ["HealthCheckFailing"], id="fails from the start"),
        pytest.param(None, BAD, ["HealthCheckFailing"], id="is new and fails"),
        pytest.param(BAD, GOOD, ["HealthCheckPassing"], id="passes again"),
        pytest.param(None, GOOD, [], id="is new and passes"),
        pytest.param(OPEN, GOOD, [], id="passes from the start"),
        pytest.param(BAD, OPEN, [], id="is not known any more"),
        pytest.param(BAD, None, [], id="is gone"),
        pytest.param(BAD, BAD, [], id="goes on failing"),
    ],
)  # fmt: skip
def test_a_check_is_told_when_it_turns(
    old: Health | None, new: Health | None, expected: list[str]
) -> None:
    """What is not known is no news, nor is a check that begins well."""
    before, after = (health(*([] if one is None else [probe(one)])) for one in (old, new))
    assert [one.reason for one in wellbeing(before, after)] == expected
    assert wellbeing(noted(before), after) == wellbeing(before, after)


def test_a_check_is_about_its_service() -> None:
    """Each with the check and the last answer; a port that answers for the node has no check."""
    (failing,) = wellbeing(health(probe(GOOD)), health(probe(BAD)))
    assert failing == Happening(
        reason="HealthCheckFailing",
        action="Probe",
        regarding=Regarding(kind="Service", name="s0", namespace="default"),
        note="HealthCheck default/web fails on node n1: 10.0.0.7:80 answered 503",
        warning=True,
        about="default/web",
    )
    (passing,) = wellbeing(health(probe(BAD, check="")), health(probe(GOOD, check="")))
    assert passing.note == "the healthCheckNodePort passes again on node n1"
    assert not passing.warning


def test_many_checks_that_turn_are_one_happening() -> None:
    """A node that loses its network is one thing, not a thousand."""
    before = health(*(probe(GOOD, number) for number in range(MOST + 1)))
    after = health(*(probe(BAD, number) for number in range(MOST + 1)))
    (one,) = wellbeing(before, after)
    assert (one.reason, one.regarding, one.times) == ("HealthCheckFailing", N1, 1)
    assert f"{MOST + 1} checks" in one.note


def bfd(state: BFDState | None, transitions: int = 0, started: float = 0.0) -> NodeStatus:
    """Return the node with one session, watched by BFD in *state*."""
    found = None
    if state is not None:
        found = BFDStatus(state=state, transitions=transitions, last_error="silent for 151 ms")
    one = session("tor-a", "192.0.2.1", bfd=found)
    return replace(NODE, speaker=replace(SPEAKER, sessions=(one,), started=started))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(bfd(UP, 1), bfd(DOWN, 2), [("BFDDown", 1)], id="down"),
        pytest.param(bfd(DOWN, 2), bfd(INIT, 2), [], id="on its way up"),
        pytest.param(bfd(INIT, 2), bfd(UP, 3), [("BFDUp", 1)], id="up"),
        pytest.param(bfd(UP, 1), bfd(UP, 3), [("BFDDown", 1), ("BFDUp", 1)], id="down and up"),
        pytest.param(bfd(UP, 9), bfd(DOWN, 0, started=1.0), [("BFDDown", 1)],
                     id="down, by a speaker that counts anew"),
        pytest.param(bfd(None), bfd(UP, 1), [], id="wanted only now"),
        pytest.param(bfd(UP, 1), bfd(None), [], id="not wanted any more"),
    ],
)  # fmt: skip
def test_every_way_of_bfd_is_counted(
    old: NodeStatus, new: NodeStatus, expected: list[tuple[str, int]]
) -> None:
    """As the ways of a session are."""
    assert reasons(old, new) == expected


def test_bfd_that_goes_down_says_why() -> None:
    """It is about the Node, apart for each peer."""
    (down,) = wellbeing(bfd(UP, 1), bfd(DOWN, 2))
    assert (down.regarding, down.about, down.warning) == (N1, "tor-a", True)
    assert down.note == "BFD with BGPPeer tor-a (192.0.2.1) went down: silent for 151 ms"
