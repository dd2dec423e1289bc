"""ExaBGP's own lines: with a time, in the form of all others, and never a flood."""

import json
from collections.abc import Callable

import pytest

from bgpd.exabgp.lines import EACH, WINDOW_SECONDS, Lines

CLOSED = "outgoing-{}      outgoing-{} 10.9.0.1-10.9.0.2, closing connection"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def _lines(form: str = "text") -> tuple[Clock, Callable[[str], str | None]]:
    clock = Clock()
    return clock, Lines(form, clock=clock, wall=lambda: 1_800_000_000.25)


def test_a_line_of_text_begins_like_all_others() -> None:
    """Time, level, process; what ExaBGP says is left as it is."""
    _, lines = _lines()
    assert lines('say "no"') == '2027-01-15T08:00:00.250Z warning exabgp say "no"'


def test_a_line_of_json_has_what_all_others_have() -> None:
    """Whoever collects the log meets nothing else."""
    _, lines = _lines("json")
    assert json.loads(lines('say "no"') or "") == {
        "ts": "2027-01-15T08:00:00.250Z",
        "level": "warning",
        "process": "exabgp",
        "event": "line",
        "message": 'say "no"',
    }


def test_tries_that_differ_in_a_counter_are_counted() -> None:
    """A router that is away for a day is a line a minute, not three every few seconds."""
    clock, lines = _lines()
    written = []
    for number in range(1000):
        clock.now = number * 1.0
        written += (lines(CLOSED.format(number, number)) or "").splitlines()
    assert len(written) == EACH + 1000 // int(WINDOW_SECONDS)
    assert written[EACH].endswith(f"closing connection (repeated={60 - EACH})")
    assert written[-1].endswith("(repeated=60)")


def test_another_router_is_another_line() -> None:
    """Addresses are no counters."""
    _, lines = _lines()
    for number in range(50):
        assert lines(f"outgoing-1 connection to 10.9.0.{number} closed")


def test_after_a_quiet_minute_a_line_is_news_again() -> None:
    """Nothing is left out because of what happened long ago."""
    clock, lines = _lines()
    for _ in range(EACH):
        assert lines("lost TCP session with peer")
    assert lines("lost TCP session with peer") is None
    clock.now = WINDOW_SECONDS
    assert (lines("another") or "").count("\n") == 1, "what was left out is owned up to"
    clock.now = 3 * WINDOW_SECONDS
    assert (lines("lost TCP session with peer") or "").endswith("lost TCP session with peer")


def test_our_own_sentences_are_all_written() -> None:
    """They say what a person must know, and pace themselves."""
    _, lines = _lines()
    said = [lines("bgpd: the reflex ended with status 1") for _ in range(20)]
    assert all(said)


@pytest.mark.parametrize("line", ["", "  "])
def test_an_empty_line_is_none(line: str) -> None:
    """It would be a line of JSON that says nothing."""
    assert _lines()[1](line) is None
