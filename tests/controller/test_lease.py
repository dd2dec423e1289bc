"""Who may write, and until when, in a time that the test makes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.controller import lease
from bgpd.controller.lease import (
    DURATION,
    FLIGHT,
    KILL,
    LOOK,
    PATIENCE,
    REQUEST,
    SERVER,
    STOP,
    Election,
    Record,
)

HELD = Record(version="7", holder="other", transitions=3, acquired="a", renewed="r")


def test_the_times_fit_together() -> None:
    """What a leader had begun is over when a rival takes over, which is within the Lease's time."""
    assert REQUEST < STOP / 2
    assert STOP < KILL
    assert KILL + FLIGHT + SERVER <= PATIENCE
    assert PATIENCE + LOOK <= DURATION


@pytest.mark.parametrize(
    ("record", "after", "may"),
    [
        pytest.param(None, 0.0, True, id="there never was a Lease"),
        pytest.param(replace(HELD, holder=""), 0.0, True, id="it was given back"),
        pytest.param(replace(HELD, holder="me"), 0.0, True, id="an answer to us was lost"),
        pytest.param(HELD, PATIENCE - 0.1, False, id="its holder may be at work"),
        pytest.param(HELD, PATIENCE, True, id="its holder cannot be at work any more"),
    ],
)
def test_a_rival_takes_over_when_nobody_can_be_at_work(
    record: Record | None, after: float, *, may: bool
) -> None:
    """By its own clock, from the moment at which it saw the Lease change."""
    election = Election("me")
    assert not election.may_take(100.0)
    election.seen(record, 100.0)
    assert election.may_take(100.0 + after) is may


def test_a_renewal_makes_a_rival_wait_anew() -> None:
    """Any change of the Lease is a sign of life, whatever the clocks in it say."""
    election = Election("me")
    election.seen(HELD, 0.0)
    election.seen(HELD, PATIENCE - 1)
    assert election.may_take(PATIENCE)
    election.seen(replace(HELD, version="8"), PATIENCE)
    assert not election.may_take(2 * PATIENCE - 1)


def test_a_deleted_lease_is_not_free() -> None:
    """Its holder finds out only with its next renewal, and works until then."""
    election = Election("me")
    election.seen(HELD, 0.0)
    election.seen(None, 1.0)
    assert not election.may_take(PATIENCE)
    assert election.may_take(1.0 + PATIENCE)


def test_the_right_to_write_counts_from_the_beginning_of_the_request() -> None:
    """The answer may come late; the rival counts from when the server took it."""
    election = Election("me")
    election.seen(HELD, 0.0)
    wanted = election.wanted(wall=0.0)
    assert (wanted.holder, wanted.transitions, wanted.version) == ("me", 4, "7")
    election.won(replace(wanted, version="8"), began=20.0, now=22.0)
    assert election.holds(20.0 + STOP - 0.01)
    assert not election.holds(20.0 + STOP)
    assert election.kill_at == 20.0 + KILL
    again = election.wanted(wall=5.0)
    assert (again.transitions, again.version, again.acquired) == (4, "8", wanted.acquired)
    assert again.renewed != wanted.renewed
    election.lost(23.0)
    assert not election.holds(20.0)


def test_a_leader_that_lost_its_lease_waits_for_what_it_had_begun() -> None:
    """Its own late write would surprise it like that of anybody else."""
    election = Election("me")
    election.seen(None, 0.0)
    assert election.may_take(0.0)
    election.won(replace(HELD, holder="me"), began=0.0, now=0.0)
    election.lost(STOP)
    assert not election.may_take(STOP + FLIGHT)
    assert election.may_take(STOP + FLIGHT + SERVER)


def test_only_the_holder_gives_the_lease_back() -> None:
    """With the version that it knows, so that it never takes it from somebody else."""
    election = Election("me")
    election.seen(HELD, 0.0)
    assert election.released(0.0) is None
    election.seen(replace(HELD, holder="me"), 1.0)
    given_back = election.released(0.0)
    assert given_back is not None
    assert (given_back.holder, given_back.version) == ("", "7")


def test_a_lease_survives_the_wire() -> None:
    """What is written is what is read."""
    written = lease.document(HELD, name="n", namespace="ns")
    assert written["spec"]["leaseDurationSeconds"] == DURATION
    assert lease.record_of(written) == HELD
    assert lease.record_of({}) is None
    odd = {"metadata": {"resourceVersion": "1"}, "spec": {"leaseTransitions": "x"}}
    assert lease.record_of(odd) == Record(version="1")


@given(st.data())
def test_no_two_may_write_at_one_time(data: st.DataObject) -> None:
    """Whatever the requests take and whoever sleeps for how long, one at most may write.

    Each candidate has a clock of its own, which runs like all others and shows another time.
    """
    offsets = {name: data.draw(st.floats(-1e6, 1e6), label=f"clock of {name}") for name in "ab"}
    elections = {name: Election(name) for name in offsets}
    server: Record | None = None
    version, now = 0, 0.0
    ends: dict[str, float] = {}
    for _ in range(data.draw(st.integers(1, 40), label="steps")):
        now += data.draw(st.floats(0.0, 20.0), label="pause")
        name = data.draw(st.sampled_from("ab"), label="who")
        mine, clock = elections[name], offsets[name]
        mine.seen(server, now + clock)
        if not (mine.holds(now + clock) or mine.may_take(now + clock)):
            continue
        wanted, began = mine.wanted(wall=now), now
        now += data.draw(st.floats(0.0, REQUEST), label="way to the server")
        if wanted.version != ("" if server is None else server.version):
            continue
        version += 1
        server = replace(wanted, version=str(version))
        if data.draw(st.booleans(), label="the answer arrives"):
            mine.won(server, began=began + clock, now=now + clock)
            ends[name] = began + KILL + FLIGHT + SERVER
            others = [ends[other] for other in ends if other != name]
            assert all(end <= now + 1e-6 for end in others)
