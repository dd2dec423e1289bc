"""Facts about what counts as a problem."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.ctl.view import EXIT_CODES, State, View, armed, verdict
from bgpd.model.peer import PeerState
from bgpd.model.reason import Reason
from bgpd.model.status import Condition, MemberState, MeshStatus, NodeStatus, SpeakerStatus
from tests.ctl import samples
from tests.ctl.samples import AGENT_DEAD, DOWN, FINE, IDLE, MESH, NODE, SPEAKER, SPEAKER_DEAD


def with_speaker(**changes: Any) -> View:
    """Return a fine node but for these things of its speaker."""
    speaker: SpeakerStatus = replace(SPEAKER, **changes)
    return View(agent=replace(NODE, speaker=speaker), speaker=speaker)


def with_mesh(**changes: Any) -> View:
    """Return a fine node but for these things of its mesh."""
    mesh: MeshStatus = replace(MESH, **changes)
    return with_speaker(mesh=mesh)


def with_agent(**changes: Any) -> View:
    """Return a fine node but for these things of its agent."""
    agent: NodeStatus = replace(NODE, **changes)
    return View(agent=agent, speaker=SPEAKER)


def condition(*, status: bool) -> Condition:
    """Return a condition that holds or not."""
    return Condition(type="Doubt", status=status, reason="Because", message="somebody should look")


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(FINE, id="everything is well"),
        pytest.param(
            with_mesh(members=(), armed=False, reachable=1, counted=1),
            id="a node without others has nobody to take over from",
        ),
        pytest.param(
            with_mesh(members=(samples.member("n1", "10.0.0.1", state=MemberState.UNHEARD),)),
            id="a node does not wait to hear itself",
        ),
        pytest.param(
            with_speaker(conditions=(condition(status=False),)), id="a condition that does not hold"
        ),
        pytest.param(
            View(speaker=SPEAKER, agent_asked=False), id="nobody asked the agent, and it is there"
        ),
    ],
)
def test_a_healthy_node_is_fine(view: View) -> None:
    """What a healthy cluster looks like every day is no problem."""
    assert verdict(view).problems == ()
    assert EXIT_CODES[verdict(view).state] == 0


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        pytest.param(AGENT_DEAD, "the agent does not answer (", id="the agent is dead"),
        pytest.param(
            replace(FINE, speaker_error="no answer", secondhand=True),
            "the speaker does not answer (no answer); the agent does for it",
            id="the speaker answers the agent only",
        ),
        pytest.param(
            with_agent(synced=False), "the agent has not read directory:", id="nothing was read"
        ),
        pytest.param(
            with_speaker(agent_connected=False),
            "the agent is not connected to the speaker",
            id="both are there but do not talk",
        ),
        pytest.param(with_speaker(draining=True), "the node is draining", id="a drain"),
        pytest.param(
            with_speaker(sessions=()), "there is no BGP session", id="a node without peers"
        ),
        pytest.param(
            with_speaker(
                sessions=(
                    samples.session("a", "192.0.2.1", state=PeerState.IDLE),
                    samples.session("b", "192.0.2.2"),
                )
            ),
            "session a is Idle",
            id="a session is not established",
        ),
        pytest.param(with_speaker(mesh=None), "the mesh is off", id="no mesh"),
        pytest.param(
            with_mesh(members=(samples.member("n2", "10.0.0.2", state=MemberState.QUARANTINED),)),
            "member n2 is Quarantined",
            id="a member is not alive",
        ),
        pytest.param(
            with_mesh(quarantined=True),
            "the others took over from this node three times within ten minutes",
            id="the others do not trust the node",
        ),
        pytest.param(
            with_mesh(members=(samples.member("n2", "10.0.0.2", agent_alive=False),)),
            "the agent of member n2 is silent",
            id="a member's agent is gone",
        ),
        pytest.param(
            with_mesh(armed=False, reachable=1),
            "takeover is not armed (1 of 3 members reachable)",
            id="no quorum",
        ),
        pytest.param(
            with_agent(withheld=(replace(IDLE, reason=Reason.ADDRESS_NOT_IN_POOL),)),
            "1 route that should be advertised is not: AddressNotInPool",
            id="a route is withheld by mistake",
        ),
        pytest.param(
            with_agent(conditions=(condition(status=True),)),
            "Doubt: somebody should look",
            id="a condition of the agent",
        ),
        pytest.param(
            with_mesh(conditions=(condition(status=True),)),
            "Doubt: somebody should look",
            id="a condition of the mesh",
        ),
        pytest.param(
            View(speaker=replace(SPEAKER, agent_connected=False), agent_asked=False),
            "the agent is not connected to the speaker",
            id="nobody asked the agent, and it is gone",
        ),
    ],
)
def test_what_is_not_well_is_said_once(view: View, problem: str) -> None:
    """Each thing that is not well degrades the node and is exactly one sentence."""
    judged = verdict(view)
    assert [sentence[: len(problem)] for sentence in judged.problems] == [problem]
    assert EXIT_CODES[judged.state] == 3


def test_a_condition_that_two_programs_report_is_said_once() -> None:
    """The agent repeats what the speaker says; people read it once."""
    both = replace(SPEAKER, conditions=(condition(status=True),))
    view = View(agent=replace(NODE, conditions=(condition(status=True),)), speaker=both)
    assert len(verdict(view).problems) == 1


def test_a_node_of_which_nothing_answers_is_down() -> None:
    """Down is worse than degraded, for scripts too."""
    judged = verdict(DOWN)
    assert judged.state is State.DOWN
    assert len(judged.problems) == 2
    assert EXIT_CODES[judged.state] == 4


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(SPEAKER_DEAD, id="the speaker is dead and the agent is not"),
        pytest.param(
            with_speaker(
                sessions=(
                    samples.session("a", "192.0.2.1", state=PeerState.IDLE),
                    samples.session("b", "192.0.2.2", state=PeerState.ACTIVE),
                )
            ),
            id="no session is established",
        ),
    ],
)
def test_a_node_that_carries_nothing_is_down(view: View) -> None:
    """What no router hears of is not half there."""
    assert verdict(view).state is State.DOWN


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        (MESH, "yes (3 of 3 members reachable)"),
        (replace(MESH, armed=False, reachable=1), "no: 1 of 3 members reachable"),
        (
            replace(
                MESH,
                armed=False,
                members=tuple(replace(one, hears_us=False) for one in MESH.members),
            ),
            "no: no member that we hear hears us",
        ),
        (replace(MESH, armed=False, reachable=1, counted=1), "no: no other member is heard"),
        (replace(MESH, armed=False, reachable=1, counted=1, members=()), "no: this node is alone"),
    ],
    ids=["armed", "no quorum", "mute", "nobody heard yet", "alone"],
)
def test_why_no_takeover_is_armed_is_said_in_words(mesh: MeshStatus, words: str) -> None:
    """Two numbers alone leave people guessing."""
    assert armed(mesh) == words


def test_every_reason_is_a_mistake_or_ordinary() -> None:
    """A new reason does not degrade a node before somebody has decided that it should."""
    ordinary = {
        reason
        for reason in Reason
        if verdict(with_agent(withheld=(replace(IDLE, reason=reason),))).state is State.FINE
    }
    assert ordinary == {
        Reason.NOT_LOAD_BALANCER,
        Reason.OTHER_LOAD_BALANCER_CLASS,
        Reason.NO_ADDRESS,
        Reason.NO_MATCHING_ADVERTISEMENT,
        Reason.NODE_EXCLUDED,
        Reason.NODE_NOT_SELECTED,
        Reason.NO_ENDPOINTS,
        Reason.NO_LOCAL_ENDPOINTS,
        Reason.NO_PEER,
        Reason.HEALTH_CHECK_NODE_PORT,
        Reason.STANDBY,
        Reason.DRAINED,
    }
