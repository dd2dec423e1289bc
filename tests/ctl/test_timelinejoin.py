"""Several nodes' records of one thing: one scale, its uncertainty told, nothing made up."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.ctl.timelinejoin import BY_WALL, TOGETHER_SECONDS, Joined, gaps, join
from bgpd.model.timeline import Failover, PairClock, Step, StepName
from tests.ctl.timelinesamples import AT, N1, N2, N4, TAKEOVER, WITHDRAWN, clock, seen


def at(joined: Joined, node: str, step: str) -> float:
    """Return when *node* was at *step*."""
    return next(r.milliseconds for r in joined.rows if (r.node, r.step) == (node, step))


def test_a_takeover_is_one_thing_however_many_tell_of_it() -> None:
    """One generation is one takeover; what else happened stands beside it."""
    happened = join([N2, WITHDRAWN, N4, N1])
    assert [(one.kind, one.nodes) for one in happened] == [
        ("takeover", ("n1", "n2", "n4")),
        ("withdraw", ("n2",)),
    ]
    takeover = happened[0]
    assert (takeover.generation, takeover.routes, takeover.members) == (8, 36, ("n3",))
    assert takeover.cause == "member n3 silent for 131 ms", "of whoever raised it"


def test_everything_counts_from_the_last_sign_of_life_that_anybody_heard() -> None:
    """n2 heard the dead node half a millisecond after n1 did."""
    (takeover,) = join(TAKEOVER)
    assert at(takeover, "n2", "cause") == pytest.approx(0.0, abs=0.3)
    assert at(takeover, "n1", "cause") == pytest.approx(-0.5, abs=0.3)
    assert takeover.at == pytest.approx(AT, abs=0.001)
    for node, step, truth in (
        ("n1", "decision", 131.0), ("n2", "decision", 131.5), ("n4", "flushed", 134.0),
        ("n2", "sent", 140.0),
    ):  # fmt: skip
        assert at(takeover, node, step) == pytest.approx(truth, abs=0.5)


def test_rows_are_in_the_order_of_time() -> None:
    """And of things at one moment, what comes first by its nature."""
    (takeover,) = join(TAKEOVER)
    times = [row.milliseconds for row in takeover.rows]
    assert times == sorted(times)
    assert sum(gap for _, gap in gaps(takeover)) == pytest.approx(times[-1] - times[0])


def test_both_ends_of_a_pair_make_it_surer() -> None:
    """Each has its own bounds; the truth is within both."""
    (alone,) = join([N1, replace(N2, clocks=())])
    (both,) = join([N1, N2])
    assert alone.pairs[0].uncertainty == pytest.approx(0.2)
    assert both.pairs[0].uncertainty is not None
    assert both.pairs[0].uncertainty < 0.2


def test_ends_that_contradict_each_other_make_it_less_sure() -> None:
    """Neither is believed alone: the bound holds both."""
    (found,) = join([N1, replace(N2, clocks=(clock("n1", "n2", wrong=1.5),))])
    uncertainty = found.pairs[0].uncertainty
    assert uncertainty is not None
    assert uncertainty > 0.5


def test_two_that_never_heard_each_other_are_joined_through_a_third() -> None:
    """Uncertainties add up, and the way is told."""
    far = replace(N4, clocks=(clock("n2", "n4", within=0.3),))
    near = replace(N1, clocks=(clock("n2", "n1", within=0.2),))
    (found,) = join([near, replace(N2, clocks=()), far])
    pair = next(one for one in found.pairs if one.node == "n4")
    assert pair.how == "heartbeats, via n2"
    assert pair.uncertainty == pytest.approx(0.5)
    assert at(found, "n4", "flushed") == pytest.approx(134.0, abs=1.0)


def test_nobody_knows_the_clock_of_who_tells_of_none() -> None:
    """Wall clocks are what is left, and nobody says how wrong they are."""
    stranger = replace(seen("n2", decided=131.5, flushed=133.0, sent=140.0, wall=5.0), clocks=())
    (found,) = join([replace(N1, clocks=()), stranger])
    (pair,) = found.pairs
    assert (pair.how, pair.uncertainty) == (BY_WALL, None)
    assert at(found, "n2", "decision") - at(found, "n1", "decision") == pytest.approx(5000.5)
    assert {row.uncertainty for row in found.rows if row.node == "n2"} == {None}


def test_who_merely_heard_of_it_saw_no_sign_of_life() -> None:
    """A member that was told of the raise, and not of whom, does not say when it all began."""
    told = replace(N2, members=(), clock=(N2.clock or 0.0) + 0.15)
    (found,) = join([N1, told])
    assert at(found, "n1", "cause") == 0.0


def test_a_generation_that_comes_again_is_another_takeover() -> None:
    """After a reset by a person numbers come twice."""
    later = [replace(one, at=one.at + TOGETHER_SECONDS * 2, boot="later") for one in (N1, N2)]
    happened = join([*TAKEOVER, *later])
    assert [one.nodes for one in happened] == [("n1", "n2", "n4"), ("n1", "n2")]


def test_one_node_twice_is_not_two_nodes() -> None:
    """The same record from a file and from the API counts once, the longer one."""
    short = replace(N2, steps=N2.steps[:3])
    (found,) = join([N1, short, N2, short])
    assert found.nodes == ("n1", "n2")
    assert at(found, "n2", "sent") == pytest.approx(140.0, abs=0.5)


def test_records_of_older_versions_are_shown() -> None:
    """They have no node, no boot and no clock."""
    old = Failover(
        kind="raise", at=AT, cause="member n3 silent", generation=8, routes=2,
        steps=(Step(name="cause", milliseconds=0.0), Step(name="flushed", milliseconds=150.0)),
    )  # fmt: skip
    (found,) = join([old])
    assert [row.milliseconds for row in found.rows] == [0.0, 150.0]
    assert join([]) == ()


@given(
    offsets=st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=6),
    decided=st.lists(st.floats(100.0, 200.0), min_size=6, max_size=6),
    seed=st.integers(0, 1000),
)
def test_the_truth_is_within_what_is_said(
    offsets: list[float], decided: list[float], seed: int
) -> None:
    """Wherever the clocks stand: each row is no further from the truth than its uncertainty."""
    dice = random.Random(seed)
    names = [f"n{number}" for number in range(len(offsets))]
    records = []
    for me, name in enumerate(names):
        knows = []
        for other, their in enumerate(names):
            if other != me:
                within = dice.uniform(0.1, 1.0)
                off = (offsets[other] - offsets[me]) * 1000 + dice.uniform(-within, within)
                knows.append(
                    PairClock(member=their, milliseconds=off, uncertainty_milliseconds=within)
                )
        records.append(
            Failover(
                kind="raise", at=AT, cause="x", generation=3, routes=1, node=name, boot="b",
                clock=1e6 + offsets[me], members=("dead",), clocks=tuple(knows),
                steps=(
                    Step(name="cause", milliseconds=0.0),
                    Step(name="decision", milliseconds=decided[me]),
                ),
            )
        )  # fmt: skip
    (found,) = join(records)
    first = found.nodes[0]
    zero = at(found, first, "decision") - decided[names.index(first)]
    for row in found.rows:
        assert row.uncertainty is not None
        truth = decided[names.index(row.node)] if row.step == StepName.DECISION else 0.0
        assert abs(row.milliseconds - zero - truth) <= row.uncertainty + 0.01


@pytest.mark.parametrize("minutes", [5, -5], ids=["ahead", "behind"])
def test_a_wall_clock_that_is_wrong_parts_nothing(minutes: int) -> None:
    """What heartbeats know of the clocks says that it was at once; without them nobody knows."""
    wrong = replace(N2, at=N2.at + 60 * minutes)
    happened = join([N1, wrong, N4])
    assert [set(one.nodes) for one in happened] == [{"n1", "n2", "n4"}]
    assert at(happened[0], "n2", "decision") == pytest.approx(131.5, abs=0.5)
    apart = join([replace(N1, clocks=()), replace(wrong, clocks=())])
    assert len(apart) == 2


def test_who_adopts_a_generation_later_is_no_part_of_the_takeover() -> None:
    """Its clock, by heartbeats, says so: an hour had passed."""
    assert N2.clock is not None
    later = replace(N2, at=N2.at + 3600, clock=N2.clock + 3600)
    assert len(join([N1, later])) == 2
