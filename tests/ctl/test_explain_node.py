"""`bgpctl explain node`: what the death or a reboot of a node would cost now."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpd.ctl.explaineverywhere import alone_of
from bgpd.ctl.explainnode import outlook, outlook_document, outlook_text
from bgpd.ctl.fleet import fleet_of
from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.model.peer import BFDState, Lever, PeerState
from bgpd.model.prefix import Prefix
from bgpd.model.status import BFDStatus, DrainPhase, DrainStatus, MemberState
from tests.ctl.fakes import Result, bgpctl, serving
from tests.ctl.samples import FINE, member, route
from tests.ctl.test_fleet import node, written

WEB = Prefix("203.0.113.10/32")


def changed(**changes: Any) -> View:
    """Return a node that is well, but for *changes* of its speaker."""
    assert FINE.speaker is not None
    return replace(FINE, speaker=replace(FINE.speaker, **changes))


def meshed(**changes: Any) -> View:
    """Return a node that is well, but for *changes* of its mesh."""
    assert FINE.speaker is not None
    assert FINE.speaker.mesh is not None
    return changed(mesh=replace(FINE.speaker.mesh, **changes))


def session(**changes: Any) -> View:
    """Return a node whose first session has *changes*."""
    assert FINE.speaker is not None
    first, *rest = FINE.speaker.sessions
    return changed(sessions=(replace(first, **changes), *rest))


def said(view: View, *alone: Prefix) -> str:
    """Return everything on one line."""
    return outlook_text(outlook(view, alone)).replace("\n  ", " ")


def test_a_node_whose_routes_others_carry_can_be_rebooted() -> None:
    """The answer comes first, then how fast."""
    view = meshed(interval_milliseconds=40.0)
    found = outlook(view, ())
    assert found.safe
    text = said(view)
    assert text.startswith("n1 can be rebooted now\n")
    assert "miss it after 120 ms (3 heartbeats of 40 ms)" in text
    assert "tor-a would notice by itself after 90 s" in text
    assert max(map(len, outlook_text(found).splitlines())) <= 80


def test_what_nobody_else_carries_is_named_with_its_service() -> None:
    """Question 12: which Services have no other carrier."""
    text = said(FINE, WEB)
    assert text.startswith("n1 should not be rebooted now\n")
    assert "✗ no other node carries 203.0.113.10/32 (default/web)" in text
    assert "✗ down while it is away: 203.0.113.10/32 (default/web)" in text
    assert outlook_document(outlook(FINE, (WEB,)))["safeToReboot"] is False


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        pytest.param(meshed(armed=False, reachable=1, counted=3),
                     "not armed: 1 of 3 members reachable; routers keep its paths for up to "
                     "90 s (hold time)", id="nobody could take over"),
        pytest.param(changed(mesh=None), "the mesh is off", id="no mesh"),
        pytest.param(session(lever=Lever.NONE), "compares nothing that a raise could change",
                     id="a peer that compares nothing"),
        pytest.param(session(lever_probed={"med": False}), "did not follow med when it was probed",
                     id="a probe that moved nothing"),
        pytest.param(session(bfd=BFDStatus(state=BFDState.UP, remote_detection_milliseconds=900)),
                     "after 900 ms (BFD); with takeover Auto the others raise after 1000 ms",
                     id="a router with BFD"),
        pytest.param(session(hold_time=0), "never: its hold time is 0", id="no hold time"),
        pytest.param(meshed(members=(member("n2", "10.0.0.2", state=MemberState.DEAD),
                                     member("n3", "10.0.0.3")), reachable=2, counted=2),
                     "✗ member n2 is Dead already", id="another one is away"),
        pytest.param(meshed(members=(member("n2", "10.0.0.2", draining=True),)),
                     "✗ member n2 is being drained, too", id="another one is drained"),
        pytest.param(changed(drain=DrainStatus(phase=DrainPhase.DRAINED)),
                     "it is drained: its routes are withdrawn already", id="it is drained"),
        pytest.param(changed(drain=DrainStatus(phase=DrainPhase.WAITING)),
                     "its drain is under way (Waiting)", id="it is being drained"),
        pytest.param(changed(routes=()), "it carries no traffic", id="it carries nothing"),
        pytest.param(View(agent_error="gone", speaker_error="nobody listens"),
                     "the speaker does not answer (nobody listens)", id="nothing answers"),
    ],
)  # fmt: skip
def test_each_thing_that_decides_is_told(view: View, sentence: str) -> None:
    """Question 11: what happens, how fast, is the takeover armed."""
    assert sentence in said(view)


def test_what_is_not_known_is_neither_good_nor_bad() -> None:
    """A speaker that does not answer the question: the rest is told, and nobody reboots."""
    found = outlook(FINE, "nobody listens here any more")
    assert not found.safe
    text = outlook_text(found)
    assert text.startswith("whether n1 can be rebooted now is not known\n")
    assert "what no other node carries is not known: nobody listens here any more" in text
    assert not outlook(View(speaker_error="nobody listens"), ()).safe


def test_in_a_cluster_a_carrier_counts_while_it_lives_and_is_not_drained() -> None:
    """By what all of them advertise: a node whose speaker is dead carries nothing any more."""
    other = changed(routes=(route(WEB, "tor-a"),))
    nodes = [node("n1"), node("n2")]
    both = fleet_of([*nodes, written(FINE), written(other, "n2")])
    assert WEB not in alone_of(both, "n1")
    drained = replace(other, speaker=replace(other.speaker, draining=True))  # type: ignore[type-var]
    assert WEB in alone_of(fleet_of([*nodes, written(FINE), written(drained, "n2")]), "n1")
    dead = meshed(members=(member("n2", "10.0.0.2", state=MemberState.DEAD),))
    assert WEB in alone_of(fleet_of([*nodes, written(dead), written(other, "n2")]), "n1")


def asked(directory: Path, *words: str, alone: tuple[str, ...]) -> Result:
    """Run `bgpctl explain node` beside a node that answers."""

    async def story() -> Result:
        speaker = {
            "status": Answer(content=FINE.speaker),
            "drain": Answer(content={"alone": alone}),
        }
        agent = {"status": Answer(content=FINE.agent)}
        async with serving(directory, agent=agent, speaker=speaker) as handlers:
            found = await bgpctl("explain", "node", *words, "--run-dir", str(directory))
            (question,) = [one for one in handlers["speaker"].asked if one.question == "drain"]
            assert question.arguments == {"dry-run": "true"}, "nothing is drained by asking"
            return found

    return asyncio.run(story())


def test_the_exit_status_says_it_for_scripts(tmp_path: Path) -> None:
    """`bgpctl explain node && reboot`."""
    assert asked(tmp_path, alone=()).status == 0
    found = asked(tmp_path, "n1", "-o", "json", alone=(WEB,))
    assert found.status == 3
    assert json.loads(found.output)["alone"] == [{"prefix": WEB, "services": ["default/web"]}]


def test_a_session_that_is_down_says_nothing_of_how_fast() -> None:
    """Its router has no path to lose."""
    assert "tor-a would notice" not in said(session(state=PeerState.IDLE))
