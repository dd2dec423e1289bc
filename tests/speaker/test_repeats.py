"""The log of a mesh whose members come and go all the time: short, and nothing is lost."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.events import MemberDead, MemberSuspected, MemberUp, MeshEvent, RaiseRefused
from bgpd.model.member import NodeName
from bgpd.model.prefix import Address
from bgpd.speaker import journal
from bgpd.speaker.effect import Note
from bgpd.speaker.repeats import SETTLED_SECONDS, TELL_SECONDS, Repeats
from tests.speaker.world import Node, World

N2, N3 = NodeName("n2"), NodeName("n3")
SUMMARIES = {"member_settled", "member_unsettled"}


def up(at: float, member: NodeName = N2) -> MeshEvent:
    """Return that *member* is heard again."""
    return MemberUp(member=member, at=at)


def suspected(at: float, member: NodeName = N2) -> MeshEvent:
    """Return that *member* is silent."""
    return MemberSuspected(member=member, at=at, reason=f"member {member} silent for {at} ms")


def refused(at: float, reason: str = "no second member agrees") -> MeshEvent:
    """Return that nobody is raised for."""
    return RaiseRefused(member=N2, at=at, reason=reason)


def written(events: list[tuple[float, MeshEvent]], *, until: float) -> list[tuple[float, Note]]:
    """Return the log of *events*, with a look at what is due each half second."""
    repeats, now = Repeats(), 0.0
    log: list[tuple[float, Note]] = []
    waiting = sorted(events, key=lambda item: item[0])
    while now <= until:
        while waiting and waiting[0][0] <= now:
            at, event = waiting.pop(0)
            if repeats.is_news(event, at):
                log.append((at, journal.line(event)))
        log.extend((now, note) for note in repeats.due(now))
        now += 0.5
    return log


def names(log: list[tuple[float, Note]]) -> list[str]:
    """Return the event names of *log*."""
    return [note.event for _, note in log]


def flips(seconds: float) -> list[tuple[float, MeshEvent]]:
    """Return what a path of one direction makes of a member, twice a second."""
    return [
        (at, event)
        for beat in range(int(2 * seconds))
        for at in [beat / 2]
        for event in (suspected(at), refused(at), up(at))
    ]


def test_what_happens_once_is_written_as_it_is() -> None:
    """A member that dies and returns has the lines that it always had, and no other."""
    story = [
        (1.0, suspected(1.0)),
        (1.2, MemberDead(member=N2, at=1.2, reason="x")),
        (5.0, up(5.0)),
    ]
    log = written(story, until=60.0)
    assert names(log) == ["member_suspected", "member_dead", "member_up"]


def test_a_member_that_comes_and_goes_is_a_line_a_minute() -> None:
    """The first of each kind at once, a count each minute, and one when it has settled."""
    log = written(flips(150.0), until=200.0)
    assert names(log) == [
        "member_suspected",
        "raise_refused",
        "member_up",
        "member_unsettled",
        "member_unsettled",
        "member_settled",
    ]
    times = [at for at, note in log if note.event in SUMMARIES]
    assert times[1] - times[0] == TELL_SECONDS
    keys = dict(log[-1][1].keys)
    assert (keys["member"], keys["latest"]) == (N2, "member_up")


def test_the_counts_add_up() -> None:
    """Every event is a line or in one count."""
    log = written(flips(150.0), until=200.0)
    counts = [dict(note.keys).get("member_up", 0) for _, note in log if note.event in SUMMARIES]
    counted = sum(count for count in counts if isinstance(count, int))
    assert names(log).count("member_up") + counted == 300


def test_members_are_counted_apart_and_reasons_told_apart() -> None:
    """One that flips hides nothing of another, nor that a raise is refused for another reason."""
    repeats = Repeats()
    assert repeats.is_news(up(1.0), 1.0)
    assert not repeats.is_news(up(2.0), 2.0)
    assert repeats.is_news(up(2.0, N3), 2.0)
    assert repeats.is_news(refused(2.0), 2.0)
    assert repeats.is_news(refused(2.1, "only 1 of 3 members are in reach"), 2.1)
    assert not repeats.is_news(refused(2.2), 2.2)


def test_after_an_episode_the_first_line_is_news_again() -> None:
    """What is quiet for long enough has settled."""
    later = 30.0 + SETTLED_SECONDS
    log = written([*flips(20.0), (later, suspected(later))], until=60.0)
    assert names(log)[-2:] == ["member_settled", "member_suspected"]


stories = st.lists(
    st.tuples(st.integers(0, 2000), st.sampled_from([suspected, refused, up])),
    max_size=60,
    unique_by=lambda step: step[0],
)


@given(stories)
def test_the_last_word_on_a_member_is_in_the_log(
    story: list[tuple[int, Callable[[float], MeshEvent]]],
) -> None:
    """Whatever repeats, a reader learns how it ended."""
    events = [(step / 10, make(step / 10)) for step, make in sorted(story, key=lambda one: one[0])]
    log = written(events, until=260.0)
    if not events:
        assert log == []
        return
    _, note = log[-1]
    said = dict(note.keys)["latest"] if note.event in SUMMARIES else note.event
    assert said == journal.line(events[-1][1]).event


class OneWay(World):
    """A cluster in which n3 can be made unable to send."""

    mute = ""

    def _deliver(self, sender: Node, address: Address, payload: bytes) -> None:
        if sender.name != self.mute:
            super()._deliver(sender, address, payload)


def test_a_node_that_nobody_hears_writes_a_few_lines() -> None:
    """It hears the others at the slow pace that they keep for a dead member."""
    world = OneWay()
    world.run(3.0 + SETTLED_SECONDS)
    world.mute = "n3"
    notes = world.nodes["n3"].notes
    notes.clear()
    world.run(20.0)
    about = Counter(note.event for note in notes if dict(note.keys).get("member") == "n1")
    assert about["member_suspected"] == 1
    assert about["member_up"] == 1
    world.mute = ""
    world.run(15.0)
    (settled,) = (
        dict(note.keys)
        for note in notes
        if note.event == "member_settled" and ("member", "n1") in note.keys
    )
    assert settled["latest"] == "member_up"
