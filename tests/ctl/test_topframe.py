"""What `bgpctl top` shows, as a function of what was seen and of the screen's size."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.fleet import NodeSeen
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.topframe import Line, Look, Tone, changes, frame, shares
from bgpd.ctl.view import View
from bgpd.model.event import Event
from bgpd.model.status import MemberState
from tests.ctl.samples import CUT_OFF, FINE, MESH, NODE, NOW, SICK, SPEAKER, member, route

EVENT = Event(
    at=NOW - 1, level="warning", event="generation_raised", keys=(("member", "n3"),),
    process="speaker",
)  # fmt: skip


def look(view: View = FINE, *events: Event) -> Look:
    """Return a look at the one node."""
    return Look(scene=Scene(places=(Place(node=view.node, view=view),)), at=NOW, events=events)


def crowd() -> View:
    """Return a node with more of everything than a screen holds."""
    members = tuple(member(f"n{number}", f"10.0.0.{number}") for number in range(2, 42))
    dead = replace(members[30], state=MemberState.DEAD)
    speaker = replace(
        SPEAKER,
        routes=tuple(route(f"203.0.113.{number}/32", "tor-a") for number in range(200)),
        mesh=replace(MESH, members=(*members[:30], dead, *members[31:])),
    )
    return View(agent=NODE, speaker=speaker)


def texts(lines: tuple[Line, ...]) -> list[str]:
    """Return what is to be read."""
    return [line.text for line in lines]


def test_a_frame_of_80_by_24_says_what_matters() -> None:
    """Sessions, members with round trip and loss, elastic IPs, and the event are all there."""
    found = "\n".join(texts(frame(look(FINE, EVENT), width=80, height=24)))
    words = ["n1: fine", "tor-a", "tor-b", "Established", "n2", "n3", "0.4%", "203.0.113.10"]
    for word in (*words, "default/web", "takeover armed: yes", "generation_raised"):
        assert word in found, word


@pytest.mark.parametrize(
    "view",
    [FINE, CUT_OFF, SICK, crowd(), View()],
    ids=["fine", "cut off", "sick", "crowded", "nobody answers"],
)
@given(width=st.integers(20, 200), height=st.integers(1, 60))
def test_a_frame_never_leaves_the_screen(view: View, width: int, height: int) -> None:
    """No line is wider than the screen and no frame higher, whatever is to be shown."""
    events = tuple(replace(EVENT, at=NOW - number) for number in range(100))
    lines = texts(frame(look(view, *events), width=width, height=height))
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_what_is_not_well_comes_first_and_the_rest_is_counted() -> None:
    """Of forty members the dead one is seen, and how many are not."""
    lines = texts(frame(look(crowd()), width=80, height=24))
    header = next(index for index, line in enumerate(lines) if line.startswith("MEMBER"))
    assert lines[header + 1].startswith("n32")
    assert "Dead" in lines[header + 1]
    assert "more)" in lines[header]


def test_a_problem_is_told_in_words_and_marked() -> None:
    """Who sees no color reads the same."""
    lines = frame(look(CUT_OFF), width=80, height=24)
    bad = [line.text for line in lines if line.tone is Tone.BAD]
    assert any("session tor-a is Active" in text for text in bad)


def test_what_nobody_answers_is_said() -> None:
    """Without agent and speaker the screen says so, and nothing else."""
    view = View(agent_error="no such socket", speaker_error="no such socket")
    lines = texts(frame(look(view), width=80, height=24))
    assert "down" in lines[0]
    assert "the agent does not answer (no such socket)" in lines[2]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 100))
def test_room_is_shared_and_none_is_wasted(wants: list[int], room: int) -> None:
    """Nobody gets more than it wants; either all wants or all room is used up."""
    given_ = shares(wants, room)
    assert all(got <= want for got, want in zip(given_, wants, strict=True))
    assert sum(given_) == min(room, sum(wants))


def test_a_pipe_gets_everything_once_and_then_what_changes() -> None:
    """The second look tells of the session that went, and of nothing that stayed."""
    first = list(changes(None, look(FINE)))
    assert any("session tor-a: Established" in line for line in first)
    assert list(changes(look(FINE), look(FINE))) == []
    second = list(changes(look(FINE), look(CUT_OFF, EVENT)))
    assert any("session tor-a: Established, 3 routes -> Active" in line for line in second)
    assert second[-1].endswith("generation_raised  member=n3")


def test_no_line_of_a_pipe_drives_the_terminal_behind_it() -> None:
    """The last error of a session is a router's word."""
    assert CUT_OFF.speaker is not None
    hostile = [replace(one, last_error="\x1b[2J\n") for one in CUT_OFF.speaker.sessions]
    view = replace(CUT_OFF, speaker=replace(CUT_OFF.speaker, sessions=tuple(hostile)))
    told = list(changes(None, look(view)))
    assert any("?[2J?" in line for line in told)
    assert all(line.isprintable() for line in told)


def test_a_dead_node_is_not_fine_and_carries_nothing() -> None:
    """What it wrote last is all that there is of it, and that was fine."""
    gone = NodeSeen(name="n1", view=FINE, doubts=("its speaker is Dead, say n2",), gone=True)
    places = (Place(node="n1", view=FINE, seen=gone), Place(node="n2", view=FINE))
    seen = Look(scene=Scene(places=places, whole=True), at=NOW)
    found = "\n".join(texts(frame(seen, width=80, height=24)))
    assert "2 nodes, 1 fine" in found
    assert "n1: its speaker is Dead, say n2" in found
    assert "armed: on 1 of 2 nodes" in found
    assert "n1,n2" not in found
    told = list(changes(None, seen))
    assert any(line.endswith("node n1: unknown; its speaker is Dead, say n2") for line in told)


def test_all_nodes_are_told_apart() -> None:
    """Each session and each pair of members has its node, each elastic IP its carriers."""
    places = (Place(node="n1", view=FINE), Place(node="n2", view=FINE))
    seen = Look(scene=Scene(places=places, whole=True), at=NOW)
    found = "\n".join(texts(frame(seen, width=80, height=24)))
    assert "2 nodes, 2 fine" in found
    assert "armed: on 2 of 2 nodes" in found
    assert "n1,n2" in found
    # What the milliseconds are no BGPNodeStatus tells, and 'never' would be false.
    assert "HEARD" not in found
    assert "never" not in found
