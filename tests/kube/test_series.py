"""Few Events say that much happened."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.kube import series
from bgpd.kube.happening import Happening, Regarding
from bgpd.kube.series import BURST, EVERY, FRESH, MOST_KEYS, RATE, Entry, Series

WALL = 1_800_000_000.0


def happening(about: str = "tor-a", *, shared: bool = False, times: int = 1) -> Happening:
    """Return a thing that happens."""
    return Happening(
        reason="SessionDown",
        action="Peer",
        regarding=Regarding(kind="Node", name="n1"),
        note=f"{about} went down",
        about=about,
        shared=shared,
        times=times,
    )


def tell(one: Series, now: float, about: str = "tor-a", times: int = 1) -> None:
    """Tell at *now*."""
    one.tell(happening(about, times=times), now=now, wall=WALL + now)


def write(one: Series, now: float) -> Entry | None:
    """Write what is to be written at *now*, with success."""
    entry = one.next(now)
    if entry is not None:
        one.done(entry, entry.seen)
    return entry


def test_the_first_is_told_at_once_and_its_repeats_are_counted() -> None:
    """Not more than one write in ten seconds, and none when nothing more happens."""
    one = Series("n1")
    tell(one, 0.0)
    first = write(one, 0.0)
    assert first is not None
    assert first.made
    for step in range(1, 40):
        tell(one, step / 10)
    assert one.due(4.0) == EVERY
    assert one.next(EVERY - 0.1) is None
    again = write(one, EVERY)
    assert again is first
    assert series.repeats(again)["series"]["count"] == 40
    assert one.due(EVERY) is None


def test_what_happens_again_much_later_is_a_new_event() -> None:
    """A series has an end."""
    one = Series("n1")
    tell(one, 0.0)
    first = write(one, 0.0)
    tell(one, FRESH + 1)
    second = write(one, FRESH + 1)
    assert first is not None
    assert second is not None
    assert first.name != second.name
    assert second.seen == 1


def test_different_things_share_a_rate() -> None:
    """A burst goes at once, then one a second; all of it is told in the end."""
    one = Series("n1")
    for number in range(20):
        tell(one, 0.0, about=str(number))
    now, written = 0.0, []
    while (due := one.due(now)) is not None:
        now = max(now, due)
        if write(one, now) is not None:
            written.append(now)
    assert len(written) == 20
    assert written.count(0.0) == BURST
    assert written[-1] == pytest.approx((20 - BURST) / RATE)


def test_what_is_new_goes_before_repeats() -> None:
    """A takeover does not wait for a session that flaps."""
    one = Series("n1")
    tell(one, 0.0, about="old")
    write(one, 0.0)
    tell(one, 1.0, about="old")
    tell(one, EVERY, about="new")
    entry = one.next(EVERY + 1)
    assert entry is not None
    assert entry.happening.about == "new"


def test_memory_has_an_end() -> None:
    """What was told is forgotten first; what cannot be remembered is counted."""
    one = Series("n1")
    for number in range(MOST_KEYS + 10):
        tell(one, 0.0, about=str(number))
    assert one.dropped == 10
    write(one, 0.0)
    tell(one, 0.0, about="new")
    assert one.dropped == 10


def test_an_event_that_is_gone_is_made_anew() -> None:
    """Events live for an hour on the server; what it knows already is not told again."""
    one = Series("n1")
    tell(one, 0.0, times=3)
    entry = write(one, 0.0)
    assert entry is not None
    tell(one, 5.0, times=2)
    patched = one.next(EVERY)
    assert patched is entry
    before = entry.name
    one.gone(entry, wall=WALL + EVERY)
    again = one.next(2 * EVERY)
    assert again is entry
    assert not entry.made
    assert entry.name != before
    assert entry.seen == 2


def test_what_the_server_refuses_is_not_asked_for_again() -> None:
    """Until it happens again."""
    one = Series("n1")
    tell(one, 0.0)
    entry = one.next(0.0)
    assert entry is not None
    one.refused(entry)
    assert one.due(0.0) is None
    assert one.dropped == 1


def test_what_fails_is_tried_again() -> None:
    """In its own time, with everything that happened since."""
    one = Series("n1")
    tell(one, 0.0)
    assert one.next(0.0) is not None
    tell(one, 1.0)
    again = one.next(EVERY)
    assert again is not None
    assert again.seen == 2
    assert "series" in series.new(again, "n1")


def named(node: str, *, shared: bool) -> str:
    """Return the name of the Event by which *node* tells something."""
    one = Series(node)
    one.tell(happening(shared=shared), now=0.0, wall=WALL)
    entry = one.next(0.0)
    assert entry is not None
    return entry.name


def test_nodes_that_see_one_thing_find_one_name() -> None:
    """And those that each see their own do not."""
    assert named("n1", shared=True) == named("n2", shared=True)
    assert named("n1", shared=False) != named("n2", shared=False)


def test_an_event_has_the_form_that_the_server_wants() -> None:
    """In the namespace of its object, with the node as what it is related to."""
    one = Series("n1")
    tell(one, 0.0)
    entry = one.next(0.0)
    assert entry is not None
    document = series.new(entry, "n1")
    name = document["metadata"]["name"]
    assert series.path(entry) == "/apis/events.k8s.io/v1/namespaces/default/events"
    assert series.path(entry, name=True).endswith(f"/events/{name}")
    assert document["regarding"] == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "n1",
        "uid": "n1",
    }
    assert "related" not in document
    assert document["eventTime"] == "2027-01-15T08:00:00.000000Z"
    other = series.new(entry, "n2")
    assert other["related"]["name"] == "n2"


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from("abcdefgh")), max_size=150))
def test_never_too_much_and_nothing_lost(steps: list[tuple[float, str]]) -> None:
    """Whatever happens: the rate holds for each thing and for all, and the counts are true."""
    one = Series("n1")
    now, happened = 0.0, Counter[str]()
    written: list[tuple[float, str]] = []
    counts: Counter[str] = Counter()

    def drain(until: float) -> None:
        nonlocal now
        while (due := one.due(now)) is not None and due <= until:
            now = max(now, due)
            entry = one.next(now)
            if entry is None:
                continue
            counts[entry.name] = entry.seen
            one.done(entry, entry.seen)
            written.append((now, entry.happening.about))
        now = until

    for pause, about in steps:
        drain(now + pause)
        tell(one, now, about=about)
        happened[about] += 1
    drain(now + 1000)
    assert sum(counts.values()) == sum(happened.values())
    assert len(written) <= BURST + RATE * now + 1
    for about in happened:
        times = [at for at, what in written if what == about]
        assert all(later - earlier >= EVERY - 1e-6 for earlier, later in pairwise(times))
