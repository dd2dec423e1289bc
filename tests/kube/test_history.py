"""Nobody goes back in time, except where the past has become the present."""

import pytest

from bgpd.kube.history import BELIEVE_AFTER, History, Verdict


def test_an_older_answer_is_the_past_however_often_it_comes() -> None:
    """A server that stands still is stale: waiting does not make it right."""
    history = History(100)
    for now in (0.0, 10.0, BELIEVE_AFTER, 100 * BELIEVE_AFTER):
        assert history.judge("50", items=3, known=3, now=now) is Verdict.PAST
    assert history.doubted
    assert history.judge("100", items=0, known=3, now=0.0) is Verdict.PRESENT
    assert not history.doubted


def test_a_past_that_moves_on_is_a_restored_backup() -> None:
    """It is believed after a while, and its numbers count from then on."""
    history = History(100)
    assert history.judge("50", items=3, known=3, now=0.0) is Verdict.PAST
    assert history.judge("60", items=3, known=3, now=BELIEVE_AFTER - 1) is Verdict.PAST
    assert history.judge("70", items=3, known=3, now=BELIEVE_AFTER) is Verdict.RESTORED
    assert history.newest == 70
    assert history.judge("71", items=3, known=3, now=BELIEVE_AFTER) is Verdict.PRESENT


def test_an_answer_still_older_begins_the_wait_anew() -> None:
    """Two stale servers behind one address must not add up to a live one."""
    history = History(100)
    history.judge("50", items=3, known=3, now=0.0)
    assert history.judge("40", items=3, known=3, now=BELIEVE_AFTER) is Verdict.PAST
    assert history.judge("50", items=3, known=3, now=BELIEVE_AFTER + 1) is Verdict.PAST


@pytest.mark.parametrize(("known", "verdict"), [(1, Verdict.PAST), (0, Verdict.RESTORED)])
def test_an_empty_past_is_not_believed_by_waiting(known: int, verdict: Verdict) -> None:
    """Where objects are known, only a person says that all of them are gone."""
    history = History(100)
    history.judge("50", items=0, known=known, now=0.0)
    assert history.judge("60", items=0, known=known, now=BELIEVE_AFTER) is verdict


def test_a_person_may_accept_the_past() -> None:
    """Once; the next older answer is doubted again."""
    history = History(100)
    assert history.judge("50", items=0, known=9, now=0.0) is Verdict.PAST
    history.accept()
    assert history.judge("50", items=0, known=9, now=1.0) is Verdict.RESTORED
    assert history.judge("49", items=0, known=9, now=2.0) is Verdict.PAST


def test_events_move_time_forward_only() -> None:
    """A version that is no number is opaque, and decides nothing."""
    history = History()
    assert history.saw("10")
    assert not history.saw("9")
    assert history.saw("opaque")
    assert history.newest == 10
    assert history.judge("opaque", items=0, known=9, now=0.0) is Verdict.PRESENT
    assert history.newest == 10
