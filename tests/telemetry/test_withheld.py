"""What the log says of routes that are not advertised: each Reason by its word, with counts."""

from dataclasses import replace

import pytest

from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.reason import Reason, Withheld
from bgpd.telemetry.withheld import (
    LONG_SECONDS,
    MOST_SECONDS,
    NOT_OURS,
    PAUSE_SECONDS,
    Line,
    WithheldLog,
)


def _withheld(number: int, reason: Reason = Reason.NO_LOCAL_ENDPOINTS) -> Withheld:
    prefix = Prefix(f"203.0.113.{number % 250}/32")
    return Withheld(
        service=f"default/web-{number:05}", prefix=prefix, reason=reason, message=f"no, {number}"
    )


def _said(lines: tuple[Line, ...]) -> list[tuple[str, dict[str, object]]]:
    return [(one.event, {key: value for key, value in one.keys if value}) for one in lines]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_in_the_log_by_its_own_word(reason: Reason) -> None:
    """What explain, the metric and the Event call it."""
    ((event, keys),) = _said(WithheldLog().look((_withheld(1, reason),), 0.0))
    assert event == "routes_withheld"
    assert keys["reason"] == reason.value
    assert keys["message"] == "no, 1"


def test_ten_thousand_routes_are_one_line() -> None:
    """With how many they are and the first by name."""
    lines = WithheldLog().look(tuple(_withheld(number) for number in range(10_000)), 0.0)
    assert _said(lines) == [
        (
            "routes_withheld",
            {
                "reason": "NoLocalEndpoints",
                "routes": 10_000,
                "added": 10_000,
                "first": "default/web-00000",
                "message": "no, 0",
            },
        )
    ]


def test_what_ends_is_a_line_too() -> None:
    """Whoever reads of a beginning wants to read of the end."""
    log = WithheldLog()
    log.look((_withheld(1), _withheld(2)), 0.0)
    lines = log.look((), PAUSE_SECONDS)
    assert _said(lines) == [("routes_released", {"reason": "NoLocalEndpoints", "ended": 2})]


def test_the_same_is_said_once() -> None:
    """Also in other words, and in another order."""
    log = WithheldLog()
    both = (_withheld(1), _withheld(2))
    assert len(log.look(both, 0.0)) == 1
    assert log.look(both, 100.0) == ()
    assert log.look((replace(both[1], message="other words"), both[0]), 200.0) == ()


def test_what_changes_all_the_time_is_a_line_a_minute() -> None:
    """Nothing is lost: the counts of the next line cover what was not said."""
    log = WithheldLog()
    lines: list[Line] = []
    at: list[int] = []
    for second in range(600):
        found = log.look((_withheld(second),), float(second))
        lines += found
        at += [second] * len(found)
    assert at[:7] == [0, 2, 6, 14, 30, 62, 126]
    assert at[7] - at[6] == MOST_SECONDS
    assert _said((lines[3],))[0][1] == {
        "reason": "NoLocalEndpoints", "routes": 1, "added": 1, "ended": 1,
        "first": "default/web-00014", "message": "no, 14",
    }  # fmt: skip


def test_after_a_rest_a_change_is_told_at_once_again() -> None:
    """An hour later nothing is held back because of what happened then."""
    log = WithheldLog()
    for second in range(100):
        log.look((_withheld(second),), float(second))
    assert len(log.look((), 3_600.0)) == 1
    assert len(log.look((_withheld(1),), 3_600.0 + PAUSE_SECONDS)) == 1


def test_what_comes_and_goes_in_a_moment_is_no_news() -> None:
    """As at every start; what stays is told, a moment later."""
    log = WithheldLog(settle=1.0)
    one = (_withheld(1, Reason.NOT_STARTED),)
    assert log.look(one, 0.0) == ()
    assert log.look((), 1.0) == ()
    assert log.look(one, 2.0) == ()
    assert len(log.look(one, 3.0)) == 1
    assert log.look(one, 4.0) == ()


def test_what_was_held_back_follows_without_another_change() -> None:
    """A look at the same value says what there was no time for."""
    log = WithheldLog()
    log.look((_withheld(1),), 0.0)
    then = (_withheld(1), _withheld(2))
    assert log.look(then, 1.0) == ()
    assert len(log.look(then, PAUSE_SECONDS)) == 1
    assert log.look(then, 2 * PAUSE_SECONDS) == ()


@pytest.mark.parametrize("reason", sorted(NOT_OURS))
def test_services_of_other_kinds_come_and_go_in_silence(reason: Reason) -> None:
    """A line an hour says how many there are."""
    log = WithheldLog()
    log.look((_withheld(1, reason),), 0.0)
    assert log.look((), 600.0) == ()
    assert len(log.look((), LONG_SECONDS)) == 1


def test_mistakes_are_warnings_and_facts_are_not() -> None:
    """A person acts on the one; the other is how Kubernetes works."""
    mistake = _withheld(1, Reason.ADDRESS_NOT_IN_POOL)
    lines = WithheldLog().look((mistake, _withheld(2)), 0.0)
    assert [one.level for one in lines] == ["warning", "info"]


def test_each_peer_counts() -> None:
    """One prefix that two routers have no room for is withheld twice."""
    one = replace(_withheld(1, Reason.PREFIX_LIMIT), service="", peer=PeerName("tor-a"))
    ((_, keys),) = _said(WithheldLog().look((one, replace(one, peer=PeerName("tor-b"))), 0.0))
    assert (keys["routes"], keys["first"], keys["peer"]) == (2, "203.0.113.1/32", "tor-a")


def test_who_has_lines_of_their_own_is_left_out() -> None:
    """Health's are told Service by Service."""
    log = WithheldLog(without=frozenset({Reason.FLAPPING}))
    assert log.look((_withheld(1, Reason.FLAPPING),), 0.0) == ()
