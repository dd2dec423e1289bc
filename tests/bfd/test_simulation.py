"""Two sessions against each other in virtual time: over good links, bad links and none."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from bgpd.bfd.packet import Diag, Refusal, State
from bgpd.bfd.seal import Key
from bgpd.bfd.session import Settings
from tests.bfd.pair import Pair, settings

SETTINGS = st.builds(
    settings, tx=st.integers(10, 2000), rx=st.integers(10, 2000), mult=st.integers(2, 10)
)
SEEDS = st.integers(0, 2**16)


@given(a=SETTINGS, b=SETTINGS, seed=SEEDS)
@how(deadline=None, max_examples=40)
def test_over_a_good_link_both_come_up_and_stay(a: Settings, b: Settings, seed: int) -> None:
    """Whatever the two intervals are, and each knows the other's."""
    pair = Pair(a, b, seed=seed)
    pair.run(60)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP
    for name in "ab":
        assert [event.new for event in pair.events[name]] in (
            [State.INIT, State.UP],
            [State.UP],
        )
    slowest = max(a.desired_min_tx, b.required_min_rx)
    assert pair.ends["a"].remote_detection_time == pair.ends["b"].detection_time
    assert pair.ends["b"].detection_time == a.detect_mult * slowest / 1e6
    assert not any(end.polling for end in pair.ends.values())
    assert not pair.refused


@given(a=SETTINGS, b=SETTINGS, seed=SEEDS, end=st.sampled_from("ab"))
@how(deadline=None, max_examples=40)
def test_a_dead_link_is_noticed_within_the_detection_time(
    a: Settings, b: Settings, seed: int, end: str
) -> None:
    """By both, each by its own time, and not before it."""
    pair = Pair(a, b, seed=seed)
    pair.run(60)
    times = {name: pair.ends[name].detection_time for name in "ab"}
    pair.lose = lambda _end, _now: True
    cut = pair.now
    pair.run(60)
    for name in "ab":
        event = pair.events[name][-1]
        detection = times[name]
        assert detection is not None
        assert (event.new, event.diag) == (State.DOWN, Diag.DETECTION_TIME_EXPIRED)
        assert cut < event.at <= cut + detection + 0.002
    pair.lose = lambda _end, _now: False
    pair.run(60)
    assert pair.ends[end].state is State.UP


@given(a=SETTINGS, b=SETTINGS, seed=SEEDS)
@how(deadline=None, max_examples=40)
def test_when_one_way_is_cut_both_are_down(a: Settings, b: Settings, seed: int) -> None:
    """Who hears nothing says so, and the other believes it: a path that works half is none."""
    pair = Pair(a, b, seed=seed)
    pair.run(60)
    pair.lose = lambda name, _now: name == "a"
    pair.run(60)
    assert pair.ends["b"].state is State.DOWN
    assert pair.ends["a"].state in {State.DOWN, State.INIT}
    assert pair.events["b"][-1].diag == Diag.DETECTION_TIME_EXPIRED
    down = next(event for event in pair.events["a"] if event.old is State.UP)
    assert down.diag == Diag.NEIGHBOR_SIGNALED_DOWN


@given(a=SETTINGS, b=SETTINGS, seed=SEEDS)
@how(deadline=None, max_examples=40)
def test_the_pace_is_that_of_section_6_8_7(a: Settings, b: Settings, seed: int) -> None:
    """Between three quarters and the whole of the negotiated interval, once it is known."""
    pair = Pair(a, b, seed=seed)
    pair.run(60)
    pair.sent["a"].clear()
    pair.run(60)
    interval = max(a.desired_min_tx, b.required_min_rx) / 1e6
    times = [one.at for one in pair.sent["a"] if not one.packet.final]
    for sooner, later in itertools.pairwise(times):
        assert 0.749 * interval <= later - sooner <= 1.001 * interval


@given(seed=SEEDS, loss=st.floats(0.0, 0.3))
@how(deadline=None, max_examples=30)
def test_over_a_lossy_link_they_agree_again_and_again(seed: int, loss: float) -> None:
    """Packets are lost at random: whatever state that leads to, a good link ends it."""
    pair = Pair(settings(), settings(tx=100, rx=70), seed=seed)
    pair.lose = lambda _end, _now: pair.random.random() < loss
    pair.run(30)
    pair.lose = lambda _end, _now: False
    pair.run(10)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP


@given(a=SETTINGS, b=SETTINGS, c=SETTINGS, seed=SEEDS, loss=st.floats(0.0, 0.2))
@how(deadline=None, max_examples=40)
def test_a_change_of_intervals_brings_no_session_down(
    a: Settings, b: Settings, c: Settings, seed: int, loss: float
) -> None:
    """Faster or slower, with packets of the Poll Sequence lost: nobody misses anybody.

    Losing is bounded to Detect Mult - 2 in a row: more would be a real silence.
    """
    pair = Pair(a, b, seed=seed)
    pair.run(60)
    in_a_row = {"a": 0, "b": 0}
    most = min(a.detect_mult, b.detect_mult, c.detect_mult) - 2

    def lose(name: str, _now: float) -> bool:
        lost = in_a_row[name] < most and pair.random.random() < loss
        in_a_row[name] = in_a_row[name] + 1 if lost else 0
        return lost

    pair.lose = lose
    pair.ends["a"].configure(c, pair.now)
    pair.run(60)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP
    assert all(event.old is not State.UP for name in "ab" for event in pair.events[name])
    pair.lose = lambda _end, _now: False
    pair.run(30)
    assert not pair.ends["a"].polling
    assert pair.ends["a"].transmit_interval == max(c.desired_min_tx, b.required_min_rx) / 1e6


def test_an_authenticated_peer_that_restarts_is_believed_after_a_while() -> None:
    """Its sequence numbers begin anew: refused as recordings, until it was silent for long."""
    keyed = replace(settings(), key=Key(id=1, secret=b"open sesame"))
    pair = Pair(keyed, keyed)
    pair.run(20)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP
    assert not pair.refused
    pair.ends["b"] = pair.session(keyed, 7)
    pair.run(20)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP
    assert set(pair.refused) == {Refusal.AUTH_SEQUENCE}


@given(seed=SEEDS, sleep=st.floats(0.001, 0.9))
@how(deadline=None, max_examples=30)
def test_a_machine_that_stood_still_calls_nobody_dead(seed: int, sleep: float) -> None:
    """Its queue holds what came; whether the peer missed it is the peer's affair."""
    pair = Pair(settings(tx=300, rx=300), settings(tx=300, rx=300), seed=seed)
    pair.run(20)
    pair.deaf.add("a")
    before = len(pair.events["a"])
    pair.run(sleep)
    pair.deaf.clear()
    pair.run(10)
    first = pair.events["a"][before:]
    assert all(event.diag != Diag.DETECTION_TIME_EXPIRED for event in first)
    assert pair.ends["a"].state is pair.ends["b"].state is State.UP
