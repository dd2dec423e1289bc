"""One mesh fed by hand: what it believes, what it refuses, and what it says."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.mesh.events import (
    ConditionChanged,
    GenerationChanged,
    KeyChanged,
    MemberChanged,
    MemberUp,
    MeshEvent,
)
from bgpd.mesh.machine import Mesh
from bgpd.mesh.packet import Echo, Flag, Heartbeat, Sight, decode, encode, member_id
from bgpd.mesh.seal import Sealer, key_id
from bgpd.mesh.settings import Keys, MeshSettings
from bgpd.model.errors import ConfigError
from bgpd.model.member import Member, MeshPolicy, NodeName
from bgpd.model.prefix import Address
from tests.mesh.network import KEY, KEYS

A = Member(name=NodeName("a"), address=Address("192.0.2.1"))
B = Member(name=NodeName("b"), address=Address("192.0.2.2"))
OTHER = b"another key, the older of the two"
INCARNATION = 0xA


def mesh(
    *, keys: Keys = KEYS, members: Iterable[Member] | None = (A, B), **settings: object
) -> Mesh:
    """Return the mesh of node a at time 0."""
    return Mesh(
        replace(
            MeshSettings(node=A.name, cluster_uid="c", policy=MeshPolicy(interval_milliseconds=50)),
            **settings,  # type: ignore[arg-type]
        ),
        keys=keys,
        incarnation=INCARNATION,
        now=0.0,
        random=lambda: 0.0,
        members=members,
    )


def said(subject: Mesh, key: bytes = KEY) -> list[Heartbeat]:
    """Return what *subject* sends."""
    sealer = Sealer(keys=[key], cluster_uid="c")
    opened = [sealer.open(one.payload) for one in subject.datagrams_to_send()]
    return [decode(one) for one in opened if isinstance(one, bytes)]


def from_b(sequence: int, *, key: bytes = KEY, **fields: Any) -> bytes:
    """Return a heartbeat of node b that echoes *a* as heard."""
    beat = Heartbeat(
        sender="b",
        incarnation=0xB,
        sequence=sequence,
        beat=sequence,
        generation=1,
        flags=Flag.AGENT_ALIVE | Flag.LEARNED,
        key_id=key_id(key),
        echoes=(Echo(member_id("a"), INCARNATION, 1, 1, 3, 0),),
        lever="med",
        base=2**31,
        stride=256,
        key_ids=(key_id(key),),
    )
    return Sealer(keys=[key], cluster_uid="c").seal(
        encode(replace(beat, **fields)),
        key_id(key),
    )


def met() -> Mesh:
    """Return the mesh of node a, which has heard b once."""
    subject = mesh()
    subject.handle_timer(0.0)
    assert said(subject)
    subject.receive_datagram(from_b(1), B.address, 0.001)
    assert [e for e in subject.events() if isinstance(e, MemberUp)]
    said(subject)
    return subject


def heard(subject: Mesh) -> int:
    """Return the generation that a believes b to be at."""
    return subject.status(0.1).members[0].generation or 0


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        pytest.param(from_b(1), "replayed", id="the same again"),
        pytest.param(from_b(2, key=OTHER), "bad_mac", id="a wrong key"),
        pytest.param(from_b(2)[:-3], "truncated", id="cut at the end"),
        pytest.param(from_b(2)[:9], "truncated", id="cut short"),
        pytest.param(b"x" * 100, "not_a_heartbeat", id="something else"),
        pytest.param(from_b(2, sender="z"), "unknown_member", id="a name that is not listed"),
        pytest.param(from_b(2, sender="a"), "ourselves", id="our own name"),
        pytest.param(from_b(9, incarnation=0xC), "old_incarnation", id="a recorded incarnation"),
    ],
)
def test_what_is_refused_is_counted(data: bytes, counter: str) -> None:
    """A datagram that is refused changes nothing but the counter named for its cause."""
    subject = met()
    subject.receive_datagram(data, B.address, 0.01)
    assert subject.counters[counter] == 1
    assert subject.events() == []
    assert subject.status(0.02).members[0].last_heard_milliseconds == 19.0


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_taken_or_counted(data: bytes, cut: int) -> None:
    """No bytes crash a mesh, sealed with our key or not."""
    subject = mesh()
    body = encode(decode(from_b(1)[:-16]))[:cut] + data
    sealed = Sealer(keys=[KEY], cluster_uid="c").seal(body, key_id(KEY))
    for one in (data, sealed):
        subject.receive_datagram(one, B.address, 0.1)
    subject.handle_timer(0.2)
    assert subject.generation == 1


@given(
    st.builds(
        Echo,
        st.sampled_from([member_id("a"), member_id("b"), 7]),
        st.sampled_from([INCARNATION, 0, 5]),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**16 - 1),
        st.integers(0, 255),
    ),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
)
def test_a_mad_member_crashes_nobody(echo: Echo, sequence: int, beat: int, interval: int) -> None:
    """Whatever an authentic member says, timers go on and nothing is lowered."""
    subject = met()
    data = from_b(sequence, echoes=(echo,) * 3, beat=beat, interval=interval, generation=sequence)
    subject.receive_datagram(data, B.address, 0.01)
    for tick in range(1, 12):
        subject.handle_timer(tick * 0.05)
    assert 1 <= subject.generation <= 1003
    subject.status(0.7)


def test_a_new_incarnation_must_answer_our_challenge() -> None:
    """A restarted member is believed once it echoes what we sent after we last heard it."""
    subject = met()
    subject.receive_datagram(from_b(1, incarnation=0xC, echoes=()), B.address, 0.02)
    (challenge,) = said(subject)
    about_b = [echo for echo in challenge.echoes if echo.sight & Sight.CHALLENGE]
    assert [echo.incarnation for echo in about_b] == [0xC]
    old = Echo(member_id("a"), INCARNATION, 1, 1, 3, 0)
    subject.receive_datagram(from_b(2, incarnation=0xC, echoes=(old,)), B.address, 0.03)
    assert subject.counters["incarnations"] == 0, "what it echoes was sent before"
    new = old._replace(sequence=challenge.sequence)
    subject.receive_datagram(from_b(3, incarnation=0xC, echoes=(new,)), B.address, 0.04)
    assert subject.counters["incarnations"] == 1
    subject.receive_datagram(from_b(2), B.address, 0.05)
    assert subject.counters["old_incarnation"] == 3, "and there is no way back"


def test_a_generation_is_adopted_only_from_who_hears_us() -> None:
    """A node whose heartbeats do not get out must not stay level with the others."""
    subject = mesh()
    subject.handle_timer(0.0)
    assert said(subject)
    subject.receive_datagram(from_b(1, flags=0), B.address, 0.01)
    silent = Echo(member_id("a"), INCARNATION, 1, 1, 500, Sight.SILENT)
    subject.receive_datagram(from_b(2, generation=5, echoes=(silent,), flags=0), B.address, 0.05)
    assert subject.generation == 1
    assert subject.counters["generation_withheld"] == 1
    subject.receive_datagram(from_b(3, generation=5), B.address, 0.10)
    assert subject.generation == 5
    (change,) = [e for e in subject.events() if isinstance(e, GenerationChanged)]
    assert (change.old, change.new, change.kind) == (1, 5, "adopted")


def test_a_newer_version_is_alive_and_its_generation_counts() -> None:
    """During an upgrade n and n+1 share one mesh."""
    subject = met()
    subject.receive_datagram(from_b(2, version=7, generation=3), B.address, 0.05)
    assert subject.counters["future_version"] == 1
    assert subject.generation == 3
    assert subject.status(0.06).members[0].version == 7


def test_nothing_is_advertised_before_a_member_list_is_known() -> None:
    """No list is not an empty list: the wait begins when the list is known."""
    subject = mesh(members=None)
    subject.handle_timer(5.0)
    assert not subject.may_advertise(5.0)
    subject.configure(members=[A, B], now=5.0)
    assert not subject.may_advertise(5.4)
    assert subject.may_advertise(5.6)
    subject = mesh(members=None)
    subject.configure(members=[A], now=5.0)
    assert subject.may_advertise(5.0)


def test_the_newest_key_is_used_once_everybody_knows_it() -> None:
    """Changing keys loses nobody: until all have the new one, the old one is sent."""
    subject = mesh(keys=Keys(sending=OTHER, accepted=(KEY, OTHER)))
    subject.handle_timer(0.0)
    assert said(subject, OTHER)
    subject.receive_datagram(from_b(1, key=OTHER), B.address, 0.01)
    subject.handle_timer(1.1)
    assert said(subject, OTHER)
    both = (key_id(KEY), key_id(OTHER))
    subject.receive_datagram(from_b(2, key=OTHER, key_ids=both), B.address, 1.12)
    subject.handle_timer(2.2)
    assert said(subject, KEY)
    assert [e.key_id for e in subject.events() if isinstance(e, KeyChanged)] == [key_id(KEY)]


def _conditions(events: list[MeshEvent]) -> set[tuple[str, bool]]:
    return {
        (e.condition.type, e.condition.status) for e in events if isinstance(e, ConditionChanged)
    }


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        pytest.param({"stride": 512}, "TakeoverSettingsDiffer", id="another stride"),
        pytest.param({"lever": "origin"}, "TakeoverSettingsDiffer", id="another lever"),
        pytest.param(
            {"router_ids": (b"\x09\x09\x09\x09",)}, "TakeoverNotComparable", id="other routers"
        ),
        pytest.param({"generation": 2000}, "GenerationJump", id="a generation too far ahead"),
        pytest.param(
            {"echoes": (Echo(member_id("a"), INCARNATION, 1, 1, 9, Sight.SILENT),)},
            "NotHeard",
            id="it does not hear us",
        ),
    ],
)
def test_conditions_begin_and_are_told_once(fields: dict[str, Any], condition: str) -> None:
    """What a person should know is an event when it begins, and stays in the status."""
    subject = met()
    subject.set_local(
        agent_alive=True, draining=False, peer_router_ids={Address("1.1.1.1")}, now=0.01
    )
    subject.receive_datagram(from_b(2, **fields), B.address, 0.02)
    subject.handle_timer(0.05)
    assert _conditions(subject.events()) == {(condition, True)}
    assert condition in {c.type for c in subject.status(0.05).conditions if c.status}
    subject.handle_timer(0.10)
    assert _conditions(subject.events()) == set()


def test_an_agent_that_goes_and_comes_back_is_news() -> None:
    """Once each time, because people are told at once; a member that is just met is no news."""
    subject, told = mesh(), []
    subject.handle_timer(0.0)
    assert said(subject)
    for sequence, flag in enumerate((Flag.AGENT_ALIVE, 0, 0, Flag.AGENT_ALIVE), 1):
        beat = from_b(sequence, flags=Flag.LEARNED | flag)
        subject.receive_datagram(beat, B.address, sequence / 100)
        told += [e.agent_alive for e in subject.events() if isinstance(e, MemberChanged)]
    assert told == [False, True]


def test_what_is_kept_on_disk() -> None:
    """The generation survives a restart, with the number of resets that it is to be compared by."""
    subject = met()
    subject.receive_datagram(from_b(2, generation=9), B.address, 0.02)
    assert subject.persistent() == {"generation": 9, "resets": 0}
    subject.reset_generation(4, 0.03)
    assert subject.persistent() == {"generation": 4, "resets": 1}


def test_a_goodbye_is_said_three_times() -> None:
    """One datagram may be lost, and whoever ends cannot repeat it later."""
    subject = met()
    subject.say_goodbye(30.0, 0.010)
    words = said(subject)
    for moment in (0.0121, 0.0142):
        subject.handle_timer(moment)
        words += said(subject)
    assert [bool(one.flags & Flag.GOODBYE) for one in words] == [True] * 3
    assert len({one.sequence for one in words}) == 3
    assert {one.grace for one in words} == {30}


def test_what_does_not_fit_a_heartbeat_is_refused_at_once() -> None:
    """Settings that no heartbeat can carry are an error with the legal range, not a crash."""
    with pytest.raises(ConfigError, match="1 to 253 bytes"):
        MeshSettings(
            node=NodeName("n" * 300), cluster_uid="c", policy=MeshPolicy(interval_milliseconds=50)
        )
    with pytest.raises(ConfigError, match="between 0 and 4294967295"):
        mesh(base=-1)


def test_a_slow_loop_is_not_the_others_death() -> None:
    """A timer that fires two intervals late adds one interval to a silence, not two."""
    subject = met()
    for beat in range(1, 4):
        subject.receive_datagram(from_b(1 + beat), B.address, beat * 0.05)
        subject.handle_timer(beat * 0.05)
    subject.events()
    subject.handle_timer(0.15 + 0.05 + 0.13)
    assert subject.events() == []
    subject.handle_timer(0.15 + 0.05 + 0.13 + 0.07)
    assert next(type(e).__name__ for e in subject.events()) == "MemberSuspected"
