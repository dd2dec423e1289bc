"""What is believed of a provider, and when it is asked again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpd.model.peer import Asn
from bgpd.model.prefix import Address
from bgpd.model.provider import Discovery, ProviderChoice, ProviderKind, ProviderPeer
from bgpd.provider.course import (
    AGAIN_SECONDS,
    LOOK_SECONDS,
    RETRY_MOST,
    STALE_SECONDS,
    UNWELL_SECONDS,
    Course,
    Failure,
)

CHOICE = ProviderChoice(kind=ProviderKind.PACKET)
WALL = 1_700_000_000.0
AWAY = Failure("ProviderUnreachable", "NoAnswer", "http://m/ did not answer within 5 s")
A, B, C = (
    ProviderPeer(address=Address(f"169.254.255.{last}"), peer_asn=Asn(65530)) for last in (1, 2, 3)
)


def course(kept: Discovery | None = None) -> Course:
    """Return a course that begins at 0."""
    return Course("tor", CHOICE, now=0.0, kept=kept, empty="enable BGP")


def understood(one: Course, *peers: ProviderPeer, at: float) -> bool:
    """Have *one* understand a document that was asked for a second before."""
    one.began(at - 1)
    return one.understood(peers, now=at, wall=WALL + at)


def types(one: Course, now: float) -> list[str]:
    """Return the types of the conditions."""
    return [condition.type for condition in one.conditions(now)]


def test_a_start_looks_at_once_and_knows_nothing() -> None:
    """Nothing is known, which is not the same as no peers."""
    one = course()
    assert one.deadline() == 0.0
    assert (one.discovery.known, one.settled, types(one, 0.0)) == (False, False, [])


def test_while_a_look_is_under_way_there_is_no_other() -> None:
    """A lost session asks nobody twice."""
    one = course()
    one.began(1.0)
    one.sessions(lost=True, unwell=True, now=2.0)
    assert one.deadline() is None


def test_what_was_understood_holds_for_ten_minutes() -> None:
    """All is well: the next look has time."""
    one = course()
    assert understood(one, A, B, at=1.0)
    assert one.discovery == Discovery(peers=(A, B), known=True, fetched=WALL + 1.0)
    assert one.deadline() == 1.0 + LOOK_SECONDS
    assert not understood(one, A, B, at=601.0)
    assert types(one, 601.0) == []


def test_a_failure_changes_no_peer() -> None:
    """The metadata service may be away for days."""
    one = course()
    understood(one, A, B, at=1.0)
    one.failed(AWAY, now=700.0)
    assert one.discovery.peers == (A, B)
    assert one.discovery.known
    (condition,) = one.conditions(701.0)
    assert condition.message == (
        "BGPPeer tor: provider packet: http://m/ did not answer within 5 s; what it said at"
        " 2023-11-14T22:13:21Z holds"
    )


def test_what_is_not_confirmed_for_half_an_hour_is_called_stale() -> None:
    """It still holds; a person should know how old it is."""
    one = course()
    understood(one, A, at=1.0)
    one.failed(AWAY, now=700.0)
    assert types(one, 1.0 + STALE_SECONDS) == ["ProviderUnreachable", "ProviderStale"]
    understood(one, A, at=2_000.0)
    assert types(one, 9_000.0) == []


def test_what_never_answered_settles_as_unknown() -> None:
    """A start goes on without it, and says so."""
    one = course()
    one.began(0.0)
    one.failed(AWAY, now=5.0)
    assert one.settled
    assert not one.discovery.known
    assert "nothing is known of its routers yet" in one.conditions(6.0)[0].message


def test_failures_are_retried_soon_then_each_minute() -> None:
    """A service that comes back is heard within a minute."""
    one, now, pauses = course(), 0.0, []
    for _ in range(12):
        one.began(now)
        one.failed(AWAY, now=now)
        due = one.deadline()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == RETRY_MOST
    understood(one, A, at=now)
    one.failed(AWAY, now=now)
    assert one.deadline() == now + 1.0


def test_a_peer_that_is_no_longer_listed_stays_until_a_second_document_says_so() -> None:
    """Half an answer looks just like a router that is gone."""
    one = course()
    understood(one, A, B, at=1.0)
    assert not understood(one, A, at=600.0)
    assert one.discovery.peers == (A, B)
    assert types(one, 600.0) == ["ProviderPeerVanishing"]
    assert one.deadline() == 600.0 + UNWELL_SECONDS
    assert understood(one, A, at=660.0)
    assert list(one.discovery.peers) == [A]
    assert types(one, 660.0) == []


def test_two_documents_in_one_moment_are_no_second_word() -> None:
    """A controller that writes annotations one by one makes several documents in a moment."""
    one = course()
    understood(one, A, B, at=1.0)
    for at in (600.0, 600.005, 600.0 + AGAIN_SECONDS / 2):
        assert not understood(one, A, at=at)
    assert one.discovery.peers == (A, B)
    assert one.deadline() == 600.0 + AGAIN_SECONDS / 2 + UNWELL_SECONDS
    assert understood(one, A, at=600.0 + AGAIN_SECONDS)
    assert list(one.discovery.peers) == [A]


def test_a_peer_that_is_listed_again_was_never_gone() -> None:
    """The count of documents without it begins anew."""
    one = course()
    understood(one, A, B, at=1.0)
    for at in (600.0, 1_800.0, 3_000.0):
        understood(one, A, at=at)
        understood(one, A, B, at=at + 60)
    assert one.discovery.peers == (A, B)


def test_a_failure_between_two_documents_is_no_second_document() -> None:
    """What was not understood says nothing about anybody."""
    one = course()
    understood(one, A, B, at=1.0)
    understood(one, A, at=600.0)
    one.failed(AWAY, now=660.0)
    assert one.discovery.peers == (A, B)


def test_an_empty_answer_removes_everything_only_when_it_is_repeated() -> None:
    """BGP that somebody switches off there ends the sessions here, but a hiccup does not."""
    one = course()
    understood(one, A, B, at=1.0)
    understood(one, at=600.0)
    assert one.discovery.peers == (A, B)
    understood(one, at=660.0)
    assert one.discovery == Discovery(known=True, fetched=WALL + 660.0)
    assert [condition.message for condition in one.conditions(661.0)] == [
        "BGPPeer tor: provider packet offers this node no session: enable BGP"
    ]


def test_a_lost_session_asks_soon_but_not_more_than_each_ten_seconds() -> None:
    """Who renumbers or changes a password closes the session first."""
    one = course()
    understood(one, A, B, at=101.0)
    one.sessions(lost=True, unwell=True, now=102.0)
    assert one.deadline() == 100.0 + AGAIN_SECONDS
    one.sessions(lost=True, unwell=True, now=300.0)
    assert one.deadline() == 100.0 + AGAIN_SECONDS


def test_while_a_session_is_down_it_is_asked_each_minute() -> None:
    """A new password may be in the metadata a little later."""
    one = course()
    understood(one, A, B, at=101.0)
    one.sessions(lost=False, unwell=True, now=103.0)
    assert one.deadline() == 100.0 + UNWELL_SECONDS
    understood(one, A, B, at=161.0)
    assert one.deadline() == 161.0 + UNWELL_SECONDS


def test_sessions_that_are_well_hurry_nobody() -> None:
    """Reports come each second."""
    one = course()
    understood(one, A, B, at=101.0)
    one.sessions(lost=False, unwell=False, now=102.0)
    assert one.deadline() == 101.0 + LOOK_SECONDS


def test_what_is_kept_from_an_earlier_process_holds_at_once() -> None:
    """A restart with the metadata away keeps its sessions."""
    one = course(Discovery(peers=(A, B), known=True, fetched=WALL))
    assert one.settled
    one.failed(AWAY, now=1.0)
    assert one.discovery.peers == (A, B)
    understood(one, A, at=2.0)
    assert one.discovery.peers == (A, B)


@given(
    st.lists(
        st.none() | st.sets(st.sampled_from([A, B, C])),
        min_size=1,
        max_size=12,
    )
)
def test_no_peer_goes_without_two_documents_that_say_so(
    answers: list[set[ProviderPeer] | None],
) -> None:
    """Whatever comes: a peer that was known and was listed by one of the last two stays."""
    one, documents = course(), list[set[ProviderPeer]]()
    for number, answer in enumerate(answers):
        known, now = set(one.discovery.peers), number * AGAIN_SECONDS
        if answer is None:
            one.failed(AWAY, now=now)
            assert set(one.discovery.peers) == known
            continue
        one.understood(tuple(sorted(answer, key=str)), now=now, wall=WALL)
        before = documents[-1] if documents else set()
        assert set(one.discovery.peers) == answer | (known & before)
        documents.append(answer)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_pauses_are_spread_a_little(chance: float) -> None:
    """A thousand nodes do not ask an API in one second."""
    one = course()
    one.began(0.0)
    one.understood((A,), now=0.0, wall=WALL, chance=chance)
    due = one.deadline()
    assert due is not None
    assert LOOK_SECONDS <= due <= 1.1 * LOOK_SECONDS
