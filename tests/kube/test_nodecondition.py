"""The conditions of a node: what a person should know at a glance, each type once."""

from dataclasses import replace
from typing import Any

import pytest

from bgpd.kube.nodestatus import document
from bgpd.kube.problem import Standing
from bgpd.model.peer import PeerState
from bgpd.model.status import Condition, DrainPhase, DrainStatus, NodeStatus
from tests.ctl.samples import MESH, NODE, NOW, session
from tests.kube.written import problem, status, with_speaker

LATER = NOW + 60


def condition(node: NodeStatus, type_: str, **more: Any) -> tuple[str, str, str]:
    """Return status, reason and message of the condition *type_*."""
    (found,) = (one for one in status(node, **more)["conditions"] if one["type"] == type_)
    return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(NODE, ("True", "Advertising", "2 of 2 sessions are established"), id="fine"),
        pytest.param(with_speaker(sessions=(session("a", "192.0.2.1"),
                                            session("b", "192.0.2.2", state=PeerState.ACTIVE))),
                     ("True", "Advertising", "1 of 2 sessions are established; not so b"),
                     id="one session of two"),
        pytest.param(with_speaker(sessions=(session("b", "192.0.2.2", state=PeerState.ACTIVE),)),
                     ("False", "NoSession", "no session is established; tried are b"),
                     id="no session"),
        pytest.param(with_speaker(sessions=()), ("False", "NoPeer", "no BGPPeer selects this node"),
                     id="no peer"),
        pytest.param(with_speaker(draining=True),
                     ("False", "Draining",
                      "the node is being drained, so its routes are the last choice"), id="drain"),
        pytest.param(with_speaker(draining=True, drain=DrainStatus(phase=DrainPhase.DRAINED,
                                                                   cause="the node shuts down")),
                     ("False", "Draining",
                      "the node is drained, so its routes are withdrawn: the node shuts down"),
                     id="drained"),
        pytest.param(with_speaker(exabgp_pid=None),
                     ("False", "ExabgpNotRunning", "ExaBGP is not running; it is started again"),
                     id="no ExaBGP"),
        pytest.param(replace(NODE, speaker=None),
                     ("False", "SpeakerUnreachable",
                      "the speaker does not answer its agent; its routes stay"), id="no speaker"),
        pytest.param(replace(NODE, synced=False),
                     ("False", "NotSynced",
                      "not everything has been read from directory:/etc/bgpd/config yet"),
                     id="not synced"),
    ],
)  # fmt: skip
def test_ready_says_whether_the_node_can_carry_traffic(
    node: NodeStatus, expected: tuple[str, str, str]
) -> None:
    """The first reason why not is the one that is told."""
    assert condition(node, "Ready") == expected


def test_takeover_armed_is_unknown_where_nobody_can_know() -> None:
    """And false as soon as too few members are alive."""
    words = "3 of 3 members are alive, this one included"
    assert condition(NODE, "TakeoverArmed") == ("True", "Quorum", words)
    alone = with_speaker(mesh=replace(MESH, armed=False, reachable=1))
    assert condition(alone, "TakeoverArmed")[:2] == ("False", "NoQuorum")
    assert condition(with_speaker(mesh=None), "TakeoverArmed")[:2] == ("Unknown", "NoMesh")


def test_configuration_valid_says_what_is_not() -> None:
    """Few sentences and how many more; a field without effect does not make it invalid."""
    assert condition(NODE, "ConfigurationValid") == ("True", "Accepted", "24 objects are in force")
    notice = problem("has no effect", standing=Standing.IGNORED)
    assert condition(NODE, "ConfigurationValid", problems=[notice])[0] == "True"
    several = [problem(f"{number} is wrong") for number in range(5)]
    found = condition(NODE, "ConfigurationValid", problems=several)
    words = "0 is wrong; 1 is wrong; 2 is wrong; and 2 more"
    assert found == ("False", "Refused", words)
    refused = Condition(type="PeersRefused", status=True, reason="CannotConfigure", message="why")
    assert condition(with_speaker(conditions=(refused,)), "ConfigurationValid")[2] == "why"
    assert condition(replace(NODE, synced=False), "ConfigurationValid")[0] == "Unknown"


def test_conditions_of_one_type_become_one() -> None:
    """The server keeps one for each type, so none may hide another."""
    several = tuple(
        Condition(type="ReferenceMissing", status=True, reason="NoSuchObject", message=message)
        for message in ("b", "a")
    )
    quiet = Condition(type="NotHeard", status=False, reason="Heard", message="fine")
    found = status(replace(NODE, conditions=several), problems=())
    assert condition(replace(NODE, conditions=several), "ReferenceMissing")[2] == "a; b"
    types = [one["type"] for one in found["conditions"]]
    assert types[:3] == ["Ready", "TakeoverArmed", "ConfigurationValid"]
    assert len(types) == len(set(types))
    heard = condition(with_speaker(mesh=replace(MESH, conditions=(quiet,))), "NotHeard")
    assert heard == ("False", "Heard", "fine")


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    """Another reason is no change, another status is."""
    before = document(NODE, now=NOW)
    drained = document(with_speaker(draining=True), now=LATER, previous=before)
    without = document(with_speaker(sessions=()), now=LATER + 60, previous=drained)
    times = [
        {one["type"]: one["lastTransitionTime"] for one in found["status"]["conditions"]}
        for found in (before, drained, without)
    ]
    assert times[0]["Ready"] == "2027-01-15T08:00:00Z"
    assert times[1]["Ready"] == times[2]["Ready"] == "2027-01-15T08:01:00Z"
    assert {found["TakeoverArmed"] for found in times} == {"2027-01-15T08:00:00Z"}
